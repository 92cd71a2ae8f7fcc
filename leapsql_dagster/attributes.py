"""What may stand in the `defs.yaml` of a project, part by part: project, op, jobs, schedules, sensors, observations."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import dagster as dg
from dagster.components.resolved.core_models import (
    MultiRunBackfillPolicyModel,
    SingleRunBackfillPolicyModel,
    resolve_backfill_policy,
)

from leapsql_dagster.automation import read_condition
from leapsql_dagster.loading import LeapSQLProject

Words = str | Sequence[str]
Status = Literal["RUNNING", "STOPPED"]

SELECT = dg.Resolver.default(
    description="Which models and seeds, as on the command line; all of them by default.",
    examples=["tag:report+", ["marts.*", "+totals"]],
)
EXCLUDE = dg.Resolver.default(description="Which models and seeds to leave out.", examples=["tag:slow"])
_TAGS = dg.Resolver.default(description="Tags of the runs.", examples=[{"team": "sales"}])
_DESCRIPTION = dg.Resolver.default(description="What Dagster shows beside the name.")
_STATUS = dg.Resolver.default(description="Whether it is on as soon as it is loaded for the first time.")
_ENVIRONMENT = dg.Resolver.default(description="Another environment than that of the component's assets.")
_JOB = dg.Resolver.default(description="The name of the job to launch; the first of `jobs` by default.")


class ProjectAttributes(dg.Model, dg.Resolvable):
    """Where a project lies and as what it is read."""

    project_dir: Annotated[
        str,
        dg.Resolver.default(
            description="The folder of the project, from the folder of this file.", examples=["../../sql"]
        ),
    ]
    environment: Annotated[
        str | None, dg.Resolver.default(description="The environment; that of leapsql.yaml by default.")
    ] = None
    variables: Annotated[
        Mapping[str, Any] | None, dg.Resolver.default(description="Variables that win over those of leapsql.yaml.")
    ] = None
    state_path: Annotated[
        str | None,
        dg.Resolver.default(description="The state file, from the folder of this file, instead of the configured one."),
    ] = None
    database: Annotated[
        str | None, dg.Resolver.default(description="The database, instead of the target's in leapsql.yaml.")
    ] = None
    defer_to: Annotated[
        str | None,
        dg.Resolver.default(
            description="The environment of production: what it holds just so is read there, and not built.",
            examples=["prod"],
        ),
    ] = None
    state_of: Annotated[
        str | None,
        dg.Resolver.default(
            description="The state file of `defer_to`, from the folder of this file, instead of the configured one.",
            examples=["{{ env.LEAPSQL_STATE_OF_PROD }}"],
        ),
    ] = None
    repository_url: Annotated[
        str | None,
        dg.Resolver.default(
            description="The address under which its folder is shown in a browser: links to files lead there, too.",
            examples=["https://github.com/acme/shop/blob/main/sql"],
        ),
    ] = None


def project_of(context: dg.ResolutionContext, given: Any) -> LeapSQLProject:
    """Return the project that is written; its paths are relative to the file that it is written in."""
    if isinstance(given, str):
        return LeapSQLProject(context.resolve_source_relative_path(context.resolve_value(given, as_type=str)))
    said = ProjectAttributes.resolve_from_model(context, given)

    def beside(path: str | None) -> Path | None:
        return None if path is None else context.resolve_source_relative_path(path)

    return LeapSQLProject(
        context.resolve_source_relative_path(said.project_dir),
        environment=said.environment,
        variables=said.variables,
        state_path=beside(said.state_path),
        database=said.database,
        defer_to=said.defer_to,
        state_of=beside(said.state_of),
        repository_url=said.repository_url,
    )


class RetryAttributes(dg.Model, dg.Resolvable):
    """How often and when Dagster tries the op again; what was built is not built again."""

    max_retries: Annotated[int, dg.Resolver.default(description="How often to try again.")] = 1
    delay: Annotated[float | None, dg.Resolver.default(description="Seconds to wait before.")] = None
    backoff: Annotated[
        Literal["linear", "exponential"] | None, dg.Resolver.default(description="How the delay grows.")
    ] = None
    jitter: Annotated[
        Literal["full", "plus_minus"] | None, dg.Resolver.default(description="How the delay varies.")
    ] = None


def _retry_policy(context: dg.ResolutionContext, given: Any) -> dg.RetryPolicy | None:
    if given is None:
        return None
    said = RetryAttributes.resolve_from_model(context, given)
    return dg.RetryPolicy(
        max_retries=said.max_retries,
        delay=said.delay,
        backoff=None if said.backoff is None else dg.Backoff[said.backoff.upper()],
        jitter=None if said.jitter is None else dg.Jitter[said.jitter.upper()],
    )


class OpAttributes(dg.Model, dg.Resolvable):
    """The op that builds the project's models."""

    name: Annotated[
        str | None,
        dg.Resolver.default(description="Its name; key prefix and folder of the project by default."),
    ] = None
    description: Annotated[str | None, _DESCRIPTION] = None
    tags: Annotated[
        Mapping[str, Any] | None, dg.Resolver.default(description="Its tags.", examples=[{"team": "sales"}])
    ] = None
    pool: Annotated[
        str | None,
        dg.Resolver.default(description="Its pool: limited to 1, runs on one database queue.", examples=["warehouse"]),
    ] = None
    retry_policy: Annotated[
        dg.RetryPolicy | None,
        dg.Resolver(
            _retry_policy,
            model_field_type=RetryAttributes.model(),
            description="How often and when to try again what is left.",
            examples=[{"max_retries": 2, "delay": 30, "backoff": "exponential"}],
        ),
    ] = None
    backfill_policy: Annotated[
        dg.BackfillPolicy | None,
        dg.Resolver(
            resolve_backfill_policy,
            model_field_type=SingleRunBackfillPolicyModel | MultiRunBackfillPolicyModel,
            description="Whether a backfill is one run or many.",
            examples=[{"type": "single_run"}, {"type": "multi_run", "max_partitions_per_run": 10}],
        ),
    ] = None


