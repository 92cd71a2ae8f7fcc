"""Take the pictures of the documentation: the example project in a real Dagster UI, in a headless browser.

Each step checks what it shows, so a picture can only be taken of what works. Needs Chromium and the extra `pictures`::

    make pictures
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import FloatRect, Page, ViewportSize, sync_playwright

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
]
SENSOR = {
    "repositoryLocationName": "flights",
    "repositoryName": "__repository__",
    "sensorName": "changed_models_sensor",
}
SIZE: ViewportSize = {"width": 1600, "height": 960}
TALL: ViewportSize = {"width": 1680, "height": 3000}
CANVAS: FloatRect = {"x": 545, "y": 110, "width": 1130, "height": 2740}
MODEL = "models/marts/carrier_punctuality.sql"


class Deployment:
    """`dagster dev` over a copy of the example project, with an instance home of its own."""

    def __init__(self, folder: Path) -> None:
        """Copy the project into `folder`; nothing runs yet."""
        self.project = folder / "example_project"
        self.home = folder / "home"
        self.home.mkdir()
        shutil.copytree(
            ROOT / "example_project", self.project, ignore=shutil.ignore_patterns(".leapsql", "__pycache__")
        )
        shutil.copy(ROOT / "workspace.yaml", folder)
        shutil.copy(self.project / "dagster.yaml", self.home)
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    @property
    def url(self) -> str:
        """Where the UI is served."""
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def served(self) -> Iterator[None]:
        """Serve UI and daemon for the length of the block."""
        log = (self.folder / "dagster.log").open("w")
        command = [sys.executable, "-m", "dagster", "dev", "-w", "workspace.yaml", "-p", str(self.port)]
        environment = {**os.environ, "DAGSTER_HOME": str(self.home)}
        process = subprocess.Popen(
            command, cwd=self.folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            wait_until(self._answers, "the UI answers", seconds=120)
            yield
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=30)
            log.close()

    def _answers(self) -> bool:
        try:
            return bool(self.ask("{ version }"))
        except (urllib.error.URLError, ConnectionError):
            return False

    def ask(self, query: str, **variables: Any) -> Any:
        """Ask Dagster's GraphQL."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            found = json.load(answer)
        if found.get("errors"):
            raise RuntimeError(found["errors"])
        return found["data"]

    def runs(self) -> list[dict[str, Any]]:
        """Return all runs, the latest first."""
        query = "{ runsOrError { ... on Runs { results { runId status jobName assetSelection { path } } } } }"
        return list(self.ask(query)["runsOrError"]["results"])

    def ticks(self) -> list[dict[str, Any]]:
        """Return the sensor's ticks, the latest first."""
        query = """query ($s: SensorSelector!) { sensorOrError(sensorSelector: $s) { ... on Sensor {
            sensorState { ticks(limit: 5) { status skipReason runIds } } } } }"""
        return list(self.ask(query, s=SENSOR)["sensorOrError"]["sensorState"]["ticks"])

    def wait_for_run(self, number: int) -> dict[str, Any]:
        """Wait until `number` runs are done, and return the latest; it must have succeeded."""

        def done() -> bool:
            runs = self.runs()
            return len(runs) >= number and runs[0]["status"] in ("SUCCESS", "FAILURE", "CANCELED")

        wait_until(done, f"run {number} is done", seconds=150)
        latest = self.runs()[0]
        assert latest["status"] == "SUCCESS", latest
        return latest

    def wait_for_skip(self, said: str) -> None:
        """Wait until the sensor's latest tick skips with a reason that holds `said`."""

        def skipped() -> bool:
            ticks = self.ticks()
            return bool(ticks) and said in (ticks[0]["skipReason"] or "")

        wait_until(skipped, f"a tick skips, saying {said!r}", seconds=120)


def wait_until(holds: Callable[[], bool], what: str, *, seconds: float) -> None:
    """Ask again and again until something holds."""
    ends = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > ends:
            raise TimeoutError(f"waited {seconds:.0f} s until {what}")
        time.sleep(0.5)


