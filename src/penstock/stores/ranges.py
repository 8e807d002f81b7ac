"""An object as a seekable stream, read range by range."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import obstore as obs
from obstore.store import ObjectStore as Remote

from penstock.errors import StoreError
from penstock.stores.remote import faults

if TYPE_CHECKING:
    from obstore import GetOptions

RANGE_BYTES = 8 << 20


class RangeReader(io.RawIOBase):
    """The object at `key` as one version of it: each read is one request, valid for that version only.

    However slow its consumer is, no connection is held open meanwhile.
    """

    def __init__(self, remote: Remote, key: str, size_bytes: int, etag: str | None, url: str) -> None:
        self._remote = remote
        self._key = key
        self._size_bytes = size_bytes
        self._etag = etag
        self._url = url
        self._position = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Where the next read starts. Units: bytes from the start."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to another place; beyond the end, reads give nothing."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size_bytes}[whence]
        if base + offset < 0:
            raise ValueError(f"cannot seek to {base + offset}")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # Buffer is new in 3.12
        """Fill `buffer` with one request; less only at the end. Raises: StoreError."""
        if self.closed:
            raise ValueError("I/O operation on closed file")
        view = memoryview(buffer).cast("B")
        end = min(self._position + len(view), self._size_bytes)
        if end <= self._position:
            return 0
        count = end - self._position
        view[:count] = self._get(self._position, end)
        self._position = end
        return count

    def readall(self) -> bytes:
        """Everything from here to the end, fetched in ranges of bounded size."""
        parts = []
        while part := self.read(RANGE_BYTES):
            parts.append(part)
        return b"".join(parts)

    def _get(self, start: int, end: int) -> memoryview:
        options: GetOptions = {"range": (start, end)}
        if self._etag is not None:
            options["if_match"] = self._etag
        with faults("read", self._key, self._url):
            data = memoryview(obs.get(self._remote, self._key, options=options).bytes())
        if len(data) != end - start:
            raise StoreError(
                f"cannot read `{self._key}`",
                where=self._url,
                found=f"{len(data):,} bytes of the range from {start:,}",
                expected=f"{end - start:,} bytes",
                hint="run again; if it stays so, the service or a proxy cuts answers short",
            )
        return data
