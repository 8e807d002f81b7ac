"""Parquet rows keep their values: a type that differs from the table's is decided by the contract."""

from __future__ import annotations

import datetime as dt
import io
import json
import uuid
from decimal import Decimal as Exact

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from penstock.errors import ContractError, RefusedError
from penstock.records.chunk import UNKNOWN_COLUMN, WRONG_TYPE, Growth
from penstock.records.parquet import ParquetFormat, count_rows, kind_of
from penstock.schema import types as t
from penstock.schema.contract import Contract, Mode
from penstock.schema.table import Column, Table, evolve
from penstock.schema.types import parse_type


def parquet(columns, **options):
    sink = io.BytesIO()
    pq.write_table(columns if isinstance(columns, pa.Table) else pa.table(columns), sink, **options)
    return sink.getvalue()


def columns(*named, declared=True):
    return Table("t", tuple(Column(name, parse_type(kind), declared=declared) for name, kind in named))


class Read:
    """Whole files read one after another into one table."""

    def __init__(self, *files, table=None, contract=None, batch_rows=64 << 10):
        parquet_format = ParquetFormat(batch_rows)
        self.table, self.rows, self.bad, self.discarded, self.chunks = table or Table("t"), [], [], {}, []
        for data in files:
            for chunk in parquet_format.split(io.BytesIO(data) if isinstance(data, bytes) else data):
                self.chunks.append(chunk)
                parsed = parquet_format.parse(chunk, self.table, contract or Contract())
                while isinstance(parsed, Growth):
                    self.table, _ = evolve(self.table, parsed.seen)
                    parsed = parquet_format.parse(chunk, self.table, contract or Contract())
                assert parsed.records == chunk.data.num_rows == parsed.batch.num_rows + len(parsed.bad)
                self.rows += parsed.batch.to_pylist()
                self.bad += [
                    (chunk.first_row + b.offset, b.broken.column, b.broken.value, b.mode) for b in parsed.bad
                ]
                self.discarded |= dict(parsed.discarded)
                self.parsed = parsed

    @property
    def types(self):
        return {c.name: str(c.type) for c in self.table.columns}


class OneWay(io.RawIOBase):
    """A stream that can only be read forward."""

    def __init__(self, data):
        self.data = io.BytesIO(data)

    def readable(self):
        return True

    def seekable(self):
        return False

    def read(self, size=-1):
        return self.data.read(min(size, 100))


def test_equal_types_pass_without_a_copy():
    read = Read(parquet({"a": [1, 2], "b": ["x", "y"]}))
    source, result = read.chunks[0].data, read.parsed.batch
    assert result.equals(source)
    assert [b.address for c in result.columns for b in c.buffers() if b] == [
        b.address for c in source.columns for b in c.buffers() if b
    ]


def test_row_groups_and_batches_number_their_rows_on():
    data = parquet({"a": list(range(1000))}, row_group_size=300)
    read = Read(data, batch_rows=128)
    assert [c.first_row for c in read.chunks] == [1, 129, 257, 301, 429, 557, 601, 729, 857, 901]
    assert [r["a"] for r in read.rows] == list(range(1000))
    assert 0 < sum(c.size_bytes for c in read.chunks) <= len(data)


def test_long_rows_come_in_small_batches():
    data = parquet(
        {"a": [str(i) * 200_000 for i in range(100, 160)]}, use_dictionary=False, compression="none"
    )
    read = Read(data)
    assert max(c.data.nbytes for c in read.chunks) < 16 << 20
    assert len(read.rows) == 60


def test_a_stream_that_only_goes_forward_is_read_too():
    data = parquet({"a": list(range(1000))})
    assert len(Read(OneWay(data)).rows) == 1000
    assert count_rows(OneWay(data)) == count_rows(io.BytesIO(data)) == 1000


def test_a_stream_is_left_open_for_its_owner():
    stream = io.BytesIO(parquet({"a": [1]}))
    assert count_rows(stream) == 1
    assert not stream.closed


NAMES = ["a b", 'a"b', "a.b", "select", "ID", "a;drop table x--", "ä", "'", "x\ny", " "]


