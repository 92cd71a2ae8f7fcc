"""Build the flights project through its Dagster job, twice, and show what happened."""

import sqlite3
from contextlib import closing
from pathlib import Path

import dagster as dg
from definitions import changed_models, defs
from rich.console import Console
from rich.table import Table

STATE = Path(__file__).parent / ".leapsql" / "state.db"
LATEST_RUN = """
    SELECT m.path, m.materialized, r.status, r.reason, r.rows_affected, r.execution_ms
    FROM model_runs r JOIN models m ON m.id = r.model_id
    WHERE r.run_id = (SELECT id FROM runs ORDER BY started_at DESC LIMIT 1)
    ORDER BY r.sequence
"""
RESULTS = {"success": "[green]built[/]", "skipped": "[dim]skipped[/]", "failed": "[red]failed[/]"}


def main() -> None:
    """Run twice; then say how to go on."""
    console = Console()
    console.print("\n[bold]Flights that left New York in 2013, through a Dagster job[/]")
    succeeded = run()
    show(console, "The first run")
    if not succeeded:
        raise SystemExit(1)
    run()
    show(console, "The same again")
    console.print("\nOpen it in the Dagster UI:     [bold]make dev[/]   then http://localhost:3000")
    console.print("Or from the command line:      [bold].venv/bin/leapsql -C example_project plan[/]")
    console.print(f"Or look into the state:        [bold]sqlite3 {STATE.relative_to(Path.cwd())}[/]\n")


def run() -> bool:
    """Run the changed-models job once, without Dagster's log on the screen."""
    job = defs.get_repository_def().get_job(changed_models.name)
    quiet = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
    with dg.DagsterInstance.get() as instance:
        return job.execute_in_process({**job.run_config, **quiet}, instance=instance, raise_on_error=False).success


def show(console: Console, title: str) -> None:
    """Show the latest run, as the state tells it."""
    with closing(sqlite3.connect(STATE)) as state:
        rows = state.execute(LATEST_RUN).fetchall()
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    for name in ("model", "is a", "result", "why"):
        table.add_column(name)
    table.add_column("rows", justify="right")
    table.add_column("ms", justify="right")
    for path, materialized, status, reason, affected, milliseconds in rows:
        numbers = ("" if value is None else f"{value:,}" for value in (affected, milliseconds))
        table.add_row(path, materialized, RESULTS.get(status, status), reason, *numbers)
    built = sum(1 for row in rows if row[2] == "success")
    console.print()
    console.print(table)
    console.print(f"{built} built, {sum(1 for row in rows if row[2] == 'skipped')} skipped")


if __name__ == "__main__":
    main()
