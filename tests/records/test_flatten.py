"""Nested rows as flat tables, and back: nothing is lost, whatever the shape."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal as Exact
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import RefusedError
from penstock.records.flatten import flatten
from penstock.records.flatten_join import unflatten
from penstock.records.flatten_names import names_from_json, names_to_json
from penstock.records.flatten_plan import FlatPlan, plan_flatten
from penstock.schema import types as t
from penstock.schema.arrow import arrow_schema, to_arrow
from penstock.schema.naming import SNAKE_CASE
from penstock.schema.nesting import LIST_INDEX, NATIVE, PARENT_ID, ROOT_ID, ROW_ID, Nesting, NestingMode
from penstock.schema.table import Column, Table
from penstock.schema.types import DataType, Kind, List, Scalar, Struct, Timestamp, parse_type
from schema.type_strategies import COLUMNS, STEADY, TYPES

FLAT = Nesting(NestingMode.FLATTEN)
Draw = Callable[[st.SearchStrategy[Any]], Any]
BITS = {Kind.INT8: 8, Kind.INT16: 16, Kind.INT32: 32, Kind.INT64: 64}


def table_of(**columns: str) -> Table:
    return Table("t", tuple(Column(name, parse_type(kind)) for name, kind in columns.items()))


def batch_of(table: Table, *rows: dict[str, Any]) -> Any:
    return pa.RecordBatch.from_pylist(list(rows), schema=arrow_schema(table))


def ids_of(batch: Any) -> Any:
    return pa.array([f"r{n}" for n in range(batch.num_rows)], pa.string())


def flat_rows(table: Table, *rows: dict[str, Any], nesting: Nesting = FLAT) -> dict[str, Any]:
    batch = batch_of(table, *rows)
    made = flatten(batch, plan_flatten(table, nesting), ids_of(batch))
    return {name: found.to_pylist() for name, found in made.items()}


# ---------------------------------------------------------------------------------- any type, any value


def scalars(kind: DataType) -> st.SearchStrategy[Any]:
    if isinstance(kind, t.Decimal):
        digits = st.integers(-(10**kind.precision) + 1, 10**kind.precision - 1)
        return digits.map(lambda n: Exact(f"{n}e-{kind.scale}"))
    if isinstance(kind, Timestamp):
        return st.integers(-(2**50), 2**50)
    assert isinstance(kind, Scalar)
    if kind.kind in BITS:
        return st.integers(-(2 ** (BITS[kind.kind] - 1)), 2 ** (BITS[kind.kind] - 1) - 1)
    if kind.kind.startswith("uint"):
        return st.integers(0, 255)
    if kind.kind.startswith("float"):
        return st.floats(width=32, allow_nan=False, allow_subnormal=False)
    if kind == t.JSON:
        return st.sampled_from(['{"a": 1}', "[]", "null", '"x"'])
    others = {
        Kind.NULL: st.none(), Kind.BOOL: st.booleans(), Kind.BINARY: st.binary(max_size=4),
        Kind.TEXT: st.text(max_size=4), Kind.DATE: st.dates(), Kind.TIME: st.times(),
        Kind.UUID: st.uuids().map(str),
    }  # fmt: skip
    return others[kind.kind]


@st.composite
def arrays(draw: Draw, kind: DataType, size: int) -> Any:
    """An Arrow array of a type, with values under its null objects and lists that must not be seen."""
    valid = draw(st.lists(st.booleans(), min_size=size, max_size=size))
    hidden = pa.array([not here for here in valid], pa.bool_())
    if isinstance(kind, Struct) and kind.fields:
        fields = [draw(arrays(field, size)) for _, field in kind.fields]
        return pa.StructArray.from_arrays(fields, names=[name for name, _ in kind.fields], mask=hidden)
    if isinstance(kind, Struct):
        return pa.array(["{}" if here else None for here in valid], pa.string())
    if isinstance(kind, List):
        ends = [0]
        for length in draw(st.lists(st.integers(0, 2), min_size=size, max_size=size)):
            ends.append(ends[-1] + length)
        return pa.ListArray.from_arrays(
            pa.array(ends, pa.int32()), draw(arrays(kind.item, ends[-1])), mask=hidden
        )
    values = draw(st.lists(scalars(kind), min_size=size, max_size=size))
    shown = [value if here else None for value, here in zip(values, valid, strict=True)]
    return pa.array(shown, to_arrow(kind))


@st.composite
def tables_and_rows(draw: Draw) -> tuple[Table, Any]:
    columns = draw(st.lists(COLUMNS, max_size=4, unique_by=lambda column: column.name))
    table = Table("t", tuple(columns))
    size = draw(st.integers(0, 5))
    schema = arrow_schema(table)
    kinds = {column.name: column.type for column in columns}
    found = [draw(arrays(kinds[name], size)) for name in schema.names]
    struct = pa.StructArray.from_arrays(found, fields=list(schema)) if found else pa.array([{}] * size)
    batch = pa.RecordBatch.from_struct_array(struct) if found else pa.record_batch({})
    start = draw(st.integers(0, 2))
    return table, batch.slice(min(start, batch.num_rows))


DEPTHS = st.none() | st.integers(0, 3)


@STEADY
@given(tables_and_rows(), DEPTHS)
def test_joining_gives_back_what_was_flattened(found: tuple[Table, Any], depth: int | None) -> None:
    table, batch = found
    plan = plan_flatten(table, Nesting(NestingMode.FLATTEN, depth))
    flat = flatten(batch, plan, ids_of(batch))
    back = unflatten(flat, plan)
    native = plan_flatten(table, Nesting(NestingMode.NATIVE, depth))
    [kept] = flatten(batch, native, ids_of(batch)).values()
    back.validate(full=True)
    assert back.schema == arrow_schema(plan.rows) == kept.schema
    assert back.to_pylist() == kept.to_pylist()
    if depth is None:
        assert kept.equals(batch)


@STEADY
@given(tables_and_rows(), DEPTHS)
def test_every_table_is_as_planned_and_its_keys_fit(found: tuple[Table, Any], depth: int | None) -> None:
    table, batch = found
    plan = plan_flatten(table, Nesting(NestingMode.FLATTEN, depth))
    made = flatten(batch, plan, ids_of(batch))
    assert tuple(made) == tuple(stored.name for stored in plan.tables)
    assert len({name.casefold() for name in made}) == len(plan.tables)
    for stored in plan.tables:
        rows = made[stored.name]
        rows.validate(full=True)
        assert rows.schema == arrow_schema(stored)
        assert len({name.casefold() for name in stored.names}) == len(stored.names)
        ids = rows.column(ROW_ID).to_pylist()
        assert len(set(ids)) == len(ids)
        assert not any(t.is_nested(column.type) for column in stored.columns)
    for child, parent in plan.parents.items():
        rows, above = made[child], made[parent]
        assert set(rows.column(PARENT_ID).to_pylist()) <= set(above.column(ROW_ID).to_pylist())
        assert set(rows.column(ROOT_ID).to_pylist()) <= set(ids_of(batch).to_pylist())
        assert all(
            row[ROW_ID] == f"{row[PARENT_ID]}.{row[LIST_INDEX]}"
            for row in rows.select([ROW_ID, PARENT_ID, LIST_INDEX]).to_pylist()
        )


@STEADY
@given(tables_and_rows(), st.randoms(use_true_random=False))
def test_rows_of_children_join_in_any_order(found: tuple[Table, Any], random: Any) -> None:
    table, batch = found
    plan = plan_flatten(table, FLAT)
    made = flatten(batch, plan, ids_of(batch))
    mixed = {}
    for name, rows in made.items():
        order = list(range(rows.num_rows))
        if name != plan.root.table.name:
            random.shuffle(order)
        mixed[name] = pa.Table.from_batches([rows.take(pa.array(order, pa.int64()))])
    assert unflatten(mixed, plan).to_pylist() == batch.to_pylist()


@STEADY
@given(tables_and_rows())
def test_a_plan_does_not_depend_on_the_order_of_columns(found: tuple[Table, Any]) -> None:
    table, _ = found
    turned = Table("t", table.columns[::-1])
    assert plan_flatten(turned, FLAT).names == plan_flatten(table, FLAT).names


@STEADY
@given(st.dictionaries(st.text("aA_*~/", max_size=4), TYPES, max_size=4),
       st.dictionaries(st.text("aA_*~/", max_size=4), TYPES, max_size=4))  # fmt: skip
def test_names_stay_while_a_table_grows(before: dict[str, DataType], more: dict[str, DataType]) -> None:
    small = Table("t", tuple(Column(name, kind) for name, kind in before.items()))
    large = Table("t", tuple(Column(name, kind) for name, kind in {**more, **before}.items()))
    first = plan_flatten(small, FLAT)
    after = plan_flatten(large, FLAT, names=first.names)
    assert first.names.columns.items() <= after.names.columns.items()
    assert first.names.tables.items() <= after.names.tables.items()
    for stored in after.tables:
        assert len({name.casefold() for name in stored.names}) == len(stored.names)


# ------------------------------------------------------------------------------------------- by example


def test_objects_become_columns_and_lists_child_tables() -> None:
    table = table_of(id="int64", home="struct<city: text, geo: struct<lat: float64>>", tags="list<text>")
    rows = flat_rows(table, {"id": 1, "home": {"city": "Rome", "geo": {"lat": 41.9}}, "tags": ["a", "b"]})
    assert rows == {
        "t": [{"id": 1, "home__city": "Rome", "home__geo__lat": 41.9, ROW_ID: "r0", "_penstock_empty": None}],
        "t__tags": [
            {ROW_ID: "r0.0", PARENT_ID: "r0", ROOT_ID: "r0", LIST_INDEX: 0, "value": "a"},
            {ROW_ID: "r0.1", PARENT_ID: "r0", ROOT_ID: "r0", LIST_INDEX: 1, "value": "b"},
        ],
    }


def test_lists_in_lists_and_lists_in_objects_of_lists() -> None:
    table = table_of(m="list<list<int64>>", o="list<struct<k: text, p: struct<q: list<int64>>>>")
    rows = flat_rows(table, {"m": [[1], [2, 3]], "o": [{"k": "x", "p": {"q": [7]}}]})
    assert list(rows) == ["t", "t__m", "t__o", "t__m__list", "t__o__p__q"]
    assert [(r[ROW_ID], r[ROOT_ID], r["value"]) for r in rows["t__m__list"]] == [
        ("r0.0.0", "r0", 1), ("r0.1.0", "r0", 2), ("r0.1.1", "r0", 3),
    ]  # fmt: skip
    assert [r[PARENT_ID] for r in rows["t__o__p__q"]] == ["r0.0"]


EMPTIES = [
    ({"a": None, "l": None}, None),
    ({"a": {"x": None}, "l": None}, '["/a"]'),
    ({"a": None, "l": []}, '["/l"]'),
    ({"a": {"x": None}, "l": []}, '["/a", "/l"]'),
    ({"a": {"x": 1}, "l": [None]}, None),
]


@pytest.mark.parametrize(("row", "note"), EMPTIES)
def test_what_is_there_but_empty_is_noted(row: dict[str, Any], note: str | None) -> None:
    table = table_of(a="struct<x: int64>", l="list<struct<x: int64>>")
    assert flat_rows(table, {"a": {"x": 5}, "l": []}, row)["t"][1]["_penstock_empty"] == note


def test_without_notes_what_is_empty_comes_back_missing() -> None:
    table = table_of(a="struct<x: int64>", l="list<int64>")
    plan = plan_flatten(table, FLAT, exact=False)
    batch = batch_of(table, {"a": {"x": None}, "l": []}, {"a": {"x": 1}, "l": [2]})
    made = flatten(batch, plan, ids_of(batch))
    assert made["t"].schema.names == ["a__x", ROW_ID]
    assert unflatten(made, plan).to_pylist() == [{"a": None, "l": None}, {"a": {"x": 1}, "l": [2]}]


def test_below_the_depth_is_json() -> None:
    table = table_of(o="struct<a: int64, p: struct<b: decimal(5,2)>>", l="list<struct<x: list<date>>>")
    row = {"o": {"a": 1, "p": {"b": Exact("1.50")}}, "l": [{"x": [dt.date(2024, 1, 5)]}]}
    zero = flat_rows(table, row, nesting=Nesting(NestingMode.FLATTEN, 0))
    assert zero == {"t": [{"o": '{"a": 1, "p": {"b": 1.50}}', "l": '[{"x": ["2024-01-05"]}]', ROW_ID: "r0"}]}
    one = flat_rows(table, row, nesting=Nesting(NestingMode.FLATTEN, 1))
    assert one["t"][0]["o__p"] == '{"b": 1.50}'
    assert one["t__l"][0]["x"] == '["2024-01-05"]'
    native = plan_flatten(table, Nesting(NestingMode.NATIVE, 1))
    assert [str(c.type) for c in native.root.table.columns] == [
        "struct<a: int64, p: json>", "list<struct<x: json>>",
    ]  # fmt: skip
    assert native.tables == (native.rows,)


def test_native_without_a_depth_changes_nothing() -> None:
    table = table_of(Id="int64", id="list<int64>")
    batch = batch_of(table, {"Id": 1, "id": [1]})
    plan = plan_flatten(table, NATIVE)
    assert plan.tables == (table,)
    assert flatten(batch, plan, ids_of(batch))["t"].equals(batch)


def test_names_that_meet_are_told_apart() -> None:
    table = table_of(a="struct<b: int64, B: int64>", a__b="int64", _penstock_id="text", x="list<int64>")
    plan = plan_flatten(table, FLAT, taken=["T__X"])
    assert plan.names.columns == {
        "/a__b": "a__b", "/_penstock_id": "_penstock_id__2", "/a/B": "a__B__2", "/a/b": "a__b__3",
        "/x/*": "value",
    }  # fmt: skip
    assert plan.names.tables == {"/x/*": "t__x__2"}


def test_a_later_column_does_not_take_a_name() -> None:
    first = plan_flatten(table_of(a="struct<b: int64>"), FLAT)
    later = plan_flatten(table_of(a__b="int64", a="struct<b: int64>"), FLAT, names=first.names)
    assert later.names.columns == {"/a/b": "a__b", "/a__b": "a__b__2"}
    gone = plan_flatten(table_of(a__b="int64"), FLAT, names=later.names)
    assert [c.name for c in gone.root.table.columns] == ["a__b__2", ROW_ID]


def test_names_follow_a_convention_and_rows_keep_theirs() -> None:
    table = table_of(
        userId="int64", user_id="int64", homeAddress="struct<zipCode: text>", myTags="list<text>"
    )
    batch = batch_of(table, {"userId": 1, "user_id": 2, "homeAddress": {"zipCode": "x"}, "myTags": ["a"]})
    plan = plan_flatten(table, FLAT, naming=SNAKE_CASE)
    made = flatten(batch, plan, ids_of(batch))
    assert list(made) == ["t", "t__my_tags"]
    assert made["t"].schema.names[:3] == ["user_id__2", "user_id", "home_address__zip_code"]
    assert unflatten(made, plan).equals(batch)
    native = plan_flatten(table, NATIVE, naming=SNAKE_CASE)
    assert native.root.table.names == ("user_id__2", "user_id", "home_address", "my_tags")
    kept = flatten(batch, native, ids_of(batch))
    assert kept["t"].to_pylist()[0]["home_address"] == {"zipCode": "x"}
    assert unflatten(kept, native).equals(batch)


def test_names_can_be_kept_as_text() -> None:
    names = plan_flatten(table_of(a="struct<b: int64>", x="list<struct<y: text>>"), FLAT).names
    assert names_from_json(names_to_json(names)) == names
    assert hash(names_from_json(names_to_json(names))) == hash(names)


def test_rules_go_with_columns_and_privacy_with_all_that_is_inside() -> None:
    columns = (
        Column("id", t.INT64, nullable=False, minimum=1, description="key", declared=True),
        Column("who", parse_type("struct<name: text>"), sensitive=True, declared=True),
        Column("tags", parse_type("list<text>"), description="its labels", sensitive=True),
    )
    plan = plan_flatten(Table("t", columns, primary_key=("id",), partitions=("id",)), FLAT)
    root, child = plan.tables
    assert root.column("id") == columns[0]
    assert root.primary_key == root.partitions == ("id",)
    assert root.column("who__name") == Column("who__name", t.TEXT, sensitive=True, declared=True)
    assert child.description == "its labels"
    assert child.column("value") == Column("value", t.TEXT, sensitive=True)
    assert [c.nullable for c in child.columns[:4]] == [False] * 4


def test_a_key_that_is_a_list_is_refused() -> None:
    table = Table("t", (Column("k", parse_type("list<int64>")),), primary_key=("k",))
    with pytest.raises(RefusedError, match="the primary key `k` of `t`"):
        plan_flatten(table, FLAT)


# ------------------------------------------------------------------------------ other shapes of Arrow


STRUCT = pa.struct([("x", pa.int64())])
LISTS = [
    pa.array([[1, 2], None, [], [3]], pa.large_list(pa.int64())),
    pa.array([[1, 2], None, [], [3]], pa.list_view(pa.int64())),
    pa.array([[1, 2], None, [], [3]], pa.list_(pa.int32())),
]


@pytest.mark.parametrize("lists", LISTS, ids=lambda lists: str(lists.type))
def test_any_kind_of_list(lists: Any) -> None:
    table = table_of(l="list<int64>")
    plan = plan_flatten(table, FLAT)
    for start in range(4):
        batch = pa.record_batch({"l": lists}).slice(start)
        assert unflatten(flatten(batch, plan, ids_of(batch)), plan).to_pylist() == batch.to_pylist()


def test_lists_of_a_fixed_size() -> None:
    lists = pa.array([[1, 2], None, [3, 4], [5, None]], pa.list_(pa.int64(), 2)).slice(1)
    plan = plan_flatten(table_of(l="list<int64>"), FLAT)
    batch = pa.record_batch({"l": lists})
    made = flatten(batch, plan, ids_of(batch))
    assert made["t__l"].column("value").to_pylist() == [3, 4, 5, None]
    assert made["t__l"].column(PARENT_ID).to_pylist() == ["r1", "r1", "r2", "r2"]
    assert unflatten(made, plan).to_pylist() == batch.to_pylist()


def test_maps_are_lists_of_keys_and_values() -> None:
    kind = pa.map_(pa.string(), pa.int64())
    batch = pa.record_batch({"m": pa.array([[("z", 0)], [("a", 1), ("b", None)], None, []], kind)}).slice(1)
    plan = plan_flatten(table_of(m="list<struct<key: text, value: int64>>"), FLAT)
    made = flatten(batch, plan, ids_of(batch))
    assert [(r["key"], r["value"]) for r in made["t__m"].to_pylist()] == [("a", 1), ("b", None)]
    assert unflatten(made, plan).to_pylist() == [
        {"m": [{"key": "a", "value": 1}, {"key": "b", "value": None}]}, {"m": None}, {"m": []},
    ]  # fmt: skip


def test_lists_of_nothing_but_nulls() -> None:
    batch = pa.record_batch({"l": pa.array([None, [], [None, None]], pa.list_(pa.null()))})
    plan = plan_flatten(table_of(l="list<null>"), FLAT)
    for start in range(3):
        rows = batch.slice(start)
        back = unflatten(flatten(rows, plan, ids_of(rows)), plan)
        back.validate(full=True)
        assert back.to_pylist() == rows.to_pylist()


def test_columns_that_a_batch_lacks_are_null() -> None:
    table = table_of(id="int64", a="struct<x: int64, y: list<int64>>", l="list<int64>", n="null")
    plan = plan_flatten(table, FLAT)
    batch = pa.record_batch({"a": pa.array([{"x": 1}], STRUCT)})
    made = flatten(batch, plan, ids_of(batch))
    assert made["t"].to_pylist() == [{"id": None, "a__x": 1, ROW_ID: "r0", "_penstock_empty": None}]
    assert made["t__l"].num_rows == made["t__a__y"].num_rows == 0
    assert unflatten(made, plan).to_pylist() == [{"id": None, "a": {"x": 1, "y": None}, "l": None}]


REFUSED = [
    (pa.record_batch({"a": pa.array([{"x": 1, "z": 2}])}), "`t/a` has no `z`"),
    (pa.record_batch({"b": pa.array([1])}), "`t` has no `b`"),
    (pa.record_batch({"a": pa.array([5])}), "`t/a` is an object"),
    (pa.record_batch({"a": pa.array(["x"])}), "`t/a` is an object"),
    (pa.record_batch({"l": pa.array([5])}), "`t/l` is a list"),
    (pa.record_batch({"a": pa.array([{"x": 1.5}])}), "`a__x` has values that int64 cannot hold"),
]


@pytest.mark.parametrize(("batch", "words"), REFUSED)
def test_values_without_a_place_are_refused(batch: Any, words: str) -> None:
    plan = plan_flatten(table_of(a="struct<x: int64>", l="list<int64>"), FLAT)
    with pytest.raises(RefusedError, match=words):
        flatten(batch, plan, ids_of(batch))


def test_a_child_without_a_parent_is_refused() -> None:
    table = table_of(l="list<int64>")
    plan: FlatPlan = plan_flatten(table, FLAT)
    batch = batch_of(table, {"l": [1]}, {"l": [2]})
    made = flatten(batch, plan, ids_of(batch))
    made["t"] = made["t"].slice(1)
    with pytest.raises(RefusedError, match="rows of `t__l` have no parent in `t`"):
        unflatten(made, plan)
