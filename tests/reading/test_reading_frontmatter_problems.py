"""What is wrong with a frontmatter: all of it at once, each with its line, its cause and its mend."""

from __future__ import annotations

import pytest

from leapsql_core.errors import ProjectError
from leapsql_core.frontmatter import read_model_text

KEYS = (
    "columns, depends_on, description, enabled, group, incremental, materialized, meta, name, owner, schema, tags, "
    "tests, unique_key, volatile"
)
ONE_TEXT = "Write one text, in quotes if need be."
A_LIST = "Write [one, two], or one a line, each behind a dash."
TOKEN = "Quote the value, and indent with spaces, not tabs."
BELOW = "Write `key: value`, one a line, below it."
SOMETHING = "Write something, or take the key out."


def problems_of(text: str) -> list[str]:
    with pytest.raises(ProjectError) as caught:
        read_model_text(text, file="models/a.sql")
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("written", "cause", "mend"),
    [
        ("materialised: view", "unknown key `materialised`", "Did you mean materialized?"),
        ("tag: a", "unknown key `tag`", "Did you mean tags?"),
        ("sql: a", "unknown key `sql`", f"Known keys: {KEYS}."),
        ("schema_: a", "unknown key `schema_`", "Did you mean schema?"),
        ("materialized: veiw", '`materialized`: "veiw" is not one of table, view or incremental', "Did you mean view?"),
        ("materialized: seed", '`materialized`: "seed" is not one of table, view or incremental', "Write one of them."),
        ("name: 3", "`name`: expected text, found 3", 'Quote it: "3".'),
        ("name: ''", '`name`: expected text that is not empty, found ""', SOMETHING),
        ("description: [é]", '`description`: expected text, found ["é"]', ONE_TEXT),
        ("description: [a]", '`description`: expected text, found ["a"]', ONE_TEXT),
        ("unique_key: 1", "`unique_key`: expected a list, found 1", A_LIST),
        ("unique_key: [1]", "`unique_key.0`: expected text, found 1", 'Quote it: "1".'),
        ("unique_key: ['']", '`unique_key.0`: expected text that is not empty, found ""', SOMETHING),
        ("schema: 2024", "`schema`: expected text, found 2024", 'Quote it: "2024".'),
        ("owner: 1.5", "`owner`: expected text, found 1.5", 'Quote it: "1.5".'),
        ("owner: {a: b}", '`owner`: expected text, found {"a": "b"}', ONE_TEXT),
        ("tags: {a: b}", '`tags`: expected a list, found {"a": "b"}', A_LIST),
        ("tags: [[a]]", '`tags.0`: expected text, found ["a"]', ONE_TEXT),
        ("group: [a]", '`group`: expected text, found ["a"]', ONE_TEXT),
        ("meta: x", '`meta`: expected keys and values, found "x"', BELOW),
        ("depends_on: {a: b}", '`depends_on`: expected a list, found {"a": "b"}', A_LIST),
        ("tests: unique", '`tests`: expected a list, found "unique"', A_LIST),
        ("columns: [id]", '`columns`: expected keys and values, found ["id"]', BELOW),
        ("columns: {id: 3}", "`columns.id`: expected text, found 3", 'Quote it: "3".'),
        ("columns: {id: {type: int}}", '`columns.id`: expected text, found {"type": "int"}', ONE_TEXT),
        ("incremental: merge", '`incremental`: expected keys and values, found "merge"', BELOW),
        ("incremental: {strateg: merge}", "unknown key `incremental.strateg`", "Did you mean strategy?"),
        (
            "incremental: {unique_key: a}",
            "unknown key `incremental.unique_key`",
            "Known keys: on_query_change, on_schema_change, partitions, strategy, time_column.",
        ),
        (
            "incremental: {strategy: merg}",
            '`incremental.strategy`: "merg" is not one of append, delete+insert, merge or time_column',
            "Did you mean merge?",
        ),
        (
            "incremental: {on_schema_change: evolve}",
            '`incremental.on_schema_change`: "evolve" is not one of fail, append, sync or ignore',
            "Write one of them.",
        ),
        (
            "incremental: {on_query_change: fail}",
            '`incremental.on_query_change`: "fail" is not one of rebuild or forward_only',
            "Write one of them.",
        ),
        (
            "incremental: {time_column: ''}",
            '`incremental.time_column`: expected text that is not empty, found ""',
            SOMETHING,
        ),
        ("volatile: true", "`volatile`: true is not one of check or ignore", "Write one of them."),
        ("volatile: ignor", '`volatile`: "ignor" is not one of check or ignore', "Did you mean ignore?"),
        ("enabled: yes", '`enabled`: expected true or false, found "yes"', "Write true."),
        ("enabled: Off", '`enabled`: expected true or false, found "Off"', "Write false."),
        ("enabled: maybe", '`enabled`: expected true or false, found "maybe"', "Write true or false."),
        ("enabled: 1", "`enabled`: expected true or false, found 1", "Write true or false."),
        ("owner: @a", "bad YAML: found character that cannot start any token", TOKEN),
        ("- owner", "expected keys and values", "Write it as `key: value`, one a line."),
        ("owner: a\nowner: b", "key `owner` stands here twice", "Keep one of them."),
        ("name: {{ x }}", "a key must be a word", "Braces? This text is no template: quote them."),
    ],
)
def test_what_is_wrong_is_said_with_line_cause_and_mend(written: str, cause: str, mend: str) -> None:
    """One mistake, one problem, in the line that it stands in."""
    last = 3 + written.count("\n")
    assert problems_of(f"/*---\n# first\n{written}\n---*/\nselect 1") == [f"models/a.sql:{last}: {cause}\n    {mend}"]


