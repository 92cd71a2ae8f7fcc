"""What may stand in the `defs.yaml` of a project beside its own place: op, jobs, schedules and sensors."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import dagster as dg
from dagster.components.resolved.core_models import (
    MultiRunBackfillPolicyModel,
    SingleRunBackfillPolicyModel,
    resolve_backfill_policy,
)

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
    repository_url: Annotated[
        str | None,
        dg.Resolver.default(
            description="The address under which its folder is shown in a browser: links to files lead there, too.",
            examples=["https://github.com/acme/shop/blob/main/sql"],
        ),
    ] = None


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
