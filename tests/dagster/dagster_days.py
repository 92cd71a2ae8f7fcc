"""A small project of models with partitions, days, in Dagster."""

from typing import Any

import dagster as dg
from dagster_shop import Shop

from leapsql_dagster import LeapSQLResource

DAYS = ["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"]
DAYS_FILES = {
    "leapsql.yaml": "name: shop\ntarget: {type: duckdb}\n",
    "seeds/visits.csv": "id,day\n" + "\n".join(f"{n},2024-01-0{1 + n % 4}" for n in range(12)) + "\n",
    "models/days.sql": """/*---
materialized: incremental
incremental:
  time_column: day
  partitions: {every: daily, start: 2024-01-01, end: 2024-01-05}
---*/
select id, day from visits where day >= '{{ partition.start }}' and day < '{{ partition.end }}'
""",
    "models/odd.sql": """/*---
materialized: incremental
incremental:
  time_column: day
  partitions: {every: daily, start: 2024-01-01, end: 2024-01-05}
---*/
select id, day from days where day >= '{{ partition.start }}' and day < '{{ partition.end }}' and id % 2 = 1
""",
    "models/count.sql": "select count(*) as n from odd\n",
}
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


def key(name: str) -> dg.AssetKey:
    return dg.AssetKey(["main", name])


def materialize(shop: Shop, *names: str, first: str = "", last: str = "", **options: Any) -> dg.ExecuteInProcessResult:
    """Materialize assets as the UI does: of a range of partitions, of one, or of none."""
    tags = {RANGE_START: first, RANGE_END: last} if last else {}
    found: Any = shop.assets(**options.pop("assets", {}))
    loaded = found if isinstance(found, list) else [found]
    return dg.materialize(
        [*loaded, *options.pop("also", [])],
        instance=shop.instance,
        resources={"leapsql": LeapSQLResource(**options.pop("resource", {}))},
        selection=[key(name) for name in names],
        partition_key=None if last or not first else first,
        tags={**tags, **options.pop("tags", {})},
        raise_on_error=False,
        **options,
    )


def built(result: dg.ExecuteInProcessResult) -> list[tuple[str, str | None]]:
    """Return what was materialized, in order."""
    events = result.get_asset_materialization_events()
    return [(event.asset_key.path[-1], event.partition) for event in events if event.asset_key]
