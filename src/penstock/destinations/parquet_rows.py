"""Rows on their way into parts: converted where they need it, and parted by their hive path."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from penstock.destinations.columns import Layout
from penstock.destinations.convert import ddl, literal, quote
from penstock.destinations.engine import explained
from penstock.destinations.incoming import Incoming
from penstock.destinations.parquet_names import partition_columns, path_sql
from penstock.destinations.storage import stored_schema, stored_type
from penstock.errors import BugError
from penstock.ledger import LOAD_ID
from penstock.schema.table import Table
from penstock.schema.types import JSON, UUID, DataType, List, Struct

_PATH = "_penstock_path"
_BATCH_ROWS = 65_536


def plain_rows(incoming: Incoming, layout: Layout, load_id: str) -> Iterator[Any]:
    """Batches as they are stored, for rows that need no conversion (`is_plain`)."""
    schema = stored_schema(layout)
    names = {stored.stored_as: f"c{i}" for i, (stored, _) in enumerate(incoming.columns)}
    for batch in incoming.batches():
        arrays = [
            batch.column(names[f.name]) if f.name in names else pa.nulls(batch.num_rows, f.type)
            for f in list(schema)[:-1]
        ]
        yield pa.RecordBatch.from_arrays([*arrays, pa.repeat(load_id, batch.num_rows)], schema=schema)


def is_plain(incoming: Incoming) -> bool:
    """Whether the rows are already of the types that are stored, with nothing left to check."""
    return all(
        field.type == stored_type(stored.type) and not _checked(stored.type)
        for (stored, _), field in zip(incoming.columns, incoming.schema, strict=False)
    )


def converted(incoming: Incoming, layout: Layout, load_id: str) -> str:
    """A query over `_penstock_incoming` for rows as their table has them, and the load id."""
    values = {stored.stored_as: sql for stored, sql in incoming.columns}
    columns = [
        f"{values.get(s.stored_as) or f'CAST(NULL AS {ddl(s.type)})'} AS {quote(s.stored_as)}" for s in layout
    ]
    columns.append(f"{literal(load_id)} AS {quote(LOAD_ID)}")
    return f"SELECT {', '.join(columns)} FROM _penstock_incoming"


def routed(
    con: Any, sql: str, table: Table, layout: Layout, where: str, incoming: Incoming | None = None
) -> Iterator[tuple[str, Any]]:
    """The rows of a query as they are stored, batch by batch with their hive path.

    `sql` gives the columns of the layout and the load id; it may read `_penstock_incoming`. What
    the source of those rows raises comes out as it was raised.
    """
    _penstock_incoming = incoming.reader() if incoming is not None else None
    parts = partition_columns(table, layout)
    if parts:
        path = path_sql(parts, {s.stored_as: quote(s.stored_as) for s in layout})
        sql = f"SELECT *, {path} AS {_PATH} FROM ({sql})"
    schema = stored_schema(layout, {name for name, _ in parts})
    try:
        with explained(where):
            con.execute("SET python_enable_replacements = true")
            for batch in con.sql(sql).to_arrow_reader(_BATCH_ROWS):
                stored = batch.select(schema.names).cast(schema)
                yield from _parted(stored, batch.column(_PATH)) if parts else [("", stored)]
    except Exception as error:
        if incoming is not None and incoming.error is not None:
            raise incoming.error from None
        if isinstance(error, pa.ArrowException):
            raise BugError("rows could not be stored as they are", where=where, found=str(error)) from error
        raise


def _parted(batch: Any, paths: Any) -> Iterator[tuple[str, Any]]:
    """A batch taken apart by the hive path of its rows, which keep their order."""
    coded = paths.dictionary_encode()
    if len(coded.dictionary) == 1:
        yield coded.dictionary[0].as_py(), batch
        return
    order, start = pc.sort_indices(coded.indices), 0
    counts = pc.value_counts(pc.take(coded.indices, order))
    for code, count in zip(counts.field(0).to_pylist(), counts.field(1).to_pylist(), strict=True):
        # taken, not sliced: a slice would keep the whole batch in memory
        yield coded.dictionary[code].as_py(), batch.take(order.slice(start, count))
        start += count


def _checked(kind: DataType) -> bool:
    if isinstance(kind, List):
        return _checked(kind.item)
    if isinstance(kind, Struct):
        return not kind.fields or any(_checked(t) for _, t in kind.fields)
    return kind in (UUID, JSON)
