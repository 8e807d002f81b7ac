"""Rows on their way into a target, and what it says of them.

A target acknowledges by handing a state back. It is believed when it has ended with exit code 0 and the
last state that it handed back is the last that it was sent, with this load's id. Everything else is told as
what it is: a target that fails, one that stops reading, one that ends well having acknowledged less.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import IO, Any

from penstock.destinations.singer_target.target import Target
from penstock.destinations.singer_target.wording import state_message
from penstock.errors import OutsideError, PenstockError, UncertainError
from penstock.plugins.handed import hand, private_folder
from penstock.plugins.process import PIPE, Running, start

# Any throughout: states

_GRACE_S = 5.0
_CLOSING_S = 30.0
_TOLD = 15
_WATCH_S = 0.2
_log = logging.getLogger(__name__)


class Delivery:
    """One load on its way into a target that was started for it. A context manager: leaving it stops it."""

    def __init__(self, target: Target, load_id: str) -> None:
        self._target = target
        self._load_id = load_id
        self._rows: dict[str, int] = {}
        self._acknowledged: dict[str, int] = {}
        self._whole = False
        self._stalled = False
        self._moved_at = time.monotonic()
        self._over = threading.Event()
        self._folder = private_folder()
        self._running: Running | None = None

    def __enter__(self) -> Delivery:
        folder = self._folder.__enter__()
        try:
            command = [*self._target.installed.command, *hand(folder, self._target.config)]
            root, env = self._target.root, self._target.env
            self._running = start(
                command, env=env, cwd=root, stdin=PIPE, on_stderr=self._heard, private=folder
            )
        except BaseException:
            self._folder.__exit__(None, None, None)
            raise
        self._reader = threading.Thread(target=self._read, args=(self._running.stdout,), daemon=True)
        self._watcher = threading.Thread(target=self._watch, args=(self._running,), daemon=True)
        self._reader.start()
        self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._running is not None:
            self._running.stop(_GRACE_S)
        self._folder.__exit__(kind, error, trace)

    # --------------------------------------------------------------------------------- sending

    def send(self, data: Any, stream: str | None = None, rows: int = 0) -> None:
        """Hand messages over; `rows` of them are records of `stream`.

        Raises: OutsideError when the target has failed or stalls; UncertainError when it ended well
        without having read everything.
        """
        if stream is not None:
            self._rows[stream] = self._rows.get(stream, 0) + rows
        self._write(data)

    def mark(self, *, whole: bool = False) -> None:
        """Ask the target to acknowledge what it was sent so far. Raises: as `send`."""
        self._write(state_message(self._load_id, self._rows, whole=whole))

    def finish(self) -> None:
        """End the input, wait for the target, and believe it or not. Raises: as `send`."""
        running = self._process
        try:
            assert running.stdin is not None
            running.stdin.close()
        except BrokenPipeError:
            raise self._broken() from None
        self._moved_at = time.monotonic()
        self._reader.join()
        if (error := self._disbelief(running.wait())) is not None:
            raise error

    @property
    def _process(self) -> Running:
        assert self._running is not None
        return self._running

    def _write(self, data: Any) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        try:
            stdin.write(data)
            stdin.flush()
        except BrokenPipeError:
            raise self._broken() from None
        self._moved_at = time.monotonic()

    # ------------------------------------------------------------------------------- listening

    def _heard(self, line: str) -> None:
        self._moved_at = time.monotonic()
        self._target.heard(line)

    def _read(self, stdout: IO[bytes]) -> None:
        """Every line that the target prints is a state, or is passed on as something that it says."""
        for line in stdout:
            self._moved_at = time.monotonic()
            try:
                state = json.loads(line)
            except ValueError:
                state = None
            if isinstance(state, dict):
                self._acknowledge(state)
            elif line.strip():
                self._target.heard(line.decode("utf-8", "replace").rstrip())

    def _acknowledge(self, state: Mapping[str, Any]) -> None:
        own, bookmarks = state.get("penstock"), state.get("bookmarks")
        mine = isinstance(own, dict) and own.get("load_id") == self._load_id
        self._whole = mine and isinstance(own, dict) and own.get("whole") is True
        for stream, mark in bookmarks.items() if isinstance(bookmarks, dict) else ():
            if isinstance(mark, dict) and mark.get("penstock_load") == self._load_id:
                self._acknowledged[stream] = mark.get("penstock_rows", 0)

    def _watch(self, running: Running) -> None:
        """End a target that has neither read nor said anything for too long."""
        while not self._over.wait(_WATCH_S):
            if time.monotonic() - self._moved_at > self._target.spec.stall_s:
                self._stalled = True
                running.kill()
                return

    # ---------------------------------------------------------------------------------- errors

    def _broken(self) -> PenstockError:
        """The error for a target that does not read any more."""
        if self._stalled:
            return self._stall()
        running = self._process
        try:
            code = running.wait(min(_CLOSING_S, self._target.spec.stall_s))
        except TimeoutError:
            running.stop(_GRACE_S)
            return self._failed(None)
        self._reader.join(_GRACE_S)
        return self._disbelief(code) or self._short(code)

    def _disbelief(self, code: int) -> PenstockError | None:
        """Why a target that has ended is not believed, or None."""
        if self._stalled:
            return self._stall()
        if code != 0:
            return self._failed(code)
        return None if self._whole else self._short(code)

    def _failed(self, code: int | None) -> OutsideError:
        ended = "does not read any more" if code is None else f"ended {_ending(code)}"
        return OutsideError(
            f"`{self._target.name}` {ended}",
            where=self._counts(),
            found=self._last_lines(),
            hint="nothing is noted as loaded; the next run sends all of it again, rows that the target "
            "has kept among them",
        )

    def _stall(self) -> OutsideError:
        return OutsideError(
            f"`{self._target.name}` neither read nor said anything for {self._target.spec.stall_s:g} s",
            where=self._counts(),
            found=self._last_lines(),
            hint="if it needs longer, raise `stall_s` of the destination",
        )

    def _short(self, code: int) -> UncertainError:
        return UncertainError(
            f"`{self._target.name}` ended with exit code {code} and has not acknowledged what it was sent",
            where=self._counts(),
            found=self._last_lines(),
            expected="the last state that it was sent, handed back",
            hint="nothing is noted as loaded, though the target may have kept rows; look at its tables, "
            "then run again",
        )

    def _counts(self) -> str:
        sent, said = sum(self._rows.values()), sum(self._acknowledged.values())
        short = [
            f"`{stream}` {self._acknowledged.get(stream, 0):,} of {n:,}"
            for stream, n in self._rows.items()
            if self._acknowledged.get(stream, 0) < n
        ]
        return f"{said:,} of {sent:,} rows acknowledged" + (f"; {', '.join(short)}" if len(short) > 1 else "")

    def _last_lines(self) -> str:
        lines = [self._target.blotted(line) for line in self._process.last_lines[-_TOLD:]]
        return "\n    ".join(["", *lines]).rstrip() or "it said nothing"


def _ending(code: int) -> str:
    return f"by signal {-code}" if code < 0 else f"with exit code {code}"
