"""The account of a run: what is known of it as it goes on, and the page that tells what came of it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from leapsql_core.cli.notices import deferral_facts, say_notices, stream_notices
from leapsql_core.cli.options import Settings
from leapsql_core.cli.output import form_of, show
from leapsql_core.cli.pages import paragraph
from leapsql_core.cli.results import Result, recorded_result, result_facts, stream_result_blocks, summary, test_facts
from leapsql_core.cli.retry import retry_line
from leapsql_core.planning import Plan
from leapsql_core.retries import Left
from leapsql_core.session import Session
from leapsql_core.state import open_state_reader


@dataclass(slots=True)
class Account:
    """What is known of a run as it goes on; ``results`` by path, in the order they ended.

    ``left`` is what it takes up again, if it is asked to.
    """

    left: Left | None = None
    run_id: str = ""
    status: str = "running"
    plan: Plan | None = None
    adopted: tuple[str, ...] = ()
    results: dict[str, Result] = field(default_factory=dict)
    interruption: KeyboardInterrupt | None = None


def show_account(
    settings: Settings,
    session: Session,
    account: Account,
    plan: Plan,
    *,
    seconds: float,
    verbose: bool,
    tested: bool,
) -> None:
    """Show what came of every model that `plan` decided on: a page, or JSON."""
    results = _in_order(session, account, plan)
    facts = {
        "run_id": account.run_id,
        "environment": session.project.environment,
        "status": account.status,
        "models": [_facts(result, tested=tested) for result in results],
        **({} if account.left is None else {"retries": account.left.run_id}),
        **deferral_facts(session.project),
    }
    page = [
        *stream_result_blocks(results, verbose=verbose),
        *paragraph([] if account.left is None else [retry_line(account.left, list(plan.decisions))]),
        *paragraph(stream_notices(session.project, plan, adopted=account.adopted, tested=tested, verbose=verbose)),
        *paragraph([summary(results, seconds=seconds)]),
    ]
    if form_of(settings.output) == "json":
        say_notices(session.project, plan, adopted=account.adopted, tested=tested)
    show(settings.output, page, facts)


def _facts(result: Result, *, tested: bool) -> dict[str, Any]:
    """Return a result as it stands in JSON, with what each test found where tests were asked for."""
    found = {"tests": [test_facts(test) for test in result.tests]} if tested else {}
    return {**result_facts(result), **found}


def _in_order(session: Session, account: Account, plan: Plan) -> list[Result]:
    """Return what came of every selected model, parents first; the state knows what no event could tell any more."""
    nodes, results = session.project.nodes, dict(account.results)
    if account.interruption is not None:
        with closing(open_state_reader(session.state_path)) as state:
            paths = {model.id: model.path for model in state.list_models()}
            for model_run in state.get_model_runs_for_run(account.run_id):
                path = paths[model_run.model_id]
                if path not in results:
                    results[path] = recorded_result(path, model_run, file=nodes[path].file)
    return [results[path] for path in plan.decisions if path in results]
