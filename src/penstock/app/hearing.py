"""What sources say while they run, as notices of the run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from penstock.report.facts import Notice, Observer

SOURCES = logging.getLogger("penstock.sources")


class _Ear(logging.Handler):
    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__(logging.INFO)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a message on."""
        try:
            self._tell(record.getMessage())
        except Exception:  # a listener's trouble, which must not stop the source: logging tells of it
            self.handleError(record)


@contextmanager
def heard(pipeline: str, observe: Observer, redact: Callable[[str], str]) -> Iterator[None]:
    """Tell the observer what sources log meanwhile, from `INFO` on: what a plugin writes to stderr, what
    was found out about an API. `redact` takes secrets out of a text."""
    ear = _Ear(lambda text: observe(Notice(pipeline, redact(text))))
    level = SOURCES.level
    SOURCES.addHandler(ear)
    SOURCES.setLevel(min(SOURCES.getEffectiveLevel(), logging.INFO))
    try:
        yield
    finally:
        SOURCES.removeHandler(ear)
        SOURCES.setLevel(level)
