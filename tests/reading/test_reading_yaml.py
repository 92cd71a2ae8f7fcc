"""YAML as this project reads it: plain data, each value with its line, and nothing that surprises."""

from __future__ import annotations

from typing import Any

import pytest

from leapsql_core.documents import read_yaml
from leapsql_core.errors import ProjectError


def problem_of(text: str, *, first_line: int = 1) -> str:
    with pytest.raises(ProjectError) as caught:
        read_yaml(text, file="some.yaml", first_line=first_line)
    (problem,) = caught.value.problems
    return str(problem)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1", 1),
        ("-1", -1),
        ("0", 0),
        ("-0", 0),
        ("1.50", 1.5),
        ("1e3", 1000.0),
        ("-1.5E-2", -0.015),
        ("true", True),
        ("True", True),
        ("FALSE", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("007", "007"),
        ("0x1f", "0x1f"),
        ("0o17", "0o17"),
        ("1_000", "1_000"),
        ("+1", "+1"),
        (".5", ".5"),
        ("1.", "1."),
        (".inf", ".inf"),
        (".NaN", ".NaN"),
        ("12:30", "12:30"),
        ("2026-01-31", "2026-01-31"),
        ("2026-01-31 10:00:00", "2026-01-31 10:00:00"),
        ("NO", "NO"),
        ("yes", "yes"),
        ("on", "on"),
        ("'1'", "1"),
        ('"true"', "true"),
        ("!!str 1", "1"),
        ("! 1", "1"),
        ("!!str ~", "~"),
        ("1" * 5000, "1" * 5000),
        ("[]", []),
        ("{}", {}),
        ("[a, [b], {c: d}]", ["a", ["b"], {"c": "d"}]),
        ("!!seq [a]", ["a"]),
        ("!!map {a: b}", {"a": "b"}),
        ("|\n  two\n  lines", "two\nlines"),
        (">\n  two\n  lines", "two lines"),
        ('"\\u00e9\\ta"', "é\ta"),
    ],
)
def test_a_word_is_a_number_or_a_boolean_only_where_nobody_doubts_it(written: str, value: Any) -> None:
    """Countries, times, dates and agents stay the text they are; so does what only old YAML takes for a number."""
    found = read_yaml(f"key: {written}", file="some.yaml").data["key"]
    assert (found, type(found)) == (value, type(value))


def test_keys_are_text() -> None:
    """Whatever they look like, as in JSON."""
    assert read_yaml("1: a\ntrue: b\n~: c\n2026-01-31: d", file="f").data == {
        "1": "a",
        "true": "b",
        "~": "c",
        "2026-01-31": "d",
    }


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing but a comment\n", "---\n", "--- ~"])
def test_a_text_that_says_nothing_is_an_empty_mapping(text: str) -> None:
    """A file may be empty; what is missing in it is said elsewhere."""
    assert read_yaml(text, file="f").data == {}


def test_every_value_knows_its_line() -> None:
    """Lines count from the first line of the text; what is not there has the line of what is around it."""
    found = read_yaml("a: 1\nb:\n  - c\n  - {d: e,\n     f: g}\nh:\n  i: j\n", file="f", first_line=10)
    assert {path: found.line_of(path) for path in found.lines} == {
        (): 10,
        ("a",): 10,
        ("b",): 11,
        ("b", 0): 12,
        ("b", 1): 13,
        ("b", 1, "d"): 13,
        ("b", 1, "f"): 14,
        ("h",): 15,
        ("h", "i"): 16,
    }
    assert found.line_of(("b", 1, "x", "y")) == found.line_of(("b", 1, "x")) == 13
    assert found.line_of(("x",)) == 10
    assert read_yaml("", file="f", first_line=3).line_of(("a",)) == 3


def test_aliases_repeat_and_merge_keys_merge() -> None:
    """`*name` is the value again; `<<` adds keys that are not written, of several mappings the first one's."""
    text = "a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc: *a\nd:\n  <<: [*a, *b]\n  x: 5\ne: {<<: *b}\nf: {'<<': 1}\n"
    found = read_yaml(text, file="f")
    assert found.data["c"] == {"x": 1, "y": 2}
    assert found.data["d"] == {"x": 5, "y": 2, "z": 4}
    assert found.data["e"] == {"y": 3, "z": 4}
    assert found.data["f"] == {"<<": 1}
    assert found.line_of(("d", "z")) == 5
    assert found.line_of(("d", "x")) == 6


