"""Which process has a lease, and whether it is still there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from leapsql_core.execution.processes import is_there, this_process
from leapsql_core.models import Holder

HOLDER = """
import sys
from leapsql_core.execution.processes import this_process
holder = this_process()
print(holder.host, holder.pid, holder.began, sep="\\t", flush=True)
sys.stdin.readline()
"""

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells when a process began")


@pytest.fixture
def other() -> Iterator[tuple[Holder, subprocess.Popen[str]]]:
    """Another process, which lives until it is killed, and as what it knows itself."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        host, pid, began = process.stdout.readline().rstrip("\n").split("\t")
        yield Holder(host, int(pid), None if began == "None" else began), process
        process.kill()


def test_this_process_is_there() -> None:
    """It is always the same one, and knows itself."""
    assert this_process() == this_process()
    assert this_process().pid == os.getpid()
    assert is_there(this_process()) is True


@on_linux
def test_another_process_is_there_until_it_ends(other: tuple[Holder, subprocess.Popen[str]]) -> None:
    """One that was killed is gone at once, also while its parent has not asked about it."""
    holder, process = other
    assert is_there(holder) is True
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert Path(f"/proc/{process.pid}").exists()
    assert is_there(holder) is False
    process.wait()
    assert is_there(holder) is False


@on_linux
def test_a_later_process_of_the_same_number_is_another(other: tuple[Holder, subprocess.Popen[str]]) -> None:
    """The number is given out again; when the process began tells."""
    holder, _ = other
    assert holder.began is not None
    place = holder.began.rpartition(" ")[0]
    assert is_there(replace(holder, began=f"{place} 1")) is False


@on_linux
@pytest.mark.parametrize("part", [0, 1])
def test_what_lies_elsewhere_cannot_be_seen(part: int) -> None:
    """Nor what ran before this system was started, nor in another container, though the host is called the same."""
    here = this_process()
    assert here.began is not None
    parts = here.began.split(" ")
    parts[part] += "0"
    assert is_there(replace(here, began=" ".join(parts))) is None
    assert is_there(replace(here, began=None)) is None
    assert is_there(replace(here, host=f"not {here.host}")) is None


def test_without_proc_a_number_in_use_may_be_anybodys(
    other: tuple[Holder, subprocess.Popen[str]], tmp_path: Path
) -> None:
    """As on macOS: that a process is gone can be told, that it is the same one cannot."""
    holder, process = replace(other[0], began=None), other[1]
    assert this_process(proc=tmp_path).began is None
    assert is_there(this_process(proc=tmp_path), proc=tmp_path) is True
    assert is_there(holder, proc=tmp_path) is None
    process.kill()
    process.wait()
    assert is_there(holder, proc=tmp_path) is False
