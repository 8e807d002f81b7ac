"""Readers that treat types as a table's options say: conventions looked for, misfits put aside.

Each wraps the reader of a format and changes only what the table is asked to grow by.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from datetime import datetime
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from penstock.records.cast import cast_text, widen
from penstock.records.chunk import Chunk, Format, Growth, Parsed
from penstock.records.detect import Detection, as_detected, detect
from penstock.records.text import is_blob
from penstock.schema import types as t
from penstock.schema.arrow import arrow_schema
from penstock.schema.contract import Contract
from penstock.schema.table import Table, evolve
from penstock.schema.types import DataType, is_nested, merge
from penstock.schema.variants import variant_name

# pyarrow ships no types: its values are Any in this module.
_TRIES = 32  # growths of one chunk


class _Wrapped:
    """A reader that cuts and shows as another does."""

    def __init__(self, inner: Format) -> None:
        self.inner = inner

    def split(self, stream: BinaryIO) -> Iterator[Chunk]:
        """As the inner reader."""
        return self.inner.split(stream)

    def raw(self, chunk: Chunk, offsets: Sequence[int]) -> list[bytes]:
        """As the inner reader."""
        return self.inner.raw(chunk, offsets)


class Detecting(_Wrapped):
    """Looks for conventions in columns that are not declared: numbers that are instants, and the like.

    `now` is an instant that the numbers must be near.
    """

    def __init__(self, inner: Format, chosen: Sequence[Detection], now: datetime) -> None:
        super().__init__(inner)
        self.chosen = chosen
        self.now = now

    def parse(self, chunk: Chunk, table: Table, contract: Contract) -> Parsed | Growth:
        """As the inner reader; a column whose values all follow a convention gets its type."""
        found = self.inner.parse(chunk, table, contract)
        if not isinstance(found, Growth):
            return self._in_hex(chunk, table, contract) or found
        known = {c.name: c for c in table.columns}
        fresh = [n for n in found.seen if n not in known or known[n].type == t.NULL]
        followed = [n for n in found.seen if n not in fresh and not known[n].declared]
        if fresh:
            parsed = _as_asked(self.inner, chunk, table, contract, found.seen)
            kinds = (
                {n: detect(parsed.batch.column(n), self.chosen, self.now) for n in fresh} if parsed else {}
            )
            return Growth({**found.seen, **{n: kind for n, kind in kinds.items() if kind is not None}})
        if len(followed) < len(found.seen):
            return found
        bare = replace(table, columns=tuple(c for c in table.columns if c.name not in followed))
        raw = _as_asked(self.inner, chunk, bare, contract, dict.fromkeys(followed, t.NULL))
        return found if raw is None else _detected(table, raw, followed) or found

    def _in_hex(self, chunk: Chunk, table: Table, contract: Contract) -> Parsed | None:
        """The rows with bytes as the text that was detected; None if there are none in a column of text.

        Text holds bytes too, in another spelling: no growth tells of them.
        """
        if Detection.HEXBYTES_TO_TEXT not in self.chosen:
            return None
        texts = {c.name for c in table.columns if c.type == t.TEXT and not c.declared}
        raw = _without(texts, self.inner, chunk, table, contract)
        blobs = {n for n in texts if raw is not None and is_blob(raw.batch.schema.field(n).type)}
        raw = _without(blobs, self.inner, chunk, table, contract)
        return None if raw is None else _detected(table, raw, sorted(blobs))


def _without(names: Set[str], inner: Format, chunk: Chunk, table: Table, contract: Contract) -> Parsed | None:
    """The chunk as rows in which some columns have the types that they come with; None for no columns."""
    if not names:
        return None
    bare = replace(table, columns=tuple(c for c in table.columns if c.name not in names))
    return _as_asked(inner, chunk, bare, contract, dict.fromkeys(names, t.NULL))


def _detected(table: Table, parsed: Parsed, names: Sequence[str]) -> Parsed | None:
    """The rows with some columns as the type that was detected earlier; None if a value has none."""
    values = {name: parsed.batch.column(name) for name in parsed.batch.schema.names}
    kinds = {c.name: c.type for c in table.columns}
    for name in names:
        raw = values[name]
        values[name] = as_detected(raw, kinds[name])
        if values[name].null_count != raw.null_count:
            return None
    schema = arrow_schema(table)
    columns = [_typed(values.get(f.name), f.type, parsed.batch.num_rows) for f in schema]
    return replace(parsed, batch=pa.RecordBatch.from_arrays(columns, schema=schema))


def _as_asked(
    inner: Format, chunk: Chunk, table: Table, contract: Contract, seen: Mapping[str, DataType]
) -> Parsed | None:
    """The chunk as rows of a table that is given whatever it asks for; None if it never has enough."""
    for _ in range(_TRIES):
        table, _changes = evolve(table, seen)
        parsed = inner.parse(chunk, table, contract)
        if isinstance(parsed, Parsed):
            return parsed
        seen = parsed.seen
    return None


class Varying(_Wrapped):
    """Puts values that do not fit the type of their column into a column of their own.

    Declared columns are left to the contract, and so are objects and lists.
    Source: the variant columns of dlt.
    """

    def parse(self, chunk: Chunk, table: Table, contract: Contract) -> Parsed | Growth:
        """As the inner reader, but that no column becomes wider: `price` gets a `price__v_text`."""
        asked, wider = table, dict[str, DataType]()
        for _ in range(_TRIES):
            found = self.inner.parse(chunk, asked, contract)
            if isinstance(found, Parsed):
                return _split(table, found, wider) if wider else found
            more = _wider(asked, found)
            others = {n: kind for n, kind in found.seen.items() if n not in more}
            if others:
                return Growth(others)
            wider |= more
            asked, _changes = evolve(asked, more)
        return found


def _wider(table: Table, growth: Growth) -> dict[str, DataType]:
    """The columns that would become wider, with what they would become."""
    found = {}
    for column in table.columns:
        kind = growth.seen.get(column.name)
        if kind is None or column.declared or column.type == t.NULL:
            continue
        after = merge(column.type, kind)
        if after != column.type and not is_nested(column.type) and not is_nested(after):
            found[column.name] = after
    return found


def _split(table: Table, parsed: Parsed, wider: dict[str, DataType]) -> Parsed | Growth:
    """The rows with what fits in its column and the rest in its variant, or the variants to make."""
    values = {name: parsed.batch.column(name) for name in parsed.batch.schema.names}
    fresh: dict[str, DataType] = {}
    for name, kind in wider.items():
        column = table.column(name)
        assert column is not None
        whole = values[name]
        fits = _fitting(whole, kind, column.type)
        misfits = pc.and_(whole.is_valid(), fits.is_null())
        variant = variant_name(name, kind)
        values[name] = fits
        values[variant] = pc.if_else(misfits, whole, pa.nulls(len(whole), whole.type))
        there = table.column(variant)
        if there is None or merge(there.type, kind) != there.type:
            fresh[variant] = kind
    if fresh:
        return Growth(fresh)
    schema = arrow_schema(table)
    rows = parsed.batch.num_rows
    columns = [_typed(values.get(f.name), f.type, rows) for f in schema]
    return replace(parsed, batch=pa.RecordBatch.from_arrays(columns, schema=schema))


def _fitting(values: Any, kind: DataType, to: DataType) -> Any:
    """Values of `to`; null where they are none."""
    return cast_text(values, to, guessed=True)[0] if kind == t.TEXT else widen(values, to, kind)[0]


def _typed(values: Any, kind: Any, rows: int) -> Any:
    if values is None:
        return pa.nulls(rows, kind)
    return values if values.type == kind else values.cast(kind)
