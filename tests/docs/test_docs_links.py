"""Pages lead where they say, and tell nothing of the machine they were written on."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

import pytest
from docs_reading import PAGES, REPOSITORY, read_page

_FENCED = re.compile(r"^(`{3,}).*?^\1$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_OF_A_MACHINE = re.compile(r"(?<![\w.…])/(?:home|root|Users|tmp|private|mnt|work|var/folders)/\S+|\b[A-Z]:\\\S+")
ALL_PAGES = (*PAGES, "example_project/README.md", "example_project/seeds/README.md")


def anchors_of(page: str) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    found: set[str] = set()
    for heading in _HEADING.findall(_FENCED.sub("", read_page(page))):
        slug = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        found.add(slug)
    return found


def test_the_pages_that_there_should_be_are_there() -> None:
    """Else the tests below would hold of nothing."""
    assert {"README.md", "docs/project.md", "docs/decisions.md", "docs/command-line.md", "docs/state.md"} <= set(PAGES)
    assert "docs/dagster.md" in PAGES


@pytest.mark.parametrize("page", ALL_PAGES)
def test_every_relative_link_leads_somewhere(page: str) -> None:
    """To a file of the repository, and to a heading of it where one is named."""
    for link in _LINK.findall(_FENCED.sub("", read_page(page))):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (REPOSITORY / page).parent / file if file else REPOSITORY / page
        assert target.exists(), f"{page}: {link}"
        if anchor:
            inside = PurePosixPath(target.resolve().relative_to(REPOSITORY.resolve()).as_posix())
            assert anchor in anchors_of(str(inside)), f"{page}: {link}"


@pytest.mark.parametrize("page", ALL_PAGES)
def test_no_page_holds_a_path_of_a_machine(page: str) -> None:
    """What was copied from a terminal says `…` where the project lies."""
    assert not _OF_A_MACHINE.findall(read_page(page))


def test_a_path_of_a_machine_would_be_found() -> None:
    """Wherever it stands; what only looks like one may be written."""
    for text in ("in /home/ann/shop", "`/tmp/x`", "(/Users/ann/a.sql)", r"C:\Users\ann", "cd /root/x"):
        assert _OF_A_MACHINE.findall(text), text
    for text in ("made in …/shop", "http://localhost:3000", "a/tmp/b", "seconds/work"):
        assert not _OF_A_MACHINE.findall(text), text


def test_every_page_is_linked_from_the_first() -> None:
    """README.md leads to all of `docs`."""
    linked = {str(Path(link.partition("#")[0])) for link in _LINK.findall(read_page("README.md"))}
    assert {page for page in PAGES if page.startswith("docs/")} <= linked