@pytest.mark.parametrize("name", NAMES)
def test_column_names_with_anything_in_them(name):
    assert Read(parquet({"id": [1], name: ["v"]})).rows == [{"id": 1, name: "v"}]


# ------------------------------------------------------------------------------------------ types


@pytest.mark.parametrize(
    ("column", "kind", "values"),
    [
        (pa.array([1, None], pa.int8()), "int8", [1, None]),
        (pa.array([2**64 - 1], pa.uint64()), "uint64", [2**64 - 1]),
        (pa.array([1.5], pa.float16()), "float32", [1.5]),
        (pa.array(["x", None], pa.large_string()), "text", ["x", None]),
        (pa.array(["x", None], pa.string_view()), "text", ["x", None]),
        (pa.array(["x", None, "x"]).dictionary_encode(), "text", ["x", None, "x"]),
        (pa.array([b"ab"], pa.binary(2)), "binary", [b"ab"]),
        (pa.array([b"ab"], pa.large_binary()), "binary", [b"ab"]),
        (pa.array([Exact("1.50")], pa.decimal128(12, 2)), "decimal(12,2)", [Exact("1.50")]),
        (pa.array([Exact("1E40")], pa.decimal256(60, 2)), "text", ["1" + "0" * 40 + ".00"]),
        (pa.array([dt.date(2024, 1, 5)], pa.date64()), "date", [dt.date(2024, 1, 5)]),
        (pa.array([3661], pa.time32("s")), "time", [dt.time(1, 1, 1)]),
        (pa.array([3661_000_001_000], pa.time64("ns")), "time", [dt.time(1, 1, 1, 1)]),
        (pa.array([1500], pa.timestamp("ms")), "timestamp",
         [dt.datetime(1970, 1, 1, 0, 0, 1, 500_000)]),  # noqa: DTZ001
        (pa.array([0], pa.timestamp("us", "Europe/Paris")), "timestamp_tz",
         [dt.datetime(1970, 1, 1, tzinfo=dt.UTC)]),
        (pa.array([[1], None, []]), "list<int64>", [[1], None, []]),
        (pa.array([[1, 2]], pa.list_(pa.int8(), 2)), "list<int8>", [[1, 2]]),
        (pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
         "list<struct<key: text, value: int64>>", [[{"key": "k", "value": 1}], None]),
        (pa.array([{"a": {"b": [1]}}]), "struct<a: struct<b: list<int64>>>", [{"a": {"b": [1]}}]),
        (pa.array([uuid.UUID(int=5).bytes, None], pa.uuid()), "uuid", [str(uuid.UUID(int=5)), None]),
        (pa.array(['{"a": 1}'], pa.json_()), "json", ['{"a": 1}']),
        (pa.array([None, None], pa.int32()), "int32", [None, None]),
    ],
    ids=lambda v: str(getattr(v, "type", ""))[:40],
)  # fmt: skip
def test_every_type_is_carried(column, kind, values):
    read = Read(parquet({"v": column}))
    assert read.types == {"v": kind}
    assert [r["v"] for r in read.rows] == values
    assert read.bad == []


def test_nanoseconds_are_kept():
    column = pa.array([1, None], pa.timestamp("ns"))
    read = Read(parquet({"v": column.slice(1), "n": pa.array([7])}))
    assert read.types["v"] == "timestamp(ns)"
    parsed = ParquetFormat().parse(
        next(ParquetFormat().split(io.BytesIO(parquet({"v": column})))), read.table, Contract()
    )
    assert parsed.batch.column("v").equals(column)


def test_what_no_type_holds_becomes_text():
    read = Read(parquet({"v": pa.array([1_000, 1], pa.time64("ns"))}))
    assert read.types == {"v": "text"}
    assert [r["v"] for r in read.rows] == ["00:00:00.000001000", "00:00:00.000000001"]


def test_extension_types_inside_others_are_told():
    assert str(kind_of(pa.list_(pa.uuid()))) == "list<uuid>"
    assert str(kind_of(pa.struct([("a", pa.json_())]))) == "struct<a: json>"
    assert str(kind_of(pa.dictionary(pa.int8(), pa.string()))) == "text"


