"""What sources and destinations say while they run, as notices of the run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from penstock.report.facts import Notice, Observer

HEARD = (logging.getLogger("penstock.sources"), logging.getLogger("penstock.destinations"))


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
    """Tell the observer what is logged meanwhile, from `INFO` on: what a plugin writes to stderr, what
    was found out about an API. `redact` takes secrets out of a text."""
    ear = _Ear(lambda text: observe(Notice(pipeline, redact(text))))
    levels = [logger.level for logger in HEARD]
    for logger in HEARD:
        logger.addHandler(ear)
        logger.setLevel(min(logger.getEffectiveLevel(), logging.INFO))
    try:
        yield
    finally:
        for logger, level in zip(HEARD, levels, strict=True):
            logger.removeHandler(ear)
            logger.setLevel(level)
