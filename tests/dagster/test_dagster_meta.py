"""What `meta: {dagster: ...}` beside a model or a source says of its asset."""

from datetime import timedelta
from typing import Any

import dagster as dg
import pytest
from dagster_shop import Shop

from leapsql_core import ProjectError, UsageError
from leapsql_dagster import LeapSQLProject
from leapsql_dagster.asking import ask
from leapsql_dagster.automation import known_conditions, read_condition
from leapsql_dagster.loading import loaded_assets_of

CONDITION = dg.AutomationCondition


def totals(shop: Shop, said: str) -> dg.AssetSpec:
    """Write `meta.dagster` of the model `totals`, and return its spec."""
    shop.write({"models/marts/totals.sql": f"/*---\nowner: sales\nmeta: {{dagster: {said}}}\n---*/\nselect 1 as total"})
    specs = {spec.metadata["leapsql/path"]: spec for spec in shop.assets().specs}
    return specs["marts.totals"]


def test_frontmatter_sets_what_a_translator_can(shop: Shop) -> None:
    """Key, group, owners, condition and freshness policy."""
    spec = totals(
        shop,
        "{asset_key: bi/totals, group: bi, owners: [team:bi, a@b.org], automation_condition: eager,"
        " freshness_policy: {fail: 1d 12h, warn: 90m}}",
    )
    assert (spec.key, spec.group_name) == (dg.AssetKey(["bi", "totals"]), "bi")
    assert list(spec.owners) == ["team:bi", "a@b.org"]
    assert spec.automation_condition == CONDITION.eager()
    assert spec.freshness_policy == dg.FreshnessPolicy.time_window(
        fail_window=timedelta(hours=36), warn_window=timedelta(minutes=90)
    )
    assert list(totals(shop, "{asset_key: [bi, totals]}").owners) == ["team:sales"]


def test_a_deadline_is_a_freshness_policy(shop: Shop) -> None:
    """A cron deadline has a lower bound, and a time zone, UTC if none is said."""
    spec = totals(shop, "{freshness_policy: {deadline: 0 9 * * *, lower_bound: 2h, timezone: Europe/Berlin}}")
    assert spec.freshness_policy == dg.FreshnessPolicy.cron("0 9 * * *", timedelta(hours=2), "Europe/Berlin")
    spec = totals(shop, "{freshness_policy: {deadline: 0 9 * * *, lower_bound: 2h}}")
    assert spec.freshness_policy == dg.FreshnessPolicy.cron("0 9 * * *", timedelta(hours=2))


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("eager", CONDITION.eager()),
        (" on_missing() ", CONDITION.on_missing()),
        ('on_cron("0 6,18 * * *")', CONDITION.on_cron("0 6,18 * * *")),
        ("on_cron('@daily', cron_timezone='Asia/Tokyo')", CONDITION.on_cron("@daily", "Asia/Tokyo")),
        ("eager & ~any_deps_missing", CONDITION.eager() & ~CONDITION.any_deps_missing()),
        ("missing | newly_updated", CONDITION.missing() | CONDITION.newly_updated()),
    ],
)
def test_a_condition_is_read_as_python_would_make_it(text: str, meant: Any) -> None:
    """Names, calls and the operators of Dagster's own conditions."""
    assert read_condition(text) == meant


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("eagre", "unknown condition `eagre`\n    Did you mean eager?"),
        ("eager.since(missing)", "is no automation condition"),
        ("on_cron(0 6 * * *)", r"Write names such as `eager` or `on_cron\("),
        ("on_cron(eager)", "is no automation condition"),
        ("on_cron", "`on_cron` of `on_cron`: missing a required argument"),
        ('on_cron("at six")', r"`on_cron` of `on_cron\(\"at six\"\)`: (.|\n)*at six"),
        ("eager + missing", "is no automation condition"),
        ("", "is no automation condition"),
    ],
)
def test_a_condition_that_means_nothing_is_refused(text: str, complaint: str) -> None:
    """The error says what it cannot take, and how conditions are written."""
    with pytest.raises(UsageError, match=complaint):
        read_condition(text)


