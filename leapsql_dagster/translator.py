"""How models, seeds and sources look in Dagster: one method, and every key goes through it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from dagster import AssetKey, AssetSpec

from leapsql_core import Model, Node, Relation, Seed, Source
from leapsql_dagster.stepping import KNOWS_VIRTUAL_ASSETS

_NOT_IN_TAGS = re.compile(r"[^A-Za-z0-9_.-]")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_]")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
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
        """Return key, group, owners, tags, kinds and description of `node`.

        ``meta: {dagster: {asset_key: [...], group: ...}}`` in the frontmatter, or in a source's entry of
        `leapsql.yaml`, wins over the defaults: the relation's schema and name, and the model's first folder.
        """
        said = _dagster_meta(node)
        key = AssetKey(_as_list(said["asset_key"])) if "asset_key" in said else _default_key(node.relation)
        if isinstance(node, Source):
            return AssetSpec(key, description=node.config.description or None)
        group = said.get("group") or _default_group(node)
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
            **_VIRTUAL if node.materialized == "view" else {},
        )


def _dagster_meta(node: Node | Source) -> Mapping[str, Any]:
    said = node.config.meta.get("dagster") if isinstance(node, Model | Source) else None
    return said if isinstance(said, Mapping) else {}


def _default_key(relation: Relation) -> AssetKey:
    return AssetKey([part for part in (relation.catalog, relation.schema, relation.name) if part])


def _default_group(node: Node) -> str:
    if isinstance(node, Seed):
        return "seeds"
    folder = node.config.group or node.path.rpartition(".")[0].split(".")[0] or "models"
    return _NOT_IN_NAMES.sub("_", folder)


def _as_list(key: Any) -> Sequence[str]:
    return key.split("/") if isinstance(key, str) else [str(part) for part in key]


def _as_owner(owner: str) -> str:
    """Dagster takes e-mail addresses and teams: any other owner is a team."""
    return owner if _EMAIL.fullmatch(owner) or owner.startswith("team:") else f"team:{owner}"


def _as_tag(tag: str) -> str:
    return _NOT_IN_TAGS.sub("_", tag)[:_LONGEST_TAG]
