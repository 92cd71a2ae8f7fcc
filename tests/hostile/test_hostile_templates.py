"""Templates: each comes to an end, of itself or by an error with its place; what is done is counted, not timed."""

from __future__ import annotations

import pytest
from reading_samples import compile_model, model_problems

from leapsql_core.rendering import allowance

TURNS = "the template does not come to an end: it took 20,000 turns of loops and calls"
VALUES = "the template makes too much: more than 4,000,000 characters and values"
LONG = "the template makes a text or a list of more than 10,000,000 characters or values"
DIGITS = "the template makes a number of thousands of digits"
DEEP = "values nest more than 200 levels deep"
CALLS = "the template nests too deep, or its macros call each other without end"


@pytest.fixture
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Smaller allowances, for to spend a whole one takes a while."""
    monkeypatch.setattr(allowance, "MOST_TURNS", 20_000)
    monkeypatch.setattr(allowance, "MOST_VALUES", 4_000_000)


soon = pytest.mark.usefixtures("_soon")


def cause_of(template: str, **files: str) -> str:
    (problem,) = model_problems(template, files)
    place, _, rest = problem.partition(": ")
    assert place.startswith("models/reader.sql:")
    assert "\n    " in rest
    return rest.partition("\n")[0]


@soon
@pytest.mark.parametrize(
    "template",
    [
        "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
        "{% for a in range(100000) %}{% for b in range(100000) if b < 0 %}{% endfor %}{% endfor %}",
        "{% set r = range(100000) %}{% for a in r %}{{ r | map('abs') | sum }}{% endfor %}",
        "{% set r = range(100000) %}{% for a in r %}{{ r | select('odd') | list | length }}{% endfor %}",
    ],
)
def test_a_loop_in_a_loop_ends(template: str) -> None:
    """Also where nothing comes of its turns, and where a filter does the looping."""
    assert cause_of(template) == TURNS


@pytest.mark.parametrize(
    ("template", "cause"),
    [
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", CALLS),
        ("{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}", CALLS),
        ("{% block a %}{{ self.a() }}{% endblock %}", CALLS),
        ("{% set n = namespace(a=1) %}{% for i in range(300) %}{% set n.a = [n.a] %}{% endfor %}{{ n.a }}", DEEP),
        ("{% set n = namespace(a=1) %}{% for i in range(300) %}{% set n.a = (n.a,) %}{% endfor %}{{ {n.a: 1} }}", DEEP),
    ],
)
def test_what_calls_itself_ends(template: str, cause: str) -> None:
    """So does what holds itself."""
    assert cause_of(template) == cause


@pytest.mark.parametrize(
    "expression",
    [
        "'a' * 10 ** 9",
        "10 ** 9 * 'a'",
        "[0] * 10 ** 9",
        "(0,) * 10 ** 9",
        "'%1000000000d' % 1",
        "'%.1000000000f' % 1",
        "'%1000000000d' | format(1)",
        "'{:1000000000}'.format(1)",
        "'{:{}}'.format(1, 1000000000)",
        "'{a:1000000000}'.format_map({'a': 1})",
        "'a' | center(1000000000)",
        "'a' | indent(1000000000)",
        "'a'.center(1000000000)",
        "'a'.ljust(1000000000)",
        "'a'.rjust(1000000000)",
        "'1'.zfill(1000000000)",
        "'\\t'.expandtabs(1000000000)",
        "(1).to_bytes(1000000000, 'big')",
        "[1] | batch(1000000000, 0) | list",
        "[1] | slice(1000000000) | list",
        "{'a': 1} | tojson(indent=1000000000)",
        "('a' * 10000).replace('a', 'b' * 10000)",
        "('a' * 10000) | replace('a', 'b' * 10000)",
        "('a' * 10000).replace('', 'b' * 10000)",
        "('a' * 10000).join('b' * 10000)",
        "('a' * 10000) | join('b' * 10000)",
        "('a' * 10000).translate({97: 'b' * 10000})",
        "('a ' * 10000) | wordwrap(1, true, 'b' * 10000)",
        "('%(a)s' * 10000) % {'a': 'b' * 10000}",
    ],
)
def test_no_text_is_made_that_eats_the_memory(expression: str) -> None:
    """By whatever way: it is refused before it is made."""
    assert cause_of(f"select 1 as x,\n  {{{{ {expression} }}}}") == LONG


@pytest.mark.parametrize("expression", ["10 ** 10000000", "9999999 ** 9999999", "1 | round(10000000, 'ceil')"])
def test_no_number_is_made_that_takes_for_ever(expression: str) -> None:
    """Whose digits nobody would read."""
    assert cause_of(f"{{{{ {expression} }}}}") == DIGITS


@soon
@pytest.mark.parametrize(
    ("step", "cause"),
    [
        ("n.a ~ n.a", VALUES),
        ("n.a + n.a", VALUES),
        ("n.a.replace('a', 'aa')", VALUES),
        ("'%s%s' % (n.a, n.a)", VALUES),
        ("'{0}{0}'.format(n.a)", VALUES),
        ("(n.a | list) | join(n.a)", LONG),
        ("[n.a, n.a]", VALUES),
        ("{1: n.a, 2: n.a}", VALUES),
    ],
)
def test_what_doubles_with_each_turn_ends(step: str, cause: str) -> None:
    """Thirty turns would fill any memory, and sixty outlast anybody."""
    template = (
        f"{{% set n = namespace(a='aaaaaaaa') %}}{{% for i in range(60) %}}{{% set n.a = {step} %}}{{% endfor %}}"
    )
    assert cause_of(template + "{{ n.a }}") == cause


@soon
@pytest.mark.parametrize("compared", ["n.a == n.b", "n.a in [n.b]", "n.a is eq(n.b)", "n.a < n.b"])
def test_what_is_compared_ends(compared: str) -> None:
    """Two values that were made alike are compared part by part."""
    grow = "{% set n.a = [n.a, n.a] %}{% set n.b = [n.b, n.b] %}"
    template = f"{{% set n = namespace(a=[1], b=[1]) %}}{{% for i in range(60) %}}{grow}{{% endfor %}}"
    assert cause_of(f"{template}{{% if {compared} %}}{{% endif %}}") == VALUES


@soon
def test_slices_and_searches_of_what_is_large_end() -> None:
    """Each is quick, and a loop of them is not."""
    large = "{% set text = 'a' * 100000 %}{% for i in range(100000) %}"
    for step in ("text[1:]", "text.count('b')", "'b' in text", "text | length"):
        assert cause_of(f"{large}{{% if {step} %}}{{% endif %}}{{% endfor %}}") == VALUES


@soon
def test_the_text_in_a_loop_counts() -> None:
    """A page of text, a hundred thousand times."""
    assert cause_of("{% for i in range(100000) %}" + "x" * 10_000 + "{% endfor %}") == VALUES


@soon
def test_what_a_macro_does_counts_where_it_is_called() -> None:
    """The place is the line in the macro, and that of the call."""
    loops = "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}"
    macro = f"{{% macro m() %}}\n{loops}{{% endmacro %}}"
    (problem,) = model_problems("select\n {{ lib.m() }}", {"macros/lib.sql": macro})
    assert problem.startswith(f"macros/lib.sql:2: {TURNS}, called from models/reader.sql:2\n")


@pytest.mark.parametrize("expression", ["'%*d' % (9, 1)", "'%.*f' % (9, 1)", "'a'.encode('idna')", "'a' | urlize"])
def test_what_cannot_be_weighed_beforehand_is_refused(expression: str) -> None:
    """There is another way to write each."""
    assert cause_of(f"select {{{{ {expression} }}}}")


def test_a_whole_allowance_is_a_million_turns() -> None:
    """A template that is only long stays far below it."""
    cause = cause_of("{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}")
    assert cause == TURNS.replace("20,000", "1,000,000")


def test_templates_that_do_much_are_rendered() -> None:
    """Thousands of columns, each looked for in a list of thousands."""
    template = """{% set left_out = range(2000) | map('string') | list -%}
select {% for i in range(2500) if i | string not in left_out -%}
{{ 'c%04d' % i ~ ' as ' ~ 'd{:>04}'.format(i) }}{% if not loop.last %}, {% endif %}
{%- endfor %} from t"""
    rendered = compile_model(template).query.rendered
    assert rendered.startswith("select c2000 as d2000, c2001 as d2001, ")
    assert rendered.endswith("c2499 as d2499 from t")
    one = "{{ 'select ' ~ i ~ ' as x' }}{% if not loop.last %} union all {% endif %}"
    union = f"{{% for i in range(1000) %}}{one}{{% endfor %}}"
    assert compile_model(union).query.rendered.count("union all") == 999
