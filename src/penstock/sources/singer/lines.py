"""A tap's stdout as blocks of whole lines, however long a line is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Final

READ_BYTES: Final = 1 << 20


class Blocks:
    """Whole lines of a stream, as many as there are at a time. `rest` is what followed the last of them."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.rest = b""
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        read = getattr(self._stream, "read1", self._stream.read)
        parts: list[bytes] = []
        while data := read(READ_BYTES):
            end = data.rfind(b"\n") + 1
            if end:
                yield b"".join([*parts, data[:end]]) if parts else data[:end]
                parts = [data[end:]] if end < len(data) else []
            else:
                parts.append(data)
        self.rest = b"".join(parts)
