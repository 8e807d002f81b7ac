"""Every CSV record becomes a row or a bad record with its text: no input is silently changed or lost."""

from __future__ import annotations

import csv
import datetime as dt
import io
from decimal import Decimal as Exact

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import ContractError, RefusedError
from penstock.records.chunk import UNKNOWN_COLUMN, UNPARSABLE, WRONG_TYPE, Growth
from penstock.records.csv import CsvDialect, CsvFormat
from penstock.records.csv_cut import GARBAGE, UNCLOSED, Cutter, Marks
from penstock.schema import types as t
from penstock.schema.contract import Contract, Mode
from penstock.schema.table import Column, Table, evolve
from penstock.schema.types import parse_type

steady = settings(deadline=None, derandomize=True, max_examples=60)


class Read:
    """A whole file read: the table it grew to, its rows, and its bad records by row number."""

    def __init__(self, data, dialect=None, table=None, contract=None, **sizes):
        csv_format = CsvFormat(dialect, **sizes)
        self.table, self.rows, self.bad, self.raw = table or Table("t"), [], [], {}
        self.numbers, self.discarded, self.batches = [], {}, []
        for chunk in csv_format.split(io.BytesIO(data)):
            parsed = csv_format.parse(chunk, self.table, contract or Contract())
            while isinstance(parsed, Growth):
                self.table, _ = evolve(self.table, parsed.seen)
                parsed = csv_format.parse(chunk, self.table, contract or Contract())
            offsets = range(parsed.batch.num_rows) if parsed.offsets is None else parsed.offsets
            assert len(offsets) == parsed.batch.num_rows
            assert parsed.records == parsed.batch.num_rows + len({b.offset for b in parsed.bad})
            self.numbers += [chunk.first_row + offset for offset in offsets]
            self.batches.append(parsed.batch)
            self.rows += _plain(parsed.batch).to_pylist()
            self.bad += [
                (chunk.first_row + b.offset, b.broken.rule, b.broken.column, b.mode) for b in parsed.bad
            ]
            self.values = [b.broken.value for b in parsed.bad]
            every = list(range(parsed.records))
            lines = csv_format.raw(chunk, every)
            self.raw |= {chunk.first_row + offset: line for offset, line in zip(every, lines, strict=True)}
            for name, count in parsed.discarded.items():
                self.discarded[name] = self.discarded.get(name, 0) + count

    @property
    def types(self):
        return {c.name: str(c.type) for c in self.table.columns}

    @property
    def faults(self):
        return [(row, self.raw[row]) for row, *_ in self.bad]


def _plain(batch):
    """The batch with nanoseconds as text, because Python's datetime has none."""
    nanoseconds = {f.name for f in batch.schema if str(f.type).startswith("timestamp[ns")}
    texts = [
        c.cast("string") if n in nanoseconds else c
        for n, c in zip(batch.schema.names, batch.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(texts, names=batch.schema.names)


def columns(*named):
    return Table("t", tuple(Column(name, parse_type(kind), declared=True) for name, kind in named))


# ------------------------------------------------------------------------------------- inference


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "2"], "int64"), (["1", "1.5"], "float64"), (["true", "FALSE"], "bool"),
        (["1", "true"], "text"),
        (["01234", "5"], "text"), (["+5"], "text"), (["-0", "1"], "float64"), (["1e5"], "float64"),
        (["9223372036854775807"], "int64"), (["9223372036854775808"], "decimal(38,0)"),
        (["1", "9223372036854775808"], "decimal(38,0)"), (["1" * 39], "text"),
        (["12345678901234567.89"], "text"), (["0.1", "9007199254740993"], "text"),
        (["1.5", "9223372036854775808"], "text"), (["NaN", "1.5"], "text"), (["1.5", "007"], "text"),
        (["2024-01-05"], "date"), (["2024-01-05", "2024-01-05T10:00"], "timestamp"), (["2024-13-05"], "text"),
        (["2023-02-29"], "text"), (["2024-01-05T10:00:00Z", "2024-01-05 10:00:00+02:00"], "timestamp_tz"),
        (["2024-01-05T10:00:00Z", "2024-01-05T10:00:00"], "text"), (["2024-01-05", "7"], "text"),
        (["2024-01-05T10:00:00.123456789"], "timestamp(ns)"),
        (["2024-01-05T10:00:00.123456000"], "timestamp"),
        (["1600-01-01T00:00:00.123456789"], "text"), (["12:30:00"], "text"), (["0x1F"], "text"),
        ([" 1"], "text"),
        (["", ""], "null"), (["", "1"], "int64"), (["1", "x"], "text"), (["1 000"], "text"),
        (["1,5"], "text"),
    ],
    ids=str,
)  # fmt: skip
def test_types_are_inferred_from_every_cell_and_lose_nothing(cells, kind):
    sink = io.StringIO()
    csv.writer(sink).writerows([["v", "n"], *([cell, "x"] for cell in cells)])
    read = Read(sink.getvalue().encode())
    assert read.types == {"v": kind, "n": "text"}
    assert len(read.rows) == len(cells)


