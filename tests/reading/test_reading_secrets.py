"""Secrets: values of variables that `secrets:` lists show nowhere; they are counted by digest."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from projects import compile_project
from reading_samples import find_model, problems_of, warnings_of

from leapsql_core.masking import Secrets

SECRETS = "target: {type: duckdb, database: '${DB:-x}'}\nsecrets: [TOKEN, KEY]\n"


def digest(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:12]


@pytest.mark.parametrize(
    ("values", "text", "masked"),
    [
        ({}, "as it is", "as it is"),
        ({"A": "one"}, "one, one and ones", "{A:one}, {A:one} and {A:one}s"),
        ({"A": "one", "B": "oneself"}, "oneself one", "{B:oneself} {A:one}"),
        ({"A": "one", "B": "one"}, "one", "{A:one}"),
        ({"A": "", "B": "b"}, "ab", "a{B:b}"),
        ({"A": ""}, "ab", "ab"),
        ({"A": "a.*[x"}, "a.*[x aaax", "{A:a.*[x} aaax"),
        ({"A": "two\nlines"}, "'two\nlines'", "'{A:two\nlines}'"),
        ({"A": "secret", "B": "A"}, "secret", "{A:secret}"),
        ({"A": "\udcff"}, "x\udcff", "x{A:\udcff}"),
    ],
)
def test_a_value_is_replaced_by_its_name_and_digest(values: dict[str, str], text: str, masked: str) -> None:
    """Everywhere it stands; of two that begin in one place the longer; what was put in is not looked at again."""
    expected = masked
    for name, value in sorted(values.items()):
        expected = expected.replace(f"{{{name}:{value}}}", f"<secret {name} {digest(value)}>")
    assert Secrets(values).mask(text) == expected


TEXTS = st.text(st.sampled_from("abc<> \n'"), min_size=1, max_size=6)


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(st.dictionaries(st.sampled_from(["T1", "T2", "T3"]), TEXTS, max_size=3), st.lists(TEXTS, max_size=6))
def test_no_value_survives(values: dict[str, str], parts: list[str]) -> None:
    """What is left between the masks holds no secret, and two different secrets give different texts."""
    masked = Secrets(values).mask("".join(parts))
    left = masked
    for name, value in values.items():
        left = left.replace(f"<secret {name} {digest(value)}>", "\0")
    for value in values.values():
        assert value not in left


def test_a_secret_is_counted_by_its_digest() -> None:
    """Another value is another text; a value that comes back is the same text again."""
    files = {"leapsql.yaml": SECRETS, "models/a.sql": "select '{{ env.TOKEN }}' as x"}
    hashes = [
        find_model(compile_project(files, environ={"TOKEN": value}), "a").content_hash
        for value in ("one", "two", "one")
    ]
    assert hashes[0] == hashes[2] != hashes[1]
    project = compile_project(files, environ={"TOKEN": "one"})
    assert (
        project.secrets.mask(find_model(project, "a").query.rendered) == f"select '<secret TOKEN {digest('one')}>' as x"
    )


def test_the_hash_is_of_the_masked_text() -> None:
    """So nobody can try values against the hashes that the state keeps of a text, but for the digest itself."""
    masked = f"select '<secret TOKEN {digest('one')}>' as x"
    hidden = compile_project(
        {"leapsql.yaml": SECRETS, "models/a.sql": "select '{{ env.TOKEN }}' as x"}, environ={"TOKEN": "one"}
    )
    plain = compile_project({"models/a.sql": masked})
    assert find_model(hidden, "a").content_hash == find_model(plain, "a").content_hash


def test_a_variable_that_is_not_listed_is_no_secret() -> None:
    """It shows as it is."""
    files = {"leapsql.yaml": SECRETS, "models/a.sql": "{% if true %}\nselect '{{ env.OTHER }}' x y{% endif %}"}
    (problem,) = problems_of(files, environ={"OTHER": "shown", "TOKEN": "t0ken"})
    assert "`select 'shown' x y`" in problem


@pytest.mark.parametrize(
    "text",
    [
        "select {{ env[env.TOKEN] }}",
        "select {{ var(env.TOKEN) }}",
        "select {{ this[env.TOKEN] }}",
        "{{ env.TOKEN }} 1",
        "{% if true %}\nselect '{{ env.TOKEN }}' x y{% endif %}",
        "select x from {{ env.TOKEN }}.one",
        "/*---\ntests: [relationships: {column: no, to: raw.hunter2}]\n---*/\nselect 1 as x",
    ],
)
def test_no_complaint_shows_a_secret(text: str) -> None:
    """Whatever goes wrong with it."""
    files = {
        "leapsql.yaml": SECRETS,
        "models/a.sql": text,
        "models/hunter2/one.sql": "/*---\nenabled: false\n---*/\nselect 1 as x",
    }
    (problem,) = problems_of(files, environ={"TOKEN": "hunter2"})
    assert "hunter2" not in problem
    assert f"<secret TOKEN {digest('hunter2')}>" in problem


def test_no_warning_shows_a_secret() -> None:
    """What sqlglot trips over is quoted in one."""
    files = {"leapsql.yaml": SECRETS, "models/a.sql": "select x'ab' as {{ env.TOKEN }} from raw.t, '{{ env.TOKEN }}' z"}
    (warning,) = warnings_of(files, environ={"TOKEN": "hunter2"})
    assert "hunter2" not in warning


def test_a_line_that_is_quoted_is_masked_before_it_is_cut() -> None:
    """Half a secret is one too; where masking moves lines, none is quoted."""
    files = {"leapsql.yaml": SECRETS, "models/a.sql": "{% if true %}\nselect '{{ env.TOKEN }}' x y{% endif %}"}
    long = "s3cret" * 20
    (problem,) = problems_of(files, environ={"TOKEN": long})
    assert "s3cret" not in problem
    assert f"`select '<secret TOKEN {digest(long)}>' x y`" in problem
    (problem,) = problems_of(files, environ={"TOKEN": "two\nlines"})
    assert problem == (
        'models/a.sql:1: syntax error at or near "y" (line 2 of what the template renders to)\n'
        "    Check commas, brackets and keywords just before this place."
    )
