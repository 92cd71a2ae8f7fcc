"""`docs/decisions.md` tells of every reason that the code can give, and what it shows is what `leapsql` prints."""

from __future__ import annotations

import ast
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from docs_reading import Reader, Step, code_in, find_table, read_page, read_steps, shows

import leapsql_core
from leapsql_core.configuration.schemas import SourceDocument
from leapsql_core.models import Action, Reason

PAGE = "docs/decisions.md"
TOLD = {code_in(row["reason"])[0]: row["comes to"] for row in find_table(read_page(PAGE), "reason", "comes to")}


def given_reasons() -> Iterator[tuple[str, str]]:
    """Yield what the code of the core decides, as action and reason, wherever it spells them out."""
    package = Path(str(leapsql_core.__file__)).parent
    for file in sorted(package.rglob("*.py")):
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
                continue
            said = [argument.value if isinstance(argument, ast.Constant) else None for argument in call.args]
            if call.func.id == "Decision" and said[2] is not None:
                yield str(said[1]), str(said[2])
            elif call.func.id == "_build" and file.parent.name == "planning" and said[1] is not None:
                yield "build", str(said[1])
            elif call.func.id == "CodeChange":
                yield "build" if said[0] else "skip", str(said[1])


def test_every_reason_is_told_of_once() -> None:
    """The tables hold the list that decisions are checked against, each reason in one row."""
    rows = Counter(code_in(row["reason"])[0] for row in find_table(read_page(PAGE), "reason", "comes to"))
    assert rows == Counter(get_args(Reason))


def test_the_list_of_reasons_is_what_the_code_gives() -> None:
    """No reason is listed that nothing gives; that nothing else is given, the type checker sees to."""
    assert {reason for _, reason in given_reasons()} == set(get_args(Reason))


def test_what_a_reason_comes_to_is_what_the_code_decides() -> None:
    """Each reason comes to one thing, and the tables say which."""
    assert set(TOLD.values()) <= set(get_args(Action))
    decided: dict[str, set[str]] = {}
    for action, reason in given_reasons():
        decided.setdefault(reason, set()).add(action)
    assert decided == {reason: {action} for reason, action in TOLD.items()}


def test_queries_are_the_same_where_the_page_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each pair of the table: the first is built, the second planned."""
    monkeypatch.chdir(tmp_path)
    pairs = [
        tuple(code_in(cell)[0] for cell in row.values()) for row in find_table(read_page(PAGE), "before", "now", "is")
    ]
    assert {reason for *_, reason in pairs} == {"formatting_only", "query_changed"}
    Path("models").mkdir()
    Path("leapsql.yaml").write_text("target: {type: duckdb}")
    Path("models/t.sql").write_text("SELECT 1 AS a, 2 AS b")
    for number, (before, _, _) in enumerate(pairs):
        Path(f"models/q{number}.sql").write_text(before)
    assert f"{len(pairs) + 1} built in " in Reader().follow(Step(0, command="leapsql run"))
    for number, (_, now, _) in enumerate(pairs):
        Path(f"models/q{number}.sql").write_text(now)
    planned = json.loads(Reader().follow(Step(0, command="leapsql plan q* --output json")))
    reasons = {model["path"]: model["reason"] for model in planned["models"]}
    assert reasons == {f"q{number}": reason for number, (*_, reason) in enumerate(pairs)}


def test_every_way_to_version_a_source_is_told_of() -> None:
    """The table of sources holds the values of `version`, the default first."""
    field = SourceDocument.model_fields["version"]
    told = [code_in(row["`version`"])[0] for row in find_table(read_page(PAGE), "`version`")]
    assert told == list(get_args(field.annotation))
    assert told[0] == field.default


def test_what_the_page_shows_is_what_leapsql_prints(built_flights: Path) -> None:
    """Every command of the page, typed one after the other, answers as shown; every edit can be made."""
    reader = Reader()
    steps = read_steps(read_page(PAGE))
    assert sum(bool(step.file) for step in steps) == 3
    for step in steps:
        printed = reader.follow(step)
        assert shows(step.shown, printed), f"{PAGE}:{step.line}: {step.command}\n{printed}"
