"""`LeapSQLProjectComponent`: a project as a `defs.yaml`."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import dagster as dg
from dagster.components.utils.translation import TranslationFn, TranslationFnResolver

from leapsql_core import LeapSQLError, Node, Source, UsageError
from leapsql_dagster.assets import leapsql_assets
from leapsql_dagster.attributes import (
    EXCLUDE,
    SELECT,
    AutomationAttributes,
    JobAttributes,
    ObservationAttributes,
    OpAttributes,
    ProjectAttributes,
    RunStatusAttributes,
    ScheduleAttributes,
    SensorAttributes,
    Words,
    project_of,
)
from leapsql_dagster.checks import CHECK_KINDS, CheckKind
from leapsql_dagster.declaring import Declared
from leapsql_dagster.emitting import RunResult
from leapsql_dagster.joining import external_source_specs, join_assets
from leapsql_dagster.loading import LeapSQLProject
from leapsql_dagster.resource import LeapSQLResource
from leapsql_dagster.scaffolding import LeapSQLProjectScaffolder
from leapsql_dagster.sharing import Share, Wish, share_sources
from leapsql_dagster.translator import DagsterLeapSQLTranslator

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_]+")
_RESOURCE_KEY = "leapsql"

#: The resource of every component that says nothing of its own: Dagster takes one key for one object.
_RESOURCE = LeapSQLResource()


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
            project_of,
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
    run_status_sensor: Annotated[
        RunStatusAttributes | None,
        dg.Resolver.default(
            description="A sensor that closes what killed runs have left open in the state.",
            examples=[{"default_status": "RUNNING"}],
        ),
    ] = None
    automation: Annotated[
        AutomationAttributes | None,
        dg.Resolver.default(
            description="Sensors that evaluate the automation conditions of models, those of the plan among them.",
            examples=[{"condition": "needs_build & ~in_progress", "default_status": "RUNNING"}],
        ),
    ] = None
    observable_sources: Annotated[
        ObservationAttributes | None,
        dg.Resolver.default(
            description="Make sources that no project here builds assets that Dagster can observe.",
            examples=[{"exclude": ["ml.scores"], "group_name": "lake"}],
        ),
    ] = None
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
        components = context.component_tree.get_all_components(of_type=LeapSQLProjectComponent)
        self._check_resource(components)
        # One of them that cannot be loaded says so itself, under its own name.
        wishes = {id(one): one._wish for one in components if one is self or one._can_be_loaded}
        beside = [asset for id_, wish in wishes.items() if id_ != id(self) for asset in wish.assets]
        assets = join_assets(self.assets, beside=beside)
        share = dict(zip(wishes, share_sources([*wishes.values()]), strict=True)).get(id(self), Share())
        made = Declared(assets, self._op_name, self._key, self._resources.get(self._key))
        jobs = made.jobs(self.jobs)
        said = self.observable_sources
        observed = [] if said is None else made.observations(said, share.observed)
        sensors: list[dg.SensorDefinition] = [made.sensor(said, jobs) for said in self.sensors]
        sensors += [] if self.run_status_sensor is None else [made.run_status_sensor(self.run_status_sensor)]
        sensors += [] if self.automation is None else made.automation_sensors(self.automation)
        return dg.Definitions(
            assets=[
                *assets,
                *observed,
                *external_source_specs([*assets, *observed], only=share.external),
            ],
            jobs=list(jobs.values()),
            schedules=[made.schedule(said, jobs) for said in self.schedules],
            sensors=sensors,
            resources=self._resources,
        )

    def _check_resource(self, others: Sequence["LeapSQLProjectComponent"]) -> None:
        """Refuse what Dagster would refuse in its own words: two resources under one key."""
        mine = self._resources.get(self._key)
        for other in others:
            theirs = other._resources.get(self._key)
            if mine is not None and theirs is not None and theirs is not mine:
                raise UsageError(
                    f"two components bring along different resources under the key {self._key}:"
                    f" {self._op_name} and {other._op_name}",
                    mend="Give one of them a `resource_key` of its own; or, to share one, write"
                    f" `resource_key: {self._key}` and no `resource` in the other.",
                )

    @property
    def _wish(self) -> Wish:
        said = self.observable_sources
        unobserved = () if said is None else said.exclude
        return Wish(self.assets, observes=said is not None, unobserved=unobserved, shows=self.external_sources)

    @property
    def _can_be_loaded(self) -> bool:
        try:
            return self.assets is not None
        except LeapSQLError:
            return False

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


class _Translator(DagsterLeapSQLTranslator):
    """Asks the component, whose `get_asset_spec` a subclass may have overridden."""

    def __init__(self, component: LeapSQLProjectComponent) -> None:
        self._component = component

    def get_asset_spec(self, node: Node | Source) -> dg.AssetSpec:
        return self._component.get_asset_spec(node)
