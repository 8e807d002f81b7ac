"""DuckDB's types as ours: what a query gives, told without its rows."""

from __future__ import annotations

from typing import Any

import duckdb

from penstock.destinations.convert import ddl, literal
from penstock.schema.types import (
    BINARY,
    BOOL,
    DATE,
    FLOAT64,
    JSON,
    MAX_PRECISION,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMESTAMP_TZ,
    UUID,
    DataType,
    Decimal,
    Kind,
    List,
    Scalar,
    Struct,
    Timestamp,
)

# Any throughout: DuckDB's types are untyped

_KINDS: dict[str, DataType] = {
    "null": Scalar(Kind.INT32), "boolean": BOOL,
    "tinyint": Scalar(Kind.INT8), "smallint": Scalar(Kind.INT16), "integer": Scalar(Kind.INT32),
    "bigint": Scalar(Kind.INT64), "utinyint": Scalar(Kind.UINT8), "usmallint": Scalar(Kind.UINT16),
    "uinteger": Scalar(Kind.UINT32), "ubigint": Scalar(Kind.UINT64),
    "hugeint": Decimal(MAX_PRECISION, 0), "uhugeint": Decimal(MAX_PRECISION, 0),
    "float": Scalar(Kind.FLOAT32), "double": FLOAT64, "varchar": TEXT, "enum": TEXT, "blob": BINARY,
    "date": DATE, "time": TIME, "uuid": UUID, "union": JSON, "interval": TEXT, "bit": TEXT,
    "time with time zone": TEXT, "timestamp with time zone": TIMESTAMP_TZ,
    "timestamp": TIMESTAMP, "timestamp_s": TIMESTAMP, "timestamp_ms": TIMESTAMP,
    "timestamp_ns": Timestamp(zone=False, unit="ns"), "timestamptz_ns": Timestamp(zone=True, unit="ns"),
}  # fmt: skip
_UNKEPT = ("null", "timestamptz_ns")  # files that older DuckDBs can open have no such columns


def kind_of(native: Any) -> DataType | None:
    """The column type that holds the values of a DuckDB type; None: no type of ours does.

    What is only known to be null is an `int32`, as SQL has it; a map is a list of its entries.
    """
    name = native.id
    if name == "varchar" and str(native) == "JSON":
        return JSON
    if name == "decimal":
        digits = dict(native.children)
        return Decimal(digits["precision"], digits["scale"])
    if name in ("list", "array"):
        item = kind_of(dict(native.children)["child"])
        return List(item) if item is not None else None
    if name == "struct":
        return _struct(native.children)
    if name == "map":
        entry = _struct(native.children)
        return List(entry) if entry is not None else None
    return _KINDS.get(name)


def is_native(native: Any, kind: DataType) -> bool:
    """Whether a DuckDB type is the one that stores values of `kind` in a pipeline's table."""
    return bool(native == duckdb.sqltype(ddl(kind)))


def is_kept(native: Any) -> bool:
    """Whether a table of a file that older DuckDBs can open may have a column of that type."""
    if native.id in ("list", "array", "struct", "map"):
        return all(is_kept(t) for name, t in native.children if name != "size")
    return native.id not in _UNKEPT


def plain(x: str, native: Any, kind: DataType) -> str:
    """An expression of type `ddl(kind)` for a value `x` of a DuckDB type whose kind that is."""
    if is_native(native, kind):
        return x
    if native.id == "map":
        return f"CAST(map_entries({x}) AS {ddl(kind)})"
    if native.id == "union":
        return f"to_json({x})"
    if native.id == "timestamptz_ns":
        return f"CAST(timezone({literal('UTC')}, {x}) AS {ddl(kind)})"
    return f"CAST({x} AS {ddl(kind)})"


def _struct(fields: Any) -> DataType | None:
    kinds = [(name, kind_of(t)) for name, t in fields]
    found = tuple((name, kind) for name, kind in kinds if kind is not None)
    return Struct(found) if len(found) == len(kinds) else None
