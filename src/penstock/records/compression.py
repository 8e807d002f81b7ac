"""Compressed files as streams of their content, whole or refused: truncation never passes for an end.

gzip is read with zlib itself, which was measured as fast as Arrow's reader and faster than the
`gzip` module; all its members count, their checksums and lengths are checked. zstd is read by
Arrow. What grows beyond all measure while it is unpacked is refused.
"""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from typing import BinaryIO

from penstock.errors import RefusedError

COMPRESSIONS = {"gz": "gz", "gzip": "gz", "zst": "zst", "zstd": "zst"}
KINDS = {"ndjson": "jsonl", "json": "jsonl", "jsonlines": "jsonl", "pq": "parquet", "par": "parquet"}
BLOCK_BYTES = 256 << 10
BUFFER_BYTES = 1 << 20
_GZIP = 31  # zlib's word for a gzip header, of any window size


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a file may grow while it is unpacked.

    Units: `max_ratio` of unpacked to packed bytes, judged once `harmless_bytes` are unpacked.
    """

    max_ratio: float = 1000.0
    harmless_bytes: int = 256 << 20
    max_bytes: int = 1 << 40


def logical_extension(extension: str) -> tuple[str, str | None]:
    """The format that an extension or file name stands for, and its compression (`gz`, `zst`).

    `jsonl.gz` gives `("jsonl", "gz")`, `snappy.parquet` gives `("parquet", None)`. An unknown
    extension is given back in lower case.
    """
    parts = extension.lower().lstrip(".").split(".")
    compression = COMPRESSIONS.get(parts[-1])
    if compression and len(parts) > 1:
        parts.pop()
    kind = parts[-1]
    return KINDS.get(kind, kind), compression


def open_decompressed(stream: BinaryIO, extension: str, limits: Limits | None = None) -> BinaryIO:
    """The content of a stream whose extension says how it is compressed; plain streams as they are.

    The answer closes `stream` when it is closed.
    Raises: RefusedError, while reading, for damaged or truncated data and for bombs.
    """
    _, compression = logical_extension(extension)
    if compression is None:
        return stream
    raw = _Gunzip(stream, limits or Limits()) if compression == "gz" else _Unzstd(stream, limits or Limits())
    return io.BufferedReader(raw, BUFFER_BYTES)


class _Unpacker(io.RawIOBase):
    """A raw stream that counts what goes in and what comes out."""

    name = "compressed"

    def __init__(self, stream: BinaryIO, limits: Limits) -> None:
        super().__init__()
        self.stream = stream
        self.limits = limits
        self.packed_bytes = 0
        self.unpacked_bytes = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def close(self) -> None:
        """Close the packed stream too."""
        if not self.closed:
            self.stream.close()
        super().close()

    def take(self, size: int = BLOCK_BYTES) -> bytes:
        """The next packed bytes."""
        block = self.stream.read(size)
        self.packed_bytes += len(block)
        return block

    def give(self, data: bytes, buffer: memoryview) -> int:
        """Put unpacked bytes where the caller wants them, within the limits."""
        self.unpacked_bytes += len(data)
        ratio = self.unpacked_bytes / max(self.packed_bytes, 1)
        if self.unpacked_bytes > self.limits.max_bytes:
            raise self.refused(
                "grows too large", f"more than {self.limits.max_bytes:,} bytes unpacked", "is it a bomb?"
            )
        if self.unpacked_bytes > self.limits.harmless_bytes and ratio > self.limits.max_ratio:
            raise self.refused(
                "grows out of proportion",
                f"{self.unpacked_bytes:,} bytes unpacked from {self.packed_bytes:,}",
                f"a file may grow {self.limits.max_ratio:,.0f} times; is it a bomb?",
            )
        buffer[: len(data)] = data
        return len(data)

    def refused(self, what: str, found: str, hint: str) -> RefusedError:
        """An error about this stream."""
        return RefusedError(
            f"the {self.name} data {what}",
            where=f"after {self.packed_bytes:,} compressed bytes",
            found=found,
            hint=hint,
        )


class _Gunzip(_Unpacker):
    """The content of all members of a gzip file. Zero padding after the last one is allowed."""

    name = "gzip"

    def __init__(self, stream: BinaryIO, limits: Limits) -> None:
        super().__init__(stream, limits)
        self.member = zlib.decompressobj(_GZIP)
        self.fresh = True  # no byte of the current member has been seen
        self.pending = b""

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # io passes a memoryview
        """Fill a buffer with unpacked bytes. Raises: RefusedError."""
        while True:
            if self.member.eof:
                self._next_member()
            block = self.pending or self.take()
            if not block:
                return self._end()
            if self.fresh and self.packed_bytes > len(block) and not block.strip(b"\0"):
                self.pending = b""
                continue
            data = self._inflate(block, len(buffer))
            if data:
                return self.give(data, buffer)

    def _inflate(self, block: bytes, size: int) -> bytes:
        try:
            data = self.member.decompress(block, size)
        except zlib.error as error:
            raise self.refused(
                "is damaged", str(error).removeprefix("Error "), "send the file again, whole"
            ) from error
        self.fresh = False
        self.pending = self.member.unconsumed_tail
        return data

    def _next_member(self) -> None:
        self.pending = self.member.unused_data
        self.member = zlib.decompressobj(_GZIP)
        self.fresh = True

    def _end(self) -> int:
        if not self.fresh:
            raise self.refused(
                "is truncated",
                f"{self.unpacked_bytes:,} bytes unpacked, then the file ends inside a member",
                "send the file again, whole",
            )
        return 0


class _Packed(io.RawIOBase):
    """The packed side of a stream, as Arrow wants to read it."""

    def __init__(self, unpacker: _Unpacker) -> None:
        super().__init__()
        self.unpacker = unpacker

    def readable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int = -1) -> bytes:
        """The next packed bytes."""
        return self.unpacker.take(size)


class _Unzstd(_Unpacker):
    """The content of all frames of a zstd file."""

    name = "zstd"

    def __init__(self, stream: BinaryIO, limits: Limits) -> None:
        import pyarrow as pa

        super().__init__(stream, limits)
        self.content = pa.CompressedInputStream(pa.PythonFile(_Packed(self), mode="r"), "zstd")

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # io passes a memoryview
        """Fill a buffer with unpacked bytes. Raises: RefusedError."""
        try:
            data = self.content.read(len(buffer))
        except OSError as error:
            what = "is truncated" if "runcated" in str(error) else "is damaged"
            raise self.refused(what, str(error), "send the file again, whole") from error
        return self.give(data, buffer)
