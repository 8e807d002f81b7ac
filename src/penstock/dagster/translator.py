"""What an asset of Dagster looks like: the one function to override."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from dagster import (
    AssetSpec,
    FreshnessPolicy,
    MetadataValue,
    TableColumn,
    TableColumnConstraints,
    TableSchema,
)

from penstock.catalogue import Layer, Node
from penstock.dagster.keys import asset_key, identifier, tag
from penstock.dagster.meta import automation_of, freshness_of, kinds_of
from penstock.dagster.partitions import partitions_of
from penstock.schema.table import Column, Table

_SHORTEST_S = 60  # of a freshness policy; Dagster refuses less
_FILES = (Layer.LAND, Layer.RAW_HIST)


class PenstockTranslator:
    """From a node of the catalogue to an asset of Dagster.

    Override `get_asset_spec`, call it on `super()` and change what comes back; what others read of an asset
    whose key is another follows by itself.
    """

    _last: tuple[Table, TableSchema] | None = None

    def get_asset_spec(self, node: Node) -> AssetSpec:
        """The asset of a node: its key, what it reads, and everything that people see of it."""
        where = ".".join(part for part in (node.pipeline, node.name) if part)
        return AssetSpec(
            key=asset_key(node.key),
            deps=[asset_key(key) for key in node.reads],
            description=node.table.description,
            metadata=dict(_metadata(node, self._schema(node.table))),
            group_name=identifier(node.group or node.pipeline or "models"),
            code_version=node.version or None,
            owners=[_owner(owner) for owner in node.owners],
            tags={tag(text): "" for text in node.tags},
            kinds=set(_kinds(node)) | kinds_of(node.meta, where),
            partitions_def=None if node.layer is Layer.SOURCE else partitions_of(node.meta, where),
            freshness_policy=_freshness(node, where),
            automation_condition=None if node.layer is Layer.SOURCE else automation_of(node.meta, where),
        )

    def _schema(self, table: Table) -> TableSchema:
        """The columns of a table; its layers follow each other and promise the same, so once is enough."""
        if self._last is None or self._last[0] is not table:
            self._last = (table, table_schema(table))
        return self._last[1]


def table_schema(table: Table) -> TableSchema:
    """The columns of a table, as Dagster shows them."""
    return TableSchema([_column(c, table) for c in table.columns])


def _column(column: Column, table: Table) -> TableColumn:
    in_key = column.name in table.primary_key
    return TableColumn(
        name=column.name,
        type=str(column.type),
        description=column.description,
        constraints=TableColumnConstraints(
            nullable=column.nullable and not in_key,
            unique=column.unique or table.primary_key == (column.name,),
            other=[*_constraints(column), *(["part of the primary key"] if in_key else [])],
        ),
        tags={"sensitive": ""} if column.sensitive else {},
    )


def _constraints(column: Column) -> Iterator[str]:
    for word in ("pattern", "minimum", "maximum", "min_length", "max_length"):
        value = getattr(column, word)
        if value is not None:
            yield f"{word.replace('_', ' ')} {value}"
    if column.enum is not None:
        yield "one of " + ", ".join(map(str, column.enum))
    if column.foreign_key is not None:
        yield f"in {column.foreign_key.table} ({', '.join(column.foreign_key.columns)})"


def _metadata(node: Node, schema: TableSchema) -> Iterator[tuple[str, Any]]:  # Any: as Dagster takes it
    yield "penstock/layer", node.layer.value
    if node.table.columns:
        yield "dagster/column_schema", schema
    if node.relation:
        yield "dagster/table_name", node.relation
    if node.place:
        yield "dagster/uri", node.place
    if node.layer is Layer.WAREHOUSE:
        yield "dagster/storage_kind", node.tool
    if node.layer is Layer.MODEL and node.materialized:
        yield "materialized", node.materialized
    if node.table.primary_key:
        yield "primary_key", ", ".join(node.table.primary_key)
    if node.sql:
        yield "sql", MetadataValue.md(f"```sql\n{node.sql.strip()}\n```")


def _kinds(node: Node) -> Iterator[str]:
    yield tag("file" if node.layer in _FILES else node.tool)
    if node.layer is Layer.MODEL and node.materialized:
        yield tag(node.materialized)
    elif node.layer is not Layer.MODEL:
        yield node.layer.value


def _owner(owner: str) -> str:
    """An owner as Dagster wants it: an address, or `team:name`."""
    return owner if "@" in owner or owner.startswith("team:") else f"team:{tag(owner)}"


def _freshness(node: Node, where: str) -> FreshnessPolicy | None:
    """How old a node may be; sources are not made here, and raw history is what land was."""
    if node.layer in (Layer.SOURCE, Layer.RAW_HIST):
        return None
    if (said := freshness_of(node.meta, where)) is not None:
        return said
    if node.freshness is None:
        return None
    fail_s = max(node.freshness.fail_after_s, _SHORTEST_S)
    warn_s = node.freshness.warn_after_s
    warns = warn_s is not None and _SHORTEST_S <= warn_s < fail_s
    return FreshnessPolicy.time_window(
        fail_window=timedelta(seconds=fail_s),
        warn_window=timedelta(seconds=warn_s) if warns and warn_s is not None else None,
    )
