"""Files in a folder of this machine."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from penstock.errors import ConflictError, NotFoundError, ProjectError, StoreError
from penstock.ports import Put, Stat, Store
from penstock.stores.disk import (
    Scratch,
    fault,
    faults,
    nearest,
    publish,
    remove_empty,
    sync_folder,
    write_all,
)
from penstock.stores.key import SCRATCH, check_key, check_prefix, is_scratch
from penstock.stores.stream import PIECE_BYTES, as_stream, pieces, sha256_of

# another file system, too many links, or forbidden: then the bytes are copied
_NO_LINK = frozenset(
    {errno.EXDEV, errno.EMLINK, errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
)
# what a listing passes over: files that vanished, links that lead nowhere or round in a circle
_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


class LocalStore:
    """A folder of the local file system. `url` is a path or a `file://` URL.

    A file is written under a private name, synced, given its own name in one step, and its folders
    are synced; so a power cut or a kill at any instant leaves the whole file or none.
    Symbolic links are followed for reading. Writing through one that leads out of the folder is
    refused. A key cannot be a file and the folder of another key at once, as it can in a bucket.
    """

    def __init__(self, url: str) -> None:
        self.root = _folder(url)
        self.url = str(self.root)
        self._scratch = Scratch(self.root / SCRATCH)

    def __repr__(self) -> str:
        return f"LocalStore({self.url!r})"

    def list(self, prefix: str = "") -> Iterator[Stat]:
        """Every file below the folder `prefix`; files that vanish meanwhile are passed over."""
        folder = check_prefix(prefix)
        yield from self._walk(str(self.root / folder), folder, frozenset())

    def _walk(self, path: str, prefix: str, above: frozenset[tuple[int, int]]) -> Iterator[Stat]:
        try:
            here = os.stat(path)  # noqa: PTH116  # scandir's own paths are text
            seen = here.st_dev, here.st_ino
            if seen in above:
                return  # a symbolic link leads back up
            entries = os.scandir(path)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise fault("list", Path(path), error) from error
        with entries, faults("list", Path(path)):
            for entry in entries:
                key = prefix + entry.name
                try:
                    found = entry.stat()
                except OSError as error:
                    if error.errno in _GONE:
                        continue
                    raise
                if stat.S_ISREG(found.st_mode):
                    yield _answer(key, found)
                elif stat.S_ISDIR(found.st_mode) and not is_scratch(f"{key}/"):
                    yield from self._walk(entry.path, f"{key}/", above | {seen})

    def stat(self, key: str) -> Stat | None:
        """The file at `key`, or None."""
        path = self.root / check_key(key)
        with faults("look at", path):
            found = _stat(path)
        return None if found is None else _answer(key, found)

    def open(self, key: str) -> BinaryIO:
        """The file at `key`, seekable. Raises: NotFoundError; StoreError."""
        return self._open(key, PIECE_BYTES)

    def _open(self, key: str, buffering: int) -> BinaryIO:
        path = self.root / check_key(key)
        try:
            # asked first, because opening a named pipe would wait for ever
            if _stat(path) is not None:
                return open(path, "rb", buffering)
        except FileNotFoundError:
            pass  # it went between the two
        except OSError as error:
            raise fault("open", path, error) from error
        raise _missing(key, self.url)

    def create(self, key: str, data: BinaryIO | bytes) -> Put:
        """Write a new file. What the stream itself raises passes through, and nothing is left.

        Raises: ConflictError when `key` exists; StoreError.
        """
        path, top = self._target(key)
        self._refuse_taken(path, key)
        with self._scratch.file() as (fd, temp):
            put = _copy(as_stream(data), fd, key, path)
            try:
                publish(temp, path, top)
            except FileExistsError:
                raise _taken(path, key, self.url) from None
            except OSError as error:
                raise fault("write", path, error) from error
        return put

    def replace(self, key: str, data: bytes) -> Put:
        """Write a file whether or not `key` exists. Raises: StoreError."""
        path, top = self._target(key)
        with self._scratch.file() as (fd, temp):
            put = _copy(as_stream(data), fd, key, path)
            with faults("write", path):
                publish(temp, path, top, replace=True)
        return put

    def adopt(self, source: Store, source_key: str, key: str) -> Put:
        """Make a file of another store a new file here: a hard link where that is possible.

        A program that still holds the source open for writing would then write to both: adopt only
        files that are finished.
        Raises: ConflictError when `key` exists; NotFoundError; StoreError.
        """
        path, _ = self._target(key)
        self._refuse_taken(path, key)
        if isinstance(source, LocalStore) and self._link(source, source_key, key):
            return self._read_back(key)
        with source.open(source_key) as stream:
            put = self.create(key, stream)
        back = self._read_back(key)
        if back != put:
            self.delete(key)
            raise StoreError(
                f"the disk gave back other bytes for `{key}` than were written; the file was removed",
                where=str(path),
                found=f"{back.size_bytes:,} bytes, SHA-256 {back.sha256}",
                expected=f"{put.size_bytes:,} bytes, SHA-256 {put.sha256}",
                hint="check the health of the disk before you run again",
            )
        return back

    def _link(self, source: LocalStore, source_key: str, key: str) -> bool:
        """Link the source's file to `key`; False if this file system or its rules forbid it."""
        path, top = self._target(key)
        origin = _real(source.root / check_key(source_key))
        with source._open(source_key, 0) as file, faults("sync", origin):
            os.fsync(file.fileno())  # whoever dropped the file there may not have
        try:
            publish(origin, path, top)
        except FileExistsError:
            raise _taken(path, key, self.url) from None
        except FileNotFoundError:
            raise _missing(source_key, source.url) from None
        except OSError as error:
            if error.errno in _NO_LINK:
                return False
            raise fault("write", path, error) from error
        return True

    def _read_back(self, key: str) -> Put:
        with self._open(key, 0) as stream, faults("read", self.root / key):
            size = os.fstat(stream.fileno()).st_size
            return Put(key, size, sha256_of(stream))

    def delete(self, key: str) -> None:
        """Remove a file, and the folders that it leaves empty. Raises: StoreError."""
        path, _ = self._target(key)
        with faults("delete", path):
            if path.is_dir() and not path.is_symlink():
                return
            try:
                path.unlink()
            except (FileNotFoundError, NotADirectoryError):
                return
            sync_folder(remove_empty(path.parent, self.root))

    def digest(self, key: str) -> str:
        """The SHA-256 (hex) of the file at `key`, read now. Raises: NotFoundError; StoreError."""
        return self._read_back(key).sha256

    def _target(self, key: str) -> tuple[Path, Path]:
        """The path to write `key` at, and the nearest folder of the root that is there already.

        Raises: StoreError if a symbolic link leads out of the store.
        """
        path = self.root / check_key(key)
        with faults("write", path):
            top = nearest(self.root)
            folder = _real(path.parent)
        if not folder.is_relative_to(_real(self.root)):
            raise StoreError(
                f"cannot write `{key}`: a symbolic link on its way leads out of the store",
                where=str(path),
                found=str(folder),
                hint="replace the link by a real folder, or give the store the folder it points to",
            )
        return path, top

    def _refuse_taken(self, path: Path, key: str) -> None:
        with faults("write", path):
            taken = path.exists() or path.is_symlink()
        if taken:
            raise _taken(path, key, self.url)


