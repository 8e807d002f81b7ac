"""Progress in a notebook: one display that is redrawn, with a bar for each phase.

IPython is asked only if it is there already; nothing is installed or imported for this.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from penstock.report.facts import (
    Event,
    Notice,
    Observer,
    Phase,
    PhaseDone,
    PhaseStarted,
    Progress,
)
from penstock.report.text import clean, counted, duration, size

EVERY_S = 0.2
NOTICES = 10
"""So many of the last notices are shown."""


def notebook_observer(redact: Callable[[str], str] = str) -> Observer | None:
    """An observer that draws in the notebook that this process serves; None where there is none.

    `redact` takes secrets out of a text.
    """
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None or not hasattr(shell, "kernel"):
        return None
    return Board(_Display(), redact)


class _Display:
    """One output of a cell: made by the first call, redrawn by the others."""

    def __init__(self) -> None:
        self._handle: Any = None  # Any: IPython is not here to tell its types

    def __call__(self, bundle: Mapping[str, str]) -> None:
        if self._handle is None:
            from IPython.display import display  # type: ignore[import-not-found,unused-ignore]  # optional

            self._handle = display(dict(bundle), raw=True, display_id=True)
        else:
            self._handle.update(dict(bundle), raw=True)


@dataclass(slots=True)
class _Going:
    of_bytes: int
    files: int
    size_bytes: int = 0
    rows: int = 0
    seconds: float | None = None


class Board:
    """An observer that draws what it heard: at once when a phase begins or ends, now and then between.

    `show` is given the drawing as text by its media type; `clock` in seconds.
    """

    def __init__(
        self,
        show: Callable[[Mapping[str, str]], None],
        redact: Callable[[str], str] = str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._show = show
        self._redact = redact
        self._clock = clock
        self._going: dict[tuple[str, Phase], _Going] = {}
        self._notices: list[str] = []
        self._drawn_at = 0.0
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Take up an event, and draw."""
        with self._lock:
            if self._take(event) or self._clock() - self._drawn_at >= EVERY_S:
                self._drawn_at = self._clock()
                if self._going or self._notices:
                    self._show({"text/html": self._html(), "text/plain": self._text()})

    def _take(self, event: Event) -> bool:
        """Whether what changed must be seen at once."""
        match event:
            case PhaseStarted():
                going = self._going.get((event.pipeline, event.phase))
                if going is None or going.seconds is not None:
                    self._going[event.pipeline, event.phase] = _Going(event.size_bytes, event.files)
            case Progress():
                going = self._going.get((event.pipeline, event.phase))
                if going is not None:
                    going.size_bytes += event.size_bytes
                    going.rows += event.rows
                return False
            case PhaseDone():
                going = self._going.get((event.pipeline, event.phase))
                if going is not None:
                    going.seconds = event.seconds
            case Notice():
                text = self._redact(f"{event.pipeline}: {event.message}")
                self._notices = [*self._notices, clean(text)][-NOTICES:]
            case _:
                return False
        return True

    def _lines(self) -> list[tuple[str, _Going, str]]:
        return [(f"{pipeline} {phase.value}", g, _facts(g)) for (pipeline, phase), g in self._going.items()]

    def _html(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{_bar(going)}</td><td>{escape(facts)}</td></tr>"
            for name, going, facts in self._lines()
        )
        notices = "".join(f"<div><small>{escape(text)}</small></div>" for text in self._notices)
        return f"<table>{rows}</table>{notices}"

    def _text(self) -> str:
        lines = [f"{name}: {facts}" for name, _, facts in self._lines()]
        return "\n".join([*lines, *self._notices])


def _facts(going: _Going) -> str:
    of = f" of {size(going.of_bytes)}" if going.of_bytes and going.seconds is None else ""
    facts = [f"{size(going.size_bytes)}{of}"] if going.size_bytes or of else []
    if going.rows:
        facts.append(counted(going.rows, "row"))
    if going.seconds is not None:
        facts.append(f"done in {duration(going.seconds)}")
    return ", ".join(facts)


def _bar(going: _Going) -> str:
    """A bar that is full when the phase is done, and of no length when its end is not known."""
    if going.seconds is not None:
        return '<progress value="1" max="1"></progress>'
    if not going.of_bytes:
        return "<progress></progress>"
    return f'<progress value="{min(going.size_bytes, going.of_bytes)}" max="{going.of_bytes}"></progress>'