def test_a_column_that_turns_to_text_late_is_noticed():
    data = b"id,v\n" + b"".join(b"%d,%d\n" % (i, i) for i in range(20_000)) + b"20000,late\n"
    read = Read(data, chunk_bytes=16_000)
    assert read.types == {"id": "int64", "v": "text"}
    assert len(read.rows) == 20_001
    assert read.rows[-1] == {"id": 20000, "v": "late"}


@pytest.mark.parametrize(
    ("late", "kind"),
    [
        ("1.5", "float64"),
        ("01", "text"),
        ("9223372036854775808", "decimal(38,0)"),
        ("x", "text"),
        ("true", "text"),
    ],
)
def test_a_guessed_integer_column_grows_by_what_comes_later(late, kind):
    read = Read(b"v\n" + b"1\n" * 70_000 + late.encode() + b"\n", chunk_bytes=10_000)
    assert read.types == {"v": kind}
    assert read.bad == []


def test_an_integer_that_a_float_would_round_makes_the_column_text():
    read = Read(b"v\n1.5\n" + b"2.5\n" * 40_000 + b"9007199254740993\n", chunk_bytes=10_000)
    assert read.types == {"v": "text"}
    assert read.rows[-1] == {"v": "9007199254740993"}


def test_nulls_for_long_and_then_a_value():
    read = Read(b"a,b\n" + b"1,\n" * 50_000 + b"1,2024-01-05\n", chunk_bytes=10_000)
    assert read.types == {"a": "int64", "b": "date"}
    assert read.rows[-1]["b"] == dt.date(2024, 1, 5)


# ----------------------------------------------------------------------------------------- bytes


def test_newlines_delimiters_and_quotes_in_quotes():
    read = Read(b'a,b\n1,"x\n\ny,""z"""\n2,"\r\n"\n')
    assert [r["b"] for r in read.rows] == ['x\n\ny,"z"', "\r\n"]


@pytest.mark.parametrize("chunk_bytes", [50, 1000, 1 << 20])
def test_embedded_newlines_never_split_a_record(chunk_bytes):
    body = b"".join(b'%d,"line\n%d,\n""q""\n"\n' % (i, i) for i in range(5000))
    read = Read(b"id,v\n" + body, chunk_bytes=chunk_bytes)
    assert [r["id"] for r in read.rows] == list(range(5000))
    assert read.rows[4711]["v"] == 'line\n4711,\n"q"\n'


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False])
def test_any_line_end_and_a_last_line_without_one(end, last):
    data = end.join(["a,b", "1,x", "2,y"]) + (end if last else "")
    assert Read(data.encode()).rows == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]


def test_a_byte_order_mark_is_no_part_of_the_first_name():
    assert Read(b"\xef\xbb\xbfa,b\n1,2\n").types == {"a": "int64", "b": "int64"}
    assert Read(b'\xef\xbb\xbf"a",b\n1,2\n').types == {"a": "int64", "b": "int64"}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "cp1252", "latin-1", "utf-8-sig", "UTF8"])
def test_other_encodings(encoding):
    text = "naïve,b\nä,1\n" * 1 + "ö,2\n" * 5000
    read = Read(text.encode(encoding), CsvDialect(encoding=encoding), chunk_bytes=999)
    assert read.types == {"naïve": "text", "b": "int64"}
    assert read.rows[-1] == {"naïve": "ö", "b": 2}


def test_the_wrong_encoding_is_refused_with_a_hint():
    with pytest.raises(RefusedError, match=r"not UTF-8(.|\n)*encoding: utf-16"):
        Read("a,b\n1,2\n".encode("utf-16"))
    with pytest.raises(RefusedError, match="not ascii"):
        Read(b"a,b\n1,\xff\n", CsvDialect(encoding="ascii"))
    with pytest.raises(RefusedError, match="no known text encoding"):
        Read(b"a,b\n1,2\n", CsvDialect(encoding="utf-99"))


