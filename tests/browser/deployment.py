"""`dagster dev` over a copy of the example project, as a browser meets it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import duckdb

ROOT = Path(__file__).parent.parent.parent
SENSOR = {
    "repositoryLocationName": "flights",
    "repositoryName": "__repository__",
    "sensorName": "changed_models_sensor",
}
ENDED = ("SUCCESS", "FAILURE", "CANCELED")


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
        self._look_often()
        shutil.copy(ROOT / "workspace.yaml", folder)
        shutil.copy(self.project / "dagster.yaml", self.home)
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def _look_often(self) -> None:
        """Let the sensor look for edits as often as Dagster's daemon does, so that nobody waits half a minute."""
        file = self.project / "definitions.py"
        made = "build_changed_models_sensor([flights], job=changed_models"
        assert made in file.read_text()
        file.write_text(file.read_text().replace(made, f"{made}, minimum_interval_seconds=5"))

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
            # It ends its processes by itself; where these are told so too, they may wait for each other for ever.
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                # How long Dagster takes over its end is not what is tested here.
                os.killpg(process.pid, signal.SIGKILL)
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

    def wait_for_run(self, number: int, status: str = "SUCCESS") -> dict[str, Any]:
        """Wait until `number` runs are done, and return the latest; it must have ended with `status`."""

        def done() -> bool:
            runs = self.runs()
            return len(runs) >= number and runs[0]["status"] in ENDED

        wait_until(done, f"run {number} is done", seconds=240)
        latest = self.runs()[0]
        assert latest["status"] == status, latest
        return latest

    def partitions(self, *key: str) -> list[str]:
        """Return the partitions of an asset that Dagster has materializations of, sorted."""
        query = """query ($k: AssetKeyInput!) { assetOrError(assetKey: $k) { ... on Asset {
            assetMaterializations(limit: 100) { partition } } } }"""
        found = self.ask(query, k={"path": list(key)})["assetOrError"]["assetMaterializations"]
        return sorted({one["partition"] for one in found})

    def paths(self, run: dict[str, Any]) -> set[str]:
        """Return the assets that a run was asked for."""
        return {"/".join(key["path"]) for key in run["assetSelection"]}

    def state(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the state of the project."""
        with closing(sqlite3.connect(self.project / ".leapsql" / "state.db")) as connection:
            return connection.execute(query).fetchall()

    def warehouse(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the warehouse of the project."""
        database = self.project / ".leapsql" / "warehouse.duckdb"
        with closing(duckdb.connect(str(database), read_only=True)) as connection:
            return connection.execute(query).fetchall()

    def reload(self) -> None:
        """Load the definitions anew, as the button of that name does."""
        query = """mutation { reloadRepositoryLocation(repositoryLocationName: "flights") {
            ... on WorkspaceLocationEntry { locationOrLoadError { __typename ... on PythonError { message } } } } }"""
        loaded = self.ask(query)["reloadRepositoryLocation"]["locationOrLoadError"]
        assert loaded["__typename"] == "RepositoryLocation", loaded

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
        time.sleep(1)
