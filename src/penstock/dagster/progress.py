"""Events of a run as lines of Dagster's log: one where a phase begins and ends, and a few in between."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable

from penstock.report.facts import (
    Event,
    FileDone,
    ModelDone,
    ModelStarted,
    Notice,
    Pause,
    Phase,
    PhaseDone,
    PhaseStarted,
    Progress,
)
from penstock.report.text import counted, duration, size


class Lines:
    """An observer that logs, and remembers what results are made of.

    `every_s`: seconds between two lines about the same phase. Phases come back in a run, so what they
    took adds up.
    """

    def __init__(
        self,
        log: Callable[[str], object],
        *,
        every_s: float = 5.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._every_s = every_s
        self._now = now
        self._last = 0.0
        self._done: dict[Phase, list[int]] = {}
        self._paused = False
        self.seconds: dict[Phase, float] = defaultdict(float)
        self.files: dict[tuple[Phase, str], list[str]] = defaultdict(list)
        """The keys of the files that went through a phase, by phase and table."""

    def keys(self, phase: Phase, table: str | None) -> list[str]:
        """The keys of the files that went through a phase: of one table, or of all."""
        return [k for (p, t), keys in self.files.items() if p is phase and table in (None, t) for k in keys]

    def __call__(self, event: Event) -> None:
        if not isinstance(event, Pause):
            self._paused = False
        match event:
            case PhaseStarted():
                self._begin(event)
            case Progress():
                self._more(event)
            case FileDone():
                self.files[event.phase, event.table].append(event.key)
            case PhaseDone():
                self._end(event)
            case Notice():
                self._log(f"{event.pipeline}: {event.message}")
            case Pause():
                if not self._paused:
                    self._log(f"{event.pipeline}: waiting")
                self._paused = True
            case ModelStarted():
                self._log(f"{event.model}: building, {event.number} of {event.of}")
            case ModelDone():
                self._model(event)

    def _begin(self, event: PhaseStarted) -> None:
        self._done[event.phase] = [0, 0]
        self._last = self._now()
        ahead = [counted(event.files, "file")] if event.files else []
        ahead += [size(event.size_bytes)] if event.size_bytes else []
        self._log(f"{event.pipeline}: {event.phase}" + (f": {', '.join(ahead)}" if ahead else ""))

    def _more(self, event: Progress) -> None:
        done = self._done.setdefault(event.phase, [0, 0])
        done[0] += event.rows
        done[1] += event.size_bytes
        now = self._now()
        if now - self._last >= self._every_s:
            self._last = now
            self._log(f"{event.pipeline}: {event.phase}: {_so_far(done)} so far")

    def _end(self, event: PhaseDone) -> None:
        self.seconds[event.phase] += event.seconds
        done = _so_far(self._done.pop(event.phase, [0, 0]))
        self._log(
            f"{event.pipeline}: {event.phase} done in {duration(event.seconds)}"
            + (f", {done}" if done else "")
        )

    def _model(self, event: ModelDone) -> None:
        result = event.result
        rows = "" if result.kept is None else f", {counted(result.kept, 'row')}"
        self._log(f"{result.model}: {result.status} in {duration(result.seconds)}{rows}")


def _so_far(done: list[int]) -> str:
    rows, size_bytes = done
    parts = [counted(rows, "row")] if rows else []
    return ", ".join([*parts, *([size(size_bytes)] if size_bytes else [])])
