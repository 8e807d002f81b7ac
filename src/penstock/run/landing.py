"""Files in the making: what a producer yields becomes landed files, whole or not at all.

A landing is marked before its first file and the mark is taken away after its last: a landing that
still has its mark is not there, and the next run removes what it left. Each table has one file open at
a time. Records are written as JSON lines, Arrow data as parquet, and a file that was yielded lands as
it is; the order in which they came is the order of the files.
"""

from __future__ import annotations

import gzip
import io
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, BinaryIO, Protocol, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from penstock.errors import NotFoundError, StoreError
from penstock.layers import land_key, open_key, slip_key
from penstock.ledger import Refresh, Slip
from penstock.ports import Block
from penstock.records.encode import Encoder
from penstock.report.facts import FileDone, Phase, Progress
from penstock.run.flow import Flow
from penstock.run.shelf import slip_bytes
from penstock.schema.hints import Hints, hints_to_json
from penstock.schema.table import Table
from penstock.schema.types import DataType

GZIP_LEVEL = 1  # a fifth more bytes than the default, for a third of its time
EMPTY = "jsonl.gz"  # of a file without rows: without a frame around it, it would have no bytes at all
GROUP_ROWS = 1 << 17
SAMPLE_ROWS = 1 << 13
FEW_BYTES = 1 << 16  # records of a table that are held in memory
MOST_OPEN = 256
GROUP_BYTES = 1 << 25


