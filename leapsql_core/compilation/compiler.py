"""The compiler: every step in order, every problem of every file gathered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from leapsql_core.compilation.conditions import stream_condition_problems
from leapsql_core.compilation.drafts import (
    Analyst,
    Draft,
    DraftQuery,
    ProjectTexts,
    draft_models,
    draft_seeds,
    stream_relation_problems,
)
from leapsql_core.compilation.leaving import leave_to
from leapsql_core.compilation.linking import Linker
from leapsql_core.compilation.models import make_model, resolve_query, stream_column_problems, stream_column_warnings
from leapsql_core.configuration import CONFIG_FILE, ProjectConfig
from leapsql_core.errors import Problem, ProjectError, QueryError, in_file_order
from leapsql_core.graph import Parents
from leapsql_core.models import Deferral, Model, Node, Project, Query
from leapsql_core.names import did_you_mean
from leapsql_core.partitions import OTHER_PLACEHOLDERS, fill
from leapsql_core.rendering import Rendered, Renderer, RunValues, Scope, This, holds_jinja


class Compiler:
    """Compiles one project for one environment; afterwards renders models again with the values of a run."""

    def __init__(
        self,
        config: ProjectConfig,
        texts: ProjectTexts,
        *,
        environ: Mapping[str, str],
        catalog: str,
        analyst: Analyst,
        deferral: Deferral | None = None,
    ) -> None:
        """Take all that the project depends on; `catalog` is the name that the target's database goes by in SQL.

        What the `deferral` names is no part of the project: it is read elsewhere.
        """
        facts = {"name": config.name, "environment": config.environment, "vars": dict(config.vars)}
        self._config, self._texts, self._catalog, self._analyst = config, texts, catalog, analyst
        self._environ, self._deferral = environ, deferral
        self._renderer = Renderer(Scope(facts, config.target, config.vars, environ), texts.macros)
        self._problems: list[Problem] = []
        self._drafts = draft_models(texts, config, catalog=catalog, analyst=analyst, problems=self._problems)
        self._seeds = draft_seeds(texts, config, self._drafts, catalog=catalog, problems=self._problems)
        elsewhere = {} if deferral is None else deferral.reads
        self._linker = Linker(self._drafts, self._seeds, config, catalog=catalog, elsewhere=elsewhere)

    def deferring(self, deferral: Deferral) -> Compiler:
        """Return the compiler of the same texts that reads elsewhere what `deferral` names."""
        return Compiler(
            self._config,
            self._texts,
            environ=self._environ,
            catalog=self._catalog,
            analyst=self._analyst,
            deferral=deferral,
        )

    def compile(self) -> Project:
        """Compile everything.

        Raises:
            ProjectError: with every problem of every file.
        """
        problems, linker = self._problems, self._linker
        problems.extend(stream_relation_problems(self._drafts.values(), self._seeds.values()))
        self._render_and_scan()
        linker.link_queries()
        linker.link_tests()
        parents, waits = linker.parents(), linker.waits()
        nodes = self._make_nodes(linker.order(parents, waits), parents)
        problems.extend(linker.problems)
        made = [self._drafts[path] for path in nodes if path in self._drafts]
        for draft in made:
            problems.extend(stream_column_problems(draft, nodes))
            problems.extend(stream_condition_problems(draft, nodes, self._analyst))
        if problems:
            raise ProjectError(map(self._masked, problems))
        project = Project(
            name=self._config.name,
            environment=self._config.environment,
            target=self._config.target,
            nodes=nodes,
            sources=dict(sorted(linker.sources.items())),
            parents=parents,
            waits=waits,
            warnings=in_file_order(map(self._masked, self._stream_warnings(made, nodes))),
            secrets=self._config.secrets,
            sample_limit=self._config.sample_limit,
        )
        return project if self._deferral is None else leave_to(project, self._deferral)

    def render_for_run(self, model: Model, run_values: RunValues, incremental: bool) -> Query:
        """Return the query of a model, or of its batch, with the values of a run.

        Raises:
            ProjectError: the template fails with these values, or renders what cannot be read.
        """
        draft = self._drafts[model.path]
        try:
            query = self._query(draft, incremental=incremental, run_values=run_values)
        except ProjectError as exc:
            raise ProjectError(map(self._masked, exc.problems)) from exc
        return resolve_query(draft, query, self._linker.index)

    def line_in_file(self, model: Model, line: int) -> int | None:
        """Return the line of a model's file that a line of its query comes from, ``None`` if that is not certain."""
        draft = self._drafts[model.path]
        lines = {draft.line_of(query.rendered, line) for query in (model.query, model.incremental_query) if query}
        return lines.pop() if len(lines) == 1 else None

    def _render_and_scan(self) -> None:
        try:
            self._analyst.check_macros(self._renderer)
        except ProjectError as exc:
            self._problems.extend(exc.problems)
        for draft in self._drafts.values():
            if not draft.text.template or not draft.config.enabled:
                continue
            try:
                draft.query = self._query(draft, incremental=False)
                if draft.config.materialized == "incremental" and draft.config.incremental.partitions is None:
                    draft.batch = self._query(draft, incremental=True)
            except ProjectError as exc:
                self._problems.extend(exc.problems)

    def _query(self, draft: Draft, *, incremental: bool, run_values: RunValues | None = None) -> DraftQuery:
        rendered = self._render(draft, incremental, run_values)
        if not rendered.text:
            when = " where is_incremental() is true" if incremental else ""
            mend = "Write a query for every case, or set `enabled: false`."
            raise ProjectError([draft.problem(draft.text.line, f"the template renders to nothing{when}", mend)])
        try:
            return DraftQuery(rendered, self._analyst.scan(rendered.text))
        except QueryError as exc:
            shown = self._config.secrets.mask(rendered.text)
            raise ProjectError([draft.query_problem(rendered.text, exc, shown=shown)]) from exc

    def _render(self, draft: Draft, incremental: bool, run_values: RunValues | None) -> Rendered:
        template, relation = draft.text.template, draft.relation
        if not holds_jinja(template):
            return Rendered(template)

        partitioning = draft.config.incremental.partitions

        def render_with(values: RunValues | None) -> Rendered:
            return self._renderer.render(
                template,
                file=draft.file,
                line=draft.text.line,
                this=This(draft.path, relation, draft.config),
                incremental=incremental,
                partitioning=partitioning,
                run_values=values,
            )

        def render() -> Rendered:
            rendered = render_with(run_values)
            if partitioning is not None:
                other = replace(run_values or RunValues(), partition=OTHER_PLACEHOLDERS)
                if render_with(other).text != fill(rendered.text, partitioning, OTHER_PLACEHOLDERS):
                    mend = "Write it as '{{ partition.start }}', and let SQL compare it and compute with it."
                    cause = "the template does more with `partition` than to print it"
                    raise ProjectError([draft.problem(draft.text.line, cause, mend)])
            return rendered

        if run_values is not None:
            return render()
        question = [draft.written, draft.path, [relation.catalog, relation.schema, relation.name], incremental]
        return self._analyst.render(self._renderer, question, render)

    def _make_nodes(self, order: Iterable[str], parents: Parents) -> dict[str, Node]:
        """Make what can be made: a model whose query, or that of one above it, is wrong is left out."""
        nodes: dict[str, Node] = {}
        for path in order:
            if path in self._seeds:
                nodes[path] = self._seeds[path]
                continue
            draft = self._drafts[path]
            if draft.query is not None and all(above in nodes for above in parents[path]):
                index, config = self._linker.index, self._config
                nodes[path] = make_model(draft, draft.query, nodes, index, self._analyst, config)
        return nodes

    def _stream_warnings(self, made: Iterable[Draft], nodes: Mapping[str, Node]) -> Iterator[Problem]:
        for draft in made:
            for query in draft.queries:
                if query.scan.warning is not None:
                    yield draft.problem(draft.text.line, query.scan.warning)
            yield from stream_column_warnings(draft, nodes[draft.path])
        for name in sorted(set(self._config.sources) - set(self._linker.sources)):
            line = self._config.lines.get(f"sources.{name}")
            means = self._linker.index.look_up(tuple(name.split(".")))
            if means:
                cause = f"the source `{name}` is made by {means[0].file}, so it is none"
                yield Problem(CONFIG_FILE, line, cause, "Take it out.")
            else:
                yield Problem(
                    CONFIG_FILE, line, f"no model reads the source `{name}`", did_you_mean(name, self._linker.sources)
                )

    def _masked(self, problem: Problem) -> Problem:
        mask = self._config.secrets.mask
        return replace(problem, cause=mask(problem.cause), mend=mask(problem.mend))