def test_bytes_that_are_not_utf8_make_their_record_bad_and_are_kept():
    data = b'a,b\n1,ok\n2,\xff\xfe"\n3,"x\n\xe4"\n4,\xed\xa0\x80\n5,\xc3\xa9 \xef\xb7\x90\n6\xff\n7,end\n'
    read = Read(data)
    assert [r["a"] for r in read.rows] == [1, 5, 7]
    assert read.rows[1]["b"] == "é \ufdd0"
    assert read.numbers == [1, 5, 7]
    assert read.faults == [(2, b'2,"\xff\xfe"""'), (3, b'3,"x\n\xe4"'), (4, b"4,\xed\xa0\x80"), (6, b"6\xff")]
    assert {rule for _, rule, *_ in read.bad} == {UNPARSABLE}


def test_nul_characters_are_kept():
    assert Read(b"a,b\n1,x\x00y\n").rows == [{"a": 1, "b": "x\x00y"}]


def test_a_cell_of_10_mb():
    big = "ä\n" * 3_500_000
    read = Read(f'a,b\n1,"{big}"\n2,x\n'.encode())
    assert read.rows == [{"a": 1, "b": big}, {"a": 2, "b": "x"}]


def test_a_line_of_10_mb_without_quotes():
    assert [len(r["b"]) for r in Read(b"a,b\n1," + b"x" * 10_000_000 + b"\n2,y\n").rows] == [10_000_000, 1]


def test_a_line_without_end_is_refused_before_memory_is_gone():
    with pytest.raises(RefusedError, match="too long"):
        Read(b"a,b\n1," + b"x" * 1_000_000, chunk_bytes=1000, record_bytes=100_000)


# -------------------------------------------------------------------------------- broken records


def test_ragged_records_are_bad_with_their_number_and_text():
    read = Read(b'a,b,c\n1,2,3\n\n4,5\n6,"7\n7",8,9\n\n10,11,12\nx\n13,14,15\n')
    assert [r["a"] for r in read.rows] == [1, 10, 13]
    assert read.numbers == [1, 4, 6]
    assert read.faults == [(2, b"4,5"), (3, b'6,"7\n7",8,9'), (5, b"x")]
    assert read.values == [
        "2 cells where 3 are expected", "4 cells where 3 are expected", "1 cells where 3 are expected",
    ]  # fmt: skip


def test_a_quote_that_never_closes_costs_one_line():
    read = Read(b'a,b\n1,x\n2,"y\n3,z\n4,w\n')
    assert [r["a"] for r in read.rows] == [1, 3, 4]
    assert (read.faults, read.values) == ([(2, b'2,"y')], [UNCLOSED])


def test_a_quote_that_closes_too_early_costs_one_line():
    read = Read(b'a,b\n1,"x"y\n2,"z\n3,"ok"\n4,"fine"\n')
    assert [r["b"] for r in read.rows] == ["ok", "fine"]
    assert read.faults == [(1, b'1,"x"y'), (2, b'2,"z')]
    assert read.values == [GARBAGE, GARBAGE]


def test_a_quote_inside_an_unquoted_cell_is_a_character():
    read = Read(b'a,b\n1,5" pipe\n2,6"\n3,x"y"z\n', chunk_bytes=1)
    assert [r["b"] for r in read.rows] == ['5" pipe', '6"', 'x"y"z']


def test_lines_that_look_like_our_stand_ins_are_told_apart():
    read = Read('a,b\n\ufdd0,,\n1,"x"y\n\ufdd0,,\n\ufdd0,5\n'.encode())
    assert read.faults == [(1, "\ufdd0,,".encode()), (2, b'1,"x"y'), (3, "\ufdd0,,".encode())]
    assert [r["a"] for r in read.rows] == ["\ufdd0"]


def test_many_broken_lines_are_found_quickly():
    body = b"".join(b'%d,"x"y\n' % i if i % 3 == 0 else b"%d,z\n" % i for i in range(30_000))
    read = Read(b"a,b\n" + body)
    assert (len(read.rows), len(read.bad)) == (20_000, 10_000)
    assert read.raw[29_998] == b'29997,"x"y'


