"""How fast to ask: so many requests a second, and not at all for as long as the server wishes."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

YEARS_S = 1e8  # a larger number of seconds is an instant, not a wait


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


def asked_for(headers: Mapping[str, str], now: float) -> float | None:
    """The seconds that an answer asks to wait for; None if it says nothing of it.

    `Retry-After` has a number or a date, `X-RateLimit-Reset` an instant in Unix seconds or a number of
    seconds, which counts once `X-RateLimit-Remaining` is 0. Source: RFC 9110; the API of GitHub.
    """
    said = headers.get("retry-after")
    if said is None:
        used_up = headers.get("x-ratelimit-remaining") == "0"
        reset = _number(headers.get("x-ratelimit-reset")) if used_up else None
        return None if reset is None else max(0.0, reset - now if reset > YEARS_S else reset)
    seconds = _number(said)
    if seconds is not None:
        return max(0.0, seconds)
    try:
        at = parsedate_to_datetime(said)
    except ValueError:
        return None
    return max(0.0, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now)


def _number(text: str | None) -> float | None:
    try:
        found = float(text or "")
    except ValueError:
        return None
    return found if math.isfinite(found) else None
