"""What is told of the figures: tables between their markers, a picture, and commands that every benchmark knows."""

from __future__ import annotations

from importlib import import_module
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.__main__ import PARTS, Part, command_of, lacking
from benchmarks.pages import write_between
from benchmarks.peers.picture import Bar, draw

REPOSITORY = Path(__file__).parents[2]
BARS = [Bar("full build", "LeapSQL", 4.5), Bar("full build", "a < b", 40.0), Bar("no change", "LeapSQL", 0.05)]


def test_a_table_replaces_the_one_before_and_nothing_else(tmp_path: Path) -> None:
    """However often it is written."""
    page = tmp_path / "page.md"
    page.write_text("above\n<!-- a: begin -->\nold\n<!-- a: end -->\n\n<!-- b: begin -->\n<!-- b: end -->\nbelow\n")
    for text in ("new", "newer"):
        write_between(page, "a", text)
        assert page.read_text() == (
            f"above\n<!-- a: begin -->\n{text}\n<!-- a: end -->\n\n<!-- b: begin -->\n<!-- b: end -->\nbelow\n"
        )


@pytest.mark.parametrize(
    "page", ["", "<!-- a: begin -->", "<!-- a: end --> <!-- a: begin -->", 2 * "<!-- a: begin --><!-- a: end -->"]
)
def test_a_page_without_the_place_is_left_alone(tmp_path: Path, page: str) -> None:
    """The error says what it lacks."""
    file = tmp_path / "page.md"
    file.write_text(page)
    with pytest.raises(ValueError, match="has no place for a: it needs the lines <!-- a: begin --> and"):
        write_between(file, "a", "text")
    assert file.read_text() == page


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_each_part_has_a_place_in_the_page_and_is_told_what_it_knows(part: Part, tmp_path: Path) -> None:
    """The commands of `make bench`, large and small, are read by the modules that they run."""
    page = tmp_path / "performance.md"
    page.write_bytes((REPOSITORY / "docs" / "performance.md").read_bytes())
    write_between(page, part.name, "found")
    assert f"<!-- {part.name}: begin -->\nfound\n" in page.read_text(encoding="utf-8")
    for quick in (False, True):
        command = command_of(part, quick=quick, rounds=3, peers=tmp_path, picture=tmp_path / "drawn.svg")
        given = import_module(command[2]).parser().parse_args(command[3:])
        assert given.rounds == 3
        assert getattr(given, "peers", tmp_path) == tmp_path


def test_what_is_not_installed_is_named_before_anything_runs(tmp_path: Path) -> None:
    """And only if something that runs needs it."""
    (tmp_path / "dbt").mkdir()
    (tmp_path / "dbt" / ".installed").touch()
    assert lacking(PARTS, tmp_path) == ["sqlmesh", "dagster-dbt", "tpch", "flights"]
    assert lacking([part for part in PARTS if not part.needs_peers], tmp_path) == []


def test_the_picture_is_the_same_for_the_same_figures() -> None:
    """It is XML, names every group and bar once, and shows every figure."""
    picture = draw("Seconds", BARS)
    assert picture == draw("Seconds", list(BARS))
    texts = [element.text for element in ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")]
    assert texts == [
        "Seconds",
        *("0.01", "0.1", "1", "10", "100"),
        *("full build", "LeapSQL", "4.50", "a < b", "40.00"),
        *("no change", "LeapSQL", "0.05"),
    ]


def test_bars_are_as_long_as_the_powers_of_ten_of_their_values() -> None:
    """On one scale for all groups, each tool in one colour."""
    bars = [Bar("a", "x", 1.0), Bar("a", "y", 10.0), Bar("b", "x", 100.0), Bar("b", "y", 1000.0)]
    drawn = list(ElementTree.fromstring(draw("Seconds", bars)).iter("{http://www.w3.org/2000/svg}rect"))
    lengths = [float(bar.attrib["width"]) for bar in drawn]
    steps = [after - before for before, after in pairwise(lengths[1:])]
    assert steps[0] == pytest.approx(steps[1], abs=0.2)
    assert lengths == sorted(lengths)
    assert [bar.attrib["fill"] for bar in drawn] == 2 * [bar.attrib["fill"] for bar in drawn[:2]]
    assert drawn[0].attrib["fill"] != drawn[1].attrib["fill"]
