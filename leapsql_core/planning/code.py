"""What changed between the code that was built and the code now, and whether that asks for a build."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from leapsql_core.hashing import canonical_json, config_facts, fingerprint
from leapsql_core.masking import Secrets
from leapsql_core.models import Column, Model, Node, Query, Reason, Relation, Seed, Trace
from leapsql_core.names import fold
from leapsql_core.partitions import as_written
from leapsql_core.planning.observations import Texts
from leapsql_core.planning.versions import ALL_IN_ORDER
from leapsql_core.sql import same_tokens

#: The columns that a query's inputs have now, as far as they are known.
InputColumns = Mapping[Relation, tuple[Column, ...]]
#: Answers "same query?" for two resolved texts whose tokens differ, over inputs with these columns; only ``True`` when
#: that is proven.
Prove = Callable[[str, str, InputColumns], bool]

_LONGEST_LINE = 60
_SHOWN_BEFORE = 20


@dataclass(frozen=True, slots=True)
class CodeChange:
    """How the code differs from what was built: whether to build for it, the reason, and what exactly differs."""

    builds: bool
    reason: Reason
    detail: str


def text_hash(query: Query | None, secrets: Secrets) -> str | None:
    """Return the hash that a query's resolved text is kept under in the state."""
    return None if query is None else fingerprint(secrets.mask(query.resolved))


def compare_code(
    node: Node,
    trace: Trace,
    *,
    made: Mapping[str, str],
    texts: Texts,
    prove: Prove,
    secrets: Secrets,
    columns_of: Callable[[Model], InputColumns],
) -> CodeChange | None:
    """Return how `node` differs from what `trace` was built from, ``None`` if in nothing.

    `made` holds the versions of what that build made. `columns_of` gives the columns of a model's inputs; it is asked
    only where texts have to be compared.
    """
    if fold(str(node.relation)) != fold(trace.relation):
        return CodeChange(True, "config_changed", f"its relation was {trace.relation}, now {node.relation}")
    if node.materialized != trace.materialized:
        return CodeChange(True, "config_changed", f"materialized was {trace.materialized}, now {node.materialized}")
    if isinstance(node, Seed):
        return None if node.content_hash == trace.content_hash else _compare_rows(node, made, texts)
    same_text = (
        text_hash(node.query, secrets) == trace.query_hash
        and text_hash(node.incremental_query, secrets) == trace.incremental_query_hash
    )
    if same_text and node.content_hash == trace.content_hash:
        return None
    built = texts.code.get(trace.content_hash)
    if built is not None:
        field = _changed_build_field(config_facts(node.config), dict(built.config))
        if field is not None:
            return CodeChange(True, "config_changed", field)
    if not same_text:
        inputs = columns_of(node)

        def same(old: str, new: str) -> bool:
            return same_tokens(old, new) or prove(old, new, inputs)

        return _compare_query(node, trace, texts, same, secrets)
    if built is None:
        return CodeChange(True, "config_changed", "its configuration changed, and the old one is not kept: in doubt")
    differs = differing_keys(config_facts(node.config), dict(built.config))
    if not differs:
        return CodeChange(False, "formatting_only", "names in it are written otherwise, and mean the same")
    return CodeChange(False, "metadata_only", f"only {', '.join(differs)} changed")


def _compare_rows(seed: Seed, made: Mapping[str, str], texts: Texts) -> CodeChange:
    """Return what another file of a seed comes to: nothing, if a build would load the same rows in the same order."""
    now = texts.seeds.get(seed.path)
    if now is not None and now == made.get(ALL_IN_ORDER):
        return CodeChange(False, "formatting_only", "only how its file is written changed: the rows are the same")
    return CodeChange(True, "seed_changed", f"the content of {seed.file} changed")


def _compare_query(
    node: Model, trace: Trace, texts: Texts, same: Callable[[str, str], bool], secrets: Secrets
) -> CodeChange:
    old = texts.resolved.get(trace.query_hash)
    old_batch = texts.resolved.get(trace.incremental_query_hash or "")
    if old is None or (trace.incremental_query_hash is not None and old_batch is None):
        return CodeChange(True, "query_changed", "its query changed, and the text that was built is not kept")
    pairs = [(old, secrets.mask(node.query.resolved))]
    if node.incremental_query is not None and old_batch is not None:
        pairs.append((old_batch, secrets.mask(node.incremental_query.resolved)))
    if all(same_tokens(before, now) for before, now in pairs):
        return CodeChange(False, "formatting_only", "only layout and comments changed")
    if all(same(before, now) for before, now in pairs):
        return CodeChange(False, "formatting_only", "its text changed, and is proven to be the same query")
    code = texts.code.get(trace.content_hash)
    if code is not None:
        rendered = [(code.rendered_sql, secrets.mask(node.query.rendered))]
        if node.incremental_query is not None and code.rendered_incremental_sql is not None:
            rendered.append((code.rendered_incremental_sql, secrets.mask(node.incremental_query.rendered)))
        if all(same(before, now) for before, now in rendered):
            detail = f"names in it mean other relations now: {first_difference(pairs)}"
            return CodeChange(True, "resolved_differently", detail)
        pairs = rendered
    return CodeChange(True, "query_changed", f"its query changed: {first_difference(pairs)}")


