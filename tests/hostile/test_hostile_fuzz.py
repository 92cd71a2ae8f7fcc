"""Whatever people type, and whatever stands in their files: a result, or a complaint, and never another exception."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzzing import fuzz, tried
from hostile_samples import Hostile
from hypothesis import given
from hypothesis import strategies as st
from projects import compile_project
from test_reading_fuzz import YAML, check, complain, lines_of, soup

from leapsql_core.cli.commands import COMMANDS
from leapsql_core.documents import read_yaml
from leapsql_core.errors import LeapSQLError, ProjectError, SelectionError
from leapsql_core.selection import select

FILES = {
    "seeds/s.csv": "x\n1\n",
    "models/a.sql": "/*---\ntags: [t]\nowner: o\ntests: [unique: x]\n---*/\nselect x from s",
    "models/f/b.sql": "select x from a",
    "models/f/it's here.sql": "select 1 as x",
}
SELECTION = soup(
    "a f.b s f.* tag:t owner:o materialized:table state:changed + 2+ , * ? [ ] : it's here 99999999 ' \" \\", " "
)
WORDS = soup(
    "a f.b s x t dev prod 0 1 -1 1e9 nan select from --force ../.. / ~ . \\ ' \" * + tag:t state:changed é", " ", most=4
)
#: Commands and options that neither write elsewhere nor wait.
OPTIONS = (
    "--output json",
    "--output text",
    "--output x",
    "--env",
    "--exclude",
    "-v",
    "--column",
    "--downstream",
    "--limit",
    "--",
)
ASKING = sorted({entry.name for entry in COMMANDS} - {"init", "env", "state", "version"})
VALUES = soup(
    "{ } [ ] , : - &a *a << ? | > ! !!str !!binary !!python/object:x.y % @ ` # ' \" \\ \\0 ~ 1e999 .nan 0x1 \ufeff a b",
    *YAML,
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Hostile:
    """A project that was run."""
    made = Hostile(tmp_path_factory.mktemp("fuzz") / "shop", FILES)
    made.leapsql("run", status=0)
    return made


PROJECT = compile_project(FILES)


@fuzz(60)
@given(st.lists(SELECTION, max_size=3), st.lists(SELECTION, max_size=2))
def test_any_selection(wanted: list[str], without: list[str]) -> None:
    """Chooses paths of the project in its order, or says what is wrong and what to do."""
    tried()
    try:
        chosen = select(PROJECT, wanted, exclude=without, changed=lambda: ["a"])
    except SelectionError as exc:
        complain(exc)
    else:
        assert chosen == [path for path in PROJECT.nodes if path in chosen]


@fuzz(25)
@given(
    st.sampled_from(ASKING),
    st.lists(st.sampled_from(OPTIONS).map(str.split) | WORDS.map(lambda word: [word]), max_size=4),
)
def test_any_words_behind_a_command(shop: Hostile, command: str, words: list[list[str]]) -> None:
    """End with status 0, 1 or 2."""
    tried()
    shop.leapsql(command, *(word for some in words for word in some))


@fuzz(150)
@given(VALUES)
def test_any_yaml(text: str) -> None:
    """Is plain data that knows its lines, or an error in one of them."""
    tried()
    try:
        found = read_yaml(text, file="some.yaml")
    except ProjectError as exc:
        check(exc, {"some.yaml": lines_of(text)})
    else:
        assert all(1 <= line <= lines_of(text) for line in found.lines.values())


@fuzz(8)
@given(st.binary(max_size=60) | soup('a b , ; | 1 2.5 x " "" \' # \\ é', "\n", "\r\n", "\t", ",").map(str.encode))
def test_any_seed(tmp_path: Path, content: bytes) -> None:
    """Is loaded, or is an error of its file."""
    tried()
    made = Hostile(tmp_path / str(len(list(tmp_path.iterdir()))), {"seeds/s.csv": content, "models/m.sql": "from s"})
    made.leapsql("run")


def test_the_errors_of_the_core_are_one_tree() -> None:
    """So that who catches one kind catches all."""
    assert issubclass(ProjectError, LeapSQLError)
    assert issubclass(SelectionError, LeapSQLError)
