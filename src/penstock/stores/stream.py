"""Streams of bytes, read in pieces of bounded size."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from typing import BinaryIO, cast

PIECE_BYTES = 1 << 20


def as_stream(data: BinaryIO | bytes) -> BinaryIO:
    """Bytes as a stream; a stream as it is."""
    return io.BytesIO(data) if isinstance(data, bytes) else data


def pieces(data: BinaryIO, size_bytes: int = PIECE_BYTES) -> Iterator[memoryview]:
    """The stream in full pieces of `size_bytes`, the last one shorter; an empty stream has none.

    A piece is overwritten by the next one.
    """
    buffer = memoryview(bytearray(size_bytes))
    while filled := _fill(data, buffer):
        yield buffer[:filled]
        if filled < size_bytes:
            return


def sha256_of(data: BinaryIO) -> str:
    """The SHA-256 (hex) of all that is left in a stream."""
    sha = hashlib.sha256()
    for piece in pieces(data):
        sha.update(piece)
    return sha.hexdigest()


def _fill(data: BinaryIO, buffer: memoryview) -> int:
    """Fill the buffer as far as the stream goes; streams may hand over less than they are asked for."""
    filled = 0
    readinto = getattr(data, "readinto", None)
    while filled < len(buffer):
        if readinto is not None:
            count = cast("int | None", readinto(buffer[filled:])) or 0
        else:
            chunk = data.read(len(buffer) - filled)
            count = len(chunk)
            buffer[filled : filled + count] = chunk
        if count == 0:
            break
        filled += count
    return filled