def test_every_known_condition_is_dagster_s(shop: Shop) -> None:
    """Each name that may stand in a condition makes one."""
    arguments = {"on_cron": ["@daily"], "cron_tick_passed": ["@daily"]}
    made = [make(*arguments.get(name, [])) for name, make in known_conditions().items()]
    assert all(isinstance(condition, dg.AutomationCondition) for condition in made)


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ("{groop: bi}", "unknown key `meta.dagster.groop`\n    Did you mean group?"),
        ("{partitions: {every: daily, start: 2024-01-01}}", "partitions are of incremental models"),
        ("{asset_key: []}", "`asset_key`: expected the parts of a key"),
        ("{asset_key: a//b}", "`asset_key`: expected the parts of a key"),
        ("{group: my group}", "`group`: 'my group' cannot be a group"),
        ("{owners: [3]}", "`owners`: expected owners"),
        ("{automation_condition: egar}", "`automation_condition`: unknown condition `egar`\n    Did you mean eager?"),
        ("{automation_condition: [eager]}", "`automation_condition`: expected a condition"),
        ("{freshness_policy: 24h}", "`freshness_policy`: expected a window or a deadline"),
        ("{freshness_policy: {fial: 24h}}", "unknown key `meta.dagster.freshness_policy.fial`\n    Did you mean fail?"),
        ("{freshness_policy: {fail: 24}}", "`freshness_policy`: 24 is no length of time"),
        ("{freshness_policy: {fail: 99999999999d}}", "`freshness_policy`: '99999999999d' is too long"),
        ("{freshness_policy: {fail: 1h, warn: 2h}}", "`freshness_policy`: (.|\n)*warn_window"),
        ("{freshness_policy: {warn: 2h}}", "`freshness_policy`: expected a window or a deadline, whole"),
        (
            "{freshness_policy: {fail: 1h, deadline: 0 9 * * *}}",
            "`freshness_policy`: expected a window or a deadline, whole and not both",
        ),
        ("{freshness_policy: {deadline: nine, lower_bound: 2h}}", "`freshness_policy`: .*Invalid cron string"),
        ("[group]", "`meta.dagster` expects keys and values"),
    ],
)
def test_what_meta_may_not_say_is_an_error_with_file_and_line(shop: Shop, said: str, complaint: str) -> None:
    """It names the nearest known key, and the line of the frontmatter."""
    with pytest.raises(ProjectError, match=rf"models/marts/totals\.sql:3: {complaint}"):
        totals(shop, said)


def test_all_that_is_wrong_is_said_at_once(shop: Shop) -> None:
    """Every problem of every file, each at its own line, those of sources in `leapsql.yaml`."""
    shop.write(
        {
            "models/marts/report.sql": (
                "/*---\nmeta:\n  dagster:\n    grup: a\n    owners: 7\n---*/\nselect 1 as a from raw.events"
            )
        }
    )
    sources = "sources:\n  raw.events:\n    meta:\n      dagster:\n        automation_condition: eager\n"
    shop.edit("leapsql.yaml", "vars:", f"{sources}vars:")
    with pytest.raises(ProjectError) as caught:
        shop.assets()
    assert [(problem.file, problem.line) for problem in caught.value.problems] == [
        ("leapsql.yaml", 7),
        ("models/marts/report.sql", 4),
        ("models/marts/report.sql", 5),
    ]


def test_meta_that_went_wrong_since_stops_the_tick_with_its_line(shop: Shop) -> None:
    """A sensor or schedule that reads the files again says what `dagster dev` would."""
    loaded = loaded_assets_of(shop.assets())
    shop.write({"models/marts/totals.sql": "/*---\nmeta: {dagster: {grup: x}}\n---*/\nselect 1 as total"})
    with pytest.raises(ProjectError, match=r"totals\.sql:2: unknown key"):
        ask(loaded, None)


def test_partitions_stand_there_too(shop: Shop) -> None:
    """They are those of the asset, and of the build; a source has none."""
    shop.write(
        {
            "models/days.sql": """/*---
materialized: incremental
incremental: {time_column: day}
meta: {dagster: {group: bi, partitions: {every: daily, start: 2024-01-01, end: 2024-01-03}}}
---*/
select '{{ partition.start }}'::date as day
"""
        }
    )
    spec = shop.assets().get_asset_spec(dg.AssetKey(["main", "days"]))
    assert spec.partitions_def is not None
    assert (spec.group_name, spec.partitions_def.get_partition_keys()) == ("bi", ["2024-01-01", "2024-01-02"])
    assert shop.run().success
    assert shop.query("select count(*) from days") == [(2,)]
    shop.write({"models/marts/totals.sql": "select total from raw.totals"})
    sources = "sources: {raw.totals: {meta: {dagster: {partitions: {every: daily}}}}}\n"
    shop.edit("leapsql.yaml", "vars:", f"{sources}vars:")
    with pytest.raises(ProjectError, match=r"leapsql\.yaml:3: unknown key `meta\.dagster\.partitions`"):
        shop.assets()


def test_the_command_line_leaves_what_dagster_is_told_alone(shop: Shop) -> None:
    """The core keeps `meta` as it is written: a project that only Dagster refuses still compiles."""
    shop.write({"models/marts/totals.sql": "/*---\nmeta: {dagster: {grup: x}}\n---*/\nselect 1 as total"})
    assert "marts.totals" in LeapSQLProject(shop.root).open().project.nodes
