"""Quarantined rows on their way to the quarantine: gathered in a temporary file, published whole.

Shape of a quarantine file (parquet): file, row (from 1), action, broken (a list of rule,
column, value), raw (the record as it came), load_id.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from penstock.errors import StoreError
from penstock.gate.verdict import Reject
from penstock.ports import Put, Store

if TYPE_CHECKING:  # loading it takes longer than most builds, which set nothing aside
    import pyarrow as pa


@cache
def _schema() -> pa.Schema:
    import pyarrow as pa

    text = pa.string()
    broken = pa.list_(pa.struct([("rule", text), ("column", text), ("value", text)]))
    kinds = {"file": text, "row": pa.int64(), "action": text, "broken": broken, "raw": pa.binary()}
    return pa.schema([*kinds.items(), ("load_id", text)])


@contextmanager
def _on_disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            "quarantined rows cannot be written to the temporary folder",
            found=error.strerror or str(error),
            hint="free some space there, or point TMPDIR to another folder; then run again",
        ) from error


class RejectFile:
    """The quarantined rows of one file. Bounded memory: rows go to disk as they come."""

    def __init__(self, key: str, load_id: str) -> None:
        self.key = key
        self.load_id = load_id
        self.rows = 0
        self._file: Any = None  # Any: a temporary file
        self._writer: Any = None  # Any: pyarrow is untyped
        self._held: list[Reject] = []

    def add(self, rejects: Sequence[Reject]) -> None:
        """Take rows in."""
        self._held.extend(rejects)
        self.rows += len(rejects)
        if len(self._held) >= 4096:
            self._flush()

    def publish(self, store: Store, key: str) -> Put:
        """Write the rows to a store. Raises: StoreError; ConflictError when `key` exists."""
        self._flush()
        with _on_disk():
            self._writer.close()
            self._file.seek(0)
        return store.create(key, cast(BinaryIO, self._file))

    def close(self) -> None:
        """Forget the rows."""
        if self._file is not None:
            with suppress(OSError):  # what it still had to write is not needed
                self._file.close()

    def _flush(self) -> None:
        held, self._held = self._held, []
        with _on_disk():
            if self._writer is None:
                import pyarrow.parquet as pq

                self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
                self._writer = pq.ParquetWriter(
                    self._file, _schema(), compression="zstd", compression_level=1
                )
            self._writer.write_batch(self._batch(held))

    def _batch(self, rejects: list[Reject]) -> pa.RecordBatch:
        import pyarrow as pa

        schema = _schema()
        broken = [[{"rule": b.rule, "column": b.column, "value": b.value} for b in r.broken] for r in rejects]
        columns = [
            pa.array([self.key] * len(rejects), pa.string()),
            pa.array([r.row for r in rejects], pa.int64()),
            pa.array([r.action.value for r in rejects], pa.string()),
            pa.array(broken, schema.field("broken").type),
            pa.array([r.raw for r in rejects], pa.binary()),
            pa.array([self.load_id] * len(rejects), pa.string()),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=schema)
