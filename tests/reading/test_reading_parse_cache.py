"""The parse cache: what it says is right or absent; it can be damaged, deleted or shared, and keeps no secret."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reading_samples import OTHER_SEED, SEED

import leapsql_core
from leapsql_core import sql
from leapsql_core.errors import QueryError, WarehouseError
from leapsql_core.hashing import fingerprint_bytes
from leapsql_core.masking import Secrets
from leapsql_core.models import Column
from leapsql_core.parse_cache import ParseCache, origin
from leapsql_core.sql import KnownInput
from leapsql_core.warehouses.duckdb.csv_files import describe_csv
from leapsql_core.warehouses.duckdb.parser import DuckDBParser

PARSER = DuckDBParser()
INPUTS = {("t",): KnownInput("t", ("a", "b")), ("s", "u"): KnownInput("raw.u", None)}
QUERIES = [
    "select t.a, count(*) as n, now() as at, u.* from t join s.u as u on t.a = u.a where t.b > 1 group by all limit 3",
    "with q as (select a + b as c from t) select c, 'x' as \"d e\", nope from q, 'f.csv'",
    "select x'ab' as h from s.u",
    "select 1 as é",
]
AsNobody = Callable[[], AbstractContextManager[None]]


class Database:
    """A parser that counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def table_names(self, text: str) -> Any:
        self.asked += 1
        return PARSER.table_names(text)

    def read(self, text: str) -> Any:
        return PARSER.read(text)


class Reader:
    """A cache, and how often it had to ask."""

    def __init__(self, file: Path | None, *, secrets: Secrets = Secrets(), columns: str = "ab") -> None:
        self.database, self.described = Database(), 0
        self.columns = columns
        self.cache = ParseCache(file, database=self.database, describe=self.describe, secrets=secrets)

    def describe(self, path: str) -> tuple[Column, ...]:
        self.described += 1
        return tuple(Column(name, "VARCHAR") for name in self.columns)

    def answers(self) -> list[object]:
        """Ask everything."""
        scans = [self.cache.scan(text) for text in QUERIES]
        lineages = [self.cache.lineage(text, INPUTS) for text in QUERIES]
        return [*scans, *lineages, self.cache.seed_columns(*SEED)]


def right_answers() -> list[object]:
    scans = [sql.scan(text, database=PARSER) for text in QUERIES]
    return [*scans, *(sql.lineage(text, INPUTS) for text in QUERIES), ("a", "b")]


def filled(file: Path, **options: Any) -> Path:
    reader = Reader(file, **options)
    reader.answers()
    reader.cache.save()
    return file


def entries(file: Path) -> dict[str, str]:
    with closing(sqlite3.connect(file)) as connection:
        return dict(connection.execute("SELECT key, value FROM parsed").fetchall())


def test_what_it_says_again_is_what_was_said_first(tmp_path: Path) -> None:
    """The same records, from memory and from the file; and then nothing is parsed."""
    file = tmp_path / "not" / "there" / "parsed.db"
    first = Reader(file)
    assert first.answers() == right_answers() == first.answers()
    assert (first.database.asked, first.described) == (3, 1)
    first.cache.save()
    again = Reader(file)
    assert again.answers() == right_answers()
    assert (again.database.asked, again.described) == (0, 0)


def test_nothing_is_written_until_it_is_saved(tmp_path: Path) -> None:
    """Planning, loading and sensors only read."""
    file = tmp_path / "parsed.db"
    Reader(file).answers()
    assert not file.exists()


def test_without_a_file_it_remembers_for_its_own_life() -> None:
    """And saving does nothing."""
    reader = Reader(None)
    assert reader.answers() == right_answers()
    reader.cache.save()
    reader.answers()
    assert reader.described == 1


def test_what_cannot_be_read_is_said_anew_each_time(tmp_path: Path) -> None:
    """Errors are not kept."""
    file = tmp_path / "parsed.db"

    def no_csv(path: str) -> tuple[Column, ...]:
        raise WarehouseError(f"{path} is no CSV")

    for _ in range(2):
        cache = ParseCache(file, database=PARSER, describe=no_csv)
        with pytest.raises(QueryError, match="syntax error"):
            cache.scan("select a b c")
        with pytest.raises(WarehouseError, match="no CSV"):
            cache.seed_columns(*SEED)
        cache.save()
    assert not file.exists()


