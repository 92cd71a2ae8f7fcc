from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sql_samples import read_samples

from leapsql_core.sql import same_tokens
from leapsql_core.sql.tokens import RESERVED, Token, lex

#: Texts beside the corpus, full of what a lexer may trip over.
ODDITIES = [
    'SELECT 1 AS Select, 2 AS "Select", t.Order, t.desc FROM t',
    "SELECT {'Select': 1, 'a': b}.Select, {'From': x}",
    "SELECT a[1:2], a[:b], a[b:], a[-1], a[b:c:d] FROM t",
    "SELECT f(x := 1, y => 'z'), struct_pack(a := 1), f(All := 2)",
    "SELECT x -> 'a' ->> 'b', x->'a', x ->> 1",
    "SELECT -1, - 1, +1, 1-1, 1 - -1, 2*-3, a<-1, a < -1, a=-1, a||-1",
    "SELECT 1e5, 1E-5, 1.5e+3, .5, 5., 1_000, 0x1F, 1e, 1ex, 1 e - 5",
    "SELECT 'it''s', 'a' || 'b', e'x\\'y', x'ab', $$d'd$$, $t$ $$ $t$, N'x', U&'x'",
    "SELECT 'a' 'b'",
    "SELECT 'a'\n'b'",
    "SELECT a::int, a :: varchar(10), CAST(a AS decimal(10,2)), date '2020-01-01', date'2020-01-01', interval '1' day",
    "SELECT lambda x: x + 1, list_transform(a, x -> x + 1), list_transform(a, lambda x, i: x + i)",
    "SELECT a !~~ b, a !~ 'b', a ^@ b, a @> b, a <@ b, a && b, a // b, a ** b, a ^ b, a <=> b, a <-> b, @a, ~a, !a"
    ", a !",
    "SELECT * EXCLUDE (a, b) REPLACE (c AS d), t.*, count(*), count( * ), COLUMNS(*), t. * FROM t",
    "SELECT array[1,2], ARRAY(SELECT 1), MAP {'a': 1}, row(1,2)",
    "SELECT #1, #2 FROM t ORDER BY #1",
    "SELECT ?, $1, $name",
    'SELECT "a""b", "c d".e, "F" FROM "x".y',
    "SELECT a -- x\n, b --y\nFROM t -- end",
    "SELECT a /* c */ FROM /* d */ t /* e */",
    "SELECT a /* one /* two */ three */ FROM t",
    "SELECT a --x\r FROM t",
    "SELECT a\xa0FROM t -- '\xa0",
    "SELECT '\u3000' /* ' */, '\u200b'",
    "SELECT a:: /**/int, a::/**/int, a+/**/b, a*/**/b, a--b",
    "SELECT 1 AS a,2as b,'x'as c",
    "SELECT a FROM(SELECT 1)t WHERE a IN('x')AND b",
    'SELECT prefix: a, "q": b, c:d FROM t',
    "SELECT CAST(a AS Enum('x')), a COLLATE Nocase",
    "SELECT NULL, null, Null, TRUE, fAlSe",
    "SELECT 1;;",
    "SELECT `a`, a\\b, a$b, a€b, 'a€b'",
    "SELECT a FROM t LIMIT 10% OFFSET 5",
    "VALUES (1, 'a'), (2, 'b')",
    "",
    ";",
    "SELECT 'unterminated",
    'SELECT "unterminated',
    "SELECT /* unterminated",
    "SELECT \x00",
]
CORPUS = [sample.sql for sample in read_samples("corpus.sql")]
LAYOUTS = [" ", "\n", "\t", "  ", "\r\n", " -- c\n", ' /* it\'s "x" */ ', " --\n", "\f", " /* ; */ ", "\n\n", " -- é\n"]
WORDS = """
select Select from as AS where End desc all table order in x T now 1 's' "q" . : :: := => -> ( ) [ ] { } , * - -- /* */
+ < > = <- || ' " $ $$ e' \\ # @ ? ! % ^ & | ~ ` ; 1e 1e+ 1_0 5. .5 0x _ E N U& x' not null is lambda array any
"""
SPACES = ["\n", "\r", "\r\n", "\t", "\v", "\xa0", "\u200b", "\x00", "é", "𝒳", " ", "-- c\n", "/* ' */", "/* a /* b */"]
PIECES = [*WORDS.split(), *SPACES]


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as connection:
        yield connection


