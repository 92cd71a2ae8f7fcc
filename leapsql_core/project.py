"""Reading a project: the only room that opens its files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from leapsql_core.compilation import Compiler, ProjectTexts, SeedFile
from leapsql_core.configuration import CONFIG_FILE, DEFAULT_STATE_PATH, ProjectConfig
from leapsql_core.errors import Problem, ProjectError, WarehouseError
from leapsql_core.frontmatter import frontmatter_line
from leapsql_core.hashing import fingerprint_bytes
from leapsql_core.masking import Secrets
from leapsql_core.models import Model, Project, Source
from leapsql_core.parse_cache import ParseCache
from leapsql_core.rendering import MacroFile
from leapsql_core.warehouses.duckdb.connection import catalog_of, database_path
from leapsql_core.warehouses.duckdb.csv_files import describe_csv
from leapsql_core.warehouses.duckdb.parser import DuckDBParser

if TYPE_CHECKING:
    from leapsql_core.documents import KeyPath

PARSE_CACHE_FILE = "parsed.db"

_MEND_RIGHTS = "Correct its rights, or where the link points to; or take it out."

#: A byte of a file's name that is no UTF-8, as Python shows it.
_SURROGATE = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class LoadedProject:
    """A project as it was read: where it lies, its configuration, itself, and what compiled it."""

    root: Path
    config: ProjectConfig
    project: Project
    compiler: Compiler
    cache: ParseCache


def find_root(start: Path) -> Path:
    """Return the nearest folder with a `leapsql.yaml`, from `start` upwards.

    Raises:
        ProjectError: there is none.
    """
    absolute = start.absolute()
    for folder in (absolute, *absolute.parents):
        if os.path.isfile(folder / CONFIG_FILE):  # which says no, where Path.is_file() may not be allowed to look
            return folder
    mend = "Go to a project, name one with -C, or make one with `leapsql init`."
    raise ProjectError([Problem(CONFIG_FILE, None, f"not found in {absolute} or any folder above it", mend)])


def load_configuration(
    root: Path,
    *,
    environ: Mapping[str, str],
    environment: str | None = None,
    variables: Mapping[str, Any] | None = None,
    cache: ParseCache | None = None,
) -> ProjectConfig:
    """Read the `leapsql.yaml` of the project in `root`; what `cache` holds of it is not read again.

    Raises:
        ProjectError: it is missing or wrong.
        UsageError: it has no environment of that name.
    """
    path = root / CONFIG_FILE
    if not os.path.isfile(path):
        mend = "Make a project with `leapsql init`, or name its folder with -C."
        raise ProjectError([Problem(CONFIG_FILE, None, f"not found in {root}", mend)])
    text, name = _read_text(path, CONFIG_FILE), root.resolve().name or "project"

    def read() -> ProjectConfig:
        # What reads YAML takes long to load.
        from leapsql_core.configuration.reading import read_configuration

        return read_configuration(text, project_name=name, environ=environ, environment=environment)

    config = read() if cache is None else cache.configuration([text, name, environment], read, environ=environ)
    return replace(config, vars={**config.vars, **variables}) if variables else config


def load_project(
    root: Path,
    *,
    environ: Mapping[str, str],
    environment: str | None = None,
    variables: Mapping[str, Any] | None = None,
    state_path: Path | None = None,
    database: str | None = None,
) -> LoadedProject:
    """Read and compile the project in `root`; no warehouse is opened.

    What the parse cache beside the state (`state_path`, else as configured) holds is not parsed again; what is new goes
    there if it is a file by now, and nothing else is written. `database` is built in instead of the target's.

    Raises:
        ProjectError: with every problem of every file.
        UsageError: there is no environment of that name.
    """
    parser = DuckDBParser()
    # Where the state is known only to the configuration: most likely where it is by default.
    cache = _cache_beside(state_path or root / DEFAULT_STATE_PATH, parser)
    config = load_configuration(root, environ=environ, environment=environment, variables=variables, cache=cache)
    if state_path is None and config.state_path != DEFAULT_STATE_PATH:
        cache = _cache_beside(root / config.state_path, parser, secrets=config.secrets)
    if database is not None:
        config = replace(config, target=replace(config.target, database=database))
    texts, problems = _read_texts(root, config, cache)
    compiler = Compiler(
        config,
        texts,
        environ=environ,
        catalog=catalog_of(database_path(config.target, root)),
        analyst=cache,
    )
    try:
        project = compiler.compile()
    except ProjectError as exc:
        raise ProjectError([*problems, *exc.problems]) from exc
    if problems:
        raise ProjectError(problems)
    cache.save(makes=False)
    return LoadedProject(root, config, project, compiler, cache)


def _cache_beside(state_path: Path, parser: DuckDBParser, *, secrets: Secrets = Secrets()) -> ParseCache:
    file = state_path.parent / PARSE_CACHE_FILE
    return ParseCache(file, database=parser, describe=describe_csv, secrets=secrets)


def problem_within(root: Path, node: Model | Source, keys: KeyPath, cause: str, mend: str = "") -> Problem:
    """Return a problem of what `keys` lead to in a model's frontmatter, or in a source's entry of `leapsql.yaml`.

    Its line is found in the file as it is now; there is none if the file cannot be read any more.
    """
    from leapsql_core.configuration.reading import source_line

    file = node.file if isinstance(node, Model) else CONFIG_FILE
    try:
        text = _read_text(root / file, file)
        if isinstance(node, Model):
            line = frontmatter_line(text, keys, file=file)
        else:
            line = source_line(text, node.name, keys)
    except ProjectError:
        # What is wrong with the file by now will be said when it is loaded the next time.
        return Problem(file, None, cause, mend)
    return Problem(file, line, cause, mend)


# ---------------------------------------------------------------------------------------------------------------- files


def _read_texts(root: Path, config: ProjectConfig, cache: ParseCache) -> tuple[ProjectTexts, list[Problem]]:
    problems: list[Problem] = []
    models = {
        found.place: text
        for found in _stream_files(root, config, "models_dir", ".sql", problems)
        if (text := _text_of(found, problems)) is not None
    }
    macros: dict[str, MacroFile] = {}
    for found in _stream_files(root, config, "macros_dir", ".sql", problems):
        if len(found.place.parts) > 1:
            problems.append(Problem(found.file, None, "macro files stand in their folder itself", "Move it up."))
        elif found.place.stem in macros:
            problems.append(Problem(found.file, None, f"another file holds `{found.place.stem}` already", "Rename it."))
        elif (text := _text_of(found, problems)) is not None:
            macros[found.place.stem] = MacroFile(found.file, text)
    seeds: dict[PurePosixPath, SeedFile] = {}
    for found in _stream_files(root, config, "seeds_dir", ".csv", problems):
        seed = _read_seed(found, cache, problems)
        if seed is not None:
            seeds[found.place] = seed
    return ProjectTexts(models, macros, seeds), problems


@dataclass(frozen=True, slots=True)
class _Found:
    """A file: where it lies in its folder, where in the project, and where it can be opened."""

    place: PurePosixPath
    file: str
    path: Path


def _stream_files(
    root: Path, config: ProjectConfig, key: str, ending: str, problems: list[Problem]
) -> Iterator[_Found]:
    """Yield the files of the folder that `key` of `leapsql.yaml` names, sorted; hidden ones are passed over.

    Only the folder of models must be there, and those that are named.
    """
    folder: str = getattr(config, key)
    top = root / folder
    if not os.path.isdir(top):  # which says no, where Path.is_dir() may not be allowed to look
        if key in config.lines or key == "models_dir":
            mend = f"Make the folder, or correct `{key}` in {CONFIG_FILE}."
            problems.append(Problem(CONFIG_FILE, config.lines.get(key), f"the folder `{folder}` does not exist", mend))
        return
    found: list[_Found] = []
    before = (PurePosixPath(folder) / "x").as_posix()[:-1]
    for path, within in _stream_paths(os.fspath(top), frozenset(), problems, shown=folder):
        if not within.casefold().endswith(ending):
            continue
        file = before + within
        if not file.isascii() and _SURROGATE.search(file) is not None:
            shown = file.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
            problems.append(Problem(shown, None, "the name of this file is not UTF-8", "Rename it."))
        else:
            found.append(_Found(PurePosixPath(within), file, Path(path)))
    yield from sorted(found, key=lambda each: each.place.parts)


def _stream_paths(
    folder: str, above: frozenset[str], problems: list[Problem], *, shown: str, within: str = ""
) -> Iterator[tuple[str, str]]:
    """Yield every file in and below a folder that is not hidden, and where it lies in the first of the folders.

    Links are followed, but not in circles.
    """
    real = os.path.realpath(folder)
    if real in above:
        return
    try:
        entries = list(os.scandir(folder))
    except OSError as exc:
        problems.append(Problem(shown, None, f"the folder cannot be read: {exc.strerror}", _MEND_RIGHTS))
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        inner = f"{shown}/{entry.name}"
        try:
            is_folder = entry.is_dir()
        except OSError as exc:  # a link to itself, or to where nobody may look: it may be a folder of models
            problems.append(Problem(inner, None, f"cannot be read: {exc.strerror}", _MEND_RIGHTS))
            continue
        if not is_folder and _is_no_file(entry):
            # A reader of a pipe waits for its writer, and one of a device may never come to an end.
            if entry.name.casefold().endswith((".sql", ".csv")):
                problems.append(Problem(inner, None, "this is no file", "Put a file in its place, or take it out."))
            continue
        if is_folder:
            place = f"{within}{entry.name}/"
            yield from _stream_paths(entry.path, above | {real}, problems, shown=inner, within=place)
        else:
            yield entry.path, within + entry.name


def _is_no_file(entry: os.DirEntry[str]) -> bool:
    """Tell whether an entry is a pipe, a socket or a device; a link to nothing is none of these."""
    try:
        return not entry.is_file() and not entry.is_symlink()
    except OSError:
        return False


def _read_seed(found: _Found, cache: ParseCache, problems: list[Problem]) -> SeedFile | None:
    try:
        content_hash = fingerprint_bytes(found.path.read_bytes())
        return SeedFile(found.file, content_hash, cache.seed_columns(found.path, content_hash))
    except WarehouseError as exc:
        cause = exc.cause.replace(str(found.path), found.file)
        problems.append(Problem(found.file, exc.line, cause, exc.mend or "Write a CSV file with one header line."))
    except OSError as exc:
        problems.append(Problem(found.file, None, f"cannot be read: {exc.strerror}", _MEND_RIGHTS))
    return None


def _text_of(found: _Found, problems: list[Problem]) -> str | None:
    try:
        return _read_text(found.path, found.file)
    except ProjectError as exc:
        problems.extend(exc.problems)
        return None


def _read_text(path: Path, file: str) -> str:
    """Return a file's text, with line ends as LF: what a checkout on another system does to them counts for nothing."""
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise ProjectError([Problem(file, None, f"cannot be read: {exc.strerror}", _MEND_RIGHTS)]) from exc
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        # Where it says is counted from behind the byte order mark, which its own copy is without.
        line = exc.object.count(b"\n", 0, exc.start) + 1
        mend = "Save the file as UTF-8."
        raise ProjectError([Problem(file, line, f"not UTF-8: byte {exc.object[exc.start]:#04x}", mend)]) from exc
    return text.replace("\r\n", "\n")
