"""dlt's hints as ours."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple
from uuid import UUID

import pytest

pytest.importorskip("dlt", reason="dlt is not installed: pip install 'penstock[dlt]'")

import dlt
import pendulum
from dlt.common.libs.hexbytes import HexBytes
from dlt.common.wei import Wei
from dlt_pieces import take
from pydantic import BaseModel

from penstock.errors import RefusedError
from penstock.schema.contract import Contract, Mode
from penstock.schema.disposition import Disposition, Order, Scd2, Strategy, WriteMode
from penstock.schema.hints import Hints, hints_from_json, hints_to_json
from penstock.schema.nesting import Nesting, NestingMode
from penstock.sources.dlt.types import column_type
from penstock.sources.dlt.values import rows_of


def hints(source_options: dict[str, Any] | None = None, **options: Any) -> Hints:
    """The hints of a resource with these options of `dlt.resource`, as they come back from a slip."""
    resource = dlt.resource([{"id": 1}], name="things", **options)
    what = dlt.source(lambda: resource, name="all", **source_options)() if source_options else resource
    found = take(what).hints["things"]
    assert hints_from_json(hints_to_json(found)) == found
    return found


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ({}, "null"),
        ({"data_type": "text", "precision": 10}, "text"),
        ({"data_type": "double"}, "float64"),
        ({"data_type": "bool"}, "bool"),
        ({"data_type": "bigint"}, "int64"),
        ({"data_type": "bigint", "precision": 8}, "int8"),
        ({"data_type": "bigint", "precision": 24}, "int32"),
        ({"data_type": "timestamp"}, "timestamp_tz"),
        ({"data_type": "timestamp", "timezone": False}, "timestamp"),
        ({"data_type": "timestamp", "precision": 9}, "timestamp_tz(ns)"),
        ({"data_type": "timestamp", "precision": 3}, "timestamp_tz"),
        ({"data_type": "decimal"}, "decimal(38,9)"),
        ({"data_type": "decimal", "precision": 12, "scale": 2}, "decimal(12,2)"),
        ({"data_type": "decimal", "precision": 5}, "decimal(5,0)"),
        ({"data_type": "wei"}, "decimal(38,0)"),
        ({"data_type": "binary"}, "binary"),
        ({"data_type": "json"}, "json"),
        ({"data_type": "date"}, "date"),
        ({"data_type": "time"}, "time"),
    ],
)
def test_data_types(column: dict[str, Any], expected: str) -> None:
    assert str(column_type(column, "t.c")) == expected


def test_an_unknown_data_type_is_refused() -> None:
    with pytest.raises(RefusedError) as caught:
        column_type({"data_type": "bigitn"}, "t.c")
    assert caught.value.hint == "did you mean 'bigint'?"


def test_columns_that_are_declared() -> None:
    said = {
        "id": {"data_type": "bigint", "nullable": False, "unique": True},
        "at": {"data_type": "date", "partition": True, "description": "When"},
        "loose": {"cluster": True},
    }
    table = hints(columns=said).declared
    assert table.names == ("id", "at")
    assert [c.nullable for c in table.columns] == [False, True]
    assert [c.unique for c in table.columns] == [True, False]
    assert all(column.declared for column in table.columns)
    assert table.partitions == ("at",)
    assert table.columns[1].description == "When"


def test_unique_values_may_come_again_with_a_merge() -> None:
    columns = {"id": {"data_type": "bigint", "unique": True}}
    merged = hints(columns=columns, primary_key="id", write_disposition="merge").declared
    assert [c.unique for c in merged.columns] == [False]
    assert [c.unique for c in hints(columns=columns).declared.columns] == [True]


def test_a_pydantic_model_is_a_schema() -> None:
    class Thing(BaseModel):
        id: int
        price: Decimal | None = None
        tags: list[str] = []

    table = hints(columns=Thing).declared
    assert [(c.name, str(c.type), c.nullable) for c in table.columns] == [
        ("id", "int64", False),
        ("price", "decimal(38,9)", True),
        ("tags", "json", False),
    ]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, Disposition()),
        ({"primary_key": "id"}, Disposition()),
        ({"write_disposition": "replace"}, Disposition(WriteMode.REPLACE)),
        ({"write_disposition": "merge"}, Disposition()),
        (
            {"write_disposition": "merge", "primary_key": ("id", "b"), "merge_key": "day"},
            Disposition(WriteMode.MERGE, ("id", "b"), strategy=Strategy.DELETE_INSERT, merge_key=("day",)),
        ),
        (
            {
                "write_disposition": {"disposition": "merge", "strategy": "upsert"},
                "primary_key": "id",
                "columns": {"gone": {"hard_delete": True}, "at": {"dedup_sort": "asc"}},
            },
            Disposition(WriteMode.MERGE, ("id",), dedup_sort="at", dedup_order=Order.ASC, hard_delete="gone"),
        ),
        (
            {"write_disposition": {"disposition": "merge", "strategy": "insert-only"}, "primary_key": "id"},
            Disposition(WriteMode.MERGE, ("id",), strategy=Strategy.INSERT_ONLY),
        ),
        (
            {"write_disposition": {"disposition": "merge", "strategy": "scd2"}},
            Disposition(
                WriteMode.MERGE, strategy=Strategy.SCD2, scd2=Scd2("_dlt_valid_from", "_dlt_valid_to")
            ),
        ),
        (
            {
                "write_disposition": {
                    "disposition": "merge",
                    "strategy": "scd2",
                    "validity_column_names": ["since", "until"],
                    "active_record_timestamp": "9999-12-31",
                    "boundary_timestamp": "2024-08-21T12:15:00+00:00",
                    "row_version_column_name": "version",
                },
                "merge_key": "id",
            },
            Disposition(
                WriteMode.MERGE,
                strategy=Strategy.SCD2,
                merge_key=("id",),
                scd2=Scd2("since", "until", datetime(9999, 12, 31, tzinfo=UTC), "version"),
                at=datetime(2024, 8, 21, 12, 15, tzinfo=UTC),
            ),
        ),
        (
            {"write_disposition": {"disposition": "merge", "strategy": "cdc"}, "primary_key": "id"},
            Disposition(WriteMode.REPLACE),
        ),
        (
            {
                "write_disposition": {"disposition": "merge", "strategy": "cdc"},
                "primary_key": "id",
                "merge_key": "day",
            },
            Disposition(WriteMode.MERGE, ("id",), strategy=Strategy.DELETE_INSERT, merge_key=("day",)),
        ),
        (
            {
                "write_disposition": {
                    "disposition": "merge",
                    "strategy": "upsert",
                    "source_filter": "id > 1 AND s <> '{{}}'",
                    "skip_unchanged_rows": True,
                    "row_version_column_name": "v",
                },
                "primary_key": "id",
            },
            Disposition(
                WriteMode.MERGE,
                ("id",),
                source_filter="id > 1 AND s <> '{}'",
                skip_unchanged_rows=True,
                row_version="v",
            ),
        ),
        (
            {
                "write_disposition": {
                    "disposition": "merge",
                    "strategy": "delete-insert",
                    "destination_scope": "day = 1",
                },
                "merge_key": "day",
            },
            Disposition(WriteMode.MERGE, strategy=Strategy.DELETE_INSERT, destination_scope="day = 1"),
        ),
    ],
)
def test_write_dispositions(options: dict[str, Any], expected: Disposition) -> None:
    assert hints(**options).disposition == expected


def test_merges_that_have_no_like_here_are_refused() -> None:
    conditional = {"disposition": "merge", "strategy": "scd2", "destination_scope": "{table}.id > 1"}
    with pytest.raises(RefusedError) as caught:
        hints(write_disposition=conditional)
    assert caught.value.where == "`destination_scope` in its write disposition"
    snapshot = {"disposition": "merge", "strategy": "cdc"}
    with pytest.raises(RefusedError, match="`cdc`"):
        hints(write_disposition=snapshot, primary_key="id", columns={"gone": {"hard_delete": True}})


def test_contracts_of_tables_and_sources() -> None:
    freeze = Mode.FREEZE
    assert hints().contract is None
    assert hints(schema_contract="freeze").contract == Contract(freeze, freeze, freeze, freeze)
    columns = Contract(columns=Mode.DISCARD_ROW, data_type=Mode.EVOLVE)
    assert hints(schema_contract={"columns": "discard_row"}).contract == columns
    both = hints({"schema_contract": {"tables": "freeze"}}, schema_contract={"columns": "discard_value"})
    assert both.contract == Contract(freeze, Mode.DISCARD_VALUE, Mode.EVOLVE)


def test_a_key_alone_does_not_close_a_new_table() -> None:
    options: dict[str, Any] = {"write_disposition": "merge", "primary_key": "id"}
    assert hints(**options).declared.names == ("id",)
    closed = hints(schema_contract="freeze", **options).declared
    assert (closed.names, closed.primary_key) == ((), ("id",))


def test_a_depth_flattens() -> None:
    flatten = NestingMode.FLATTEN
    assert hints().nesting is None
    assert hints(max_table_nesting=0).nesting == Nesting(flatten, 0)
    assert hints({"max_table_nesting": 2}).nesting == Nesting(flatten, 2)
    assert hints({"max_table_nesting": 2}, max_table_nesting=1).nesting == Nesting(flatten, 1)
    asked = take(dlt.resource([{"id": 1}], name="things"), nesting=flatten)
    assert asked.hints["things"].nesting == Nesting(flatten)


def test_hints_of_child_tables_go_with_their_root() -> None:
    child = dlt.mark.make_nested_hints(columns=[{"name": "price", "data_type": "double"}])
    keyed = dlt.mark.make_nested_hints(primary_key="id", write_disposition="merge")
    found = hints(nested_hints={"lines": child, ("lines", "Parts"): keyed}).declared.extra["nested_hints"]
    assert list(found) == ["lines", "lines__Parts"]
    assert "disposition" not in found["lines"]
    lines, parts = (hints_from_json(json.dumps(found[path])) for path in found)
    assert [(c.name, str(c.type)) for c in lines.declared.columns] == [("price", "float64")]
    assert parts.disposition == Disposition(WriteMode.MERGE, ("id",), strategy=Strategy.DELETE_INSERT)


def test_references_are_kept_as_remarks() -> None:
    reference = {"columns": ["id"], "referenced_table": "others", "referenced_columns": ["key"]}
    table = hints(references=[reference]).declared
    assert table.extra["references"] == [reference]
    assert not any(column.foreign_key for column in table.columns)


# ------------------------------------------------------------------------------------------ values


class Colour(Enum):
    RED = "red"


class Point(NamedTuple):
    x: int
    y: int


class Model(BaseModel):
    id: int
    at: datetime


def test_values_become_pythons_own() -> None:
    zone = pendulum.timezone("Europe/London")
    row = {
        "instant": pendulum.datetime(2024, 7, 1, 12, tz="Europe/London"),
        "day": pendulum.date(2024, 7, 1),
        "clock": pendulum.time(12, 30),
        "wei": Wei(10**18),
        "part": Wei("0.5"),
        "hex": HexBytes("0xff"),
        "colour": Colour.RED,
        "point": Point(1, 2),
        "list": ({"when": pendulum.datetime(2024, 1, 1)},),
        "view": memoryview(b"x"),
        "model": Model(id=1, at=datetime(2024, 1, 1, tzinfo=UTC)),
    }
    [found] = rows_of([row])
    assert found == {
        "instant": datetime(2024, 7, 1, 12, tzinfo=zone),
        "day": date(2024, 7, 1),
        "clock": time(12, 30),
        "wei": 10**18,
        "part": Decimal("0.5"),
        "hex": b"\xff",
        "colour": "red",
        "point": {"x": 1, "y": 2},
        "list": [{"when": datetime(2024, 1, 1, tzinfo=UTC)}],
        "view": b"x",
        "model": {"id": 1, "at": datetime(2024, 1, 1, tzinfo=UTC)},
    }
    kinds = {name: type(value) for name, value in found.items()}
    assert kinds["instant"] is datetime
    assert (kinds["day"], kinds["clock"], kinds["wei"], kinds["hex"]) == (date, time, int, bytes)
    assert type(found["part"]) is Decimal
    assert type(found["list"][0]["when"]) is datetime


def test_values_of_numpy_and_pandas() -> None:
    pandas, numpy = pytest.importorskip("pandas"), pytest.importorskip("numpy")
    stamp = pandas.Timestamp("2024-01-01T12:00:00Z")
    row = {
        "stamp": stamp,
        "none": pandas.NaT,
        "i": numpy.int64(3),
        "f": numpy.float64(0.5),
        "a": numpy.array([1, 2]),
    }
    [found] = rows_of([row])
    assert found == {
        "stamp": datetime(2024, 1, 1, 12, tzinfo=UTC),
        "none": None,
        "i": 3,
        "f": 0.5,
        "a": [1, 2],
    }
    assert [type(value) for value in found.values()] == [datetime, type(None), int, float, list]


def test_items_that_are_no_rows() -> None:
    some = UUID(int=1)
    assert rows_of([1, "two", None, [3], some]) == [
        {"value": 1},
        {"value": "two"},
        {"value": [3]},
        {"value": some},
    ]
    assert rows_of([Model(id=1, at=datetime(2024, 1, 1, tzinfo=UTC))])[0]["id"] == 1
    assert rows_of([Point(1, 2), {3: 4}]) == [{"x": 1, "y": 2}, {"3": 4}]