def test_another_question_has_another_answer(tmp_path: Path) -> None:
    """Another text by a byte, other columns of an input, another name of it, other bytes of a seed."""
    filled(tmp_path / "parsed.db")
    reader = Reader(tmp_path / "parsed.db", columns="xyz")
    assert reader.cache.scan("select * from t").references[0].parts == ("t",)
    assert reader.cache.scan("select * from  t").references[0].spans[0].start == 15
    for columns in (("a",), ("b", "a"), ("a", "b", "c"), None):
        inputs = {("t",): KnownInput("t", columns)}
        assert reader.cache.lineage("select * from t", inputs) == sql.lineage("select * from t", inputs)
    named = {("t",): KnownInput("other", ("a", "b"))}
    assert reader.cache.lineage("select * from t", named).reads[0].table == "other"
    assert reader.cache.seed_columns(*SEED) == ("a", "b")
    assert reader.cache.seed_columns(*OTHER_SEED) == ("x", "y", "z")


def test_the_rows_of_a_seed_are_loaded_once(tmp_path: Path) -> None:
    """For the same bytes under the same settings, also where nobody can tell their version; a failure is not kept."""
    asked: list[str] = []

    def load(version: str | None) -> Callable[[], str | None]:
        def answer() -> str | None:
            asked.append(str(version))
            return version

        return answer

    def fail() -> str | None:
        raise WarehouseError("no CSV")

    file = tmp_path / "parsed.db"
    for _ in range(2):
        cache = ParseCache(file, database=PARSER, describe=lambda path: ())
        with pytest.raises(WarehouseError, match="no CSV"):
            cache.seed_rows("other hash", {}, fail)
        assert cache.seed_rows("hash", {}, load("a")) == "a"
        assert cache.seed_rows("hash", {"default_collation": "nocase"}, load("b")) == "b"
        assert cache.seed_rows("third hash", {}, load(None)) is None
        cache.save()
    assert asked == ["a", "b", "None"]


def test_a_seed_that_changes_while_it_is_read_is_an_error_that_is_not_kept(tmp_path: Path) -> None:
    """Else its columns would be taken for those of the bytes that were there before, and for ever."""
    seed = tmp_path / "s.csv"
    seed.write_bytes(b"a\n1\n")

    def describe(path: str) -> tuple[Column, ...]:
        columns = describe_csv(path)
        seed.write_bytes(b"b\n1\n")
        return columns

    cache = ParseCache(tmp_path / "parsed.db", database=PARSER, describe=describe)
    with pytest.raises(WarehouseError, match="the file changed while it was read"):
        cache.seed_columns(seed, fingerprint_bytes(b"a\n1\n"))
    assert cache.seed_columns(seed, fingerprint_bytes(b"b\n1\n")) == ("b",)


@pytest.mark.parametrize("library", ["sqlglot", "duckdb", "jinja2", "markupsafe", "pydantic", "pyyaml"])
def test_another_version_of_a_library_asks_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    """It may read a text otherwise; going back finds what was there."""
    filled(tmp_path / "parsed.db")
    real = origin.version
    with monkeypatch.context() as patch:
        patch.setattr(origin, "version", lambda name: "99.0" if name == library else real(name))
        newer = Reader(tmp_path / "parsed.db")
        newer.answers()
        assert newer.described == 1
        newer.cache.save()
    again = Reader(tmp_path / "parsed.db")
    again.answers()
    assert again.described == 0


def test_all_code_that_takes_part_in_an_answer_is_where_it_is_looked_for() -> None:
    """What moved would be left out in silence, and its answers of before would stand."""
    package = Path(leapsql_core.__file__).parent
    assert [name for name in origin._MODULES if not (package / name).is_file()] == []
    assert [name for name in origin._ROOMS if not (package / name / "__init__.py").is_file()] == []


def test_another_database_s_parser_asks_anew(tmp_path: Path) -> None:
    """Its code takes part in the answers."""
    filled(tmp_path / "parsed.db")
    cache = ParseCache(tmp_path / "parsed.db", database=PARSER, describe=lambda path: (Column("z", "INTEGER"),))
    assert cache.seed_columns(*SEED) == ("z",)


ROTTEN = [
    b"",
    b"no database at all, but long enough to be taken for the beginning of one, perhaps, by somebody" * 20,
    b"SQLite format 3\x00" + b"\xff" * 4096,
]


@pytest.mark.parametrize("content", ROTTEN)
def test_a_file_that_is_no_cache_is_done_without(tmp_path: Path, content: bytes) -> None:
    """Everything is worked out; what is there is left alone, or written over if it is empty."""
    file = tmp_path / "parsed.db"
    file.write_bytes(content)
    reader = Reader(file)
    assert reader.answers() == right_answers()
    reader.cache.save()
    assert Reader(file).answers() == right_answers()
    assert not content or file.read_bytes() == content


