"""Aligning to metadata: exact or refused. Each trap of other tools' casts has its test."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import ContractError, ProjectError
from penstock.records.align import align, align_batches
from penstock.schema.arrow import arrow_schema
from penstock.schema.metadata import read_metadata
from penstock.schema.table import Column, Table
from penstock.schema.types import parse_type

wall = datetime.fromisoformat


def table(**columns: str) -> Table:
    return Table("orders", tuple(Column(n, parse_type(kind), declared=True) for n, kind in columns.items()))


def one(values: Any, kind: str, **facts: Any) -> list[Any]:
    """A column of values aligned to a type, as Python values."""
    array = values if isinstance(values, pa.Array) else pa.array(values)
    promised = Table("orders", (Column("v", parse_type(kind), declared=True, **facts),))
    found = align(pa.record_batch({"v": array}), promised)
    assert found.schema == arrow_schema(promised)
    return found.column("v").to_pylist()


def refused(values: Any, kind: str, **facts: Any) -> ContractError:
    with pytest.raises(ContractError) as caught:
        one(values, kind, **facts)
    return caught.value


# ----------------------------------------------------------------- traps: columns (notes on aligning)

BATCH = pa.record_batch({"b": [1], "file_land_timestamp": [1534978800], "a": ["x"]})


def test_an_unknown_column_is_not_dropped_in_silence() -> None:
    with pytest.raises(ContractError, match="has `file_land_timestamp`, which its metadata does not know"):
        align(BATCH, table(a="text", b="int64"))


def test_unknown_columns_are_dropped_or_kept_on_demand() -> None:
    known = table(a="text", b="int64")
    assert align(BATCH, known, extra="drop").schema.names == ["a", "b"]
    assert align(BATCH, known, extra="keep").schema.names == ["a", "b", "file_land_timestamp"]
    assert align(BATCH, known, extra="keep", order=False).schema.names == BATCH.schema.names
    assert align(BATCH, known, extra="drop", order=False).schema.names == ["b", "a"]


def test_missing_columns_are_refused_added_or_left_out() -> None:
    wide = table(a="text", b="int64", c="decimal(9,2)", file_land_timestamp="int64")
    with pytest.raises(ContractError, match="lacks `c`"):
        align(BATCH, wide)
    added = align(BATCH, wide, missing="add")
    assert added.schema == arrow_schema(wide)
    assert added.column("c").to_pylist() == [None]
    assert align(BATCH, wide, missing="leave").schema.names == ["a", "b", "file_land_timestamp"]
    assert align(BATCH, wide, missing="add", order=False).schema.names[-1] == "c"


def test_null_is_not_added_where_it_may_not_be() -> None:
    promised = Table("orders", (Column("id", parse_type("int64"), nullable=False),))
    with pytest.raises(ContractError, match="null is not allowed"):
        align(pa.record_batch({}), promised, missing="add")


def test_names_are_told_apart_by_case_and_a_near_one_is_suggested() -> None:
    with pytest.raises(ContractError) as caught:
        align(pa.record_batch({"postcodes": ["x"]}), table(postcode="text"))
    assert "did you mean 'postcodes'?" in str(caught.value)


def test_two_columns_of_one_name_are_refused() -> None:
    batch = pa.RecordBatch.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    with pytest.raises(ContractError, match="two columns `a`"):
        align(batch, table(a="int64"))


# --------------------------------------------------------------- traps: types that lookups stumble on


@pytest.mark.parametrize(
    ("word", "values", "expected"),
    [
        ("decimal(10,2)", ["1.50"], [Decimal("1.50")]),
        ("array<long>", [[1, None]], [[1, None]]),
        ("struct<long_name: long, of: array<character>>", [{"long_name": 1, "of": ["x"]}],
         [{"long_name": 1, "of": ["x"]}]),
        ("decimal", ["1.25"], [Decimal("1.25")]),
    ],
)  # fmt: skip
def test_parameters_of_types_are_understood(word: str, values: list[Any], expected: list[Any]) -> None:
    """Among them `decimal` alone, which elsewhere means no fraction at all."""
    raw = {"data_format": "json", "columns": [{"name": "v", "type": word}]}
    promised = read_metadata(raw, name="orders", where="m.json")
    found = align(pa.record_batch({"v": values}), promised)
    assert [[*v] if isinstance(v, list) else v for v in found.column("v").to_pylist()] == expected


@pytest.mark.parametrize("word", ["array", "struct", "map"])
def test_a_bare_container_is_refused_with_the_metadata(word: str) -> None:
    raw = {"data_format": "json", "columns": [{"name": "v", "type": word}]}
    with pytest.raises(ProjectError, match="is not a type"):
        read_metadata(raw, name="orders", where="m.json")


def test_a_column_without_a_type_keeps_its_own() -> None:
    assert align(pa.record_batch({"v": ["x"]}), table(v="null")).schema.types == [pa.string()]


# ------------------------------------------------------------------- traps: values that would be null


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "12,50"], "decimal(12,2)"),
        (["1", ""], "int64"),
        (["1", " 2"], "int64"),
        (["1", "1.0"], "int64"),
        (["1", "128"], "int8"),
        (["1", "1e400"], "float64"),
        (["1", "0.12345678901234567890123"], "float64"),
        (["1", "1.005"], "decimal(5,2)"),
        (["1", "1000"], "decimal(5,2)"),
        (["true", "yes"], "bool"),
        (["2024-02-28", "2024-02-30"], "date"),
        (["2024-02-28", "28/02/2024"], "date"),
        (["2024-02-28", "2024-02-28T10:00:00"], "date"),
        (["2024-01-01T00:00:00", "2024-01-01T00:00:00Z"], "timestamp"),
        (["2024-01-01T00:00:00Z", "2024-01-01T00:00:00"], "timestamp_tz"),
        (["10:00:00", "25:00:00"], "time"),
        (['{"a": 1}', "{a: 1}"], "json"),
        (["[1]", '["x"]'], "list<int64>"),
        (["aGk=", "hi!"], "binary"),
    ],
)
def test_texts_that_are_no_such_value_are_told_not_nulled(values: list[str], kind: str) -> None:
    error = refused(values, kind)
    assert error.where == "row 2, the first of 1 that do not fit"
    assert error.found == repr(values[1])


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (pa.array([1.0, 1.5]), "int64"),
        (pa.array([1.0, float("nan")]), "int64"),
        (pa.array([1, 2**53 + 1]), "float64"),
        (pa.array([1, 300]), "uint8"),
        (pa.array([1, -1]), "uint64"),
        (pa.array([1.0, 0.1]), "float32"),
        (pa.array([Decimal("1.00"), Decimal("1.25")]), "decimal(4,1)"),
        (pa.array([Decimal("1.00"), Decimal("1.25")]), "int32"),
        (pa.array([1, 10**6]), "decimal(5,2)"),
        (pa.array([0, 1_000_000_001], pa.timestamp("ns")), "timestamp"),
        (pa.array([0, 10**12], pa.timestamp("s")), "timestamp(ns)"),
        (pa.array([0, 1], pa.timestamp("s")), "date"),
        (pa.array([None, True]), "int64"),
        (pa.array([None, 1]), "bool"),
        (pa.array([None, 1]), "date"),
        (pa.array([None, 1]), "timestamp"),
        (pa.array([None, b"x"]), "text"),
        (pa.array([None, {"a": 1}]), "text"),
        (pa.array([None, [1]]), "int64"),
        (pa.array([None, wall("2024-01-01")]), "timestamp_tz"),
        (pa.array([None, datetime(2024, 1, 1, tzinfo=UTC)]), "timestamp"),
        (pa.array([None, datetime(2024, 1, 1, tzinfo=UTC)]), "date"),
        (pa.array([{"a": "1"}, {"a": "x"}]), "struct<a: int64>"),
        (pa.array([{"a": 1, "b": None}, {"a": 1, "b": 2}]), "struct<a: int64>"),
        (pa.array([{"a": None}, {"a": 2}]), "struct<a: int64, b: text>"),
        (pa.array([["1"], ["1", ""]]), "list<int64>"),
        (pa.array([[{"a": [1.0]}], [{"a": [1.5]}]]), "list<struct<a: list<int8>>>"),
    ],
)
def test_values_that_would_change_are_told(values: pa.Array, kind: str) -> None:
    error = refused(values, kind)
    if "b: text" not in kind:
        assert error.where == "row 2, the first of 1 that do not fit"


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (["007", "+5", "-0", None], "int64", [7, 5, 0, None]),
        (["1e3", "1.50"], "decimal(9,2)", [Decimal("1000.00"), Decimal("1.50")]),
        (["TRUE", "0"], "bool", [True, False]),
        (["2024-01-01T10:00:00+02:00"], "timestamp_tz", [datetime(2024, 1, 1, 8, tzinfo=UTC)]),
        (["2024-01-01 10:00:00"], "timestamp", [wall("2024-01-01T10:00")]),
        ([1.0, -3.0], "int8", [1, -3]),
        ([1, 2], "float64", [1.0, 2.0]),
        ([0.1], "decimal(9,3)", [Decimal("0.100")]),
        ([1, None], "text", ["1", None]),
        ([True], "text", ["true"]),
        (pa.array([date(2024, 1, 1)], pa.date64()), "date", [date(2024, 1, 1)]),
        (pa.array([0], pa.timestamp("s", tz="Europe/London")), "timestamp_tz",
         [datetime(1970, 1, 1, tzinfo=UTC)]),
        (pa.array(["1", "1", None]).dictionary_encode(), "int64", [1, 1, None]),
        (pa.array(["x"], pa.large_string()), "text", ["x"]),
        (pa.array(["5"], pa.string_view()), "int8", [5]),
        (pa.array([None, None], pa.null()), "decimal(9,2)", [None, None]),
        ([{"a": "1", "b": ["2024-01-01"]}], "struct<b: list<date>, a: int8>",
         [{"b": [date(2024, 1, 1)], "a": 1}]),
        ([["1", None], None, []], "list<int64>", [[1, None], None, []]),
        (pa.array([[1, 2], None], pa.list_(pa.int8(), 2)), "list<int64>", [[1, 2], None]),
        (pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int8())), "list<struct<key: text, value: int64>>",
         [[{"key": "k", "value": 1}]]),
        (['{"b": 1, "a": [1.0]}'], "struct<a: list<float64>, b: int8>", [{"a": [1.0], "b": 1}]),
        ([{"a": 1}], "json", ['{"a": 1}']),
        ([None, {"a": None}], "struct<a: int64>", [None, {"a": None}]),
    ],
)  # fmt: skip
def test_what_fits_is_taken(values: Any, kind: str, expected: list[Any]) -> None:
    assert one(values, kind) == expected


def test_a_dictionary_with_null_in_it() -> None:
    encoded = pa.DictionaryArray.from_arrays(pa.array([0, 1]), pa.array(["1", None]))
    assert one(encoded, "int64") == [1, None]


def test_slices_and_nulls_keep_their_rows() -> None:
    values = pa.array([["9"], ["1"], None, ["x"]]).slice(1)
    assert refused(values, "list<int64>").where == "row 3, the first of 1 that do not fit"
    structs = pa.array([{"a": "9"}, {"a": "1"}, None, {"a": "x"}]).slice(1)
    assert refused(structs, "struct<a: int64>").where == "row 3, the first of 1 that do not fit"


def test_fields_of_objects_follow_the_same_policies() -> None:
    batch = pa.record_batch({"v": [{"a": 1, "z": 2}]})
    promised = table(v="struct<a: int64, b: text>")
    assert align(batch, promised, missing="add", extra="drop").column("v").to_pylist() == [
        {"a": 1, "b": None}
    ]
    with pytest.raises(ContractError):
        align(batch, promised, missing="add")


# ------------------------------------------------------------------------------------- dates in text


@pytest.mark.parametrize(
    ("texts", "form", "kind", "expected"),
    [
        (["31/01/2024", None, "1/2/2024"], "%d/%m/%Y", "date", [date(2024, 1, 31), None, date(2024, 2, 1)]),
        (["Jan 31 2024 05:06 PM"], "%b %d %Y %I:%M %p", "timestamp", [wall("2024-01-31T17:06")]),
        (["20240131100000+0200"], "%Y%m%d%H%M%S%z", "timestamp_tz", [datetime(2024, 1, 31, 8, tzinfo=UTC)]),
        (["0906"], "%H%M", "time", [time(9, 6)]),
    ],
)
def test_dates_have_the_form_that_metadata_says(texts: Any, form: str, kind: str, expected: Any) -> None:
    assert one(texts, kind, extra={"datetime_format": form}) == expected


@pytest.mark.parametrize(
    ("text", "form", "kind"),
    [
        ("31/02/2024", "%d/%m/%Y", "date"),  # elsewhere the 2nd of March
        ("2024-01-31", "%d/%m/%Y", "date"),  # not even ISO, if metadata says otherwise
        ("31/01/24", "%d/%m/%Y", "date"),  # elsewhere the year 24
        ("31/01/2024 x", "%d/%m/%Y", "date"),
        ("31/01/2024 10:00", "%d/%m/%Y %H:%M", "date"),  # the time would be lost
        ("10:00 +0100", "%H:%M %z", "timestamp"),  # the zone would be lost
        ("10:00", "%H:%M", "timestamp_tz"),  # the zone is not known
        ("٣1/01/2024", "%d/%m/%Y", "date"),
        ("31/01/9999", "%d/%m/%Y", "timestamp(ns)"),
    ],
)
def test_dates_in_another_form_are_told(text: str, form: str, kind: str) -> None:
    error = refused([text], kind, extra={"datetime_format": form})
    assert form in str(error.hint)


# ------------------------------------------------------------------------------------- what is told


def test_the_whole_message() -> None:
    promised = table(id="int64", amount="decimal(12,2)")
    batch = pa.record_batch({"id": ["1", "x", "3"], "amount": ["1", "12,50", "a"]})
    with pytest.raises(ContractError) as caught:
        align(batch, promised)
    assert str(caught.value) == (
        "`orders.id` is string, the metadata says int64; columns that do not fit: 2\n"
        "  where: row 2, the first of 1 that do not fit\n"
        "  found: 'x'; `amount` (row 2: '12,50')"
    )


def test_sensitive_values_are_not_shown() -> None:
    error = refused(["1", "my secret"], "int64", sensitive=True)
    assert "my secret" not in str(error)
    assert error.found == "***"


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1], pa.duration("s")),
        pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1]), pa.array(["a"])]),
    ],
)
@pytest.mark.parametrize("kind", ["text", "json", "int64", "list<int64>"])
def test_types_that_are_not_carried_are_told(values: pa.Array, kind: str) -> None:
    assert "cannot be carried" in str(refused(values, kind))


def test_a_day_with_a_time_in_it_is_told() -> None:
    """date64 may hold what is no whole day."""
    assert refused(pa.array([0, 1], pa.date64()), "text").where == "row 2, the first of 1 that do not fit"


def test_runs_are_spelt_out() -> None:
    assert one(pc.run_end_encode(pa.array(["1", "1", None])), "int64") == [1, 1, None]


def test_a_zone_is_not_guessed() -> None:
    assert "declare `timestamp`" in str(refused(pa.array([wall("2024-01-01")]), "timestamp_tz").hint)


def test_rows_are_counted_over_all_chunks() -> None:
    chunks = pa.table({"v": pa.chunked_array([["1"] * 5, ["2"] * 5, ["3", "x"]])})
    with pytest.raises(ContractError) as caught:
        align(chunks, table(v="int64"))
    assert caught.value.where == "row 12, the first of 1 that do not fit"
    good = align(chunks.slice(0, 10), table(v="int64"))
    assert isinstance(good, pa.Table)
    assert good.column("v").to_pylist() == [1] * 5 + [2] * 5


def test_a_stream_is_aligned_batch_by_batch() -> None:
    batches = [pa.record_batch({"v": ["1", "2"]}), pa.record_batch({"v": ["3", "x"]})]
    stream = align_batches(iter(batches), batches[0].schema, table(v="int64"))
    assert next(stream).column("v").to_pylist() == [1, 2]
    with pytest.raises(ContractError) as caught:
        next(stream)
    assert caught.value.where == "row 4, the first of 1 that do not fit"


def test_nothing_has_the_right_types() -> None:
    promised = table(v="int64", w="date")
    empty = pa.table({"v": pa.array([], pa.string())})
    assert align(empty, promised, missing="add").schema == arrow_schema(promised)


@given(st.lists(st.none() | st.decimals(-999, 999, places=2, allow_nan=False)))
def test_decimals_in_text_come_out_as_they_went_in(values: list[Decimal | None]) -> None:
    texts = pa.array([None if v is None else str(v) for v in values], pa.string())
    assert one(texts, "decimal(5,2)") == values
