"""What resources say of their tables, and what becomes of it."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal as PyDecimal
from typing import Annotated, Any, Literal

import pyarrow as pa
import pydantic
import pytest
from produced import blocks, tables

from penstock.errors import RefusedError
from penstock.schema.contract import Contract, Mode
from penstock.schema.disposition import Disposition, Order, Scd2, Strategy, WriteMode
from penstock.schema.hints import Hints, hints_from_json, hints_to_json
from penstock.schema.nesting import Nesting, NestingMode
from penstock.schema.table import Column, Table
from penstock.schema.types import parse_type
from penstock.sources.python import current, mark
from penstock.sources.python.decorators import resource

Row = dict[str, Any]


def hints(**said: Any) -> Hints:
    """The hints of a resource of which this is said."""
    (block,) = blocks(resource([{"id": 1}], name="t", **said))
    assert block.hints is not None
    return block.hints


def types(columns: Any) -> dict[str, str]:
    return {c.name: str(c.type) for c in hints(columns=columns).declared.columns}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"data_type": "text"}, "text"),
        ({"data_type": "double"}, "float64"),
        ({"data_type": "bool"}, "bool"),
        ({"data_type": "timestamp"}, "timestamp_tz"),
        ({"data_type": "timestamp", "timezone": False}, "timestamp"),
        ({"data_type": "timestamp", "precision": 9}, "timestamp_tz(ns)"),
        ({"data_type": "bigint"}, "int64"),
        ({"data_type": "bigint", "precision": 32}, "int32"),
        ({"data_type": "binary"}, "binary"),
        ({"data_type": "json"}, "json"),
        ({"data_type": "decimal"}, "decimal(38,9)"),
        ({"data_type": "decimal", "precision": 12, "scale": 2}, "decimal(12,2)"),
        ({"data_type": "decimal", "precision": 12}, "decimal(12,0)"),
        ({"data_type": "wei"}, "decimal(38,0)"),
        ({"data_type": "date"}, "date"),
        ({"data_type": "time"}, "time"),
        ({"type": "list<int32>"}, "list<int32>"),
    ],
)
def test_data_types(said: Row, expected: str) -> None:
    assert types({"c": said}) == {"c": expected}


def test_hints_of_columns() -> None:
    found = hints(
        columns={
            "id": {"data_type": "bigint", "nullable": False, "primary_key": True},
            "name": {"data_type": "text", "precision": 20, "unique": True, "description": "What it is."},
            "seen": {"dedup_sort": "asc"},
            "gone": {"data_type": "bool", "hard_delete": True},
            "day": {"merge_key": True},
            "zip": {"nullable": False, "x-own": 7},
        },
        write={"disposition": "merge", "strategy": "delete-insert"},
    )
    assert found.declared.columns == (
        Column("id", parse_type("int64"), nullable=False, declared=True),
        Column(
            "name", parse_type("text"), max_length=20, unique=True, description="What it is.", declared=True
        ),
        Column("gone", parse_type("bool"), declared=True),
        Column("zip", parse_type("null"), nullable=False),
    )
    assert found.declared.columns[3].extra == {"x-own": 7}
    assert found.declared.primary_key == ("id",)
    assert found.disposition == Disposition(
        WriteMode.MERGE,
        primary_key=("id",),
        dedup_sort="seen",
        dedup_order=Order.ASC,
        strategy=Strategy.DELETE_INSERT,
        merge_key=("day",),
        hard_delete="gone",
    )


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Place:
    lat: float
    lon: float


@dataclass
class Sale:
    id: int
    colour: Colour
    place: Place
    tags: list[str]
    day: date
    kind: Literal["a", "b"] | None = None
    count: int | None = None


class Item(pydantic.BaseModel):
    id: Annotated[int, pydantic.Field(ge=1, le=9)]
    name: str = pydantic.Field(alias="itemName", max_length=5)
    price: PyDecimal = pydantic.Field(max_digits=10, decimal_places=2)
    made_at: pydantic.AwareDatetime
    changed_at: datetime | None = None
    raw: dict[str, Any] = {}
    amount: PyDecimal
    day: date = pydantic.Field(ge=date(2024, 1, 1))


def test_a_dataclass_says_its_columns() -> None:
    declared = hints(columns=Sale).declared
    assert {c.name: str(c.type) for c in declared.columns} == {
        "id": "int64", "colour": "text", "place": "struct<lat: float64, lon: float64>",
        "tags": "list<text>", "day": "date", "kind": "text", "count": "int64",
    }  # fmt: skip
    assert [c.name for c in declared.columns if c.nullable] == ["kind", "count"]
    assert declared.columns[1].enum == ("red", "blue") and declared.columns[5].enum == ("a", "b")


def test_a_pydantic_model_says_its_columns_and_bounds() -> None:
    declared = hints(columns=Item, contract="evolve").declared
    assert {c.name: str(c.type) for c in declared.columns} == {
        "id": "int64", "name": "text", "price": "decimal(10,2)", "made_at": "timestamp_tz",
        "changed_at": "null",
        "raw": "json", "amount": "null", "day": "date",
    }  # fmt: skip
    assert (declared.columns[0].minimum, declared.columns[0].maximum) == (1, 9)
    assert declared.columns[1].max_length == 5 and declared.columns[-1].minimum == "2024-01-01"
    assert not declared.columns[6].declared, "a Decimal without digits says no type"


class Tree(pydantic.BaseModel):
    id: int
    children: list[Tree] = []
    anything: list[Any] = []


class Coded(pydantic.BaseModel):
    item_code: str = pydantic.Field(alias="itemCode")
    place: Named | None = None


class Named(pydantic.BaseModel):
    full_name: str = pydantic.Field(alias="fullName")


def test_what_holds_itself_or_anything_is_left_to_the_data() -> None:
    assert {c.name: str(c.type) for c in hints(columns=Tree).declared.columns} == {
        "id": "int64", "children": "null", "anything": "null",
    }  # fmt: skip

    @dataclass
    class Local:
        id: Missing  # type: ignore[name-defined]  # noqa: F821  # as in a notebook

    with pytest.raises(RefusedError, match="`Local` cannot be read"):
        hints(columns=Local)


def test_an_aliased_model_goes_by_the_names_that_rows_have() -> None:
    row = {"itemCode": "a", "place": {"fullName": "b"}}
    named = {"item_code": "text", "place": "struct<full_name: text>"}
    aliased = {"itemCode": "text", "place": "struct<fullName: text>"}
    for data, expected in (
        (row, aliased),
        (Coded.model_validate(row), named),
        (pa.table({"itemCode": [""]}), aliased),
    ):
        (block,) = blocks(resource([data], name="t", columns=Coded))
        assert block.hints is not None
        assert {c.name: str(c.type) for c in block.hints.declared.columns} == expected


def test_arrow_schemas_tables_and_lists_say_columns() -> None:
    assert types(pa.schema([pa.field("a", pa.int32(), nullable=False), ("b", pa.list_(pa.string()))])) == {
        "a": "int32", "b": "list<text>",
    }  # fmt: skip
    table = Table("x", (Column("a", parse_type("date"), enum=(date(2024, 1, 1),)),), primary_key=("a",))
    assert hints(columns=table).declared == Table(
        "t", (Column("a", parse_type("date"), enum=("2024-01-01",), declared=True),), primary_key=("a",)
    )
    assert types([{"name": "a", "data_type": "bool"}, Column("b", parse_type("time"))]) == {
        "a": "bool", "b": "time",
    }  # fmt: skip
    assert types({"a": "bigint"}) == {"a": "int64"}


@pytest.mark.parametrize(
    ("said", "keys", "expected"),
    [
        ("append", {"primary_key": "id"}, Disposition(primary_key=("id",))),
        ("replace", {"merge_key": "id"}, Disposition(WriteMode.REPLACE)),
        (
            {"disposition": "replace", "overwrite": "day"},
            {},
            Disposition(WriteMode.REPLACE, overwrite=("day",)),
        ),
        ({"disposition": "replace", "strategy": "insert-from-staging"}, {}, Disposition(WriteMode.REPLACE)),
        ("merge", {"primary_key": ["a", "b"]}, Disposition(WriteMode.MERGE, primary_key=("a", "b"))),
        (
            "merge",
            {"merge_key": "day"},
            Disposition(WriteMode.MERGE, merge_key=("day",), strategy=Strategy.DELETE_INSERT),
        ),
        (
            {"disposition": "merge", "strategy": "upsert", "deduplicated": True},
            {"primary_key": "id", "merge_key": "day"},
            Disposition(WriteMode.MERGE, primary_key=("id",), merge_key=("day",)),
        ),
        (
            {
                "disposition": "merge",
                "strategy": "scd2",
                "validity_column_names": ["from", "to"],
                "active_record_timestamp": "9999-12-31",
                "boundary_timestamp": date(2024, 5, 1),
                "row_version_column_name": "v",
            },
            {"merge_key": "id"},
            Disposition(
                WriteMode.MERGE,
                merge_key=("id",),
                strategy=Strategy.SCD2,
                scd2=Scd2("from", "to", datetime(9999, 12, 31, tzinfo=UTC), row_version="v"),
                at=datetime(2024, 5, 1, tzinfo=UTC),
            ),
        ),
        (
            {"disposition": "merge", "strategy": "cdc", "hard_delete": "op", "delete_values": ["D"]},
            {"primary_key": "id"},
            Disposition(
                WriteMode.MERGE,
                primary_key=("id",),
                strategy=Strategy.CDC,
                hard_delete="op",
                delete_values=("D",),
            ),
        ),
        (Disposition(WriteMode.REPLACE), {"primary_key": "id"}, Disposition(WriteMode.REPLACE)),
        (
            {
                "disposition": "merge",
                "source_filter": "a > 1",
                "skip_unchanged_rows": True,
                "row_version_column_name": "v",
            },
            {"primary_key": "id"},
            Disposition(
                WriteMode.MERGE, ("id",), source_filter="a > 1", skip_unchanged_rows=True, row_version="v"
            ),
        ),
        (
            {"disposition": "merge", "destination_scope": "a = 1"},
            {},
            Disposition(WriteMode.MERGE, strategy=Strategy.DELETE_INSERT, destination_scope="a = 1"),
        ),
    ],
)
def test_write_dispositions(said: Any, keys: Row, expected: Disposition) -> None:
    assert hints(write_disposition=said, **keys).disposition == expected
    assert hints(write=said, **keys).disposition == expected


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"write": "upsert"}, "no write disposition"),
        ({"write": {"disposition": "merge", "strategy": "scd3"}}, "did you mean 'scd2'"),
        ({"write": {"disposition": "append", "strategy": "upsert"}}, "no strategy"),
        ({"write": {"disposition": "merge", "validity_column_names": ["a", "b"]}}, "no meaning"),
        ({"write": {"disposition": "merge", "strategy": "scd2", "validity_column_names": "a"}}, "two names"),
        ({"write": {"disposition": "merge", "strategy": "scd2", "boundary_timestamp": "x"}}, "no instant"),
        ({"write": {"disposition": "merge", "stratgy": "scd2"}}, "did you mean 'strategy'"),
        ({"write": "append", "write_disposition": "merge"}, "said twice"),
        ({"columns": {"a": {"data_type": "bigit"}}}, "did you mean 'bigint'"),
        ({"columns": {"a": {"nulable": True}}}, "did you mean 'nullable'"),
        ({"columns": {"a": {"dedup_sort": "down"}}}, "asc or desc"),
        ({"columns": {"a": {"data_type": "decimal", "precision": 50}}}, "cannot be held"),
        ({"columns": {"a": {"nullable": "no"}}}, "neither true nor false"),
        ({"columns": {"a": {"data_type": "bigint", "precision": "32"}}}, "no whole number"),
        ({"columns": {"a": {"data_type": "bigint", "minimum": "x"}}}, "column `a`"),
        ({"primary_key": 7}, "not made of column names"),
        ({"merge_key": ["a", None]}, "not made of column names"),
        ({"columns": 7}, "no form that is known"),
        ({"columns": [{"data_type": "text"}]}, "has no name"),
        ({"contract": "freez"}, "did you mean 'freeze'"),
        ({"contract": {"colums": "freeze"}}, "did you mean 'columns'"),
        ({"nesting": "flat"}, "did you mean 'flatten'"),
        ({"references": [{"columns": ["a"]}]}, "which columns refer"),
        ({"table_format": "delta"}, "no meaning here"),
        ({"primry_key": "id"}, "is no hint"),
        ({"primary_key": lambda row: "id"}, "is a function of the row"),
    ],
)
def test_what_has_no_meaning_is_refused_at_once(said: Row, told: str) -> None:
    with pytest.raises(RefusedError) as caught:
        resource([{"id": 1}], name="t", **said)
    assert told in str(caught.value) and "resource `t`" in str(caught.value)


def test_skip_loads_nothing() -> None:
    assert tables(resource([{"id": 1}], name="t", write_disposition="skip")) == {}


def test_contracts_and_nesting() -> None:
    frozen = Mode.FREEZE
    assert hints(schema_contract="freeze").contract == Contract(frozen, frozen, frozen, frozen)
    assert hints(contract={"data_type": "discard_row"}).contract == Contract(
        data_type=Mode.DISCARD_ROW, data_type_seen=Mode.DISCARD_ROW
    )
    assert hints(contract=Contract(columns=frozen)).contract == Contract(columns=frozen)
    assert hints().contract is None and hints().nesting is None
    assert hints(max_table_nesting=1).nesting == Nesting(NestingMode.FLATTEN, 1)
    assert hints(nesting="native", max_table_nesting=0).nesting == Nesting(NestingMode.NATIVE, 0)


def test_references_and_nested_hints_travel_with_the_table() -> None:
    found = hints(
        description="Things.",
        references=[{"referenced_table": "users", "columns": "user", "referenced_columns": ["id"]}],
        nested_hints={
            "items": mark.make_nested_hints(primary_key="sku", write_disposition="merge"),
            ("items", "parts"): {"columns": {"n": {"data_type": "bigint"}}},
        },
    )
    assert found.declared.description == "Things."
    assert found.declared.extra["references"] == [
        {"referenced_table": "users", "columns": ["user"], "referenced_columns": ["id"]}
    ]
    nested = found.declared.extra["nested_hints"]
    assert nested["items"]["disposition"] == {**nested["items"]["disposition"], "mode": "merge"}
    assert nested["items__parts"]["declared"]["columns"] == [{"name": "n", "type": "int64", "declared": True}]
    assert hints_from_json(hints_to_json(found)) == found
    assert hints_from_json(hints_to_json(found)).declared.extra == found.declared.extra


def test_later_hints_win_and_empty_ones_take_away() -> None:
    made = resource(
        [{"id": 1}], name="t", columns={"id": {"data_type": "bigint"}, "b": {"data_type": "bool"}}
    )
    made.apply_hints(columns={"id": {"nullable": False}}, primary_key="id", write_disposition="merge")
    (block,) = blocks(made)
    assert block.hints is not None
    assert block.hints.declared.columns[0] == Column("id", parse_type("int64"), nullable=False, declared=True)
    assert block.hints.disposition == Disposition(WriteMode.MERGE, primary_key=("id",))
    made.apply_hints(primary_key=(), columns=[], write="append", table_name="u")
    (block,) = blocks(made)
    assert (block.table, block.hints) == ("u", Hints(Table("u"), disposition=Disposition()))
    made.table_name, made.write_disposition, made.max_table_nesting = "v", "replace", 3
    (block,) = blocks(made)
    assert (
        block.table == "v"
        and block.hints is not None
        and block.hints.nesting == Nesting(NestingMode.FLATTEN, 3)
    )


def test_the_hints_of_a_run_win() -> None:
    made = resource([{"id": 1}], name="t", primary_key="id", write="append")
    (block,) = blocks(made, table_name="u", write_disposition="merge", columns={"id": {"data_type": "text"}})
    assert block.table == "u" and block.hints is not None
    assert block.hints.disposition == Disposition(WriteMode.MERGE, primary_key=("id",))
    assert block.hints.declared.columns == (Column("id", parse_type("text"), declared=True),)


def test_tables_that_depend_on_the_row() -> None:
    @resource(
        table_name=lambda row: row["type"],
        primary_key=lambda row: f"{row['type']}_id",
        write_disposition="merge",
        columns=lambda row: {f"{row['type']}_id": {"data_type": "bigint"}},
    )
    def events() -> Iterator[Any]:
        yield [{"type": "a", "a_id": 1}, {"type": "b", "b_id": 1}, {"type": "a", "a_id": 2}]
        yield {"type": "b", "b_id": 2}

    found = {b.table: b for b in blocks(events)}
    assert found["a"].data == [{"type": "a", "a_id": 1}, {"type": "a", "a_id": 2}]
    assert found["b"].data == [{"type": "b", "b_id": 1}, {"type": "b", "b_id": 2}]
    for name, block in found.items():
        assert block.hints is not None and block.hints.declared.primary_key == (f"{name}_id",)
        assert block.hints.declared.names == (f"{name}_id",)
    with pytest.raises(RefusedError, match="gave no name"):
        tables(resource([{"type": None}], name="t", table_name=lambda row: row["type"]))


def test_items_that_bring_hints() -> None:
    @resource(write="append")
    def events() -> Iterator[Any]:
        yield {"id": 0}
        yield mark.with_hints({"id": 1}, mark.make_hints(table_name="one", primary_key="id"), True)
        yield mark.with_hints({"id": 2}, mark.make_hints(description="All of them."))
        yield mark.with_hints(None, mark.make_hints(primary_key="id"))

    found = {b.table: b for b in blocks(events)}
    assert found["one"].data == [{"id": 1}] and found["events"].data == [{"id": 0}, {"id": 2}]
    one, events_hints = found["one"].hints, found["events"].hints
    assert one is not None and one.declared.primary_key == ("id",) and one.declared.description is None
    assert events_hints is not None and events_hints.declared.description == "All of them."
    assert events_hints.declared.primary_key == ("id",)
    assert events.template.description is None, "runs start anew"
    with pytest.raises(RefusedError, match="name no table"):
        mark.with_hints({}, mark.make_hints(primary_key="id"), create_table_variant=True)


def test_variants_are_hints_of_one_table() -> None:
    @resource(table_name=lambda row: row["t"], primary_key=lambda row: "id", contract="evolve")
    def events() -> Iterator[Row]:
        yield {"t": "x"}
        yield {"t": "y"}

    events.apply_hints(table_name="y", create_table_variant=True, write="replace")
    x, y = (b.hints for b in blocks(events))
    assert x is not None and x.declared.primary_key == ("id",)
    assert y is not None and y.declared.primary_key == () and y.contract == x.contract
    assert y.disposition == Disposition(WriteMode.REPLACE)
    with pytest.raises(RefusedError, match="of a variant"):
        events.apply_hints(create_table_variant=True, write="replace")


def test_hints_may_change_while_a_resource_runs() -> None:
    @resource
    def events() -> Iterator[Any]:
        yield pa.table({"id": [1]})
        current.resource().apply_hints(primary_key="id")
        yield pa.table({"id": [2]})

    assert [b.hints.declared.primary_key for b in blocks(events) if b.hints] == [(), ("id",)]


def test_hints_are_made_once_a_table() -> None:
    @resource(primary_key="id")
    def events() -> Iterator[Any]:
        for i in range(3):
            yield pa.table({"id": [i]})

    first, second, third = (b.hints for b in blocks(events))
    assert first is second is third


@pytest.mark.parametrize(
    ("said", "empties"),
    [
        ("replace", True),
        ({"disposition": "merge", "strategy": "scd2"}, True),
        ("append", False),
        ("merge", False),
        ("skip", False),
        ({"disposition": "replace", "overwrite": ["day"]}, False),
    ],
)
def test_a_table_that_is_replaced_by_nothing_is_told(said: Any, empties: bool) -> None:
    found = blocks(resource([], name="t", write=said, primary_key="id"))
    assert [(b.table, b.data) for b in found] == ([("t", [])] if empties else [])


def test_rows_of_two_resources_for_one_table_keep_their_hints_apart() -> None:
    pair = [
        resource([{"id": 1}], name="one", table_name="t", primary_key="id"),
        resource([{"id": 2}], name="two", table_name="t"),
    ]
    assert [(b.data, b.hints.declared.primary_key) for b in blocks(pair) if b.hints] == [
        ([{"id": 1}], ("id",)), ([{"id": 2}], ()),
    ]  # fmt: skip
