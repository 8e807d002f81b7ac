"""Folders for files on their way: gone with their owner, and swept up after one that was killed.

Each folder has a file that its process keeps locked. Who makes a folder removes those whose lock is
free, so that killed runs leave neither full disks nor the configurations of plugins, which hold secrets;
the system frees the locks of a dead process.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path

PREFIX = "penstock-run-"
LOCK = "lock"
YOUNG_S = 60.0  # a folder may be there for a moment before its lock is


class TemporaryFolder:
    """A folder that only its owner can read, below the system's temporary folder.

    `now` in Unix seconds. Raises: OSError if it cannot be made.
    """

    def __init__(self, now: float) -> None:
        _sweep(Path(tempfile.gettempdir()), now)
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
        lock = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        self._end = weakref.finalize(self, _remove, self.path, lock)

    def close(self) -> None:
        """Remove it with all that is in it; once is enough."""
        self._end()


def _remove(path: Path, lock: int) -> None:
    shutil.rmtree(path, ignore_errors=True)
    os.close(lock)


def _sweep(parent: Path, now: float) -> None:
    """Remove the folders of processes that are gone."""
    for folder in parent.glob(f"{PREFIX}*"):
        with suppress(OSError):  # somebody else's, or just removed by another process
            if now - folder.stat().st_mtime < YOUNG_S:
                continue
            lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)
