"""The program as a whole: what it costs to ask for help, where options may stand, how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import click
import duckdb
import pytest
from cli_shop import PATHS, Program, Shop, Terminal, without_colour

from leapsql_core.cli import commands
from leapsql_core.cli.app import app

HEAVY = {"dagster", "duckdb", "jinja2", "pydantic", "rich", "sqlglot", "sqlite3", "yaml"}


def test_help_loads_no_library_that_a_command_needs() -> None:
    """`leapsql --help` imports click and nothing heavy, so it answers at once."""
    script = "import sys; from leapsql_core.cli import main\ntry: main()\nfinally: print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script, "--help"], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stderr.split()}
    assert "click" in loaded
    assert not loaded & HEAVY


def test_help_of_a_command_that_is_listed_is_that_of_the_command() -> None:
    """The static table says of every command what the command says of itself."""
    for entry in commands.COMMANDS:
        command = commands.load(entry.name)
        assert command is not None
        assert command.name == entry.name
        assert command.get_short_help_str(limit=200) == entry.help


def test_help_lists_every_command_with_its_alias(shop: Shop) -> None:
    """The list of commands is complete, and names the other name of `run`."""
    shown = " ".join(shop.leapsql("--help").out.split())
    for entry in commands.COMMANDS:
        assert f" {entry.name} {entry.help}" in shown
    assert "Also: build." in shown


def test_build_is_another_name_of_run(shop: Shop) -> None:
    """`leapsql build` does what `leapsql run` does."""
    assert shop.leapsql("build", "raw_orders", "--output", "json").facts["status"] == "completed"


def test_no_command_loads_another(program: Program) -> None:
    """A command's module imports what that command needs: `version` opens no database engine."""
    script = "import sys; from leapsql_core.cli import main\ntry: main()\nfinally: print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script, "version"], capture_output=True, text=True, check=True)
    assert not {name.partition(".")[0] for name in done.stderr.split()} & (HEAVY - {"sqlite3"})


@pytest.mark.parametrize("words", [("--env", "prod", "list"), ("list", "--env", "prod")])
def test_options_may_stand_before_or_after_the_command(shop: Shop, words: tuple[str, ...]) -> None:
    """`--env prod list` is `list --env prod`."""
    shop.edit("leapsql.yaml", "{target: {database: .leapsql/prod.duckdb}}", "{target: {schema: live}}")
    assert shop.json(*words)["models"][0]["relation"] == "live.raw_orders"


def test_of_an_option_given_twice_the_later_wins(shop: Shop, tmp_path: Path) -> None:
    """What stands after the command replaces what stands before it, and so does a second one at one place."""
    assert shop.leapsql("--output", "json", "list", "--output", "markdown").out.startswith("| path")
    assert shop.leapsql("--output", "markdown", "list", "--output", "json").out.startswith("{")
    assert shop.leapsql("list", "--output", "json", "--output", "markdown").out.startswith("| path")
    answer = shop.leapsql("-C", str(tmp_path), "list", "-C", str(shop.root))
    assert answer.status == 0


def test_a_folder_inside_the_project_is_as_good_as_its_root(shop: Shop) -> None:
    """`-C` may name any folder of a project."""
    assert shop.leapsql("-C", str(shop.root / "models" / "marts"), "list").status == 0


def test_state_option_keeps_runs_elsewhere(shop: Shop, tmp_path: Path) -> None:
    """`--state` names another state database."""
    elsewhere = tmp_path / "elsewhere.db"
    assert shop.leapsql("run", "--state", str(elsewhere)).status == 0
    assert elsewhere.exists()
    assert not (shop.root / ".leapsql" / "state.db").exists()


def test_an_answer_that_is_piped_is_markdown_and_one_on_a_terminal_is_text(shop: Shop, terminal: Terminal) -> None:
    """`--output auto` looks at standard output."""
    assert shop.leapsql("list").out.startswith("| path")
    shown = terminal("-C", str(shop.root), "list", width=120).out
    assert without_colour(shown).startswith("path             materialized")


def test_text_that_goes_to_a_file_holds_nothing_that_steers_a_terminal(shop: Shop) -> None:
    """`--output text` without a terminal is plain, though somebody asks for colour everywhere."""
    shop.edit("models/marts/totals.sql", "from", "from from")
    for words in (["list"], ["plan"]):
        assert "\x1b" not in shop.text(*words) + shop.leapsql(*words).err