# ------------------------------------------------------------------------------- header, dialect


@pytest.mark.parametrize(
    "name", ["a b", 'a"b', "a.b", "select", "ID", "a;drop table x--", "ä", "'", "a,b", "x\ny", " "]
)
def test_column_names_with_anything_in_them(name):
    sink = io.StringIO()
    csv.writer(sink).writerows([["id", name], [1, "v"]])
    assert Read(sink.getvalue().encode()).rows == [{"id": 1, name: "v"}]


def test_names_that_differ_in_case_are_two_columns():
    assert Read(b"id,ID\n1,2\n").rows == [{"id": 1, "ID": 2}]


def test_an_empty_name_gets_its_position():
    assert Read(b"a,,c,\n1,2,3,4\n").rows == [{"a": 1, "column_2": 2, "c": 3, "column_4": 4}]


def test_a_name_that_comes_twice_is_refused():
    with pytest.raises(RefusedError, match=r"twice(.|\n)*`a`(.|\n)*column_names"):
        Read(b"a,b,a\n1,2,3\n")
    with pytest.raises(RefusedError, match="twice"):
        Read(b"column_2,\n1,2\n")


def test_no_header():
    assert Read(b"1,x\n2,y\n", CsvDialect(header=False)).rows[0] == {"column_1": 1, "column_2": "x"}
    named = CsvDialect(header=False, column_names=("id", "v"))
    assert Read(b"1,x\n", named).rows == [{"id": 1, "v": "x"}]
    assert Read(b"ID,V\n1,x\n", CsvDialect(column_names=("id", "v"))).rows == [{"id": 1, "v": "x"}]
    with pytest.raises(RefusedError, match="different numbers of columns"):
        Read(b"1,x,y\n", named)


def test_lines_before_the_header_are_skipped():
    data = b'Report "of, today\n\n\na,b\n1,2\n'
    assert Read(data, CsvDialect(skip_rows=2)).rows == [{"a": 1, "b": 2}]


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf", b"\n\n", b"a,b\n", b"a,b", b"a,b\r\n\r\n"])
def test_files_without_records(data):
    assert Read(data).rows == []


@pytest.mark.parametrize("data", [b'"a,b\n1,2\n', b'a,"b"x\n1,2\n', b'"a,b\n' + b"1,2\n" * 100_000])
def test_a_header_that_cannot_be_read_is_refused(data):
    with pytest.raises(RefusedError, match="header"):
        Read(data)


def test_a_header_that_is_not_utf8_is_refused():
    with pytest.raises(RefusedError, match=r"not UTF-8(.|\n)*encoding"):
        Read("naïve,b\n1,2\n".encode("latin-1"))


@pytest.mark.parametrize(
    ("dialect", "data"),
    [
        (CsvDialect(delimiter=";"), b'a;b\n1;"x;""y"\n'),
        (CsvDialect(delimiter="\t"), b'a\tb\n1\t"x;""y"\n'),
        (CsvDialect(quote="'"), b"a,b\n1,'x;\"y'\n"),
        (CsvDialect(escape="\\"), b'a,b\n1,"x;\\"y"\n'),
        (CsvDialect(escape="\\"), b'a,b\n1,x;\\"y\n'),
        (CsvDialect(quote=""), b'a,b\n1,x;"y\n'),
    ],
    ids=str,
)
def test_dialects(dialect, data):
    assert Read(data, dialect, chunk_bytes=1).rows == [{"a": 1, "b": 'x;"y'}]


def test_an_escaped_line_end_is_part_of_its_cell():
    read = Read(b"a,b\n1,x\\\ny\n2,\\\\\n3,z\n", CsvDialect(escape="\\"), chunk_bytes=1)
    assert [r["b"] for r in read.rows] == ["x\ny", "\\", "z"]


@pytest.mark.parametrize(
    "dialect", [{"delimiter": "||"}, {"delimiter": ""}, {"quote": ","}, {"quote": "«"}, {"escape": "\n"}]
)
def test_dialects_that_cannot_be_are_refused(dialect):
    with pytest.raises(RefusedError, match=r"(ASCII|differ)"):
        CsvFormat(CsvDialect(**dialect))


