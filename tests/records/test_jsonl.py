"""JSON lines: every line becomes a row, a named bad line or growth; nothing is changed or lost."""

from __future__ import annotations

import io
import json
import math
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import ContractError, RefusedError
from penstock.records.cast import conform
from penstock.records.chunk import Bad, Growth
from penstock.records.jsonl import JsonlFormat
from penstock.schema.contract import Contract, Mode
from penstock.schema.table import Column, Table, evolve
from penstock.schema.types import parse_type

SEEN = Contract()
INTEGER = Table("t", (Column("v", parse_type("int64")),))


@dataclass
class Read:
    """A file as rows by line number, bad lines, and the table it led to."""

    table: Table
    rows: dict[int, dict[str, Any]] = field(default_factory=dict)
    bad: dict[int, Bad] = field(default_factory=dict)
    discarded: dict[str, int] = field(default_factory=dict)
    records: int = 0


def read(data: bytes, table: Table | None = None, contract: Contract = SEEN, chunk_bytes: int = 4096) -> Read:
    form = JsonlFormat(chunk_bytes=chunk_bytes)
    out = Read(table or Table("t"))
    for chunk in form.split(io.BytesIO(data)):
        while isinstance(parsed := form.parse(chunk, out.table, contract), Growth):
            grown, _ = evolve(out.table, parsed.seen)
            assert grown != out.table, "growth that does not grow would never end"
            out.table = grown
        places = range(parsed.batch.num_rows) if parsed.offsets is None else parsed.offsets
        for place, row in zip(places, parsed.batch.to_pylist(), strict=True):
            out.rows[chunk.first_row + place] = row
        out.bad.update({chunk.first_row + b.offset: b for b in parsed.bad})
        for name, count in parsed.discarded.items():
            out.discarded[name] = out.discarded.get(name, 0) + count
        out.records += parsed.records
    assert out.records == len(out.rows) + len(out.bad)
    return out


def lines(*records: Any) -> bytes:
    return b"".join(r if isinstance(r, bytes) else json.dumps(r).encode() + b"\n" for r in records)


def values(got: Read, name: str = "v") -> list[Any]:
    return [row.get(name) for row in got.rows.values()]


def types(got: Read) -> dict[str, str]:
    return {c.name: str(c.type) for c in got.table.columns}


# ------------------------------------------------------------------------------------- inference


def test_first_file_gives_types_and_exact_values() -> None:
    got = read(
        lines(
            {"i": 1, "f": 1.5, "s": "x", "b": True, "d": "2024-02-29", "z": "2024-01-01T00:00:07.5Z"},
            {"i": 2, "f": 2, "s": "01234", "b": None, "d": "2024-03-01", "z": "2024-01-01T02:00:07+02:00"},
        )
    )
    assert types(got) == {
        "i": "int64", "f": "float64", "s": "text", "b": "bool", "d": "date", "z": "timestamp_tz",
    }  # fmt: skip
    assert got.rows[2]["s"] == "01234"
    assert got.rows[1]["z"].isoformat() == "2024-01-01T00:00:07.500000+00:00"
    assert got.rows[2]["z"].isoformat() == "2024-01-01T00:00:07+00:00"