def test_no_color_is_respected(built: Shop, terminal: Terminal) -> None:
    """With NO_COLOR a terminal gets no colours, in answers and in messages."""
    coloured = "\x1b[32m"
    assert coloured in terminal("-C", str(built.root), "plan", "--force").out
    plain = terminal("-C", str(built.root), "plan", "--force", NO_COLOR="1").out
    assert not any(f"\x1b[{code}" in plain for code in range(30, 48))
    assert "\x1b[31;1mError:" in terminal("-C", str(built.root), "why", "nothing").out
    assert terminal("-C", str(built.root), "why", "nothing", NO_COLOR="1").out.startswith("Error:")


# ------------------------------------------------------------------------------------------------------ going wrong


def test_wrong_words_end_with_status_2_and_the_nearest_right_ones(shop: Shop) -> None:
    """A mistyped command, option or name is status 2, and a suggestion."""
    command = shop.leapsql("rnu")
    assert (command.status, "Did you mean run?" in command.err) == (2, True)
    strange = shop.leapsql("xyzzy")
    assert (strange.status, "`leapsql --help` lists the commands" in strange.err) == (2, True)
    assert shop.leapsql("run", "--thread", "1").status == 2
    name = shop.leapsql("run", "custmers")
    assert (name.status, "Did you mean customers" in name.err) == (2, True)
    environment = shop.leapsql("plan", "--env", "prd")
    assert (environment.status, "Did you mean prod?" in environment.err) == (2, True)
    assert shop.leapsql("-C", str(shop.root / "nowhere"), "list").status == 2


def test_a_mistake_is_told_with_its_mend_below_it(shop: Shop) -> None:
    """A message is the cause, and the mend indented below; nothing goes to standard output."""
    answer = shop.leapsql("why", "custmers")
    assert answer.out == ""
    assert answer.err.splitlines() == [
        "Error: there is no model or seed `custmers`",
        "    Did you mean customers or marts.customers?",
    ]


def test_every_problem_of_a_broken_project_is_told_and_counted(shop: Shop) -> None:
    """All problems are listed at once, each with file, line and mend, and the status is 2."""
    shop.write("models/a.sql", "/*---\nmaterialised: table\n---*/\nselect 1 as one")
    shop.write("models/b.sql", "select {{ nothing }} as one")
    answer = shop.leapsql("plan", "--output", "json")
    assert (answer.status, answer.out) == (2, "")
    assert answer.err.startswith("Error: the project has 2 problems\n\n  models/a.sql:2: unknown key `materialised`\n")
    assert "      Did you mean materialized?\n  models/b.sql:1: " in answer.err


def test_one_problem_is_told_without_counting(shop: Shop) -> None:
    """A single problem is a plain message."""
    shop.write("models/a.sql", "/*---\nmaterialised: table\n---*/\nselect 1 as one")
    assert shop.leapsql("plan").err.startswith("Error: models/a.sql:2: unknown key")


def test_outside_of_a_project_the_way_into_one_is_told(tmp_path: Path) -> None:
    """Without a project commands say how to come to one."""
    answer = Shop(tmp_path).leapsql("list")
    assert answer.status == 2
    assert "leapsql init" in answer.err


def test_a_state_that_cannot_be_read_is_status_2(shop: Shop, tmp_path: Path) -> None:
    """A file that is no state is refused with what to do, by commands that read and by those that write."""
    other = tmp_path / "other.db"
    other.write_text("this is no database at all, but it is long enough to be taken for one")
    for command in ("plan", "run"):
        answer = shop.leapsql(command, "--state", str(other))
        assert answer.status == 2
        assert answer.err.startswith("Error: the state")
        assert answer.out == ""


def test_a_warehouse_that_cannot_be_opened_is_status_2(shop: Shop) -> None:
    """A database file that is none is refused, and the run is recorded as failed."""
    shop.write(".leapsql/warehouse.duckdb", "no database")
    answer = shop.leapsql("run", "--output", "json")
    assert (answer.status, answer.out) == (2, "")
    assert answer.err.startswith("Error: the warehouse")
    assert shop.json("history")["runs"][0]["status"] == "failed"


def test_a_file_that_may_not_be_written_is_a_message_not_a_traceback(tmp_path: Path) -> None:
    """What the system refuses is told with the file it is about."""
    (tmp_path / "file").write_text("")
    answer = Shop(tmp_path).leapsql("init", "file/project")
    assert (answer.status, answer.err.count("\n")) == (2, 1)
    assert answer.err.startswith("Error: Not a directory: ")


