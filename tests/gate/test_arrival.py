"""Whole files are judged by size, name, first and last bytes, counts and news."""

from __future__ import annotations

import gzip

import pytest

from penstock.errors import ContractError, RefusedError
from penstock.gate.arrival import ArrivalRules, judge_arrival, judge_content, judge_counts, unreadable
from penstock.gate.verdict import Action

RULES = ArrivalRules()


def packed(data: bytes) -> bytes:
    """The same bytes whenever: test names are made of them."""
    return gzip.compress(data, mtime=0)


JSON = b'{"a": 1}\n'
PARQUET = b"PAR1 pages and footer PAR1"
ZSTD = b"\x28\xb5\x2f\xfd\x04\x00\x01"


def rules_broken(head, name, rules=RULES, **more):
    return [f.rule for f in judge_arrival(head, len(head), name, rules, **more)]


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (JSON, "a.jsonl"), (b"\xef\xbb\xbf\r\n" + JSON, "a.jsonl"), (b"\n\n", "a.jsonl"),
        (b"  " + JSON, "a.ndjson"),
        (b"not JSON at all\n" + JSON, "a.jsonl"), (b'{"a": "x', "a.jsonl"),
        (packed(JSON), "a.jsonl.gz"), (packed(b""), "a.jsonl.gz"), (ZSTD, "a.csv.zst"),
        (b"a,b\n1,2\n", "a.csv"), (b"[1]\t{2}\n", "a.tsv"), (b"<b>,c\n", "a.csv"),
        ("a,b\n".encode("utf-16"), "a.csv"), (PARQUET, "a.parquet"), (PARQUET, "a.snappy.parquet"),
        (packed(PARQUET), "a.parquet.gz"), (packed(JSON * 9)[:15], "a.jsonl.gz"),
    ],
)  # fmt: skip
def test_content_that_fits_its_name_passes(head, name):
    assert rules_broken(head, name) == []


@pytest.mark.parametrize(
    ("head", "name", "said"),
    [
        (JSON, "a.jsonl.gz", "the name says gzip, the content is something else"),
        (packed(JSON), "a.jsonl", "the name says jsonl, the content is gzip"),
        (packed(JSON), "a.jsonl.zst", "the name says zstd, the content is gzip"),
        (ZSTD, "a.csv", "the name says csv, the content is zstd"),
        (PARQUET, "a.csv", "the content is parquet"),
        (b"a,b\n", "a.parquet", "the content is something else"),
        (b"PK\x03\x04....", "a.csv", "zip or xlsx"), (b"%PDF-1.7", "a.jsonl", "pdf"),
        (b"<!doctype html><html>", "a.csv", "html"), (b"<html><body>Login</body>", "a.jsonl", "html"),
        (b"<?xml version='1.0'?>", "a.csv", "xml"), (b"a,b\n1,\x00\x01\n", "a.csv", "binary"),
        (b'[{"a": 1}]', "a.jsonl", "a JSON array"), (b'[\n  {"a": 1}\n]', "a.json", "a JSON array"),
        (b'{\n  "a": 1\n}', "a.json", "over several lines"),
        (b"hello\nworld\n", "a.jsonl", "not one JSON object a line"),
        (packed(packed(JSON)), "a.jsonl.gz", "says jsonl in gzip, the content is gzip in gzip"),
        (packed(b"<html>oops"), "a.jsonl.gz", "html in gzip"),
        (packed(b"a,b"), "a.parquet.gz", "something"),
    ],
)  # fmt: skip
def test_content_that_is_something_else_is_found(head, name, said):
    (finding,) = judge_arrival(head, len(head), name, RULES)
    assert finding.rule == "magic"
    assert said in finding.message
    assert finding.action is Action.QUARANTINE


def test_the_stated_format_wins_over_the_name():
    assert rules_broken(JSON, "a.dat", ArrivalRules(stated="jsonl")) == []
    assert rules_broken(JSON, "a.jsonl", ArrivalRules(stated="parquet")) == ["magic"]
    assert rules_broken(JSON, "a.dat") == ["extension"]
    assert rules_broken(JSON, "a.gz") == ["extension"]


def test_nul_bytes_belong_to_wide_encodings():
    wide = "a,b\n".encode("utf-16-le")
    assert rules_broken(wide, "a.csv") == ["magic"]
    assert rules_broken(wide, "a.csv", ArrivalRules(encoding="utf-16-le")) == []


def test_an_empty_file_is_only_that():
    (finding,) = judge_arrival(b"", 0, "a.parquet", ArrivalRules(min_bytes=10, action=Action.FAIL))
    assert (finding.rule, finding.action) == ("zero_bytes", Action.FAIL)


def test_sizes():
    rules = ArrivalRules(min_bytes=5, max_bytes=20)
    assert [judge_arrival(JSON, size, "a.jsonl", rules) for size in (5, 20)] == [(), ()]
    (small,) = judge_arrival(JSON, 4, "a.jsonl", rules)
    (large,) = judge_arrival(JSON, 2100, "a.jsonl", rules)
    assert (small.rule, small.message) == ("min_bytes", "4 bytes, at least 5 are expected")
    assert (large.rule, large.message) == ("max_bytes", "2,100 bytes, at most 20 are expected")


def test_everything_that_is_wrong_is_told():
    assert rules_broken(b"%PDF", "a.csv", ArrivalRules(min_bytes=100)) == ["min_bytes", "magic"]


def test_a_parquet_file_ends_as_it_begins():
    assert rules_broken(PARQUET, "a.parquet", tail=PARQUET[-8:]) == []
    assert rules_broken(PARQUET, "a.parquet", tail=PARQUET[-9:-1]) == ["truncated"]
    assert rules_broken(JSON, "a.jsonl", tail=JSON[-8:]) == []


def test_counts():
    rules = ArrivalRules(min_rows=10, max_rows=20, max_quarantined_share=0.1)
    assert judge_counts(10, 1, rules) == judge_counts(20, 2, rules) == ()
    assert [f.rule for f in judge_counts(9, 0, rules)] == ["min_rows"]
    assert [f.rule for f in judge_counts(21, 3, rules)] == ["max_rows", "max_quarantined_share"]
    (share,) = judge_counts(10, 2, rules)
    assert "2 of 10 rows" in share.message
    assert judge_counts(0, 0, ArrivalRules(max_quarantined_share=0.0)) == ()
    assert judge_counts(0, 0, ArrivalRules()) == ()


def test_bytes_that_were_loaded_before_are_noticed():
    rules = ArrivalRules(duplicate_content=Action.FAIL)
    (finding,) = judge_content("ab12", {"ab12": "d/t/old.jsonl"}, rules)
    assert (finding.rule, finding.action) == ("duplicate_content", Action.FAIL)
    assert "d/t/old.jsonl" in finding.message
    assert judge_content("ab12", {"cd34": "d/t/old.jsonl"}, rules) == ()


def test_what_cannot_be_read_is_a_finding_and_a_broken_contract_fails():
    damaged = unreadable(RefusedError("the gzip data is truncated", found="10 bytes"), RULES)
    assert (damaged.rule, damaged.action) == ("unreadable", Action.QUARANTINE)
    assert damaged.message == "the gzip data is truncated (10 bytes)"
    frozen = unreadable(ContractError("`t` has no column `x`"), RULES)
    assert (frozen.rule, frozen.action) == ("contract", Action.FAIL)
