"""A batch as its metadata says it is: exactly, or not at all.

What other tools do in silence is refused here, with the column, the row and the value: a text that
is no number does not become null, a column that metadata does not know is not dropped, a fraction is
not cut, an instant does not lose its zone, an empty text is not nothing. Whoever wants columns
added or dropped says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from penstock.errors import ContractError, suggest
from penstock.records.fit import Extra, Fit, Missing, bare, plain
from penstock.records.masks import lost
from penstock.schema import types as t
from penstock.schema.arrow import from_arrow, to_arrow
from penstock.schema.faults import either
from penstock.schema.formats.form import DATETIME_FORMAT
from penstock.schema.table import Column, Table
from penstock.schema.types import Timestamp

# pyarrow ships no types: its values are Any in this module.
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


def align_batches(
    batches: Iterable[Any],
    schema: Any,
    table: Table,
    *,
    missing: Missing = "refuse",
    extra: Extra = "refuse",
    order: bool = True,
) -> Iterator[Any]:
    """The same for a stream of record batches of one Arrow schema, one at a time; rows count through.

    Raises: ContractError at the first batch in which something does not fit.
    """
    plan = _Plan(table, missing, extra)
    fields = plan.fields(schema, order)
    row = 0
    for batch in batches:
        arrays = plan.arrays(batch, fields, row)
        plan.end()
        yield pa.RecordBatch.from_arrays(arrays, schema=plan.schema(fields, arrays))
        row += batch.num_rows


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
            from_arrow(bare(values.type))
        except TypeError as error:
            raise ContractError(
                f"`{self.table.name}.{column.name}` is {values.type}, the metadata says {column.type}",
                hint=f"{error}: convert the column first",
            ) from None
        form = column.extra.get(DATETIME_FORMAT)
        return Fit(self.missing, self.extra, form if isinstance(form, str) else None).fit(values, column.type)

    def _note(self, column: Column, before: Any, after: Any, first: int) -> None:
        self.types.setdefault(column.name, str(before.type))
        before = plain(before)
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
