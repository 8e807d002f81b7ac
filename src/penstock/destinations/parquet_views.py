"""Tables of parquet files as views of a DuckDB connection: the committed parts, and no others."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from penstock.destinations.columns import layout_from_json
from penstock.destinations.convert import quote, view
from penstock.destinations.parquet_log import Snapshot
from penstock.destinations.parquet_read import Files, scan


def show(
    con: Any,  # Any: DuckDB's connection is untyped
    files: Files,
    snapshot: Snapshot,
    tables: Collection[str],
    schema: str | None = None,
) -> None:
    """Make a view for each of the tables that holds anything: a temporary one, which hides what was called
    so, or one in `schema`."""
    if schema is not None:
        con.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(schema)}")
    for name, definition in snapshot.newest().items():
        if name in tables and definition.layout is not None:
            layout = layout_from_json(definition.layout)
            rows = scan(files, snapshot.parts_of(name), snapshot.layouts, layout)
            con.execute(f"CREATE OR REPLACE {view(name, schema)} AS {rows}")
