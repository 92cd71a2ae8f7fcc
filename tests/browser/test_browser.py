"""What a person does in Dagster's pages, done in a browser: one day of the example project, from morning to evening.

The tests go on where the ones before left off; each says what it needs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from deployment import SENSOR, Deployment, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import FloatRect, Page

pytestmark = pytest.mark.browser

Take = Callable[..., None]

CANVAS: FloatRect = {"x": 545, "y": 110, "width": 1130, "height": 2740}
MODEL = "models/marts/carrier_punctuality.sql"
PUNCTUALITY = "marts/carrier_punctuality"
ENDLESS = "WHERE (SELECT count(*) FROM range(300_000_000_000) AS r(i) WHERE hash(i) % 1_000_003 = 7) > 0\n"
PARTITIONED = """\
/*---
materialized: incremental
incremental: {time_column: flight_date, partitions: {every: daily, start: 2013-06-24, end: 2013-06-27}}
---*/
SELECT flight_date, count(*) AS flights FROM staging.stg_flights GROUP BY flight_date
"""


def open_launchpad(page: Page, deployment: Deployment) -> None:
    page.goto(f"{deployment.url}/locations/flights/jobs/changed_models/playground")
    page.get_by_text("mode").first.wait_for()


def materialize(page: Page, deployment: Deployment, asset: str) -> None:
    """Click what builds one asset, on its own page."""
    page.goto(f"{deployment.url}/assets/{asset}")
    page.get_by_role("button", name="Materialize", exact=False).first.click()


def count_runs(deployment: Deployment) -> int:
    return len(deployment.runs())


def test_one_click_materializes_all(page: Page, deployment: Deployment, take: Take) -> None:
    """And every asset of the graph is green."""
    page.goto(f"{deployment.url}/asset-groups")
    page.get_by_role("button", name="Materialize all").click()
    deployment.wait_for_run(1)
    assert {status for (status,) in deployment.state("SELECT DISTINCT status FROM model_runs")} == {"success"}
    page.goto(f"{deployment.url}/asset-groups")
    page.get_by_text("punctuality").first.wait_for()
    page.keyboard.press("Alt+e")
    page.set_viewport_size({"width": 1680, "height": 3000})
    page.reload()
    page.get_by_text("stg_flights").last.wait_for()
    # The page fits a graph to its width, and does not draw what is out of sight: here all of it is seen.
    seeds = (deployment.project / "seeds").glob("*.csv")
    for file in [*seeds, *(deployment.project / "models").rglob("*.sql")]:
        page.locator("foreignObject").get_by_text(file.stem[:5]).last.wait_for()
    page.wait_for_function("!document.body.innerText.includes('Loading…')")
    assert page.get_by_text("Never materialized").count() == 0
    take("graph", clip=CANVAS)


def test_a_group_shows_its_models(page: Page, deployment: Deployment, take: Take) -> None:
    """With the kinds of each."""
    page.goto(f"{deployment.url}/locations/flights/asset-groups/punctuality")
    page.get_by_text("carrier_punctuality").last.wait_for()
    take("group")


def test_an_asset_is_built_alone_because_it_was_asked_for(page: Page, deployment: Deployment, take: Take) -> None:
    """Although nothing changed; its page tells the reason, and the SQL."""
    before = count_runs(deployment)
    materialize(page, deployment, PUNCTUALITY)
    run = deployment.wait_for_run(before + 1)
    assert deployment.paths(run) == {PUNCTUALITY}
    [(status, reason)] = deployment.state(
        "SELECT r.status, r.reason FROM model_runs r JOIN models m ON m.id = r.model_id"
        f" WHERE m.path = 'marts.carrier_punctuality' AND r.run_id = (SELECT id FROM runs"
        f" WHERE orchestrator_run_id = '{run['runId']}')"
    )
    assert (status, reason) == ("success", "requested")
    page.goto(f"{deployment.url}/assets/{PUNCTUALITY}")
    page.get_by_text("requested", exact=True).first.wait_for()
    take("asset")
    page.goto(f"{deployment.url}/assets/{PUNCTUALITY}?view=events")
    page.get_by_text("leapsql/reason").first.wait_for()
    take("materialization")


def test_the_launchpad_shows_the_mode_and_a_run_of_it_builds_nothing(
    page: Page, deployment: Deployment, take: Take
) -> None:
    """For nothing changed; every model is skipped, with its reason."""
    before = count_runs(deployment)
    open_launchpad(page, deployment)
    page.wait_for_timeout(2000)
    assert "changed" in page.locator(".CodeMirror").first.inner_text()
    take("launchpad")
    page.get_by_role("button", name="Launch Run").first.click()
    run = deployment.wait_for_run(before + 1)
    assert run["jobName"] == "changed_models"
    found = deployment.state(
        "SELECT DISTINCT status, reason FROM model_runs"
        f" WHERE run_id = (SELECT id FROM runs WHERE orchestrator_run_id = '{run['runId']}')"
    )
    assert found == [("skipped", "unchanged")]


def test_the_sensor_builds_what_was_edited_and_says_why_it_skips(
    page: Page, deployment: Deployment, take: Take
) -> None:
    """Turned on by its switch; it fires again when the edit is taken back."""
    runs = count_runs(deployment)
    page.goto(f"{deployment.url}/locations/flights/sensors/{SENSOR['sensorName']}")
    page.get_by_role("switch").or_(page.locator("input[type=checkbox] + *")).first.click()
    deployment.wait_for_skip("No model changed")
    file = deployment.project / MODEL
    before = file.read_text()
    edited = before.replace(">= {{ var('min_flights') }}", "> {{ var('min_flights') }}")
    assert edited != before, "the model was rewritten: choose another edit"
    for number, text in ((runs + 1, edited), (runs + 2, before)):
        file.write_text(text)
        run = deployment.wait_for_run(number)
        assert deployment.paths(run) == {"marts/airline_report", PUNCTUALITY}
        deployment.wait_for_skip("No model changed")
    newcomer = deployment.project / "models/marts/newcomer.sql"
    newcomer.write_text("SELECT 1 AS a\n")
    deployment.wait_for_skip("marts.newcomer. Reload them to build it")
    page.reload()
    page.get_by_text("0 runs requested").last.wait_for()
    page.wait_for_timeout(2000)
    page.locator("table a, table button").filter(has_text="0 runs requested").first.click()
    page.get_by_text("Reload them").first.wait_for()
    take("sensor")
    newcomer.unlink()
    stop = "mutation ($s: String!) { stopSensor(id: $s) { __typename } }"
    found = deployment.ask(
        "query ($s: SensorSelector!) { sensorOrError(sensorSelector: $s) { ... on Sensor { sensorState { id } } } }",
        s=SENSOR,
    )
    deployment.ask(stop, s=found["sensorOrError"]["sensorState"]["id"])


def test_a_failing_check_is_red_and_the_relation_stays(page: Page, deployment: Deployment, take: Take) -> None:
    """The asset's page shows how many rows failed, and some of them."""
    file = deployment.project / MODEL
    before = file.read_text()
    rows = deployment.warehouse("SELECT count(*) FROM marts.carrier_punctuality")
    file.write_text(before.replace("tests:\n", "tests:\n  - expression: length(carrier) > 5\n", 1))
    try:
        deployment.reload()
        number = count_runs(deployment) + 1
        materialize(page, deployment, PUNCTUALITY)
        deployment.wait_for_run(number, "FAILURE")
        page.goto(f"{deployment.url}/assets/{PUNCTUALITY}?view=checks")
        page.get_by_text("expression_length").first.click()
        page.get_by_text("leapsql/sample").first.wait_for()
        take("check")
        assert deployment.warehouse("SELECT count(*) FROM marts.carrier_punctuality") == rows
    finally:
        file.write_text(before)
        deployment.reload()