def test_a_reader_that_goes_away_is_no_error(built: Shop, program: Program) -> None:
    """`leapsql list | head -1` is quiet, and so is a run whose reader is gone: it ends with the run's own status."""
    for words in (["list"], ["run"], ["query", "select * from models a, models b, models c"]):
        reading, writing = os.pipe()
        os.close(reading)
        answer = program.run("-C", str(built.root), *words, stdout=writing)
        os.close(writing)
        assert (answer.status, answer.err) == (0, "")


def test_messages_may_go_nowhere(shop: Shop, program: Program) -> None:
    """Nobody has to read standard error."""
    reading, writing = os.pipe()
    os.close(reading)
    answer = program.run("-C", str(shop.root), "why", "nothing", stderr=writing)
    os.close(writing)
    assert answer.status == 2


def test_a_name_that_the_output_has_no_letters_for_is_escaped(shop: Shop, program: Program) -> None:
    """An encoding without umlauts breaks nothing, and JSON stays JSON."""
    shop.write("models/grün.sql", "select 1 as eins")
    environ = {**os.environ, "PYTHONIOENCODING": "ascii"}
    answer = program.run("-C", str(shop.root), "list", "--output", "json", env=environ)
    assert "grün" in [model["path"] for model in answer.facts["models"]]
    assert "gr\\xfcn" in program.run("-C", str(shop.root), "list", env=environ).out


# -------------------------------------------------------------------------------------------------------- interruption


def wait_for(database: Path, question: str) -> None:
    """Wait until a question to a SQLite file has an answer."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if database.exists():
            with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
                try:
                    if connection.execute(question).fetchone():
                        return
                except sqlite3.OperationalError:
                    pass
        time.sleep(0.02)
    raise AssertionError("it never came to that")


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_is_cancelled_cleanly(
    built: Shop, program: Program, sent: signal.Signals, status: int
) -> None:
    """Ctrl-C, though pressed twice, ends a run: recorded as cancelled, told by the status, and nothing half built."""
    slow = "select count(*) as n from range(100000000) a, range(100000) b where hash(a.range, b.range) % 7 = 1\n"
    built.write("models/slow.sql", slow)
    built.write("models/after.sql", "select n from slow\n")
    state = built.root / ".leapsql" / "state.db"
    process = program.start("-C", str(built.root), "run", "--output", "json")
    wait_for(
        state, "SELECT 1 FROM model_runs JOIN models ON models.id = model_id WHERE path = 'slow' AND status = 'running'"
    )
    process.send_signal(sent)
    process.send_signal(sent)
    try:
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
    assert (process.returncode, err) == (status, "cancelled\n")
    with closing(sqlite3.connect(state)) as connection:
        runs = connection.execute("SELECT status FROM runs ORDER BY started_at").fetchall()
    assert runs == [("completed",), ("cancelled",)]
    with closing(duckdb.connect(str(built.root / ".leapsql" / "warehouse.duckdb"), read_only=True)) as warehouse:
        made = {name for (name,) in warehouse.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    assert not made & {"slow", "after"}
    facts = json.loads(out)
    assert facts["status"] == "cancelled"
    assert {model["path"] for model in facts["models"]} == {*PATHS, "slow", "after"}
    assert {model["path"]: model["reason"] for model in facts["models"]}["after"] == "cancelled"


def hears_the_signal_to_end(pid: int) -> bool:
    """Tell whether a process catches SIGTERM: a command does from its beginning on, Python by itself does not."""
    caught = re.search(r"^SigCgt:\s*([0-9a-f]+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return caught is not None and bool(int(caught[1], 16) >> (signal.SIGTERM - 1) & 1)


def test_an_interrupted_question_is_status_130(shop: Shop, program: Program) -> None:
    """Ctrl-C ends a command that only reads, too, without a traceback."""
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    process = program.start("--state", str(shop.root / "none.db"), "query", endless)
    while not hears_the_signal_to_end(process.pid):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    try:
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, out) == (130, "")
    assert "cancelled" in err
    assert "Traceback" not in err


def test_a_command_may_run_outside_of_the_main_thread(shop: Shop) -> None:
    """Where no signal can be caught commands work all the same."""
    answers: list[int] = []
    thread = threading.Thread(target=lambda: answers.append(shop.leapsql("list").status))
    thread.start()
    thread.join()
    assert answers == [0]


def test_the_group_is_what_the_console_script_calls() -> None:
    """`main` runs the group by its own name."""
    assert isinstance(app, click.Group)
    assert app.list_commands(click.Context(app)) == [entry.name for entry in commands.COMMANDS]
