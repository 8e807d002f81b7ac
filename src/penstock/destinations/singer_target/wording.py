"""Rows as the messages of Singer: schemas, records, versions and states. Vectorised, pure.

Numbers keep their digits, instants are written as RFC 3339 wants them, bytes as base64. What JSON has no
word for at the top of a row (NaN, infinity) is refused: a target could only fail on it, or lose it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from penstock.destinations.columns import Layout, Stored
from penstock.errors import RefusedError
from penstock.ledger import LOAD_ID
from penstock.records.text import to_json, to_text
from penstock.schema.arrow import from_arrow, to_arrow
from penstock.schema.types import (
    JSON,
    TEXT,
    DataType,
    Decimal,
    Kind,
    List,
    Scalar,
    Struct,
    Timestamp,
    is_integer,
    is_nested,
)

# Any throughout: pyarrow is untyped, and JSON schemas hold values of every type

PIECE_BYTES = 4 << 20
"""Records are made into text in pieces of about so many bytes of Arrow data."""
_BIGINT_DIGITS = 18
_SCALARS: Mapping[Kind, dict[str, Any]] = {
    Kind.BOOL: {"type": "boolean"},
    Kind.FLOAT32: {"type": "number"},
    Kind.FLOAT64: {"type": "number"},
    Kind.BINARY: {"type": "string", "contentEncoding": "base64"},
    Kind.DATE: {"type": "string", "format": "date"},
    Kind.TIME: {"type": "string", "format": "time"},
    Kind.UUID: {"type": "string", "format": "uuid"},
}


# --------------------------------------------------------------------------------- the schema


def schema_message(stream: str, layout: Layout, keys: Sequence[str]) -> bytes:
    """A SCHEMA message. `keys` are the names, as stored, of the columns that tell one row from another."""
    properties = {s.stored_as: _property(s.type) for s in layout}
    properties[LOAD_ID] = {"type": ["string", "null"]}
    schema = {"type": "object", "properties": properties}
    return _line({"type": "SCHEMA", "stream": stream, "schema": schema, "key_properties": list(keys)})


def _property(kind: DataType) -> dict[str, Any]:
    """The JSON Schema of values of one type, or null. JSON documents travel as their text."""
    said = _said(kind)
    return {**said, "type": [said["type"], "null"]}


def _said(kind: DataType) -> dict[str, Any]:
    if isinstance(kind, Decimal):
        # no `multipleOf`: a target that reads numbers as floats would find 1.1 to be no multiple of 0.01
        return {"type": "number" if kind.scale or kind.precision > _BIGINT_DIGITS else "integer"}
    if isinstance(kind, Timestamp):
        return {"type": "string", "format": "date-time"}
    if isinstance(kind, List):
        return {"type": "array", "items": _inner(kind.item)}
    if isinstance(kind, Struct):
        return {"type": "object", "properties": {name: _inner(inner) for name, inner in kind.fields}}
    if is_integer(kind):
        return {"type": "number" if kind == Scalar(Kind.UINT64) else "integer"}
    return dict(_SCALARS.get(kind.kind, {"type": "string"}))


def _inner(kind: DataType) -> dict[str, Any]:
    """The schema of a value inside of another, where a JSON document is what it says."""
    return {} if kind == JSON else _property(kind)


# -------------------------------------------------------------------------------- the records


def record_lines(
    batch: Any, kinds: Mapping[str, DataType], layout: Layout, stream: str, version: int | None, load_id: str
) -> Iterator[tuple[int, Any]]:
    """RECORD messages of a record batch, in pieces: how many, and their bytes.

    `kinds` are the types that the columns of the batch had when it was written, `layout` those that the
    table has by now. Raises: RefusedError for a number that JSON has no word for.
    """
    pieces = max(1, -(-batch.nbytes // PIECE_BYTES))
    rows = max(1, -(-batch.num_rows // pieces))
    for start in range(0, batch.num_rows, rows):
        piece = batch.slice(start, rows)
        yield piece.num_rows, _bytes_of(_records(piece, kinds, layout, stream, version, load_id))


def _records(
    batch: Any, kinds: Mapping[str, DataType], layout: Layout, stream: str, version: int | None, load_id: str
) -> Any:
    head = f'{{"type": "RECORD", "stream": {json.dumps(stream)}, "record": {{'
    last = f"{json.dumps(LOAD_ID)}: {json.dumps(load_id)}}}"
    tail = f'{last}, "version": {version}}}\n' if version is not None else f"{last}}}\n"
    parts: list[Any] = []
    for stored in layout:
        if stored.name in batch.schema.names:
            column = batch.column(stored.name)
            if pa.types.is_null(column.type):
                continue
            key = f"{json.dumps(stored.stored_as, ensure_ascii=False)}: "
            text = pc.fill_null(_json(column, kinds.get(stored.name), stored, stream), "null")
            parts += [f"{head}{key}" if not parts else f", {key}", text]
    if not parts:
        return pa.array([head + tail] * batch.num_rows, pa.string())
    return pc.binary_join_element_wise(*parts, f", {tail}", "")


def _json(column: Any, kind: DataType | None, stored: Stored, stream: str) -> Any:
    """The values of a column as JSON texts of the type that the table has."""
    seen = kind or from_arrow(column.type)
    if stored.type == JSON:
        return to_json(column if seen == JSON else to_json(column, seen), TEXT)
    if stored.type == TEXT:
        return to_json(column if seen == TEXT else to_text(column, seen), TEXT)
    if is_nested(stored.type):
        return to_json(column, seen)
    if column.type != to_arrow(stored.type):
        column = column.cast(to_arrow(stored.type))  # what would not fit was refused when it was written
    if pa.types.is_floating(column.type) and pc.any(pc.invert(pc.is_finite(column))).as_py():
        raise RefusedError(
            f"`{stream}.{stored.name}` holds NaN or infinity, which Singer's messages have no word for",
            expected="finite numbers, or none",
            hint="declare the column as text, or set such rows aside by an expectation",
        )
    return to_json(column, stored.type)


def _bytes_of(texts: Any) -> Any:
    """All texts of an array that has no nulls, one after the other, without a copy."""
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    if not len(texts):
        return b""
    offsets = memoryview(texts.buffers()[1]).cast("i")
    data = texts.buffers()[2]
    start, end = offsets[texts.offset], offsets[texts.offset + len(texts)]
    return memoryview(data)[start:end]


# ----------------------------------------------------------------------------- the other two


def version_message(stream: str, version: int) -> bytes:
    """An ACTIVATE_VERSION message: rows of the stream with an older version are no more."""
    return _line({"type": "ACTIVATE_VERSION", "stream": stream, "version": version})


def state_message(load_id: str, rows: Mapping[str, int], *, whole: bool) -> bytes:
    """A STATE message: how many rows of each stream came before it, and whether that is all of the load.

    The counts are under `bookmarks` by stream, because some targets hand back only these.
    """
    bookmarks = {stream: {"penstock_rows": n, "penstock_load": load_id} for stream, n in rows.items()}
    own = {"load_id": load_id, "rows": sum(rows.values()), "whole": whole}
    return _line({"type": "STATE", "value": {"bookmarks": bookmarks, "penstock": own}})


def _line(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message, ensure_ascii=False).encode() + b"\n"
