"""What is in a warehouse after a run, as plain values that can be compared with the source's."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal as Exact
from typing import Any

import pyarrow as pa

from penstock.schema.types import JSON, DataType, List, Struct, parse_type

# Any throughout: pyarrow ships no types, and cells hold whatever data holds.

LOAD_ID = "_penstock_load_id"
_NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


@dataclass(frozen=True, order=True)
class Instant:
    """A time of a timestamp column. Units: nanoseconds since 1970, in UTC if `zone`."""

    ns: int


@dataclass(frozen=True)
class Stored:
    """A table: the type of each column by its name in the data, and rows by these names.

    Columns whose type nothing has told yet are not stored, and not here.
    """

    kinds: dict[str, DataType]
    stored_as: dict[str, str]
    rows: list[dict[str, Any]]
    load_ids: list[str]

    def column(self, name: str = "v") -> list[Any]:
        """The values of a column, in the order of the table."""
        return [row[name] for row in self.rows]


def read(session: Any, table: str = "t") -> Stored:
    """All of a table, with the names and types that the ledger says the data had."""
    newest = "ORDER BY version DESC LIMIT 1"
    name = "'" + table.replace("'", "''") + "'"
    shapes = session.show(
        None, sql=f"SELECT columns FROM _penstock_schema WHERE table_name = {name} {newest}"
    )
    layout = json.loads(shapes.column("columns")[0].as_py())
    rows = session.show(None, sql=f"SELECT * FROM {quoted(table)}").combine_chunks()
    assert set(rows.column_names) == {LOAD_ID, *(c["stored_as"] for c in layout)}
    kinds = {c["name"]: parse_type(c["type"]) for c in layout}
    columns = {c["name"]: cells(rows.column(c["stored_as"]), kinds[c["name"]]) for c in layout}
    return Stored(
        kinds,
        {c["name"]: c["stored_as"] for c in layout},
        [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)],
        rows.column(LOAD_ID).to_pylist(),
    )


def quoted(name: str) -> str:
    """A name in SQL."""
    return '"' + name.replace('"', '""') + '"'


def cells(column: Any, kind: DataType) -> list[Any]:
    """An Arrow column as Python values: times as `Instant`, objects under the names that they had."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if isinstance(column, pa.ChunkedArray):  # one without any chunk
        return []
    valid = column.is_valid().to_pylist()
    if pa.types.is_timestamp(column.type):
        scale = _NANOSECONDS[column.type.unit]
        ticks = column.cast(pa.int64()).to_pylist()
        return [None if t is None else Instant(t * scale) for t in ticks]
    if pa.types.is_struct(column.type) and isinstance(kind, Struct):
        fields = zip(kind.fields, column.flatten(), strict=True)
        parts = {name: cells(part, inner) for (name, inner), part in fields}
        return [{n: p[i] for n, p in parts.items()} if v else None for i, v in enumerate(valid)]
    if pa.types.is_list(column.type) and isinstance(kind, List):
        items = cells(column.values, kind.item)
        ends = column.offsets.to_pylist()
        return [items[ends[i] : ends[i + 1]] if v else None for i, v in enumerate(valid)]
    if kind == JSON or kind == Struct(()):
        return [None if text is None else _document(text) for text in column.to_pylist()]
    found: list[Any] = column.to_pylist()
    return found


def decoded(text: str | bytes) -> Any:
    """JSON with every number exact."""
    return json.loads(text, parse_float=Exact)


def _document(text: str) -> Any:
    assert text != "null", "a null is no JSON document"
    return decoded(text)
