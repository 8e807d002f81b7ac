"""A page of rows as an Arrow table or record batch, held against the range of a cursor.

Cursors are compared to the microsecond, which is what the state can hold: nanoseconds are cut for the
comparison, not in the rows. Rows that the cut makes equal are told apart by their digests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from penstock.cursors.cursor import Compare, Cursor
from penstock.cursors.faults import place, refuse_missing, refuse_mixed, refuse_nan
from penstock.cursors.rows import Listed, admit_listed
from penstock.cursors.value import digest
from penstock.errors import RefusedError
from penstock.schema.jsonpath import JsonPath

Arrow = Any  # pyarrow is untyped: a table or record batch, a column, a mask or a scalar
_UNFIT = (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError, OverflowError, TypeError)


def filter_arrow(cursor: Cursor[Any], path: JsonPath, data: Arrow) -> Arrow:
    """The rows that are inside of the range and new, in their order; `data` itself if all are.

    Raises: RefusedError for a row without a cursor, and for cursors that have no order.
    """
    if data.num_rows == 0:
        return data
    data = _filterable(data)
    column = _column(cursor, path, data)
    valid = None
    if column is None or column.null_count:
        valid = _valid(cursor, data, column)
        column = data.column(0).slice(0, 0) if column is None else column.filter(valid)
    if pa.types.is_floating(column.type) and pc.any(pc.is_nan(column)).as_py():
        at = pc.index(pc.is_nan(column), True).as_py()
        raise refuse_nan(cursor, at if valid is None else pc.indices_nonzero(valid)[at].as_py())
    some = data if valid is None else data.filter(valid)
    mask = _admit(cursor, ArrowValues(column, _Digests(cursor, some)))
    cursor.rows += data.num_rows
    if valid is not None:
        mask = _spread(mask, valid, others=cursor.missing == "include")
    return data if mask is None else data.filter(mask)


def _admit(cursor: Cursor[Any], values: ArrowValues) -> Arrow | None:
    if len(values.column) == 0:
        return None
    if cursor.func in (max, min) and _fits(cursor, values.column):
        try:
            return cursor.admit(values)
        except TypeError as error:
            raise refuse_mixed(cursor, values.column[0].as_py()) from error
    kept = admit_listed(cursor, Listed(values.column.to_pylist(), values.digests))
    return None if kept is None else pa.array(kept, pa.bool_())


def _fits(cursor: Cursor[Any], column: Arrow) -> bool:
    """Whether Arrow can order the column, and hold the bounds in its type without changing them."""
    try:
        pc.min_max(column.slice(0, 1))
        for bound in (cursor.start, cursor.end, cursor.last):
            if bound is not None and pa.scalar(bound, column.type).as_py() != bound:
                return False
    except _UNFIT:
        return False
    return True


def _column(cursor: Cursor[Any], path: JsonPath, data: Arrow) -> Arrow | None:
    """The cursors in a type that Python's values match; None if there is no such column."""
    names = path.names
    if names is None:
        raise RefusedError(
            f"the cursor `{path.text}` cannot be found in Arrow data",
            where=place(cursor),
            expected="a column or a field of a struct, as `updated_at` or `meta.updated_at`",
        )
    at = data.schema.get_field_index(names[0])
    if at < 0:
        return None
    column = data.column(at)
    for name in names[1:]:
        if not pa.types.is_struct(column.type) or column.type.get_field_index(name) < 0:
            return None
        column = pc.struct_field(column, [name])
    return _comparable(column)


def _comparable(column: Arrow) -> Arrow:
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return column
    if pa.types.is_dictionary(kind):
        return _comparable(column.cast(kind.value_type))
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        naive = column.cast(pa.int64()).cast(pa.timestamp("ns"))
        ticks = pc.floor_temporal(naive, unit="microsecond").cast(pa.int64())
        return pc.divide(ticks, 1000).cast(pa.timestamp("us", kind.tz))
    if pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp("us", kind.tz))
    if pa.types.is_signed_integer(kind):
        return column.cast(pa.int64())
    if pa.types.is_unsigned_integer(kind):
        return column.cast(pa.uint64())
    if pa.types.is_floating(kind):
        return column.cast(pa.float64())
    if pa.types.is_string(kind):
        return column.cast(pa.large_string())
    return column.cast(pa.date32()) if pa.types.is_date(kind) else column


def _valid(cursor: Cursor[Any], data: Arrow, column: Arrow | None) -> Arrow:
    if column is None:
        if cursor.missing == "raise":
            raise refuse_missing(cursor, 0, absent=True)
        return pa.repeat(False, data.num_rows)
    valid = pc.is_valid(column)
    if cursor.missing == "raise":
        raise refuse_missing(cursor, pc.index(valid, False).as_py(), absent=False)
    return valid


