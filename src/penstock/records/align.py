"""A batch as its metadata says it is: exactly, or not at all.

What other tools do in silence is refused here, with the column, the row and the value: a text that
is no number does not become null, a column that metadata does not know is not dropped, a fraction is
not cut, an instant does not lose its zone, an empty text is not nothing. Whoever wants columns
added or dropped says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from penstock.errors import ContractError, suggest
from penstock.records.cast import cast_text
from penstock.records.convert import convert
from penstock.records.masks import kept, lost, tried, without
from penstock.records.text import is_blob, is_text, map_entries, relisted
from penstock.schema import types as t
from penstock.schema.arrow import from_arrow, to_arrow
from penstock.schema.faults import either
from penstock.schema.formats.form import DATETIME_FORMAT
from penstock.schema.table import Column, Table
from penstock.schema.types import DataType, List, Struct, Timestamp

# pyarrow ships no types: its values are Any in this module.
Missing: TypeAlias = Literal["refuse", "add", "leave"]
Extra: TypeAlias = Literal["refuse", "drop", "keep"]

_LONGEST = 80


def align(
    batch: Any, table: Table, *, missing: Missing = "refuse", extra: Extra = "refuse", order: bool = True
) -> Any:
    """A record batch or an Arrow table with the columns and types of `table`, no value changed.

    `missing` columns are refused, added as nulls, or left out; `extra` ones, which the metadata does
    not know, are refused, dropped, or kept at the end. `order` puts columns as the metadata has
    them. A column whose metadata says no type keeps its own. Texts are read as `records.cast`
    says; where a column's metadata has a `datetime_format`, dates and times in text have that form.
    Whether null may be is not asked here, but no nulls are added to a column that has none.

    Returns: what was given, a record batch for a record batch and a table for a table.
    Raises: ContractError naming every column that does not fit, with the first row and value; a
    value of a sensitive column is `***`. Rows count from 1.
    """
    plan = _Plan(table, missing, extra)
    fields = plan.fields(batch.schema, order)
    if isinstance(batch, pa.RecordBatch):
        arrays = plan.arrays(batch, fields, 0)
        plan.end()
        return pa.RecordBatch.from_arrays(arrays, schema=plan.schema(fields, arrays))
    parts: list[Any] = []
    row = 0
    for part in batch.to_batches():
        arrays = plan.arrays(part, fields, row)
        parts.append(pa.RecordBatch.from_arrays(arrays, schema=plan.schema(fields, arrays)))
        row += part.num_rows
    plan.end()
    if not parts:
        empty = pa.RecordBatch.from_pylist([], schema=batch.schema)
        parts.append(align(empty, table, missing=missing, extra=extra, order=order))
    return pa.Table.from_batches(parts)


@dataclass(slots=True)
class _Misfit:
    """What did not fit in one column: how often, and where and what first."""

    count: int
    row: int
    value: str


@dataclass(slots=True)
class _Plan:
    """One alignment: the metadata, what to do with other columns, and what did not fit so far."""

    table: Table
    missing: Missing
    extra: Extra
    misfits: dict[str, _Misfit] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)

    def fields(self, schema: Any, order: bool) -> list[str]:
        """The names of the columns of the answer. Raises: ContractError."""
        names = list(schema.names)
        if twins := [n for n in dict.fromkeys(names) if names.count(n) > 1]:
            raise ContractError(f"the data has two columns `{twins[0]}`", where=f"`{self.table.name}`")
        absent = [c for c in self.table.columns if c.name not in names]
        unknown = [n for n in names if self.table.column(n) is None]
        if absent and self.missing == "refuse":
            what = f"lacks {_listed(c.name for c in absent)}"
            self._refuse(what, absent[0].name, unknown, "missing", "add")
        if unknown and self.extra == "refuse":
            what = f"has {_listed(unknown)}, which its metadata does not know"
            self._refuse(what, unknown[0], [c.name for c in absent], "extra", "drop")
        must = [c.name for c in absent if not c.nullable]
        if must and self.missing == "add":
            raise ContractError(
                f"`{self.table.name}` lacks {_listed(must)}, and null is not allowed there",
                expected="a value in every row",
            )
        added = [c.name for c in absent] if self.missing == "add" else []
        ours = [n for n in self.table.names if n in names or n in added]
        others = unknown if self.extra == "keep" else []
        if order:
            return [*ours, *others]
        return [*(n for n in names if n in ours or n in others), *added]

    def _refuse(self, what: str, name: str, near: list[str], policy: str, other: str) -> None:
        close = suggest(name, near)
        raise ContractError(
            f"`{self.table.name}` {what}",
            expected=either(self.table.names),
            hint=f"{close} Names are compared letter by letter" if close else f'{policy}="{other}" allows it',
        )

    def arrays(self, batch: Any, fields: Iterable[str], first: int) -> list[Any]:
        """The columns of the answer for one batch, whose rows follow on `first` others."""
        found: list[Any] = []
        for name in fields:
            column = self.table.column(name)
            if name not in batch.schema.names:
                assert column is not None
                found.append(pa.nulls(batch.num_rows, to_arrow(column.type)))
                continue
            values = batch.column(name)
            if column is None or column.type == t.NULL:
                found.append(values)
                continue
            fitted = self._fit(values, column)
            self._note(column, values, fitted, first)
            found.append(fitted)
        return found

    def _fit(self, values: Any, column: Column) -> Any:
        try:
            from_arrow(_bare(values.type))
        except TypeError as error:
            raise ContractError(
                f"`{self.table.name}.{column.name}` is {values.type}, the metadata says {column.type}",
                hint=f"{error}: convert the column first",
            ) from None
        form = column.extra.get(DATETIME_FORMAT)
        return _Fit(self.missing, self.extra, form if isinstance(form, str) else None).fit(
            values, column.type
        )

    def _note(self, column: Column, before: Any, after: Any, first: int) -> None:
        self.types.setdefault(column.name, str(before.type))
        before = _plain(before)
        offsets = lost(before, after)
        if not offsets:
            return
        known = self.misfits.get(column.name)
        if known is not None:
            known.count += len(offsets)
            return
        value = "***" if column.sensitive else _shown(before[offsets[0]])
        self.misfits[column.name] = _Misfit(len(offsets), first + offsets[0] + 1, value)

    def schema(self, fields: Iterable[str], arrays: Iterable[Any]) -> Any:
        """The schema of the answer."""
        return pa.schema([pa.field(name, a.type) for name, a in zip(fields, arrays, strict=True)])

    def end(self) -> None:
        """Raises: ContractError if any value did not fit."""
        if not self.misfits:
            return
        name, worst = next(iter(self.misfits.items()))
        column = self.table.column(name)
        assert column is not None
        more = "".join(
            f"; `{other}` (row {m.row:,}: {m.value})" for other, m in list(self.misfits.items())[1:]
        )
        raise ContractError(
            f"`{self.table.name}.{name}` is {self.types[name]}, the metadata says {column.type}"
            + (f"; columns that do not fit: {len(self.misfits)}" if more else ""),
            where=f"row {worst.row:,}, the first of {worst.count:,} that do not fit",
            found=worst.value + more,
            hint=_advice(self.types[name], column),
        )


def _advice(was: str, column: Column) -> str | None:
    form = column.extra.get(DATETIME_FORMAT)
    if form is not None:
        return f"the metadata says that its texts have the form `{form}`"
    if isinstance(column.type, Timestamp) and was.startswith("timestamp"):
        now = "timestamp_tz" if "tz=" in was else "timestamp"
        return f"zones are not guessed: declare `{now}`, or convert the column first"
    if column.type in (t.DATE, t.TIME, t.TIMESTAMP, t.TIMESTAMP_TZ) and "string" in was:
        return f"dates in another form than ISO 8601 need a `{DATETIME_FORMAT}` in the metadata"
    return None


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _shown(value: Any) -> str:
    """A value for people, no longer than a line."""
    temporal = pa.types.is_temporal(value.type)  # Python cannot hold all of them
    text = str(value.cast(pa.string())) if temporal else repr(value.as_py())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


# ------------------------------------------------------------------------------------------ values


@dataclass(frozen=True, slots=True)
class _Fit:
    """How the values of one column are fitted: null in the answer is what did not fit."""

    missing: Missing
    extra: Extra
    form: str | None

    def fit(self, column: Any, to: DataType) -> Any:
        column = _plain(column)
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


def _plain(column: Any) -> Any:
    """A column without its encoding: dictionaries and runs spelt out, texts of one width."""
    if pa.types.is_dictionary(column.type):
        return _plain(column.dictionary_decode())
    if pa.types.is_run_end_encoded(column.type):
        return _plain(pc.run_end_decode(column))
    return column.cast(pa.string()) if is_text(column.type) else column


def _bare(kind: Any) -> Any:
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
