"""Which process this is, and whether another one of this host is still there."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from leapsql_core.models import Holder

_PROC = Path("/proc")

#: States of a process that has ended, and that its parent has not asked about yet.
_ENDED = frozenset({"Z", "X"})


def this_process(*, proc: Path = _PROC) -> Holder:
    """Return what tells this process from any other, also from a later one of the same number.

    On Linux ``began`` names the start of the system, the namespace that the number holds in (containers have their
    own), and when the process began in it. Elsewhere it is ``None``.
    """
    pid = os.getpid()
    return Holder(socket.gethostname(), pid, _began(pid, proc))


def is_there(holder: Holder, *, proc: Path = _PROC) -> bool | None:
    """Say whether a process goes on; ``None`` if that cannot be told from here.

    It cannot be told of other hosts, of other containers, of a system that was started anew under the same name, nor,
    without ``/proc``, of a process whose number is in use: that may be another's by now.
    """
    here = this_process(proc=proc)
    if holder.host != here.host:
        return None
    if holder == here:
        return True
    if _place(holder.began) != _place(here.began):
        return None
    if holder.began is not None and (began := _began(holder.pid, proc)) is not None:
        return began == holder.began
    return None if _is_in_use(holder.pid) else False


def _began(pid: int, proc: Path) -> str | None:
    """Return when a process began and in which system and namespace, ``None`` if it is gone or not to be seen."""
    try:
        stat = (proc / str(pid) / "stat").read_text(errors="replace")
        boot = (proc / "sys/kernel/random/boot_id").read_text().strip()
        namespace = os.readlink(proc / "self/ns/pid")
    except OSError:
        return None
    # The second field is the program's name in parentheses, and may hold anything.
    fields = stat.rpartition(")")[2].split()
    state, ticks = fields[0], fields[19]
    return f"{boot} {namespace} {'ended' if state in _ENDED else ticks}"


def _place(began: str | None) -> str | None:
    return None if began is None else began.rpartition(" ")[0]


def _is_in_use(pid: int) -> bool:
    """Say whether a process of this number is there; where only a blow would tell, it is taken to be."""
    if os.name != "posix":
        return True  # on Windows signal 0 is Ctrl-C
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # somebody else's
    return True
