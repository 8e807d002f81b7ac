"""The chunks of resources as blocks of tables: rows gathered, hints attached, order kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from penstock.errors import RefusedError
from penstock.ports import Block
from penstock.schema.contract import Mode
from penstock.schema.disposition import Strategy, WriteMode
from penstock.sources.python.chunk import ROOM, Chunk
from penstock.sources.python.lane import Lane
from penstock.sources.python.mark import FileImport
from penstock.sources.python.template import is_function
from penstock.sources.python.validate import refusals
from penstock.sources.python.values import pieces

# Any throughout: rows are users' values

HELD_ROWS = 4 * ROOM


@dataclass(slots=True)
class _Buffer:
    lane: Lane
    rows: list[Any] = field(default_factory=list)


class Blocks:
    """Gathers rows into blocks of up to `ROOM`, for each table in the order in which they came.

    No more than `HELD_ROWS` rows are held for all tables together.
    """

    def __init__(self) -> None:
        self._buffers: dict[str, _Buffer] = {}
        self._held = 0
        self._given: set[str] = set()

    def add(self, lane: Lane, chunk: Chunk) -> Iterator[Block]:
        """Take in a chunk; gives the blocks that are full."""
        mark = chunk.mark
        if mark is not None:
            lane.heed(mark)
        table = mark.table if mark is not None and mark.table is not None else lane.table
        for piece in pieces(chunk.items, lane.where):
            if type(piece) is FileImport:
                yield from self._whole(lane, _name(lane, table, piece.path), piece.path, piece)
            elif type(piece) is not list:
                yield from self._whole(lane, _name(lane, table, piece), piece, piece)
            elif is_function(table):
                for name, rows in _by_table(lane, table, piece).items():
                    yield from self._rows(lane, name, rows)
            else:
                yield from self._rows(lane, table, piece)

    def refused(self, lane: Lane) -> Iterator[Block]:
        """The rows that a resource's model refused, for a table of their own."""
        validator = lane.validator
        if validator is None or not validator.refused:
            return
        table = lane.resource.name if is_function(lane.table) else lane.table
        rows = [{"row": r.row, "field": r.field, "reason": r.reason} for r in validator.take()]
        if validator.mode is Mode.QUARANTINE:
            hints = refusals(table)
            yield Block(hints.declared.name, rows, hints)

    def flush(self) -> Iterator[Block]:
        """Everything that is held."""
        for table in list(self._buffers):
            yield from self._flush(table)

    def empty(self, lane: Lane, *, anew: bool) -> Iterator[Block]:
        """A block without rows for a table that is to be replaced, and for which nothing came.

        All tables are if the source begins `anew`.
        """
        table = lane.table
        if is_function(table) or table in self._given or not _wanted(lane, table):
            return
        hints = lane.hints(table, None)
        written = hints.disposition if hints is not None else None
        if anew:
            yield Block(table, [], hints)
        if anew or written is None:
            return
        retires = written.strategy is Strategy.SCD2 and not written.merge_key
        replaces = written.mode is WriteMode.REPLACE and not written.overwrite
        if replaces or (written.mode is WriteMode.MERGE and retires):
            yield Block(table, [], hints)

    def _rows(self, lane: Lane, table: str, rows: list[Any]) -> Iterator[Block]:
        if not _wanted(lane, table):
            return
        buffer = self._buffers.get(table)
        if buffer is not None and buffer.lane is not lane:
            yield from self._flush(table)
        lane.hints(table, rows[0])
        at = 0
        while at < len(rows):
            buffer = self._buffers.setdefault(table, _Buffer(lane))
            part = rows[at : at + ROOM - len(buffer.rows)]
            buffer.rows += part
            at += len(part)
            self._held += len(part)
            if len(buffer.rows) == ROOM:
                yield from self._flush(table)
        while self._held > HELD_ROWS:
            fullest = max(self._buffers, key=lambda name: len(self._buffers[name].rows))
            yield from self._flush(fullest)

    def _flush(self, table: str) -> Iterator[Block]:
        buffer = self._buffers.pop(table, None)
        if buffer is None or not buffer.rows:
            return
        self._held -= len(buffer.rows)
        hints = buffer.lane.hints(table, buffer.rows[0])
        if hints is not None:
            self._given.add(table)
            yield Block(table, buffer.rows, hints)

    def _whole(self, lane: Lane, table: str, data: Any, item: Any) -> Iterator[Block]:
        if not _wanted(lane, table):
            return
        yield from self._flush(table)
        hints = lane.hints(table, item)
        if hints is not None:
            self._given.add(table)
            yield Block(table, data, hints)


def _wanted(lane: Lane, table: str) -> bool:
    tables = lane.resource.tables
    return tables is None or table in tables


def _by_table(lane: Lane, namer: Any, rows: list[Any]) -> dict[str, list[Any]]:
    """The rows by the table that a function sends them to."""
    found: dict[str, list[Any]] = {}
    for row in rows:
        found.setdefault(_name(lane, namer, row), []).append(row)
    return found


def _name(lane: Lane, table: Any, item: Any) -> str:
    """The table of an item. Raises: RefusedError if the function gives no name."""
    if not is_function(table):
        return str(table)
    name = lane.ask(table, item)
    if not isinstance(name, str) or not name:
        raise RefusedError(
            "`table_name` gave no name for a row", where=lane.where, found=repr(name), expected="text"
        )
    return name