def _spread(mask: Arrow | None, valid: Arrow, others: bool) -> Arrow:
    """A mask over the valid rows as one over all of them, with `others` for the rest."""
    if mask is not None:
        whole = valid.combine_chunks() if isinstance(valid, pa.ChunkedArray) else valid
        flat = mask.combine_chunks() if isinstance(mask, pa.ChunkedArray) else mask
        spread = pc.replace_with_mask(whole, whole, flat)
        return pc.or_(spread, pc.invert(whole)) if others else spread
    return None if others else valid


@dataclass(slots=True)
class ArrowValues:
    """Values in an Arrow column. Its masks are Arrow booleans, its positions Arrow integers."""

    column: Arrow
    digests: _Digests

    def extremes(self, mask: Arrow | None = None) -> tuple[Any, Any] | None:
        """The smallest and largest value, or None if there are no rows."""
        found = pc.min_max(self.column if mask is None else self.column.filter(mask)).as_py()
        return None if found["min"] is None else (found["min"], found["max"])

    def mask(self, compare: Compare, bound: Any) -> Arrow:
        """Which rows compare so with `bound`."""
        kernels = {"lt": pc.less, "le": pc.less_equal, "gt": pc.greater, "ge": pc.greater_equal}
        return kernels[compare.__name__](self.column, pa.scalar(bound, self.column.type))

    def both(self, one: Arrow | None, other: Arrow) -> Arrow:
        """The rows of both masks."""
        return other if one is None else pc.and_(one, other)

    def at(self, value: Any, mask: Arrow | None) -> Arrow:
        """The positions of the rows in the mask that have this value."""
        equal = pc.equal(self.column, pa.scalar(value, self.column.type))
        return pc.indices_nonzero(self.both(mask, equal))

    def without(self, mask: Arrow | None, positions: Sequence[Arrow]) -> Arrow:
        """The mask less these positions."""
        rows = pc.indices_nonzero(pa.repeat(True, len(self.column)))
        rest = pc.invert(pc.is_in(rows, pa.array([at.as_py() for at in positions], pa.uint64())))
        return self.both(mask, rest)


@dataclass(slots=True)
class _Digests:
    """The digests of rows of `data` at positions: the only rows that become Python values."""

    cursor: Cursor[Any]
    data: Arrow

    def __call__(self, positions: Sequence[int] | Arrow) -> list[bytes]:
        key = self.cursor.key
        where = positions if isinstance(positions, pa.Array) else pa.array(positions, pa.uint64())
        columns = [_plain(self._column(name).take(where)) for name in key or self.data.schema.names]
        if key:
            return [digest(values) for values in zip(*columns, strict=True)]
        names = self.data.schema.names
        return [digest(dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True)]

    def _column(self, name: str) -> Arrow:
        if self.data.schema.get_field_index(name) < 0:
            raise RefusedError(
                f"`{self.cursor.table}` has no one column `{name}`, to tell its rows apart by",
                where=place(self.cursor),
                found=f"columns {', '.join(self.data.schema.names)}",
                hint="primary_key=() does without telling rows apart that have the same cursor",
            )
        return self.data.column(name)


def _plain(column: Arrow) -> list[Any]:  # Any: the values of a column
    kind = column.type
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        return [
            None if tick is None else _instant(tick, kind.tz) for tick in column.cast(pa.int64()).to_pylist()
        ]
    return list(column.cast(_mapped(kind, _whole)).to_pylist())


def _instant(tick: int, zone: str | None) -> Any:
    if tick % 1000:
        return ("ns", tick)
    epoch = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=tick // 1000)
    return epoch if zone else epoch.replace(tzinfo=None)


def _filterable(data: Arrow) -> Arrow:
    """The data without views of text and bytes, which Arrow cannot filter yet."""
    kinds = [_mapped(field.type, _solid) for field in data.schema]
    if kinds == data.schema.types:
        return data
    fields = [field.with_type(kind) for field, kind in zip(data.schema, kinds, strict=True)]
    return data.cast(pa.schema(fields, data.schema.metadata))


def _solid(kind: Arrow) -> Arrow:
    if pa.types.is_string_view(kind):
        return pa.large_string()
    return pa.large_binary() if pa.types.is_binary_view(kind) else kind


def _whole(kind: Arrow) -> Arrow:
    """Integers for what Python has no exact value for."""
    return pa.int64() if getattr(kind, "unit", None) == "ns" else kind


def _mapped(kind: Arrow, leaf: Callable[[Arrow], Arrow]) -> Arrow:
    """The type with `leaf` of the types inside of it."""
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_mapped(field.type, leaf)) for field in kind])
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_mapped(kind.value_type, leaf)))
    if pa.types.is_large_list(kind):
        return pa.large_list(kind.value_field.with_type(_mapped(kind.value_type, leaf)))
    return leaf(kind)
