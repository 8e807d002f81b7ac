"""Values as another type, exactly or not at all: nothing is rounded, cut or reinterpreted.

`cast_text` reads text, `widen` converts typed values, `conform` fits a whole batch to a table. What
the type cannot hold comes back as null *and* as an offset, so the caller decides what becomes of
it. A column is cast in one call; only where that fails are the bad values looked for.

Text forms: numbers in plain or scientific notation without spaces; dates `2024-01-05`; times and
timestamps as ISO 8601, `T` or a space between date and time; a timestamp with a zone must have an
offset or `Z`, one without must not; `true`, `false`, `1`, `0` in any case; UUIDs with or without
dashes, braces or `urn:uuid:`; binary as base64; lists and structs as JSON. A float takes a number
of up to 17 significant digits that it gives back when printed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from penstock.records.convert import convert
from penstock.records.from_text import scalar_cast
from penstock.records.masks import lost
from penstock.records.nested import nested
from penstock.schema.arrow import arrow_schema
from penstock.schema.types import DataType, is_nested

if TYPE_CHECKING:
    from penstock.schema.table import Table

# pyarrow ships no types: its values are Any in this module.


def cast_text(column: Any, to: DataType, *, guessed: bool = False) -> tuple[Any, Sequence[int]]:
    """Texts as values of `to`, and the offsets of those that are none (null in the answer).

    `guessed` says that `to` was inferred from other cells, not declared: forms that inference does
    not take for such a value (a leading zero, `+5`, `1` for true, `NaN`) are then bad too.
    """
    values = nested(column, to) if is_nested(to) else scalar_cast(to, guessed)(column)
    return values, lost(column, values)


def widen(column: Any, to: DataType, read_as: DataType | None = None) -> tuple[Any, Sequence[int]]:
    """Typed values as values of `to`, and the offsets of those that `to` cannot hold (null in the answer).

    For a `to` above the column's type in the lattice every value is held, except integers that a
    float would round. A narrower `to` of the same family (numbers, times) holds those values that
    come out equal. A text becomes a JSON string in a `json` column; other text is never parsed
    (`cast_text` does that), except to a `uuid`. A struct gains missing fields as null. `read_as`
    is the type that the values were read as: strings may be JSON documents, which stay as they are.
    """
    values = convert(column, to, read_as)
    return values, lost(column, values)


def conform(
    batch: Any, table: Table, read_as: Table | None = None
) -> tuple[Any, Mapping[str, Sequence[int]]]:
    """A record batch with the table's columns in their order and types, and what did not fit, by column.

    Columns that the batch lacks are null; those that the table lacks are left out. `read_as` is the
    table as the batch was read; without it, a column whose Arrow type is the table's is taken as it is.
    """
    schema = arrow_schema(table)
    before = {column.name: column.type for column in read_as.columns} if read_as is not None else {}
    kinds = {column.name: column.type for column in table.columns}
    if batch.schema.equals(schema) and all(before.get(n, kinds[n]) == kinds[n] for n in schema.names):
        return batch, {}
    present = set(batch.schema.names)
    columns: list[Any] = []
    bad: dict[str, Sequence[int]] = {}
    for field in schema:
        if field.name not in present:
            columns.append(pa.nulls(batch.num_rows, field.type))
            continue
        values = batch.column(field.name)
        known, kind = before.get(field.name), kinds[field.name]
        if values.type != field.type or (known is not None and known != kind):
            values, missed = widen(values, kind, known)
            if missed:
                bad[field.name] = missed
        columns.append(values)
    return pa.RecordBatch.from_arrays(columns, schema=schema), bad
