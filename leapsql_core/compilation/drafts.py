"""Drafts: models on their way from a file to a `Model`, and the naming of everything a project makes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Protocol

from leapsql_core.configuration import ProjectConfig
from leapsql_core.errors import Problem, ProjectError, QueryError
from leapsql_core.frontmatter import ModelText, read_model_text
from leapsql_core.models import InputKind, Lineage, ModelConfig, QueryScan, Relation, Seed
from leapsql_core.names import fold, path_of_file, unfit_name
from leapsql_core.rendering import MacroFile, Rendered, Renderer, holds_jinja
from leapsql_core.sql import KnownInput

MARKER_SCHEMA = "_leapsql"

_LONGEST = 60
_NO_UNSEEN = "Write a name that can be seen and typed."
_NO_DOTS = "Take the dot out: dots part folders and name in a path."


class Analyst(Protocol):
    """Understands texts: SQL as `leapsql_core.sql` does. A cache of what was said before is one, too."""

    def take_apart(self, text: str, *, file: str) -> ModelText:
        """Take the text of a model apart; `ProjectError` with what is wrong with it."""
        return read_model_text(text, file=file)

    def check_macros(self, renderer: Renderer) -> None:
        """Compile every macro file; `ProjectError` with the problems of all of them."""
        renderer.check_macros()

    def render(self, renderer: Renderer, question: Sequence[Any], ask: Callable[[], Rendered]) -> Rendered:
        """Return what `ask` renders with `renderer`, not for a run; `question` is all else that it depends on."""
        return ask()

    @abstractmethod
    def scan(self, sql: str) -> QueryScan:
        """Say what can be said of a query by itself; `QueryError` if it cannot be read."""

    @abstractmethod
    def lineage(self, sql: str, inputs: Mapping[tuple[str, ...], KnownInput]) -> Lineage:
        """Say how columns flow through a query whose inputs are known."""


@dataclass(frozen=True, slots=True)
class SeedFile:
    """A CSV file: its path relative to the project, the hash of its bytes, its columns."""

    file: str
    content_hash: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProjectTexts:
    """All files of a project: models and seeds by their path in their folder, macros by the stem of theirs."""

    models: Mapping[PurePosixPath, str]
    macros: Mapping[str, MacroFile] = field(default_factory=dict)
    seeds: Mapping[PurePosixPath, SeedFile] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DraftQuery:
    """One query of a draft: rendered, and scanned."""

    rendered: Rendered
    scan: QueryScan


@dataclass(slots=True)
class Draft:
    """A model on its way: what is known of it so far.

    ``written`` is the whole text of its file. ``read_at`` are the lines where it, or a test of it, first reads
    something, by path or name.
    """

    file: str
    text: ModelText
    path: str
    relation: Relation
    written: str
    query: DraftQuery | None = None
    batch: DraftQuery | None = None
    inputs: dict[str, tuple[InputKind, Relation]] = field(default_factory=dict)
    read_at: dict[str, int | None] = field(default_factory=dict)
    tested: list[tuple[str, Relation] | None] = field(default_factory=list)

    @property
    def config(self) -> ModelConfig:
        """The frontmatter."""
        return self.text.config

    @property
    def queries(self) -> tuple[DraftQuery, ...]:
        """The query, and that of a batch, as far as there are any."""
        return tuple(query for query in (self.query, self.batch) if query is not None)

    def problem(self, line: int | None, cause: str, mend: str = "") -> Problem:
        """Return a problem of this model's file."""
        return Problem(self.file, line, cause, mend)

    def query_problem(self, rendered: str, exc: QueryError, *, shown: str) -> Problem:
        """Return what is wrong with a rendered query, at the line of the file where that can be told.

        Where it cannot, the rendered line is quoted from `shown`: the same text, but for secrets.
        """
        line, cause = self.line_of(rendered, exc.line), exc.cause
        if line is None and exc.line is not None:
            cause += f" (line {exc.line} of what the template renders to"
            if shown.count("\n") == rendered.count("\n"):
                text = "".join(shown.split("\n")[exc.line - 1 : exc.line]).strip()
                cause += f": `{text if len(text) <= _LONGEST else text[: _LONGEST - 1] + '…'}`"
            cause += ")"
        mend = exc.mend or "Check commas, brackets and keywords just before this place."
        return self.problem(self.text.line if line is None else line, cause, mend)

    def line_of(self, rendered: str, line: int | None) -> int | None:
        """Return the line of the file that a line of the rendered text comes from, ``None`` if that is not certain."""
        found = None if line is None else line_of_template(self.text.template, rendered, line)
        return None if found is None else self.text.line + found - 1


def line_of_template(template: str, rendered: str, line: int) -> int | None:
    r"""Return the line of a template that a line of what it renders to comes from, ``None`` if that is not certain.

    >>> line_of_template("{% if x %}\nselect a\n{% endif %}\nfrom t", "select a\n\nfrom t", 3)
    4
    """
    if rendered == template:
        return line
    written = [text.strip() for text in template.split("\n")]
    shown = [text.strip() for text in rendered.split("\n")]
    in_step = len(written) == len(shown) and not written[0].startswith(("{%", "{#"))
    if in_step and all(text == other or holds_jinja(text) for text, other in zip(written, shown, strict=True)):
        return line
    wanted = "".join(shown[line - 1 : line])
    places = [number for number, text in enumerate(written, start=1) if wanted and text == wanted]
    return places[0] if len(places) == 1 else None