def test_nulls_and_empty_texts():
    read = Read(b'i,s\n,\n"",""\nNA,NA\n"NA","NA"\n5,x\n', CsvDialect(null_values=("", "NA")))
    assert [r["i"] for r in read.rows] == [None, None, None, None, 5] or read.types["i"] == "text"
    declared = Read(
        b'i,s\n,\n"",""\nNA,NA\n"NA","NA"\n5,x\n',
        CsvDialect(null_values=("", "NA")),
        columns(("i", "int64"), ("s", "text")),
    )
    assert declared.rows == [
        {"i": None, "s": None}, {"i": None, "s": ""}, {"i": None, "s": None}, {"i": None, "s": "NA"},
        {"i": 5, "s": "x"},
    ]  # fmt: skip
    assert declared.bad == []


def test_everything_quoted_still_has_types():
    read = Read(b'"i","d"\n"1","2024-01-05"\n"",""\n"3","2024-01-06"\n')
    assert read.types == {"i": "int64", "d": "date"}
    assert read.rows[1] == {"i": None, "d": None}


# -------------------------------------------------------------------------------------- contract


def test_declared_types_are_read_exactly():
    table = columns(
        ("i", "int32"),
        ("d", "decimal(12,2)"),
        ("b", "bool"),
        ("u", "uuid"),
        ("j", "json"),
        ("l", "list<int64>"),
    )
    data = b'i,d,b,u,j,l\n007,12.50,1,6F9619FF8B86D011B42D00CF4FC964FF,"{""a"": 1}","[1, 2]"\n'
    (row,) = Read(data, table=table).rows
    assert row == {
        "i": 7, "d": Exact("12.50"), "b": True,
        "u": "6f9619ff-8b86-d011-b42d-00cf4fc964ff", "j": '{"a": 1}', "l": [1, 2],
    }  # fmt: skip


def test_a_value_that_does_not_fit_sets_its_row_aside():
    table = columns(("i", "int64"), ("d", "decimal(5,2)"))
    read = Read(b"i,d\n1,1.5\nx,1.505\n3,y\n4,4\n", table=table)
    assert [r["i"] for r in read.rows] == [1, 4]
    assert read.bad == [(2, WRONG_TYPE, "i", Mode.QUARANTINE), (3, WRONG_TYPE, "d", Mode.QUARANTINE)]
    assert read.values == ["x", "y"]
    assert read.raw[2] == b"x,1.505"
    assert read.table == table


@pytest.mark.parametrize("mode", [Mode.DISCARD_ROW, Mode.QUARANTINE])
def test_a_refused_row_says_by_which_mode(mode):
    read = Read(b"i\n1\nx\n", table=columns(("i", "int64")), contract=Contract(data_type=mode))
    assert read.bad == [(2, WRONG_TYPE, "i", mode)]


def test_a_discarded_value_is_null_and_counted():
    read = Read(
        b"i,v\n1,a\nx,b\ny,c\n",
        table=columns(("i", "int64"), ("v", "text")),
        contract=Contract(data_type=Mode.DISCARD_VALUE),
    )
    assert [r["i"] for r in read.rows] == [1, None, None]
    assert read.discarded == {"i": 2}


def test_a_declared_type_evolves_where_the_contract_says_so():
    contract = Contract(data_type=Mode.EVOLVE)
    assert Read(b"i\n1\n1.5\n", table=columns(("i", "int64")), contract=contract).types == {"i": "float64"}
    assert Read(b"i\n1\nx\n", table=columns(("i", "int64")), contract=contract).types == {"i": "text"}
    assert Read(b"i\n[1]\nx\n", table=columns(("i", "list<int64>")), contract=contract).bad[0][0] == 2


def test_a_frozen_type_is_an_error_with_row_and_value():
    with pytest.raises(ContractError, match=r"`t.i`(.|\n)*first at row 3(.|\n)*found: x"):
        Read(b"i\n1\n2\nx\n", table=columns(("i", "int64")), contract=Contract(data_type=Mode.FREEZE))


def test_a_new_column_under_each_mode():
    table = columns(("a", "int64"))
    data = b"a,new\n1,\n2,x\n"
    assert Read(data, table=table).types == {"a": "int64", "new": "text"}
    with pytest.raises(ContractError, match=r"no column `new`(.|\n)*row 2"):
        Read(data, table=table, contract=Contract(columns=Mode.FREEZE))
    assert Read(b"a,new\n1,\n", table=table, contract=Contract(columns=Mode.FREEZE)).rows == [{"a": 1}]
    read = Read(data, table=table, contract=Contract(columns=Mode.QUARANTINE))
    assert (read.rows, read.bad) == ([{"a": 1}], [(2, UNKNOWN_COLUMN, "new", Mode.QUARANTINE)])
    read = Read(data, table=table, contract=Contract(columns=Mode.DISCARD_VALUE))
    assert (read.rows, read.discarded) == ([{"a": 1}, {"a": 2}], {"new": 1})


