"""Record batches on their way into DuckDB: renamed, counted, and honest about their errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from penstock.destinations.columns import ORDINAL, Layout, Stored, field_names, find
from penstock.destinations.convert import carried, convert
from penstock.errors import BugError
from penstock.ports import Batches
from penstock.schema.arrow import from_arrow
from penstock.schema.types import DataType, List, Struct, merge

VECTOR_ROWS = 2048
"""DuckDB has so many rows in memory at once, however large they are."""


class Incoming:
    """Rows of one table as a stream that DuckDB can scan once.

    Columns are called `c0`, `c1` and so on and fields of structs as they are stored, so that no
    name in the data can collide with another or reach SQL. With `first` the rows are numbered from
    there on in a column `_penstock_ordinal`. `error` is what the source of the batches raised, if it
    did; `vector_bytes` the size of the largest `VECTOR_ROWS` rows.
    """

    def __init__(self, data: Batches, layout: Layout, first: int | None = None) -> None:
        self._data = data
        self._first = first
        self.rows = 0
        self.vector_bytes = 0
        self._run = [0, 0]
        self.error: BaseException | None = None
        self.columns: list[tuple[Stored, str]] = []
        self._positions: list[int] = []
        self._fields: list[Any] = []  # Any: pyarrow is untyped
        for i, field in enumerate(data.schema):
            self._take(i, field, layout)
        if first is not None or not self._fields:
            self._fields.append(pa.field(ORDINAL, pa.int64()))
        self.schema = pa.schema(self._fields)

    def _take(self, position: int, field: Any, layout: Layout) -> None:
        if pa.types.is_null(field.type):
            return
        stored = find(layout, field.name)
        if stored is None:
            raise BugError(f"a batch has a column that its table lacks: `{field.name}`")
        seen = carried(from_arrow(field.type), stored.type)
        if merge(stored.type, seen) != stored.type:
            raise BugError(
                f"values of column `{field.name}` do not fit its type",
                found=str(seen),
                expected=str(stored.type),
            )
        name = f"c{len(self.columns)}"
        self.columns.append((stored, convert(name, seen, stored.type)))
        self._positions.append(position)
        self._fields.append(pa.field(name, _renamed(field.type, seen, stored.type)))

    def reader(self) -> Any:  # Any: pyarrow is untyped
        """The stream. Errors of the source end it, and are kept in `error`."""
        return pa.RecordBatchReader.from_batches(self.schema, self.batches())

    def batches(self) -> Iterator[Any]:
        """The same without the reader around it, so that errors come out as they were raised."""
        try:
            for batch in self._data.batches:
                if not batch.schema.equals(self._data.schema):
                    raise BugError(
                        "a batch has another schema than its stream",
                        found=str(batch.schema),
                        expected=str(self._data.schema),
                    )
                if batch.num_rows:
                    self._measure(batch)
                    yield self._renamed_batch(batch)
                self.rows += batch.num_rows
        except GeneratorExit:
            raise
        except BaseException as error:
            self.error = error
            raise

    def _measure(self, batch: Any) -> None:
        rows, size = self._run
        rows, size = rows + batch.num_rows, size + batch.nbytes
        self.vector_bytes = max(self.vector_bytes, size * VECTOR_ROWS // max(rows, VECTOR_ROWS))
        self._run = [rows, size] if rows < VECTOR_ROWS else [0, 0]

    def _renamed_batch(self, batch: Any) -> Any:
        columns = [batch.column(i) for i in self._positions]
        if len(self._fields) > len(columns):
            first = (self._first or 0) + self.rows
            columns.append(pa.arange(first, first + batch.num_rows))
        plain = pa.RecordBatch.from_arrays(columns, [f.name for f in self._fields])
        return plain if plain.schema == self.schema else pa.record_batch(_Relabelled(plain, self.schema))


class _Relabelled:
    """A batch under another schema of the same layout: the names change, no value is copied."""

    def __init__(self, batch: Any, schema: Any) -> None:
        self._batch = batch
        self._schema = schema

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        return self._schema.__arrow_c_schema__(), self._batch.__arrow_c_array__()[1]


def _renamed(arrow: Any, seen: DataType, target: DataType) -> Any:
    """An Arrow type with the fields of its structs named as they are stored."""
    if isinstance(seen, List) and pa.types.is_list(arrow):
        item = target.item if isinstance(target, List) else seen.item
        return pa.list_(arrow.value_field.with_type(_renamed(arrow.value_type, seen.item, item)))
    if isinstance(seen, Struct) and pa.types.is_struct(arrow):
        names = field_names(target if isinstance(target, Struct) else seen)
        kinds = dict(target.fields) if isinstance(target, Struct) else {}
        return pa.struct(
            [
                pa.field(names[n], _renamed(arrow.field(i).type, t, kinds.get(n, t)), arrow.field(i).nullable)
                for i, (n, t) in enumerate(seen.fields)
            ]
        )
    return arrow
