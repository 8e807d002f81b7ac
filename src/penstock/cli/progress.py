"""Telling how far a run is: bars on a terminal, a line now and then in a log."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from penstock.cli.terminal import Terminal
from penstock.report.facts import (
    Event,
    ModelDone,
    ModelResult,
    ModelStatus,
    Notice,
    Observer,
    Phase,
    PhaseDone,
    PhaseStarted,
    Progress,
)
from penstock.report.text import Line, bad, clean, counted, duration, line, size, strong, warn

if TYPE_CHECKING:
    from penstock.cli.bars import Bars

EVERY_S = 5.0
_NAME = 24


@contextmanager
def followed(terminal: Terminal) -> Iterator[Observer]:
    """The observer that suits the terminal, for the length of a run."""
    if not terminal.follows:
        yield lambda _: None
    elif terminal.err.isatty() and terminal.environ.get("TERM") != "dumb":
        with _OnTerminal(terminal) as observe:
            yield observe
    else:
        yield Log(terminal.say)


class _OnTerminal:
    """Bars that are drawn from the first event on, so that a run with nothing to do pays nothing."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self.bars: Bars | None = None
        self.lock = threading.Lock()

    def __enter__(self) -> Observer:
        return self

    def __call__(self, event: Event) -> None:
        with self.lock:
            if self.bars is None:
                from penstock.cli.bars import Bars

                self.bars = Bars(self.terminal)
            self.bars.take(event)

    def __exit__(self, *_: object) -> None:
        if self.bars is not None:
            self.bars.stop()


@dataclass(slots=True)
class _Going:
    started: PhaseStarted
    said_at: float
    size_bytes: int = 0
    rows: int = 0


class Log:
    """An observer that says plain lines: each phase's start and end, and in between now and then.

    `clock` in seconds; lines carry no time of their own, a log has that already.
    """

    def __init__(
        self, say: Callable[[list[Line]], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.say = say
        self.clock = clock
        self.going: dict[tuple[str, Phase], _Going] = {}
        self.lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        with self.lock:
            text = self._heard(event)
            if text:
                self.say([text])

    def _heard(self, event: Event) -> Line | None:
        match event:
            case PhaseStarted() if event.files:
                self.going[event.pipeline, event.phase] = _Going(event, self.clock())
                return _start(event)
            case Progress():
                return self._more(event)
            case PhaseDone():
                going = self.going.pop((event.pipeline, event.phase), None)
                return _end(event, going) if going else None
            case ModelDone():
                return _built(event.result)
            case Notice():
                return line(strong(event.pipeline), ": ", warn(clean(event.message)))
            case _:
                return None

    def _more(self, event: Progress) -> Line | None:
        going = self.going.get((event.pipeline, event.phase))
        if going is None:
            return None
        going.size_bytes += event.size_bytes
        going.rows += event.rows
        now = self.clock()
        if now - going.said_at < EVERY_S:
            return None
        going.said_at = now
        rows = f", {counted(going.rows, 'row')}" if going.rows else ""
        return line(
            strong(event.pipeline),
            f": {event.phase}: {size(going.size_bytes)} of {size(going.started.size_bytes)}{rows}",
        )


def _start(event: PhaseStarted) -> Line:
    facts = f"{counted(event.files, 'file')}, {size(event.size_bytes)}"
    return line(strong(event.pipeline), f": {event.phase}: {facts}")


def _built(result: ModelResult) -> Line | None:
    """`build  prices_by_town           12,345 rows  0.12 s`, with what is not as usual."""
    name = result.model.ljust(_NAME)
    if result.status is not ModelStatus.BUILT:
        tone = warn if result.status is ModelStatus.SKIPPED else bad
        why = clean((result.error or result.why).partition("\n")[0])
        return line(strong("build"), f"  {name}  ", tone(result.status.value), f": {why}")
    rows = counted(result.kept, "row") if result.kept is not None else result.materialized
    odd = [f"{n:,} {what}" for n, what in _fates(result) if n]
    told = [warn(f"  {', '.join(odd)}")] if odd else []
    return line(strong("build"), f"  {name}  {rows:>16}  {duration(result.seconds)}", *told)


def _fates(result: ModelResult) -> list[tuple[int, str]]:
    return [(result.dropped, "dropped"), (result.quarantined, "quarantined")]


def _end(event: PhaseDone, going: _Going) -> Line:
    rows = f"{counted(going.rows, 'row')} " if going.rows else ""
    return line(strong(event.pipeline), f": {event.phase}: done, {rows}in {duration(event.seconds)}")
