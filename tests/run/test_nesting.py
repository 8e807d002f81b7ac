"""Nested rows spread over flat tables on their way into the warehouse."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from penstock.ports import Block
from penstock.schema.disposition import Disposition, WriteMode
from penstock.schema.hints import Hints, hints_to_json
from penstock.schema.nesting import Nesting, NestingMode
from penstock.schema.table import Column, Table
from penstock.schema.types import parse_type
from run.makers import Mill

FLAT = Nesting(NestingMode.FLATTEN)
ORDERS = [
    {"id": 1, "to": {"city": "Lund", "zip": 7}, "tags": ["a", "b"], "lines": [{"sku": "x", "qty": 2}]},
    {"id": 2, "to": None, "tags": [], "lines": [{"sku": "y", "qty": 1}, {"sku": "z", "qty": 5}]},
]
DESTINATIONS = ["duckdb:///w.duckdb", "parquet:///warehouse"]


def hints(mode: WriteMode = WriteMode.APPEND, nesting: Nesting = FLAT) -> Hints:
    return Hints(Table("o", primary_key=("id",)), disposition=Disposition(mode, ("id",)), nesting=nesting)


@pytest.fixture(params=DESTINATIONS)
def mill(request: pytest.FixtureRequest, tmp_path: Path) -> Mill:
    return Mill(tmp_path, destination=request.param)


def lines(mill: Mill) -> list[object]:
    """The order lines with their orders."""
    return mill.sql(
        "SELECT o.id, l.sku, l.qty, l._penstock_list_index FROM o JOIN o__lines l "
        "ON l._penstock_root_id = o._penstock_id ORDER BY ALL"
    )


def test_objects_become_columns_and_lists_child_tables(mill: Mill) -> None:
    result = mill.run(Block("o", ORDERS, hints()))
    assert result.error is None
    assert {t.table: t.loaded for t in result.tables} == {"o": 2, "o__tags": 2, "o__lines": 3}
    assert mill.sql("SELECT id, to__city, to__zip FROM o ORDER BY id") == [(1, "Lund", 7), (2, None, None)]
    assert lines(mill) == [(1, "x", 2, 0), (2, "y", 1, 0), (2, "z", 5, 1)]
    assert mill.sql("SELECT value FROM o__tags ORDER BY _penstock_list_index") == ["a", "b"]


def test_a_second_load_adds_to_the_children(mill: Mill) -> None:
    for n in (0, 1):
        rows = [{**row, "id": row["id"] + 10 * n} for row in ORDERS]  # type: ignore[operator]
        assert mill.run(Block("o", rows, hints())).error is None
    assert [row[0] for row in lines(mill)] == [1, 2, 2, 11, 12, 12]  # type: ignore[index]


def test_the_tables_grow_with_the_rows(mill: Mill) -> None:
    """Also within one file, while batches wait to be written."""
    assert mill.run(Block("o", ORDERS, hints())).error is None
    later = [
        {"id": 3, "to": {"city": "Pune", "zip": "0x7", "geo": {"lat": 1.5}}, "lines": [{"qty": 2.5}]},
        {"id": 4, "notes": [{"by": "me", "seen": [1, 2]}]},
    ]
    result = mill.run(Block("o", later, hints()))
    assert result.error is None
    assert mill.sql("SELECT to__zip, to__geo__lat FROM o WHERE id IN (1, 3) ORDER BY id") == [
        ("7", None), ("0x7", 1.5),
    ]  # fmt: skip
    assert mill.sql("SELECT qty FROM o__lines ORDER BY qty") == [1.0, 2.0, 2.5, 5.0]
    assert mill.sql("SELECT value FROM o__notes__seen ORDER BY 1") == [1, 2]


def test_below_the_depth_there_is_json(mill: Mill) -> None:
    deep = {"id": 1, "a": {"b": {"c": [1, {"d": "x"}]}}}
    assert mill.run(Block("o", [deep], hints(nesting=Nesting(NestingMode.FLATTEN, 1)))).error is None
    [text] = mill.sql("SELECT CAST(a__b AS VARCHAR) FROM o")
    assert json.loads(text) == deep["a"]["b"]  # type: ignore[index]


def test_native_to_a_depth(mill: Mill) -> None:
    deep = {"id": 1, "a": {"b": [1, 2]}, "c": 5}
    assert mill.run(Block("o", [deep], hints(nesting=Nesting(depth=0)))).error is None
    [(one, text, five)] = mill.sql("SELECT id, CAST(a AS VARCHAR), c FROM o")
    assert (one, json.loads(text), five) == (1, deep["a"], 5)


@pytest.mark.parametrize("mode", [WriteMode.REPLACE, WriteMode.MERGE])
def test_children_go_with_their_rows(mill: Mill, mode: WriteMode) -> None:
    assert mill.run(Block("o", ORDERS, hints(mode))).error is None
    newer = [
        {"id": 2, "tags": ["new"], "lines": []},
        {"id": 2, "tags": ["last"], "lines": [{"sku": "q", "qty": 9}]},
    ]
    assert mill.run(Block("o", newer if mode is WriteMode.MERGE else newer[1:], hints(mode))).error is None
    kept = [(1, "x", 2, 0)] if mode is WriteMode.MERGE else []
    assert lines(mill) == [*kept, (2, "q", 9, 0)]
    tags = ["a", "b"] if mode is WriteMode.MERGE else []
    assert mill.sql("SELECT value FROM o__tags ORDER BY 1") == [*tags, "last"]


@pytest.mark.parametrize("named", [["o"], ["o__lines"], ["o", "o__lines"]])
def test_a_rebuild_gives_the_same_tables(mill: Mill, named: list[str]) -> None:
    """A part of its rows stands for the table."""
    import penstock

    for rows in (ORDERS, [{"id": 2, "lines": [{"sku": "n"}]}]):
        assert mill.run(Block("o", rows, hints(WriteMode.MERGE))).error is None
    everything = [
        "SELECT * EXCLUDE (_penstock_load_id) FROM o",
        "SELECT * EXCLUDE (_penstock_load_id) FROM o__lines",
    ]
    before = [sorted(map(repr, mill.sql(sql))) for sql in everything]
    assert penstock.open_session(mill.root).rebuild(named, None, penstock.ignore).exit_code == 0
    assert [sorted(map(repr, mill.sql(sql))) for sql in everything] == before


def test_names_by_a_convention(tmp_path: Path) -> None:
    mill = Mill(tmp_path, "    naming: snake_case\n")
    row = {"orderId": 1, "Ship To": {"zipCode": "x"}, "lineItems": [{"unitPrice": 2}]}
    said = Hints(
        Table("o", primary_key=("orderId",)),
        disposition=Disposition(WriteMode.MERGE, ("orderId",)),
        nesting=FLAT,
    )
    for _ in range(2):
        assert mill.run(Block("o", [row], said)).error is None
    assert mill.sql("SELECT order_id, ship_to__zip_code FROM o") == [(1, "x")]
    assert mill.sql("SELECT unit_price FROM o__line_items") == [2]


def test_hints_of_child_tables(mill: Mill) -> None:
    """Their columns have the types that were said, from the first row on."""
    price = Column("price", parse_type("decimal(10,2)"), declared=True)
    child = json.loads(hints_to_json(Hints(Table("lines", (price,), ("sku",)))))
    said = Hints(Table("o", extra={"nested_hints": {"lines": child}}), nesting=FLAT)
    assert mill.run(Block("o", [{"id": 1, "lines": [{"sku": "x", "price": 1.5}]}], said)).error is None
    assert mill.sql("SELECT sku, price, typeof(price) FROM o__lines") == [
        ("x", Decimal("1.50"), "DECIMAL(10,2)")
    ]
