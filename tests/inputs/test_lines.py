"""Dirty JSON lines from the file to the table: what is good comes through, the rest is named."""

from __future__ import annotations

import gzip
import json
import os
from typing import Any

import pytest
from warehouse import decoded

Site = Any


def good(lines: list[bytes]) -> list[dict[str, Any]]:
    return [decoded(line) for line in lines]


# ---------------------------------------------------------------------------------------- bytes


@pytest.mark.parametrize(
    "data",
    [
        b'\xef\xbb\xbf{"v": 1}\n{"v": 2}\n',
        b'{"v": 1}\r\n{"v": 2}\r\n',
        b'\xef\xbb\xbf{"v": 1}\r\n\r\n\n   \n{"v": 2}',
        b' \t{"v": 1} \n\t{"v":\t2}\t\r\n',
    ],
    ids=["BOM", "CRLF", "all of it", "white space"],
)
def test_what_only_surrounds_the_records(site: Site, data: bytes) -> None:
    site.drop("a.jsonl", data)
    site.takes(2)
    site.holds({"v": 1}, {"v": 2})


def test_lines_that_are_no_record_are_named_and_nothing_else_is_lost(site: Site) -> None:
    bad = {
        b"oops": "Expecting value at character 1",
        b'{"v": 1': "Expecting ',' delimiter at character 8",
        b"null": "null where an object is wanted",
        b'[{"v": 1}]': "list where an object is wanted",
        b"7": "int where an object is wanted",
        b'{"v": 1} {"v": 2}': "Extra data at character 10",
        b'{"v": 1, "v": 2}': 'key "v" comes twice in one object',
        b'{"n": {"k": 1, "k": null}}': 'key "k" comes twice in one object',
        b'{"l": [{"k": 1, "\\u006b": 2}]}': 'key "k" comes twice in one object',
        b'{"s": "\xff\xfe"}': "not UTF-8 at byte 8",
        b'{"s": "\xed\xa0\x80"}': "not UTF-8 at byte 8",
        b'{"s": "\\ud800"}': "surrogate",
        b'{"\\udfff": 1}': "surrogate",
        b'{"n": {"a": ["\\ud83d"]}}': "surrogate",
        b'{"v": NaN}': "invalid character",
        b'{"v": Infinity}': "invalid character",
        b'{"v": -Infinity}': "invalid character",
        b'{"v": 01}': "",
        b'{"v": +1}': "",
        b'{"v": .5}': "",
        b'{"v": 1,}': "",
        b"{'v': 1}": "",
        b'{"s": "a\tb"}': "",
        b"\x01": "",
        b'\xef\xbb\xbf{"v": 1}': "",
        b'{"d": ' + b"[" * 5000 + b"]" * 5000 + b"}": "nested too deeply",
        b'{"d": ' + b'{"a":' * 5000 + b"1" + b"}" * 5001: "nested too deeply",
    }
    sound = [b'{"v": %d, "s": "x%d"}' % (n, n) for n in range(len(bad) + 1)]
    lines = [line for pair in zip(sound, bad, strict=False) for line in pair] + sound[-1:]
    site.drop("a.jsonl", b"\n".join(lines))
    result = site.takes(len(lines))
    assert (result.tables[0].loaded, result.tables[0].quarantined) == (len(sound), len(bad))
    assert result.tables[0].broken == {"unparsable": len(bad)}
    found = site.holds(*good(sound))
    assert {name: str(kind) for name, kind in found.kinds.items()} == {"v": "int64", "s": "text"}
    rows = site.session().quarantine_show("t", 99)
    assert [r.row for r in rows] == list(range(2, len(lines), 2))
    assert [raw for _, _, raw in site.quarantined()] == list(bad)
    for row, why in zip(rows, bad.values(), strict=True):
        (broken,) = row.broken
        assert (broken.rule, broken.column) == ("unparsable", None)
        assert why in (broken.value or "")


