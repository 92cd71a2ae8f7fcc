"""What the parse cache keeps, and what not: no secrets, and nothing for ever that serves nobody."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from projects import compile_project
from reading_samples import PARENT, SEED, find_model, load, write_project

from leapsql_core.masking import Secrets
from leapsql_core.models import Column
from leapsql_core.parse_cache import ParseCache
from leapsql_core.sql import KnownInput, scan
from leapsql_core.warehouses.duckdb.parser import DuckDBParser

PARSER = DuckDBParser()
LONG_AGO = 1_000_000_000


def cache_at(file: Path, secrets: dict[str, str] | None = None, columns: tuple[str, ...] = ("a",)) -> ParseCache:
    def describe(path: str) -> tuple[Column, ...]:
        return tuple(Column(name, "VARCHAR") for name in columns)

    return ParseCache(file, database=PARSER, describe=describe, secrets=Secrets(secrets or {}))


def count(file: Path) -> int:
    with closing(sqlite3.connect(file)) as connection:
        return int(connection.execute("SELECT count(*) FROM parsed").fetchone()[0])


@pytest.mark.parametrize("secret", ["hunter2", 'quo"te\\s', "line\nbreak", "HunTer"])
def test_what_holds_a_secret_is_not_kept(tmp_path: Path, secret: str) -> None:
    """Neither a question nor an answer: not in files' names, functions, columns of inputs or of seeds."""
    file = tmp_path / "parsed.db"
    cache = cache_at(file, {"TOKEN": secret}, columns=("id", secret))
    quoted = secret.replace('"', '""')
    texts = [
        f"select * from read_csv('{secret}.csv')",
        f'select "{quoted}"() as x',
        f"select '{secret}' as x from t",
    ]
    for text in texts:
        assert cache.scan(text) == scan(text, database=PARSER)
        cache.lineage(text, {("t",): KnownInput("t", ("a",))})
    cache.lineage("select * from t", {("t",): KnownInput("t", (secret,))})
    cache.lineage("select * from t", {("t",): KnownInput(secret, ("a",))})
    cache.seed_columns(*SEED)
    cache.save()
    assert not file.exists()
    cache.scan("select 1 as x")
    cache.save()
    assert count(file) == 1
    assert secret.encode() not in file.read_bytes()
    assert secret.lower().encode() not in file.read_bytes()


def test_what_holds_none_is_kept(tmp_path: Path) -> None:
    """An empty secret is in everything, and is none."""
    cache = cache_at(tmp_path / "parsed.db", {"TOKEN": "hunter2", "EMPTY": ""})
    cache.scan("select 1 as x")
    cache.save()
    assert count(tmp_path / "parsed.db") == 1


def test_what_is_no_text_of_the_world_can_be_kept(tmp_path: Path) -> None:
    """A variable of the system may hold bytes that are no UTF-8; then saving is no accident."""
    text = "select * from read_csv('\udcff.csv')"
    first = cache_at(tmp_path / "parsed.db")
    said = first.scan(text)
    first.save()
    assert said.files == ("\udcff.csv",)
    assert cache_at(tmp_path / "parsed.db").scan(text) == said


def test_it_makes_room_when_most_of_it_serves_nobody(tmp_path: Path) -> None:
    """Texts of long ago go; those of another branch or environment stay a while."""
    file = tmp_path / "parsed.db"
    for version in range(4):
        cache = cache_at(file)
        for number in range(3):
            cache.scan(f"select {version} as v, {number} as n")
        cache.save()
    assert count(file) == 12
    cache = cache_at(file)
    for number in range(3):
        cache.scan(f"select 'new' as v, {number} as n")
    cache.save()
    assert count(file) == 3


def test_what_is_used_stays_however_old_it_is(tmp_path: Path) -> None:
    """Room is made among the others."""
    file = tmp_path / "parsed.db"
    for version in range(8):
        cache = cache_at(file)
        cache.scan("select 'kept' as x")
        cache.scan(f"select {version} as v")
        cache.save()
    assert count(file) < 10
    again = cache_at(file)
    again.scan("select 'kept' as x")
    before = file.read_bytes()
    again.save()
    assert file.read_bytes() == before


