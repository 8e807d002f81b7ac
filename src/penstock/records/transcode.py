"""Text of any encoding as UTF-8."""

from __future__ import annotations

import codecs
import io
from typing import BinaryIO, cast

from penstock.errors import RefusedError

BOM = codecs.BOM_UTF8
_UTF8 = {"utf-8", "utf-8-sig"}
_WIDE = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def open_utf8(stream: BinaryIO, encoding: str) -> BinaryIO:
    """The text of a stream as UTF-8; UTF-8 itself passes as it is, unchecked.

    Raises: RefusedError for an unknown encoding and, while reading, for bytes that are not in it.
    """
    try:
        name = codecs.lookup(encoding).name
    except LookupError:
        raise RefusedError(
            f"'{encoding}' is no known text encoding",
            hint="`encoding` takes Python's names, such as utf-8, utf-16, cp1252 or latin-1",
        ) from None
    if name in _UTF8:
        return stream
    return cast("BinaryIO", _Transcoded(stream, encoding))


def refuse_wide(head: bytes) -> None:
    """Refuse text that says by its first bytes that it is UTF-16 where UTF-8 is expected."""
    for mark, name in _WIDE.items():
        if head.startswith(mark):
            raise RefusedError(
                "the file is not UTF-8",
                found=f"the byte order mark of {name}",
                hint=f"set `encoding: {name}`",
            )


class _Transcoded(io.RawIOBase):
    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        super().__init__()
        self.stream = stream
        self.encoding = encoding
        self.decoder = codecs.getincrementaldecoder(encoding)("strict")
        self.read_bytes = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int = -1) -> bytes:
        """The next text, from up to `size` bytes of the stream. Raises: RefusedError."""
        while True:
            block = self.stream.read(size)
            try:
                text = self.decoder.decode(block, final=not block)
                data = text.encode()
            except UnicodeError as error:
                raise RefusedError(
                    f"the file is not {self.encoding}",
                    where=f"in the {size:,} bytes from byte {self.read_bytes:,} on" if size > 0 else None,
                    found=str(error),
                    hint="state the right `encoding`",
                ) from error
            self.read_bytes += len(block)
            if data or not block:
                return data
