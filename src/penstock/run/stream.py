"""A file as a stream of judged batches: read once, parsed and checked on every core, in order.

The reading thread cuts the file into chunks and hashes it on the way; workers parse and judge
whole chunks; the answers come back in the order of the file. At most `threads + 2` chunks are in
flight, so memory does not depend on the file's size.
"""

from __future__ import annotations

import hashlib
import io
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias, cast

import pyarrow as pa

from penstock.gate.judge import Judge, open_bench
from penstock.gate.rules import rule_id
from penstock.gate.verdict import Action, Broken, Finding, Reject
from penstock.records.chunk import Chunk, Format, Growth, Parsed
from penstock.run.shape import Shape
from penstock.schema.contract import Mode
from penstock.schema.table import Table

if TYPE_CHECKING:
    import duckdb

Mark: TypeAlias = tuple[int, Action, tuple[Broken, ...]]
_MODES = {Mode.DISCARD_ROW: Action.DROP, Mode.QUARANTINE: Action.QUARANTINE}


class Bench:
    """The workers of a run: threads, and a rule engine cursor for each of them."""

    def __init__(self, threads: int) -> None:
        pa.set_memory_pool(pa.system_memory_pool())  # as fast as the others here, and gives memory back
        self.threads = threads
        self.engine = open_bench()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="penstock")
        self._local = threading.local()

    def submit(self, task: Callable[..., Any], *args: Any) -> Future[Any]:
        """Run `task(*args, cursor)` on a worker."""
        return self._pool.submit(lambda: task(*args, self._cursor()))

    def close(self) -> None:
        """Stop the workers; tasks that have not begun are dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self.engine.close()

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        if not hasattr(self._local, "cursor"):
            self._local.cursor = self.engine.cursor()
        return cast("duckdb.DuckDBPyConnection", self._local.cursor)


class HashingReader(io.RawIOBase):
    """A stream that hashes what is read from it. `drain` reads the rest for the hash's sake.

    A file on this machine may be read in any order; it is then hashed at the end, in one go.
    """

    def __init__(self, inner: BinaryIO) -> None:
        self.inner = inner
        self._hash = hashlib.sha256()
        self._sought = False
        self.size_bytes = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Whether reading twice costs next to nothing."""
        try:
            self.inner.fileno()
        except (AttributeError, OSError):
            return False
        return self.inner.seekable()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go elsewhere."""
        self._sought = True
        return self.inner.seek(offset, whence)

    def tell(self) -> int:
        """Where the next byte is read."""
        return self.inner.tell()

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes."""
        data = self.inner.read(size)
        if not self._sought:
            self._hash.update(data)
            self.size_bytes += len(data)
        return data

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def drain(self) -> str:
        """The SHA-256 (hex) of the whole stream."""
        if self._sought:
            self.inner.seek(0)
            self._hash, self.size_bytes, self._sought = hashlib.sha256(), 0, False
        while self.read(1 << 20):
            pass
        return self._hash.hexdigest()

    def close(self) -> None:
        """Nothing: readers above may close, and the rest must still be hashed."""


@dataclass(slots=True)
class Tally:
    """What has been counted of one file. Units: rows."""

    rows: int = 0
    accepted: int = 0
    dropped: int = 0
    quarantined: int = 0
    broken: Counter[str] = field(default_factory=Counter)
    discarded: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    sha256: str = ""
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """A judged chunk: good rows and rejects.

    `table` is what the chunk was read as. `places` are the offsets of the good rows from
    `first_row`; None: they follow each other.
    """

    batch: pa.RecordBatch
    table: Table
    first_row: int
    places: Sequence[int] | None
    rejects: tuple[Reject, ...]
    records: int
    counts: Mapping[str, int]
    discarded: Mapping[str, int]
    size_bytes: int

    def rows(self) -> list[int]:
        """The numbers of the good rows in their file."""
        places = range(self.batch.num_rows) if self.places is None else self.places
        return [self.first_row + place for place in places]


@dataclass(frozen=True, slots=True)
class Selection:
    """Rows that are treated apart: `refused` were found out by an earlier pass (row → rules broken
    and what becomes of it); `only` (if not None) are the rows that are wanted at all."""

    refused: Mapping[int, tuple[Action, tuple[Broken, ...]]] = field(default_factory=dict)
    only: frozenset[int] | None = None


EVERYTHING = Selection()


