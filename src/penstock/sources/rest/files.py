"""Records as files to land: the bytes of each record as the API sent it, a line each."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

from penstock.errors import StoreError
from penstock.ports import Block
from penstock.schema.hints import Hints
from penstock.temporary import TemporaryFolder

GZIP_LEVEL = 1  # a fifth more bytes than the default, for a third of its time
BUFFER_BYTES = 1 << 20


class Files:
    """One file in the making for each table, in a temporary folder.

    A file that was handed over is kept until two more of its table were: by then it has landed. The last
    ones are removed with the folder, because they may land after this is closed.
    Units: `file_bytes` of uncompressed records; `now` in Unix seconds.
    """

    def __init__(self, extension: str, file_bytes: int, now: float) -> None:
        self._extension, self._most = extension, file_bytes
        self._now = now
        self._folder: TemporaryFolder | None = None
        self._open: dict[str, _Lines] = {}
        self._given: dict[str, list[Path]] = {}
        self._number = 0
        self.waiting_bytes = 0

    def add(self, table: str, lines: bytes, hints: Hints) -> Iterator[Block]:
        """Write lines; gives a file that is full. Raises: StoreError if the disk is."""
        if not lines:
            return
        file = self._open.get(table)
        if file is None:
            file = self._open[table] = _Lines(self._new(), hints)
        with _full_disk():
            file.write(lines)
        self.waiting_bytes += len(lines)
        if file.size_bytes >= self._most:
            yield from self._give(table)

    def flush(self) -> Iterator[Block]:
        """The files in the making."""
        for table in list(self._open):
            yield from self._give(table)
        self.waiting_bytes = 0

    def close(self) -> None:
        """Let go of files in the making."""
        for file in self._open.values():
            file.drop()
        self._open.clear()

    def remove(self) -> None:
        """Remove all files, which have landed."""
        if self._folder is not None:
            self._folder.close()

    def _give(self, table: str) -> Iterator[Block]:
        file = self._open.pop(table)
        with _full_disk():
            file.finish()
        yield Block(table, file.path, file.hints)
        given = self._given.setdefault(table, [])
        given.append(file.path)
        for path in given[:-2]:
            path.unlink(missing_ok=True)
        del given[:-2]

    def _new(self) -> Path:
        if self._folder is None:
            with _full_disk():
                self._folder = TemporaryFolder(self._now)
        self._number += 1
        return self._folder.path / f"{self._number}.{self._extension}"


class _Lines:
    """A file of lines."""

    def __init__(self, path: Path, hints: Hints) -> None:
        self.path, self.hints = path, hints
        self.size_bytes = 0
        self._held: list[bytes] = []
        self._held_bytes = 0
        with _full_disk():
            self._file = path.open("wb")
        self._out = _compressed(self._file, path.name)

    def write(self, lines: bytes) -> None:
        self._held.append(lines)
        self._held_bytes += len(lines)
        self.size_bytes += len(lines)
        if self._held_bytes >= BUFFER_BYTES:
            self._flush()

    def _flush(self) -> None:
        self._out.write(b"".join(self._held))
        self._held.clear()
        self._held_bytes = 0

    def finish(self) -> None:
        self._flush()
        self._out.close()
        self._file.close()

    def drop(self) -> None:
        """Let go of it; what it still had to write is not needed."""
        self._held.clear()
        with suppress(OSError, ValueError):
            self._out.close()
        self._file.close()


def _compressed(file: BinaryIO, name: str) -> Any:  # Any: three kinds of streams
    if name.endswith(".gz"):
        return gzip.GzipFile("", "wb", GZIP_LEVEL, cast(Any, file), mtime=0)
    if name.endswith(".zst"):
        import pyarrow as pa

        return pa.CompressedOutputStream(pa.PythonFile(file, "w"), "zstd")
    return file


class _full_disk:  # noqa: N801 - used as a word in a `with` statement
    """Turns the system's refusals into a StoreError that names the temporary folder."""

    def __enter__(self) -> None:
        """Nothing."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Tell what the system said."""
        if isinstance(error, OSError):
            raise StoreError(
                "a temporary file cannot be written",
                where=tempfile.gettempdir(),
                found=error.strerror,
                hint="set TMPDIR to a folder with room for it",
            ) from error
