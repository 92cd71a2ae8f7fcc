"""Linking: what each name in a model or in its tests means, and the order that follows from it."""

from __future__ import annotations

from collections.abc import Mapping

from leapsql_core.compilation.drafts import Draft
from leapsql_core.compilation.meanings import Named, NameIndex, Parts
from leapsql_core.configuration import ProjectConfig
from leapsql_core.errors import Problem
from leapsql_core.graph import Parents, children_of, find_cycle, parents_first, reachable
from leapsql_core.models import DataTest, Relation, Seed, Source, SourceConfig
from leapsql_core.sql import unfit_condition


class Linker:
    """Links the drafts of one project; gathers sources and problems on the way."""

    def __init__(
        self,
        drafts: Mapping[str, Draft],
        seeds: Mapping[str, Seed],
        config: ProjectConfig,
        *,
        catalog: str,
        elsewhere: Mapping[str, Relation],
    ) -> None:
        named = [Named(d.path, "model", d.file, d.relation, d.config.enabled) for d in drafts.values()]
        named += [Named(s.path, "seed", s.file, s.relation) for s in seeds.values()]
        self._config = config
        self._drafts = {path: draft for path, draft in drafts.items() if draft.config.enabled}
        self._seeds = seeds
        self.index = NameIndex(named, catalog=catalog, sources=config.sources, elsewhere=elsewhere)
        self._elsewhere = elsewhere
        self.sources: dict[str, Source] = {}
        self.problems: list[Problem] = []

    def link_queries(self) -> None:
        """Find out what every query reads."""
        for draft in self._drafts.values():
            for query in draft.queries:
                for reference in query.scan.references:
                    line = draft.line_of(query.rendered.text, reference.line) or draft.text.line
                    self._note_input(draft, reference.parts, line, reads_itself=query is draft.batch)
                    if not reference.spans and draft.path not in self._elsewhere:
                        self._check_place(draft, reference.parts, line)
            for name in draft.config.depends_on:
                said_at = draft.text.lines.get("depends_on")
                self._note_input(draft, tuple(name.split(".")), said_at, reads_itself=False)

    def link_tests(self) -> None:
        """Find out which relations tests refer to."""
        for draft in self._drafts.values():
            for test in draft.config.tests:
                self._check_conditions(draft, test)
                if test.to is None:
                    draft.tested.append(None)
                    continue
                parts, line = tuple(test.to.split(".")), draft.text.lines.get(test.label)
                node = self._meaning(parts, draft, line)
                if node is None:
                    source = self._source(parts)
                    draft.tested.append((source.name, source.relation))
                else:
                    draft.tested.append((node.path, self.index.place_of(node)))
                    draft.read_at.setdefault(node.path, line)

    def _check_conditions(self, draft: Draft, test: DataTest) -> None:
        """Note conditions of a test that would not stay within the brackets they are put in."""
        for field, condition in (("expression", test.expression), ("where", test.where)):
            unfit = None if condition is None else unfit_condition(condition)
            if unfit is not None:
                cause = f"`{field}` of the test {test.label} is no condition: {unfit}"
                line = draft.text.lines.get(test.label)
                self.problems.append(draft.problem(line, cause, "Write what stands behind WHERE in a query."))

    def parents(self) -> dict[str, tuple[str, ...]]:
        """Return the models and seeds that each one reads, sorted."""
        parents: dict[str, tuple[str, ...]] = dict.fromkeys(self._seeds, ())
        for path, draft in self._drafts.items():
            parents[path] = tuple(sorted(name for name, (kind, _) in draft.inputs.items() if kind != "source"))
        return parents

    def waits(self) -> dict[str, tuple[str, ...]]:
        """Return, for models that have some, the nodes that only their tests read, sorted."""
        found: dict[str, tuple[str, ...]] = {}
        for path, draft in self._drafts.items():
            names = {entry[0] for entry in draft.tested if entry is not None}
            known = {name for name in names if name in self._drafts or name in self._seeds}
            only_tests = tuple(sorted(known - set(draft.inputs) - {path}))
            if only_tests:
                found[path] = only_tests
        return found

    def order(self, parents: Parents, waits: Parents) -> list[str]:
        """Return all paths, each after what it reads and what its tests read; notes cycles, and leaves them out."""
        waiting = {path: (*above, *waits.get(path, ())) for path, above in parents.items()}
        in_order = self._check_tests_look_up(parents, waits)
        in_order &= self._check_cycles(parents, "a cycle", "Take one of these reads out.")
        if in_order:
            self._check_cycles(waiting, "reads and tests make a cycle", "Take one of these tests out.")
        return parents_first(waiting)

    def _check_cycles(self, parents: Parents, what: str, mend: str) -> bool:
        """Note cycles, a shortest one first, none of which share a model; tell whether there are none."""
        left = parents
        while (cycle := find_cycle(left)) is not None:
            draft = self._drafts[cycle[0]]
            cause = f"{what}: {' → '.join(cycle)}"
            self.problems.append(draft.problem(draft.read_at.get(cycle[-2]), cause, mend))
            left = {path: above for path, above in left.items() if path not in cycle}
        return left is parents

    def _check_tests_look_up(self, parents: Parents, waits: Parents) -> bool:
        """Note tests that read what is built from their own model; tell whether there are none."""
        below = children_of(parents)
        noted = len(self.problems)
        for path in waits:
            draft, built_from_it = self._drafts[path], reachable(below, [path])
            for test, entry in zip(draft.config.tests, draft.tested, strict=True):
                if entry is not None and entry[0] in built_from_it and entry[0] in waits[path]:
                    cause = f"test {test.label} reads {entry[0]}, which is built from this model"
                    line = draft.text.lines.get(test.label)
                    self.problems.append(draft.problem(line, cause, f"Put the test into {entry[0]}."))
        return len(self.problems) == noted

    def _note_input(self, draft: Draft, parts: Parts, line: int | None, *, reads_itself: bool) -> None:
        meaning = self._meaning(parts, draft, line)
        if meaning is None:
            source = self._source(parts)
            draft.inputs[source.name] = ("source", source.relation)
            draft.read_at.setdefault(source.name, line)
        elif meaning.path != draft.path:
            draft.inputs[meaning.path] = (meaning.kind, self.index.place_of(meaning))
            draft.read_at.setdefault(meaning.path, line)
        elif not reads_itself:
            mend = "An incremental model reads its own rows inside {% if is_incremental() %}, as {{ this }}."
            if len(parts) == 1 and not self.index.look_up(("main", parts[0])):
                mend += f" A table of that name outside of the project is written with its schema: main.{parts[0]}."
            self.problems.append(draft.problem(line, f"a cycle: {draft.path} → {draft.path}", mend))

    def _check_place(self, draft: Draft, parts: Parts, line: int | None) -> None:
        """Note a name that only the database sees as one, where it means what is read elsewhere."""
        if self.index.is_elsewhere(parts, reader=draft.path):
            cause = f"`{'.'.join(parts)}` is to be read elsewhere, and stands where no other name can be put"
            self.problems.append(draft.problem(line, cause, "Write it as a table after FROM, or build it here too."))

    def _source(self, parts: Parts) -> Source:
        """Return the source that `parts` mean."""
        name = self.index.source_name(parts)
        source = Source(name, self.index.source_relation(parts), self._config.sources.get(name, SourceConfig()))
        return self.sources.setdefault(name, source)

    def _meaning(self, parts: Parts, draft: Draft, line: int | None) -> Named | None:
        """Return the model or seed that `parts` mean, ``None`` for a source; notes what is wrong."""
        found = self.index.look_up(parts, reader=draft.path)
        written = ".".join(parts)
        if len(found) > 1:
            listed = " or ".join(node.path for node in found)
            mend = "Write the whole path of the one you mean."
            self.problems.append(draft.problem(line, f"`{written}` could mean {listed}", mend))
        elif found and not found[0].enabled:
            mend = f"Set `enabled: true` in {found[0].file}, or do not read it."
            self.problems.append(draft.problem(line, f"it reads {found[0].path}, which is disabled", mend))
        return found[0] if found else None
