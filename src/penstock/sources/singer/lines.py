"""A tap's stdout as blocks of whole lines, however long a line is."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Iterator
from typing import IO, Final

READ_BYTES: Final = 1 << 20
_LOOK_MS = 500
_FEW_BYTES = 1 << 16
_GATHER_S = 0.02  # taps write line by line: waking up for each of them would cost more than all the rest


class Blocks:
    """Whole lines of a stream, as many as there are at a time. `rest` is what followed the last of them.

    `ended` says whether the writer has ended: a child that it left behind may hold the stream open.
    """

    def __init__(self, stream: IO[bytes], ended: Callable[[], bool]) -> None:
        self.rest = b""
        self._fd = stream.fileno()
        self._ended = ended
        self._few = False

    def __iter__(self) -> Iterator[bytes]:
        parts: list[bytes] = []
        while data := self._read():
            end = data.rfind(b"\n") + 1
            if end:
                yield b"".join([*parts, data[:end]]) if parts else data[:end]
                parts = [data[end:]] if end < len(data) else []
            else:
                parts.append(data)
        self.rest = b"".join(parts)

    def _read(self) -> bytes:
        """What is there, once something is; nothing at the end."""
        if self._few:
            time.sleep(_GATHER_S)
        poll = select.poll()
        poll.register(self._fd, select.POLLIN | select.POLLHUP)
        while not poll.poll(_LOOK_MS):
            if self._ended() and not poll.poll(0):
                return b""
        data = os.read(self._fd, READ_BYTES)
        self._few = len(data) < _FEW_BYTES
        return data