def test_columns_that_the_file_lacks_are_null():
    read = Read(b"b\nx\n", table=columns(("a", "int64"), ("b", "text")))
    assert read.rows == [{"a": None, "b": "x"}]


def test_values_of_sensitive_columns_are_not_told():
    table = Table("t", (Column("i", t.INT64, declared=True, sensitive=True),))
    assert Read(b"i\nsecret\n", table=table).values == ["***"]
    with pytest.raises(ContractError) as refused:
        Read(b"i\nsecret\n", table=table, contract=Contract(data_type=Mode.FREEZE))
    assert "secret" not in str(refused.value)


def test_numbers_of_rows_go_on_over_chunks():
    body = b"".join(b"%d,x\n" % i if i % 10 else b"%d\n" % i for i in range(1, 40_001))
    read = Read(b"a,b\n" + body, chunk_bytes=5000)
    assert read.numbers == [i for i in range(1, 40_001) if i % 10]
    assert [row for row, *_ in read.bad] == [i for i in range(1, 40_001) if i % 10 == 0]
    assert all(r["a"] == number for r, number in zip(read.rows, read.numbers, strict=True))


# ------------------------------------------------------------------------------------ properties

CELLS = st.text(st.sampled_from(" aZ0,;\"'\n\r\\é\ufdd0😀.-") | st.characters(codec="utf-8"), max_size=8)


def _texts(read, width):
    names = [f"column_{i + 1}" for i in range(width)]
    return [[row.get(name) for name in names] for row in read.rows]


def _text_table(width):
    return columns(*[(f"column_{i + 1}", "text") for i in range(width)])


@steady
@given(st.integers(1, 4).flatmap(lambda w: st.lists(st.lists(CELLS, min_size=w, max_size=w), max_size=8)),
       st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]), st.sampled_from([1, 7, 1 << 20]))  # fmt: skip
def test_what_a_writer_wrote_comes_back(rows, quoting, chunk_bytes):
    sink = io.StringIO()
    csv.writer(sink, quoting=quoting).writerows(rows)
    width = len(rows[0]) if rows else 1
    read = Read(
        sink.getvalue().encode(), CsvDialect(header=False), _text_table(width), chunk_bytes=chunk_bytes
    )
    minimal = quoting == csv.QUOTE_MINIMAL and width > 1
    assert _texts(read, width) == [[None if minimal and c == "" else c for c in row] for row in rows]
    assert read.bad == []
    again = b"\n".join(read.raw[i] for i in sorted(read.raw))
    assert _texts(Read(again, CsvDialect(header=False), _text_table(width)), width) == _texts(read, width)


HOSTILE = st.lists(
    st.sampled_from([b",", b'"', b"\n", b"a", b"1", b"\\", b"\xff", b"\xc3\xa9", b" ", b"\r\n"]), max_size=40
)


@steady
@given(HOSTILE, st.integers(1, 12), st.sampled_from([b"", b"\\"]))
def test_any_bytes_give_the_same_records_however_they_are_chunked(parts, chunk_bytes, escape):
    def records(size):
        cutter = Cutter(Marks(b",", b'"', escape), size, 1 << 20)
        cutter.stand_in = b",,"
        cuts = list(cutter.cut(io.BytesIO(b"".join(parts)), b""))
        data = b"".join(c.data.replace(c.mark, b"<broken>") if c.mark else c.data for c in cuts)
        return data, [line for c in cuts for line in c.broken]

    assert records(chunk_bytes) == records(1 << 20)


@steady
@given(HOSTILE)
def test_nothing_of_any_file_is_lost(parts):
    """Every byte that is no line end, quote or delimiter is in a row's cells or in a bad record's text."""
    data = b"".join(parts)
    read = Read(b"x,y\n" + data, CsvDialect(header=False), _text_table(2))
    kept = b"".join(read.raw[row] for row in sorted(read.raw))
    assert [b for b in kept if b not in b',"\r\n'] == [b for b in b"xy" + data if b not in b',"\r\n']
