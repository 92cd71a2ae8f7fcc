"""`leapsql render`."""

from __future__ import annotations

import sys

import click

from leapsql_core.cli.opening import find_model, open_project
from leapsql_core.cli.options import Settings, command
from leapsql_core.cli.output import form_of, show, write
from leapsql_core.errors import UsageError
from leapsql_core.names import printable


@command("render")
@click.argument("model")
@click.option("--incremental", is_flag=True, help="The query of a batch: `is_incremental()` is true.")
@click.option("--resolved", is_flag=True, help="With names replaced by relations, as it runs.")
def render(settings: Settings, *, model: str, incremental: bool, resolved: bool) -> int:
    """Print the SQL of a model.

    Nothing else is printed, so it can be piped. Secrets are masked; values of a run stand as 1970-01-01.
    """
    session = open_project(settings)
    node = find_model(session.project, model)
    query = node.incremental_query if incremental else node.query
    if query is None:
        raise UsageError(f"{node.path} is a {node.materialized}: it has no batches", mend="Leave --incremental out.")
    sql = session.project.secrets.mask(query.resolved if resolved else query.rendered)
    if form_of(settings.output) == "json":
        show(settings.output, [], {"path": node.path, "sql": sql})
    else:
        text = sql.rstrip("\n") + "\n"
        # What is piped is the query to the letter; on a terminal nothing in it may steer.
        write(printable(text) if sys.stdout.isatty() else text)
    return 0
