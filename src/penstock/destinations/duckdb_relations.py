"""What is in a DuckDB file, by name."""

from __future__ import annotations

from typing import Any

from penstock.destinations.convert import quote
from penstock.destinations.engine import rows_of

# con: Any throughout, because DuckDB's connection has no types of its own


def relations(con: Any) -> frozenset[str]:
    """The names of all tables and views of the current schema."""
    here = "database_name = current_database() AND schema_name = current_schema()"
    tables = f"SELECT table_name FROM duckdb_tables() WHERE {here}"
    views = f"SELECT view_name FROM duckdb_views() WHERE {here} AND NOT internal"
    return frozenset(name for (name,) in rows_of(con, f"{tables} UNION ALL {views}"))


def columns(con: Any, table: str) -> frozenset[str]:
    """The names of the columns of a table, temporary or not; empty if it is not there."""
    here = "(database_name = current_database() AND schema_name = current_schema() OR temporary)"
    found = rows_of(con, f"SELECT table_name FROM duckdb_tables() WHERE {here} AND table_name = ?", [table])
    if not found:
        return frozenset()
    return frozenset(name for name, *_ in rows_of(con, f"DESCRIBE {quote(table)}"))
