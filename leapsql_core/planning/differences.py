"""What differs between two environments, told from what the state keeps of each: traces, texts and versions alone.

First and second are the environments in the order in which they are named. Names of relations are no difference: each
environment has its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from leapsql_core.models import Column, Materialized, Snapshot, Trace
from leapsql_core.names import fold, quote_identifier
from leapsql_core.planning.code import differing_keys, first_difference, unified_difference
from leapsql_core.planning.data_differences import DataComparison, InputDifference
from leapsql_core.planning.observations import Texts
from leapsql_core.planning.surroundings import is_relation, kept_settings
from leapsql_core.sql import same_tokens

#: Fields of a configuration that tell of a model and touch neither its rows nor its tests.
DESCRIPTIVE = frozenset({"columns", "description", "group", "meta", "owner", "tags"})

Data = Literal["same", "differs", "unknown"]


@dataclass(frozen=True, slots=True)
class Side:
    """What stands in one environment: what people call it, its traces with their versions, the texts they name."""

    name: str
    snapshot: Snapshot
    texts: Texts


@dataclass(frozen=True, slots=True)
class CodeDifference:
    """Where two texts of one query first differ, and all of it as a unified diff; ``None`` if they are not kept."""

    summary: str
    diff: str | None


@dataclass(frozen=True, slots=True)
class FieldDifference:
    """A field of the configuration, or a setting of the target, as it is in each; ``None`` where it is as usual."""

    name: str
    first: Any
    second: Any

    @property
    def descriptive(self) -> bool:
        """Whether the field tells of a model, and changes nothing of what it is."""
        return self.name in DESCRIPTIVE


@dataclass(frozen=True, slots=True)
class ColumnDifferences:
    """Columns of the second alone (``added``) or the first (``removed``), and what else differs in those of both."""

    added: tuple[Column, ...] = ()
    removed: tuple[Column, ...] = ()
    changed: tuple[tuple[Column, Column], ...] = ()
    reordered: bool = False

    def __bool__(self) -> bool:
        """Tell whether anything differs."""
        return bool(self.added or self.removed or self.changed or self.reordered)


@dataclass(frozen=True, slots=True)
class ModelDifference:
    """How one model stands to itself in two environments; ``only_in`` names the one that has it alone.

    ``materialized`` is what it is in the second, if it stands there.
    """

    path: str
    materialized: Materialized
    only_in: str | None = None
    code: CodeDifference | None = None
    config: tuple[FieldDifference, ...] = ()
    columns: ColumnDifferences = ColumnDifferences()
    data: Data = "same"
    inputs: tuple[InputDifference, ...] = ()

    @property
    def may_differ(self) -> bool:
        """Whether its data are not known to differ, but an input's are."""
        return self.data == "unknown" and any(entry.same is False for entry in self.inputs)

    @property
    def differs(self) -> bool:
        """Whether there is a difference to tell; a doubt alone is none."""
        told = self.code or self.config or self.columns or self.only_in
        return bool(told) or self.data == "differs" or self.may_differ


def texts_to_compare(first: Snapshot, second: Snapshot) -> tuple[set[str], set[str]]:
    """Return which resolved texts and which content hashes of the state `compare_environments` will compare."""
    resolved: set[str] = set()
    code: set[str] = set()
    for path in first.traces.keys() & second.traces.keys():
        pair = (first.traces[path], second.traces[path])
        if pair[0].content_hash != pair[1].content_hash:
            code.update(trace.content_hash for trace in pair)
            for trace in pair:
                resolved.update(found for found in (trace.query_hash, trace.incremental_query_hash) if found)
    return resolved, code


def compare_environments(first: Side, second: Side) -> tuple[ModelDifference, ...]:
    """Compare what stands in two environments, model by model; all that either has, by path."""
    before, now = first.snapshot.traces, second.snapshot.traces
    both = before.keys() & now.keys()
    code = {path: _compare_code(path, first, second) for path in both}
    same_code = {path: difference is None for path, difference in code.items()}
    data = DataComparison(first.snapshot, second.snapshot, same_code, names=(first.name, second.name))
    found: list[ModelDifference] = []
    for path in sorted({*before, *now}):
        if path not in both:
            side = first if path in before else second
            found.append(ModelDifference(path, side.snapshot.traces[path].materialized, only_in=side.name))
            continue
        same = data.same(path, None)
        said: Data = "unknown" if same is None else "same" if same else "differs"
        found.append(
            ModelDifference(
                path,
                now[path].materialized,
                code=code[path],
                config=_compare_config(path, first, second),
                columns=compare_columns(before[path].columns, now[path].columns),
                data=said,
                inputs=() if same else data.inputs(path),
            )
        )
    return tuple(found)


