"""Batches that wait until another table has been written: in memory, and on disk once they are many."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any, cast

import pyarrow as pa

from penstock.run.landing import discard, full_disk, temporary

HELD_BYTES = 16 << 20


class Spool:
    """Record batches of one schema, read once in the order in which they were added."""

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema
        self.rows = 0
        self._held: list[pa.RecordBatch] = []
        self._held_bytes = 0
        self._file: IO[bytes] | None = None
        self._writer: Any = None  # Any: pyarrow is untyped

    def add(self, batch: pa.RecordBatch) -> None:
        """Take a batch. Raises: StoreError when the temporary folder is full."""
        if not batch.num_rows:
            return
        self.rows += batch.num_rows
        self._held.append(batch)
        self._held_bytes += batch.nbytes
        if self._held_bytes > HELD_BYTES:
            self._spill()

    def _spill(self) -> None:
        with full_disk():
            if self._file is None:
                self._file = temporary()
                self._writer = pa.ipc.new_stream(self._file, self.schema)
            for batch in self._held:
                self._writer.write_batch(batch)
        self._held.clear()
        self._held_bytes = 0

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        if self._file is not None:
            with full_disk():
                self._writer.close()
                self._file.seek(0)
            yield from pa.ipc.open_stream(cast(Any, self._file))
        yield from self._held

    def close(self) -> None:
        """Forget the batches."""
        self._held.clear()
        if self._file is not None:
            discard(self._file)
            self._file = None
