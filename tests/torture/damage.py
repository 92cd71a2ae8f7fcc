"""States that are damaged at random: whoever reads them says so in plain words, and what was built is not lost."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

from tests.torture.account import Account
from tests.torture.processes import Ended, Launcher
from tests.torture.stage import Stage, Standing

_PAGE = 4096


def damage(content: bytes, chance: random.Random) -> tuple[str, bytes]:
    """Return a file's content with some damage, and in words what it is."""
    found, size = bytearray(content), len(content)
    pages = size // _PAGE
    match chance.randrange(6):
        case 0:
            places = [chance.randrange(size) for _ in range(1 + chance.randrange(30))]
            for place in places:
                found[place] ^= 1 << chance.randrange(8)
            return f"bits turned at {places}", bytes(found)
        case 1:
            page = chance.randrange(pages)
            found[page * _PAGE : (page + 1) * _PAGE] = bytes(_PAGE)
            return f"page {page} of zeros", bytes(found)
        case 2:
            end = chance.randrange(size)
            return f"cut off at {end}", bytes(found[:end])
        case 3:
            one, other = chance.randrange(pages), chance.randrange(pages)
            found[one * _PAGE : (one + 1) * _PAGE] = content[other * _PAGE : (other + 1) * _PAGE]
            return f"page {other} in the place of {one}", bytes(found)
        case 4:
            place = chance.randrange(100)
            found[place] ^= 1 + chance.randrange(255)
            return f"another byte {place} in the header", bytes(found)
        case _:
            place, count = chance.randrange(size), 1 + chance.randrange(2000)
            found[place : place + count] = chance.randbytes(count)
            return f"{count} bytes of anything at {place}", bytes(found[:size])


def damage_states(folder: Path, launcher: Launcher, account: Account, *, seed: int, tries: int) -> None:
    """Damage copies of a state, so often: ask for a plan, a check and a run, then go on without it."""
    chance = random.Random(seed)
    stage = Stage(folder / "damaged", launcher)
    for tick in (1, 2):
        stage.feed([(key, key % 3, tick, key * tick, f"2026-01-0{tick}") for key in range(1, 9)])
        assert stage.run().status == 0
    kept = folder / "kept"
    shutil.copytree(stage.database.parent, kept)
    sound, before = stage.state.read_bytes(), stage.look()
    for number in range(tries):
        shutil.rmtree(stage.database.parent)
        shutil.copytree(kept, stage.database.parent)
        says, content = damage(sound, chance)
        account.story = f"damage {number}: {says}"
        stage.state.write_bytes(content)
        _judge(stage, launcher, account, before)
        account.survived("damaged states met")


def _judge(stage: Stage, launcher: Launcher, account: Account, before: Standing) -> None:
    root = str(stage.root)
    check = launcher.run("-C", root, "state", "check", "--output", "text")
    answers = {
        "plan": launcher.run("-C", root, "plan"),
        "history": launcher.run("-C", root, "history"),
        "run": stage.run(),
    }
    for command, ended in {"state check": check, **answers}.items():
        account.expect(ended.is_told_plainly, f"`{command}` ended with {ended}")
    if any("the state" in ended.err for ended in answers.values()):
        account.expect(check.status != 0, f"`state check` names no damage: {check}")
    _compare(account, stage.look(), before, "a run on a damaged state")
    for file in stage.state.parent.glob("state.db*"):
        file.unlink()
    _expect_nothing_to_do(account, stage.run())
    _compare(account, stage.look(), before, "a run after the damaged state was moved away")


def _expect_nothing_to_do(account: Account, ended: Ended) -> None:
    account.expect(ended.status == 0, f"without the damaged state a run ended with {ended}")


def _compare(account: Account, seen: Standing, before: Standing, after: str) -> None:
    """Nothing has changed in the source, so nothing may change in what was built."""
    for name in sorted({*seen.holdings, *before.holdings}):
        held = seen.holdings.get(name)
        if held is None or held.rows != before.holdings[name].rows:
            account.complain("losses", f"{name} is another after {after}: {held}")
