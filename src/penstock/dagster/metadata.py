"""What is kept with every materialisation: counts that Dagster plots, the schema, lineage, a few rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from dagster import MetadataValue

from penstock.catalogue import Node
from penstock.dagster.standing import Standing
from penstock.dagster.translator import table_schema
from penstock.report.facts import ModelResult, PipelineResult
from penstock.schema.table import Table

Metadata = dict[str, Any]  # Any: what Dagster takes as metadata


def files_metadata(keys: Sequence[str], standing: Standing, seconds: float) -> Metadata:
    """What landed or was kept of one table. Units: bytes as stored, seconds of the phase for all tables."""
    found = [standing.files[key] for key in keys if key in standing.files]
    metadata: Metadata = {
        "files": len(keys),
        "seconds": round(seconds, 3),
        "newest_file": MetadataValue.path(keys[-1]),
    }
    if len(found) == len(keys):  # files that were refused are in no ledger
        metadata |= {"bytes": sum(f.size_bytes for f in found), "rows": sum(f.rows for f in found)}
    return metadata


def run_metadata(result: PipelineResult, table: str | None, standing: Standing) -> Metadata:
    """What a run did with one table, or with all of them, as numbers. Units: seconds of the whole run."""
    own = [t for t in result.tables if t.part_of is None and table in (None, t.table)]
    metadata: Metadata = {
        "files_loaded": sum(t.files for t in own),
        "rows_read": sum(t.rows for t in own),
        "rows_loaded": sum(t.loaded for t in own),
        "rows_dropped": sum(t.dropped for t in own),
        "rows_quarantined": sum(t.quarantined for t in own),
        "bytes": sum(f.size_bytes for f in standing.files.values() if table in (None, f.table)),
        "seconds": round(result.seconds, 3),
        "status": result.status.value,
    }
    if result.load_ids:
        metadata["load"] = result.load_ids[-1]
    if changes := [change for t in own for change in t.changes]:
        metadata["schema_changes"] = MetadataValue.md("\n".join(f"- {c}" for c in changes))
    return metadata


def table_metadata(node: Node, standing: Standing) -> Metadata:
    """What a table of the warehouse is like now."""
    metadata = shown_metadata(node.name, standing)
    shape = standing.shapes.get(node.name)
    if shape is not None:
        metadata["dagster/column_schema"] = table_schema(described(shape, node.table))
    return metadata


def shown_metadata(table: str, standing: Standing) -> Metadata:
    """How many rows a table has, and a few of them."""
    metadata: Metadata = {}
    if table in standing.rows:
        metadata["dagster/row_count"] = standing.rows[table]
    if table in standing.previews:
        metadata["preview"] = MetadataValue.md(standing.previews[table])
    return metadata


def described(shape: Table, declared: Table) -> Table:
    """The shape that a table has, with what the project says of its columns."""
    columns = tuple(
        replace(said, type=c.type) if (said := declared.column(c.name)) is not None else c
        for c in shape.columns
    )
    return replace(shape, columns=columns, primary_key=declared.primary_key or shape.primary_key)


def model_metadata(node: Node, result: ModelResult, standing: Standing) -> Metadata:
    """What a build did with a model, and what it is like now."""
    return result_metadata(result) | table_metadata(node, standing)


def result_metadata(result: ModelResult) -> Metadata:
    """What a build did with a model. Units: seconds of this model's build."""
    metadata: Metadata = {
        "status": result.status.value,
        "materialized": result.materialized,
        "seconds": round(result.seconds, 3),
        "rows_dropped": result.dropped,
        "rows_quarantined": result.quarantined,
    }
    if result.rows is not None:
        metadata["rows_read"] = result.rows
    if result.kept is not None:
        metadata["rows_kept"] = result.kept
    if result.why:
        metadata["why"] = result.why
    return metadata
