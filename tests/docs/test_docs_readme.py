"""The walk in `README.md` goes as it says; where an answer is long, its beginning is shown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from docs_reading import Reader, make_edit, read_page, read_steps, shows

PAGE = "README.md"


def test_the_walk_shows_what_leapsql_prints(built_flights: Path) -> None:
    """Every command of it, typed one after the other; the mistake that it asks for in words is made, and mended."""
    reader = Reader()
    steps = read_steps(read_page(PAGE))
    (edit,) = (step for step in steps if step.file)
    mistake = replace(edit, before=edit.after, after=edit.after.replace("sum(departed)", "sum(departd)"))
    mend = replace(edit, before=mistake.after, after=mistake.before)
    assert sum(step.command.startswith("leapsql") for step in steps) >= 5
    for step in steps:
        if step.command and not step.command.startswith("leapsql"):
            continue
        if step.shown.startswith("Error"):
            make_edit(mistake)
        printed = reader.follow(step)
        assert shows(step.shown + "…", printed), f"{PAGE}:{step.line}: {step.command}\n{printed}"
        if step.shown.startswith("Error"):
            make_edit(mend)
