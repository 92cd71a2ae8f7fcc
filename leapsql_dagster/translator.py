"""How models, seeds and sources look in Dagster: one method, and every key goes through it."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from dagster import AssetKey, AssetSpec

from leapsql_core import Model, Node, Relation, Seed, Source

#: Dagster makes names of keys, and those have no other letters; it takes ``-`` and ``.`` for ``_``.
_NOT_IN_KEYS = re.compile(r"[^A-Za-z0-9_.-]")
_NOT_IN_TAGS = re.compile(r"[^A-Za-z0-9_.-]")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_]")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_LONGEST_TAG = 63


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
        """Return key, group, owners, tags, kinds and description of `node`.

        ``meta: {dagster: {asset_key: [...], group: ...}}`` in the frontmatter, or in a source's entry of
        `leapsql.yaml`, wins over the defaults: the relation's schema and name, in letters that Dagster has, and the
        model's first folder.
        """
        said = _dagster_meta(node)
        key = AssetKey(_as_list(said["asset_key"])) if "asset_key" in said else _default_key(node.relation)
        if isinstance(node, Source):
            return AssetSpec(key, description=node.config.description or None)
        group = _NOT_IN_NAMES.sub("_", str(said.get("group") or _default_group(node)))
        if isinstance(node, Seed):
            return AssetSpec(key, group_name=group, kinds={"csv", "duckdb", "seed"})
        owner = node.config.owner
        return AssetSpec(
            key,
            description=node.config.description or None,
            group_name=group,
            owners=[_as_owner(owner)] if owner else None,
            tags={_as_tag(tag): "" for tag in node.config.tags},
            kinds={"duckdb", "sql", node.materialized},
        )


def _dagster_meta(node: Node | Source) -> Mapping[str, Any]:
    said = node.config.meta.get("dagster") if isinstance(node, Model | Source) else None
    return said if isinstance(said, Mapping) else {}


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


def _default_group(node: Node) -> str:
    if isinstance(node, Seed):
        return "seeds"
    return node.config.group or node.path.rpartition(".")[0].split(".")[0] or "models"


def _as_list(key: Any) -> Sequence[str]:
    return [str(part) for part in key] or [""] if isinstance(key, list) else str(key).split("/")


def _as_owner(owner: str) -> str:
    """Dagster takes e-mail addresses and teams: any other owner is a team."""
    return owner if _EMAIL.fullmatch(owner) or owner.startswith("team:") else f"team:{owner}"


def _as_tag(tag: str) -> str:
    return _NOT_IN_TAGS.sub("_", tag)[:_LONGEST_TAG]
