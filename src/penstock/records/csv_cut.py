"""Where CSV records begin and end, with the lines that are no CSV taken out. Pure bytes, in C speed.

A quote opens a quoted cell at the start of a cell only; elsewhere in an unquoted cell it is a
character like any other, as most writers and readers have it. A quote that never closes, or that
closes before other characters than a delimiter or line end, breaks its line: that line alone is set
aside, and reading goes on with the next one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from penstock.errors import BugError, RefusedError

UNCLOSED = "a quote opens a cell and never closes"
GARBAGE = "characters follow the quote that closes a cell"
_MARK = "\ufdd0".encode()  # a code point that is reserved for use inside programs


@dataclass(frozen=True, slots=True)
class Marks:
    """The three characters of a dialect as bytes; an empty quote or escape means there is none."""

    delimiter: bytes
    quote: bytes
    escape: bytes


@dataclass(frozen=True, slots=True)
class Cut:
    """Whole records. A broken line is replaced in `data` by one that begins with `mark`, which no other has.

    `broken` has the broken lines and what is wrong with each, in the order of their replacements.
    `size_bytes` is what the cut stands for in its stream.
    """

    data: bytes
    mark: bytes
    broken: tuple[tuple[bytes, str], ...]
    size_bytes: int


@dataclass(slots=True)
class _Pieces:
    """A cut in the making."""

    parts: list[bytes] = field(default_factory=list)
    broken: list[tuple[int, bytes, str]] = field(default_factory=list)
    size_bytes: int = 0

    def cut(self) -> Cut:
        mark = unused_mark(b"".join(self.parts)) if self.broken else b""
        for at, _, _ in self.broken:
            self.parts[at] = mark
        lines = tuple((line, why) for _, line, why in self.broken)
        data = self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)
        return Cut(data, mark, lines, self.size_bytes)


def unused_mark(data: bytes) -> bytes:
    """Some UTF-8 bytes that `data` does not contain."""
    mark = _MARK
    while mark in data:
        mark += _MARK
    return mark


class Cutter:
    """Cuts a stream of UTF-8 bytes into runs of whole records of one dialect.

    Units: `chunk_bytes` is the size of a cut, as near as records allow; a quoted cell that is still
    open after `record_bytes` is taken for one that never closes. `stand_in` is what follows the
    mark in the line that replaces a broken one.
    """

    def __init__(self, marks: Marks, chunk_bytes: int, record_bytes: int) -> None:
        self.marks = marks
        self.chunk_bytes = chunk_bytes
        self.record_bytes = record_bytes
        self.line_end = b"\n"
        self.stand_in = b""
        self._sound, self._quoted, self._record = _patterns(marks)

    def cut(self, stream: BinaryIO, held: bytes) -> Iterator[Cut]:
        """All records of `held` and then of `stream`, a cut at a time."""
        data, ended = held, False
        while data or not ended:
            if not ended and len(data) < self.chunk_bytes:
                data, ended = self._filled(stream, data)
            pieces, at = _Pieces(), 0
            while at < len(data) and (end := self._step(data, at, ended, pieces)) > at:
                at = end
            if pieces.parts:
                pieces.size_bytes = at
                yield pieces.cut()
                data = data[at:]
            elif data:
                self._bound(data, ended)
                data, ended = self._filled(stream, data)

    def first_record(self, data: bytes, at: int) -> int:
        """Where the record that starts at `at` ends, with its line end; -1 if `data` does not tell."""
        match = self._record.match(data, at)
        end = match.end() if match else at
        if data[end : end + 2] == b"\r\n":
            return end + 2
        if data[end : end + 1] == b"\n" or (data[end : end + 1] == b"\r" and len(data) > end + 1):
            return end + 1
        return end + 1 if data[end:] == self.line_end else -1

    def more(self, stream: BinaryIO, data: bytes, least: int = 1) -> tuple[bytes, bool]:
        """`data` with at least so many more bytes of the stream, and whether those were the last."""
        wanted = max(self.chunk_bytes, len(data), least)
        parts = [data]
        while wanted and (block := stream.read(wanted)):
            parts.append(block)
            wanted -= len(block)
        return b"".join(parts), wanted > 0

    def closed(self, data: bytes) -> bytes:
        """The last `data` of a stream, its last line with a line end."""
        return data if not data or data.endswith(self.line_end) else data + self.line_end

    def _filled(self, stream: BinaryIO, data: bytes) -> tuple[bytes, bool]:
        data, ended = self.more(stream, data)
        return self.closed(data) if ended else data, ended

    def _bound(self, data: bytes, ended: bool) -> None:
        if ended:
            raise BugError("some CSV was neither read nor set aside", found=repr(data[:200]))
        if len(data) > 2 * self.record_bytes:
            raise RefusedError(
                "a line is too long to be a CSV record",
                found=f"more than {2 * self.record_bytes:,} bytes without a line end",
                hint="is this really CSV, and is its `quote` right?",
            )

    def _step(self, data: bytes, at: int, ended: bool, pieces: _Pieces) -> int:
        """Take sound records or one broken line from `data`; answers where it went on to."""
        end = self._sound_end(data, at)
        if end > at:
            pieces.parts.append(data[at:end] if at or end < len(data) else data)
            return end
        quote, why = self._trouble(data, at, ended)
        if not why:
            return at
        end = data.find(self.line_end, quote) + 1
        if not end:
            return at
        line = data[at:end].rstrip(b"\r\n")
        pieces.broken.append((len(pieces.parts), line, why))
        pieces.parts += [b"", self.stand_in + self.line_end]
        return end

    def _sound_end(self, data: bytes, at: int) -> int:
        """The end of the last whole sound record from `at` on; `at` if there is none."""
        end = data.rfind(self.line_end, at) + 1
        while end > at:
            if self._is_sound(data, at, end):
                return end
            stop = min(self._sound.match(data, at, end).end(), end - 1)  # type: ignore[union-attr]
            end = data.rfind(self.line_end, at, stop) + 1
        return at

    def _is_sound(self, data: bytes, at: int, end: int) -> bool:
        """Whether the line end before `end` ends a record, given that one begins at `at`."""
        if self.marks.escape and _is_escaped(data, end - 1, self.marks.escape):
            return False
        match = self._sound.match(data, at, end)
        return match is not None and match.end() == end

    def _trouble(self, data: bytes, at: int, ended: bool) -> tuple[int, str]:
        """The quote that keeps the record at `at` from ending, and what is wrong ("": nothing yet)."""
        match = self._sound.match(data, at)
        quote = match.end() if match else at
        opened = self._quoted.match(data, quote)
        if opened is None or opened.end() >= len(data) - 1:
            hopeless = ended or len(data) - at >= self.record_bytes
            return min(quote, len(data) - 1), UNCLOSED if hopeless else ""
        return quote, GARBAGE


def _is_escaped(data: bytes, at: int, escape: bytes) -> bool:
    start = at
    while start and data[start - 1 : start] == escape:
        start -= 1
    return (at - start) % 2 == 1


def _patterns(marks: Marks) -> tuple[re.Pattern[bytes], re.Pattern[bytes], re.Pattern[bytes]]:
    """What matches sound CSV up to its first trouble, a quoted cell without its end, and one record."""
    quote, escape = re.escape(marks.quote), re.escape(marks.escape)
    edge = rb"%b\r\n" % re.escape(marks.delimiter)
    escaped = rb"|%b[\s\S]" % escape if escape else b""
    quoted, cell = b"(?!)", b""
    if quote:
        inside = rb"(?:[^%b%b]++|%b%b%b)*+" % (quote, escape, quote, quote, escaped)
        quoted = quote + inside
        cell = rb"|(?<![^%b])%b%b(?![^%b])|(?<=[^%b])%b" % (edge, quoted, quote, edge, edge, quote)
    sound = rb"(?:[^%b%b%b]++%b%b)*+"
    if not quote and not escape:
        return re.compile(rb"[\s\S]*+"), re.compile(quoted), re.compile(rb"[^\r\n]*+")
    return (
        re.compile(sound % (quote, escape, b"", escaped, cell)),
        re.compile(quoted),
        re.compile(sound % (quote, escape, rb"\r\n", escaped, cell)),
    )
