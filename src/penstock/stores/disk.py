"""A folder on disk: what is written is durable, what is half-written is hidden, faults have a name."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from penstock.errors import StoreError

ABANDONED_AFTER_S = 3600.0
_TRIES = 100

_HINTS = {
    errno.ENOSPC: "free some space on this disk and run again; nothing half-written was left behind",
    errno.EDQUOT: "free some of your disk quota and run again; nothing half-written was left behind",
    errno.EFBIG: "the file is larger than this file system or `ulimit -f` allows; split it",
    errno.EROFS: "the file system is mounted read-only; mount it writable or choose another folder",
    errno.EACCES: "give this user read and write permission on the folder, or choose another one",
    errno.EPERM: "the file system refuses this to this user; check the folder's owner and attributes",
    errno.ENAMETOOLONG: "shorten the name; most file systems allow 255 bytes for each part of a path",
    errno.ENOTDIR: "a file or a broken link stands where a folder is needed; rename or remove it",
    errno.EISDIR: "a folder stands where a file is needed; rename or remove it",
    errno.ELOOP: "symbolic links lead round in a circle; remove one of them",
    errno.EMFILE: "this process has too many open files; raise `ulimit -n`",
    errno.ENFILE: "the machine has too many open files; close some programs or raise the limit",
    errno.EIO: "the disk reports an input/output error; check its health before you run again",
    errno.ESTALE: "the network file system lost its handle; mount it again",
    errno.EXDEV: "another file system is mounted below the store's folder; give the store that folder",
    errno.ENOTSUP: "this file system has no hard links, which safe writing needs; choose another folder",
    errno.EOPNOTSUPP: "this file system has no hard links, which safe writing needs; choose another folder",
}
# file systems on which a folder cannot be synced, and need not be
_NO_FOLDER_SYNC = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF})


def fault(doing: str, where: Path, error: OSError) -> StoreError:
    """The error that says what failed, where, and how to mend it."""
    return StoreError(
        f"cannot {doing} `{where.name or where}`",
        where=str(where),
        found=error.strerror or str(error),
        hint=_HINTS.get(error.errno or 0, "run again when the disk is well"),
    )


@contextmanager
def faults(doing: str, where: Path) -> Iterator[None]:
    """Turn an OSError of the block into a `fault`."""
    try:
        yield
    except OSError as error:
        raise fault(doing, where, error) from error


class Scratch:
    """The private folder of files that are being written.

    Each is locked by its writer, so that a sweep takes only what a dead process left behind.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._swept = False

    @contextmanager
    def file(self) -> Iterator[tuple[int, Path]]:
        """A new, empty file as (descriptor, path); gone at the end of the block. Raises: StoreError."""
        if not self._swept:
            self._swept = True
            self._sweep()
        with faults("write below", self.folder):
            fd, path = self._new()
        try:
            # some network file systems know no locks: there, age alone protects a file
            with suppress(OSError):
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield fd, path
        finally:
            os.close(fd)
            with faults("remove", path):
                path.unlink(missing_ok=True)

    def _new(self) -> tuple[int, Path]:
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
        for _ in range(_TRIES):
            path = self.folder / os.urandom(12).hex()
            try:
                return os.open(path, flags, 0o666), path
            except FileNotFoundError:
                make_folder(self.folder)
        raise FileNotFoundError(errno.ENOENT, "the folder keeps vanishing", str(self.folder))

    def _sweep(self) -> None:
        now = time.time()
        # whoever cannot sweep leaves it to the next writer
        with suppress(OSError):
            for path in self.folder.iterdir():
                with suppress(OSError):
                    if now - path.stat().st_mtime > ABANDONED_AFTER_S:
                        _remove_unlocked(path)


def _remove_unlocked(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    else:
        path.unlink()
    finally:
        os.close(fd)


def write_all(fd: int, data: memoryview) -> None:
    """Write all of `data`; the system may take less at a time. Raises: OSError."""
    while data:
        data = data[os.write(fd, data) :]


def nearest(folder: Path) -> Path:
    """The folder itself, or the first of its parents that is there. Raises: OSError."""
    while not folder.exists():
        folder = folder.parent
    return folder


def publish(temp: Path, path: Path, top: Path, *, replace: bool = False) -> None:
    """Give a finished, synced file its name, durably: whole, at once, parent folders up to `top` included.

    The file keeps its old name too, unless `replace`.
    Raises: FileExistsError if the name is taken and not to be replaced; OSError.
    """
    for _ in range(_TRIES):
        make_folder(path.parent)
        try:
            if replace:
                temp.replace(path)
            else:
                os.link(temp, path)
        except FileNotFoundError:
            # a concurrent delete removed the folder while it was empty
            if not temp.exists():
                raise
            continue
        sync_folders(path.parent, top)
        return
    raise FileNotFoundError(errno.ENOENT, "the folder keeps vanishing", str(path.parent))


def make_folder(folder: Path) -> None:
    """Make a folder and its parents, while others may be removing empty ones. Raises: OSError."""
    for _ in range(_TRIES):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return
        except FileNotFoundError:
            continue
        except (FileExistsError, NotADirectoryError):
            above = (folder, *folder.parents)
            # a link that leads nowhere does not exist, yet it takes the name
            blocker = next((p for p in above if (p.exists() or p.is_symlink()) and not p.is_dir()), None)
            if blocker is not None:
                raise NotADirectoryError(errno.ENOTDIR, f"{blocker} is no folder", str(blocker)) from None
    raise FileNotFoundError(errno.ENOENT, "the folder keeps vanishing", str(folder))


def remove_empty(folder: Path, root: Path) -> Path:
    """Remove a folder and its parents up to `root`, as far as they are empty; returns the first to stay."""
    while folder != root:
        try:
            folder.rmdir()
        except FileNotFoundError:
            pass  # somebody else was faster
        except OSError:
            break  # it is not empty, or not ours to remove
        folder = folder.parent
    return folder


def sync_folders(folder: Path, top: Path) -> None:
    """Make the names in a folder, and its own name up to `top`, survive a power cut. Raises: OSError.

    Every folder on the way is synced, also those that were there already: another process may have
    made one of them a moment ago and not yet synced it.
    """
    sync_folder(folder)
    while folder not in (top, folder.parent):
        folder = folder.parent
        sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut. Raises: OSError."""
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return  # removed meanwhile, so nothing in it can be lost
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(fd)