@pytest.mark.parametrize(
    ("early", "late", "kind", "kept"),
    [
        (1, 1.5, "float64", [1.0, 1.5]),
        (1, "abc", "text", ["1", "abc"]),
        (1.5, "abc", "text", ["1.5", "abc"]),
        (1, True, "text", ["1", "true"]),
        (1, {"a": 1}, "json", ["1", '{"a": 1}']),
        ("x", {"a": 1}, "json", ['"x"', '{"a": 1}']),
        ([1], [1.5], "list<float64>", [[1.0], [1.5]]),
        ([1], 7, "json", ["[1]", "7"]),
        ({"a": 1}, {"b": "x"}, "struct<a: int64, b: text>", [{"a": 1, "b": None}, {"a": None, "b": "x"}]),
        (None, [1, 2], "list<int64>", [None, [1, 2]]),
        (None, {"a": 1}, "struct<a: int64>", [None, {"a": 1}]),
        ({}, {"a": 1}, "struct<a: int64>", [{"a": None}, {"a": 1}]),
        ("2024-01-01", "soon", "text", ["2024-01-01", "soon"]),
        ("2024-01-01T00:00:00Z", "soon", "text", ["2024-01-01T00:00:00Z", "soon"]),
        (1, 2**63, "decimal(20,0)", [1, 2**63]),
        (1, 2**64 * 10**10, "decimal(30,0)", [1, 2**64 * 10**10]),
    ],
)
def test_a_late_change_in_the_last_line_is_seen(early: Any, late: Any, kind: str, kept: list[Any]) -> None:
    many = [{"v": early}] * 2000
    form = JsonlFormat(chunk_bytes=4096)
    table, batches = Table("t"), []
    for chunk in form.split(io.BytesIO(lines(*many, {"v": late}))):
        while isinstance(parsed := form.parse(chunk, table, SEEN), Growth):
            table, _ = evolve(table, parsed.seen)
        assert not parsed.bad
        batches.append((parsed.batch, table))
    assert str(table.columns[0].type) == kind
    rows = []
    for batch, read_as in batches:
        whole, bad = conform(batch, table, read_as)
        assert not bad
        rows.extend(whole.to_pylist())
    assert len(rows) == 2001
    assert [rows[0]["v"], rows[-1]["v"]] == kept


def test_a_key_that_first_comes_in_the_last_line() -> None:
    got = read(lines(*[{"a": n} for n in range(3000)], {"a": 1, "late": "here"}))
    assert types(got) == {"a": "int64", "late": "text"}
    assert got.rows[3001]["late"] == "here"


def test_numbers_that_no_float_holds_are_not_rounded() -> None:
    got = read(lines({"v": 1.5}) + b'{"v": 12345678901234567.89}\n' + b'{"v": 9007199254740993}\n')
    assert types(got) == {"v": "text"}
    assert values(got)[1:] == ["12345678901234567.89", "9007199254740993"]


def test_large_floats_that_are_exact_stay_floats() -> None:
    got = read(b'{"v": 1e300}\n{"v": 9007199254740994}\n{"v": 0.1}\n')
    assert types(got) == {"v": "float64"}
    assert values(got) == [1e300, 9007199254740994.0, 0.1]


def test_declared_decimals_keep_their_text() -> None:
    table = Table("t", (Column("v", parse_type("decimal(20,2)"), declared=True),))
    got = read(b'{"v": 12345678901234567.89}\n{"v": "1.10"}\n{"v": 1.125}\n{"v": 3}\n', table)
    assert [str(v) for v in values(got)] == ["12345678901234567.89", "1.10", "3.00"]
    assert got.bad[3].broken.value == "1.125"


def test_mixed_text_columns_keep_the_numbers_own_text() -> None:
    got = read(b'{"v": "x"}\n{"v": 1.50}\n{"v": 1e3}\n{"v": true}\n')
    assert values(got) == ["x", "1.50", "1e3", "true"]


# ------------------------------------------------------------------------------------ dirty lines


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b'{"v": 1', "at character"),
        (b"null", "null where an object"),
        (b" null ", "null where an object"),
        (b"[1]", "list where an object"),
        (b"7", "int where an object"),
        (b'{"v": 1, "v": 2}', '"v" comes twice'),
        (b'{"v": NaN}', ""),
        (b'{"v": 1} {"v": 2}', "Extra data"),
        (b'{"v": 1}garbage', "Extra data"),
        (b'{"s": "\xff"}', "not UTF-8 at byte 8"),
        (b'{"s": "\\ud800"}', ""),
        (b'{"v": 01}', ""),
        (b'{"v": 1,}', ""),
        (b"{'v': 1}", ""),
        (b"\x00", ""),
        (b'{"v": ' + b"[" * 3000 + b"]" * 3000 + b"}", ""),
    ],
)
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_a_bad_line_is_named_and_the_others_stay(line: bytes, why: str, place: str) -> None:
    good = [{"v": n, "s": "x"} for n in range(600)]
    at = {"first": 0, "middle": 300, "last": 600}[place]
    table = Table("t", (Column("v", parse_type("int64")), Column("s", parse_type("text"))))
    data = lines(*good[:at], line + b"\n", *good[at:])
    got = read(data, table, Contract(data_type_seen=Mode.QUARANTINE))
    assert list(got.bad) == [at + 1]
    assert why in (got.bad[at + 1].broken.value or "")
    assert values(got) == list(range(600))


