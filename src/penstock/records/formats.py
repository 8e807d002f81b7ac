"""Which format a file is in: by what the project states, else by its name. Readers load when used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.errors import RefusedError, suggest
from penstock.records.compression import logical_extension

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.records.chunk import Format
    from penstock.records.csv_header import CsvDialect
    from penstock.schema.types import DataType

FORMATS = ("jsonl", "csv", "tsv", "parquet")
MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"PAR1": "parquet"}


def format_of(
    name: str,
    stated: str | None = None,
    dialect: CsvDialect | None = None,
    seen: Mapping[str, DataType] | None = None,
) -> Format:
    """The reader for a file of that name (or extension); `stated` wins over the name.

    `seen` are types that the text of JSON lines does not show.

    Raises: RefusedError for a format that is not known.
    """
    kind = stated or logical_extension(name)[0]
    if kind == "jsonl":
        from penstock.records.jsonl import JsonlFormat

        return JsonlFormat(seen=seen)
    if kind in ("csv", "tsv"):
        from dataclasses import replace

        from penstock.records.csv import CsvFormat
        from penstock.records.csv_header import CsvDialect

        chosen = dialect or CsvDialect()
        if kind == "tsv" and chosen.delimiter == ",":
            chosen = replace(chosen, delimiter="\t")
        return CsvFormat(chosen)
    if kind == "parquet":
        from penstock.records.parquet import ParquetFormat

        return ParquetFormat()
    raise RefusedError(
        f"`{kind}` is not a format that can be read",
        where=name,
        expected=", ".join(FORMATS),
        hint=suggest(kind, FORMATS) or "state the format of the table: `format: jsonl`",
    )


def sniff(head: bytes) -> str | None:
    """What the first bytes say that a file is: `gzip`, `zstd`, `parquet`, another kind, or None."""
    for magic, kind in {**MAGIC, **_FOREIGN}.items():
        if head.startswith(magic):
            return kind
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return "html" if start.startswith((b"<!doctype html", b"<html")) else None


_FOREIGN = {
    b"PK\x03\x04": "zip or xlsx",
    b"%PDF": "pdf",
    b"\xd0\xcf\x11\xe0": "an old Office file",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"7z\xbc\xaf": "7z",
    b"Obj\x01": "avro",
    b"ORC": "orc",
    b"PARE": "encrypted parquet",
    b"\x04\x22\x4d\x18": "lz4",
    b"ARROW1": "an Arrow file",
    b"SQLite format 3": "sqlite",
}
