"""Growing tables: nothing is lost, nothing gets narrower, and every change is told."""

from __future__ import annotations

from hypothesis import given
from type_strategies import SEEN, STEADY, TABLES, unordered

from penstock.schema import types as t
from penstock.schema.table import Change, ChangeKind, Column, Table, diff, evolve
from penstock.schema.types import DataType, merge

Seen = dict[str, DataType]


@STEADY
@given(TABLES, SEEN)
def test_evolve_loses_no_column(table: Table, seen: Seen) -> None:
    grown, _ = evolve(table, seen)
    assert grown.names[: len(table.names)] == table.names
    assert set(grown.names) == {*table.names, *seen}
    for before, after in zip(table.columns, grown.columns, strict=False):
        assert (before.declared, before.nullable) == (after.declared, after.nullable)


@STEADY
@given(TABLES, SEEN)
def test_evolved_types_hold_what_was_and_what_came(table: Table, seen: Seen) -> None:
    grown, _ = evolve(table, seen)
    for column in grown.columns:
        before = table.column(column.name)
        for kind in (before.type if before else t.NULL, seen.get(column.name, t.NULL)):
            assert unordered(merge(column.type, kind)) == unordered(column.type)


@STEADY
@given(TABLES, SEEN)
def test_evolving_again_changes_nothing(table: Table, seen: Seen) -> None:
    grown, changes = evolve(table, seen)
    assert evolve(grown, seen) == (grown, ())
    assert diff(table, grown) == changes
    assert len({change.column for change in changes}) == len(changes)


@STEADY
@given(TABLES)
def test_a_new_table_is_one_change(table: Table) -> None:
    assert diff(None, table) == (Change(ChangeKind.NEW_TABLE, "t", None, None, None),)
    assert diff(table, table) == ()
    assert diff(table, Table("t")) == ()


def test_a_column_without_values_waits_for_its_type() -> None:
    empty, told = evolve(Table("t"), {"a": t.NULL})
    assert (empty.columns, told) == ((Column("a", t.NULL),), ())
    typed, told = evolve(empty, {"a": t.INT64})
    assert typed.column("a") == Column("a", t.INT64)
    assert [str(change) for change in told] == ["t.a: new column, int64"]


def test_changes_are_told_in_words() -> None:
    table = Table("t", (Column("a", t.INT64), Column("b", t.TEXT)))
    _, changes = evolve(table, {"a": t.FLOAT64, "b": t.DATE, "c": t.BOOL})
    assert [str(c) for c in (*diff(None, table), *changes)] == [
        "t: new table",
        "t.a: int64 becomes float64",
        "t.c: new column, bool",
    ]
    assert table.column("A") is None
