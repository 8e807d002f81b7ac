"""The parameters of an incremental: whether they make sense, and the range that a scheduler sets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal, Protocol

from penstock.cursors.cursor import Missing
from penstock.cursors.lag import Lag
from penstock.cursors.schedule import convert, interval
from penstock.errors import RefusedError, suggest
from penstock.schema.jsonpath import parse_path

LastValueFunc = Callable[[Sequence[Any]], Any]  # Any: a cursor value has whatever type the rows have
End = Literal["open", "closed"]
Order = Literal["asc", "desc"]
_FUNCS: dict[str, LastValueFunc] = {"max": max, "min": min}
_WORDS = {
    "row_order": ("asc", "desc"),
    "on_cursor_value_missing": ("raise", "include", "exclude"),
    "range_start": ("closed", "open"),
    "range_end": ("open", "closed"),
}


class Bounds(Protocol):
    """What an incremental says of its range."""

    cursor_path: str
    initial_value: Any
    end_value: Any
    last_value_func: LastValueFunc
    row_order: Order | None
    on_cursor_value_missing: Missing
    lag: Lag | None


def function(said: LastValueFunc | str | None) -> LastValueFunc:
    """The function that is meant; `max` if none is. Raises: RefusedError for a name that is not known."""
    if said is None:
        return max
    if callable(said):
        return said
    if said in _FUNCS:
        return _FUNCS[said]
    raise RefusedError(
        f"`last_value_func` of an incremental is {said!r}",
        expected="'max', 'min' or a function",
        hint=suggest(str(said), _FUNCS),
    )


def check(made: Bounds) -> None:
    """Nothing, if the parameters make sense together. Raises: RefusedError."""
    if made.cursor_path:
        parse_path(made.cursor_path)
    for name, words in _WORDS.items():
        said = getattr(made, name)
        if said not in words and not (said is None and name == "row_order"):
            raise RefusedError(
                f"`{name}` of an incremental is {said!r}",
                expected=" or ".join(map(repr, words)),
                hint=suggest(str(said), words),
            )
    lag = made.lag.total_seconds() if isinstance(made.lag, timedelta) else made.lag or 0
    if not 0 <= lag < float("inf"):
        raise RefusedError("the lag of an incremental must be finite, and not negative", found=repr(made.lag))
    if lag and made.last_value_func not in (max, min):
        raise RefusedError("only `max` and `min` have a lag", hint="leave `lag` out, or step back yourself")
    for name in ("initial_value", "end_value"):
        value = getattr(made, name)
        if value is not None and value != value:
            raise RefusedError(f"`{name}` of an incremental is NaN, which has no place in any order")
    _check_order(made)


def _check_order(made: Bounds) -> None:
    start, end = made.initial_value, made.end_value
    if start is None or end is None:
        return
    found = f"initial_value {start!r}, end_value {end!r}"
    try:
        fits = made.last_value_func((end, start)) == end
    except TypeError as error:
        raise RefusedError(
            "`initial_value` and `end_value` cannot be compared",
            found=found,
            expected="one type; instants both with or both without a time zone",
        ) from error
    if not fits:
        raise RefusedError("`end_value` of an incremental is before `initial_value`", found=found)


def upward(made: Bounds) -> None:
    """Make a range that is looked through downward, by `min`, the same one upward."""
    if made.last_value_func is min:
        made.last_value_func = max
        if made.row_order is not None:
            made.row_order = "desc" if made.row_order == "asc" else "asc"


def follow(made: Bounds, name: str, kind: type | None, environ: Mapping[str, str]) -> None:
    """Take the range that a scheduler asks for, cut to the one that was given; if one asks.

    Raises: ProjectError for a bad interval; RefusedError if it is none of the cursor's type `kind`.
    """
    asked = interval(environ)
    if asked is None:
        return
    first, last = made.initial_value, made.end_value
    where = f"`{name}`, cursor `{made.cursor_path}`"
    low, high = (convert(instant, kind, last if first is None else first, where) for instant in asked)
    if made.last_value_func is min:
        first, last = last, first
        upward(made)
    try:
        made.initial_value = low if first is None else max(low, first)
        made.end_value = high if last is None else min(high, last)
    except TypeError as error:
        raise RefusedError(
            "the scheduler's interval cannot be compared with the bounds of the incremental",
            where=where,
            found=f"{low!r} to {high!r}; initial_value {first!r}, end_value {last!r}",
        ) from error
