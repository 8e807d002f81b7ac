"""How fast to ask: so many requests a second, and not at all for as long as the server wishes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime


class Pace:
    """Shared by all threads. Units: `rate` in requests per second; None: as fast as it goes."""

    def __init__(
        self, rate: float | None, clock: Callable[[], float], sleep: Callable[[float], object]
    ) -> None:
        self._gap_s = 1 / rate if rate else 0.0
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._next = 0.0

    def wait(self) -> None:
        """Return when the next request may be made."""
        with self._lock:
            now = self._clock()
            start = max(now, self._next)
            self._next = start + self._gap_s
        if start > now:
            self._sleep(start - now)

    def hold(self, seconds: float) -> None:
        """Make no request for so long."""
        with self._lock:
            self._next = max(self._next, self._clock() + seconds)


def asked_for(header: str | None, now: float) -> float | None:
    """The seconds that `Retry-After` asks for, as a number or a date; None if it says nothing."""
    if header is None:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass  # then it is a date
    try:
        at = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now) if at else None
