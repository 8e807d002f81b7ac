"""CSV as rows, strictly: every record is accounted for, and every cell is looked at.

`records.csv_cut` finds where records end and takes broken lines out; Arrow's reader makes the rest
columns of text; `parse` casts those to the table's types. A record with too few or too many cells, a
line whose quotes are broken and bytes that are not UTF-8 make the record bad, and lose nothing: its
text comes along.

Records count from 1 after the header; blank lines and skipped ones do not count. An unquoted cell
that is one of `null_values` is null; a quoted one is null too, except in columns of text, where
`""` is an empty text. An empty name in the header becomes `column_<position>`; a name that comes
twice is refused.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from penstock.records.broken import Broken
from penstock.records.cast import cast_text, widen
from penstock.records.chunk import UNPARSABLE, Bad, Chunk, Growth, Parsed
from penstock.records.csv_cut import Cut, Cutter, unused_mark
from penstock.records.csv_header import CsvDialect, marks_of, read_cells, read_header
from penstock.records.infer import infer, widest
from penstock.records.settle import Fit, Rows, present, settle
from penstock.records.transcode import open_utf8
from penstock.schema import types as t
from penstock.schema.contract import Contract, Mode, mode_for_type
from penstock.schema.table import Column, Table

# pyarrow ships no types: its values are Any in this module.
CHUNK_BYTES = 4 << 20
RECORD_BYTES = 64 << 20
NOT_UTF8 = "bytes that are not UTF-8"
_INVALID = re.compile(rb"\xed[\xb2\xb3][\x80-\xbf]")  # a byte that surrogateescape stands for

__all__ = ["Cells", "CsvDialect", "CsvFormat"]


@dataclass(frozen=True, slots=True)
class Cells:
    """A chunk of CSV as columns of text.

    `places` are the offsets in the chunk of the batch's rows, None if all records could be read;
    `broken` has the text and the fault of the others, by offset.
    """

    batch: Any
    places: Sequence[int] | None = None
    broken: Mapping[int, tuple[bytes, str]] = field(default_factory=dict)


class CsvFormat:
    """Comma-separated values of one dialect.

    Units: `chunk_bytes` is about the size of a chunk; a quoted cell that is still open after
    `record_bytes` is taken for one that never closes.
    """

    def __init__(
        self,
        dialect: CsvDialect | None = None,
        chunk_bytes: int = CHUNK_BYTES,
        record_bytes: int = RECORD_BYTES,
    ) -> None:
        self.dialect = dialect or CsvDialect()
        self.marks = marks_of(self.dialect)
        self.chunk_bytes = chunk_bytes
        self.record_bytes = record_bytes
        self._nulls = pa.array(sorted({*self.dialect.null_values, ""}), pa.string())

    def split(self, stream: BinaryIO) -> Iterator[Chunk]:
        """Cut a stream into runs of whole records, as columns of text.

        Raises: RefusedError when the header cannot be read or the encoding does not fit.
        """
        content = open_utf8(stream, self.dialect.encoding)
        cutter = Cutter(self.marks, self.chunk_bytes, self.record_bytes)
        names, held = read_header(content, cutter, self.dialect)
        cutter.stand_in = self.marks.delimiter * len(names)
        row = 1
        for cut in cutter.cut(content, held):
            cells = self._read(cut, names)
            if records := cells.batch.num_rows + len(cells.broken):
                yield Chunk(row, cells, cut.size_bytes)
                row += records

    def parse(self, chunk: Chunk, table: Table, contract: Contract) -> Parsed | Growth:
        """The chunk's records as rows of `table`, or what the table must grow by first.

        Raises: ContractError when the chunk brings what the contract freezes.
        """
        cells: Cells = chunk.data
        bad = tuple(Bad(place, Broken(UNPARSABLE, None, why)) for place, (_, why) in cells.broken.items())
        rows = Rows(chunk.first_row, cells.batch.num_rows, cells.places, bad)
        fits = {
            name: self._fit(column, table.column(name), table, contract)
            for name, column in zip(cells.batch.schema.names, cells.batch.columns, strict=True)
        }
        return settle(rows, fits, table, contract)

    def raw(self, chunk: Chunk, offsets: Sequence[int]) -> list[bytes]:
        """Some records as lines of UTF-8 CSV, without line ends.

        A record that could not be read comes as it was; the others are written anew from their cells.
        """
        cells: Cells = chunk.data
        lines = {place: cells.broken[place][0] for place in offsets if place in cells.broken}
        sound = [place for place in offsets if place not in lines]
        rows = sound if cells.places is None else [bisect_left(cells.places, place) for place in sound]
        taken = cells.batch.take(pa.array(rows, pa.int64()))
        for i, place in enumerate(sound):
            lines[place] = self._line([column[i].as_py() for column in taken.columns]).encode()
        return [lines[place] for place in offsets]

    # ------------------------------------------------------------------------------ bytes to text

    def _read(self, cut: Cut, names: list[str]) -> Cells:
        data, mark = _valid(cut.data)
        found: list[tuple[int, str, int]] = []

        def handle(record: Any) -> str:
            found.append((record.number - 1, record.text, record.actual_columns))
            return "skip"

        texts = read_cells(data, self.marks, names, self.dialect.null_values, handle)
        batch = _one_batch(texts)
        broken: dict[int, tuple[bytes, str]] = {}
        lines = iter(cut.broken)
        stand_in = (cut.mark + self.marks.delimiter * len(names)).decode()
        for place, text, count in found:
            if cut.mark and text == stand_in:
                broken[place] = next(lines)
            else:
                why = f"{count} cells where {len(names)} are expected"
                broken[place] = (_restored(text.encode(), mark), why)
        if not broken and not mark:
            return Cells(batch)
        places = [place for place in range(batch.num_rows + len(broken)) if place not in broken]
        return self._without_invalid(Cells(batch, places, broken), mark)

    def _without_invalid(self, cells: Cells, mark: bytes) -> Cells:
        """The cells without the records that hold bytes that are not UTF-8."""
        if not mark:
            return cells
        assert cells.places is not None
        marked: set[int] = set()
        for column in cells.batch.columns:
            marked.update(pc.indices_nonzero(pc.match_substring(column, mark.decode())).to_pylist())
        broken = dict(cells.broken)
        for row in marked:
            line = self._line([column[row].as_py() for column in cells.batch.columns]).encode()
            broken[cells.places[row]] = (_restored(line, mark), NOT_UTF8)
        stay = [row for row in range(cells.batch.num_rows) if row not in marked]
        batch = cells.batch.take(pa.array(stay, pa.int64()))
        return Cells(batch, [cells.places[row] for row in stay], dict(sorted(broken.items())))

    def _line(self, cells: Sequence[str | None]) -> str:
        return self.dialect.delimiter.join([self._cell(cell) for cell in cells])

    def _cell(self, cell: str | None) -> str:
        dialect = self.dialect
        if cell is None:
            return "" if "" in dialect.null_values else dialect.null_values[0]
        plain = cell not in dialect.null_values and not any(
            mark in cell for mark in (dialect.delimiter, dialect.quote, "\n", "\r") if mark
        )
        if dialect.escape:
            cell = cell.replace(dialect.escape, dialect.escape * 2)
        if plain or not dialect.quote:
            return cell
        return dialect.quote + cell.replace(dialect.quote, dialect.quote * 2) + dialect.quote

    # ------------------------------------------------------------------------------ text to values

    def _fit(self, cells: Any, known: Column | None, table: Table, contract: Contract) -> Fit:
        if known is None or known.type == t.NULL:
            return Fit(cells, None, present(cells), infer(cells))
        if known.type == t.TEXT:
            return Fit(cells, cells)
        if known.type == t.JSON and not known.declared:
            return Fit(cells, widen(cells, t.JSON)[0])
        values, misfits = cast_text(cells, known.type, guessed=not known.declared)
        if misfits:
            misfits = self._without_nulls(cells, misfits)
        if not misfits:
            return Fit(cells, values)
        evolves = mode_for_type(table, contract, known.name) is Mode.EVOLVE
        kind = widest(known.type, cells, misfits) if evolves else t.merge(known.type, t.TEXT)
        return Fit(cells, values, misfits, kind)

    def _without_nulls(self, cells: Any, misfits: Sequence[int]) -> Sequence[int]:
        """The misfits that are no quoted null value."""
        words = pc.is_in(cells.take(pa.array(misfits, pa.int64())), self._nulls).to_pylist()
        return [place for place, is_null in zip(misfits, words, strict=True) if not is_null]


def _one_batch(table: Any) -> Any:
    batches = table.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)


def _valid(data: bytes) -> tuple[bytes, bytes]:
    """The data as valid UTF-8, and the mark before the hex of bytes that are not; empty if all are."""
    if data.isascii():
        return data, b""
    try:
        data.decode()
    except UnicodeDecodeError:
        mark = unused_mark(data)
        escaped = data.decode("utf-8", "surrogateescape").encode("utf-8", "surrogatepass")
        return _INVALID.sub(lambda m: mark + _hex(m[0]), escaped), mark
    return data, b""


def _hex(stand_in: bytes) -> bytes:
    return b"%02x" % (ord(stand_in.decode("utf-8", "surrogatepass")) - 0xDC00)


def _restored(line: bytes, mark: bytes) -> bytes:
    if not mark:
        return line
    return re.sub(re.escape(mark) + b"([0-9a-f]{2})", lambda m: bytes([int(m[1], 16)]), line)
