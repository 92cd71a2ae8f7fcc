"""`LeapSQLProjectComponent`: a project as a `defs.yaml`."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import dagster as dg
from dagster.components.utils.translation import TranslationFn, TranslationFnResolver

from leapsql_core import Node, Source, UsageError, did_you_mean
from leapsql_dagster.assets import leapsql_assets
from leapsql_dagster.attributes import (
    EXCLUDE,
    SELECT,
    JobAttributes,
    OpAttributes,
    ProjectAttributes,
    ScheduleAttributes,
    SensorAttributes,
    Words,
)
from leapsql_dagster.checks import CHECK_KINDS, CheckKind
from leapsql_dagster.emitting import RunResult
from leapsql_dagster.jobs import build_changed_models_job
from leapsql_dagster.joining import external_source_specs, join_assets
from leapsql_dagster.loading import LeapSQLProject
from leapsql_dagster.resource import LeapSQLResource
from leapsql_dagster.scaffolding import LeapSQLProjectScaffolder
from leapsql_dagster.schedules import build_changed_models_schedule
from leapsql_dagster.sensors import build_changed_models_sensor
from leapsql_dagster.translator import DagsterLeapSQLTranslator

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_]+")
_RESOURCE_KEY = "leapsql"

#: The resource of every component that says nothing of its own: Dagster takes one key for one object.
_RESOURCE = LeapSQLResource()


def _project(context: dg.ResolutionContext, given: Any) -> LeapSQLProject:
    """Return the project that is written; its paths are relative to the file that it is written in."""
    if isinstance(given, str):
        return LeapSQLProject(context.resolve_source_relative_path(context.resolve_value(given, as_type=str)))
    said = ProjectAttributes.resolve_from_model(context, given)
    state = said.state_path
    return LeapSQLProject(
        context.resolve_source_relative_path(said.project_dir),
        environment=said.environment,
        variables=said.variables,
        state_path=None if state is None else context.resolve_source_relative_path(state),
        database=said.database,
        repository_url=said.repository_url,
    )


@dg.scaffold_with(LeapSQLProjectScaffolder)
@dataclass
class LeapSQLProjectComponent(dg.Component, dg.Resolvable):
    """Every model and seed of a LeapSQL project as an asset, with jobs, schedules and sensors for what changed.

    ``dg scaffold defs leapsql_dagster.LeapSQLProjectComponent sales --init true`` makes one with a project to begin
    from, ``--project-path`` one of a project that is there.

    A subclass may override `get_asset_spec`, for how models look, and `execute`, for how they are run.
    """

    project: Annotated[
        LeapSQLProject,
        dg.Resolver(
            _project,
            model_field_type=str | ProjectAttributes.model(),
            description="The folder of the project, from the folder of this file; or where it lies and as what.",
            examples=["../../sql", {"project_dir": "../../sql", "variables": {"least": 10}}],
        ),
    ]
    environment: Annotated[
        str | None,
        dg.Resolver.default(
            description="The environment to build in; that of leapsql.yaml by default.",
            examples=["prod", "{{ env.LEAPSQL_ENVIRONMENT }}"],
        ),
    ] = None
    key_prefix: Annotated[
        Words,
        dg.Resolver.default(
            description="What stands before the keys of models and seeds.", examples=["sales", ["eu", "sales"]]
        ),
    ] = ()
    select: Annotated[Words, SELECT] = ()
    exclude: Annotated[Words, EXCLUDE] = ()
    checks: Annotated[
        Sequence[CheckKind],
        dg.Resolver.default(
            description="Which asset checks there are: for builds, for tests of models; both by default.",
            examples=[["build"], []],
        ),
    ] = CHECK_KINDS
    translation: Annotated[
        TranslationFn[Node] | None,
        TranslationFnResolver(template_vars_for_translation_fn=lambda node: {"node": node}),
    ] = None
    op: Annotated[
        OpAttributes | None,
        dg.Resolver.default(
            description="The op that builds the models.",
            examples=[{"pool": "warehouse", "retry_policy": {"max_retries": 2}}],
        ),
    ] = None
    op_per_model: Annotated[
        bool,
        dg.Resolver.default(
            description="Give each model an op of its own, for warehouses that are servers.",
        ),
    ] = False
    jobs: Annotated[
        Sequence[JobAttributes],
        dg.Resolver.default(
            description="Jobs in changed mode; one of everything by default.",
            examples=[[{"name": "reports", "select": "+tag:report"}]],
        ),
    ] = field(default_factory=lambda: [JobAttributes()])
    schedules: Annotated[
        Sequence[ScheduleAttributes],
        dg.Resolver.default(
            description="Schedules of the jobs: each asks for what has to be built or checked.",
            examples=[[{"cron_schedule": "0 6 * * *", "execution_timezone": "Europe/Berlin"}]],
        ),
    ] = ()
    sensors: Annotated[
        Sequence[SensorAttributes],
        dg.Resolver.default(
            description="Sensors of the jobs: each asks for models whose files changed.",
            examples=[[{"minimum_interval_seconds": 60, "default_status": "RUNNING"}]],
        ),
    ] = ()
    external_sources: Annotated[
        bool,
        dg.Resolver.default(
            description="Make sources that no project here builds external assets. Leave it off where another component"
            " makes them."
        ),
    ] = False
    resource: Annotated[
        Mapping[str, Any] | None,
        dg.Resolver.default(
            description="Fields of the LeapSQLResource that the component brings along.",
            examples=[{"max_parallel": 8, "wait_seconds": 600}],
        ),
    ] = None
    resource_key: Annotated[
        str | None,
        dg.Resolver.default(
            description="The key of the resource. Where `resource` says nothing, the code location has it already."
        ),
    ] = None

    def get_asset_spec(self, node: Node | Source) -> dg.AssetSpec:
        """Return how a model, a seed or a source looks in Dagster: as translated, with `translation` on top.

        `translation` is for models and seeds; what `leapsql.yaml` says of a source is said there.
        """
        spec = DagsterLeapSQLTranslator().get_asset_spec(node)
        return spec if self.translation is None or isinstance(node, Source) else self.translation(spec, node)

    def execute(self, context: dg.AssetExecutionContext, leapsql: LeapSQLResource) -> Iterator[RunResult]:
        """Run the models that were asked for, and yield what Dagster is to be told."""
        yield from leapsql.run(context)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Return the definitions of the project, its sources joined to the other projects of the code location."""
        others = context.component_tree.get_all_components(of_type=LeapSQLProjectComponent)
        beside = [one for other in others if other is not self for one in other.assets]
        assets = join_assets(self.assets, beside=beside)
        jobs = self._jobs(assets)
        return dg.Definitions(
            assets=[*assets, *(external_source_specs(assets) if self.external_sources else [])],
            jobs=list(jobs.values()),
            schedules=[self._schedule(said, assets, jobs) for said in self.schedules],
            sensors=[self._sensor(said, assets, jobs) for said in self.sensors],
            resources=self._resources,
        )

    @cached_property
    def assets(self) -> Sequence[dg.AssetsDefinition]:
        """The assets of the project, as they were when they were first asked for; sources under their own keys.

        They are one definition, or with `op_per_model` one for each.
        """
        op, key = self.op or OpAttributes(), self._key

        def compute(context: dg.AssetExecutionContext) -> Iterator[RunResult]:
            yield from self.execute(context, getattr(context.resources, key))

        made = leapsql_assets(
            project=replace(self.project, environment=self.environment or self.project.environment),
            select=self.select,
            exclude=self.exclude,
            name=self._op_name,
            translator=_Translator(self),
            key_prefix=self.key_prefix,
            description=op.description,
            op_tags=op.tags,
            pool=op.pool,
            retry_policy=op.retry_policy,
            backfill_policy=op.backfill_policy,
            required_resource_keys={key},
            checks=self.checks,
            op_per_model=self.op_per_model,
        )(compute)
        return made if isinstance(made, list) else [made]

    @property
    def _key(self) -> str:
        return self.resource_key or _RESOURCE_KEY

    @cached_property
    def _resources(self) -> Mapping[str, LeapSQLResource]:
        """The resource that the component brings along, if the code location is not to have it already."""
        if self.resource is not None:
            return {self._key: LeapSQLResource(**self.resource)}
        return {_RESOURCE_KEY: _RESOURCE} if self.resource_key is None else {}

    @property
    def _op_name(self) -> str:
        if self.op is not None and self.op.name:
            return self.op.name
        prefix = [self.key_prefix] if isinstance(self.key_prefix, str) else self.key_prefix
        folder = Path(self.project.project_dir).absolute().name
        return _NOT_IN_NAMES.sub("_", "_".join([*prefix, folder]))

    def _jobs(self, assets: Sequence[dg.AssetsDefinition]) -> dict[str, Any]:
        jobs: dict[str, Any] = {}
        for said in self.jobs:
            name = said.name or f"{self._op_name}_changed_models"
            jobs[name] = build_changed_models_job(
                assets,
                name=name,
                select=said.select,
                exclude=said.exclude,
                also=None if said.also is None else dg.AssetSelection.from_string(said.also),
                resource=self._resources.get(self._key),
                resource_key=self._key,
                description=said.description,
                tags=said.tags,
            )
        return jobs

    def _schedule(
        self, said: ScheduleAttributes, assets: Sequence[dg.AssetsDefinition], jobs: Mapping[str, Any]
    ) -> dg.ScheduleDefinition:
        return build_changed_models_schedule(
            assets,
            job=_job_named(said.job, jobs),
            cron_schedule=said.cron_schedule,
            name=said.name,
            environment=said.environment,
            select=said.select,
            exclude=said.exclude,
            execution_timezone=said.execution_timezone,
            resource_key=self._key,
            tags=None if said.tags is None else dict(said.tags),
            description=said.description,
            default_status=dg.DefaultScheduleStatus[said.default_status],
        )

    def _sensor(
        self, said: SensorAttributes, assets: Sequence[dg.AssetsDefinition], jobs: Mapping[str, Any]
    ) -> dg.SensorDefinition:
        return build_changed_models_sensor(
            assets,
            job=_job_named(said.job, jobs),
            name=said.name,
            environment=said.environment,
            select=said.select,
            exclude=said.exclude,
            minimum_interval_seconds=said.minimum_interval_seconds,
            max_models=said.max_models,
            max_attempts=said.max_attempts,
            retry_after_seconds=said.retry_after_seconds,
            tags=said.tags,
            resource_key=self._key,
            description=said.description,
            default_status=dg.DefaultSensorStatus[said.default_status],
        )


class _Translator(DagsterLeapSQLTranslator):
    """Asks the component, whose `get_asset_spec` a subclass may have overridden."""

    def __init__(self, component: LeapSQLProjectComponent) -> None:
        self._component = component

    def get_asset_spec(self, node: Node | Source) -> dg.AssetSpec:
        return self._component.get_asset_spec(node)


def _job_named(name: str | None, jobs: Mapping[str, Any]) -> Any:
    wanted = next(iter(jobs), "") if name is None else name
    if wanted not in jobs:
        known = f"Known: {', '.join(jobs)}." if jobs else "Write one under `jobs`."
        raise UsageError(f"there is no job `{wanted}`", mend=did_you_mean(wanted, jobs, otherwise=known))
    return jobs[wanted]