class Making:
    """One landing of one or several tables. `taken` are keys that are in use.

    `refresh` says what the landing takes the place of, and `known` which tables there are.
    """

    def __init__(
        self,
        flow: Flow,
        landed_at: int,
        taken: frozenset[str],
        refresh: Refresh | None = None,
        known: Collection[str] = (),
    ) -> None:
        self.flow = flow
        self.refresh = refresh
        self.landed_at = landed_at
        self.landed: dict[str, str] = {}
        self._taken = taken
        self._known = known
        self._open: dict[str, _File] = {}
        self._done: dict[str, _File] = {}
        self._parts: dict[str, int] = {}
        self._hints: dict[str, Hints] = {}
        self._marked = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing was added."""
        return not self._marked

    def add(self, block: Block) -> None:
        """Take a block in. Raises: RefusedError for a row that cannot be written; StoreError."""
        block = replace(block, table=self.flow.name_of(block.table))
        if block.hints is not None:
            self._hints[block.table] = block.hints
        if isinstance(block.data, Path):
            imported = _Imported(block.data)
            self._next(block.table, lambda: imported)
            self.flow.observe(Progress(self.flow.pipeline, Phase.LAND, imported.size_bytes, 0))
            return
        if not len(block.data):
            self._add_nothing(block)
            return
        file = self._open.get(block.table)
        if file is None or not file.takes(block.data):
            file = self._next(block.table, lambda: self._begin(block))
        size = file.write(block.data)
        self.flow.observe(Progress(self.flow.pipeline, Phase.LAND, size, len(block.data)))
        if file.size_bytes >= self.flow.landing.file_bytes:
            self._close(block.table)
        if len(self._open) + len(self._done) >= MOST_OPEN:
            self._make_room()

    def _add_nothing(self, block: Block) -> None:
        """An empty file empties a table that is refreshed, or takes each landing for the whole of it."""
        there = {*self._open, *self._done, *self._parts}
        if block.table in there:
            return
        refreshed = self.refresh is not None and block.table in self._known
        if refreshed or self.flow.table(block.table, block.hints).disposition.counts_when_empty:
            self._next(block.table, lambda: _Lines(block.table, EMPTY))

    def finish(self, state: str | None) -> dict[str, str]:
        """Land what is open, with the state in the last slip; then the landing is there.

        Returns: the SHA-256 of each landed file by key.
        """
        for table in list(self._open):
            self._close(table)
        last = list(self._done)[-1:]
        for table, file in list(self._done.items()):
            part = self._parts.get(table)
            self._land(table, file, part, state if [table] == last else None)
        self._done.clear()
        if self._marked:
            self.flow.land.delete(open_key(self.flow.dataset, self.landed_at))
        return self.landed

    def drop(self) -> None:
        """Let go of files in the making; what has landed of them is removed by the next run."""
        for file in (*self._open.values(), *self._done.values()):
            file.close()
        self._open.clear()
        self._done.clear()

    # --------------------------------------------------------------------------------- files

    def _begin(self, block: Block) -> _File:
        if isinstance(block.data, pa.Table | pa.RecordBatch):
            return _Parquet(block.data.schema)
        return _Lines(block.table, self.flow.landing.extension)

    def _next(self, table: str, begin: Callable[[], _File]) -> _File:
        """Open a further file of a table, after the one that is open."""
        self._mark()
        self._close(table)
        file = self._open[table] = begin()
        return file

    def _make_room(self) -> None:
        """Land the largest of the files on disk if there are too many, so that any number of tables may be
        made at once."""
        files = {**self._done, **self._open}
        on_disk = [name for name, file in files.items() if file.is_on_disk]
        if len(on_disk) >= MOST_OPEN:
            table = max(on_disk, key=lambda name: files[name].size_bytes)
            self._close(table)
            self._land_part(table)

    def _close(self, table: str) -> None:
        """Finish the open file of a table. The first of several lands when a second one follows."""
        file = self._open.get(table)
        if file is None:
            return
        file.finish()
        if table in self._done:
            self._land_part(table)
        self._done[table] = self._open.pop(table)

    def _land_part(self, table: str) -> None:
        """Land the finished file of a table, which others may follow."""
        part = self._parts.get(table, 0)
        self._land(table, self._done[table], part, None)
        del self._done[table]
        self._parts[table] = part + 1

    def _mark(self) -> None:
        if not self._marked:
            self.flow.land.replace(open_key(self.flow.dataset, self.landed_at), b"{}\n")
            self._marked = True

    def _land(self, table: str, file: _File, part: int | None, state: str | None) -> None:
        flow = self.flow
        key = land_key(flow.dataset, table, self.landed_at, file.extension, part)
        while key in self._taken or key in self.landed:
            part = 0 if part is None else part + 1
            key = land_key(flow.dataset, table, self.landed_at, file.extension, part)
        slip = Slip(
            key,
            "",
            0,
            self.landed_at,
            state=state,
            hints=self._said(table, file.seen),
            refresh=self.refresh,
            gone=flow.landing.gone,
        )
        flow.land.replace(slip_key(key), slip_bytes(slip))
        try:
            put = flow.land.create(key, file.stream())
        finally:
            file.close()
        self.landed[key] = put.sha256
        flow.observe(FileDone(flow.pipeline, Phase.LAND, table, key))

    def _said(self, table: str, seen: Mapping[str, DataType]) -> str | None:
        said = self._hints.get(table)
        if said is None and not seen:
            return None
        base = said or Hints(Table(table))
        return hints_to_json(replace(base, seen={**base.seen, **seen}))


class _File(Protocol):
    """A file in the making. Units: `size_bytes` as written so far, uncompressed."""

    extension: str
    size_bytes: int

    @property
    def is_on_disk(self) -> bool:
        """Whether it holds a file open."""
        ...

    @property
    def seen(self) -> Mapping[str, DataType]:
        """The types that the file's text does not show."""
        ...

    def takes(self, data: Any) -> bool:
        """Whether more data can follow in this file."""
        ...

    def write(self, data: Any) -> int:
        """Write data; returns its bytes."""
        ...

    def finish(self) -> None:
        """Write what is left."""
        ...

    def stream(self) -> BinaryIO:
        """The finished file from its beginning."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class _Lines:
    """JSON lines, in memory while they are few, then in a temporary file."""

    def __init__(self, table: str, extension: str) -> None:
        self.extension = extension
        self.size_bytes = 0
        self._encoder = Encoder(table)
        self._held: list[bytes] = []
        self._file: IO[bytes] | None = None
        self._out: Any = None  # Any: one of three kinds of streams

    @property
    def is_on_disk(self) -> bool:
        return self._file is not None

    @property
    def seen(self) -> Mapping[str, DataType]:
        return self._encoder.seen

    def takes(self, data: Any) -> bool:
        return not isinstance(data, pa.Table | pa.RecordBatch)

    def write(self, data: Sequence[Mapping[str, Any]]) -> int:
        lines = self._encoder.lines(data)
        self._held.append(lines)
        self.size_bytes += len(lines)
        if self.size_bytes > FEW_BYTES:
            self._flush(temporary)
        return len(lines)

    def _flush(self, made: Callable[[], IO[bytes]]) -> None:
        if self._file is None:
            self._file = made()
            self._out = _compressed(self._file, self.extension)
        with full_disk():
            for lines in self._held:
                self._out.write(lines)
        self._held.clear()

    def finish(self) -> None:
        self._flush(io.BytesIO)
        assert self._file is not None
        with full_disk():
            if self._out is not self._file:
                self._out.close()
            self._file.flush()

    def stream(self) -> BinaryIO:
        assert self._file is not None
        self._file.seek(0)
        return cast(BinaryIO, self._file)

    def close(self) -> None:
        if self._file is not None:
            discard(self._file)


class _Parquet:
    """Arrow data of one schema in a temporary parquet file."""

    extension = "parquet"
    is_on_disk = True
    seen: Mapping[str, DataType] = {}

    def __init__(self, schema: pa.Schema) -> None:
        self.size_bytes = 0
        self._schema = schema
        self._temporary = temporary()
        self._held: list[pa.RecordBatch] = []
        self._held_rows = self._held_bytes = 0
        self._writer: Any = None  # Any: pyarrow is untyped

    def takes(self, data: Any) -> bool:
        return isinstance(data, pa.Table | pa.RecordBatch) and data.schema.equals(self._schema)

    def write(self, data: pa.Table | pa.RecordBatch) -> int:
        size = int(data.nbytes)
        self._held.extend(data.to_batches() if isinstance(data, pa.Table) else [data])
        self._held_rows, self._held_bytes = self._held_rows + data.num_rows, self._held_bytes + size
        if self._held_rows >= GROUP_ROWS or self._held_bytes >= GROUP_BYTES:
            self._flush()
        self.size_bytes += size
        return size

    def _flush(self) -> None:
        if self._held:
            rows = pa.Table.from_batches(self._held, self._schema)
            with full_disk():
                self._opened(rows).write_table(rows)
        self._held.clear()
        self._held_rows = self._held_bytes = 0

    def _opened(self, rows: pa.Table) -> Any:
        """The writer, told by the first rows which columns repeat their values."""
        if self._writer is None:
            repeated = [n for n, c in zip(rows.column_names, rows.columns, strict=True) if _repeats(c)]
            self._writer = pq.ParquetWriter(
                self._temporary,
                self._schema,
                compression="zstd",
                use_dictionary=repeated or False,
                write_statistics=False,
            )
        return self._writer

    def finish(self) -> None:
        self._flush()
        with full_disk():
            self._opened(self._schema.empty_table()).close()
            self._temporary.flush()

    def stream(self) -> BinaryIO:
        self._temporary.seek(0)
        return cast(BinaryIO, self._temporary)

    def close(self) -> None:
        if self._writer is not None:
            discard(self._writer)
        discard(self._temporary)


def _repeats(column: Any) -> bool:
    """Whether a dictionary pays: texts of which at most one in four is new, by the first few thousand."""
    kind = column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind)):
        return False
    sample = column.slice(0, SAMPLE_ROWS)
    return len(pc.unique(sample)) * 4 <= len(sample)


class _Imported:
    """A file that was yielded: it lands byte for byte."""

    is_on_disk = False
    seen: Mapping[str, DataType] = {}

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream: BinaryIO | None = None
        self.size_bytes = path.stat().st_size if path.is_file() else 0
        self.extension = path.name.partition(".")[2] or "data"

    def takes(self, data: Any) -> bool:  # noqa: ARG002 - another file's data never follows
        return False

    def write(self, data: Any) -> int:  # noqa: ARG002
        return 0

    def finish(self) -> None:
        """Nothing: it was finished by whoever made it."""

    def stream(self) -> BinaryIO:
        try:
            self._stream = self._path.open("rb")
        except FileNotFoundError as error:
            raise NotFoundError("a file to import is not there", where=str(self._path)) from error
        except OSError as error:
            raise StoreError(
                "a file to import cannot be read", where=str(self._path), found=error.strerror
            ) from error
        return self._stream

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()


def temporary() -> IO[bytes]:
    """A file without a name, gone when it is closed. Raises: StoreError."""
    with full_disk():
        return tempfile.TemporaryFile(prefix="penstock-")


def discard(file: Any) -> None:  # Any: a file, or something that writes to one
    """Close a temporary file that nobody reads any more."""
    with suppress(OSError):  # what it still had to write is not needed
        file.close()


class full_disk:  # noqa: N801 - used as a word in a `with` statement
    """Turns the system's refusals into a StoreError that names the temporary folder."""

    def __enter__(self) -> None:
        """Nothing."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Tell what the system said."""
        if isinstance(error, OSError):
            raise StoreError(
                "a temporary file cannot be written",
                where=tempfile.gettempdir(),
                found=error.strerror or str(error),
                hint="free some space there, or name another folder in the variable TMPDIR",
            ) from error


def _compressed(target: IO[bytes], extension: str) -> Any:  # Any: three kinds of streams
    if extension.endswith(".gz"):
        return gzip.GzipFile("", "wb", GZIP_LEVEL, cast(Any, target), mtime=0)
    if extension.endswith(".zst"):
        return pa.CompressedOutputStream(pa.PythonFile(_Unclosed(target), "w"), "zstd")
    return target


class _Unclosed(io.RawIOBase):
    """A stream that stays open when the one above it is closed."""

    def __init__(self, inner: IO[bytes]) -> None:
        self._inner = inner

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return int(self._inner.write(data) or 0)
