"""Objects in a bucket: S3, Google Cloud Storage, Azure, or this process's memory."""

from __future__ import annotations

import hashlib
import io
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import BinaryIO
from urllib.parse import urlsplit

import obstore as obs
from obstore.exceptions import AlreadyExistsError, BaseError

from penstock.errors import ConflictError, NotFoundError, RefusedError, StoreError
from penstock.ports import Put, Stat, Store
from penstock.stores.key import SCRATCH, check_key, check_prefix, is_scratch
from penstock.stores.ranges import RANGE_BYTES, RangeReader
from penstock.stores.remote import connect, faults
from penstock.stores.stream import as_stream, pieces, sha256_of

PART_BYTES = 8 << 20
ABANDONED_AFTER = timedelta(hours=1)
S3_COPY_LIMIT_BYTES = 5 << 30
"""S3 copies at most this much in one conditional step."""

_TOKEN = "penstockput"  # noqa: S105  # the name of an object's attribute; Azure allows letters only


class ObjectStore:
    """A bucket and a prefix: `s3://bucket/prefix`, `gs://…`, `az://…`, or `memory://name`.

    What `create` guarantees: an object of less than 8 MiB is one conditional put. A larger one is
    uploaded in parts under a private key and then given its own key by one conditional copy inside
    the bucket, so memory stays bounded and the object appears whole, once, and never over another.
    S3 copies at most 5 GiB that way; larger streams are refused. A put whose answer was lost and
    which was sent again knows itself by a token; a lost answer to the copy of a large object is a
    ConflictError, and comparing digests tells whose bytes they are.
    A killed process can leave parts of an upload that no listing shows: give the bucket a lifecycle
    rule that aborts incomplete uploads after a day.

    Credentials, region and endpoint come from the environment (`AWS_*`, `GOOGLE_*`, `AZURE_*`).
    Two stores of one `memory://name` share their objects, within one process.
    `retry_s` is how long failing requests are repeated.
    """

    def __init__(self, url: str, retry_s: float = 60.0) -> None:
        self._remote = connect(url, retry_s)
        self.url = url
        self._copy_limit = S3_COPY_LIMIT_BYTES if urlsplit(url).scheme in ("s3", "s3a") else None
        self._swept = False

    def __repr__(self) -> str:
        return f"ObjectStore({self.url!r})"

    def list(self, prefix: str = "") -> Iterator[Stat]:
        """Every object below the folder `prefix`. Raises: StoreError."""
        folder = check_prefix(prefix)
        with faults("list", folder, self.url):
            for page in obs.list(self._remote, prefix=folder or None):
                for meta in page:
                    # consoles mark a folder by an empty object whose key ends in `/`
                    marker = meta["size"] == 0 and (not meta["path"] or self.stat(meta["path"]) is None)
                    if not marker and not is_scratch(meta["path"]):
                        yield _answer(meta)

    def stat(self, key: str) -> Stat | None:
        """The object at `key`, or None. Raises: StoreError."""
        try:
            with faults("look at", key, self.url):
                return _answer(obs.head(self._remote, check_key(key)))
        except NotFoundError:
            return None

    def open(self, key: str) -> BinaryIO:
        """The object at `key`, seekable, buffered in ranges of 8 MiB. Raises: NotFoundError; StoreError."""
        with faults("open", key, self.url):
            meta = obs.head(self._remote, check_key(key))
        reader = RangeReader(self._remote, key, meta["size"], meta["e_tag"], self.url)
        return io.BufferedReader(reader, RANGE_BYTES)

    def create(self, key: str, data: BinaryIO | bytes) -> Put:
        """Write a new object. What the stream itself raises passes through, and nothing is left.

        Raises: ConflictError when `key` exists; RefusedError above the limit of S3; StoreError.
        """
        check_key(key)
        stream = pieces(as_stream(data), PART_BYTES)
        first = next(stream, memoryview(b""))
        if len(first) < PART_BYTES:
            return self._put_new(key, bytes(first))
        if self.stat(key) is not None:
            raise self._taken(key)
        return self._upload_new(key, first, stream)

    def _put_new(self, key: str, data: bytes) -> Put:
        token = uuid.uuid4().hex
        try:
            with faults("write", key, self.url):
                obs.put(
                    self._remote,
                    key,
                    data,
                    mode="create",
                    attributes={_TOKEN: token},
                    use_multipart=False,
                )
        except AlreadyExistsError:
            # a put that arrived, whose answer was lost, is sent again by the driver
            if self._token(key) != token:
                raise self._taken(key) from None
        return Put(key, len(data), hashlib.sha256(data).hexdigest())

    def _token(self, key: str) -> str | None:
        try:
            with faults("look at", key, self.url):
                return obs.get(self._remote, key, options={"head": True}).attributes.get(_TOKEN)
        except NotFoundError:
            return None

    def _upload_new(self, key: str, first: memoryview, rest: Iterator[memoryview]) -> Put:
        self._sweep()
        temp = f"{SCRATCH}{uuid.uuid4().hex}"
        try:
            put = self._upload(key, temp, first, rest)
            with faults("write", key, self.url):
                obs.copy(self._remote, temp, key, overwrite=False)
        except AlreadyExistsError:
            raise self._taken(key) from None
        finally:
            # what cannot be removed now is swept an hour later
            with suppress(BaseError, OSError):
                obs.delete(self._remote, temp)
        return put

    def _upload(self, key: str, temp: str, first: memoryview, rest: Iterator[memoryview]) -> Put:
        sha, size = hashlib.sha256(), 0
        with faults("write", key, self.url):
            writer = obs.open_writer(self._remote, temp, buffer_size=PART_BYTES, max_concurrency=2)
        try:
            for piece in chain([first], rest):
                sha.update(piece)
                size += len(piece)
                if self._copy_limit is not None and size > self._copy_limit:
                    raise self._too_large(key)
                with faults("write", key, self.url):
                    writer.write(bytes(piece))  # it is sent later, when `piece` is long overwritten
        except BaseException:
            # an upload that is finished can be removed; one that is left open stays, hidden
            with suppress(BaseError, OSError):
                writer.close()
            raise
        with faults("write", key, self.url):
            writer.close()
        return Put(key, size, sha.hexdigest())

    def replace(self, key: str, data: bytes) -> Put:
        """Write an object whether or not `key` exists. Raises: StoreError."""
        with faults("write", key, self.url):
            obs.put(self._remote, check_key(key), data, use_multipart=False)
        return Put(key, len(data), hashlib.sha256(data).hexdigest())

    def adopt(self, source: Store, source_key: str, key: str) -> Put:
        """Copy an object of another store to a new object here, and read it back.

        Raises: ConflictError when `key` exists; NotFoundError; StoreError.
        """
        with source.open(source_key) as stream:
            put = self.create(key, stream)
        found = self.digest(key)
        if found != put.sha256:
            self.delete(key)
            raise StoreError(
                f"the bucket gave back other bytes for `{key}` than were written; the object was removed",
                where=self.url,
                found=f"SHA-256 {found}",
                expected=f"SHA-256 {put.sha256}",
                hint="run again; if it happens twice, the service or a proxy on the way changes bytes",
            )
        return put

    def delete(self, key: str) -> None:
        """Remove an object; nothing happens if it is not there. Raises: StoreError."""
        with suppress(NotFoundError), faults("delete", key, self.url):
            obs.delete(self._remote, check_key(key))

    def digest(self, key: str) -> str:
        """The SHA-256 (hex) of the object at `key`, read now. Raises: NotFoundError; StoreError."""
        with self.open(key) as stream:
            return sha256_of(stream)

    def _sweep(self) -> None:
        """Remove what killed processes left under private keys, once for each store."""
        if self._swept:
            return
        self._swept = True
        limit = datetime.now(UTC) - ABANDONED_AFTER
        with faults("list", SCRATCH, self.url):
            pages = [meta for page in obs.list(self._remote, prefix=SCRATCH) for meta in page]
        for meta in pages:
            if meta["last_modified"] < limit:
                with suppress(NotFoundError), faults("delete", meta["path"], self.url):
                    obs.delete(self._remote, meta["path"])

    def _taken(self, key: str) -> ConflictError:
        return ConflictError(
            f"`{key}` exists already; its bytes were left as they are",
            where=self.url,
            hint="a file in a layer is never overwritten; give the new one another key",
        )

    def _too_large(self, key: str) -> RefusedError:
        return RefusedError(
            f"`{key}` is too large to be created atomically on S3",
            where=self.url,
            found=f"more than {S3_COPY_LIMIT_BYTES:,} bytes",
            expected="at most 5 GiB",
            hint="split the file",
        )


def _answer(meta: obs.ObjectMeta) -> Stat:
    modified_at = meta["last_modified"].timestamp()
    etag = meta["e_tag"] or meta["version"] or f"{modified_at}-{meta['size']}"
    return Stat(meta["path"], meta["size"], modified_at, etag)
