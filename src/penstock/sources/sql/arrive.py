"""Record batches as a driver gave them, in the types that were declared: exactly, or refused by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from penstock.records.cast import cast_text
from penstock.schema import types as t
from penstock.schema.arrow import to_arrow
from penstock.schema.types import Decimal
from penstock.sources.sql.faults import refuse_value
from penstock.sources.sql.relation import Field, How
from penstock.sources.sql.statement import guards

# pyarrow ships no types: its values are Any in this module.
_DAY_US = 86_400_000_000
# PostgreSQL begins in 4713 BC; what its driver and DuckDB give for the infinities is far outside of these.
_FIRST_US, _LAST_US = -210_866_803_200_000_000, 9_223_372_036_854_775_806
_FIRST_DAY, _LAST_DAY = -2_440_589, 2_147_483_646


def arrive(table: str, batch: pa.RecordBatch, fields: Sequence[Field]) -> pa.RecordBatch:
    """A batch of `fields` and behind them their guards, as a batch of the fields in their types.

    Raises: RefusedError, naming the column, for a value that would not come through unchanged.
    """
    columns = batch.columns
    for field, told in zip(guards(fields), columns[len(fields) :], strict=True):
        if pc.any(told).as_py():
            raise refuse_value(
                table, field.name, "what cannot be read as it is", f"`{field.native}` with {_GUARDED}"
            )
    made = [_column(table, field, column) for field, column in zip(fields, columns, strict=False)]
    return pa.RecordBatch.from_arrays(made, names=[f.name for f in fields])


_GUARDED = "several dimensions, or not counted from 1"


def _column(table: str, field: Field, column: Any) -> Any:
    if isinstance(column.type, pa.BaseExtensionType) and column.type.extension_name != "arrow.uuid":
        column = column.storage
    if field.how is How.SCALED:
        return _scaled(field, column)
    if field.how is How.TEXT and field.kind not in (t.TEXT, t.JSON):
        return _from_text(table, field, column)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if field.how is How.PLAIN:
        check_limits(table, field.name, column)
        if pa.types.is_timestamp(column.type) or pa.types.is_time(column.type):
            return column.cast(to_arrow(field.kind))
    return column


def _scaled(field: Field, column: Any) -> Any:
    """Integers as a decimal of that scale, without computing anything."""
    kind = field.kind
    assert isinstance(kind, Decimal)
    whole = column.cast(pa.decimal128(19, 0))
    return pa.Array.from_buffers(
        pa.decimal128(kind.precision, kind.scale), len(whole), whole.buffers(), offset=whole.offset
    )


def _from_text(table: str, field: Field, column: Any) -> Any:
    if field.kind == t.BINARY:
        return column
    values, misfits = cast_text(column.cast(pa.string()), field.kind)
    if len(misfits):
        raise refuse_value(
            table,
            field.name,
            f"what is no {field.kind}",
            f"{column[int(misfits[0])].as_py()!r}, a `{field.native}`",
        )
    return values


def check_limits(table: str, name: str, column: Any) -> None:
    """Nothing, if all days and instants are some. Raises: RefusedError for infinities and the hour 24."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        ticks = column.cast(pa.int64())
        _between(table, name, ticks, _FIRST_US if kind.unit == "us" else -_LAST_US, _LAST_US)
    elif pa.types.is_date32(kind):
        _between(table, name, column.cast(pa.int32()), _FIRST_DAY, _LAST_DAY)
    elif pa.types.is_time64(kind):
        low_high = pc.min_max(column.cast(pa.int64())).as_py()
        unit = {"us": 1, "ns": 1000}[kind.unit]
        if low_high["max"] is not None and low_high["max"] >= _DAY_US * unit:
            raise refuse_value(table, name, "the time 24:00:00", "an hour that no day has")


def _between(table: str, name: str, ticks: Any, least: int, most: int) -> None:
    found = pc.min_max(ticks).as_py()
    if found["min"] is not None and (found["min"] < least or found["max"] > most):
        raise refuse_value(table, name, "an infinite date or time", "infinity or -infinity, or beyond 294246")
