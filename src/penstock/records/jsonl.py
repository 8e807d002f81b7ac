"""JSON lines as rows, strictly: every record is read against the table's types, none is sampled.

A chunk is parsed at once by `pyarrow.json` with the table's schema (`records.wire`). A chunk that
fails is cut into pieces, and only failing pieces are read line by line (`records.salvage`), to
find which records are bad and why, or what the table must grow by.

A record's number is the number of its line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO

from penstock.errors import RefusedError
from penstock.records.chunk import Chunk, Growth, Parsed
from penstock.records.salvage import Salvage
from penstock.records.wire import read_lines, wire_of
from penstock.schema.contract import Contract, rule_on
from penstock.schema.table import Table
from penstock.schema.types import DataType, merge

CHUNK_BYTES = 6 << 20
MAX_LINE_BYTES = 256 << 20
BOM = b"\xef\xbb\xbf"


class JsonlFormat:
    """One JSON object a line, UTF-8.

    `seen` are types that whoever wrote the lines said the values have, such as instants, whose text
    does not show it. They are a floor under what the lines show, where nothing is declared.
    """

    def __init__(
        self,
        chunk_bytes: int = CHUNK_BYTES,
        max_line_bytes: int = MAX_LINE_BYTES,
        seen: Mapping[str, DataType] | None = None,
    ) -> None:
        self.seen = seen or {}
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
        if unheard := self._unheard(table, contract):
            return Growth(unheard)
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

    def _unheard(self, table: Table, contract: Contract) -> Mapping[str, DataType]:
        """What was said of the values and the table does not hold yet, as far as its contract allows."""
        if not self.seen:
            return {}
        known = {c.name: c for c in table.columns}
        fresh = {
            name: kind
            for name, kind in self.seen.items()
            if name not in known
            or (not known[name].declared and merge(known[name].type, kind) != known[name].type)
        }
        return rule_on(table, contract, fresh).grow

    def _bound(self, held: int, row: int) -> None:
        if held > self.max_line_bytes:
            raise RefusedError(
                "a line is too long to be one record",
                where=f"line {row:,}",
                found=f"more than {self.max_line_bytes:,} bytes without a line end",
                hint="is this really JSON lines, one object a line?",
            )
