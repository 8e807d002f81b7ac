"""Taking turns: a lock file between the processes of one machine that is waited for."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from penstock.errors import LockHeldError

_PAUSE_S = 0.1


@contextmanager
def turn(lock: Path, what: str, patience_s: float, doing: str = "being installed") -> Iterator[None]:
    """Hold `lock` once nobody else does; it goes with its process, however that ends.

    Raises: LockHeldError when it is not free after `patience_s`.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        until = time.monotonic() + patience_s
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() >= until:
                    raise LockHeldError(
                        f"{what} is still {doing} by another process",
                        where=str(lock),
                        hint="wait for it to end, or stop it; the lock goes with its process",
                    ) from error
                time.sleep(_PAUSE_S)
        yield
    finally:
        os.close(fd)