@pytest.mark.parametrize(
    ("text", "cause", "mend"),
    [
        ("a: [", "1: bad YAML: did not find expected node content", "Check indentation, colons and quotes here."),
        ("a: 'b", "1: bad YAML: found unexpected end of stream", "Check indentation, colons and quotes here."),
        (
            "a: b: c",
            "1: bad YAML: mapping values are not allowed in this context",
            "Check indentation, colons and quotes here.",
        ),
        (
            "a:\n\tb: c",
            "2: bad YAML: found character that cannot start any token",
            "Quote the value, and indent with spaces, not tabs.",
        ),
        (
            "a: @b",
            "1: bad YAML: found character that cannot start any token",
            "Quote the value, and indent with spaces, not tabs.",
        ),
        (
            "a: {b: ${C}}",
            "1: bad YAML: did not find expected ',' or '}'",
            'Inside braces and brackets, quote it: "${NAME}".',
        ),
        ("a: 1\nb: 2\na: 3", "3: key `a` stands here twice", "Keep one of them."),
        ("a: {<<: {b: 1}, <<: {b: 2}}", "1: key `<<` stands here twice", "Keep one of them."),
        ("a: &x 1\nb: {<<: *x}", "2: `<<` expects keys and values", "Write `<<: *name`."),
        ("[a]: b", "1: a key must be a word", "Braces? This text is no template: quote them."),
        ("{{ a }}: b", "1: a key must be a word", "Braces? This text is no template: quote them."),
        ("&x a: 1\n*x : 2", "2: a key must be a word", "Braces? This text is no template: quote them."),
        ("- a", "1: expected keys and values", "Write it as `key: value`, one a line."),
        ("\n\nword", "3: expected keys and values", "Write it as `key: value`, one a line."),
        ("a: 1\n---\nb: 2", "2: a second YAML document begins here", "Take the line `---` out."),
        ("a: *b", "1: the alias `*b` repeats nothing", "Write `&b` before."),
        ("a: &b [*b]", "1: the alias `*b` repeats nothing", "Write `&b` before."),
        (
            "a: !!python/name:os.system x",
            "1: the tag `!!python/name:os.system` makes this no plain data",
            "Take it out.",
        ),
        ("a: !!int '3'", "1: the tag `!!int` makes this no plain data", "Take it out."),
        ("a: !mine [b]", "1: the tag `!mine` makes this no plain data", "Take it out."),
        ("a: !!set {b}", "1: the tag `!!set` makes this no plain data", "Take it out."),
        ("a: 1e999", "1: the number `1e999` is too large", "Quote it, if it is a text."),
        ("a: b\nc: \x00", "2: bad YAML: U+0000 is no character of a text", "Take it out."),
        ("a: \ud800", "1: bad YAML: U+D800 is no character of a text", "Take it out."),
    ],
)
def test_what_is_no_plain_data_is_refused(text: str, cause: str, mend: str) -> None:
    """With the line, in words that say what to do."""
    assert problem_of(text) == f"some.yaml:{cause}\n    {mend}"


def test_a_problem_has_the_line_of_the_file_it_stands_in() -> None:
    """A text that begins further down counts on from there."""
    assert problem_of("a: 1\na: 2", first_line=7).startswith("some.yaml:8: ")
    assert problem_of("a: 1\n:b", first_line=7).startswith("some.yaml:8: bad YAML")
    assert problem_of("a: \x07", first_line=7).startswith("some.yaml:7: bad YAML: U+0007")


TOO_LARGE = "too large or too deeply nested\n    Aliases (`*name`) that repeat each other?"


def test_a_text_cannot_grow_without_end() -> None:
    """Aliases of aliases double with every line; nesting has a bottom, also through aliases."""
    bomb = "a0: &a0 [1, 1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
    assert problem_of(bomb) == f"some.yaml:15: {TOO_LARGE}"
    assert problem_of("a: " + "[" * 60 + "]" * 60) == f"some.yaml:1: {TOO_LARGE}"
    ladder = "a0: &a0 [" + "[" * 20 + "]" * 20 + "]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 40))
    assert problem_of(ladder) == f"some.yaml:31: {TOO_LARGE}"
    assert problem_of(f"a: [{'1, ' * 100_000}]") == f"some.yaml:1: {TOO_LARGE}"


def test_what_a_person_writes_is_never_too_large() -> None:
    """Thousands of values, and forty levels, are fine."""
    data = read_yaml("a: " + "[" * 40 + "1" + "]" * 40 + f"\nb: [{'1, ' * 50_000}]", file="f").data
    assert len(data["b"]) == 50_000