def test_a_database_of_someone_else_is_done_without(tmp_path: Path) -> None:
    """Its tables are left alone."""
    file = tmp_path / "parsed.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE parsed (other INTEGER)")
        connection.execute("INSERT INTO parsed VALUES (1)")
        connection.commit()
    reader = Reader(file)
    assert reader.answers() == right_answers()
    reader.cache.save()
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT * FROM parsed").fetchall() == [(1,)]


def test_a_folder_in_its_place_is_done_without(tmp_path: Path) -> None:
    """So is a place that cannot be made."""
    (tmp_path / "parsed.db").mkdir()
    (tmp_path / "file").write_text("")
    for file in (tmp_path / "parsed.db", tmp_path / "file" / "parsed.db"):
        reader = Reader(file)
        assert reader.answers() == right_answers()
        reader.cache.save()


def test_a_place_that_may_not_be_read_or_written_is_done_without(
    open_folder: Path, without_privileges: AsNobody
) -> None:
    """A read-only checkout works, it is only slower."""
    file = filled(open_folder / "shut" / "parsed.db")
    for rights in (0o555, 0):
        file.parent.chmod(rights)
        with without_privileges():
            reader = Reader(file)
            assert reader.answers() == right_answers()
            reader.cache.scan("select 1 as more")
            reader.cache.save()
    file.parent.chmod(0o755)
    assert Reader(file).answers() == right_answers()


@pytest.mark.parametrize(
    "value",
    ["", "[]", "{}", "null", "[[],[],[],[],null]", '["z"]', '"z"', "no json", "[" * 5000, 3, b"bytes", None],
)
def test_a_value_that_was_changed_is_worked_out_anew(tmp_path: Path, value: object) -> None:
    """Whatever stands there instead, and written anew."""
    file = filled(tmp_path / "parsed.db")
    sound = entries(file)
    with closing(sqlite3.connect(file)) as connection:
        if value is None:
            connection.execute("UPDATE parsed SET value = substr(value, 1, 16)")
        else:
            connection.execute("UPDATE parsed SET value = ?", [value])
        connection.commit()
    reader = Reader(file)
    assert reader.answers() == right_answers()
    reader.cache.save()
    assert entries(file) == sound


def test_an_answer_to_another_question_is_none_to_this_one(tmp_path: Path) -> None:
    """Values that changed places are worked out anew."""
    file = filled(tmp_path / "parsed.db")
    with closing(sqlite3.connect(file)) as connection:
        keys = [key for (key,) in connection.execute("SELECT key FROM parsed ORDER BY key")]
        values = [value for (value,) in connection.execute("SELECT value FROM parsed ORDER BY key DESC")]
        connection.executemany("UPDATE parsed SET value = ? WHERE key = ?", zip(values, keys, strict=True))
        connection.commit()
    assert Reader(file).answers() == right_answers()


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=4))
def test_no_bit_can_change_unnoticed(tmp_path: Path, changes: list[tuple[float, int]]) -> None:
    """Bytes of the file may rot anywhere; what is said stays right."""
    file = tmp_path / "parsed.db"
    file.unlink(missing_ok=True)
    (tmp_path / "parsed.db-journal").unlink(missing_ok=True)
    content = bytearray(filled(file).read_bytes())
    for where, mask in changes:
        content[int(where * len(content))] ^= mask
    file.write_bytes(content)
    reader = Reader(file)
    assert reader.answers() == right_answers()
    reader.cache.save()
    assert Reader(file).answers() == right_answers()


def test_two_may_save_at_once(tmp_path: Path) -> None:
    """What each learned is there afterwards; one that finds the file held gives up, and nothing breaks."""
    file = tmp_path / "parsed.db"
    one, other = Reader(file), Reader(file)
    one.cache.scan("select 1 as one")
    other.cache.scan("select 2 as other")
    one.cache.save()
    other.cache.save()
    assert len(entries(file)) == 2


def test_that_nobody_can_tell_is_an_answer_too(tmp_path: Path) -> None:
    """Rows of a seed that have no version are not loaded again to find that out."""
    file, asked = tmp_path / "parsed.db", 0

    def load() -> None:
        nonlocal asked
        asked += 1

    for _ in range(2):
        cache = Reader(file).cache
        assert cache.seed_rows("hash", {}, load) is None
        cache.save()
    assert asked == 1