def test_it_may_be_saved_again_and_again(tmp_path: Path) -> None:
    """A long life learns more and forgets what it made room for."""
    file = tmp_path / "parsed.db"
    cache = cache_at(file)
    for number in range(5):
        cache.scan(f"select {number} as old")
    cache.save()
    cache = cache_at(file)
    cache.scan("select 'one' as x")
    cache.save()
    assert count(file) == 1
    cache.scan("select 'two' as x")
    cache.save()
    assert count(file) == 2


def test_a_file_is_read_again_only_when_it_was_touched(tmp_path: Path) -> None:
    """Size, time and inode tell; what was written this moment is read each time, for its time may not tell."""
    data = tmp_path / "data.csv"
    data.write_bytes(b"one")
    cache = cache_at(tmp_path / "parsed.db")
    assert cache.file_hash(data) == hashlib.sha256(b"one").hexdigest()
    data.write_bytes(b"two")
    assert cache.file_hash(data) == hashlib.sha256(b"two").hexdigest()
    os.utime(data, (LONG_AGO, LONG_AGO))
    assert cache.file_hash(data) == hashlib.sha256(b"two").hexdigest()
    cache.save()
    data.write_bytes(b"six")
    os.utime(data, (LONG_AGO, LONG_AGO))
    again = cache_at(tmp_path / "parsed.db")
    assert again.file_hash(data) == hashlib.sha256(b"two").hexdigest()
    os.utime(data, (LONG_AGO + 1, LONG_AGO + 1))
    assert again.file_hash(data) == hashlib.sha256(b"six").hexdigest()
    with pytest.raises(FileNotFoundError):
        again.file_hash(tmp_path / "gone.csv")


def test_a_project_is_the_same_with_a_cache_and_without(tmp_path: Path) -> None:
    """Read twice, saved in between; the cache lies beside the state, wherever that is."""
    files = {
        "models/a.sql": PARENT,
        "models/b.sql": "select *, now() as n from a join codes using (x) join raw.z using (x)",
        "seeds/codes.csv": "x,name\n1,one\n",
    }
    root = write_project(tmp_path / "project", files)
    first = load(root)
    first.cache.save()
    assert (root / ".leapsql/parsed.db").is_file()
    again = load(root)
    assert again.project == first.project
    again.cache.save()
    elsewhere = load(root, state_path=tmp_path / "elsewhere/state.db")
    elsewhere.cache.save()
    assert (tmp_path / "elsewhere/parsed.db").is_file()
    assert elsewhere.project == first.project
    fresh = compile_project(files, root=tmp_path / "compiled")
    assert find_model(fresh, "b").lineage == find_model(first.project, "b").lineage


def test_a_secret_of_a_project_is_not_kept(tmp_path: Path) -> None:
    """Nor anything of the model that prints it."""
    config = "target: {type: duckdb}\nsecrets: TOKEN\n"
    text = "select * from read_csv('s3://{{ env.TOKEN }}@bucket/f.csv')"
    root = write_project(tmp_path, {"leapsql.yaml": config, "models/a.sql": text, "models/b.sql": PARENT})
    loaded = load(root, environ={"TOKEN": "hunter2"})
    loaded.cache.save()
    assert count(root / ".leapsql/parsed.db") == 3
    assert b"hunter2" not in (root / ".leapsql/parsed.db").read_bytes()


def test_reading_keeps_what_it_learned_where_a_run_has_left_a_cache(tmp_path: Path) -> None:
    """Whoever only plans makes no file; but after an edit, or an upgrade, it is the first alone that parses."""
    root = write_project(tmp_path, {"models/a.sql": PARENT})
    file = root / ".leapsql/parsed.db"
    load(root)
    assert not file.parent.exists()
    load(root).cache.save()
    before = file.read_bytes()
    load(root)
    assert file.read_bytes() == before
    (root / "models/b.sql").write_text("select x as other from a")
    load(root)
    known = count(file)
    assert file.read_bytes() != before
    load(root)
    assert count(file) == known