def stream(
    source: BinaryIO, format_: Format, shape: Shape, bench: Bench, selection: Selection
) -> Iterator[Piece]:
    """The file's chunks, judged, in order; `shape` grows on the way.

    Raises: RefusedError when the stream cannot be read on; ContractError for what is frozen.
    """
    pending: deque[tuple[Chunk, Table, Future[Any]]] = deque()

    def submit(chunk: Chunk) -> tuple[Chunk, Table, Future[Any]]:
        table = shape.reading
        return chunk, table, bench.submit(_work, chunk, format_, table, shape.judge, shape, selection)

    def settle() -> Piece:
        chunk, table, future = pending.popleft()
        while isinstance(result := future.result(), Growth):
            if table is shape.reading:  # else the table grew meanwhile: parse once more before asking
                shape.grow(result.seen)
            _, table, future = submit(chunk)
        return cast(Piece, result)

    try:
        for chunk in format_.split(source):
            pending.append(submit(chunk))
            if len(pending) > bench.threads + 1:
                yield settle()
        while pending:
            yield settle()
    finally:
        for _, _, future in pending:
            future.cancel()


def _work(
    chunk: Chunk,
    format_: Format,
    table: Table,
    judge: Judge,
    shape: Shape,
    selection: Selection,
    cursor: duckdb.DuckDBPyConnection,
) -> Piece | Growth:
    parsed = format_.parse(chunk, table, shape.flow.contract)
    if isinstance(parsed, Growth):
        return parsed
    judged = judge.judge(parsed.batch, cursor)
    marks: list[Mark] = [(b.offset, _action(b.mode, shape), (b.broken,)) for b in parsed.bad]
    marks += [(_offset(parsed, r.row), r.action, r.broken) for r in judged.refused]
    counts = Counter(judged.counts)
    counts.update(rule_id(b.broken.rule, b.broken.column) for b in parsed.bad)
    piece = Piece(
        judged.good,
        table,
        chunk.first_row,
        _places(parsed, judged.kept),
        _rejects(chunk, format_, marks),
        parsed.records,
        counts,
        parsed.discarded,
        chunk.size_bytes,
    )
    return piece if selection == EVERYTHING else _select(piece, selection, chunk, format_)


def _action(mode: Mode | None, shape: Shape) -> Action:
    return shape.flow.rows.on_unparsable if mode is None else _MODES[mode]


def _offset(parsed: Parsed, row: int) -> int:
    return row if parsed.offsets is None else parsed.offsets[row]


def _places(parsed: Parsed, kept: Sequence[int] | None) -> Sequence[int] | None:
    """The offsets of the good rows in their chunk; None: every record, in order."""
    if kept is None:
        return parsed.offsets
    return kept if parsed.offsets is None else [parsed.offsets[k] for k in kept]


def _rejects(chunk: Chunk, format_: Format, marks: list[Mark]) -> tuple[Reject, ...]:
    if not marks:
        return ()
    marks.sort(key=lambda mark: mark[0])
    raw = format_.raw(chunk, [offset for offset, _, _ in marks])
    return tuple(
        Reject(chunk.first_row + offset, action, broken, text)
        for (offset, action, broken), text in zip(marks, raw, strict=True)
    )


def _select(piece: Piece, selection: Selection, chunk: Chunk, format_: Format) -> Piece:
    """The piece without rows that an earlier pass refused, or that are not wanted."""
    numbers = piece.rows()
    refused = [n for n in numbers if n in selection.refused and _wanted(n, selection)]
    stay = [i for i, n in enumerate(numbers) if n not in selection.refused and _wanted(n, selection)]
    late = _rejects(chunk, format_, [(n - chunk.first_row, *selection.refused[n]) for n in refused])
    early = tuple(r for r in piece.rejects if _wanted(r.row, selection))
    rejects = tuple(sorted((*early, *late), key=lambda r: r.row))
    everything = selection.only is None
    counts = Counter(piece.counts) if everything else _counted(early)
    counts.update(_counted(late))
    return Piece(
        piece.batch.take(pa.array(stay, pa.int64())),
        piece.table,
        piece.first_row,
        [numbers[i] - piece.first_row for i in stay],
        rejects,
        piece.records if everything else len(stay) + len(rejects),
        counts,
        piece.discarded,
        piece.size_bytes,
    )


def _wanted(row: int, selection: Selection) -> bool:
    return selection.only is None or row in selection.only


def _counted(rejects: Sequence[Reject]) -> Counter[str]:
    return Counter(rule_id(b.rule, b.column) for r in rejects for b in r.broken)