def first_difference(pairs: list[tuple[str, str]]) -> str:
    """Return the first lines that differ, as ``old → new``."""
    for before, now in pairs:
        old, new = ([line.strip() for line in as_written(text).splitlines() if line.strip()] for text in (before, now))
        for kind, i, j, k, m in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            if kind == "replace":
                before_line, now_line = _around_the_difference(old[i], new[k])
                return f"`{before_line}` → `{now_line}`"
            if kind == "delete":
                return f"without `{_short(old[i])}`" + (f" and {j - i - 1} lines more" if j - i > 1 else "")
            if kind == "insert":
                return f"with `{_short(new[k])}`" + (f" and {m - k - 1} lines more" if m - k > 1 else "")
    return "spaces that count, or case that does"


def unified_difference(before: str, now: str, name_before: str, name_now: str) -> str:
    """Return all that differs between two texts, as a unified diff under the names given."""
    lines = (as_written(before).splitlines(), as_written(now).splitlines())
    return "\n".join(difflib.unified_diff(*lines, name_before, name_now, lineterm="", n=3))


def query_difference(
    node: Node, trace: Trace, *, texts: Texts, secrets: Secrets, name_before: str, name_now: str
) -> str | None:
    """Return how a node's query differs from the one that was built, as a unified diff under the names given.

    ``None`` if it does not differ, or the one that was built is not kept. The texts compared are as written, before
    names are resolved; if these are equal, as they run.
    """
    if not isinstance(node, Model):
        return None
    code = texts.code.get(trace.content_hash)
    written: list[tuple[str | None, str]] = []
    resolved: list[tuple[str | None, str]] = []
    for query, rendered, hashed in (
        (node.query, None if code is None else code.rendered_sql, trace.query_hash),
        (
            node.incremental_query,
            None if code is None else code.rendered_incremental_sql,
            trace.incremental_query_hash,
        ),
    ):
        if query is not None:
            written.append((rendered, secrets.mask(query.rendered)))
            resolved.append((texts.resolved.get(hashed or ""), secrets.mask(query.resolved)))
    for before, now in (*written, *resolved):
        if before is not None and before != now:
            return unified_difference(before, now, name_before, name_now)
    return None


def _around_the_difference(before: str, now: str) -> tuple[str, str]:
    """Return two lines as they may be shown: where one is long, the part of both in which they differ.

    >>> _around_the_difference("select " + "a, " * 40 + "b + 1", "select " + "a, " * 40 + "b + 2")
    ('…a, a, a, a, a, b + 1', '…a, a, a, a, a, b + 2')
    """
    if max(len(before), len(now)) > _LONGEST_LINE:
        same = next(
            (i for i, (a, b) in enumerate(zip(before, now, strict=False)) if a != b), min(len(before), len(now))
        )
        start = max(same - _SHOWN_BEFORE, 0)
        if start:
            before, now = f"…{before[start:].lstrip()}", f"…{now[start:].lstrip()}"
    return _short(before), _short(now)


def _equal_characters(a: str, b: str) -> int:
    """Return how many characters two texts begin with alike."""
    differing = (place for place, pair in enumerate(zip(a, b, strict=False)) if pair[0] != pair[1])
    return next(differing, min(len(a), len(b)))


def _short(line: str) -> str:
    return line if len(line) <= _LONGEST_LINE else line[: _LONGEST_LINE - 1] + "…"


def _changed_build_field(now: dict[str, Any], before: dict[str, Any]) -> str | None:
    """Return the first configuration field that decides how batches add up and differs, in words.

    Of an incremental model, that is; no other kind is asked how its rows are kept.
    """
    if now.get("materialized") != "incremental":
        return None
    if now.get("unique_key") != before.get("unique_key"):
        return f"unique_key was {_shown(before.get('unique_key'))}, now {_shown(now.get('unique_key'))}"
    for name in ("strategy", "time_column"):
        new, old = now.get("incremental", {}).get(name), before.get("incremental", {}).get(name)
        if new != old:
            return f"incremental.{name} was {_shown(old)}, now {_shown(new)}"
    new, old = (facts.get("incremental", {}).get("partitions") for facts in (now, before))
    if (new is None) != (old is None):
        return "it has partitions now, and had none" if old is None else "it had partitions, and has none now"
    for name in ("every", "column"):
        if new is not None and old is not None and new.get(name) != old.get(name):
            return f"incremental.partitions.{name} was {_shown(old.get(name))}, now {_shown(new.get(name))}"
    return None


def _shown(value: Any) -> str:
    if value is None:
        return "not set"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def differing_keys(now: Mapping[str, Any], before: Mapping[str, Any]) -> list[str]:
    """Return the keys under which two configurations say something else, sorted."""
    keys = sorted({*now, *before})
    return [key for key in keys if canonical_json(now.get(key)) != canonical_json(before.get(key))]
