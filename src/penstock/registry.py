"""The parts list: which module implements which name, and what to install when it is missing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """Where a part lives (`module:factory`), and the extra that brings what it needs."""

    path: str
    extra: str | None = None


SOURCES = {
    "filesystem": Part("penstock.sources.filesystem:FilesystemSource"),
    "land": Part("penstock.sources.land:LandSource"),
    "python": Part("penstock.sources.python.source:PythonSource"),
    "dlt": Part("penstock.sources.dlt:dlt_source", "dlt"),
    "rest_api": Part("penstock.sources.rest:RestSource", "rest"),
    "sql_database": Part("penstock.sources.sql:SqlSource", "sql"),
    "singer": Part("penstock.sources.singer:SingerSource", "singer"),
}

STORES = {
    "file": Part("penstock.stores.local:LocalStore"),
    "s3": Part("penstock.stores.object:ObjectStore"),
    "gs": Part("penstock.stores.object:ObjectStore"),
    "az": Part("penstock.stores.object:ObjectStore"),
    "memory": Part("penstock.stores.object:ObjectStore"),
}

DESTINATIONS = {
    "duckdb": Part("penstock.destinations.duckdb:DuckDBDestination"),
    "parquet": Part("penstock.destinations.parquet:ParquetDestination"),
    "singer_target": Part(
        "penstock.destinations.singer_target.destination:SingerTargetDestination", "singer"
    ),
}

BUILDERS = {
    "duckdb": Part("penstock.destinations.duckdb_builder:DuckDBBuilder"),
    "parquet": Part("penstock.destinations.parquet_builder:ParquetBuilder"),
}
"""What builds models at a destination; each is made with the destination."""

DIALECTS = {"duckdb": "duckdb", "parquet": "duckdb"}
"""The dialect of SQL in which models are written for a destination, as sqlglot calls it."""
