"""Whatever people write: the outcome is a result, or a complaint that names a place; never another exception."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from fuzzing import fuzz, tried
from hypothesis import given
from hypothesis import strategies as st
from projects import compile_project
from reading_samples import configure, load, write_project

from leapsql_core.errors import LeapSQLError, ProjectError, UsageError
from leapsql_core.frontmatter import read_model_text


def soup(pieces: str, *more: str, most: int = 14) -> st.SearchStrategy[str]:
    """Return texts made of `pieces`, which are parted by spaces, of `more`, and of a few characters of any kind."""
    return st.lists(st.sampled_from([*pieces.split(), *more]) | st.text(max_size=2), max_size=most).map("".join)


YAML = (" ", "\n", "\n  ", "\n- ", ": ", ", ", "- ", "#", "\t", "\r\n")
CONFIGURATION = soup(
    "target type duckdb database schema settings environments prod dev vars sources version column data secrets name "
    "models_dir environment { } [ ] ${X} ${X:-d} ${ } $${ ${NO} &a *a <<: !!str ! ' \" | > ? ~ null true 1 1.5 1e5 %",
    *YAML,
)
FRONTMATTER = soup(
    "materialized view incremental unique_key tests unique not_null accepted_values relationships expression column "
    "columns values to field where severity warn name tags meta enabled depends_on strategy time_column merge owner "
    "schema volatile { } [ ] a b 1 true ~ '' &a *a <<: ---*/ /*---",
    *YAML,
)
TEMPLATE = soup(
    "{{ }} {% %} {# #} {%- -%} env config target this var is_incremental run_started_at last_run_at lib ( ) 'x' . | "
    "if endif else for in endfor set = macro endmacro m call endcall filter endfilter raw endraw block endblock with "
    "endwith include import extends 1 + - * / // ** ~ [ ] [0] is not defined none now __class__ _x upper list attr map "
    "loop self super caller range namespace dict cycler select from a X items format vars tojson sum",
    " ",
    "\n",
)
SQL = soup(
    "select from a b s.c where join using (x) ( ) , * with q as union all x y 'text' \"x\" -- /* */ ; $$ . :: [ ] { } "
    "lateral pivot on values exists order by limit 1 over exclude unnest query_table('a') x'ab' é",
    " ",
    " ",
    "\n",
)


def check(problem: ProjectError, files: Mapping[str, int]) -> None:
    """Assert that every complaint names one of `files`, a line that it has, and says what is wrong and what to do."""
    assert problem.problems
    for found in problem.problems:
        assert found.file in files
        assert found.line is None or 1 <= found.line <= files[found.file]
        assert found.cause
        assert found.mend, str(found)


def complain(error: LeapSQLError) -> None:
    """Assert that an error that is about no file says what is wrong and what to do."""
    assert error.cause
    assert error.mend


def lines_of(text: str) -> int:
    """Return how many lines a text has, by whatever YAML, Jinja or SQL takes for the end of one."""
    return len(re.split("\r\n|[\r\n\x85\u2028\u2029]", text))


@fuzz(150)
@given(st.booleans(), CONFIGURATION, st.sampled_from([None, "prod", "dev"]))
def test_any_configuration(sound: bool, text: str, environment: str | None) -> None:
    """Of a text that begins well, or does not."""
    tried()
    text = ("target: {type: duckdb}\n" if sound else "") + text
    try:
        config = configure(text, environ={"X": "x"}, environment=environment)
    except ProjectError as exc:
        check(exc, {"leapsql.yaml": lines_of(text)})
    except UsageError as exc:
        complain(exc)
    else:
        assert config.target.type == "duckdb"


@fuzz(150)
@given(FRONTMATTER)
def test_any_frontmatter(text: str) -> None:
    """Whatever becomes of it, it is a configuration and a template."""
    tried()
    text = f"/*---\n{text}\n---*/\nselect 1"
    try:
        found = read_model_text(text, file="models/a.sql")
    except ProjectError as exc:
        check(exc, {"models/a.sql": lines_of(text)})
    else:
        assert text.endswith(found.template)
        assert 1 <= found.line <= lines_of(text)


@fuzz(150)
@given(st.sampled_from(["{}", "select {{{{ {} }}}} as x", "{{% {} %}}select 1 as x"]), TEMPLATE, TEMPLATE)
def test_any_template(frame: str, text: str, macro: str) -> None:
    """Of a model and of a macro that it may call."""
    tried()
    files = {"models/a.sql": frame.format(text), "macros/lib.sql": "{% macro m() %}1{% endmacro %}" + macro}
    try:
        compile_project(files, environ={"X": "x"})
    except ProjectError as exc:
        check(exc, {name: lines_of(content) for name, content in files.items()})


@fuzz(120)
@given(st.sampled_from(["", "select ", "from a "]), SQL)
def test_any_query(beginning: str, text: str) -> None:
    """What is one query compiles; nothing else does."""
    tried()
    files = {
        "models/a.sql": "select 1 as x, 2 as y",
        "models/b.sql": "select 1 as x",
        "models/s/c.sql": "select 3 as x",
        "models/reader.sql": beginning + text,
    }
    try:
        project = compile_project(files)
    except ProjectError as exc:
        check(exc, {name: lines_of(content) for name, content in files.items()})
    else:
        assert "reader" in project.nodes


@fuzz(40)
@given(
    st.dictionaries(
        st.sampled_from(
            ["leapsql.yaml", "models/a.sql", "models/s/a.sql", "seeds/a.csv", "macros/a.sql", "macros/s/b.sql"]
        ),
        st.binary(max_size=12) | st.sampled_from([b"target: {type: duckdb}", b"select 1 as x", b"x,y\n1,2\n"]),
    )
)
def test_any_bytes(tmp_path: Path, files: dict[str, bytes]) -> None:
    """In any file of a project."""
    tried()
    root = write_project(tmp_path / str(len(list(tmp_path.iterdir()))), files)
    try:
        load(root)
    except ProjectError as exc:
        check(exc, dict.fromkeys(files, 99) | {"leapsql.yaml": 99})
    except LeapSQLError as exc:
        complain(exc)
