"""Stars: the columns that ``*`` stands for, with EXCLUDE, REPLACE and RENAME."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from leapsql_core.names import fold
from leapsql_core.sql.expressions import evaluate, read
from leapsql_core.sql.flow import Hidden, Sources, Value
from leapsql_core.sql.parsing import Node, child, exp, listed, name_of
from leapsql_core.sql.scopes import Analysis, Binding, Scope, look_up

Column = Value | Hidden


def expand(star: Node, scope: Scope, analysis: Analysis) -> list[Column]:
    """Return the columns that ``*`` or ``t.*`` stands for, in order; hidden ones where they cannot be listed."""
    qualifier = child(star, "table")
    inner = star.this if isinstance(star, exp.Column) else star
    if qualifier is None:
        pairs = _all_columns(scope)
    else:
        name = fold(name_of(qualifier))
        meant = next((b for level in _enclosing(scope) for b in level.bindings if b.bears([name])), None)
        if meant is None or child(star, "db") is not None:
            return [_fields_of(star, scope, analysis)]
        pairs = [(column, meant) for column in meant.rowset.columns]
    changes = {key for key, value in inner.args.items() if value}
    if not changes:
        return [column for column, _ in pairs]
    if not changes <= {"except_", "rename", "replace"}:
        return [Hidden("* LIKE", _anything(inner, scope, analysis))]
    if qualifier is None and _touches_merged(inner, scope):
        return [Hidden("a changed * over columns that USING merged", _anything(inner, scope, analysis))]
    if _touches_namesakes(inner, pairs):
        return [Hidden("a changed * over columns of one name", _anything(inner, scope, analysis))]
    return _changed(inner, pairs, scope, analysis)


def _anything(star: Node, scope: Scope, analysis: Analysis) -> Sources:
    """Return all that stands in scope, and what the expressions of REPLACE read beside it."""
    return scope.everything.union(*(read(item.this, scope, analysis) for item in listed(star, "replace")))


def _enclosing(scope: Scope) -> list[Scope]:
    return [scope] if scope.parent is None else [scope, *_enclosing(scope.parent)]


def _all_columns(scope: Scope) -> list[tuple[Column, Binding]]:
    """Return all columns of a scope; one that USING merged stands where the first of its members would."""
    done: list[tuple[Column, Binding]] = []
    for binding in scope.bindings:
        for column in binding.rowset.columns:
            key = fold(column.name) if isinstance(column, Value) and column.name is not None else None
            merged = next((m for m in scope.merged if m.name == key and binding in m.bindings), None)
            if merged is None:
                done.append((column, binding))
            elif merged.bindings[0] is binding:
                done.append((replace(merged.value, loose=True), binding))
    return done


def _fields_of(star: Node, scope: Scope, analysis: Analysis) -> Hidden:
    """Return the fields of a struct that ``s.*`` stands for: their names are not known."""
    names = [name_of(part) for key in ("catalog", "db", "table") if (part := child(star, key)) is not None]
    value = look_up(names, scope, analysis)
    if value is None:
        analysis.note(f"{'.'.join(names)}.*", blind=True)
    changed = bool(listed(star.this, "replace"))
    sources = _anything(star.this, scope, analysis) if value is None or changed else value.reads
    return Hidden("the fields of a struct by *", sources)


def _touches_merged(star: Node, scope: Scope) -> bool:
    """Tell whether a change concerns a column that USING merged, for what comes of it differs between versions."""
    merged = {m.name for m in scope.merged}
    excluded = {fold(name_of(item)) for item in listed(star, "except_") if child(item, "table") is not None}
    changed = {fold(str(item.alias)) for item in listed(star, "replace")}
    return bool(merged & (excluded | changed | {fold(name_of(item.this)) for item in listed(star, "rename")}))


def _touches_namesakes(star: Node, pairs: list[tuple[Column, Binding]]) -> bool:
    """Tell whether a replaced or renamed column may be one of several of its name: which one it is differs."""
    changed = {fold(str(i.alias)) for i in listed(star, "replace")} | {
        fold(name_of(i.this)) for i in listed(star, "rename")
    }
    names = [fold(c.name) for c, _ in pairs if isinstance(c, Value) and c.name is not None]
    is_open = any(isinstance(column, Hidden) for column, _ in pairs)
    several = is_open and len({id(binding) for _, binding in pairs}) > 1
    return bool(changed) and (several or any(names.count(name) > 1 for name in changed))


def _changed(star: Node, pairs: list[tuple[Column, Binding]], scope: Scope, analysis: Analysis) -> list[Column]:
    excluded = listed(star, "except_")
    renamed = [(item.this, str(item.alias)) for item in listed(star, "rename")]
    replaced = {fold(str(item.alias)): evaluate(item.this, scope, analysis) for item in listed(star, "replace")}
    gone = {fold(name_of(item)) for item in excluded} | {fold(name_of(item)) for item, _ in renamed} | set(replaced)
    done: list[Column] = []
    for column, binding in pairs:
        if isinstance(column, Hidden):
            done.append(replace(column, without=column.without | gone))
            done += _of_hidden(column, renamed, replaced)
        elif not any(_means(item, column, binding) for item in excluded):
            new_name = next((name for item, name in renamed if _means(item, column, binding)), column.name)
            value = replaced.get(fold(column.name or ""), column)
            # What replaces a column stands in its place.
            done.append(replace(value, name=new_name, reads=value.reads | column.reads, loose=column.loose))
    named = [*excluded, *(item for item, _ in renamed), *(child(item, "alias") for item in listed(star, "replace"))]
    _note_missing([item for item in named if item is not None and not _is_of(item, pairs)], pairs, analysis)
    return done


def _is_of(item: Node, pairs: list[tuple[Column, Binding]]) -> bool:
    """Tell whether what a star's list names is one of its columns, or may be."""
    return any(isinstance(column, Hidden) or column.name is None or _means(item, column, b) for column, b in pairs)


def _note_missing(items: list[Node], pairs: list[tuple[Column, Binding]], analysis: Analysis) -> None:
    """Note what a star's lists name in vain, which DuckDB refuses; and which table should have it, if one alone may."""
    tables = {binding.table for _, binding in pairs}
    for name in map(name_of, items):
        analysis.note(f"the column {name}, which is not there", blind=True)
        if len(tables) == 1:
            analysis.missing |= {(table, name) for table in tables if table is not None}


def _of_hidden(column: Hidden, renamed: list[tuple[Node, str]], replaced: dict[str, Value]) -> Iterator[Column]:
    """Return the columns that a change makes of hidden ones, for all we know."""
    for item, name in renamed:
        value = column.look_up(name_of(item))
        if value is not None:
            yield value.named(name)
    for name, value in replaced.items():
        if name not in column.without:
            yield value.named(name)


def _means(item: Node, column: Value, binding: Binding) -> bool:
    """Tell whether a name in a star's list, qualified or not, means a column of an item."""
    if column.name is None or fold(name_of(item)) != fold(column.name):
        return False
    qualifier = [fold(name_of(part)) for key in ("catalog", "db", "table") if (part := child(item, key)) is not None]
    return not qualifier or binding.bears(qualifier)
