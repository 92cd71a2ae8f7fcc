"""How models, seeds and sources look in Dagster: one method, and every key goes through it."""

import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from typing import Any

from dagster import AssetKey, AssetSpec, DagsterError

from leapsql_core import Model, Node, Relation, Seed, Source
from leapsql_dagster.meta import read_meta
from leapsql_dagster.stepping import KNOWS_VIRTUAL_ASSETS

#: Dagster makes names of keys, and those have no other letters; it takes ``-`` and ``.`` for ``_``.
_NOT_IN_KEYS = re.compile(r"[^A-Za-z0-9_.-]")
_NOT_IN_TAGS = re.compile(r"[^A-Za-z0-9_.-]")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_]")
_LONGEST_TAG = 63
_VIRTUAL: Mapping[str, Any] = {"is_virtual": True} if KNOWS_VIRTUAL_ASSETS else {}


class DagsterLeapSQLTranslator:
    """Turns a model, a seed or a source into an asset spec.

    Override `get_asset_spec`, call it first, and change what you like::

        class Translator(DagsterLeapSQLTranslator):
            def get_asset_spec(self, node: Node | Source) -> AssetSpec:
                spec = super().get_asset_spec(node)
                return spec.replace_attributes(key=spec.key.with_prefix("warehouse"))

    Dependencies, code version, column schema and code references are added to what it returns.
    """

    def get_asset_spec(self, node: Node | Source) -> AssetSpec:
        """Return key, group, owners, tags, kinds, description, automation condition and freshness policy of `node`.

        ``meta: {dagster: ...}`` in the frontmatter, or in a source's entry of `leapsql.yaml`, wins over the defaults:
        the relation's schema and name, in letters that Dagster has, the model's first folder, its owner.

        Raises:
            ProjectError: ``meta.dagster`` says what it may not.
        """
        said = read_meta(node)
        model = node if isinstance(node, Model) else None
        kinds = {"duckdb", "source"} if isinstance(node, Source) else {"duckdb", "sql", node.materialized}
        return AssetSpec(
            said.asset_key or _default_key(node.relation),
            description=None if isinstance(node, Seed) else node.config.description or None,
            group_name=said.group or _default_group(node),
            owners=said.owners or ([_as_owner(model.config.owner)] if model and model.config.owner else None),
            tags={_as_tag(tag): "" for tag in model.config.tags} if model else None,
            kinds={"csv", "duckdb", "seed"} if isinstance(node, Seed) else kinds,
            automation_condition=said.automation_condition,
            freshness_policy=said.freshness_policy,
            **_VIRTUAL if model is not None and model.materialized == "view" else {},
        )


def _default_key(relation: Relation) -> AssetKey:
    return AssetKey([fit_for_key(part) for part in (relation.catalog, relation.schema, relation.name) if part])


def fit_for_key(name: str) -> str:
    """Return a name in the letters that Dagster allows in keys; those of other alphabets become their number.

    >>> fit_for_key("two words"), fit_for_key("größe"), fit_for_key("数")
    ('two_words', 'grou00dfe', 'u6570')
    """
    return _NOT_IN_KEYS.sub(lambda found: _fit(found[0]), name)


def _fit(character: str) -> str:
    plain = unicodedata.normalize("NFKD", character)[0]
    if not _NOT_IN_KEYS.match(plain):
        return plain
    return f"u{ord(character):04x}" if character.isalnum() or ord(character) > 0xFFFF else "_"


def _default_group(node: Node | Source) -> str:
    if not isinstance(node, Model):
        return "seeds" if isinstance(node, Seed) else "sources"
    folder = node.config.group or node.path.rpartition(".")[0].split(".")[0] or "models"
    return _NOT_IN_NAMES.sub("_", folder)


def _as_owner(owner: str) -> str:
    """Dagster takes teams, and of e-mail addresses those of plain letters: any other owner is a team."""
    return owner if _takes_owner(owner) else f"team:{owner}"


@cache
def _takes_owner(owner: str) -> bool:
    try:
        AssetSpec("any", owners=[owner])
    except DagsterError:
        return False
    return True


def _as_tag(tag: str) -> str:
    return _NOT_IN_TAGS.sub("_", tag)[:_LONGEST_TAG]
