"""What a project is: models, seeds and sources, what each reads, and all of them for one environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from leapsql_core.errors import Problem
from leapsql_core.masking import Secrets
from leapsql_core.models.configuration import Materialized, ModelConfig, SourceConfig, Target
from leapsql_core.models.relations import ColumnSet, Lineage, Relation

InputKind = Literal["model", "seed", "source"]


@dataclass(frozen=True, slots=True)
class Input:
    """A model, seed or source that a model reads, with the columns it reads of it."""

    name: str
    kind: InputKind
    relation: Relation
    columns: ColumnSet


@dataclass(frozen=True, slots=True)
class Query:
    """One query: as rendered from the template, and with its references replaced by relations, ready to run."""

    rendered: str
    resolved: str


@dataclass(frozen=True, slots=True)
class Seed:
    """A CSV file of the project, loaded as a table."""

    path: str
    name: str
    file: str
    relation: Relation
    columns: tuple[str, ...]
    content_hash: str
    materialized: Literal["seed"] = "seed"

    @property
    def inputs(self) -> tuple[Input, ...]:
        """A seed reads nothing of the project."""
        return ()


@dataclass(frozen=True, slots=True)
class Model:
    """One SQL file of the project, rendered and understood.

    ``line`` is where the query begins in its file. ``incremental_query`` is the query with ``is_incremental()`` true,
    for incremental models. ``run_values`` names values of the run that its template reads (``run_started_at``, …): the
    queries then hold placeholders and are rendered again when the model runs. ``macros`` are the macro files it used;
    ``files`` the names and patterns of files that its queries read, ``functions`` all that they call, in lower case.
    ``tested`` are, by test, the relations that tests refer to, ``test_inputs`` what those are and the columns read.
    ``windowed`` names the inputs of which a partition reads no row but those in its window, each with the column that
    its query tells them by.
    """

    path: str
    name: str
    file: str
    line: int
    relation: Relation
    config: ModelConfig
    query: Query
    incremental_query: Query | None
    inputs: tuple[Input, ...]
    lineage: Lineage
    content_hash: str
    volatile: tuple[str, ...] = ()
    run_values: tuple[str, ...] = ()
    macros: tuple[str, ...] = ()
    tested: tuple[Relation | None, ...] = ()
    files: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    test_inputs: tuple[Input, ...] = ()
    windowed: tuple[tuple[str, str], ...] = ()

    @property
    def materialized(self) -> Materialized:
        """What becomes of its rows: a table, a view, or a table that grows."""
        return self.config.materialized

    @property
    def unique_columns(self) -> tuple[str, ...]:
        """The columns that tell its rows apart: its unique key, else what a test says is unique."""
        tested = (test.columns for test in self.config.tests if test.kind == "unique" and test.where is None)
        return self.config.unique_key or next(tested, ())


Node = Model | Seed


@dataclass(frozen=True, slots=True)
class Source:
    """A table that models read and the project does not make.

    ``steady``: nobody can write to it while this project has its database open.
    """

    name: str
    relation: Relation
    config: SourceConfig
    steady: bool = False


@dataclass(frozen=True, slots=True)
class Deferral:
    """What a project leaves to another environment: it reads there what it does not build itself.

    ``reads`` are the relations, by the path of a model or seed, or by the name of a source. ``stale`` are those of them
    that are not what the project says, and that were not to be built. ``nodes`` and ``parents`` are those of the whole
    project, what is read elsewhere among them. ``state_of`` is the path of the state of that environment, where it was
    named.
    """

    environment: str
    reads: Mapping[str, Relation]
    stale: tuple[str, ...] = ()
    nodes: Mapping[str, Node] = field(default_factory=dict)
    parents: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    state_of: str | None = None


@dataclass(frozen=True, slots=True)
class Project:
    """All that a folder of models says for one environment; nothing is read from disk after this.

    ``nodes`` are models and seeds by path, parents first; ``parents`` those that each reads. ``waits`` names, per
    model, the nodes that only its tests read: they are built before it, but their failure does not stop it.
    ``warnings`` are problems that stop nothing. ``sample_limit`` is how many failures of a test are shown at most.
    With a ``deferral``, models that are read elsewhere are ``sources``.
    """

    name: str
    environment: str
    target: Target
    nodes: Mapping[str, Node]
    sources: Mapping[str, Source]
    parents: Mapping[str, tuple[str, ...]]
    waits: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    warnings: tuple[Problem, ...] = ()
    secrets: Secrets = Secrets()
    sample_limit: int = 5
    deferral: Deferral | None = None
