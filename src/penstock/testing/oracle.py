"""What every write disposition makes of some rows, the slow and plain way, and random loads to try it on."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeAlias

from penstock.schema import types as t
from penstock.schema.disposition import Disposition, Order, Scd2, Strategy, WriteMode
from penstock.schema.types import DataType

Row: TypeAlias = dict[str, Any]  # Any: a value of any column type
KINDS: Mapping[str, DataType] = {
    "id": t.INT64,
    "group": t.INT64,
    "at": t.INT64,
    "gone": t.BOOL,
    "v": t.INT64,
}


SCOPES: Mapping[str | None, Callable[[Row], bool]] = {
    None: lambda _: True,
    '"group" > 0 -- and no more': lambda row: row["group"] > 0,
    '"at" = 2 OR "at" IS NULL': lambda row: row["at"] in (2, None),
}
"""Conditions on rows of the table, as SQL and as Python."""


@dataclass(frozen=True, slots=True)
class Write:
    """One write of a load: the columns that its table has by then, and the rows."""

    kinds: Mapping[str, DataType]
    rows: Sequence[Row]


@dataclass(slots=True)
class Oracle:
    """The rows of one table after some loads by one disposition."""

    disposition: Disposition
    rows: list[Row] = field(default_factory=list)
    graves: dict[Any, Row] = field(default_factory=dict)

    def load(self, writes: Iterable[Write], at: datetime) -> None:
        """Take a load whose rows hold from `at`."""
        d = self.disposition
        rows = [row for write in writes for row in write.rows]
        if d.mode is WriteMode.APPEND:
            self.rows = [*self.rows, *rows]
        elif d.overwrite:
            self.rows = [*_without(self.rows, rows, d.overwrite), *rows]
        elif d.mode is WriteMode.REPLACE:
            self.rows = rows
        else:
            self._merge(rows, at)

    def _merge(self, rows: list[Row], at: datetime) -> None:
        d = self.disposition
        if d.strategy is Strategy.SCD2:
            self._versions(rows, at)
        elif d.strategy is Strategy.DELETE_INSERT:
            kept = _without(self.rows, rows, d.merge_key) if d.merge_key else self.rows
            kept = _without(kept, rows, d.primary_key) if d.primary_key else kept
            if d.destination_scope is not None:
                kept = [row for row in self.rows if not SCOPES[d.destination_scope](row)]
            self.rows = [*kept, *(row for row in self._newest(rows) if not self._deletes(row))]
        elif d.strategy is Strategy.INSERT_ONLY:
            self.rows += _without(self._newest(rows), self.rows, d.primary_key)
        else:
            self._changes(rows)

    def _changes(self, rows: Iterable[Row]) -> None:
        if self.disposition.strategy is not Strategy.CDC:
            self.graves = {}
        there = {self._key(row): row for row in self.rows}
        for row in rows:
            key = self._key(row)
            if any(self._older(row, other) for other in (there.get(key), self.graves.get(key))):
                continue
            there.pop(key, None)
            if not self._deletes(row):
                there[key] = row
            elif self.disposition.dedup_sort and row["at"] is not None:
                self.graves[key] = row
        self.rows = list(there.values())

    def _versions(self, rows: Iterable[Row], at: datetime) -> None:
        d, scd2 = self.disposition, self.disposition.scd2 or Scd2()
        until = scd2.active_until
        new = {text_of(row): row for row in rows if not self._deletes(row)}
        groups, inside = {_values(row, d.merge_key) for row in rows}, SCOPES[d.destination_scope]
        for row in self.rows:
            version = {k: v for k, v in row.items() if k not in (scd2.valid_from, scd2.valid_to)}
            if row[scd2.valid_to] != until:
                continue
            if text_of(version) in new:
                del new[text_of(version)]
            elif (_values(row, d.merge_key) in groups or not d.merge_key) and inside(row):
                row[scd2.valid_to] = at
        self.rows += [row | {scd2.valid_from: at, scd2.valid_to: until} for row in new.values()]

    def _newest(self, rows: Iterable[Row]) -> list[Row]:
        if not self.disposition.primary_key:
            return list(rows)
        found: dict[Any, Row] = {}
        for row in rows:
            if not self._older(row, found.get(self._key(row))):
                found[self._key(row)] = row
        return list(found.values())

    def _key(self, row: Row) -> tuple[Any, ...]:
        return _values(row, self.disposition.primary_key)

    def _deletes(self, row: Row) -> bool:
        return self.disposition.hard_delete is not None and row[self.disposition.hard_delete] is True

    def _older(self, row: Row, other: Row | None) -> bool:
        sort = self.disposition.dedup_sort
        if sort is None or other is None or other[sort] is None:
            return False
        sign = -1 if self.disposition.dedup_order is Order.ASC else 1
        return row[sort] is None or bool(row[sort] * sign < other[sort] * sign)


def _values(row: Row, columns: Sequence[str]) -> tuple[Any, ...]:
    return tuple(row.get(c) for c in columns)


def _without(rows: Iterable[Row], others: Iterable[Row], columns: Sequence[str]) -> list[Row]:
    """The rows that share the values of some columns with none of the others."""
    taken = {_values(row, columns) for row in others}
    return [row for row in rows if _values(row, columns) not in taken]


def text_of(row: Row) -> str:
    """A row as text that does not tell 1 from '1', because a column may have become text."""
    return str(sorted((k, str(v)) for k, v in row.items() if v is not None))


def random_load(
    rng: random.Random, kinds: Mapping[str, DataType], number: int, nulls: Sequence[str] = ()
) -> tuple[list[Write], Mapping[str, DataType]]:
    """Some writes of random rows, between which the table may grow, and the columns that it then has.

    `nulls` are the columns in which a row may have no value, beside those that are no key.
    """
    writes = []
    for turn in range(rng.randrange(4)):
        if rng.random() < 0.25:
            kinds = (
                {**kinds, "v": t.TEXT} if rng.random() < 0.4 else {**kinds, f"new{number}_{turn}": t.INT64}
            )
        rows = [random_row(rng, kinds, nulls) for _ in range(rng.randrange(9))]
        writes.append(Write(kinds, rows))
    return writes, kinds


def random_row(rng: random.Random, kinds: Mapping[str, DataType], nulls: Sequence[str] = ()) -> Row:
    """A row with few different values, so that keys, times and whole rows occur more than once."""
    row: Row = {"id": rng.randrange(5), "group": rng.randrange(3)}
    row |= {"at": rng.choice([None, *range(4)]), "gone": rng.choice([None, False, False, True])}
    row |= {name: None for name in nulls if rng.random() < 0.3}
    for name, kind in kinds.items():
        if name not in row:
            row[name] = rng.choice([None, 0, 1]) if kind == t.INT64 else rng.choice([None, "a", "'", "0"])
    return row


def from_instant(disposition: Disposition, at: datetime) -> Disposition:
    """The disposition of one load, whose rows hold from `at`."""
    return replace(disposition, at=at) if disposition.strategy is Strategy.SCD2 else disposition


def _merge(strategy: Strategy, **options: Any) -> Disposition:
    return Disposition(WriteMode.MERGE, **{"primary_key": ("id",), "strategy": strategy, **options})


DISPOSITIONS: Mapping[str, Disposition] = {
    "append": Disposition(),
    "replace": Disposition(WriteMode.REPLACE),
    "upsert": _merge(Strategy.UPSERT),
    "upsert newest": _merge(Strategy.UPSERT, dedup_sort="at"),
    "upsert oldest": _merge(Strategy.UPSERT, dedup_sort="at", dedup_order=Order.ASC),
    "upsert with deletes": _merge(Strategy.UPSERT, hard_delete="gone"),
    "upsert newest with deletes": _merge(Strategy.UPSERT, dedup_sort="at", hard_delete="gone"),
    "upsert by two columns": _merge(Strategy.UPSERT, primary_key=("group", "id"), dedup_sort="at"),
    "delete-insert by key": _merge(Strategy.DELETE_INSERT, dedup_sort="at", hard_delete="gone"),
    "delete-insert by merge key": _merge(Strategy.DELETE_INSERT, primary_key=(), merge_key=("group",)),
    "delete-insert by both": _merge(Strategy.DELETE_INSERT, merge_key=("group",), hard_delete="gone"),
    "delete-insert by scope": _merge(
        Strategy.DELETE_INSERT, primary_key=(), destination_scope='"group" > 0 -- and no more'
    ),
    "delete-insert by scope and key": _merge(
        Strategy.DELETE_INSERT, destination_scope='"at" = 2 OR "at" IS NULL', hard_delete="gone"
    ),
    "insert-only": _merge(Strategy.INSERT_ONLY),
    "insert-only oldest": _merge(Strategy.INSERT_ONLY, dedup_sort="at", dedup_order=Order.ASC),
    "scd2": _merge(Strategy.SCD2, primary_key=()),
    "scd2 by merge key": _merge(Strategy.SCD2, primary_key=(), merge_key=("group",)),
    "scd2 with deletes": _merge(Strategy.SCD2, primary_key=(), merge_key=("id",), hard_delete="gone"),
    "scd2 by scope": _merge(Strategy.SCD2, primary_key=(), destination_scope='"at" = 2 OR "at" IS NULL'),
    "upsert of what changed": _merge(Strategy.UPSERT, skip_unchanged_rows=True, hard_delete="gone"),
    "upsert newest of what changed": _merge(Strategy.UPSERT, skip_unchanged_rows=True, dedup_sort="at"),
    "cdc of what changed": _merge(
        Strategy.CDC, skip_unchanged_rows=True, dedup_sort="at", hard_delete="gone"
    ),
    "cdc": _merge(Strategy.CDC, dedup_sort="at", hard_delete="gone"),
    "cdc backwards": _merge(Strategy.CDC, dedup_sort="at", dedup_order=Order.ASC, hard_delete="gone"),
    "cdc as it arrives": _merge(Strategy.CDC, hard_delete="gone"),
    "overwrite": Disposition(WriteMode.REPLACE, overwrite=("group",)),
    "overwrite by two columns": Disposition(WriteMode.REPLACE, overwrite=("group", "id")),
}
"""One of each kind, over the columns of `KINDS`."""
