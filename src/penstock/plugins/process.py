"""A plugin as a running process: its own group, its stderr line by line, and an end in every case.

Whatever becomes of us, nothing is left behind: `stop` ends the whole process group, and a watcher ends it
when this process dies without having said so. The watcher is a shell that waits for the end of a pipe that
only we hold; the death signal of Linux would be bound to the thread that started the plugin, and would
reach the plugin alone and not what it started.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Final

from penstock.errors import NotFoundError, OutsideError

PIPE: Final = subprocess.PIPE
_KEPT_LINES = 30
_LONGEST_LINE = 1 << 16
_PIPE_BYTES = 1 << 20
_STREAM_GRACE_S = 5.0
FOREIGN = ("PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "PYTHONSTARTUP", "__PYVENV_LAUNCHER__")
"""Variables that would lead a Python of another virtual environment astray."""
# without `--`, which the `kill` of some shells takes for a number
_WATCH = 'read -r said && exit 0; kill -TERM "-$1"; sleep 2; kill -KILL "-$1"; [ -z "$2" ] || rm -rf "$2"'


class Running:
    """A process that was started. Leaving it as a context manager stops it."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        name: str,
        on_stderr: Callable[[str], None] | None,
        private: Path | None = None,
    ) -> None:
        self._process = process
        self.name = name
        self.pid = process.pid
        self.stdin: IO[bytes] | None = process.stdin
        self.stdout: IO[bytes] | None = process.stdout
        self._on_stderr = on_stderr
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._fault: BaseException | None = None
        self._ended = False
        try:
            self._watcher = _watch(process.pid, private)
        except OSError:
            process.kill()
            process.wait()
            raise
        self._pump = threading.Thread(target=self._read_stderr, name=f"stderr of {name}", daemon=True)
        self._pump.start()

    @property
    def last_lines(self) -> tuple[str, ...]:
        """What the process said last on stderr, oldest first."""
        return tuple(self._lines)

    @property
    def exit_code(self) -> int | None:
        """How the process ended, negative for a signal, as Python tells it; None while it runs."""
        return self._process.poll()

    def wait(self, timeout_s: float | None = None) -> int:
        """The exit code, once the process has ended and its stderr is read.

        What it started and left behind is ended too. Raises: TimeoutError, and the process goes on;
        what `on_stderr` raised.
        """
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(f"`{self.name}` is still running after {timeout_s} s") from error
        if not self._ended:  # once: later on the number may be that of another group
            self._ended = True
            self._signal(signal.SIGKILL)
            self._dismiss()
        self._pump.join(_STREAM_GRACE_S)
        if self._fault is not None:
            fault, self._fault = self._fault, None
            raise fault
        return code

    def stop(self, grace_s: float = 5.0) -> int:
        """End the process and all that it started: asked first, and after `grace_s` made to.

        Returns: the exit code; that of a process that had ended by itself is its own.
        """
        if self._process.poll() is None:
            self._signal(signal.SIGTERM)
            try:
                self._process.wait(grace_s)
            except subprocess.TimeoutExpired:
                self._signal(signal.SIGKILL)
        code = self.wait()
        for stream in (self.stdin, self.stdout):
            if stream is not None:
                with suppress(OSError):  # what was still to be written has no reader any more
                    stream.close()
        return code

    def kill(self) -> None:
        """End the whole group at once; for another thread than the one that waits."""
        if not self._ended:
            self._signal(signal.SIGKILL)

    def __enter__(self) -> Running:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):  # all of the group have gone already
            os.killpg(self.pid, number)

    def _dismiss(self) -> None:
        """Send the watcher home."""
        if self._watcher.poll() is None and self._watcher.stdin is not None:
            with suppress(BrokenPipeError):
                self._watcher.stdin.write(b"done\n")
                self._watcher.stdin.close()
            self._watcher.wait()

    def _read_stderr(self) -> None:
        """Read for as long as there is something, whatever becomes of it: a full pipe would block."""
        stream = self._process.stderr
        if stream is None:
            return
        with stream:
            while line := stream.readline(_LONGEST_LINE):
                text = line.decode("utf-8", "replace").rstrip("\r\n")
                self._lines.append(text)
                if self._on_stderr is not None and self._fault is None:
                    try:
                        self._on_stderr(text)
                    except BaseException as error:  # told by `wait`, on the caller's own thread
                        self._fault = error


def start(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: int | IO[bytes] | None = None,
    stdout: int | IO[bytes] = PIPE,
    on_stderr: Callable[[str], None] | None = None,
    private: Path | None = None,
) -> Running:
    """Start a program in a process group of its own.

    `env` is added to the environment of this process, without what would lead a Python of another
    virtual environment astray. `stdin` is nothing unless it is `PIPE` or a file. `on_stderr` is called
    with every line, on a thread of its own. `private` is a folder of secrets that is removed if this
    process dies before it can do so itself.
    Raises: NotFoundError for a program that is not there; OutsideError for one that cannot be started.
    """
    words = [str(word) for word in command]
    name = Path(words[0]).name
    try:
        process = subprocess.Popen(
            words,
            env={k: v for k, v in os.environ.items() if k not in FOREIGN} | dict(env or {}),
            cwd=cwd,
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            start_new_session=True,
            pipesize=_PIPE_BYTES if hasattr(os, "pipe2") else -1,
        )
    except FileNotFoundError as error:
        raise NotFoundError(
            f"the program `{name}` is not there",
            where=words[0],
            hint="install the plugin, or say with `executable` where its program is",
        ) from error
    except OSError as error:
        hint = "is it executable, and does its first line name a program that is there?"
        raise OutsideError(
            f"`{name}` could not be started", where=words[0], found=error.strerror, hint=hint
        ) from error
    return Running(process, name, on_stderr, private)


def _watch(group: int, private: Path | None) -> subprocess.Popen[bytes]:
    """A shell that ends a process group when the only other end of its stdin is gone."""
    return subprocess.Popen(
        ["/bin/sh", "-c", _WATCH, "watch", str(group), str(private or "")],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        bufsize=0,
        cwd="/",
    )
