"""What `dg scaffold defs leapsql_dagster.LeapSQLProjectComponent` writes."""

import os
from pathlib import Path

import dagster as dg
from pydantic import BaseModel, Field

from leapsql_core import UsageError, start_project

_FOLDER = "sql"
_PYTHON = '''"""The LeapSQL project in {project}."""

from pathlib import Path

import dagster as dg

from leapsql_dagster import LeapSQLProject, LeapSQLProjectComponent


@dg.component_instance
def load(context: dg.ComponentLoadContext) -> LeapSQLProjectComponent:
    """Return the component; what a defs.yaml may say are its arguments."""
    return LeapSQLProjectComponent(project=LeapSQLProject(Path(__file__).parent / {project!r}))
'''


class ScaffoldParams(BaseModel):
    """What is asked of the scaffolder."""

    project_path: str | None = Field(default=None, description="The folder of a LeapSQL project that is there.")
    init: bool = Field(default=False, description="Make a project to begin from, in the folder sql beside the file.")


class LeapSQLProjectScaffolder(dg.Scaffolder[ScaffoldParams]):
    """Writes a `defs.yaml` and, if asked, a project to begin from."""

    @classmethod
    def get_scaffold_params(cls) -> type[ScaffoldParams]:
        """Return what may be asked."""
        return ScaffoldParams

    def scaffold(self, request: dg.ScaffoldRequest[ScaffoldParams]) -> None:
        """Write the files.

        Raises:
            UsageError: a project is to be made and to be there; or files of it are there already.
        """
        given = request.params
        folder = request.target_path.parent if request.append else request.target_path
        if given.init and given.project_path is not None:
            raise UsageError("--init makes a project, and --project-path names one", mend="Give one of them.")
        project = (
            _FOLDER if given.project_path is None else Path(os.path.relpath(given.project_path, folder)).as_posix()
        )
        if given.init:
            start_project(folder / _FOLDER, folder.name)
        if request.scaffold_format == "python":
            (folder / "component.py").write_text(_PYTHON.format(project=project), encoding="utf-8")
        else:
            dg.scaffold_component(request, {"project": project})