def main() -> None:
    """Walk through the example project as a person would, taking pictures."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        deployment = Deployment(Path(folder))
        with deployment.served():
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            context = browser.new_context(viewport=SIZE)
            context.add_init_script("localStorage.setItem('communityNux', '\"1\"')")
            page = context.new_page()
            try:
                show_graph(page, deployment)
                show_asset(page, deployment)
                show_launchpad(page, deployment)
                show_sensor(page, deployment)
            except Exception:
                page.screenshot(path=Path(tempfile.gettempdir()) / "failed.png")
                raise
            browser.close()


def show_graph(page: Page, deployment: Deployment) -> None:
    """The graph with its groups, everything materialized by one click."""
    page.goto(f"{deployment.url}/asset-groups")
    page.get_by_role("button", name="Materialize all").click(timeout=90_000)
    deployment.wait_for_run(1)
    page.goto(f"{deployment.url}/asset-groups")
    page.get_by_text("punctuality").first.wait_for()
    page.keyboard.press("Alt+e")
    page.set_viewport_size(TALL)
    page.reload()
    page.get_by_text("stg_flights").last.wait_for()
    # The page fits a graph to its width, and does not draw what is out of sight: here all of it is seen.
    seeds = (deployment.project / "seeds").glob("*.csv")
    for file in [*seeds, *(deployment.project / "models").rglob("*.sql")]:
        page.locator("foreignObject").get_by_text(file.stem[:5]).last.wait_for()
    page.wait_for_function("!document.body.innerText.includes('Loading…')")
    page.wait_for_timeout(2000)
    page.screenshot(path=HERE / "graph.png", clip=CANVAS)
    page.set_viewport_size(SIZE)
    page.goto(f"{deployment.url}/locations/flights/asset-groups/punctuality")
    page.get_by_text("carrier_punctuality").last.wait_for()
    page.wait_for_timeout(4000)
    take(page, "group")


def show_asset(page: Page, deployment: Deployment) -> None:
    """A model's page: rows, columns, reason, SQL, links."""
    page.goto(f"{deployment.url}/assets/marts/carrier_punctuality")
    page.get_by_text("query_changed").or_(page.get_by_text("new", exact=True)).first.wait_for()
    page.wait_for_timeout(3000)
    take(page, "asset")
    page.goto(f"{deployment.url}/assets/marts/carrier_punctuality?view=events")
    page.get_by_text("leapsql/reason").first.wait_for()
    page.wait_for_timeout(2000)
    take(page, "materialization")


def show_launchpad(page: Page, deployment: Deployment) -> None:
    """The launchpad of the changed-models job shows its mode."""
    page.goto(f"{deployment.url}/locations/flights/jobs/changed_models/playground")
    page.get_by_text("mode").first.wait_for()
    page.wait_for_timeout(2000)
    assert "changed" in page.locator(".CodeMirror").first.inner_text()
    take(page, "launchpad")


def show_sensor(page: Page, deployment: Deployment) -> None:
    """The sensor builds what was edited, says why it skips, and fires again when the edit is taken back."""
    mutation = "mutation ($s: SensorSelector!) { startSensor(sensorSelector: $s) { __typename } }"
    assert deployment.ask(mutation, s=SENSOR)["startSensor"]["__typename"] == "Sensor"
    deployment.wait_for_skip("No model changed")
    file = deployment.project / MODEL
    before = file.read_text()
    edited = before.replace(">= {{ var('min_flights') }}", "> {{ var('min_flights') }}")
    assert edited != before, "the model was rewritten: choose another edit"
    for number, text in ((2, edited), (3, before)):
        file.write_text(text)
        run = deployment.wait_for_run(number)
        paths = {"/".join(key["path"]) for key in run["assetSelection"]}
        assert paths == {"marts/airline_report", "marts/carrier_punctuality"}, paths
        deployment.wait_for_skip("No model changed")
    (deployment.project / "models/marts/newcomer.sql").write_text("SELECT 1 AS a\n")
    deployment.wait_for_skip("marts.newcomer. Reload them to build it")
    page.goto(f"{deployment.url}/locations/flights/sensors/changed_models_sensor")
    page.get_by_text("0 runs requested").last.wait_for()
    page.wait_for_timeout(2000)
    page.locator("table a, table button").filter(has_text="0 runs requested").first.click()
    page.get_by_text("Reload them").first.wait_for()
    page.wait_for_timeout(1000)
    take(page, "sensor")


def take(page: Page, name: str) -> None:
    """Write one picture."""
    page.screenshot(path=HERE / f"{name}.png")
    print(f"{name}.png")  # noqa: T201 - a script that says what it does


if __name__ == "__main__":
    main()
