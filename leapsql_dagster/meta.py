"""What `meta: {dagster: ...}` of a model, or of a source in `leapsql.yaml`, says: checked, with file and line."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._check import CheckError

from leapsql_core import (
    LeapSQLError,
    Model,
    Node,
    Problem,
    ProjectError,
    Source,
    UsageError,
    did_you_mean,
    problem_within,
)
from leapsql_dagster.automation import read_condition

_KEY = "dagster"
_GROUP = re.compile(r"[A-Za-z0-9_]+")
_DURATION = re.compile(r"(?:\s*\d+(?:\.\d+)?\s*[smhdw])+\s*")
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_SECONDS: Mapping[str, int] = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_OF_A_WINDOW = ("fail", "warn")
_OF_A_DEADLINE = ("deadline", "lower_bound", "timezone")


@dataclass(frozen=True, slots=True)
class _Wrong:
    """What is wrong with what `keys` lead to."""

    keys: tuple[str, ...]
    cause: str
    mend: str


@dataclass(frozen=True, slots=True)
class DagsterMeta:
    """What is said of an asset beside its model or source; ``None`` and empty: nothing."""

    asset_key: dg.AssetKey | None = None
    group: str | None = None
    owners: tuple[str, ...] = ()
    automation_condition: dg.AutomationCondition[Any] | None = None
    freshness_policy: dg.FreshnessPolicy | None = None


_NOTHING = DagsterMeta()


def read_meta(node: Node | Source) -> DagsterMeta:
    """Return what `meta.dagster` of a model or source says.

    Raises:
        ProjectError: an unknown key, or a value that its key does not take; all of them, without their lines.
    """
    said = _said(node)
    if said is None:
        return _NOTHING
    found = _read(node, said)
    if found.wrong:
        raise ProjectError(Problem(_file(node), None, each.cause, each.mend) for each in found.wrong)
    return DagsterMeta(**found.values)


def check_meta(root: Path, nodes: Iterable[Node | Source]) -> None:
    """Read `meta.dagster` of all models and sources of the project in `root`.

    Raises:
        ProjectError: with everything that is wrong, and the lines of it.
    """
    problems = [
        problem_within(root, node, ("meta", _KEY, *each.keys), each.cause, each.mend)
        for node in nodes
        if isinstance(node, Model | Source) and (said := _said(node)) is not None
        for each in _read(node, said).wrong
    ]
    if problems:
        raise ProjectError(problems)


# --------------------------------------------------------------------------------------------------------------- values


@dataclass(slots=True)
class _Found:
    values: dict[str, Any] = field(default_factory=dict)
    wrong: list[_Wrong] = field(default_factory=list)


def _said(node: Node | Source) -> Any:
    return node.config.meta.get(_KEY) if isinstance(node, Model | Source) else None


def _file(node: Node | Source) -> str:
    return "leapsql.yaml" if isinstance(node, Source) else node.file


def _read(node: Node | Source, said: Any) -> _Found:
    found = _Found()
    if not isinstance(said, Mapping):
        found.wrong.append(_Wrong((), f"`meta.{_KEY}` expects keys and values", "Write `meta: {dagster: {group: x}}`."))
        return found
    readers = _OF_SOURCES if isinstance(node, Source) else _READERS
    elsewhere = () if isinstance(node, Source) else _READ_ELSEWHERE
    found.wrong.extend(_stream_unknown(said, (*readers, *elsewhere), ()))
    for name, value in said.items():
        if name not in readers or value is None:
            continue
        try:
            found.values[name] = readers[name](value)
        except _Refused as exc:
            found.wrong.extend(exc.wrong)
        except LeapSQLError as exc:
            found.wrong.append(_Wrong((name,), f"`{name}`: {exc.cause}", exc.mend))
    return found


class _Refused(Exception):
    """A value with keys that are wrong."""

    def __init__(self, *wrong: _Wrong) -> None:
        super().__init__()
        self.wrong = wrong


def _stream_unknown(said: Mapping[Any, Any], known: Iterable[str], within: tuple[str, ...]) -> Iterator[_Wrong]:
    names = sorted(known)
    for name in said:
        if name not in names:
            mend = did_you_mean(str(name), names, otherwise=f"Known keys: {', '.join(names)}.")
            yield _Wrong((*within, str(name)), f"unknown key `{'.'.join(('meta', _KEY, *within, str(name)))}`", mend)


def _asset_key(value: Any) -> dg.AssetKey:
    parts = value.split("/") if isinstance(value, str) else value
    if not isinstance(parts, list) or not parts or not all(isinstance(part, str) and part for part in parts):
        raise UsageError("expected the parts of a key", mend="Write `marts/orders` or `[marts, orders]`.")
    return dg.AssetKey(parts)


def _group(value: Any) -> str:
    if not isinstance(value, str) or not _GROUP.fullmatch(value):
        raise UsageError(f"{value!r} cannot be a group", mend="Groups are named with letters, digits and _ alone.")
    return value


def _owners(value: Any) -> tuple[str, ...]:
    owners = [value] if isinstance(value, str) else value
    if not isinstance(owners, list) or not all(isinstance(owner, str) and owner for owner in owners):
        raise UsageError("expected owners", mend="Write `[data@example.com, team:sales]`.")
    return tuple(owners)


def _automation_condition(value: Any) -> dg.AutomationCondition[Any]:
    if not isinstance(value, str):
        raise UsageError("expected a condition", mend="Write `eager`, or 'on_cron(\"0 6 * * *\")' in quotes.")
    return read_condition(value)


def _freshness_policy(value: Any) -> dg.FreshnessPolicy:
    mend = 'Write `{fail: 24h, warn: 12h}`, or `{deadline: "0 9 * * *", lower_bound: 2h, timezone: Europe/Berlin}`.'
    if not isinstance(value, Mapping):
        raise UsageError("expected a window or a deadline", mend=mend)
    wrong = [*_stream_unknown(value, (*_OF_A_WINDOW, *_OF_A_DEADLINE), ("freshness_policy",))]
    if wrong:
        raise _Refused(*wrong)
    try:
        if value.keys() <= {*_OF_A_WINDOW} and "fail" in value:
            warn = None if value.get("warn") is None else _duration(value["warn"])
            return dg.FreshnessPolicy.time_window(fail_window=_duration(value["fail"]), warn_window=warn)
        if value.keys() <= {*_OF_A_DEADLINE} and {"deadline", "lower_bound"} <= value.keys():
            return dg.FreshnessPolicy.cron(
                deadline_cron=str(value["deadline"]),
                lower_bound_delta=_duration(value["lower_bound"]),
                timezone=str(value.get("timezone", "UTC")),
            )
    except (CheckError, ValueError) as exc:
        raise UsageError(str(exc), mend=mend) from exc
    raise UsageError("expected a window or a deadline, whole and not both", mend=mend)


def _duration(value: Any) -> timedelta:
    """Return a length of time.

    >>> _duration("1d 12h")
    datetime.timedelta(days=1, seconds=43200)
    """
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        raise UsageError(f"{value!r} is no length of time", mend="Write `90m`, `24h`, `2d` or `1d 12h`.")
    try:
        return timedelta(seconds=sum(float(number) * _SECONDS[unit] for number, unit in _AMOUNT.findall(value)))
    except OverflowError as exc:
        raise UsageError(f"{value!r} is too long", mend="Write `90m`, `24h`, `2d` or `1d 12h`.") from exc


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "asset_key": _asset_key,
    "automation_condition": _automation_condition,
    "freshness_policy": _freshness_policy,
    "group": _group,
    "owners": _owners,
}
#: What the frontmatter was read with, for what has to be built hangs on it, too.
_READ_ELSEWHERE = ("partitions",)
_OF_SOURCES: Mapping[str, Callable[[Any], Any]] = {
    name: _READERS[name] for name in ("asset_key", "freshness_policy", "group", "owners")
}