def test_a_leading_null_line_without_a_table_does_not_crash() -> None:
    got = read(b"null\n" + lines({"v": 1}))
    assert list(got.bad) == [1]
    assert values(got) == [1]


def test_floats_that_are_not_json_are_refused_in_float_columns() -> None:
    got = read(b'{"v": 1.5}\n{"v": NaN}\n{"v": Infinity}\n{"v": -Infinity}\n{"v": 1e400}\n')
    assert sorted(got.bad) == [2, 3, 4]
    assert types(got)["v"] == "text"
    assert values(got)[1] == "1e400"


def test_line_ends_blank_lines_and_bom() -> None:
    data = b"\xef\xbb\xbf" + b'{"v": 1}\r\n\r\n\n{"v": 2}\r\n   \n{"v": 3}'
    got = read(data, INTEGER)
    assert {n: row["v"] for n, row in got.rows.items()} == {1: 1, 4: 2, 6: 3}
    assert not got.bad


def test_a_blank_line_and_two_objects_on_a_line_do_not_cancel_out() -> None:
    got = read(b'{"v": 1}\n\n{"v": 2} {"v": 3}\n{"v": 4}\n', INTEGER)
    assert got.rows[4]["v"] == 4
    assert list(got.bad) == [3]


def test_empty_objects_are_rows_and_empty_files_have_none() -> None:
    assert values(read(b'{"v": 1}\n{}\n', INTEGER)) == [1, None]
    assert read(b"").records == 0
    assert read(b"\n\n").records == 0


def test_ten_megabytes_on_one_line() -> None:
    long = "x" * 10_000_000
    got = read(lines({"s": "a"}, {"s": long}, {"s": "b"}), chunk_bytes=1 << 20)
    assert [len(v) for v in values(got, "s")] == [1, 10_000_000, 1]


def test_a_line_without_end_is_refused() -> None:
    form = JsonlFormat(chunk_bytes=1024, max_line_bytes=4096)
    with pytest.raises(RefusedError, match="too long"):
        list(form.split(io.BytesIO(b"x" * 10_000)))


def test_names_with_anything_in_them() -> None:
    record = {"a b": 1, 'q"uote': 2, "d.o.t": 3, "select": 4, "Id": 5, "ID": 6, "": 7, "ü😀": 8, "x;--": 9}
    got = read(lines(record, record))
    assert got.rows[1] == record


# -------------------------------------------------------------------------------------- contracts


def declared(kind: str = "int64") -> Table:
    return Table("t", (Column("v", parse_type(kind), declared=True),))


@pytest.mark.parametrize("mode", [Mode.DISCARD_ROW, Mode.QUARANTINE])
def test_unknown_columns_and_wrong_types_set_rows_aside(mode: Mode) -> None:
    contract = Contract(columns=mode, data_type=mode)
    got = read(lines({"v": 1}, {"v": 1, "new": 2}, {"v": "x"}, {"v": 4}), declared(), contract)
    assert values(got) == [1, 4]
    assert {n: (b.broken.rule, b.broken.column, b.broken.value, b.mode) for n, b in got.bad.items()} == {
        2: ("unknown_column", "new", "2", mode),
        3: ("type", "v", "x", mode),
    }


def test_values_can_be_discarded_and_are_counted() -> None:
    contract = Contract(columns=Mode.DISCARD_VALUE, data_type=Mode.DISCARD_VALUE)
    got = read(lines({"v": 1}, {"v": 2, "new": 2}, {"v": "x"}), declared(), contract)
    assert values(got) == [1, 2, None]
    assert got.discarded == {"new": 1, "v": 1}


def test_frozen_shapes_are_an_error_that_says_how_to_mend_it() -> None:
    frozen = Contract(columns=Mode.FREEZE, data_type=Mode.FREEZE)
    with pytest.raises(ContractError, match="no column `new`") as error:
        read(lines({"v": 1, "new": 2}), declared(), frozen)
    assert "columns: evolve" in str(error.value)
    with pytest.raises(ContractError, match="no int64"):
        read(lines({"v": "12,50"}), declared(), frozen)


