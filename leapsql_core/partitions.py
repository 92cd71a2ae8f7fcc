"""Partitions: the parts that a model is built by, their names and windows, and how its query is written for one.

Windows of time are those of Dagster, in its names: hours, days, weeks that begin on Sunday, and months. A moment is
written without a zone, and means UTC where the moments of a run are compared with it.

A query is rendered once, with placeholders for the window; for a partition they are replaced. So the text that runs is
decided by the text that is hashed, and nothing that a template does can make one differ from the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from leapsql_core.models import Every, IncrementalConfig, Model, Node, Partition, Partitioning
from leapsql_core.names import fold

_DAY, _HOUR = "%Y-%m-%d", "%Y-%m-%d-%H:%M"
_SUNDAY = 6
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Placeholders:
    """What stands for the window of a partition in a text: dates that no text has by itself, and that are dates."""

    start: str
    end: str
    key: str

    def facts(self, partitioning: Partitioning) -> dict[str, str]:
        """Return what a template sees as ``partition``."""
        if partitioning.every is None:
            return {"key": f"leapsql-partition-{self.key}"}
        key = f"{self.key}-07:00" if partitioning.every == "hourly" else self.key
        return {"start": self.start, "end": self.end, "key": key}


#: Those that texts are rendered and hashed with; and others, to tell whether a template only prints them.
PLACEHOLDERS = Placeholders("1004-04-04 00:00:00", "1004-05-05 00:00:00", "1004-07-07")
OTHER_PLACEHOLDERS = Placeholders("1013-03-13 00:00:00", "1013-08-23 00:00:00", "1013-11-30")


def partitioning_of(node: Node) -> Partitioning | None:
    """Return how a node is parted, ``None`` if it is not."""
    how = getattr(getattr(node, "config", None), "incremental", None)
    return how.partitions if isinstance(how, IncrementalConfig) else None


def partition_column(how: IncrementalConfig) -> str:
    """Return the column that tells which partition a row belongs to."""
    column = how.partitions.column if how.partitions is not None and how.partitions.column else how.time_column
    assert column is not None  # the frontmatter was checked
    return column


def reads_by_window(node: Model, parent: Model) -> bool:
    """Tell whether a partition of `node` reads of `parent` its own window alone, by what parts the rows of `parent`."""
    by = dict(node.windowed).get(parent.path)
    return by is not None and fold(by) == fold(partition_column(parent.config.incremental))


def list_partitions(partitioning: Partitioning, now: datetime) -> tuple[Partition, ...]:
    """Return the partitions that there are at a moment, in order: those that have ended, and ``end_offset`` more.

    >>> january = Partitioning(every="daily", start="2024-01-01", end="2024-02-01")
    >>> [partition.key for partition in list_partitions(january, datetime(2024, 1, 3, 12))]
    ['2024-01-01', '2024-01-02']
    """
    return tuple(_stream_partitions(partitioning, _without_zone(now)))


def _stream_partitions(partitioning: Partitioning, now: datetime) -> Iterator[Partition]:
    every = partitioning.every
    if every is None:
        yield from (Partition(key) for key in partitioning.keys)
        return
    start = _first(every, read_moment(partitioning.start or "", every))
    last = None if partitioning.end is None else read_moment(partitioning.end, every)
    beyond = 0
    while last is None or _after(every, start) <= last:
        end = _after(every, start)
        if end > now:
            if beyond == partitioning.end_offset:
                return
            beyond += 1
        yield Partition(start.strftime(key_format(every)), start, end)
        start = end


def find_partition(partitioning: Partitioning, key: str) -> Partition | None:
    """Return the partition of that name, whether it has ended or not; ``None`` if there will never be one."""
    every = partitioning.every
    if every is None:
        return Partition(key) if key in partitioning.keys else None
    found = any_partition(partitioning, key)
    if found is None or found.start is None or found.end is None:
        return None
    begins = read_moment(partitioning.start or "", every)
    if found.start.strftime(key_format(every)) != key or _first(every, found.start) != found.start:
        return None
    if found.start < begins or (partitioning.end is not None and found.end > read_moment(partitioning.end, every)):
        return None
    return found


def any_partition(partitioning: Partitioning, key: str) -> Partition | None:
    """Return the window behind the name of a partition that was built once, whether it is still asked for or not.

    It is ``None`` for the name of one of another kind.

    >>> any_partition(Partitioning(every="hourly", start="2024-01-01"), "2024-01-01")
    """
    if partitioning.every is None:
        return Partition(key)
    try:
        start = datetime.strptime(key, key_format(partitioning.every))
        return Partition(key, start, _after(partitioning.every, start))
    except (OverflowError, ValueError):
        return None


def key_format(every: Every) -> str:
    """Return how the partitions of a kind are named, for `datetime.strftime`."""
    return _HOUR if every == "hourly" else _DAY


def read_moment(text: str, every: Every) -> datetime:
    """Return the moment that ``start`` or ``end`` of a partitioning names: a day, or, of hours, a day and an hour.

    Raises:
        ValueError: it names none.
    """
    try:
        return datetime.strptime(text, _DAY)
    except ValueError:
        if every != "hourly":
            raise
        return datetime.strptime(text, _HOUR)


def _first(every: Every, moment: datetime) -> datetime:
    """Return the start of the first window that does not begin before `moment`."""
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if every == "hourly":
        hour = moment.replace(minute=0, second=0, microsecond=0)
        return hour if hour == moment else hour + timedelta(hours=1)
    if day < moment:
        day += timedelta(days=1)
    if every == "weekly":
        return day + timedelta(days=(_SUNDAY - day.weekday()) % 7)
    if every == "monthly" and day.day > 1:
        return _after("monthly", day.replace(day=1))
    return day


def _after(every: Every, start: datetime) -> datetime:
    """Return the end of the window that begins at `start`, which is where the next one begins."""
    if every == "monthly":
        return start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
    steps = {"hourly": timedelta(hours=1), "daily": timedelta(days=1), "weekly": timedelta(weeks=1)}
    return start + steps[every]


def _without_zone(moment: datetime) -> datetime:
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


def joined(partitions: Iterable[Partition]) -> list[Partition]:
    """Return windows that cover the same, with neighbours as one; each bears the key of its first.

    >>> days = list_partitions(Partitioning(every="daily", start="2024-01-01"), datetime(2024, 1, 5))
    >>> [(str(window.start.date()), str(window.end.date())) for window in joined((*days[:2], days[3]))]
    [('2024-01-01', '2024-01-03'), ('2024-01-04', '2024-01-05')]
    """
    found: list[Partition] = []
    for partition in sorted(partitions, key=lambda one: (one.start or datetime.min, one.key)):
        if found and partition.start is not None and found[-1].end == partition.start:
            found[-1] = Partition(found[-1].key, found[-1].start, partition.end)
        else:
            found.append(partition)
    return found


def keys_in_words(keys: Sequence[str], total: int) -> str:
    """Return in a few words which of how many partitions are meant.

    >>> keys_in_words(["a", "b", "c", "d"], 9), keys_in_words(["a"], 1)
    ('4 of 9 partitions: a … d', '1 of 1 partition: a')
    """
    said = f"{len(keys):,} of {total:,} partition{'' if total == 1 else 's'}"
    if not keys:
        return said
    return f"{said}: {', '.join(keys) if len(keys) <= _MOST_NAMED else f'{keys[0]} … {keys[-1]}'}"


# ------------------------------------------------------------------------------------------------------------ in texts


def holds_window(text: str, partitioning: Partitioning) -> bool:
    """Tell whether a text that was rendered with placeholders holds some."""
    return any(placeholder in text for placeholder in PLACEHOLDERS.facts(partitioning).values())


def as_written(text: str) -> str:
    """Return a text that was rendered with placeholders as its author wrote it: with ``{{ partition.start }}`` there.

    >>> as_written("day >= '1004-04-04 00:00:00'")
    "day >= '{{ partition.start }}'"
    """
    key = PLACEHOLDERS.key
    keys = (f"leapsql-partition-{key}", f"{key}-07:00", key)
    for placeholder in (PLACEHOLDERS.start, PLACEHOLDERS.end, *keys):
        name = {PLACEHOLDERS.start: "start", PLACEHOLDERS.end: "end"}.get(placeholder, "key")
        text = text.replace(placeholder, f"{{{{ partition.{name} }}}}")
    return text


def fill(text: str, partitioning: Partitioning, values: Any) -> str:
    """Return a text with its placeholders replaced by what `values`, a partition or other placeholders, have there."""
    said = values.facts(partitioning) if isinstance(values, Placeholders) else facts_of_partition(values)
    for name, placeholder in PLACEHOLDERS.facts(partitioning).items():
        text = text.replace(placeholder, said[name])
    return text


def facts_of_partition(partition: Partition) -> dict[str, str]:
    """Return what stands in the query for a partition in the place of each placeholder.

    The key of static partitions is put into a string: its quotes are doubled.
    """
    if partition.start is None or partition.end is None:
        return {"key": partition.key.replace("'", "''")}
    return {"start": str(partition.start), "end": str(partition.end), "key": partition.key}
