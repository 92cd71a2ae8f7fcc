"""What a build rests on beside its inputs: settings of the target, files of its query, what the database defines.

They stand among the inputs of a trace, each under a name that no relation bears.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from leapsql_core.hashing import canonical_json, fingerprint
from leapsql_core.masking import Secrets
from leapsql_core.models import Decision, Model, Node, Project, Trace, TraceInput
from leapsql_core.planning.observations import Observations
from leapsql_core.sql import mentioned, overlooked_calls

_SETTINGS = "settings: of the target"
_FILE, _MACRO, _TYPE = "file: ", "macro: ", "type: "
_KINDS = (_FILE, _MACRO, _TYPE)


def is_relation(entry: TraceInput) -> bool:
    """Tell whether an input of a trace is a model, seed or source, and not one of the surroundings."""
    return entry.name != _SETTINGS and not entry.name.startswith(_KINDS)


def is_settings(entry: TraceInput) -> bool:
    """Tell whether an input of a trace is the settings of the target."""
    return entry.name == _SETTINGS


def is_file(entry: TraceInput) -> bool:
    """Tell whether an input of a trace is what a name or pattern of files means; its relation holds that."""
    return entry.name.startswith(_FILE)


def is_macro(entry: TraceInput) -> bool:
    """Tell whether an input of a trace is a macro that the database defines."""
    return entry.name.startswith(_MACRO)


def is_defined(entry: TraceInput) -> bool:
    """Tell whether an input of a trace is a macro or a type that the database defines."""
    return entry.name.startswith((_MACRO, _TYPE))


def surroundings_of(node: Node, observations: Observations, secrets: Secrets) -> tuple[TraceInput, ...]:
    """Return what a build of `node` rests on now beside its inputs; settings only where they are not as usual."""
    found: list[TraceInput] = []
    if observations.settings:
        text = canonical_json(_masked(observations.settings, secrets))
        found.append(TraceInput(_SETTINGS, text, (), fingerprint(text)))
    if isinstance(node, Model):
        found += _stream_named(node, observations, secrets)
    return tuple(found)


def unsettled(model: Model, observations: Observations) -> list[str]:
    """Return the functions of extensions that a model calls and whose answer may move by itself, for all we know.

    Its author may say that it does not matter.
    """
    if model.config.volatile == "ignore":
        return []
    return [f"{name}()" for name in model.functions if not observations.functions.get(name, True)]


def surroundings_version(model: Model, observations: Observations, secrets: Secrets) -> list[list[str]] | None:
    """Return what the answer of a view rests on beside its inputs, ``None`` if some of it cannot be told."""
    found = list(_stream_named(model, observations, secrets))
    versions = [[entry.name, entry.data_version] for entry in found if entry.data_version is not None]
    return versions if len(versions) == len(found) and not unsettled(model, observations) else None


def _stream_named(model: Model, observations: Observations, secrets: Secrets) -> Iterator[TraceInput]:
    for pattern in model.files:
        shown = secrets.mask(pattern)
        yield TraceInput(_FILE + shown, shown, None, observations.files.get(pattern))
    texts = [query.resolved for query in (model.query, model.incremental_query) if query is not None]
    macros = {name for name in model.functions if name in observations.macros}
    for name in sorted(macros.union(*(overlooked_calls(text, observations.macros) for text in texts))):
        yield TraceInput(_MACRO + name, name, None, observations.macros[name])
    for name in sorted({name for text in texts for name in mentioned(text, observations.types)}):
        yield TraceInput(_TYPE + name, name, None, observations.types[name])


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Versions of files, by the pattern that means them, and of what the database defines, by name."""

    files: Mapping[str, str | None]
    macros: Mapping[str, str | None]
    types: Mapping[str, str]


