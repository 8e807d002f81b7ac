"""SQL that brings a value to a declared type, and tells which values would be lost on the way.

The dialect is DuckDB's. Pure: only text is made here.
"""

from __future__ import annotations

from penstock.destinations.convert import carried, convert, ddl, loses
from penstock.schema.types import (
    DATE,
    JSON,
    TEXT,
    DataType,
    Decimal,
    Timestamp,
    is_float,
    is_integer,
    merge,
)


def fitted(x: str, before: DataType, after: DataType) -> tuple[str, str | None]:
    """An expression for the value `x` as `after`, and the condition that it does not fit (None: all do).

    A value fits if it can be brought back unchanged. Text fits what it says, whatever zeros it says it with;
    text for a JSON column is JSON.
    """
    if before == after:
        return x, None
    if before == TEXT and after == JSON:
        return _tried(x, before, after)
    if merge(before, after) == after:
        return convert(x, before, after, guard=False), loses(x, before, after)
    if carried(before, after) == after:
        return _tried(x, before, after)
    return _exactly(x, before, after)


def _tried(x: str, before: DataType, after: DataType) -> tuple[str, str | None]:  # noqa: ARG001
    cast = f"TRY_CAST({x} AS {ddl(after)})"
    return cast, f"{x} IS NOT NULL AND {cast} IS NULL"


def _exactly(x: str, before: DataType, after: DataType) -> tuple[str, str | None]:
    cast = f"TRY_CAST({x} AS {ddl(after)})"
    if before == TEXT:
        lost = _misread(x, cast, after)
    else:
        lost = f"CAST({cast} AS {ddl(before)}) IS DISTINCT FROM {x}"
    refused = f"{cast} IS NULL OR {lost}" if lost else f"{cast} IS NULL"
    return cast, f"{x} IS NOT NULL AND ({refused})"


def _misread(x: str, cast: str, after: DataType) -> str | None:
    """The condition that a text says more than the value that was read from it."""
    double = f"TRY_CAST({x} AS DOUBLE) IS DISTINCT FROM CAST({cast} AS DOUBLE)"
    if is_integer(after):
        return double
    if isinstance(after, Decimal):
        digits = f"rtrim(regexp_extract({x}, '\\.([0-9]*)', 1), '0')"
        return f"{double} OR length({digits}) > {after.scale}"
    if is_float(after) or isinstance(after, Timestamp):
        return None
    if after == DATE:
        return f"TRY_CAST({x} AS TIMESTAMP) IS DISTINCT FROM CAST({cast} AS TIMESTAMP)"
    return None
