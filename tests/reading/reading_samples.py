"""Short ways to read what a test is about: one model, all complaints, a project on disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import projects
import pytest
from projects import compile_project

from leapsql_core.configuration import ProjectConfig
from leapsql_core.configuration.reading import read_configuration
from leapsql_core.errors import ProjectError
from leapsql_core.hashing import fingerprint_bytes
from leapsql_core.models import Model, Project
from leapsql_core.project import LoadedProject, load_project

TARGET = "target: {type: duckdb}\n"
#: One row of two columns, to be read.
PARENT = "select 1 as x, 2 as y"
#: A file and the hash of its bytes, and another, for who does not care what they hold.
SEED, OTHER_SEED = ((file, fingerprint_bytes(file.read_bytes())) for file in map(Path, (__file__, projects.__file__)))


def compile_model(text: str, files: Mapping[str, str] | None = None, **options: Any) -> Model:
    """Return the model `reader` of a project that holds `files` beside it."""
    return find_model(compile_project({"models/reader.sql": text, **(files or {})}, **options), "reader")


def find_model(project: Project, path: str) -> Model:
    """Return a node that is a model."""
    model = project.nodes[path]
    assert isinstance(model, Model)
    return model


def problems_of(files: Mapping[str, str], **options: Any) -> list[str]:
    """Return all that is wrong with a project, as it is shown."""
    with pytest.raises(ProjectError) as caught:
        compile_project(files, **options)
    return [str(problem) for problem in caught.value.problems]


def model_problems(text: str, files: Mapping[str, str] | None = None, **options: Any) -> list[str]:
    """Return all that is wrong with a project that holds the model `reader`, and `files` beside it."""
    return problems_of({"models/reader.sql": text, **(files or {})}, **options)


def warnings_of(files: Mapping[str, str], **options: Any) -> list[str]:
    """Return what a project that is right is warned of."""
    return [str(problem) for problem in compile_project(files, **options).warnings]


def configure(text: str, *, environ: Mapping[str, str] | None = None, **options: Any) -> ProjectConfig:
    """Read a `leapsql.yaml`."""
    return read_configuration(text, **{"project_name": "folder", "environ": environ or {}, **options})


def configuration_problems(text: str, *, environ: Mapping[str, str] | None = None, **options: Any) -> list[str]:
    """Return all that is wrong with a `leapsql.yaml`."""
    with pytest.raises(ProjectError) as caught:
        configure(text, environ=environ, **options)
    return [str(problem) for problem in caught.value.problems]


def write_project(root: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write files, and a `leapsql.yaml` and a folder of models if there are none."""
    for name, content in {"leapsql.yaml": TARGET, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    if "models_dir" not in str(files.get("leapsql.yaml")):
        (root / "models").mkdir(exist_ok=True)
    return root


def load(root: Path, **options: Any) -> LoadedProject:
    """Read a project from disk."""
    return load_project(root, **{"environ": {}, **options})


def loading_problems(root: Path, **options: Any) -> list[str]:
    """Return all that is wrong with a project on disk."""
    with pytest.raises(ProjectError) as caught:
        load(root, **options)
    return [str(problem) for problem in caught.value.problems]