def _without_places(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _without_places(value) for key, value in node.items() if not key.startswith("query_location")}
    return [_without_places(item) for item in node] if isinstance(node, list) else node


def _parse(sql: str, database: duckdb.DuckDBPyConnection) -> Any:
    """Return DuckDB's parse tree less the places, or the word error."""
    try:
        row = database.execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).fetchone()
    except duckdb.Error:
        return "error"
    document = json.loads(row[0]) if row else {"error": True}
    return "error" if document["error"] else _without_places(document)


class Mutator:
    """Rewrites text: its layout, the case of its words, or any of its characters."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def layout(self, sql: str, *, everywhere: bool = True) -> str:
        """Put other space and comments where there is space, and some where there is none."""
        done = []
        for token in lex(sql).tokens:
            if token.spaced or (everywhere and self._random.random() < 0.2):
                done.append(self._random.choice(LAYOUTS))
            done.append(token.text)
        return "".join(done) + self._random.choice(["", ";", " ;", "\n", " -- z", "/* z */"])

    def case(self, sql: str, *, others: float = 0.03) -> str:
        """Change the case of reserved words, and now and then of others."""
        done, position = [], 0
        for token in lex(sql).tokens:
            chance = 0.6 if token.word in RESERVED else others
            text = token.text.swapcase() if token.kind == "word" and self._random.random() < chance else token.text
            done += [sql[position : token.start], text]
            position = token.end
        return "".join([*done, sql[position:]])

    def characters(self, sql: str) -> str:
        """Insert, take out or replace a few characters."""
        for _ in range(self._random.choice([1, 1, 2])):
            place = self._random.randrange(len(sql) + 1)
            length = self._random.choice([0, 0, 1, 2])
            piece = self._random.choice([*PIECES, ""])
            sql = sql[:place] + piece + sql[place + length :]
        return sql

    def any_of_them(self, sql: str) -> str:
        """Do some of this."""
        for change in self._random.choices([self.layout, self.case, self.characters], weights=[3, 2, 2], k=2):
            sql = change(sql)
        return sql


@settings(max_examples=2000, derandomize=True, deadline=None, database=None)
@given(base=st.sampled_from(CORPUS + ODDITIES), spoil=st.booleans(), seed=st.integers(0, 2**32))
def test_what_has_the_same_tokens_has_the_same_parse_tree(
    database: duckdb.DuckDBPyConnection, base: str, spoil: bool, seed: int
) -> None:
    """Whenever tokens are called the same, DuckDB parses both texts to one tree, or neither."""
    mutator = Mutator(seed)
    first = mutator.characters(base) if spoil else base
    second = mutator.any_of_them(first)
    if same_tokens(first, second):
        assert _parse(first, database) == _parse(second, database)


@settings(max_examples=400, derandomize=True, deadline=None, database=None)
@given(sql=st.sampled_from(CORPUS), seed=st.integers(0, 2**32))
def test_layout_comments_and_the_case_of_reserved_words_do_not_matter(sql: str, seed: int) -> None:
    """Queries as people write them stay the same under any layout and comments between tokens, in either case."""
    mutator = Mutator(seed)
    assert same_tokens(sql, mutator.layout(sql, everywhere=False))
    assert same_tokens(mutator.layout(mutator.case(sql, others=0), everywhere=False), sql)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("select a, b from t", "SELECT a,b\nFROM t"),
        ("select a from t", "select a -- why\nfrom t;"),
        ("select a from t", "/* head */ select/**/a\tfrom\r\nt ; ; -- tail"),
        ("select f(a, b)::int", "select f( a,b ) :: int"),
        ("select a.b from t where a=1 and b<>'x'", "select a . b from t where a = 1 AND b <> 'x'"),
        ("select {'a':1,'b':c}, [1,2][1:2]", "select { 'a' : 1, 'b': c } , [ 1, 2 ] [ 1 : 2 ]"),
        ("select case when a then 1 else 2 end", "SELECT CASE WHEN a THEN 1 ELSE 2 END"),
        ("select a from t order by a desc limit 1", "select a from t ORDER by a DESC LIMIT 1"),
        ("with x as (select 1) select * from x", "WITH x AS (SELECT 1)\n\nSELECT * FROM x"),
        ("select a -> 'b' from t", "select a->'b' from t"),
        ("select 1_000, .5, 5., 1.5E-3, 0xfF", "select 1_000,.5,5.,1.5E-3,0xfF;"),
    ],
)
def test_ordinary_rewriting_is_seen_through(a: str, b: str) -> None:
    """What formatters and people do to a text leaves its tokens the same."""
    assert same_tokens(a, b)
    assert same_tokens(b, a)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("select A from t", "select a from t"),
        ("select 1 as Select", "select 1 as select"),
        ("select t.Order from t", "select t.order from t"),
        ("select f(All := 1)", "select f(all := 1)"),
        ("select f(All => 1)", "select f(all => 1)"),
        ("select From: 1", "select from: 1"),
        ("select Table.a from t", "select table.a from t"),
        ("select 'a' 'b'", "select 'a'\n'b'"),
        ("select 'a'  'b'", "select 'a' 'b'"),
        ("select a < -1", "select a <-1"),
        ("select a || -1", "select a ||-1"),
        ("select 1e-5", "select 1e - 5"),
        ("select 1 .5", "select 1.5"),
        ("select a:: /**/int", "select a::/**/int"),
        ("select x -> 'a' ->>/**/'b'", "select x -> 'a' ->> 'b'"),
        ("select date'2020-01-01'", "select date '2020-01-01'"),
        ("select 1as a", "select 1 as a"),
        ("select 1e", "select 1e;"),
        ("select 1.5e", "select 1.5e -- x"),
        ("select 1e+", "select 1e+\n"),
        ("select a /* b /* c */ */", "select a"),
        ("select a -- b\r, c", "select a"),
        ("select a\xa0from t", "select a from t"),
        ("select $$a$$", "select  $$a$$"),
        ("select a$b", "select  a$b"),
        ("select `a`", "select  `a`"),
        ("select 'x", "select  'x"),
        ("select a /* x", "select a"),
        ("select a", "select a, b"),
        ('select "a"', "select a"),
        ("select 1", "select '1'"),
        ("select t. *", "select t.*"),
        ("select # 1", "select #1"),
    ],
)
def test_what_may_mean_something_else_is_not_proven(a: str, b: str) -> None:
    """A different name, value or operator, and whatever DuckDB's versions read in their own ways, proves nothing."""
    assert not same_tokens(a, b)
    assert not same_tokens(b, a)