class JobAttributes(dg.Model, dg.Resolvable):
    """A job in changed mode: it builds what has to be built of a selection, and skips the rest with its reason."""

    name: Annotated[
        str | None, dg.Resolver.default(description="Its name; that of the op and `_changed_models` by default.")
    ] = None
    select: Annotated[Words, SELECT] = ()
    exclude: Annotated[Words, EXCLUDE] = ()
    also: Annotated[
        str | None,
        dg.Resolver.default(
            description="Assets beside the models, as Dagster writes selections.", examples=['key:"ml/scores"']
        ),
    ] = None
    description: Annotated[str | None, _DESCRIPTION] = None
    tags: Annotated[Mapping[str, str] | None, _TAGS] = None
    executor: Annotated[
        Literal["in_process", "multiprocess"],
        dg.Resolver.default(
            description="Whether all steps run in one process, as one DuckDB file wants it, or each in its own."
        ),
    ] = "in_process"


class ScheduleAttributes(dg.Model, dg.Resolvable):
    """A schedule that asks a job for what the plan says to build or to check."""

    cron_schedule: Annotated[
        str | Sequence[str], dg.Resolver.default(description="When, as cron writes it.", examples=["0 6 * * *"])
    ]
    name: Annotated[
        str | None, dg.Resolver.default(description="Its name; that of the job and `_schedule` by default.")
    ] = None
    job: Annotated[str | None, _JOB] = None
    environment: Annotated[str | None, _ENVIRONMENT] = None
    select: Annotated[Words, SELECT] = ()
    exclude: Annotated[Words, EXCLUDE] = ()
    execution_timezone: Annotated[
        str | None, dg.Resolver.default(description="The time zone of the cron.", examples=["Europe/Berlin"])
    ] = None
    description: Annotated[str | None, _DESCRIPTION] = None
    tags: Annotated[Mapping[str, str] | None, _TAGS] = None
    default_status: Annotated[Status, _STATUS] = "STOPPED"


