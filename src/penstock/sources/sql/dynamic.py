"""Rows of Python values as record batches, for drivers that give nothing better. Nothing is rounded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from penstock.errors import RefusedError
from penstock.schema import types as t
from penstock.schema.arrow import to_arrow
from penstock.schema.types import DataType
from penstock.sources.sql.relation import Field, How

_EXACT = 1 << 53
FIRST_ROWS, CHUNK_BYTES = 100, 8 << 20


class Pace:
    """How many rows to ask for at a time: up to `most`, fewer if they are long. The first are few."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.rows = min(most, FIRST_ROWS)

    def after(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch itself, whose size tells how many rows the next may have."""
        row_bytes = max(batch.nbytes / max(batch.num_rows, 1), 1)
        self.rows = max(1, min(self.most, int(CHUNK_BYTES / row_bytes)))
        return batch


class Seen:
    """Columns whose types are those of their values, the widest so far: a later chunk is never narrower.

    Whole numbers among fractions stay exact: where a float cannot hold one, and where texts come
    among numbers, the column becomes text.
    """

    def __init__(self, fields: Sequence[Field]) -> None:
        self.fields = fields
        self.kinds: list[DataType] = [t.NULL] * len(fields)

    def batch(self, rows: Sequence[Sequence[Any]]) -> pa.RecordBatch:  # Any: whatever the driver gives
        """Some rows. Raises: RefusedError for bytes among other values."""
        columns = list(zip(*rows, strict=True)) or [()] * len(self.fields)
        names = [f"{n}" for n in range(len(columns))]
        made = [self._column(n, values) for n, values in enumerate(columns)]
        return pa.RecordBatch.from_arrays(made, names=names)

    def _column(self, at: int, values: Sequence[Any]) -> Any:
        if at >= len(self.fields):
            return pa.array(values, pa.bool_())  # a guard
        field = self.fields[at]
        if field.how is not How.SEEN:
            wanted = pa.binary() if field.kind == t.BINARY else pa.string()
            kind = wanted if field.how is How.TEXT else to_arrow(field.kind)
            return pa.array(values, kind)
        kinds = set(map(type, values)) - {type(None)}
        before, now = self.kinds[at], _kind(kinds, values, field)
        kind = self.kinds[at] = t.merge(before, now)
        if t.BINARY in (before, now) and kind != t.BINARY:
            raise _refuse_bytes({bytes, str}, field)
        if kind == t.NULL:
            return pa.nulls(len(values), pa.string() if field.kind == t.NULL else to_arrow(field.kind))
        if kind == t.TEXT and kinds - {str}:
            values = [v if v is None or isinstance(v, str) else repr(v) for v in values]
        elif kind == t.FLOAT64 and int in kinds:
            values = [None if v is None else float(v) for v in values]
        return pa.array(values, to_arrow(kind))


def _kind(kinds: set[type], values: Sequence[Any], field: Field) -> DataType:
    if not kinds:
        return t.NULL
    if kinds <= {int, float}:
        if float not in kinds:
            return t.INT64
        whole = (v for v in values if isinstance(v, int))
        return t.FLOAT64 if all(-_EXACT <= v <= _EXACT for v in whole) else t.TEXT
    if kinds == {bytes}:
        return t.BINARY
    if bytes in kinds:
        raise _refuse_bytes(kinds, field)
    return t.TEXT


def _refuse_bytes(kinds: set[type], field: Field) -> RefusedError:
    return RefusedError(
        f"`{field.name}` holds bytes among other values",
        where=f"column `{field.name}`",
        found=", ".join(sorted(kind.__name__ for kind in kinds)),
        hint=f"read all of them as bytes: `types: {{{field.name}: binary}}` at the table of the source",
    )
