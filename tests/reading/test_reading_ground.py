"""The ground that reading stands on: canonical JSON and fingerprints, nearest names, problems and their order."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leapsql_core.errors import Problem, ProjectError, QueryError, WarehouseError
from leapsql_core.hashing import (
    canonical_json,
    column_set_key,
    config_facts,
    data_test_facts,
    fingerprint,
    fingerprint_bytes,
)
from leapsql_core.models import DataTest, IncrementalConfig, ModelConfig
from leapsql_core.names import did_you_mean, last_part, nearest, quote_identifier

LAW = settings(max_examples=60, deadline=None, derandomize=True, database=None)
plain_data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@LAW
@given(plain_data)
def test_canonical_json_is_json_and_reads_back(value: Any) -> None:
    """Whatever it is made of."""
    assert json.loads(canonical_json(value)) == value


@LAW
@given(st.dictionaries(st.text(max_size=3), plain_data, min_size=2, max_size=5), st.randoms(use_true_random=False))
def test_the_order_of_keys_changes_no_fingerprint(value: dict[str, Any], random: Any) -> None:
    """Structure counts, not how it came about."""
    keys = list(value)
    random.shuffle(keys)
    assert fingerprint({key: value[key] for key in keys}) == fingerprint(value)


@LAW
@given(plain_data, plain_data)
def test_different_structures_have_different_fingerprints(one: Any, other: Any) -> None:
    """`[ab]` is not `[a, b]`, and 1 is not true; lists and tuples are the same."""
    assert (fingerprint(one) == fingerprint(other)) == (canonical_json(one) == canonical_json(other))
    assert fingerprint([one, other]) == fingerprint((one, other))
    assert fingerprint([[one], other]) != fingerprint([one, [other]]) or canonical_json([[one], other]) == (
        canonical_json([one, [other]])
    )


@pytest.mark.parametrize("value", [math.nan, math.inf, {"a": [-math.inf]}])
def test_what_json_cannot_say_has_no_fingerprint(value: Any) -> None:
    """It would compare as something that it is not."""
    with pytest.raises(ValueError, match="JSON compliant"):
        fingerprint(value)
    with pytest.raises(TypeError):
        fingerprint({1, 2})


def test_fingerprints_are_sha_256_whole() -> None:
    """Of UTF-8; text that is no Unicode has one too."""
    assert fingerprint("é") == hashlib.sha256('"é"'.encode()).hexdigest()
    assert fingerprint_bytes(b"a") == hashlib.sha256(b"a").hexdigest()
    assert fingerprint("\udcff") != fingerprint("\udcfe")


def test_a_set_of_columns_is_one_whatever_its_order_and_case() -> None:
    """All columns and no columns are two."""
    assert column_set_key(("b", "A", "a")) == column_set_key(("a", "B")) == '["a","b"]'
    assert len({column_set_key(None), column_set_key(()), column_set_key(("*",))}) == 3


def test_the_facts_of_a_configuration_are_what_it_says_beyond_the_defaults() -> None:
    """A release that adds a field changes no hash."""
    assert config_facts(ModelConfig()) == {}
    config = ModelConfig(
        name="n",
        materialized="incremental",
        unique_key=("a", "b"),
        meta={"k": 1},
        incremental=IncrementalConfig("merge", on_schema_change="sync"),
        tests=(DataTest("unique", ("a",)), DataTest("expression", expression="x", severity="warn")),
        enabled=False,
    )
    assert config_facts(config) == {
        "name": "n",
        "materialized": "incremental",
        "unique_key": ["a", "b"],
        "meta": {"k": 1},
        "incremental": {"strategy": "merge", "on_schema_change": "sync"},
        "tests": [
            {"kind": "unique", "columns": ["a"]},
            {"kind": "expression", "expression": "x", "severity": "warn"},
        ],
        "enabled": False,
    }
    assert data_test_facts(DataTest("accepted_values", ("a",), values=(1, "1"))) == {
        "kind": "accepted_values",
        "columns": ["a"],
        "values": [1, "1"],
    }


@LAW
@given(st.text(max_size=8))
def test_a_quoted_identifier_is_one(name: str) -> None:
    """Quotes within are doubled, everything else stands as it is."""
    quoted = quote_identifier(name)
    assert quoted[0] == quoted[-1] == '"'
    assert quoted[1:-1].replace('""', "\0").count('"') == 0
    assert quoted[1:-1].replace('""', '"') == name


def test_the_nearest_names_come_first() -> None:
    """Without regard to case, at most so many, the same in any order of what is known."""
    known = ["orders", "order_items", "Odors", "customers", "ORDERS"]
    assert nearest("ordrs", known) == nearest("ORDRS", reversed(known)) == ["ORDERS", "order_items", "Odors"]
    assert nearest("ordrs", known, most=1) == ["ORDERS"]
    assert nearest("xyz", known) == nearest("xyz", []) == []
    assert did_you_mean("customer", known) == "Did you mean customers?"
    assert did_you_mean("xyz", known) == ""
    assert did_you_mean("xyz", known, otherwise="No.") == "No."
    assert last_part("a.b.c") == last_part("c") == "c"


def test_problems_are_shown_by_file_and_line_each_once() -> None:
    """Those of a whole file come before those of its lines."""
    problems = [
        Problem("b.sql", 2, "late", "mend it"),
        Problem("a.sql", 10, "ten"),
        Problem("a.sql", 9, "nine"),
        Problem("a.sql", None, "whole"),
        Problem("a.sql", 9, "nine"),
    ]
    error = ProjectError(iter(problems))
    assert str(error) == "a.sql: whole\na.sql:9: nine\na.sql:10: ten\nb.sql:2: late\n    mend it"
    assert (len(error.problems), error.cause, error.mend) == (4, str(error), "")


def test_an_error_says_what_is_wrong_and_what_to_do() -> None:
    """Its text is the whole message; parts of it are at hand."""
    error = QueryError("no query", mend="Write one.", line=3)
    assert (str(error), error.cause, error.mend, error.line) == (
        "no query\n    Write one.",
        "no query",
        "Write one.",
        3,
    )
    assert str(WarehouseError("gone")) == "gone"
    assert WarehouseError("held", in_use=True).in_use