def _folder(url: str) -> Path:
    if not url.startswith("file:"):
        return Path(url).absolute()
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise ProjectError(
            "a file URL names a folder of this machine from its root",
            found=url,
            expected="file:///path/to/folder",
        )
    return Path(unquote(parts.path))


def _real(path: Path) -> Path:
    """The path without symbolic links; unlike `Path.resolve`, one that goes in circles is no error here."""
    return Path(os.path.realpath(path))


def _copy(data: BinaryIO, fd: int, key: str, path: Path) -> Put:
    """Write and sync a stream, hashing as it goes; a fault of the stream is not a fault of the disk."""
    sha, size = hashlib.sha256(), 0
    for piece in pieces(data):
        sha.update(piece)
        size += len(piece)
        with faults("write", path):
            write_all(fd, piece)
    with faults("write", path):
        os.fsync(fd)
    return Put(key, size, sha.hexdigest())


def _stat(path: Path) -> os.stat_result | None:
    """What is known of a regular file; None if it is none, or not there any more."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found if stat.S_ISREG(found.st_mode) else None


def _answer(key: str, found: os.stat_result) -> Stat:
    etag = f"{found.st_ino:x}-{found.st_mtime_ns:x}-{found.st_size:x}"
    return Stat(key, found.st_size, found.st_mtime, etag)


def _missing(key: str, url: str) -> NotFoundError:
    return NotFoundError(f"there is no file `{key}`", where=url)


def _taken(path: Path, key: str, url: str) -> ConflictError | StoreError:
    if path.is_dir():
        return StoreError(
            f"cannot write `{key}`: a folder has this name",
            where=str(path),
            hint="rename the folder, or remove it if it is empty",
        )
    return ConflictError(
        f"`{key}` exists already; its bytes were left as they are",
        where=url,
        hint="a file in a layer is never overwritten; give the new one another key",
    )
