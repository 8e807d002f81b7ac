"""How far a start steps back, so that rows that arrive late are read.

Units: seconds for instants, days for dates (parts of a day count as a whole one), the number itself
for numbers; text is stepped back if it is an ISO date or instant, and keeps its shape.
Source: the lag of dlt, including that it never crosses the initial value.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from penstock.errors import RefusedError

_ISO = re.compile(
    r"(?P<on>\d{4}-\d\d-\d\d)"
    r"(?:(?P<mid>[T ])\d\d:\d\d(?P<s>:\d\d(?:\.(?P<fraction>\d{1,6}))?)?(?P<zone>Z|[+-]\d\d:?\d\d)?)?"
)
Lag = float | timedelta


def step_back(value: Any, lag: Lag, *, falling: bool, initial: Any, declared: type | None = None) -> Any:
    """`value` less the lag, or plus it if the cursor is `falling` (min); not beyond `initial`.

    `declared` is the cursor's type if the user named it: `date` makes the lag of an instant count days.
    Raises: RefusedError if the type of the value has no lag.
    """
    # Any: a cursor value has whatever type the user's rows have
    stepped = _step(value, lag, 1 if falling else -1, declared)
    if initial is None:
        return stepped
    return min(stepped, initial) if falling else max(stepped, initial)


def _step(value: Any, lag: Lag, sign: int, declared: type | None) -> Any:  # Any: as above
    if isinstance(value, str):
        return _step_text(value, lag, sign, declared)
    try:
        if isinstance(value, datetime):
            return _step_instant(value, lag, sign, declared)
        if isinstance(value, date):
            return value + sign * timedelta(days=_days(lag, seconds=declared is datetime))
    except OverflowError:
        return _edge(value, sign)
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or isinstance(lag, timedelta):
        raise _refuse(value, lag)
    if isinstance(value, int):
        return value + sign * math.ceil(lag)
    if isinstance(value, Decimal):
        return value + sign * Decimal(repr(lag))
    return value + sign * lag


def _step_instant(value: datetime, lag: Lag, sign: int, declared: type | None) -> datetime:
    if declared is date:
        day = value + sign * timedelta(days=_days(lag))
        return datetime.combine(day.date(), time.max if sign > 0 else time.min, tzinfo=value.tzinfo)
    step = sign * (lag if isinstance(lag, timedelta) else timedelta(seconds=lag))
    if value.tzinfo is None:
        return value + step
    return (value.astimezone(UTC) + step).astimezone(value.tzinfo)  # an hour is one, whatever the clocks do


def _days(lag: Lag, seconds: bool = False) -> int:
    if isinstance(lag, timedelta):
        return math.ceil(lag / timedelta(days=1))
    return math.ceil(lag / 86_400 if seconds else lag)


def _edge(value: date, sign: int) -> date:
    if not isinstance(value, datetime):
        return date.max if sign > 0 else date.min
    zone = UTC if value.tzinfo else None
    return datetime.max.replace(tzinfo=zone) if sign > 0 else datetime.min.replace(tzinfo=zone)


def _step_text(value: str, lag: Lag, sign: int, declared: type | None) -> str:
    shape = _ISO.fullmatch(value)
    if shape is None:
        raise _refuse(value, lag)
    if shape["mid"] is None:
        return str(_step(date.fromisoformat(value), lag, sign, declared).isoformat())
    digits = len(shape["fraction"] or "")
    stepped: datetime = _step(datetime.fromisoformat(value), lag, sign, declared)
    unit = 10 ** (6 - digits) if shape["s"] else 60_000_000
    below = (stepped.second * 1_000_000 + stepped.microsecond) % unit
    if below:  # the shape is too coarse for the lag: read a little more, never less
        stepped += timedelta(microseconds=unit - below if sign > 0 else -below)
    text = stepped.strftime("%H:%M:%S.%f" if shape["s"] else "%H:%M")
    text = text[: len(text) - 6 + digits].rstrip(".") if shape["s"] else text
    return f"{stepped.date().isoformat()}{shape['mid']}{text}{shape['zone'] or ''}"


def _refuse(value: object, lag: Lag) -> RefusedError:
    return RefusedError(
        f"a cursor of type `{type(value).__qualname__}` has no lag",
        found=f"value {value!r}, lag {lag!r}",
        expected="a date, an instant, a number (with a number as lag), or the ISO text of a date or instant",
        hint="leave `lag` out, or map the cursor to such a type",
    )
