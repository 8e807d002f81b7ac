"""JSON lines as rows, strictly: every record is read against the table's types, none is sampled.

A chunk is parsed at once by `pyarrow.json` with the table's schema (`records.wire`). A chunk that
fails is cut into pieces, and only failing pieces are read line by line (`records.salvage`), to
find which records are bad and why, or what the table must grow by.

A record's number is the number of its line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO

from penstock.errors import RefusedError
from penstock.records.chunk import Chunk, Growth, Parsed
from penstock.records.salvage import Salvage
from penstock.records.wire import read_lines, wire_of
from penstock.schema.contract import Contract
from penstock.schema.table import Table

CHUNK_BYTES = 6 << 20
MAX_LINE_BYTES = 256 << 20
BOM = b"\xef\xbb\xbf"


class JsonlFormat:
    """One JSON object a line, UTF-8."""

    def __init__(self, chunk_bytes: int = CHUNK_BYTES, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self.chunk_bytes = chunk_bytes
        self.max_line_bytes = max_line_bytes

    def split(self, stream: BinaryIO) -> Iterator[Chunk]:
        """Cut a stream into runs of whole lines.

        Raises: RefusedError for a line longer than `max_line_bytes`.
        """
        parts: list[bytes] = []
        row, held, first = 1, 0, True
        while block := stream.read(self.chunk_bytes):
            if first:
                block, first = block.removeprefix(BOM), False
            end = block.rfind(b"\n") + 1
            if end:
                data = b"".join([*parts, memoryview(block)[:end]]) if parts else block[:end]
                lines = data.count(b"\n")
                yield Chunk(row, data, len(data), lines)
                row += lines
                parts, held = [], 0
            if end < len(block):
                parts.append(block[end:])
                held += len(block) - end
                self._bound(held, row)
        if parts:
            yield Chunk(row, b"".join(parts), held, 1)

    def parse(self, chunk: Chunk, table: Table, contract: Contract) -> Parsed | Growth:
        """The chunk's records as rows of `table`, or what the table must grow by first."""
        data: bytes = chunk.data
        wire = wire_of(table)
        if table.columns and not wire.raw_json and not wire.needs_care(data):
            read = read_lines(data, wire, chunk.lines)
            if read is not None and not read.suspects:
                return Parsed(read.batch, read.offsets, read.batch.num_rows)
        return Salvage(table, contract, wire, chunk.first_row).parse(data)

    def raw(self, chunk: Chunk, offsets: Sequence[int]) -> list[bytes]:
        """The text of some lines, without their line ends."""
        lines: list[bytes] = chunk.data.split(b"\n")
        return [lines[i].rstrip(b"\r") for i in offsets]

    def _bound(self, held: int, row: int) -> None:
        if held > self.max_line_bytes:
            raise RefusedError(
                "a line is too long to be one record",
                where=f"line {row:,}",
                found=f"more than {self.max_line_bytes:,} bytes without a line end",
                hint="is this really JSON lines, one object a line?",
            )
