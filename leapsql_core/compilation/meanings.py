"""Which model, seed or source a name in a query means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from leapsql_core.models import InputKind, Relation, SourceConfig
from leapsql_core.names import fold, last_part

Parts = tuple[str, ...]

#: The schema that a database means by ``catalog.name``.
_DEFAULT_SCHEMA = "main"


@dataclass(frozen=True, slots=True)
class Named:
    """A model or seed, as far as names go."""

    path: str
    kind: InputKind
    file: str
    relation: Relation
    enabled: bool = True

    @property
    def name(self) -> str:
        """The last part of the path."""
        return last_part(self.path)


class NameIndex:
    """Looks names up as SQL does, without regard to case.

    A dotted name is a path, else a relation (``schema.name``, or with the catalog before it). A bare name is a model
    at the top of the folder, else any model of that name, else a seed; what is none of these is a source. Disabled
    models are found only where nothing else is.
    """

    def __init__(
        self,
        nodes: Iterable[Named],
        *,
        catalog: str,
        sources: Mapping[str, SourceConfig],
        elsewhere: Mapping[str, Relation] | None = None,
    ) -> None:
        """Take what there is to name; `elsewhere` is where some of it is read, by path or name of a source."""
        self._elsewhere = elsewhere or {}
        self._catalog = fold(catalog)
        self._by_path: dict[str, list[Named]] = {}
        self._by_name: dict[tuple[InputKind, str], list[Named]] = {}
        self._by_relation: dict[tuple[str, str], list[Named]] = {}
        for node in sorted(nodes, key=lambda node: node.path):
            self._by_path.setdefault(fold(node.path), []).append(node)
            self._by_name.setdefault((node.kind, fold(node.name)), []).append(node)
            self._by_relation.setdefault(node.relation.key, []).append(node)
        self._spelled = {self._source_key(tuple(name.split("."))): name for name in sources}

    def look_up(self, parts: Parts, *, reader: str | None = None) -> tuple[Named, ...]:
        """Return what `parts` could mean to the model at path `reader`; nothing for a source.

        A bare name never means the reader itself while a seed bears it: ``FROM airlines`` in a model ``airlines``.
        """
        folded = tuple(fold(part) for part in parts)
        found = self._bare(folded[0], reader) if len(folded) == 1 else self._dotted(folded)
        return tuple([node for node in found if node.enabled] or found)

    def _dotted(self, folded: Parts) -> list[Named]:
        by_path = self._by_path.get(".".join(folded), [])
        if by_path:
            return by_path
        if len(folded) == 3 and folded[0] == self._catalog:
            folded = folded[1:]
        if len(folded) != 2:
            return []
        schema, name = folded
        found = self._by_relation.get((schema, name), [])
        return found or (self._by_relation.get((_DEFAULT_SCHEMA, name), []) if schema == self._catalog else [])

    def _bare(self, name: str, reader: str | None) -> list[Named]:
        seeds = self._by_name.get(("seed", name), [])
        models = self._by_name.get(("model", name), [])
        if seeds:
            models = [node for node in models if node.path != reader]
        candidates = models or seeds
        at_top = [node for node in candidates if fold(node.path) == name]
        return at_top or candidates

    def place_of(self, node: Named) -> Relation:
        """Return the relation that whoever reads a model or a seed reads."""
        return self._elsewhere.get(node.path, node.relation)

    def is_elsewhere(self, parts: Parts, *, reader: str | None = None) -> bool:
        """Tell whether what `parts` mean is read elsewhere."""
        found = self.look_up(parts, reader=reader)
        return (found[0].path if found else self.source_name(parts)) in self._elsewhere

    def text_of(self, parts: Parts, *, reader: str | None = None) -> str | None:
        """Return what stands in a query instead of `parts`, ``None`` for a source that is read where it is written."""
        found = self.look_up(parts, reader=reader)
        if found:
            return self.place_of(found[0]).sql
        place = self._elsewhere.get(self.source_name(parts))
        return None if place is None else place.sql

    def source_name(self, parts: Parts) -> str:
        """Return the name that a source is kept under: as `leapsql.yaml` spells it, else in small letters."""
        key = self._source_key(parts)
        return self._spelled.get(key, ".".join(key))

    def source_relation(self, parts: Parts) -> Relation:
        """Return the relation that a name outside of the project means, with its catalog only where it has to be."""
        key = self._source_key(parts)
        place = self._elsewhere.get(self.source_name(parts))
        if place is not None:
            return place
        spelled = self._within_catalog(tuple(self._spelled[key].split("."))) if key in self._spelled else key
        *before, schema, name = ("", "", *spelled)
        own = self._catalog if fold(schema) == self._catalog else None
        return Relation(schema, name, before[-1] or own)

    def _source_key(self, parts: Parts) -> Parts:
        """Return the one form of all the ways to write a table's name."""
        return tuple(map(fold, self._within_catalog(parts)))

    def _within_catalog(self, parts: Parts) -> Parts:
        """Return a name as it is said within the target's own database: schema and name, where it is of that."""
        if len(parts) not in (2, 3) or fold(parts[0]) != self._catalog:
            return parts
        return parts[1:] if len(parts) == 3 else (_DEFAULT_SCHEMA, parts[1])