def test_a_truncated_gzip_and_its_neighbours(site: Site) -> None:
    lines = b"".join(b'{"v": "%s"}\n' % os.urandom(30).hex().encode() for _ in range(3000))
    whole = gzip.compress(lines, mtime=0)
    refused = {
        "cut.jsonl": whole[:-300], "no trailer.jsonl": whole[:-8], "header.jsonl": whole[:10],
        "flipped.jsonl": whole[:9000] + bytes([whole[9000] ^ 1]) + whole[9001:],
        "tail.jsonl": whole + b"garbage",
    }  # fmt: skip
    for name, data in refused.items():
        (site.root / "in" / f"{name}.gz").write_bytes(data)
    (site.root / "in" / "good.jsonl.gz").write_bytes(
        gzip.compress(b'{"v": "a"}\n') + gzip.compress(b'{"v": "b"}\n')
    )
    result = site.accounts(site.run())
    site.holds({"v": "a"}, {"v": "b"})
    assert [f.finding.rule for f in result.findings] == ["unreadable"] * len(refused)
    assert len(site.hashes("quarantine/_files")) == len(refused)


@pytest.mark.parametrize("data", [b"", b"\n\r\n  \n"], ids=["zero bytes", "blank lines"])
def test_a_file_with_nothing_in_it(site: Site, data: bytes) -> None:
    site.drop("a.jsonl", data)
    result = site.takes(0)
    assert [f.finding.rule for f in result.findings] == ([] if data else ["zero_bytes"])
    site.drop("b.jsonl", {"v": 1})
    site.takes(1)
    site.holds({"v": 1})


def test_objects_without_keys_are_rows_once_a_column_is_known(site: Site) -> None:
    site.drop("a.jsonl", {}, {})
    site.takes(2)
    assert site.quarantined() == [(1, ["unparsable"], b"{}"), (2, ["unparsable"], b"{}")]
    site.drop("b.jsonl", {}, {"v": 1}, {})
    site.takes(3)
    site.holds({}, {"v": 1}, {})


def test_columns_that_are_null_everywhere(site: Site) -> None:
    site.drop("a.jsonl", {"v": None}, {"w": None}, {"v": None, "w": None})
    site.takes(3)
    site.holds({}, {}, {})
    site.drop("b.jsonl", {"w": [1]}, {"v": "x"})
    site.takes(2)
    site.holds({}, {}, {}, {"w": [1]}, {"v": "x"})


@pytest.mark.parametrize("others", [{}, {"k": 1}], ids=["the only column", "beside another"])
def test_nulls_then_lists(site: Site, others: dict[str, Any]) -> None:
    records = [{"v": None, **others}] * 3 + [{"v": v, **others} for v in ([], [None], [1, None], [2.5])]
    site.drop("a.jsonl", *records)
    site.takes(len(records))
    assert str(site.holds(*records).kinds["v"]) == "list<float64>"


def test_objects_lists_and_scalars_in_one_column(site: Site) -> None:
    values = [{"a": 1}, 3, "x", [1, {"b": None}], None, True, 1.50, {}, [], "", "null", '"', 10**30, "1"]
    site.drop("a.jsonl", *[{"v": v} for v in values])
    site.takes(len(values))
    found = site.holds(*[{"v": v} for v in values])
    assert str(found.kinds["v"]) == "json"


def test_integers_beyond_64_bits(site: Site) -> None:
    columns: dict[str, list[int]] = {
        "int64": [-(2**63), 2**63 - 1],
        "decimal(20,0)": [2**63, -(2**63) - 1, 2**64],
        "decimal(38,0)": [10**37, -(10**37), 10**38 - 1],
        "text": [10**38, -(10**40), 10**400, 1],
    }
    records = [{k: v[n] for k, v in columns.items() if n < len(v)} for n in range(4)]
    site.drop("a.jsonl", *records)
    site.takes(4)
    found = site.holds(*records)
    assert {name: str(kind) for name, kind in found.kinds.items()} == {name: name for name in columns}


def test_numbers_that_no_float_holds(site: Site) -> None:
    lines = [b'{"v": 0.1, "w": 1.5}', b'{"v": 1e400, "w": 12345678901234567.89}', b'{"v": -1e400, "w": 2}']
    site.drop("a.jsonl", b"\n".join(lines))
    site.takes(3)
    found = site.holds(*good(lines))
    assert sorted(found.column("v")) == ["-1e400", "0.1", "1e400"]
    assert sorted(found.column("w")) == ["1.5", "12345678901234567.89", "2"]


