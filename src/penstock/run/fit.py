"""Rows that were read as one shape of a table, as rows of a wider one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from penstock.records.cast import cast_text, conform
from penstock.schema import types as t
from penstock.schema.table import Table
from penstock.schema.types import Struct


def fit(batch: pa.RecordBatch, read_as: Table, table: Table) -> tuple[Any, Mapping[str, Sequence[int]]]:
    """The rows in the shape of `table`, and the rows that cannot be, by column.

    Text that becomes JSON is quoted, and objects whose keys were not known when they were read
    (`{}`) become the objects that they are now; all else is `records.cast.conform`.
    """
    for i, field in enumerate(batch.schema):
        before, after = read_as.column(field.name), table.column(field.name)
        if before is None or after is None or before.type == after.type:
            continue
        if after.type == t.JSON and before.type in (t.TEXT, t.UUID):
            batch = batch.set_column(i, field, _quoted(batch.column(i)))
        elif isinstance(after.type, Struct) and before.type == Struct(()):
            values, _ = cast_text(batch.column(i), after.type)
            batch = batch.set_column(i, pa.field(field.name, values.type), values)
    return conform(batch, table)


def _quoted(column: Any) -> Any:  # Any: pyarrow is untyped
    texts = (None if v is None else json.dumps(v, ensure_ascii=False) for v in column.to_pylist())
    return pa.array(texts, pa.string())
