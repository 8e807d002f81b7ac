"""Manifests as dbt writes them, of the few things that a test is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def node(
    name: str, kind: str = "model", reads: Sequence[str] = (), **said: Any
) -> tuple[str, dict[str, Any]]:
    """A node by its id; `said` replaces what it would say."""
    key = said.pop("key", f"{kind}.shop.{name}")
    schema, config = said.pop("schema", "main"), said.pop("config", {})
    return key, {
        "unique_id": key,
        "name": name,
        "resource_type": kind,
        "package_name": "shop",
        "alias": name,
        "database": "w",
        "schema": schema,
        "relation_name": f'"w"."{schema}"."{name}"',
        "original_file_path": f"models/{name}.sql",
        "fqn": ["shop", name],
        "checksum": {"name": "sha256", "checksum": f"text of {name}"},
        "config": {"materialized": {"model": "table"}.get(kind, kind), **config},
        "depends_on": {"nodes": list(reads), "macros": said.pop("macros", [])},
        **said,
    }


def source(name: str, schema: str = "main", **said: Any) -> tuple[str, dict[str, Any]]:
    """A table of a source by its id."""
    key = f"source.shop.{schema}.{name}"
    relation = f'"w"."{schema}"."{name}"'
    return key, {
        "unique_id": key, "name": name, "identifier": name, "database": "w", "schema": schema,
        "relation_name": relation, **said,
    }  # fmt: skip


def check(name: str, about: str, reads: Sequence[str] = (), **said: Any) -> tuple[str, dict[str, Any]]:
    """A test of a node by its id."""
    key = f"test.shop.{name}"
    return key, {
        "unique_id": key, "name": name, "resource_type": "test", "attached_node": about,
        "config": {"severity": "ERROR"}, "depends_on": {"nodes": [about, *reads]}, **said,
    }  # fmt: skip


def manifest(*nodes: tuple[str, dict[str, Any]], **more: Any) -> dict[str, Any]:
    """A manifest of nodes, tests and sources."""
    return {
        "metadata": {"adapter_type": "duckdb"},
        "nodes": {k: n for k, n in nodes if not k.startswith("source.")},
        "sources": {k: n for k, n in nodes if k.startswith("source.")},
        **more,
    }
