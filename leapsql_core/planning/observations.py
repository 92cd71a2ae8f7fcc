"""What was looked at before deciding; whatever is absent was not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from leapsql_core.models import CodeVersion, Column, ObservedRelation
from leapsql_core.protocols import Marker


@dataclass(frozen=True, slots=True)
class Observations:
    """The warehouse as it was seen.

    ``relations`` by `Relation.key`, ``None`` if the warehouse was not looked at. ``source_versions`` by source and
    version key, and ``source_columns`` by source, hold what was taken; a version of ``None`` was asked for and
    cannot be told, and ``unreadable`` says why. ``unread`` says why the warehouse was not looked at. ``settings`` are
    those of the target that can change an answer and are not as usual. ``files`` hold the versions of what the patterns
    in queries name, ``macros`` and ``types`` those of what the database defines, by name; ``None`` if it cannot be
    told. ``functions`` tell of those that extensions brought whether their arguments alone decide what they answer.
    ``markers`` are what the warehouse itself keeps of builds, by `Relation.key`; ``history`` is the id of the state.
    ``view_columns`` are those that views show now whose surroundings changed; ``None`` of one that cannot be read.
    ``batch_columns`` are those of the batches that incremental models would get now, of as many as can be told.
    ``remembered``: nobody looked, all of it is what the state remembers; then a build that is decided moves what lies
    below it, and no doubt does.
    """

    relations: Mapping[tuple[str, str], ObservedRelation] | None = None
    source_versions: Mapping[tuple[str, str], str | None] = field(default_factory=dict)
    source_columns: Mapping[str, tuple[Column, ...]] = field(default_factory=dict)
    unreadable: Mapping[str, str] = field(default_factory=dict)
    unread: str = "the warehouse was not looked at"
    settings: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str | None] = field(default_factory=dict)
    macros: Mapping[str, str | None] = field(default_factory=dict)
    markers: Mapping[tuple[str, str], Marker] = field(default_factory=dict)
    history: str | None = None
    types: Mapping[str, str] = field(default_factory=dict)
    functions: Mapping[str, bool] = field(default_factory=dict)
    view_columns: Mapping[str, tuple[Column, ...] | None] = field(default_factory=dict)
    batch_columns: Mapping[str, tuple[Column, ...]] = field(default_factory=dict)
    remembered: bool = False


@dataclass(frozen=True, slots=True)
class Texts:
    """What earlier builds ran: resolved texts by their hash, text and configuration by content hash.

    ``seeds`` is what to compare with a seed that was built from other bytes: the version of what its file holds now, in
    the order of its rows, by the seed's path; ``None`` if it cannot be told.
    """

    resolved: Mapping[str, str] = field(default_factory=dict)
    code: Mapping[str, CodeVersion] = field(default_factory=dict)
    seeds: Mapping[str, str | None] = field(default_factory=dict)