def test_equal_bytes_are_equal_whatever_they_are() -> None:
    """Odd text is the same as itself."""
    assert all(same_tokens(sql, sql) for sql in ODDITIES)


def test_reserved_words_are_reserved_in_this_duckdb(database: duckdb.DuckDBPyConnection) -> None:
    """Case is folded only for words that can be no name here."""
    rows = database.execute("SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category = 'reserved'").fetchall()
    assert {word for (word,) in rows} >= RESERVED


@pytest.mark.parametrize(
    ("sql", "texts"),
    [
        ("a.b . c", ["a", ".", "b", ".", "c"]),
        ("1e-5 1e - 5 .5 t.5 5.", ["1e-5", "1e", "-", "5", ".5", "t", ".5", "5."]),
        ("a+--b\n+c", ["a", "+", "+", "c"]),
        ("'it''s'\"q\"\"\"", ["'it''s'", '"q"""']),
        ("a::b a:=b {'a':1}", ["a", "::", "b", "a", ":=", "b", "{", "'a'", ":", "1", "}"]),
        ("$$a'$$ $t$ $$ $t$ e'\\''", ["$$a'$$", "$t$ $$ $t$", "e'\\''"]),
        ("a/* 'x' -- */b", ["a", "b"]),
        ('é𝒳 "é"', ["é𝒳", '"é"']),
        ("<= <- ||-", ["<=", "<-", "||-"]),
    ],
)
def test_text_falls_apart_into_tokens(sql: str, texts: list[str]) -> None:
    """Comments and space fall away, and every token knows its place."""
    tokens = lex(sql).tokens
    assert [token.text for token in tokens] == texts
    assert all(sql[token.start : token.end] == token.text for token in tokens)


def test_a_token_knows_its_name() -> None:
    """Words and quoted identifiers name something, in their own case; others nothing."""
    word, quoted, string = lex('Abc "D""e" \'f\'').tokens
    assert [token.name for token in (word, quoted, string)] == ["Abc", 'D"e', ""]
    assert [token.word for token in (word, quoted, string)] == ["abc", "", ""]
    assert word == Token("word", "Abc", 0, 3, False)
