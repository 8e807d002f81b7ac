"""Parquet files in the making: rows in, staged parts out, with bounded memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from penstock.destinations.parquet_log import STAGING, Part
from penstock.destinations.parquet_names import part_key, partition_of
from penstock.errors import StoreError
from penstock.ports import Store

GROUP_BYTES = 64 << 20  # of Arrow memory, over all parts that are being written
OPEN_PARTS = 64
_SAMPLE_ROWS = 4096


@dataclass(frozen=True, slots=True)
class Writing:
    """How files are written. `level` None is the codec's own, and 1 for zstd.

    Units: `group_rows` of one row group, `file_bytes` of parquet from which a file is finished.
    """

    compression: str = "zstd"
    level: int | None = None
    group_rows: int = 262_144
    file_bytes: int = 256 << 20


@dataclass(slots=True)
class _Open:
    """A part that is being written: the rows that wait for a row group, and the file so far."""

    table: str
    path: str
    layout: str
    schema: Any  # Any: pyarrow is untyped
    waiting: list[Any] = field(default_factory=list)
    waiting_rows: int = 0
    waiting_bytes: int = 0
    rows: int = 0
    spool: BinaryIO | None = None
    writer: Any = None


class Parts:
    """The parts of one load. `spool` is a folder for files in the making; None: the system's."""

    def __init__(
        self, store: Store, load_id: str, template: str, writing: Writing, spool: Path | None
    ) -> None:
        self._store = store
        self._load_id = load_id
        self._template = template
        self._writing = writing
        self._spool = spool
        self._open: dict[tuple[str, str, str], _Open] = {}
        self._bytes = 0
        self._made = 0

    def add(self, table: str, layout: str, path: str, batch: Any) -> list[Part]:
        """Take rows of one table and hive path; returns the parts that were finished for room."""
        key = (table, layout, path)
        part = self._open.pop(key, None) or _Open(table, path, layout, batch.schema)
        self._open[key] = part  # last in the order: it was used just now
        part.waiting.append(batch)
        part.waiting_rows += batch.num_rows
        size = batch.nbytes
        part.waiting_bytes += size
        self._bytes += size
        if part.waiting_rows >= self._writing.group_rows:
            self._flush(part, keep=part.waiting_rows % self._writing.group_rows)
        elif self._bytes >= GROUP_BYTES:
            self._flush(max(self._open.values(), key=lambda p: p.waiting_bytes))
        if part.spool is not None and part.spool.tell() >= self._writing.file_bytes:
            return [self._finish(key)]
        written = [k for k, p in self._open.items() if p.spool is not None]
        return [self._finish(written[0])] if len(written) > OPEN_PARTS else []

    def finish(self, table: str | None = None) -> list[Part]:
        """Finish and stage all parts, or those of one table."""
        keys = [k for k in self._open if table is None or k[0] == table]
        return [self._finish(key) for key in keys]

    def abandon(self, table: str | None = None) -> None:
        """Forget what is not finished, or that of one table."""
        for key in [k for k in self._open if table is None or k[0] == table]:
            part = self._open.pop(key)
            self._bytes -= part.waiting_bytes
            if part.spool is not None:
                _drop(part.spool)

    @contextmanager
    def _spooling(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(
                "a parquet file could not be written",
                where=str(self._spool or tempfile.gettempdir()),
                found=error.strerror or str(error),
                hint="free some space there and run again; nothing of this load was kept",
            ) from error

    def _flush(self, part: _Open, keep: int = 0) -> None:
        """Write the rows that wait as row groups, but the last few to `keep` for the next one."""
        waiting = pa.Table.from_batches(part.waiting, part.schema)
        rows, kept = waiting.slice(0, waiting.num_rows - keep), waiting.slice(waiting.num_rows - keep)
        with self._spooling():
            if part.spool is None:
                spool = tempfile.TemporaryFile(dir=self._spool)  # noqa: SIM115  # closed in _finish
                part.spool = cast(BinaryIO, spool)
                settings = _settings(rows, self._writing)
                part.writer = pq.ParquetWriter(part.spool, part.schema, **settings)
            part.writer.write_table(rows, row_group_size=self._writing.group_rows)
        part.rows += rows.num_rows
        left = int(kept.nbytes)
        self._bytes += left - part.waiting_bytes
        part.waiting, part.waiting_rows, part.waiting_bytes = kept.to_batches(), kept.num_rows, left

    def _finish(self, key: tuple[str, str, str]) -> Part:
        part = self._open[key]
        if part.waiting:
            self._flush(part)
        del self._open[key]
        assert part.spool is not None
        try:
            with self._spooling():
                part.writer.close()
                part.spool.seek(0)
            self._made += 1
            final = part_key(self._template, part.table, part.path, self._load_id, self._made)
            staged = f"{STAGING}{self._load_id}/{self._made:05}.parquet"
            put = self._store.create(staged, part.spool)
        finally:
            _drop(part.spool)
        return Part(
            part.table,
            final,
            staged,
            part.rows,
            put.size_bytes,
            put.sha256,
            part.layout,
            partition_of(part.path),
        )


def _drop(spool: BinaryIO) -> None:
    """Close a file that is not needed any more; what it still had to write may be lost."""
    with suppress(OSError):
        spool.close()


def _settings(rows: Any, writing: Writing) -> dict[str, Any]:
    """How to encode a table, told from its first rows.

    Dictionaries only where values repeat, differences for whole numbers and times: together a
    third less CPU and a tenth less size than the defaults, and every reader knows these encodings.
    Texts outside of a dictionary have no statistics: where these show one value only, DuckDB 2.0
    answers `IS NULL` with rows that hold that value.
    """
    sample = rows.slice(0, _SAMPLE_ROWS).combine_chunks()
    dictionary: list[str] = []
    encoding: dict[str, str] = {}
    statistics: list[str] = []
    taken: set[str] = set()
    for name in rows.column_names:
        for path, values in _leaves(name, sample.column(name)):
            if path in taken:  # a column called `a.b` beside a field b of a: leave both as they are
                encoding.pop(path, None)
            elif _repeats(values):
                dictionary.append(path)
            elif _counts(values.type):
                encoding[path] = "DELTA_BINARY_PACKED"
            if path in dictionary or not _is_bytes(values.type):
                statistics.append(path)
            taken.add(path)
    settings: dict[str, Any] = {"compression": writing.compression, "use_dictionary": dictionary}
    settings["write_statistics"] = statistics or False
    level = writing.level or (1 if writing.compression == "zstd" else None)
    if level is not None:
        settings["compression_level"] = level
    return settings | ({"column_encoding": encoding} if encoding else {})


def _leaves(path: str, values: Any) -> list[tuple[str, Any]]:
    if pa.types.is_list(values.type):
        return _leaves(f"{path}.list.element", pc.list_flatten(values))
    if pa.types.is_struct(values.type):
        fields = [values.type.field(i).name for i in range(values.type.num_fields)]
        return [
            leaf
            for i, n in enumerate(fields)
            for leaf in _leaves(f"{path}.{n}", pc.struct_field(values, [i]))
        ]
    return [(path, values)]


def _repeats(values: Any) -> bool:
    if pa.types.is_boolean(values.type):
        return False
    return bool(pc.count_distinct(values).as_py() * 2 < len(values) - values.null_count)


def _is_bytes(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_binary(kind))


def _counts(kind: Any) -> bool:
    wide = pa.types.is_temporal(kind) or pa.types.is_integer(kind)
    return bool(wide and kind.bit_width >= 32)