class SensorAttributes(dg.Model, dg.Resolvable):
    """A sensor that asks a job for models whose files differ from what was last built of them."""

    name: Annotated[
        str | None, dg.Resolver.default(description="Its name; that of the job and `_sensor` by default.")
    ] = None
    job: Annotated[str | None, _JOB] = None
    environment: Annotated[str | None, _ENVIRONMENT] = None
    select: Annotated[Words, SELECT] = ()
    exclude: Annotated[Words, EXCLUDE] = ()
    minimum_interval_seconds: Annotated[int, dg.Resolver.default(description="Seconds between two looks.")] = 30
    max_models: Annotated[
        int | None, dg.Resolver.default(description="How many models one run builds at most; all by default.")
    ] = None
    max_attempts: Annotated[
        int | None,
        dg.Resolver.default(
            description="How often a change that fails is tried, before it waits for an edit; null: for ever."
        ),
    ] = 3
    retry_after_seconds: Annotated[
        float, dg.Resolver.default(description="Seconds to wait before a change that failed is tried again.")
    ] = 0.0
    description: Annotated[str | None, _DESCRIPTION] = None
    tags: Annotated[Mapping[str, str] | None, _TAGS] = None
    default_status: Annotated[Status, _STATUS] = "STOPPED"


class RunStatusAttributes(dg.Model, dg.Resolvable):
    """A sensor that closes what killed runs have left open in the state."""

    name: Annotated[
        str | None, dg.Resolver.default(description="Its name; that of the op and `_run_status` by default.")
    ] = None
    minimum_interval_seconds: Annotated[int, dg.Resolver.default(description="Seconds between two looks.")] = 60
    description: Annotated[str | None, _DESCRIPTION] = None
    default_status: Annotated[Status, _STATUS] = "STOPPED"


def _condition(context: dg.ResolutionContext, given: Any) -> dg.AutomationCondition[Any] | None:
    """Return a condition that is written in words, as beside a model, or made by a template."""
    said = context.resolve_value(given)
    return read_condition(said) if isinstance(said, str) else said


class AutomationAttributes(dg.Model, dg.Resolvable):
    """The sensors that evaluate automation conditions of models, where the plan is at hand."""

    condition: Annotated[
        Any,  # a condition or None; pydantic knows no conditions
        dg.Resolver(
            _condition,
            model_field_type=str | None,
            description="The condition of models without one of their own, written as beside a model.",
            examples=["needs_build & ~in_progress", "{{ automation_condition.eager() }}"],
        ),
    ] = None
    name: Annotated[
        str | None, dg.Resolver.default(description="Their name; that of the op and `_automation` by default.")
    ] = None
    mode: Annotated[
        Literal["all", "changed"],
        dg.Resolver.default(description="Whether runs build all that is asked for, or what of it has to be built."),
    ] = "changed"
    minimum_interval_seconds: Annotated[int, dg.Resolver.default(description="Seconds between two looks.")] = 30
    run_tags: Annotated[Mapping[str, str] | None, _TAGS] = None
    description: Annotated[str | None, _DESCRIPTION] = None
    default_status: Annotated[Status, _STATUS] = "STOPPED"


class ObservationAttributes(dg.Model, dg.Resolvable):
    """Observable assets for the sources of the project that no other project here makes."""

    exclude: Annotated[
        Sequence[str],
        dg.Resolver.default(description="Sources that other assets make.", examples=[["ml.scores"]]),
    ] = ()
    name: Annotated[
        str | None,
        dg.Resolver.default(description="The name of their op; that of the project's and `_sources` by default."),
    ] = None
    group_name: Annotated[
        str | None, dg.Resolver.default(description="Their group, instead of what the translation says.")
    ] = None
