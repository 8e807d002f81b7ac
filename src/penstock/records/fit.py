"""Values as another type, texts read, nothing bent: null for what does not fit. See `records.align`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from penstock.records.cast import cast_text
from penstock.records.convert import convert
from penstock.records.masks import kept, tried, without
from penstock.records.text import is_blob, is_text, map_entries, relisted
from penstock.schema import types as t
from penstock.schema.arrow import to_arrow
from penstock.schema.types import DataType, List, Struct, Timestamp

# pyarrow ships no types: its values are Any in this module.
Missing: TypeAlias = Literal["refuse", "add", "leave"]
Extra: TypeAlias = Literal["refuse", "drop", "keep"]


@dataclass(frozen=True, slots=True)
class Fit:
    """How the values of one column are fitted: null in the answer is what did not fit."""

    missing: Missing
    extra: Extra
    form: str | None

    def fit(self, column: Any, to: DataType) -> Any:
        """The values of a column as `to`."""
        column = plain(column)
        kind = column.type
        if pa.types.is_null(kind):
            return pa.nulls(len(column), to_arrow(to))
        if pa.types.is_date64(kind):
            return self.fit(tried(column, lambda c: c.cast(pa.date32())), to)
        if is_text(kind):
            return self._text(column, to)
        if isinstance(to, Struct) and to.fields and pa.types.is_struct(kind):
            return self._struct(column, to)
        if isinstance(to, List) and _is_list(kind):
            return self._list(map_entries(column) if pa.types.is_map(kind) else column, to)
        if to == t.TEXT and (is_blob(kind) or pa.types.is_nested(kind)):
            return pa.nulls(len(column), pa.string())  # base64 or JSON would be another value
        return convert(column, to)

    def _text(self, column: Any, to: DataType) -> Any:
        if to == t.TEXT:
            return column
        dated = isinstance(to, Timestamp) or to in (t.DATE, t.TIME)
        if self.form is not None and dated:
            return _read_as(column, self.form, to)
        return cast_text(column, to)[0]

    def _struct(self, column: Any, to: Struct) -> Any:
        children = dict(zip((f.name for f in column.type), column.flatten(), strict=True))
        good = column.is_valid()
        fields = []
        for name, inner in to.fields:
            before = children.pop(name, None)
            if before is None:
                fields.append(pa.nulls(len(column), to_arrow(inner)))
                if self.missing == "refuse":
                    good = pa.array([False] * len(column))
                continue
            after = self.fit(before, inner)
            if after.null_count != before.null_count:
                good = pc.and_(good, pc.or_(before.is_null(), after.is_valid()))
            fields.append(after)
        for unknown in children.values() if self.extra != "drop" else ():
            good = pc.and_(good, unknown.is_null())
        return pa.StructArray.from_arrays(fields, fields=list(to_arrow(to)), mask=pc.invert(good))

    def _list(self, column: Any, to: List) -> Any:
        before = column.flatten()
        after = self.fit(before, to.item)
        lists = relisted(column, after).cast(to_arrow(to))
        if column.null_count:
            lists = kept(lists, column.is_valid())
        if after.null_count == before.null_count:
            return lists
        spots = pc.indices_nonzero(pc.and_(before.is_valid(), after.is_null()))
        return without(lists, pc.list_parent_indices(relisted(column, before)).take(spots))


def plain(column: Any) -> Any:
    """A column without its encoding: dictionaries and runs spelt out, texts of one width."""
    if pa.types.is_dictionary(column.type):
        return plain(column.dictionary_decode())
    if pa.types.is_run_end_encoded(column.type):
        return plain(pc.run_end_decode(column))
    return column.cast(pa.string()) if is_text(column.type) else column


def bare(kind: Any) -> Any:
    """The type of the values behind an encoding."""
    return kind.value_type if pa.types.is_run_end_encoded(kind) else kind


def _is_list(kind: Any) -> bool:
    return bool(
        pa.types.is_list(kind)
        or pa.types.is_large_list(kind)
        or pa.types.is_fixed_size_list(kind)
        or pa.types.is_map(kind)
    )


def _read_as(column: Any, form: str, to: DataType) -> Any:
    """Texts of a form of `strptime` as dates, times or instants, null where they have another."""
    texts = column.dictionary_encode()
    read = [_moment(text, form, to) for text in texts.dictionary.to_pylist()]
    coarse = Timestamp(to.zone) if isinstance(to, Timestamp) else to
    return convert(pa.array(read, to_arrow(coarse)).take(texts.indices), to)


def _moment(text: str, form: str, to: DataType) -> Any:
    try:
        at = datetime.strptime(text, form)  # noqa: DTZ007  # whether there is a zone is asked below
    except ValueError:
        return None
    if not text.isascii() and any(c.isdigit() and not c.isascii() for c in text):
        return None
    if isinstance(to, Timestamp):
        return at if to.zone == (at.tzinfo is not None) else None
    if to == t.TIME:
        return at.timetz() if at.tzinfo is None else None
    whole = at.tzinfo is None and (at.hour, at.minute, at.second, at.microsecond) == (0, 0, 0, 0)
    return at.date() if whole else None