def test_a_run_that_is_terminated_leaves_everything_as_it_was(page: Page, deployment: Deployment) -> None:
    """It is cancelled in the state too, and the next run can begin at once."""
    file = deployment.project / MODEL
    before = file.read_text()
    rows = deployment.warehouse("SELECT count(*) FROM marts.carrier_punctuality")
    file.write_text(
        before.replace("FROM intermediate.daily_carriers\n", f"FROM intermediate.daily_carriers\n{ENDLESS}")
    )
    try:
        deployment.reload()
        number = count_runs(deployment) + 1
        materialize(page, deployment, PUNCTUALITY)
        wait_until(lambda: count_runs(deployment) == number, "the run is there", seconds=120)
        wait_until(
            lambda: ("running",) in deployment.state("SELECT status FROM model_runs"), "the model is built", seconds=120
        )
        page.goto(f"{deployment.url}/runs/{deployment.runs()[0]['runId']}")
        page.get_by_role("button", name="Terminate").first.click()
        page.get_by_role("dialog").get_by_role("button", name="Terminate").click()
        deployment.wait_for_run(number, "CANCELED")
        wait_until(
            lambda: deployment.state("SELECT status FROM runs ORDER BY started_at DESC LIMIT 1") == [("cancelled",)],
            "the state says so",
            seconds=60,
        )
        assert deployment.warehouse("SELECT count(*) FROM marts.carrier_punctuality") == rows
    finally:
        file.write_text(before)
        deployment.reload()
    number = count_runs(deployment) + 1
    materialize(page, deployment, PUNCTUALITY)
    deployment.wait_for_run(number)


def test_a_backfill_of_three_partitions_is_one_run(page: Page, deployment: Deployment, take: Take) -> None:
    """Chosen in the dialog; the state has a row for each, and Dagster a materialization."""
    file = deployment.project / "models/marts/daily_flights.sql"
    file.write_text(PARTITIONED)
    try:
        deployment.reload()
        number = count_runs(deployment) + 1
        materialize(page, deployment, "marts/daily_flights")
        dialog = page.get_by_role("dialog")
        dialog.get_by_text("All", exact=True).first.click()
        page.wait_for_timeout(1000)
        take("backfill")
        dialog.get_by_role("button", name="Launch").last.click()
        run = deployment.wait_for_run(number)
        assert deployment.paths(run) == {"marts/daily_flights"}
        days = [f"2013-06-{day}" for day in (24, 25, 26)]
        assert deployment.partitions("marts", "daily_flights") == days
        found = deployment.warehouse("SELECT DISTINCT flight_date::VARCHAR FROM marts.daily_flights ORDER BY 1")
        assert [day for (day,) in found] == days
    finally:
        file.unlink()
        deployment.reload()