@pytest.mark.parametrize(
    ("written", "line", "cause", "mend"),
    [
        (
            "materialized: incremental\nincremental:\n  strategy: merge",
            4,
            "the strategy `merge` needs `unique_key`",
            "Add `unique_key: id`, or a list of columns.",
        ),
        (
            "materialized: incremental\nunique_key: []\nincremental: {strategy: delete+insert}",
            4,
            "the strategy `delete+insert` needs `unique_key`",
            "Add `unique_key: id`, or a list of columns.",
        ),
        (
            "materialized: incremental\nincremental: {strategy: time_column}",
            3,
            "the strategy `time_column` needs the column's name",
            "Add `time_column: name` under `incremental`.",
        ),
        (
            "materialized: incremental\nincremental:\n  time_column: day",
            4,
            "`time_column` is for the strategy of that name",
            "Add `strategy: time_column` beside it.",
        ),
        (
            "materialized: incremental\nincremental: {strategy: append, time_column: day}",
            3,
            "`time_column` is for the strategy of that name",
            "Add `strategy: time_column` beside it.",
        ),
    ],
)
def test_a_strategy_that_lacks_something_is_an_error(written: str, line: int, cause: str, mend: str) -> None:
    """Before anything is built, not with the first batch."""
    assert problems_of(f"/*---\n{written}\n---*/\nselect 1") == [f"models/a.sql:{line}: {cause}\n    {mend}"]


def test_all_of_it_is_said_at_once_in_the_order_of_the_file() -> None:
    """Keys, values and tests."""
    text = """

/*---
owner: 3
tests:
  - uniqe: a
  - unique: {colum: a}
  - not_null: id
  - not_null: id
incremental: {x: 1}
tag: a
---*/
select 1
"""
    assert problems_of(text) == [
        'models/a.sql:4: `owner`: expected text, found 3\n    Quote it: "3".',
        "models/a.sql:6: unknown test `uniqe`\n    Did you mean unique?",
        "models/a.sql:7: unknown key `colum`\n    Did you mean column or columns?",
        "models/a.sql:9: the test not_null(id) stands there twice\n    Keep one of them.",
        "models/a.sql:10: unknown key `incremental.x`\n"
        "    Known keys: on_query_change, on_schema_change, partitions, strategy, time_column.",
        "models/a.sql:11: unknown key `tag`\n    Did you mean tags?",
    ]


@pytest.mark.parametrize("text", ["\n/*---\nowner: a\nselect 1", "\n/*--- owner: a --*/ select 1", "\n/*---"])
def test_a_frontmatter_must_end(text: str) -> None:
    """The line is the one that it begins in, for that is all there is."""
    assert problems_of(text) == [
        "models/a.sql:2: the frontmatter does not end\n    End it with a line `---*/`.",
    ]
