"""What things are called in Dagster: the key of each node, and names that Dagster accepts."""

from __future__ import annotations

import re

from dagster import AssetKey

from penstock.catalogue import Key, Layer

_NO_PART = re.compile(r"[^A-Za-z0-9_.-]")
_NO_NAME = re.compile(r"[^A-Za-z0-9_]")


def asset_key(key: Key) -> AssetKey:
    """The key of a node: `p/land/orders_land`, `p/warehouse/orders`, `model/revenue`.

    Dagster draws the last part alone, hence the layer in it; tables and models keep their own names.
    """
    layer, *middle, name = (_NO_PART.sub("_", str(part)) for part in key)
    last = name if layer in (Layer.WAREHOUSE, Layer.MODEL) else f"{name}_{layer}"
    return AssetKey([*middle, layer, last])


def identifier(text: str) -> str:
    """`text` as the name of an op, a job, a check or a group."""
    return _NO_NAME.sub("_", text)


def tag(text: str) -> str:
    """`text` as a tag. Units: at most 63 characters, which is Dagster's limit."""
    return _NO_PART.sub("_", text)[:63]
