"""Branches and continuous integration: what differs from production, built in an environment of its own."""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from leapsql_core import UsageError, choose, defer
from leapsql_dagster.loading import projects_of
from leapsql_dagster.resource import LeapSQLResource
from leapsql_dagster.settings import MODE_TAG


def changed_keys(
    assets: Sequence[dg.AssetsDefinition], *, select: str | Sequence[str] = (), exclude: str | Sequence[str] = ()
) -> list[dg.AssetKey]:
    """Return the assets that the environment deferred to does not hold just so, parents first.

    Those are what changed, and what lies below it, of a selection as on the command line. Production's state is
    compared, not the commit: what was merged and not built yet counts as changed. Nothing is written.

    Raises:
        UsageError: the project of `assets` defers to no environment, or is read as that one itself.
        SelectionError: a word of the selection selects nothing.
    """
    words, without = ([said] if isinstance(said, str) else [*said] for said in (select, exclude))
    found: list[dg.AssetKey] = []
    for loaded in projects_of(assets):
        session = loaded.session
        base = loaded.project.base_of(session)
        if base is None:
            to = loaded.project.defer_to or "no environment"
            raise UsageError(
                f"the project is read as {session.project.environment}, and defers to {to}",
                mend="Give its LeapSQLProject the environment of the branch, and defer_to that of production.",
            )
        chosen = choose(session, words, exclude=without, look=False)
        built = defer(session, base, selection=chosen).project.nodes
        found += [key for key, path in loaded.paths.items() if path in built and path in chosen]
    return found


def build_changed(
    assets: Sequence[dg.AssetsDefinition],
    *,
    select: str | Sequence[str] = (),
    exclude: str | Sequence[str] = (),
    also: Sequence[Any] = (),
    resource: LeapSQLResource | None = None,
    resource_key: str = "leapsql",
    instance: dg.DagsterInstance | None = None,
    raise_on_error: bool = True,
) -> dg.ExecuteInProcessResult | None:
    """Build what differs from production, in this process; ``None`` if nothing does.

    `also` are other assets that these need to be resolved, and that are not run.

    Raises:
        UsageError: see `changed_keys`.
        Failure: models failed, unless `raise_on_error` is false: then the result tells.
    """
    keys = changed_keys(assets, select=select, exclude=exclude)
    if not keys:
        return None
    return dg.materialize(
        [*assets, *also],
        selection=keys,
        resources={resource_key: resource or LeapSQLResource()},
        instance=instance,
        tags={MODE_TAG: "changed"},
        raise_on_error=raise_on_error,
    )
