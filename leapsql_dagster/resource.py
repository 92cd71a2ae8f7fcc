"""`LeapSQLResource`: what an op runs models with, and a `DuckDBResource` over the same database for Python assets."""

import atexit
import os
import weakref
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

import dagster as dg
from dagster._check import CheckError
from dagster_duckdb import DuckDBResource
from pydantic import Field

from leapsql_core import LeapSQLError, UsageError, find_database
from leapsql_dagster.emitting import Emission, RunResult
from leapsql_dagster.loading import LeapSQLProject, loaded_assets_of, sole_project
from leapsql_dagster.running import Means, ReportUnchanged, stream_run
from leapsql_dagster.settings import ENVIRONMENT_TAG, settings_of_run

_AGENT = {"custom_user_agent": "dagster"}
_WAIT_SECONDS = 120.0


def _close(results: "weakref.ref[Generator[RunResult, None, None]]") -> None:
    """End a run that nobody has ended, if nobody has forgotten it either: that has ended it."""
    left = results()
    if left is not None:
        left.close()


class LeapSQLResource(DuckDBResource, extra="forbid"):
    """Builds models, and connects Python assets to the database that they are built in.

    Where a project lies and which environment it is built in belong to its assets (`LeapSQLProject`); the fields here
    say how one run goes. Each can be set in the launchpad. The run tags ``leapsql/mode``, ``leapsql/full_refresh``,
    ``leapsql/environment`` and ``leapsql/vars`` (JSON) win over them.

    Example::

        defs = dg.Definitions(assets=[sql_models], resources={"leapsql": LeapSQLResource()})
    """

    project_dir: str | None = Field(
        default=None,
        description="Folder of the project whose database get_connection() opens, where several are loaded.",
    )
    mode: Literal["all", "changed"] = Field(
        default="all",
        description="all: build everything that is selected. changed: build what has to be built, and skip the rest.",
    )
    full_refresh: bool = Field(default=False, description="Make selected incremental models anew.")
    environment: str | None = Field(
        default=None, description="Environment to build in; that of the assets, if it is not set."
    )
    vars: dict[str, Any] = Field(default_factory=dict, description="Variables that win over those of leapsql.yaml.")
    max_parallel: int = Field(default=4, description="How many models to build at the same time.")
    wait_seconds: float | None = Field(
        default=None,
        description="How long to wait for another run, or a database that another process holds, in seconds;"
        " as leapsql.yaml says, if it is not set, else 120.",
    )
    report_unchanged: ReportUnchanged = Field(
        default="freshness",
        description="Which models are materialized as they stand when a run in changed mode finds that they need no"
        " build. freshness: those with a freshness policy. stale: also those that Dagster takes for missing or stale."
        " never: none.",
    )
    emission: Emission = Field(
        default="auto",
        description="How Dagster is told of what was built. outputs: by an output of the op for each asset. events: by"
        " events, and by outputs only where other steps wait. auto: by events above 200 assets and checks.",
    )
    database: str | None = Field(  # type: ignore[assignment]
        default=None, description="Path of the DuckDB database, instead of the target's in leapsql.yaml."
    )

    def run(self, context: dg.AssetExecutionContext) -> Iterator[RunResult]:
        """Build the selected models; yields what the op must yield, and fails at the end if a model failed.

        Raises:
            Failure: models failed, or nothing could be run; its metadata name what and why.
        """
        loaded = loaded_assets_of(context.assets_def)
        environment = loaded.session.project.environment
        try:
            if self.max_parallel < 1:
                raise UsageError(f"max_parallel is {self.max_parallel}", mend="Write 1 or more.")
            settings = settings_of_run(
                mode=self.mode,
                full_refresh=self.full_refresh,
                environment=self.environment,
                variables=self.vars,
                tags=context.run.tags,
            )
            project = settings.project_for(loaded.project, environment=environment, database=self.database)
            session = loaded.session if project is loaded.project else project.open()
        except LeapSQLError as exc:
            raise dg.Failure(description=str(exc), allow_retries=False) from exc
        means = Means(
            parallel=self.max_parallel,
            wait_seconds=self._seconds_to_wait(session.project.target.wait_seconds),
            connection_config={**_AGENT, **self.connection_config},
            emission=self.emission,
            report_unchanged=self.report_unchanged,
        )
        results = stream_run(context, loaded, session, settings, project=project, means=means)
        # A termination that comes while Dagster stores an event tells the op nothing: Dagster leaves it where it is.
        at_exit = partial(_close, weakref.ref(results))
        atexit.register(at_exit)
        try:
            yield from results
        finally:
            atexit.unregister(at_exit)

    def _seconds_to_wait(self, configured: float | None) -> float:
        wait = configured if self.wait_seconds is None else self.wait_seconds
        return _WAIT_SECONDS if wait is None else wait

    @contextmanager
    def get_connection(self) -> Iterator[Any]:
        """Connect to the database that models are built in, for the length of the block.

        Raises:
            UsageError: several projects are loaded, and neither `project_dir` nor `database` says which is meant.
        """
        database = self._database_path()
        if database != ":memory:":
            Path(database).parent.mkdir(parents=True, exist_ok=True)
        inner = DuckDBResource(database=database, connection_config=self.connection_config)
        with inner.get_connection() as connection:
            try:
                yield connection
            finally:
                connection.close()

    def _database_path(self) -> str:
        if self.database is not None:
            return self.database
        project = LeapSQLProject(self.project_dir) if self.project_dir is not None else sole_project()
        if project.database is not None:
            return project.database
        environment = self._environment_of_run() or self.environment or project.environment
        return find_database(Path(project.project_dir), environ=dict(os.environ), environment=environment)

    def _environment_of_run(self) -> str | None:
        """Return the environment that the tags of this run ask for, ``None`` outside of a run."""
        try:
            run = self.get_resource_context().run
        except CheckError:
            return None
        return None if run is None else run.tags.get(ENVIRONMENT_TAG)
