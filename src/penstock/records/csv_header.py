"""The first lines of a CSV file: what is skipped, and what the columns are called."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.csv as pcsv

from penstock.errors import RefusedError
from penstock.records.csv_cut import Cutter, Marks
from penstock.records.transcode import BOM, refuse_wide

HEAD_BYTES = 64 << 10
_BREAKS = (b"\n", b"\r")


@dataclass(frozen=True, slots=True)
class CsvDialect:
    """How CSV is written. An empty `quote` means that nothing is quoted.

    `column_names` replace those of the header, or stand in for it if there is none; without either,
    columns are `column_1`, `column_2` … . `skip_rows` lines before the header are skipped.
    """

    delimiter: str = ","
    quote: str = '"'
    escape: str | None = None
    header: bool = True
    column_names: tuple[str, ...] | None = None
    null_values: tuple[str, ...] = ("",)
    encoding: str = "utf-8"
    skip_rows: int = 0


def marks_of(dialect: CsvDialect) -> Marks:
    """The characters of a dialect. Raises: RefusedError for what cannot be one."""
    found = {"delimiter": dialect.delimiter, "quote": dialect.quote, "escape": dialect.escape or ""}
    for name, mark in found.items():
        if len(mark) > 1 or not mark.isascii() or mark in ("\n", "\r") or (name == "delimiter" and not mark):
            raise RefusedError(
                f"the {name} of CSV is one ASCII character, and no line end",
                found=repr(mark),
                hint=f"set `csv: {{{name}: …}}`",
            )
    if len({mark for mark in found.values() if mark}) < len([mark for mark in found.values() if mark]):
        raise RefusedError("delimiter, quote and escape of CSV must differ", found=repr(found))
    return Marks(*(mark.encode() for mark in found.values()))


def read_header(stream: BinaryIO, cutter: Cutter, dialect: CsvDialect) -> tuple[list[str], bytes]:
    """The names of the columns, and what was read of the stream beyond them.

    A file without a first record has the names of the dialect, or none.
    Raises: RefusedError when the names cannot be read, are not unique or not as many as stated.
    """
    data, at, end = _first_record(stream, cutter, dialect.skip_rows)
    if end <= at:
        return list(dialect.column_names or ()), b""
    cells = _cells(data[at:end], cutter.marks)
    names = list(dialect.column_names or (cells if dialect.header else [""] * len(cells)))
    if len(names) != len(cells):
        raise RefusedError(
            "`column_names` and the CSV file have different numbers of columns",
            found=f"{len(cells)} cells in the first record",
            expected=f"{len(names)} columns",
        )
    return _named(names), data[end if dialect.header else at :]


def _first_record(stream: BinaryIO, cutter: Cutter, skip: int) -> tuple[bytes, int, int]:
    """What was read so far, and where in it the first record begins and ends."""
    data, ended = cutter.more(stream, b"", HEAD_BYTES)
    refuse_wide(data)
    data = data.removeprefix(BOM)
    while True:
        cutter.line_end = b"\r" if b"\r" in data and b"\n" not in data else b"\n"
        data = cutter.closed(data) if ended else data
        at = _skipped(data, cutter.line_end, skip)
        end = cutter.first_record(data, at) if at >= 0 else -1
        if end > 0:
            return data, at, end
        if ended and 0 <= at == len(data):
            return data, at, at
        if ended or len(data) > cutter.record_bytes:
            raise RefusedError(
                "the header of the CSV file cannot be read",
                found=data[max(at, 0) :][:200].decode("utf-8", "backslashreplace"),
                expected="a line of column names whose quotes are closed",
                hint="name `delimiter` and `quote`, or skip lines with `skip_rows`",
            )
        data, ended = cutter.more(stream, data)


def _skipped(data: bytes, line_end: bytes, lines: int) -> int:
    """Where the first line that is not skipped nor blank begins; -1 if `data` does not tell."""
    at = 0
    for _ in range(lines):
        at = data.find(line_end, at) + 1
        if not at:
            return -1
    while data[at : at + 1] in _BREAKS:
        at += 1
    return at


def _cells(record: bytes, marks: Marks) -> list[str]:
    try:
        record.decode()
    except UnicodeDecodeError as error:
        raise RefusedError(
            "the first record of the CSV file is not UTF-8",
            found=record[:200].decode("utf-8", "backslashreplace"),
            hint="state its `encoding`, such as cp1252 or latin-1",
        ) from error
    count = read_cells(record, marks, None, ()).num_columns
    (row,) = read_cells(record, marks, [str(i) for i in range(count)], ()).to_pylist()
    return list(row.values())


def _named(names: list[str]) -> list[str]:
    """Header names as column names: those that are empty get their position."""
    named = [name or f"column_{i}" for i, name in enumerate(names, 1)]
    twins = [name for name, count in Counter(named).items() if count > 1]
    if twins:
        raise RefusedError(
            "a column name comes twice in the header of the CSV file",
            found=", ".join(f"`{name}`" for name in twins),
            hint="name the columns yourself with `column_names`",
        )
    return named


def read_cells(
    data: bytes, marks: Marks, names: list[str] | None, null_values: tuple[str, ...], broken: Any = None
) -> Any:
    """Whole records as a table of texts. `broken` is called with each record of another length.

    Without `names` the answer tells no more than how many columns there are.
    """
    types = {name: pa.string() for name in names or ()}
    return pcsv.read_csv(
        pa.py_buffer(data),
        read_options=pcsv.ReadOptions(
            use_threads=False,
            block_size=len(data) + 1,
            column_names=names,
            autogenerate_column_names=names is None,
        ),
        parse_options=pcsv.ParseOptions(
            delimiter=marks.delimiter.decode(),
            quote_char=marks.quote.decode() or False,
            escape_char=marks.escape.decode() or False,
            newlines_in_values=False,  # told only to the reader's own cutting into blocks: here is one
            invalid_row_handler=broken,
        ),
        convert_options=pcsv.ConvertOptions(
            column_types=types,
            strings_can_be_null=bool(null_values),
            quoted_strings_can_be_null=False,
            null_values=list(null_values),
            check_utf8=False,
        ),
    )
