"""Command-line runs in forked children of one warm process, so that hundreds of them take seconds.

The warm process has imported everything and started no thread, so a child is as good as a process
that was started from nothing. Each child runs one command with the fault driver, in a project's
folder; the warm process waits for it, or kills it after some time.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import pkgutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer.main

KILLED = -signal.SIGKILL
TIMEOUT_S = 120.0
_PASSED_ON = ("AWS_", "NO_PROXY", "no_proxy", "TMPDIR")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: exit code (negative: the signal), all that it printed, wall seconds."""

    code: int
    output: str
    seconds: float


class Nursery:
    """The warm process, seen from the tests."""

    def __init__(self) -> None:
        # neither Arrow nor numpy, where it is installed, may start a thread before the fork
        threadless = {"JE_ARROW_MALLOC_CONF": "background_thread:false", "OPENBLAS_NUM_THREADS": "1"}
        environment = os.environ | threadless
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def run(
        self, folder: Path, *command: str, faults: Sequence[str] = (), kill_after_s: float | None = None
    ) -> Ended:
        """One `penstock` command in a project's folder; `faults` are options of the fault driver."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {
            "folder": str(folder),
            "arguments": [*faults, "--", *command],
            "kill_after_s": kill_after_s,
            "environment": {k: v for k, v in os.environ.items() if k.startswith(_PASSED_ON)},
        }
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the warm process is gone"
        return Ended(**json.loads(answer))

    def close(self) -> None:
        """End the warm process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()


# ---------------------------------------------------------------------------- the warm process


def serve() -> None:
    """Take orders from stdin, a line each, and answer on stdout."""
    _warm()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    for line in sys.stdin:
        print(json.dumps(_run(json.loads(line))), flush=True)


def _warm() -> None:
    import penstock

    skipped = ("penstock.__main__", "penstock.testing.", "penstock.dagster")
    for module in pkgutil.walk_packages(penstock.__path__, "penstock."):
        if not module.name.startswith(skipped):
            importlib.import_module(module.name)
    importlib.import_module("penstock.testing.faults")
    # making the commands takes a fifth of a small run
    typer.main.get_command = functools.cache(typer.main.get_command)
    typer.main.get_command(importlib.import_module("penstock.cli.commands").app)
    tasks = Path("/proc/self/task")
    assert not tasks.is_dir() or len([*tasks.iterdir()]) == 1, (
        "something starts threads when it is imported, so forking is not safe"
    )


def _run(order: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryFile() as printed:
        began = time.monotonic()
        pid = os.fork()
        if pid == 0:
            _be_child(order, printed.fileno())
        code = _wait(pid, order["kill_after_s"])
        seconds = time.monotonic() - began
        printed.seek(0)
        return {"code": code, "output": printed.read().decode("utf-8", "replace"), "seconds": seconds}


def _wait(pid: int, kill_after_s: float | None) -> int:
    """The child's exit code; it is killed when its time is over."""
    limit = TIMEOUT_S if kill_after_s is None else kill_after_s
    ended = limit > 0 and signal.sigtimedwait({signal.SIGCHLD}, limit) is not None
    if not ended:
        os.kill(pid, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if not ended:
        signal.sigtimedwait({signal.SIGCHLD}, 0)
    if not ended and kill_after_s is None:
        raise TimeoutError(f"a run was still going on after {TIMEOUT_S} s")
    return code


def _be_child(order: dict[str, Any], printed: int) -> None:
    """Run the command and end; never returns."""
    code = 70
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        signal.signal(signal.SIGINT, signal.default_int_handler)  # who started us may ignore it
        os.chdir(order["folder"])
        os.environ.update(order["environment"])
        tempfile.tempdir = None  # to be looked for anew
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(printed, 1)
        os.dup2(printed, 2)
        from penstock.testing import faults

        code = faults.main(order["arguments"])
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve()
