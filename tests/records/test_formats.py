"""The reader is chosen by what is stated, else by the name; first bytes tell what content is."""

from __future__ import annotations

import subprocess
import sys

import pytest

from penstock.errors import RefusedError
from penstock.records.csv import CsvDialect, CsvFormat
from penstock.records.formats import FORMATS, format_of, sniff
from penstock.records.jsonl import JsonlFormat
from penstock.records.parquet import ParquetFormat


@pytest.mark.parametrize(
    ("name", "stated", "reader"),
    [
        ("a.jsonl", None, JsonlFormat), ("a.jsonl.gz", None, JsonlFormat), ("a.ndjson", None, JsonlFormat),
        ("json.zst", None, JsonlFormat), ("a.csv", None, CsvFormat), ("A.CSV.GZ", None, CsvFormat),
        ("a.tsv", None, CsvFormat), ("a.parquet", None, ParquetFormat),
        ("part-0.snappy.parquet", None, ParquetFormat), ("a.txt", "csv", CsvFormat),
        ("a.dat", "jsonl", JsonlFormat),
        ("a.csv", "parquet", ParquetFormat),
    ],
)  # fmt: skip
def test_the_reader_for_a_name(name, stated, reader):
    assert type(format_of(name, stated)) is reader


def test_the_dialect_reaches_the_reader():
    reader = format_of("a.csv", None, CsvDialect(delimiter=";"))
    assert isinstance(reader, CsvFormat)
    assert reader.dialect.delimiter == ";"


def test_tab_separated_values_have_tabs_unless_said_otherwise():
    tabs = format_of("a.tsv")
    other = format_of("a.tsv", None, CsvDialect(delimiter="|"))
    assert isinstance(tabs, CsvFormat)
    assert isinstance(other, CsvFormat)
    assert (tabs.dialect.delimiter, other.dialect.delimiter) == ("\t", "|")


@pytest.mark.parametrize("name", ["a.xlsx", "a", "a.gz", "a.parket"])
def test_an_unknown_format_is_refused_with_what_is_known(name):
    with pytest.raises(RefusedError, match=", ".join(FORMATS)):
        format_of(name)


def test_a_near_miss_gets_a_suggestion():
    with pytest.raises(RefusedError, match="did you mean 'parquet'"):
        format_of("a.parkuet")


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x1f\x8b\x08", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"PAR1\x15", "parquet"),
        (b"PK\x03\x04", "zip or xlsx"), (b"%PDF-1.7", "pdf"), (b"BZh9", "bzip2"),
        (b"SQLite format 3\x00", "sqlite"),
        (b"<!DOCTYPE html><html>", "html"), (b"\xef\xbb\xbf\n <HTML>", "html"), (b'{"a": 1}', None),
        (b"a,b\n", None), (b"", None), (b"PAR", None),
    ],
)  # fmt: skip
def test_first_bytes_tell_what_content_is(head, kind):
    assert sniff(head) == kind


def test_choosing_by_name_loads_no_reader():
    code = (
        "import sys; import penstock.records.formats, penstock.records.compression, penstock.gate.arrival;"
        "loaded = [m for m in ('pyarrow', 'duckdb', 'msgspec') if m in sys.modules];"
        "assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
