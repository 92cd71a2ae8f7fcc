"""Pages: what a project or its data says steers no terminal and makes no Markdown, nor does it in Dagster."""

import json
import re
from pathlib import Path

import dagster as dg
import pytest
from hostile_samples import ODD_NAMES, Hostile, name_of, yaml_of
from reading_samples import write_project

from leapsql_core import UsageError
from leapsql_dagster import LeapSQLProject, LeapSQLResource, leapsql_assets
from leapsql_dagster.markdown import fenced, plain

STEERING = "\x1b[31mred\x1b]0;title\x07 \u202eback\u2066 [bold]b[/bold] a|b <script> `c` **d**"
#: What a terminal would act upon.
ACTS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture
def steering(tmp_path: Path) -> Hostile:
    """A project whose descriptions, values and column names would steer a terminal, if they could."""
    said = yaml_of(STEERING).replace("\x1b", "\\e")
    text = STEERING.replace("'", "''")
    head = f"description: {said}\nowner: {said}\ntags: [{said}]\n"
    head += f"tests:\n  - accepted_values: {{column: x, values: [{said}]}}\n"
    column = name_of(STEERING)
    return Hostile(
        tmp_path / "shop",
        {
            "models/m.sql": f"/*---\n{head}---*/\nselect '{text}' as x, 1 as {column}",
            "models/failing.sql": f"/*---\ntests: [not_null: y]\n---*/\nselect x, null::int as y, {column} from m",
            "models/broken.sql": f"select error('{text}') as x from m",
        },
    )


@pytest.mark.parametrize("form", ["text", "markdown"])
def test_what_is_shown_steers_no_terminal(steering: Hostile, form: str) -> None:
    """Neither colours nor cursors nor the direction of writing; what looks like markup stands as it is."""
    said = steering.leapsql("run", "--output", form, status=1)
    assert "[bold]b[/bold]" in said
    for words in (["list"], ["dag"], ["why", "m"], ["lineage", "m"], ["history"], ["diff", "--full"]):
        said += steering.leapsql(*words, "--output", form)
    said += steering.leapsql("lineage", "m", "--column", STEERING, "--output", form)
    said += steering.leapsql("query", 'select error, 1 as "\x1b[31m" from model_runs', "--output", form, status=0)
    said += steering.leapsql("list", "--output", form, "\x1b[31m", status=2)
    assert ACTS.search(said) is None


def test_a_table_of_markdown_keeps_its_edges(steering: Hostile) -> None:
    """Each row has as many cells as the header."""
    said = steering.leapsql("list", "--output", "markdown", status=0)
    edges = {len(re.findall(r"(?<!\\)\|", line)) for line in said.splitlines() if line.startswith("|")}
    assert len(edges) == 1


def test_json_says_what_is_meant(steering: Hostile) -> None:
    """Programs get every character."""
    (model,) = json.loads(steering.leapsql("list", "m", "--output", "json", status=0))["models"]
    assert model["owner"] == STEERING


# ---------------------------------------------------------------------------------------------------------- Dagster


def definition_of(root: Path, files: dict[str, str]) -> dg.AssetsDefinition:
    project = LeapSQLProject(write_project(root, files))

    @leapsql_assets(project=project)
    def hostile(context: dg.AssetExecutionContext, leapsql: LeapSQLResource):
        yield from leapsql.run(context)

    return hostile


def test_odd_names_are_assets(tmp_path: Path) -> None:
    """Their keys are spelled with what Dagster allows; they are built, and what is shown of them is what was meant."""
    files = {"leapsql.yaml": "name: odd\ntarget: {type: duckdb}\n"}
    chosen = [
        ODD_NAMES[kind] for kind in ("quotes", "other alphabets", "a picture", "two hundred letters", "a table's edge")
    ]
    for number, name in enumerate(chosen):
        said = yaml_of(name)
        head = f"name: {said}\nowner: {said}\ngroup: {said}\ntags: [{said}]\ntests:\n  - unique: {said}\n"
        files[f"models/m{number}.sql"] = f"/*---\n{head}---*/\nselect {number} as {name_of(name)}"
    assets = definition_of(tmp_path / "odd", files)
    keys = sorted(key.to_user_string() for key in assets.keys)
    assert keys == [
        "main/a_b",
        "main/grou00dfe_u6570u636e_u0418u0422u041eu0413",
        "main/it_s__q_",
        "main/u1f986",
        f"main/{'x' * 200}",
    ]
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([assets], instance=instance, resources={"leapsql": LeapSQLResource()})
        tables = {
            event.asset_key.to_user_string(): event.materialization.metadata["leapsql/tests"].value
            for event in result.get_asset_materialization_events()
            if event.asset_key is not None
        }
    assert sorted(tables) == keys
    assert tables["main/a_b"].splitlines()[2] == r"| unique(a\|b) | passed | now |"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            {"models/a b.sql": "select 1 as x", "models/a_b.sql": "select 1 as x"},
            "models/a_b.sql: a b and a_b have the same asset key main/a_b, the former in models/a b.sql",
        ),
        (
            {"models/a-b.sql": "select 1 as x", "models/a_b.sql": "select 1 as x"},
            "models/a_b.sql: a-b and a_b have the same asset key main/a_b, the former in models/a-b.sql",
        ),
        (
            {"models/a.sql": "/*---\nmeta: {dagster: {asset_key: [a b]}}\n---*/\nselect 1 as x"},
            "models/a.sql: a cannot have the asset key a b: Dagster takes letters, digits and _",
        ),
    ],
)
def test_a_key_that_dagster_does_not_take_is_an_error_of_its_file(
    tmp_path: Path, files: dict[str, str], said: str
) -> None:
    """Before Dagster complains of a name that nobody has written."""
    with pytest.raises(UsageError) as caught:
        definition_of(tmp_path / "shop", files)
    assert caught.value.cause == said


def test_text_in_markdown_means_nothing_but_itself() -> None:
    """No cell is ended, no tag opened, no link made; a block of code ends where the text does."""
    assert plain("a|b <i> [x](y) `c`\n**d** e_f") == r"a\|b \<i\> \[x\](y) \`c\` \*\*d\*\* e_f"
    assert fenced("select '```'\n````", "sql") == "`````sql\nselect '```'\n````\n`````"
