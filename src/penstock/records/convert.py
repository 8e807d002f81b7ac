"""Typed values as values of another type, with null for those that it cannot hold. See `records.cast`."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal as Exact
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from penstock.records.from_text import decimal_from_text, float_from_text, integers_in_range, uuid_from_text
from penstock.records.masks import kept, tried, without
from penstock.records.text import (
    is_blob,
    is_json,
    is_text,
    map_entries,
    relisted,
    to_json,
    to_text,
    uuid_text,
)
from penstock.schema import types as t
from penstock.schema.arrow import to_arrow
from penstock.schema.types import DataType, Decimal, Kind, List, Scalar, Struct, Timestamp

# pyarrow ships no types: its values are Any in this module.
_EXACT_INTEGERS = {Kind.FLOAT32: 2**24, Kind.FLOAT64: 2**53}
_WIDE_INTEGER = pa.decimal128(20, 0)


def convert(column: Any, to: DataType, read_as: DataType | None = None) -> Any:
    """The values of `column` as `to`, with null for those that `to` cannot hold.

    `read_as` is what the column was read as, where its Arrow type does not tell (`schema.arrow`).
    """
    kind = column.type
    if pa.types.is_string(kind) and is_json(read_as):
        return _from_json(column, to)
    if isinstance(kind, pa.BaseExtensionType):
        return _from_extension(column, to)
    if pa.types.is_dictionary(kind):
        return convert(column.dictionary_decode(), to)
    if to in (t.JSON, t.TEXT):
        return to_json(column, read_as) if to == t.JSON else to_text(column, read_as)
    arrow = to_arrow(to)
    if kind == arrow and not _in_strings(to):
        return column
    if pa.types.is_null(kind):
        return pa.nulls(len(column), arrow)
    if isinstance(to, Struct) and pa.types.is_struct(kind):
        return _structs(column, to, read_as)
    if isinstance(to, List) and pa.types.is_nested(kind) and not pa.types.is_struct(kind):
        return _lists(map_entries(column) if pa.types.is_map(kind) else column, to, read_as)
    for family, of_family in _FAMILIES:
        if family(kind):
            return of_family(column, to, arrow)
    return pa.nulls(len(column), arrow)


def _in_strings(kind: DataType) -> bool:
    """Whether a type has values, at any depth, that travel as strings and are no text."""
    if isinstance(kind, List):
        return _in_strings(kind.item)
    if isinstance(kind, Struct) and kind.fields:
        return any(_in_strings(field) for _, field in kind.fields)
    return kind in (t.UUID, t.JSON, Struct(()))


def _from_extension(column: Any, to: DataType) -> Any:
    name = column.type.extension_name
    if name == "arrow.uuid" and to in (t.UUID, t.TEXT, t.JSON):
        return to_json(column) if to == t.JSON else uuid_text(column.storage)
    if name == "arrow.json" and to == t.JSON:
        return column.storage.cast(pa.string())
    return convert(column.storage, to)


def _from_json(column: Any, to: DataType) -> Any:
    """JSON documents, which no type but text can hold too, or objects without keys as other objects."""
    if isinstance(to, Struct) and to.fields:
        blank = pa.nulls(len(column), to_arrow(to))
        empty = pa.StructArray.from_arrays(blank.flatten(), fields=list(blank.type))
        return kept(empty, pc.equal(column, "{}"))
    return column if pa.types.is_string(to_arrow(to)) else pa.nulls(len(column), to_arrow(to))


# ---------------------------------------------------------------------------------------- nested


def _structs(column: Any, to: Struct, read_as: DataType | None) -> Any:
    kinds = dict(read_as.fields) if isinstance(read_as, Struct) else {}
    children = dict(zip((f.name for f in column.type), column.flatten(), strict=True))
    good = column.is_valid()
    fields = []
    for name, field in to.fields:
        before = children.pop(name, None)
        if before is None:
            fields.append(pa.nulls(len(column), to_arrow(field)))
            continue
        after = convert(before, field, kinds.get(name))
        if after.null_count != before.null_count:
            good = pc.and_(good, pc.or_(before.is_null(), after.is_valid()))
        fields.append(after)
    for unknown in children.values():
        good = pc.and_(good, unknown.is_null())
    if not fields:
        return kept(pa.array(["{}"] * len(column), to_arrow(to)), good)
    return pa.StructArray.from_arrays(fields, fields=list(to_arrow(to)), mask=pc.invert(good))


def _lists(column: Any, to: List, read_as: DataType | None) -> Any:
    before = column.flatten()
    after = convert(before, to.item, read_as.item if isinstance(read_as, List) else None)
    lists = relisted(column, after)
    if lists.type != to_arrow(to):  # pyarrow 26 breaks a list<null> that is cast to its own type
        lists = lists.cast(to_arrow(to))
    if column.null_count:
        lists = kept(lists, column.is_valid())
    if after.null_count == before.null_count:
        return lists
    spots = pc.indices_nonzero(pc.and_(before.is_valid(), after.is_null()))
    return without(lists, pc.list_parent_indices(relisted(column, before)).take(spots))


# --------------------------------------------------------------------------------------- scalars


def _numbers(column: Any, to: DataType, arrow: Any) -> Any:
    if isinstance(to, Scalar) and t.is_float(to):
        return _to_floats(column, to, arrow)
    if not isinstance(to, Decimal) and not t.is_integer(to):
        return pa.nulls(len(column), arrow)
    if pa.types.is_floating(column.type):
        if isinstance(to, Decimal):
            return decimal_from_text(to_text(column), to)
        whole = kept(column, pc.equal(pc.floor(column), column))
        return tried(whole, lambda c: c.cast(arrow))
    if isinstance(to, Decimal):
        column = _below(column, Exact(10) ** (to.precision - to.scale))
    try:
        return column.cast(arrow)
    except pa.ArrowInvalid:
        if pa.types.is_integer(column.type) and t.is_integer(to):
            return integers_in_range(column.cast(_WIDE_INTEGER), arrow)
        scale = max(getattr(to, "scale", 0), getattr(column.type, "scale", 0))
        return tried(column, lambda c: c.cast(pa.decimal256(76, scale)).cast(arrow))


def _below(column: Any, limit: Exact) -> Any:
    """Numbers with null for those of `limit` or more on either side: Arrow lets them overflow."""
    wide = column.cast(_WIDE_INTEGER) if pa.types.is_integer(column.type) else column
    bounds = pc.min_max(wide).as_py()
    if bounds["min"] is None or (bounds["min"] > -limit and bounds["max"] < limit):
        return column
    kind = pa.decimal256(76, wide.type.scale)
    far = wide.cast(kind)
    return kept(
        column, pc.and_(pc.greater(far, pa.scalar(-limit, kind)), pc.less(far, pa.scalar(limit, kind)))
    )


def _to_floats(column: Any, to: Scalar, arrow: Any) -> Any:
    kind = column.type
    if pa.types.is_integer(kind):
        return _within(column, _EXACT_INTEGERS[to.kind]).cast(arrow)
    if pa.types.is_decimal(kind):
        return float_from_text(to_text(column), to, guessed=False)
    if kind.bit_width < arrow.bit_width:
        return column.cast(arrow)
    values = column.cast(arrow)
    return kept(values, pc.or_(pc.equal(values.cast(kind), column), pc.is_nan(column)))


def _within(column: Any, limit: int) -> Any:
    """Integers with null for those beyond `limit` on either side."""
    bounds = pc.min_max(column).as_py()
    if bounds["min"] is None or (bounds["min"] >= -limit and bounds["max"] <= limit):
        return column
    wide = column.cast(_WIDE_INTEGER)
    low, high = (pa.scalar(Exact(bound), _WIDE_INTEGER) for bound in (-limit, limit))
    return kept(column, pc.and_(pc.greater_equal(wide, low), pc.less_equal(wide, high)))


def _days(column: Any, to: DataType, arrow: Any) -> Any:
    if to == t.DATE or (isinstance(to, Timestamp) and not to.zone):
        return tried(column, lambda c: c.cast(arrow))
    return pa.nulls(len(column), arrow)


def _instants(column: Any, to: DataType, arrow: Any) -> Any:
    zone = column.type.tz is not None
    if isinstance(to, Timestamp) and to.zone == zone:
        return tried(column, lambda c: c.cast(arrow))
    if to == t.DATE and not zone:
        days = tried(column, lambda c: c.cast(arrow))
        return kept(days, pc.equal(days.cast(column.type), column))
    return pa.nulls(len(column), arrow)


def _clocks(column: Any, to: DataType, arrow: Any) -> Any:
    return tried(column, lambda c: c.cast(arrow)) if to == t.TIME else pa.nulls(len(column), arrow)


def _texts(column: Any, to: DataType, arrow: Any) -> Any:
    return uuid_from_text(column.cast(pa.string())) if to == t.UUID else pa.nulls(len(column), arrow)


def _blobs(column: Any, to: DataType, arrow: Any) -> Any:
    return column.cast(arrow) if to == t.BINARY else pa.nulls(len(column), arrow)


def _is_number(kind: Any) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


_FAMILIES: tuple[tuple[Callable[[Any], bool], Callable[[Any, DataType, Any], Any]], ...] = (
    (_is_number, _numbers),
    (pa.types.is_date, _days),
    (pa.types.is_timestamp, _instants),
    (pa.types.is_time, _clocks),
    (is_text, _texts),
    (is_blob, _blobs),
)