def test_a_text_does_not_become_a_number(site: Site) -> None:
    records = [{"v": 2**64, "l": [2**64], "o": {"x": 2**64}}, {"v": 1}]
    site.drop("a.jsonl", *records)
    site.takes(2)
    late = [{"v": "01"}, {"l": ["007"]}, {"o": {"x": "1"}}, {"v": "1", "o": {"x": 1}}]
    site.drop("b.jsonl", b'{"\\u0076": "01"}\n', *late[1:])
    site.takes(4)
    found = site.holds(*records, *late)
    assert [row["v"] for row in found.rows if row["v"] not in ("1", None)] == [str(2**64), "01"]


def test_a_nul_tells_a_binary_file_or_one_bad_line(site: Site) -> None:
    site.drop("early.jsonl", b'{"v": 1}\n\0\n')
    site.drop("late.jsonl", b" " * 4100 + b'\n{"v": "a\\u0000b"}\n{"v": "\0"}\n')
    result = site.accounts(site.run())
    assert [f.finding.message for f in result.findings] == ["the name says jsonl, the content is binary"]
    assert site.quarantined() == [(3, ["unparsable"], b'{"v": "\0"}')]
    site.holds({"v": "a\0b"})


def test_a_refused_record_changes_no_column(site: Site) -> None:
    site.table["columns"] = {"v": "int64"}
    site.drop("a.jsonl", {"v": 1}, b'{"w": 1, "w": 2}\n', {"v": "x", "w": 2}, b'{"n": {"a": 1, "a": []}}\n')
    site.takes(4)
    assert list(site.holds({"v": 1}).kinds) == ["v"]


# ----------------------------------------------------------------------------------------- size


@pytest.fixture(scope="module")
def many() -> bytes:
    return b"".join(b'{"v": %d, "w": "x", "pad": "%b"}\n' % (n, b"-" * 100) for n in range(200_000))


def test_two_hundred_thousand_integers_and_then_a_text(site: Site, many: bytes) -> None:
    site.drop("a.jsonl", many, {"v": "text", "w": "y"})
    site.takes(200_001)
    assert site.sql("SELECT v FROM t WHERE w = 'y'") == [("text",)]
    whole = "count(*), count(DISTINCT v), min(CAST(v AS BIGINT)), max(CAST(v AS BIGINT)), min(w)"
    assert site.sql(f"SELECT {whole} FROM t WHERE w = 'x'") == [(200_000, 200_000, 0, 199_999, "x")]


def test_a_key_that_first_appears_in_the_last_row(site: Site, many: bytes) -> None:
    site.drop("a.jsonl", many, {"v": -1, "late": {"deep": [1.5]}})
    site.takes(200_001)
    assert site.sql("SELECT v, w, late FROM t WHERE late IS NOT NULL") == [(-1, None, {"deep": [1.5]})]
    assert site.sql("SELECT count(*), count(DISTINCT v), sum(v) FROM t") == [
        (200_001, 200_001, 19_999_899_999)
    ]


def test_ten_megabytes_on_one_line(site: Site) -> None:
    long = "é" * 5_000_000
    junk = b'{"v": "' + b"x" * 10_000_000
    site.drop("a.jsonl", {"v": "a"}, json.dumps({"v": long}).encode() + b"\n", junk + b"\n", {"v": "b"})
    site.takes(4)
    site.holds({"v": "a"}, {"v": long}, {"v": "b"})
    assert site.quarantined() == [(3, ["unparsable"], junk)]


def test_a_hundred_levels(site: Site) -> None:
    objects: Any = "deep"
    lists: Any = 7
    both: Any = [None]
    for _ in range(100):
        objects, lists, both = {"a": objects}, [lists], {"b": [both]}
    records = [{"o": objects, "l": lists, "b": both}, {"o": {"a": {"z": 1}}, "l": [[]], "b": {"b": []}}]
    site.drop("a.jsonl", *records)
    site.takes(2)
    site.holds(*records)
    site.drop("b.jsonl", {"o": 1, "l": 2, "b": 3})
    site.takes(1)
    site.holds(*records, {"o": 1, "l": 2, "b": 3})
