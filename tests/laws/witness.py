"""A witness of runs: it notes by itself what each build read, and tells which later builds nothing asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import duckdb
from projects import Lab
from random_projects import RandomProject

from leapsql_core.execution import Event, ModelStarted
from leapsql_core.models import ColumnSet, Decision, Model, Node, ObservedRelation, Project, Relation
from leapsql_core.names import quote_identifier

#: Reasons that the user gave.
ASKED = frozenset({"requested", "full_refresh"})
#: Reasons that are about what became of the relation.
ASTRAY = frozenset({"missing", "drifted"})


@dataclass(frozen=True)
class Made:
    """What one build was made from: its code, and what each input showed it in the columns that it reads.

    `text` tells versions of a view apart. `in_doubt` says that nobody could tell what an input held.
    """

    code: Any
    inputs: Mapping[str, Any]
    text: str = ""
    moving: bool = False
    ordered: bool = False
    in_doubt: bool = False
    reads: tuple[tuple[str, Relation, ColumnSet], ...] = ()


@dataclass(frozen=True)
class Standing:
    """What stands at one moment: the project, the relations, and which build is each model's current one."""

    project: Project
    relations: Mapping[tuple[str, str], ObservedRelation]
    builds: Mapping[str, str]

    def is_view(self, relation: Relation) -> bool:
        seen = self.relations.get(relation.key)
        return seen is not None and seen.kind == "view"


def look(lab: Lab) -> Standing:
    """Look around."""
    project = lab.project
    traces = lab.state.read_snapshot(project.environment).traces
    builds = {path: trace.model_run_id for path, trace in traces.items()}
    return Standing(project, lab.warehouse.relations(), builds)


@dataclass
class Witness:
    """Follows a project through its runs."""

    world: RandomProject
    made: dict[str, Made] = field(default_factory=dict)

    def judge(self, before: Standing, events: Iterable[Event]) -> list[str]:
        """Note what a run built, and return in words the builds that had no cause."""
        decisions = {event.path: event.decision for event in events if isinstance(event, ModelStarted)}
        now = look(self.world.lab)
        complaints: list[str] = []
        for path, node in now.project.nodes.items():
            if before.builds.get(path) == now.builds.get(path):
                continue
            made, decision = self._facts(node, now), decisions[path]
            if not self._has_cause(node, decision, made, before):
                complaints.append(f"{path} was built for no cause: {decision.reason}, {decision.detail}")
            self.made[path] = made
        return complaints

    def _has_cause(self, node: Node, decision: Decision, now: Made, before: Standing) -> bool:
        last = self.made.get(node.path)
        if decision.reason in ASKED:
            return True
        if decision.reason in ASTRAY:
            seen = before.relations.get(node.relation.key)
            return seen is None or seen.comment != before.builds[node.path]
        if last is None or decision.reason == "new":
            return last is None and decision.reason == "new"
        if decision.recurring:
            return now.moving or now.in_doubt
        return last.in_doubt or (last.code, last.inputs) != (now.code, now.inputs)

    # ----------------------------------------------------------------------------------------- what a build was made of

    def _facts(self, node: Node, now: Standing) -> Made:
        if not isinstance(node, Model):
            return Made(self.world.seed.copy(), {})
        model = self.world.paths[node.path]
        code = replace(model, layout=(), spelling=0, owner="", tests="")
        says = {"var(": self.world.add, "sums.": self.world.plus}
        said = [value for name, value in says.items() if name in model.template]
        reads = tuple((entry.name, entry.relation, entry.columns) for entry in node.inputs)
        shape_only = node.materialized == "view"
        return Made(
            code=(code, said, str(node.relation)),
            inputs={
                read[0]: [*read[1:], self._shown(*read, now, ordered=model.is_ordered, shape_only=shape_only)]
                for read in reads
            },
            text=f"{model.text}{said}",
            moving=model.is_moving,
            ordered=model.is_ordered,
            in_doubt=self._calls_what_reads(model.template)
            or any(self._is_in_doubt(*read[:2], now, ordered=model.is_ordered) for read in reads),
            reads=reads,
        )

    def _calls_what_reads(self, template: str) -> bool:
        return "bump(" in template and self.world.macro_reads

    def _shown(
        self,
        name: str,
        relation: Relation,
        columns: ColumnSet,
        now: Standing,
        *,
        ordered: bool,
        shape_only: bool = False,
    ) -> Any:
        """Return what a reader of an input sees; of a view, what is behind it."""
        try:
            described = self.world.lab.rows(f"describe {relation.sql}")
        except duckdb.Error as exc:
            return f"cannot be read: {type(exc).__name__}"
        wanted = None if columns is None else {column.casefold() for column in columns}
        shape = [(column, kind) for column, kind, *_ in described if wanted is None or column.casefold() in wanted]
        if shape_only:
            return shape
        made = self.made.get(name)
        if made is not None and now.is_view(relation):
            behind = [(*read, self._shown(*read, now, ordered=ordered or made.ordered)) for read in made.reads]
            return [shape, made.text, behind]
        listed = ", ".join(f"{quote_identifier(column)}::varchar" for column, _ in shape) or "1"
        rows = self.world.lab.rows(f"select {listed} from {relation.sql}")
        return [shape, (rows, now.builds.get(name)) if ordered else Counter(rows)]

    def _is_in_doubt(self, name: str, relation: Relation, now: Standing, *, ordered: bool) -> bool:
        """Tell whether nobody can say if an input changed.

        So it is with a relation that is not what was built, with a view that moves or was edited, and with the order of
        rows in a source that is a view.
        """
        seen = now.relations.get(relation.key)
        if seen is None:
            return True
        if name not in self.made:
            return ordered and seen.kind == "view"
        if seen.comment != now.builds.get(name):
            return True
        if seen.kind != "view":
            return False
        made, node = self.made[name], now.project.nodes.get(name)
        if made.moving or node is None or self._facts(node, now).code != made.code:
            return True
        if name in self.world.paths and self._calls_what_reads(self.world.paths[name].template):
            return True
        return any(self._is_in_doubt(*read[:2], now, ordered=ordered or made.ordered) for read in made.reads)