def test_new_keys_inside_an_object_are_columns_to_the_contract() -> None:
    table = declared("struct<a: int64>")
    got = read(lines({"v": {"a": 1, "b": 2}}), table)
    assert types(got) == {"v": "struct<a: int64, b: int64>"}
    got = read(lines({"v": {"a": 1, "b": 2}}), table, Contract(columns=Mode.DISCARD_VALUE))
    assert values(got) == [{"a": 1}]


def test_sensitive_values_are_not_told() -> None:
    table = Table("t", (Column("v", parse_type("int64"), declared=True, sensitive=True),))
    assert read(lines({"v": "secret"}), table).bad[1].broken.value == "***"


def test_nested_times_are_checked() -> None:
    table = declared("list<timestamp_tz>")
    got = read(lines({"v": ["2024-01-01T00:00:00Z"]}, {"v": ["2024-01-01T00:00:00Z", "never"]}), table)
    assert list(got.bad) == [2]
    assert len(got.rows) == 1


def test_raw_gives_the_line_as_it_came() -> None:
    form = JsonlFormat()
    chunk = next(iter(form.split(io.BytesIO(b'{"v":  1 }\r\n{"v": 2}\n'))))
    assert form.raw(chunk, [0, 1]) == [b'{"v":  1 }', b'{"v": 2}']


# -------------------------------------------------------------------------------------- properties

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.dates().map(str)
)
cells = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
records = st.dictionaries(st.sampled_from(["a", "b", "c", "A"]), cells, min_size=1, max_size=4)


def same(given_: Any, got: Any, kind: Any) -> bool:
    """Whether a value came through, whatever wider type its column has become."""
    from penstock.schema.types import JSON, TEXT, List, Struct

    if given_ is None:
        return got is None or (isinstance(kind, Struct) and all(v is None for v in got.values()))
    if kind == JSON:
        return bool(json.loads(got) == given_)
    if kind == TEXT:
        return bool(got == (given_ if isinstance(given_, str) else json.dumps(given_)))
    if isinstance(kind, List):
        return len(got) == len(given_) and all(
            same(a, b, kind.item) for a, b in zip(given_, got, strict=True)
        )
    if isinstance(kind, Struct) and isinstance(got, str):
        return got == "{}" and given_ == {}
    if isinstance(kind, Struct):
        fields = dict(kind.fields)
        return all(same(given_.get(n), got[n], fields[n]) for n in fields) and set(given_) <= set(fields)
    if isinstance(got, float):
        return math.isclose(got, given_, rel_tol=0, abs_tol=0)
    return bool(str(got) == str(given_)) or got == given_


@settings(max_examples=150, deadline=None)
@given(st.lists(records, max_size=12), st.sampled_from([64, 4096]))
def test_whatever_comes_stays(given_: list[dict[str, Any]], chunk_bytes: int) -> None:
    got = read(lines(*given_), chunk_bytes=chunk_bytes)
    assert not got.bad
    assert len(got.rows) == len(given_)
    if chunk_bytes == 4096:  # one chunk: rows are in the final shape
        kinds = {c.name: c.type for c in got.table.columns}
        for record, row in zip(given_, got.rows.values(), strict=True):
            assert all(
                same(record.get(n), row.get(n), k) for n, k in kinds.items() if n in row or n in record
            )


@settings(max_examples=150, deadline=None)
@given(st.lists(st.binary(max_size=24).filter(lambda b: b"\n" not in b), max_size=20))
def test_no_bytes_crash_the_reader_and_every_line_is_accounted_for(junk: list[bytes]) -> None:
    data = b'{"v": 1}\n' + b"".join(line + b"\n" for line in junk)
    got = read(data, INTEGER, Contract(data_type_seen=Mode.QUARANTINE))
    told = {*got.rows, *got.bad}
    assert told == {1, *(n for n, line in enumerate(junk, start=2) if line.strip())}


def test_the_batch_is_what_the_table_says() -> None:
    form = JsonlFormat()
    chunk = next(iter(form.split(io.BytesIO(lines({"v": 1})))))
    parsed = form.parse(chunk, INTEGER, SEEN)
    assert not isinstance(parsed, Growth)
    assert parsed.batch.schema == pa.schema([("v", pa.int64())])
