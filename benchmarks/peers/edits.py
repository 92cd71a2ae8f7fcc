"""The edits of each case, the same in every tool's files."""

from __future__ import annotations

from benchmarks.generate import plot
from benchmarks.peers.tools import CASES


def edited(files: dict[str, str], case: str, models: int, number: int) -> dict[str, str]:
    """Return `files` as they are in a case of round `number`: with the edits of all cases before it, and its own."""
    plots = plot(models)
    readers = {parent for one in plots for parent in one.reads}
    tables = [one for one in plots if one.materialized == "table"]
    leaf = [one for one in tables if one.number not in readers][-1]
    root = next(one for one in tables if not one.reads and one.number in readers)
    found = dict(files)
    for edit in CASES[: CASES.index(case) + 1]:
        for one in {"one leaf": [leaf], "one root": [root], "a comment everywhere": plots}.get(edit, []):
            name, head = f"models/{one.folder}/{one.name}.sql", f"-- {one.name}"
            if edit == "a comment everywhere":
                found[name] = found[name].replace(head, f"{head}, looked over {number + 1} times")
            else:
                found[name] = found[name].replace(" AS amount", f" + {number + 1} AS amount", 1)
    return found
