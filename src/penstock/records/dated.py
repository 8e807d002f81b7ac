"""A reader for tables whose metadata says in which form dates and times are written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from penstock.records.chunk import Chunk, Format, Growth, Parsed
from penstock.records.fit import Fit as Reading
from penstock.records.masks import lost
from penstock.records.settle import Fit, Rows, settle
from penstock.records.text import is_text
from penstock.schema import types as t
from penstock.schema.contract import Contract
from penstock.schema.formats.form import DATETIME_FORMAT
from penstock.schema.table import Column, Table
from penstock.schema.types import DataType, Timestamp

# pyarrow ships no types: its values are Any in this module.


class Dated:
    """Reads texts of columns with a `datetime_format` by it, and everything else as the inner reader does.

    `seen` are types that values had before they were texts: those are no texts of people. `nulls` are
    the texts that stand for nothing.
    """

    def __init__(self, inner: Format, seen: Mapping[str, DataType], nulls: Sequence[str] = ()) -> None:
        self.inner = inner
        self.nulls = pa.array(nulls, pa.string())
        self._typed = {name for name, kind in seen.items() if kind not in (t.NULL, t.TEXT)}

    def split(self, stream: BinaryIO) -> Iterator[Chunk]:
        """As the inner reader."""
        return self.inner.split(stream)

    def raw(self, chunk: Chunk, offsets: Sequence[int]) -> list[bytes]:
        """As the inner reader."""
        return self.inner.raw(chunk, offsets)

    def parse(self, chunk: Chunk, table: Table, contract: Contract) -> Parsed | Growth:
        """As the inner reader; a text that has not the form does not fit its column."""
        dated = {c.name: c for c in table.columns if self._is_dated(c, chunk)}
        if not dated:
            return self.inner.parse(chunk, table, contract)
        columns = tuple(replace(c, type=t.TEXT) if c.name in dated else c for c in table.columns)
        found = self.inner.parse(chunk, replace(table, columns=columns), contract)
        if isinstance(found, Growth):
            return found
        fits = {
            name: self._fit(found.batch.column(name), dated.get(name)) for name in found.batch.schema.names
        }
        rows = Rows(chunk.first_row, found.batch.num_rows, found.offsets, found.bad)
        made = settle(rows, fits, table, contract)
        if isinstance(made, Growth):
            return made
        return replace(made, discarded={**found.discarded, **made.discarded})

    def _is_dated(self, column: Column, chunk: Chunk) -> bool:
        if DATETIME_FORMAT not in column.extra or column.name in self._typed:
            return False
        if not isinstance(column.type, Timestamp) and column.type not in (t.DATE, t.TIME):
            return False
        schema: Any = getattr(chunk.data, "schema", pa.schema([]))
        place = schema.get_field_index(column.name)
        return place < 0 or is_text(schema.field(place).type)

    def _fit(self, values: Any, column: Column | None) -> Fit:
        if column is None:
            return Fit(values, values)
        if len(self.nulls):
            values = pc.if_else(pc.is_in(values, self.nulls), pa.scalar(None, values.type), values)
        read = Reading("refuse", "refuse", str(column.extra[DATETIME_FORMAT])).fit(values, column.type)
        misfits = lost(values, read)
        return Fit(values, read, misfits, t.TEXT if len(misfits) else None)