def compare_columns(before: tuple[Column, ...], now: tuple[Column, ...]) -> ColumnDifferences:
    """Compare the columns of two relations; names are compared without regard to case, and shown with it.

    >>> a, b = Column("a", "DATE"), Column("b", "DATE")
    >>> compare_columns((a, b), (b, a)).reordered, bool(compare_columns((a, b), (a, b)))
    (True, False)
    """
    old, new = ({fold(column.name): column for column in columns} for columns in (before, now))
    return ColumnDifferences(
        added=tuple(column for name, column in new.items() if name not in old),
        removed=tuple(column for name, column in old.items() if name not in new),
        changed=tuple((old[name], new[name]) for name in new if name in old and old[name] != new[name]),
        reordered=[name for name in old if name in new] != [name for name in new if name in old],
    )


# --------------------------------------------------------------------------------------------- code and configuration


def _compare_code(path: str, first: Side, second: Side) -> CodeDifference | None:
    before, now = first.snapshot.traces[path], second.snapshot.traces[path]
    if before.content_hash == now.content_hash or "seed" in (before.materialized, now.materialized):
        return None  # a seed has no code but its rows
    pairs = _rendered_pairs(before, now, first.texts, second.texts)
    if pairs is None:
        if before.query_hash == now.query_hash:
            return None
        return CodeDifference("its texts differ, and are not kept", None)
    differing = [pair for pair in pairs if not same_tokens(*pair)]
    if not differing or _same_but_for_names(before, now, first.texts, second.texts):
        return None
    old, new = differing[0]
    diff = unified_difference(old, new, first.name, second.name)
    return CodeDifference(first_difference(differing), diff)


def _rendered_pairs(before: Trace, now: Trace, old: Texts, new: Texts) -> list[tuple[str, str]] | None:
    """Return the texts of both as their author would see them, that of a batch too; ``None`` if they are not kept."""
    first, second = old.code.get(before.content_hash), new.code.get(now.content_hash)
    if first is None or second is None:
        return None
    pairs = [(first.rendered_sql, second.rendered_sql)]
    if first.rendered_incremental_sql is not None and second.rendered_incremental_sql is not None:
        pairs.append((first.rendered_incremental_sql, second.rendered_incremental_sql))
    return pairs


def _same_but_for_names(before: Trace, now: Trace, old: Texts, new: Texts) -> bool:
    """Tell whether the texts that run are one, once paths stand in them again where there are names of relations.

    `this`, and a schema that a template writes, are rendered to other names in each environment.
    """
    hashes = [(before.query_hash, now.query_hash)]
    if before.incremental_query_hash is not None and now.incremental_query_hash is not None:
        hashes.append((before.incremental_query_hash, now.incremental_query_hash))
    for first, second in hashes:
        text, other = old.resolved.get(first), new.resolved.get(second)
        if text is None or other is None:
            return False
        if not same_tokens(_with_paths(text, before), _with_paths(other, now)):
            return False
    return True


def _with_paths(text: str, trace: Trace) -> str:
    """Put paths, quoted, in the place of the quoted names of relations that a text reads."""
    names = {entry.relation: entry.name for entry in trace.inputs if is_relation(entry)} | {
        trace.relation: trace.model_path
    }
    for relation, path in sorted(names.items()):
        schema, dot, name = relation.partition(".")
        if dot:
            quoted = re.escape(f"{quote_identifier(schema)}.{quote_identifier(name)}")
            put_back = quote_identifier(path).replace("\\", r"\\")
            text = re.sub(rf'(?:"(?:[^"]|"")*"\.)?{quoted}', put_back, text)
    return text


def _compare_config(path: str, first: Side, second: Side) -> tuple[FieldDifference, ...]:
    before, now = first.snapshot.traces[path], second.snapshot.traces[path]
    old: dict[str, Any] = {"materialized": before.materialized}
    new: dict[str, Any] = {"materialized": now.materialized}
    codes = (first.texts.code.get(before.content_hash), second.texts.code.get(now.content_hash))
    if codes[0] is not None and codes[1] is not None and before.content_hash != now.content_hash:
        old, new = {**codes[0].config, **old}, {**codes[1].config, **new}
    fields = [FieldDifference(name, old.get(name), new.get(name)) for name in differing_keys(new, old)]
    was, are = kept_settings(before), kept_settings(now)
    settings = [name for name in sorted({*was, *are}) if was.get(name) != are.get(name)]
    return (*fields, *(FieldDifference(f"settings.{name}", was.get(name), are.get(name)) for name in settings))
