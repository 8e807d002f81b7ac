"""What a stream gathers: its records as files, of which a part can be taken back.

Each piece is written as a whole gzip member or zstd frame of its own, so a file can be cut where its
records stop being covered by a state.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PosixPath
from typing import Any, Final

from penstock.errors import StoreError

PIECE_BYTES: Final = 1 << 20
"""How much of a stream is held in memory before it is written."""
HELD_BYTES: Final = 16 << 20
"""How much of all streams is held in memory."""
_LEVEL = 1
_GZIP = 31  # zlib's word for a gzip header


class Once(PosixPath):
    """A file that is read once: from its opening on it has no name, and its room is free when it is closed.

    The file that a link stands for goes with it.
    """

    def open(self, *args: Any, **options: Any) -> Any:  # any of its many forms
        """Open the file, and take its name away."""
        target = self.resolve()
        stream = super().open(*args, **options)
        for path in {target, Path(self)}:
            with suppress(OSError):  # it may be in a folder that is not ours
                path.unlink()
        return stream


@dataclass(slots=True)
class RecordFile:
    """A file of one stream. `safe_bytes` of it are covered by a state; `version` is that of its records.

    `given` files are somebody else's: they are covered as a whole or not at all.
    """

    path: Path
    version: int | None = None
    size_bytes: int = 0
    safe_bytes: int = 0
    unpacked_bytes: int = 0
    given: bool = False

    def cut(self) -> bool:
        """Take back what no state covers; whether anything is left."""
        if self.safe_bytes and self.safe_bytes < self.size_bytes and not self.given:
            with self.path.open("r+b") as file:
                file.truncate(self.safe_bytes)
            self.size_bytes = self.safe_bytes
        return bool(self.safe_bytes)


class Files:
    """The files of one stream, in the order of its records, and what is not written yet.

    `path_of` gives a fresh path for an extension. Units: a file is closed at `file_bytes` of records.
    """

    def __init__(self, path_of: Callable[[str], Path], extension: str, file_bytes: int) -> None:
        self.held_bytes = 0
        self._path_of = path_of
        self._extension = extension
        self._file_bytes = file_bytes
        self._files: list[RecordFile] = []
        self._safe: list[bytes] = []
        self._fresh: list[bytes] = []
        self._version: int | None = None
        self._pack = _packer(extension)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to give."""
        return not self._files and not self.held_bytes

    def add(self, lines: bytes, version: int | None) -> None:
        """Take records in."""
        if version != self._version:
            self.write()
            self._close()
            self._version = version
        self._fresh.append(lines)
        self.held_bytes += len(lines)

    def give(self, path: Path) -> None:
        """Take a file in that somebody else wrote."""
        self.write()
        size = path.stat().st_size
        self._files.append(RecordFile(path, self._version, size, given=True, unpacked_bytes=self._file_bytes))

    def settle(self) -> None:
        """A state covers all records so far."""
        self._safe += self._fresh
        self._fresh.clear()
        for file in self._files:
            file.safe_bytes = file.size_bytes

    def write(self) -> None:
        """Write what is held; what a state covers can still be told from the rest. Raises: StoreError."""
        for parts, safe in ((self._safe, True), (self._fresh, False)):
            if parts:
                self._append(b"".join(parts), safe)
                parts.clear()
        self.held_bytes = 0

    def without(self, version: int) -> None:
        """Forget records of versions before one."""
        if self._version is not None and self._version < version:
            self._safe.clear()
            self._fresh.clear()
            self.held_bytes = 0
            self._close()
        kept = [f for f in self._files if f.version is None or f.version >= version]
        for file in self._files:
            if file not in kept and not file.given:
                file.path.unlink(missing_ok=True)
        self._files = kept

    def revert(self) -> None:
        """Take back what no state covers."""
        self._fresh.clear()
        self.write()
        self._files = [file for file in self._files if file.cut()]

    def take(self) -> list[Path]:
        """The files so far, in order, each to be read once; the next record begins another."""
        self.write()
        paths: list[Path] = [Once(file.path) for file in self._files]
        self._files = []
        return paths

    def _append(self, lines: bytes, safe: bool) -> None:
        if not self._files or self._files[-1].given or self._files[-1].unpacked_bytes >= self._file_bytes:
            self._files.append(RecordFile(self._path_of(self._extension), self._version))
        file = self._files[-1]
        packed = self._pack(lines)
        try:
            with file.path.open("ab") as out:
                out.write(packed)
        except OSError as error:
            raise StoreError(
                "a temporary file cannot be written",
                where=str(file.path),
                found=error.strerror,
                hint="free some space there, or name another folder in the variable TMPDIR",
            ) from error
        file.size_bytes += len(packed)
        file.unpacked_bytes += len(lines)
        if safe:
            file.safe_bytes = file.size_bytes

    def _close(self) -> None:
        """Let the next record begin another file."""
        if self._files:
            self._files[-1].unpacked_bytes = max(self._files[-1].unpacked_bytes, self._file_bytes)


def _packer(extension: str) -> Callable[[bytes], bytes]:
    if extension.endswith(".gz"):
        return lambda lines: zlib.compress(lines, _LEVEL, _GZIP)
    if extension.endswith(".zst"):
        import pyarrow as pa

        codec = pa.Codec("zstd")
        return lambda lines: bytes(codec.compress(lines, asbytes=True))
    return lambda lines: lines
