"""A lock between processes of one machine that goes when its holder does, however it ends."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from penstock.errors import LockHeldError, StoreError

_TRIES = 10  # whoever asks for the holder has the lock for an instant
_PAUSE_S = 0.02


@contextmanager
def hold(path: Path, what: str, holder: str) -> Iterator[None]:
    """Hold the lock file `path` on behalf of `holder`; `what` is locked, for the message.

    Raises: LockHeldError, naming who has it; StoreError when the file cannot be written.
    """
    fd = _open(path)
    try:
        if not _try(fd):
            raise LockHeldError(
                f"{what} is in use by another run",
                where=_read(fd) or "a process that did not say who it is",
                hint="wait for it to end, or stop it; the lock goes with its process",
            )
        try:
            _write(fd, holder)
        except OSError as error:
            raise _unwritable(path, error) from error
        try:
            yield
        finally:
            os.ftruncate(fd, 0)
    finally:
        os.close(fd)


def holder_of(path: Path) -> str | None:
    """Who holds the lock file, or None."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError("the lock file cannot be read", where=str(path), found=str(error)) from error
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(fd) or "a process that did not say who it is"
    finally:
        os.close(fd)
    return None


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> StoreError:
    return StoreError(
        "the lock file cannot be written",
        where=str(path),
        found=error.strerror or str(error),
        hint="free some space there, or give this user write permission on the folder",
    )


def _try(fd: int) -> bool:
    for attempt in range(_TRIES):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if attempt < _TRIES - 1:
                time.sleep(_PAUSE_S)
        else:
            return True
    return False


def _write(fd: int, holder: str) -> None:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    who = {"holder": holder, "pid": os.getpid(), "host": socket.gethostname(), "since": since}
    os.ftruncate(fd, 0)
    os.pwrite(fd, json.dumps(who).encode(), 0)


def _read(fd: int) -> str | None:
    try:
        return describe(json.loads(os.pread(fd, 4096, 0)))
    except (ValueError, KeyError):
        return None  # it is just being written


def describe(who: dict[str, object]) -> str:
    """One line that names a holder: who, since when, and which process if `holder` does not say."""
    known = str(who["pid"]) in str(who["holder"])
    process = "" if known else f", process {who['pid']} on {who['host']}"
    return f"{who['holder']}{process}, since {who['since']}"
