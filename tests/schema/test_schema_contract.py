"""What a contract lets pass, and what becomes of the rest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from type_strategies import SEEN, STEADY, TABLES, unordered

from penstock.schema import types as t
from penstock.schema.contract import Contract, Mode, rule_on
from penstock.schema.table import Column, Table, evolve
from penstock.schema.types import DataType, merge

MODES = st.sampled_from(Mode)
CONTRACTS = st.builds(Contract, MODES, MODES, MODES, MODES)
Seen = dict[str, DataType]


@STEADY
@given(TABLES, CONTRACTS, SEEN)
def test_everything_new_is_ruled_on_once(table: Table, contract: Contract, seen: Seen) -> None:
    ruling = rule_on(table, contract, seen)
    ruled = [*ruling.grow, *ruling.columns, *ruling.types]
    assert len(ruled) == len(set(ruled))
    for name, kind in seen.items():
        known = table.column(name)
        fits = known is not None and merge(known.type, kind) == known.type
        assert (name in ruled) != fits
    assert Mode.EVOLVE not in [*ruling.columns.values(), *ruling.types.values()]


@STEADY
@given(TABLES, SEEN)
def test_an_open_contract_takes_everything(table: Table, seen: Seen) -> None:
    ruling = rule_on(table, Contract(data_type=Mode.EVOLVE), seen)
    assert not ruling.columns
    assert not ruling.types
    some, all_ = evolve(table, ruling.grow)[0], evolve(table, seen)[0]
    assert [unordered(c.type) for c in some.columns] == [unordered(c.type) for c in all_.columns]


TABLE = Table("t", (Column("told", t.INT64, declared=True), Column("seen", t.INT64), Column("open", t.NULL)))


@pytest.mark.parametrize("mode", [m for m in Mode if m is not Mode.EVOLVE])
def test_each_mode_is_passed_on(mode: Mode) -> None:
    seen: Seen = {"told": t.TEXT, "seen": t.TEXT, "open": t.TEXT, "new": t.TEXT}
    ruling = rule_on(TABLE, Contract(columns=mode, data_type=mode), seen)
    assert dict(ruling.grow) == {"seen": t.TEXT, "open": t.TEXT}
    assert dict(ruling.columns) == {"new": mode}
    assert dict(ruling.types) == {"told": mode}
    strict = rule_on(TABLE, Contract(data_type_seen=mode), {"seen": t.TEXT})
    assert dict(strict.types) == {"seen": mode}


def test_a_table_without_columns_takes_any() -> None:
    ruling = rule_on(Table("t"), Contract(columns=Mode.FREEZE), {"a": t.INT64})
    assert dict(ruling.grow) == {"a": t.INT64}


def test_a_narrower_value_is_no_change() -> None:
    table = Table("t", (Column("a", t.FLOAT64, declared=True),))
    ruling = rule_on(table, Contract(data_type=Mode.FREEZE), {"a": t.INT64})
    assert not (ruling.grow or ruling.types)


def test_a_key_inside_that_had_no_value_yet_is_as_good_as_new() -> None:
    before = t.Struct((("a", t.INT64), ("b", t.NULL), ("c", t.List(t.Struct((("d", t.NULL),))))))
    seen = t.Struct((("b", t.TEXT), ("c", t.List(t.Struct((("d", t.INT64),))))))
    table = Table("t", (Column("x", before, declared=True),))
    ruling = rule_on(table, Contract(data_type=Mode.QUARANTINE), {"x": seen})
    assert dict(ruling.grow) == {"x": seen}
    assert not ruling.types
    told = rule_on(table, Contract(data_type=Mode.QUARANTINE), {"x": t.Struct((("a", t.TEXT),))})
    assert dict(told.types) == {"x": Mode.QUARANTINE}
