"""Partitions: their names and windows, what the frontmatter may say of them, and what a template does with them."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import dagster as dg
import pytest
from dagster._core.definitions.partitions.context import partition_loading_context
from projects import Lab, compile_project

from leapsql_core.errors import ProjectError
from leapsql_core.models import Every, Model, Partitioning
from leapsql_core.partitions import find_partition, list_partitions

KINDS: dict[Every, type[dg.TimeWindowPartitionsDefinition]] = {
    "hourly": dg.HourlyPartitionsDefinition,
    "daily": dg.DailyPartitionsDefinition,
    "weekly": dg.WeeklyPartitionsDefinition,
    "monthly": dg.MonthlyPartitionsDefinition,
}
NOW = datetime(2024, 3, 20, 14, 30, tzinfo=UTC)


def incremental(said: str, query: str = "select 1 as day") -> dict[str, str]:
    return {
        "models/m.sql": f"/*---\nmaterialized: incremental\nincremental:\n{textwrap.indent(said, '  ')}\n---*/\n{query}"
    }


def problems(said: str, query: str = "select 1 as day") -> list[str]:
    with pytest.raises(ProjectError) as caught:
        compile_project(incremental(said, query))
    return [f"{found.line}: {found.cause}" for found in caught.value.problems]


# ------------------------------------------------------------------------------------------------------------- windows


@pytest.mark.parametrize("every", KINDS)
@pytest.mark.parametrize(
    ("start", "end", "end_offset"),
    [
        ("2023-11-15", None, 0),
        ("2024-03-20", None, 0),
        ("2024-04-01", None, 0),
        ("2023-11-15", "2024-03-10", 0),
        ("2024-03-01", "2024-03-10", 0),
        ("2023-11-15", None, 2),
    ],
)
def test_names_and_windows_are_dagsters(every: Every, start: str, end: str | None, end_offset: int) -> None:
    """The same keys at the same moment, in the same order, with the same edges."""
    theirs = KINDS[every](
        start_date=datetime.fromisoformat(start),
        end_date=None if end is None else datetime.fromisoformat(end),
        end_offset=end_offset,
    )
    ours = list_partitions(Partitioning(every, start, end, end_offset), NOW)
    with partition_loading_context(effective_dt=NOW):
        assert [partition.key for partition in ours] == list(theirs.get_partition_keys())
    for partition in (*ours[:2], *ours[-2:]):
        window = theirs.time_window_for_partition_key(partition.key)
        assert (str(partition.start), str(partition.end)) == (f"{window.start:%F %T}", f"{window.end:%F %T}")


@pytest.mark.parametrize("every", KINDS)
def test_windows_follow_each_other_and_end_by_now(every: Every) -> None:
    """No gap and no overlap; a window that ends this moment has ended."""
    partitioning = Partitioning(every, "2023-09-15")
    listed = list_partitions(partitioning, NOW)
    assert len(listed) > 3
    assert all(one.end == other.start for one, other in pairwise(listed))
    last = listed[-1].end
    assert last is not None
    assert list_partitions(partitioning, last)[-1] == listed[-1]
    assert list_partitions(partitioning, last - timedelta(seconds=1))[-1] == listed[-2]
    assert all(find_partition(partitioning, one.key) == one for one in listed)


def test_a_moment_elsewhere_is_the_same_moment() -> None:
    """Which partitions there are is asked in UTC."""
    partitioning, late = Partitioning("daily", "2024-03-01"), datetime.fromisoformat("2024-03-02T23:30:00-02:00")
    assert [one.key for one in list_partitions(partitioning, late)] == ["2024-03-01", "2024-03-02"]


@pytest.mark.parametrize(
    "key", ["2024-02-29", "2024-03-10", "2024-3-5", "2024-03-05-00:00", "nothing", "", "2024-03-05 "]
)
def test_what_is_no_name_of_a_partition_finds_none(key: str) -> None:
    """Before the start, after the end, or written otherwise."""
    assert find_partition(Partitioning("daily", "2024-03-01", "2024-03-10"), key) is None


# --------------------------------------------------------------------------------------------------------- frontmatter


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("partitions: {every: daily, start: 2024-01-01}", "4: partitions by time need the column's name"),
        ("time_column: day\npartitions: {every: daily}", "5: partitions by time need a start"),
        (
            "time_column: day\npartitions: {every: daily, start: 2024-01-01-10:00}",
            "5: `2024-01-01-10:00` is no start of partitions",
        ),
        (
            "time_column: day\npartitions:\n  every: daily\n  start: 2024-01-02\n  end: 2024-01-02",
            "8: the partitions end before they begin",
        ),
        (
            "time_column: day\npartitions: {start: 2024-01-01}",
            "5: partitions are windows of time or keys, one of the two",
        ),
        (
            "time_column: day\nstrategy: append\npartitions: {every: daily, start: 2024-01-01}",
            "5: a partition replaces its window: it has no strategy",
        ),
        ("partitions: {keys: [a]}", "4: partitions by keys need the column that holds them"),
        ("partitions: {keys: [a, a], column: day}", "4: `a` stands there twice"),
        ('partitions: {keys: [a, "b\\a"], column: day}', "4: U+0007 stands in a name, the one of a partition"),
        ("partitions: {keys: [a, ' '], column: day}", "4: a name is blank, the one of a partition"),
        ("partitions: {keys: [a..b], column: day}", "4: `..` stands in a name, the one of a partition"),
        (
            "time_column: day\npartitions: {every: hourly, start: 0001-01-01}",
            "5: `0001-01-01` is no start of partitions",
        ),
        (
            "time_column: day\npartitions: {every: daily, start: 9999-12-31}",
            "5: `9999-12-31` is no start of partitions",
        ),
        ("partitions: {keys: [a], column: day, start: 2024-01-01}", "4: `start` is for partitions by time"),
        ("partitions: {keys: [a], column: nothing}", "4: incremental.partitions: m has no column `nothing`"),
        ("time_column: day\npartitions: {evry: daily}", "5: unknown key `incremental.partitions.evry`"),
        (
            "time_column: day\npartitions: {every: yearly, start: 2024-01-01}",
            '5: `incremental.partitions.every`: "yearly" is not one of hourly, daily, weekly or monthly',
        ),
    ],
)
def test_what_partitions_may_not_say_is_told_at_its_line(said: str, found: str) -> None:
    """Everything that is missing or too much."""
    assert found in problems(said)


def test_a_strategy_beside_partitions_is_one_problem() -> None:
    """What it would need is not asked for: it has to go."""
    said = "time_column: day\nstrategy: merge\npartitions: {every: daily, start: 2024-01-01}"
    assert problems(said) == ["5: a partition replaces its window: it has no strategy"]


def test_partitions_are_of_incremental_models() -> None:
    """A table is replaced whole."""
    files = incremental("time_column: day\npartitions: {every: daily, start: 2024-01-01}")
    text = files["models/m.sql"].replace("incremental\n", "table\n", 1)
    with pytest.raises(ProjectError, match="partitions are of incremental models"):
        compile_project({"models/m.sql": text})


def beside(partitions: str, incremental: str = "time_column: day") -> dict[str, str]:
    """Return a model whose partitions stand under ``meta.dagster``."""
    text = f"materialized: incremental\nincremental: {{{incremental}}}\nmeta:\n  dagster:\n    partitions: {partitions}"
    return {"models/m.sql": f"/*---\n{text}\n---*/\nselect 1 as day"}


@pytest.mark.parametrize(
    ("partitions", "others"),
    [("{every: daily, start: 2024-01-01, end_offset: 2}", "time_column: day"), ("{keys: [a, b], column: day}", "")],
)
def test_partitions_may_stand_beside_what_dagster_is_told(partitions: str, others: str) -> None:
    """Under `meta.dagster` they mean the same; in both places they may say the same."""
    own = ", ".join(filter(None, [others, f"partitions: {partitions}"]))
    (here,) = compile_project(incremental(f"{others}\npartitions: {partitions}".strip())).nodes.values()
    for files in (beside(partitions, others), beside(partitions, own)):
        (there,) = compile_project(files).nodes.values()
        assert isinstance(here, Model)
        assert isinstance(there, Model)
        assert here.config.incremental == there.config.incremental
        assert there.config.incremental.partitions is not None


@pytest.mark.parametrize(
    ("partitions", "others", "found"),
    [
        ("{every: daily}", "time_column: day", "6: partitions by time need a start"),
        ("{evry: daily}", "time_column: day", "6: unknown key `evry`"),
        ("daily", "time_column: day", '6: expected keys and values, found "daily"'),
        ("{keys: [a], column: nothing}", "", "6: incremental.partitions: m has no column `nothing`"),
        (
            "{every: daily, start: 2024-01-01}",
            "time_column: day, partitions: {every: daily, start: 2024-01-02}",
            "6: `meta.dagster.partitions` says something else than `incremental.partitions`",
        ),
    ],
)
def test_what_is_wrong_beside_what_dagster_is_told_is_told_at_its_line(
    partitions: str, others: str, found: str
) -> None:
    """By the command line, too: what has to be built hangs on it."""
    with pytest.raises(ProjectError) as caught:
        compile_project(beside(partitions, others))
    assert [f"{one.line}: {one.cause}" for one in caught.value.problems] == [found]


def test_partitions_that_move_beside_what_dagster_is_told_change_nothing(make_lab: Callable[..., Lab]) -> None:
    """Only where they stand is another; with another end a partition is missing."""
    text = "{every: daily, start: 2024-01-01, end: 2024-01-03}"
    query = "select date '2024-01-01' + i as day from (select unnest([0, 1, 2])::int as i)"
    files = {name: said.replace("select 1 as day", query) for name, said in beside(text).items()}
    lab = make_lab(incremental(f"time_column: day\npartitions: {text}", query))
    assert [one.key for one in lab.run()["m"].partitions] == ["2024-01-01", "2024-01-02"]
    lab.edit(files)
    assert lab.plan().decisions["m"].reason == "metadata_only"
    lab.replace("models/m.sql", "end: 2024-01-03", "end: 2024-01-04")
    assert [one.key for one in lab.run()["m"].partitions] == ["2024-01-03"]


# ----------------------------------------------------------------------------------------------------------- templates

DAILY = "time_column: day\npartitions: {every: daily, start: 2024-01-01}"


def test_a_template_prints_its_window() -> None:
    """Placeholders stand for it wherever the text is not run; a macro sees it as well."""
    files = incremental(
        DAILY, "select '{{ partition.start }}'::date as day, '{{ partition.key }}' as k, {{ m.to() }} as e"
    )
    project = compile_project({**files, "macros/m.sql": "{% macro to() %}'{{ partition.end }}'{% endmacro %}"})
    model = project.nodes["m"]
    assert isinstance(model, Model)
    assert (
        model.query.rendered
        == "select '1004-04-04 00:00:00'::date as day, '1004-07-07' as k, '1004-05-05 00:00:00' as e"
    )
    assert model.run_values == ()
    assert model.incremental_query is None


@pytest.mark.parametrize(
    "template",
    [
        "select '{{ partition.key | replace('-', '') }}' as day",
        "select '{{ partition.start[:10] }}' as day",
        "select {% if partition.start > '1010' %}1{% else %}2{% endif %} as day",
        "{% set month = partition.start[5:7] %}select {{ month }} as day",
    ],
)
def test_a_template_that_computes_with_its_window_is_refused(template: str) -> None:
    """What it makes of the placeholders would not be what it makes of a window."""
    assert problems(DAILY, template) == ["7: the template does more with `partition` than to print it"]


@pytest.mark.parametrize("said", ["", "partitions: {keys: [a], column: day}"])
def test_a_name_that_partitions_lack_is_undefined(said: str) -> None:
    """A model without partitions has none, and keys have no start."""
    files = incremental(said or "on_schema_change: fail", "select '{{ partition.start }}' as day")
    with pytest.raises(ProjectError, match=r"'partition' is undefined|`partition` has no `start`"):
        compile_project(files)


def test_files_of_a_partition_are_files_of_any() -> None:
    """Which of them a partition reads is not known before it is built."""
    model = compile_project(incremental(DAILY, "select day from 'in/{{ partition.key }}.parquet'")).nodes["m"]
    assert isinstance(model, Model)
    assert model.files == ("in/*.parquet",)
