"""The rows of a load while it is in the making: on disk, as they came, until all is known of their tables.

A target cannot take back what it was told. So nothing is told before the load is to become true, and then
every table has one shape, that of its end.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from penstock.errors import StoreError
from penstock.ports import Batches
from penstock.schema.types import DataType

# Any throughout: pyarrow is untyped


@dataclass
class _Part:
    """Batches of one schema of one table, in a file."""

    path: Path
    kinds: Mapping[str, DataType]


@dataclass
class _Rows:
    """What one table was given: its parts in order, and how many rows they hold."""

    parts: list[_Part] = field(default_factory=list)
    rows: int = 0


class Spool:
    """Rows by table, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tables: dict[str, _Rows] = {}
        self._open: tuple[str, Any, Mapping[str, DataType]] | None = None
        self._writer: Any = None
        self._count = 0
        shutil.rmtree(folder, ignore_errors=True)  # what a killed run left

    def add(self, table: str, kinds: Mapping[str, DataType], data: Batches) -> int:
        """Write batches down; returns how many rows came. What the batches raise comes out as it is."""
        rows = 0
        told = self._tables.setdefault(table, _Rows())
        for batch in data.batches:
            if batch.num_rows:
                with self._explained():
                    self._write(table, data.schema, kinds, batch)
                rows += batch.num_rows
        told.rows += rows
        return rows

    def rows(self, table: str) -> int:
        """How many rows a table was given."""
        return self._tables[table].rows if table in self._tables else 0

    def read(self, table: str) -> Iterator[tuple[Any, Mapping[str, DataType]]]:
        """The batches of a table in order, each with the types that its columns had."""
        self._finish()
        with self._explained():
            for part in self._tables.get(table, _Rows()).parts:
                with pa.OSFile(str(part.path)) as file, pa.ipc.open_stream(file) as reader:
                    for batch in reader:
                        yield batch, part.kinds

    def close(self) -> None:
        """Take everything away."""
        with self._explained():
            self._finish()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _write(self, table: str, schema: Any, kinds: Mapping[str, DataType], batch: Any) -> None:
        if self._open is None or self._open[0] != table or self._open[1] != schema or self._open[2] != kinds:
            self._finish()
            self._folder.mkdir(parents=True, exist_ok=True)
            path = self._folder / f"{self._count:06}.arrow"
            self._count += 1
            self._writer = pa.ipc.new_stream(
                str(path), schema, options=pa.ipc.IpcWriteOptions(compression="lz4")
            )
            self._open = (table, schema, kinds)
            self._tables[table].parts.append(_Part(path, kinds))
        self._writer.write_batch(batch)

    def _finish(self) -> None:
        if self._writer is not None:
            writer, self._writer, self._open = self._writer, None, None
            writer.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(
                "the rows of a load could not be kept until they are sent",
                where=str(self._folder),
                found=error.strerror or str(error),
                hint="free some space there, then run again",
            ) from error
