"""SIGINT and SIGTERM while a command works: the first asks it to stop, the second ends it.

The first one is only noted. Whoever hears of the run's events raises `StoppedError` at the next one,
which is at the latest the end of the file that is being worked on; the run then tidies up as after an
error: what was not committed is rolled back, locks are released. A commit is not interrupted, because
nothing is heard of it before it is done.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import UnsupportedOperation
from types import FrameType
from typing import TYPE_CHECKING

from penstock.cli.terminal import Terminal

if TYPE_CHECKING:
    from penstock.report.facts import Event, Observer

SIGNALS = (signal.SIGINT, signal.SIGTERM)
_END = b"\0"
_FIRST = b"\nstopping at the next file; once more to stop at once\n"


class StoppedError(KeyboardInterrupt):
    """The command was asked to stop and has tidied up. `number` is the signal's."""

    def __init__(self, number: int, *, done: bool = False) -> None:
        super().__init__(number)
        self.number = number
        self.done = done

    @property
    def words(self) -> str:
        """What happened, and what to do, in one line."""
        name = signal.Signals(self.number).name
        if self.done:
            return f"{name} came when all was done; nothing is lost: run again for what is new"
        return f"stopped by {name}; nothing is lost: run again, it goes on from here"


class Stop:
    """Whether a command was asked to stop."""

    def __init__(self) -> None:
        self.number: int | None = None

    def watched(self, observe: Observer) -> Observer:
        """An observer that tells `observe`, and raises StoppedError once the command was asked to stop."""

        def heard(event: Event) -> None:
            observe(event)
            self.check()

        return heard

    def check(self, *, done: bool = False) -> None:
        """Raises: StoppedError if the command was asked to stop; `done` says that it has nothing left."""
        if self.number is not None:
            raise StoppedError(self.number, done=done)

    def _ask(self, number: int, _: FrameType | None) -> None:
        self.number = number


@contextmanager
def stoppable(terminal: Terminal) -> Iterator[Stop]:
    """Within the block the first signal asks to stop, and the second ends the process at once.

    A signal that is ignored stays so, and outside of the main thread nothing changes.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    ours = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    with _second_ends(terminal):
        try:
            for number in ours:
                signal.signal(number, stop._ask)
            yield stop
        finally:
            for number in ours:
                signal.signal(number, before[number] or signal.SIG_DFL)


@contextmanager
def _second_ends(terminal: Terminal) -> Iterator[None]:
    """A thread that hears of signals even while the main thread is in a long call into a library."""
    ear, mouth = os.pipe()
    os.set_blocking(mouth, False)
    before = signal.set_wakeup_fd(mouth, warn_on_full_buffer=False)
    listener = threading.Thread(target=_listen, args=(ear, terminal), name="penstock-signals", daemon=True)
    listener.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.write(mouth, _END)
        listener.join()
        os.close(ear)
        os.close(mouth)


def _listen(ear: int, terminal: Terminal) -> None:
    asked = False
    while (heard := os.read(ear, 1)) != _END:
        number = heard[0]
        if number not in SIGNALS:
            continue
        if asked:
            os._exit(128 + number)  # what is open is as after a kill: the next run goes on from the facts
        asked = True
        if not terminal.quiet:
            with suppress(OSError, UnsupportedOperation, ValueError):  # nobody is there to be told
                os.write(terminal.err.fileno(), _FIRST)