def test_types_that_cannot_be_carried_are_refused_by_name():
    with pytest.raises(RefusedError, match=r"`took`(.|\n)*duration"):
        Read(parquet({"took": pa.array([1], pa.duration("s"))}))


def test_twin_names_are_refused():
    data = parquet(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"]))
    with pytest.raises(RefusedError, match=r"twice(.|\n)*`a`"):
        Read(data)


# ------------------------------------------------------------------------------------- neighbours


def test_a_neighbour_with_fewer_and_other_columns():
    read = Read(parquet({"a": [1], "b": ["x"]}), parquet({"c": [1.5], "a": [2]}))
    assert read.types == {"a": "int64", "b": "text", "c": "float64"}
    assert read.rows == [{"a": 1, "b": "x"}, {"a": 2, "b": None, "c": 1.5}]


@pytest.mark.parametrize(
    ("first", "second", "kind", "last"),
    [
        (pa.array([1], pa.int32()), pa.array([2**40]), "int64", 2**40),
        (pa.array([2**40]), pa.array([1], pa.int32()), "int64", 1),
        (pa.array([1]), pa.array([1.5]), "float64", 1.5),
        (pa.array([1.5]), pa.array([2]), "float64", 2.0),
        (pa.array([1.5]), pa.array([2**53 + 1]), "text", str(2**53 + 1)),
        (pa.array([1]), pa.array(["x"]), "text", "x"),
        (pa.array(["x"]), pa.array([1]), "text", "1"),
        (pa.array([True]), pa.array([1]), "text", "1"),
        (pa.array([1]), pa.array([[1]]), "json", "[1]"),
        (pa.array(["x"]), pa.array([{"a": 'q"'}]), "json", '{"a": "q\\""}'),
        (pa.array([[1]]), pa.array(["x"]), "json", '"x"'),
        (pa.array([{"a": 1}]), pa.array([{"b": "x"}]), "struct<a: int64, b: text>", {"a": None, "b": "x"}),
        (pa.array([1]), pa.array([None], pa.float64()), "int64", None),
        (pa.array([None], pa.null()), pa.array([1]), "int64", 1),
        (pa.array([0], pa.timestamp("us")), pa.array([0], pa.timestamp("us", "UTC")), "text",
         "1970-01-01T00:00:00Z"),
        (pa.array([Exact("1.5")]), pa.array([1]), "decimal(21,1)", Exact("1.0")),
    ],
    ids=str,
)  # fmt: skip
def test_a_neighbour_of_another_type_makes_the_column_wider(first, second, kind, last):
    read = Read(parquet({"v": first}), parquet({"v": second}))
    assert read.types == {"v": kind}
    assert read.rows[-1] == {"v": last}
    assert read.bad == []


# --------------------------------------------------------------------------------------- contract


def test_values_that_fit_a_narrower_declared_type_are_taken():
    table = columns(("i", "int32"), ("d", "decimal(12,2)"), ("t", "timestamp"), ("x", "date"))
    data = parquet({
        "i": pa.array([5.0, None]), "d": pa.array([7, 8]), "t": pa.array([1000, 2000], pa.timestamp("ns")),
        "x": pa.array([0, 86_400_000], pa.timestamp("ms")),
    })  # fmt: skip
    read = Read(data, table=table)
    assert read.bad == []
    assert read.rows[0]["i"] == 5
    assert read.rows[1] | {"t": None} == {"i": None, "d": Exact("8.00"), "t": None, "x": dt.date(1970, 1, 2)}
    assert read.table == table


def test_values_that_do_not_fit_are_set_aside_with_their_value():
    table = columns(("i", "int32"), ("n", "text"))
    read = Read(parquet({"i": [1, 2**40, 3], "n": ["a", "b", "c"]}), table=table)
    assert [r["i"] for r in read.rows] == [1, 3]
    assert read.bad == [(2, "i", str(2**40), Mode.QUARANTINE)]


def test_text_is_not_parsed_for_a_declared_integer():
    read = Read(parquet({"i": ["5", None]}), table=columns(("i", "int64")))
    assert read.rows == [{"i": None}]
    assert read.bad == [(1, "i", "5", Mode.QUARANTINE)]


def test_declared_json_and_uuid_are_checked():
    table = columns(("j", "json"), ("u", "uuid"))
    ids = [str(uuid.UUID(int=1)), "6F9619FF8B86D011B42D00CF4FC964FF", "nope"]
    read = Read(parquet({"j": ['{"a": 1}', "{", "[]"], "u": ids}), table=table)
    assert read.rows == [{"j": '{"a": 1}', "u": ids[0]}]
    assert [(row, column, value) for row, column, value, _ in read.bad] == [(2, "j", "{"), (3, "u", "nope")]


def test_a_frozen_type_is_an_error_with_row_and_value():
    table = columns(("i", "int32"))
    with pytest.raises(ContractError, match=r"`t.i`(.|\n)*row 2(.|\n)*1099511627776"):
        Read(parquet({"i": [1, 2**40]}), table=table, contract=Contract(data_type=Mode.FREEZE))
    assert Read(parquet({"i": [1, 2]}), table=table, contract=Contract(data_type=Mode.FREEZE)).rows[1] == {
        "i": 2
    }


def test_values_are_discarded_where_the_contract_says_so():
    read = Read(
        parquet({"i": ["x", None, "y"], "new": [1, None, None]}),
        table=columns(("i", "int64")),
        contract=Contract(columns=Mode.DISCARD_VALUE, data_type=Mode.DISCARD_VALUE),
    )
    assert read.rows == [{"i": None}] * 3
    assert read.discarded == {"i": 2, "new": 1}


def test_rows_with_a_new_column_are_refused_where_the_contract_says_so():
    contract = Contract(columns=Mode.DISCARD_ROW)
    read = Read(parquet({"i": [1, 2], "new": [None, "x"]}), table=columns(("i", "int64")), contract=contract)
    assert read.rows == [{"i": 1}]
    assert read.bad == [(2, "new", "x", Mode.DISCARD_ROW)]
    assert {b.broken.rule for b in read.parsed.bad} == {UNKNOWN_COLUMN} != {WRONG_TYPE}


def test_sensitive_values_are_not_told():
    table = Table("t", (Column("i", t.INT64, declared=True, sensitive=True),))
    assert Read(parquet({"i": ["secret"]}), table=table).bad == [(1, "i", "***", Mode.QUARANTINE)]


def test_raw_rows_are_json():
    rows = [{"i": 1, 'q"': "x\n", "l": [1.5, None]}, {"i": None, 'q"': None, "l": None}]
    (chunk,) = ParquetFormat().split(io.BytesIO(parquet(pa.Table.from_pylist(rows))))
    assert [json.loads(line) for line in ParquetFormat().raw(chunk, [1, 0])] == [rows[1], rows[0]]
    assert ParquetFormat().raw(chunk, []) == []


# ----------------------------------------------------------------------------------------- damage


WHOLE = parquet({"a": list(range(5000)), "b": [str(i) for i in range(5000)]}, row_group_size=1000)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PAR1",
        WHOLE[:-1],
        WHOLE[:-10],
        WHOLE[: len(WHOLE) // 2],
        b"id,name\n1,x\n" * 10,
        b"PAR1" * 10,
        WHOLE[4:],
    ],
    ids=["empty", "magic", "cut by 1", "cut by 10", "half", "csv", "only magic", "no head"],
)
def test_damaged_files_are_refused(data):
    with pytest.raises(RefusedError, match="parquet file"):
        Read(data)


def test_damage_inside_is_told_by_row():
    start = pq.ParquetFile(io.BytesIO(WHOLE)).metadata.row_group(3).column(0).dictionary_page_offset
    broken = WHOLE[:start] + b"\xff" * 40 + WHOLE[start + 40 :]
    with pytest.raises(RefusedError, match="damaged after row 3,000"):
        Read(broken)


def test_trouble_of_the_disk_is_not_blamed_on_the_file():
    class Failing(io.BytesIO):
        def read(self, size=-1):
            raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        Read(Failing(WHOLE))


def test_a_file_without_rows():
    assert Read(parquet({"a": pa.array([], pa.int64())})).rows == []