def remembered_surroundings(project: Project, traces: Iterable[Trace]) -> Surroundings:
    """Return the surroundings as the last of `traces` that names each found it."""
    last = {entry.name: entry.data_version for trace in traces for entry in trace.inputs if not is_relation(entry)}
    kinds = {kind: {name.removeprefix(kind): last[name] for name in last if name.startswith(kind)} for kind in _KINDS}
    patterns = {pattern for node in project.nodes.values() if isinstance(node, Model) for pattern in node.files}
    return Surroundings(
        files={pattern: kinds[_FILE].get(project.secrets.mask(pattern)) for pattern in sorted(patterns)},
        macros=kinds[_MACRO],
        types={name: version for name, version in kinds[_TYPE].items() if version is not None},
    )


def compare_surroundings(node: Node, trace: Trace, observations: Observations, secrets: Secrets) -> Decision | None:
    """Return why a node builds for what it rests on beside its inputs, ``None`` if all of that is as it was.

    A view is evaluated with the files and the macros of whoever reads it, but it was made with the columns that it had
    under the settings, files and macros of then.
    """
    settings = _compare_settings(trace, observations.settings, secrets)
    if settings is not None:
        return Decision(node.path, "build", "config_changed", settings)
    if observations.relations is None or not isinstance(node, Model):
        return None
    now = {entry.name: entry for entry in _stream_named(node, observations, secrets)}
    changed = changed_surroundings(node, trace, observations, secrets)
    said = f"{', '.join(map(in_words, changed))} changed"
    if node.materialized == "view":
        if not changed or observations.view_columns.get(node.path, trace.columns) == trace.columns:
            return None
        return Decision(node.path, "build", "input_changed", f"{said}, and with it the columns that it shows")
    if changed:
        return Decision(node.path, "build", "input_changed", said)
    moving = unsettled(node, observations)
    if moving:
        detail = f"its answer may move by itself: {', '.join(moving)}"
        return Decision(node.path, "build", "volatile", detail, recurring=True)
    unknown = [name for name, entry in sorted(now.items()) if entry.data_version is None]
    if unknown and node.config.volatile != "ignore":
        said = ", ".join(map(in_words, unknown))
        detail = f"whether {said} changed cannot be told: built in doubt"
        return Decision(node.path, "build", "input_changed", detail, recurring=True)
    return None


def changed_surroundings(model: Model, trace: Trace, observations: Observations, secrets: Secrets) -> list[str]:
    """Return the files, macros and types that are known to be other than those that a build rested on, sorted."""
    before = {entry.name: entry for entry in trace.inputs if entry.name.startswith(_KINDS)}
    now = {entry.name: entry for entry in _stream_named(model, observations, secrets)}
    return [name for name in sorted({*before, *now}) if _differs(before.get(name), now.get(name))]


def _differs(before: TraceInput | None, now: TraceInput | None) -> bool:
    """Tell whether something is known to be other than it was; what cannot be told now is no such thing."""
    if before is None or now is None:
        return True
    return now.data_version is not None and now.data_version != before.data_version


def in_words(name: str) -> str:
    """Return the name of a file, a macro or a type among the inputs of a trace as a person would say it."""
    if name.startswith(_FILE):
        return f"the file {name.removeprefix(_FILE)}"
    if not name.startswith((_MACRO, _TYPE)):
        return name
    what = "macro" if name.startswith(_MACRO) else "type"
    return f"the {what} {name.removeprefix(_MACRO).removeprefix(_TYPE)} of the database"


def kept_settings(trace: Trace) -> dict[str, str]:
    """Return the settings of the target that a build had and that were not as usual, by name."""
    settings: dict[str, str] = json.loads(next((entry.relation for entry in trace.inputs if is_settings(entry)), "{}"))
    return settings


def _compare_settings(trace: Trace, settings: Mapping[str, str], secrets: Secrets) -> str | None:
    """Return in words how the settings differ from those that `trace` was built with, ``None`` if in nothing."""
    before = kept_settings(trace)
    now = _masked(settings, secrets)
    changed = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
    if not changed:
        return None
    said = [f"{name} was {before.get(name, 'as usual')}, now {now.get(name, 'as usual')}" for name in changed]
    return f"settings of the target: {'; '.join(said)}"


def _masked(settings: Mapping[str, str], secrets: Secrets) -> dict[str, str]:
    return {name: secrets.mask(value) for name, value in settings.items()}
