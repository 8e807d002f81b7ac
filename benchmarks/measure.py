"""One command as a whole cold process tree: CPU seconds, wall seconds, peak memory.

The kernel starts a child's peak memory at that of its parent, so this process has to stay small:
nothing here, or in what it imports, may load a driver.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")
SAMPLE_EVERY_S = 0.02
ORPHAN_GRACE_S = 5.0
PR_SET_CHILD_SUBREAPER = 36
MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Usage:
    """What a command used. Units: MB are 10^6 bytes.

    `cpu_s` is user and system time of every process of the tree; `rss_mb` the largest single
    process, `tree_mb` the largest sum over the tree that was seen (shared pages count twice).
    """

    cpu_s: float
    wall_s: float
    rss_mb: float
    tree_mb: float
    exit_code: int

    @property
    def peak_mb(self) -> float:
        """The larger of the two memory figures: a tree can only be sampled."""
        return max(self.rss_mb, self.tree_mb)


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):  # the process may end while it is looked at
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


def _tree_bytes(pid: int) -> int:
    total = 0
    with contextlib.suppress(OSError, IndexError):
        total = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    return total + sum(_tree_bytes(child) for child in _children(pid))


class _Sampler(threading.Thread):
    """Watches the memory of a process tree until told to stop."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.peak_bytes, self.done = pid, 0, threading.Event()

    def run(self) -> None:
        while not self.done.wait(SAMPLE_EVERY_S):
            self.peak_bytes = max(self.peak_bytes, _tree_bytes(self.pid))


def adopt_orphans() -> None:
    """Let processes whose parent ended come to this one, so that their CPU time is counted too."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _reap_orphans(group: int) -> float:
    """The CPU seconds of what the command left running; killed when it does not end by itself."""
    cpu_s, deadline = 0.0, time.monotonic() + ORPHAN_GRACE_S
    while True:
        try:
            pid, _, used = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return cpu_s
        if pid:
            cpu_s += used.ru_utime + used.ru_stime
        elif time.monotonic() > deadline:
            _kill(group)
            deadline += ORPHAN_GRACE_S
        else:
            time.sleep(SAMPLE_EVERY_S)


def run(argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path, timeout_s: float) -> Usage:
    """Run `argv` to its end, its output into `log`; after `timeout_s` its process group is killed."""
    os.sync()
    with log.open("wb") as out:
        started = time.perf_counter()
        process = subprocess.Popen(
            argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
        sampler = _Sampler(process.pid)
        sampler.start()
        timer = threading.Timer(timeout_s, _kill, [process.pid])
        timer.start()
        _, status, used = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - started
        timer.cancel()
        sampler.done.set()
        process.returncode = os.waitstatus_to_exitcode(status)
        orphans_s = _reap_orphans(process.pid)
    return Usage(
        cpu_s=used.ru_utime + used.ru_stime + orphans_s,
        wall_s=wall_s,
        rss_mb=used.ru_maxrss * 1024 / MEGABYTE,
        tree_mb=sampler.peak_bytes / MEGABYTE,
        exit_code=process.returncode,
    )
