"""What the assets of configured resources look like: known by `schema.table`, grouped by schema."""

from __future__ import annotations

from dagster import AssetKey, AssetSpec

from penstock.catalogue import Layer, Node
from penstock.dagster.keys import asset_key, identifier, tag
from penstock.dagster.translator import PenstockTranslator


class DltTranslator(PenstockTranslator):
    """As `PenstockTranslator`, with keys as the names of resources say: `schema/table` in the warehouse.

    In other layers the layer stands between: `schema/land/table_land`. Tags may have values: `name=value`.
    """

    def get_asset_spec(self, node: Node) -> AssetSpec:
        """The asset of a node of a pipeline that is named after its resource."""
        spec = super().get_asset_spec(node)
        named = {tag(name): tag(value) for name, _, value in (text.partition("=") for text in node.tags)}
        spec = spec.replace_attributes(tags=named)
        if node.pipeline is None or "." not in node.pipeline:
            return spec
        *schema, _ = node.pipeline.split(".")
        inner = asset_key((node.layer.value, *schema, node.name))
        key = AssetKey([*schema, node.name]) if node.layer is Layer.WAREHOUSE else inner
        group = spec.group_name if node.group else identifier("_".join(schema))
        return spec.replace_attributes(key=key, group_name=group)
