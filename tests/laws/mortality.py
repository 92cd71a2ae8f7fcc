"""A process that is killed between any two of its steps: what it committed stays, and nothing comes after."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any

from projects import Lab

from leapsql_core.protocols import StateWriter
from leapsql_core.testing import InMemoryStateStore
from leapsql_core.warehouses.duckdb.transaction import DuckDBTransaction
from leapsql_core.warehouses.duckdb.warehouse import DuckDBWarehouse


class Killed(BaseException):
    """Nobody catches this."""


@dataclass
class Life:
    """How many steps are left; ``None``: as many as you like. A step is a write to the state, or an end of a commit."""

    left: int | None = None

    def step(self) -> None:
        """Take a step, or be dead: then every step ends so, in all threads."""
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Killed


class MortalStore(InMemoryStateStore):
    """A state store to which a dead process writes nothing."""

    def __init__(self, life: Life) -> None:
        super().__init__()
        self.life = life


def _mortal(name: str) -> Callable[..., Any]:
    method = getattr(InMemoryStateStore, name)

    @wraps(method)
    def write(self: MortalStore, *args: Any, **options: Any) -> Any:
        self.life.step()
        return method(self, *args, **options)

    return write


for _name in vars(StateWriter):
    # The heart beats in a thread of its own, whose steps nobody could count.
    if not _name.startswith("_") and _name != "renew_lease":
        setattr(MortalStore, _name, _mortal(_name))


class MortalWarehouse(DuckDBWarehouse):
    """A warehouse in which a process dies before a commit, whose rows are then gone, or right after one."""

    life = Life()

    @contextmanager
    def transaction(self) -> Iterator[DuckDBTransaction]:
        with super().transaction() as transaction:
            yield transaction
            self.life.step()
        self.life.step()


def make_mortal(lab: Lab, life: Life) -> None:
    """Let a laboratory's runs die when `life` ends; its state is replaced by an empty one."""
    warehouse = MortalWarehouse(lab.warehouse._connection, lab.warehouse._settings)
    warehouse.life = life
    lab.warehouse = warehouse
    lose_state(lab, life)


def lose_state(lab: Lab, life: Life) -> None:
    """Replace the state by an empty one."""
    lab.state = MortalStore(life)
    lab.state.open()
    lab.state.init_schema()


def run_and_die(lab: Lab, life: Life, steps: int, **options: Any) -> bool:
    """Run for so many steps; tell whether that was the end of it."""
    life.left = steps
    try:
        lab.run(**options)
    except Killed:
        lab.die()
        return True
    finally:
        life.left = None
    return False