def draft_models(
    texts: ProjectTexts, config: ProjectConfig, *, catalog: str, analyst: Analyst, problems: list[Problem]
) -> dict[str, Draft]:
    """Take every model's file apart; drafts by path, `problems` grows by what is wrong."""
    drafts: dict[str, Draft] = {}
    by_folded: dict[str, Draft] = {}
    for place, text in sorted(texts.models.items()):
        draft = _draft_model(place, text, config, catalog, analyst, problems)
        problems.extend(_stream_unfit_names(draft, place))
        other = by_folded.setdefault(fold(draft.path), draft)
        if other is draft:
            drafts[draft.path] = draft
        else:
            how = "too" if other.path == draft.path else f"and `{draft.path}` differs by case alone"
            cause = f"two models of one path: {other.file} is `{other.path}` {how}"
            problems.append(draft.problem(draft.text.lines.get("name"), cause, "Give one of them another name."))
    return drafts


def _draft_model(
    place: PurePosixPath, text: str, config: ProjectConfig, catalog: str, analyst: Analyst, problems: list[Problem]
) -> Draft:
    file = (PurePosixPath(config.models_dir) / place).as_posix()
    try:
        taken = analyst.take_apart(text, file=file)
    except ProjectError as exc:
        problems.extend(exc.problems)
        # Others may read this model: it keeps its name, so that they are not told it does not exist.
        taken = ModelText(ModelConfig(), "", 1)
    else:
        if not taken.template:
            problems.append(Problem(file, None, "the file holds no query", "Write a SELECT, or delete the file."))
    name = taken.config.name or place.stem
    relation = _place_relation(place, taken.config.schema, name, config=config, catalog=catalog)
    return Draft(file, taken, ".".join((*place.parent.parts, name)), relation, text)


def _stream_unfit_names(draft: Draft, place: PurePosixPath) -> Iterator[Problem]:
    """Yield the dots in parts of a model's names, and what nobody can read or type."""
    lines, config = draft.text.lines, draft.config
    unfit = _unfit_path((*place.parent.parts, config.name or place.stem))
    if unfit is not None:
        yield draft.problem(lines.get("name"), *unfit)
    wrong = None if config.schema is None else unfit_name(config.schema)
    if wrong is not None:
        yield draft.problem(lines.get("schema"), f"{wrong} of a schema", _NO_UNSEEN)
    if "." in (config.schema or ""):
        mend = "Write the schema alone: models are built in the target's database."
        yield draft.problem(lines.get("schema"), f"a dot stands in the schema `{config.schema}`", mend)


def _unfit_path(parts: Sequence[str]) -> tuple[str, str] | None:
    """Return cause and mend of what is wrong with the parts of a path, ``None`` if nothing is."""
    if any("." in part for part in parts):
        return f"a dot stands in a name: `{'.'.join(parts)}`", _NO_DOTS
    wrong = next(filter(None, map(unfit_name, parts)), None)
    return None if wrong is None else (wrong, _NO_UNSEEN)


def draft_seeds(
    texts: ProjectTexts, config: ProjectConfig, drafts: Mapping[str, Draft], *, catalog: str, problems: list[Problem]
) -> dict[str, Seed]:
    """Return every seed by its path, but for those whose path is taken; `problems` grows by what is wrong."""
    seeds: dict[str, Seed] = {}
    taken = {fold(path): draft.file for path, draft in drafts.items()}
    for place, seed in sorted(texts.seeds.items()):
        path = path_of_file(place)
        unfit = _unfit_path((*place.parent.parts, place.stem))
        if unfit is not None:
            problems.append(Problem(seed.file, None, *unfit))
        other = taken.setdefault(fold(path), seed.file)
        if other == seed.file:
            relation = _place_relation(place, None, place.stem, config=config, catalog=catalog)
            seeds[path] = Seed(path, place.stem, seed.file, relation, seed.columns, seed.content_hash)
        else:
            cause = f"the path `{path}` is that of {other} already"
            problems.append(Problem(seed.file, None, cause, "Give one of them another name."))
    return seeds


def _place_relation(
    place: PurePosixPath, schema: str | None, name: str, *, config: ProjectConfig, catalog: str
) -> Relation:
    """Return the relation of a file: its own schema, else its folders, else the target's schema."""
    chosen = schema or "_".join(place.parent.parts) or config.target.schema
    return Relation(chosen, name, catalog if fold(chosen) == fold(catalog) else None)


def stream_relation_problems(drafts: Iterable[Draft], seeds: Iterable[Seed]) -> Iterator[Problem]:
    """Yield the relations that two files make, and those in the schema that markers are kept in."""
    made_by: dict[tuple[str, str], str] = {}
    named: list[tuple[str, int | None, Relation]] = [(seed.file, None, seed.relation) for seed in seeds]
    # What a file that cannot be read would make is not known.
    for draft in drafts:
        if draft.config.enabled and draft.text.template:
            said_at = draft.text.lines.get("schema", draft.text.lines.get("name"))
            named.append((draft.file, said_at, draft.relation))
    for file, line, relation in named:
        other = made_by.setdefault(relation.key, file)
        if other != file:
            mend = "Rename one of them, or give a model another `schema:`."
            yield Problem(file, line, f"it makes the relation {relation}, and so does {other}", mend)
        if fold(relation.schema) == MARKER_SCHEMA:
            mend = "Choose another folder or `schema:`."
            yield Problem(file, line, f"the schema {MARKER_SCHEMA} is kept for markers", mend)
