"""What a run asks a source for: a range of cursor values, as values that SQL and requests are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Marks = Literal["qmark", "format", "numeric", "dollar"]
_MARKS: dict[str, Callable[[int], str]] = {
    "qmark": lambda _: "?",
    "format": lambda _: "%s",
    "numeric": lambda n: f":{n}",
    "dollar": lambda n: f"${n}",
}


@dataclass(frozen=True, slots=True)
class Range:
    """The values of `column` that are of interest, from the low `start` to the high `end`.

    None at an end means no limit there. `column` is None if the cursor is no plain column: then
    nothing can be asked for and every row is read. `nulls` says that rows without a cursor are wanted
    too, be it to load them or to refuse them. What a source gives beyond the range is dropped later,
    so a source may ask for more than this, never for less.
    """

    start: Any  # Any: the type of the user's cursor, here and below
    end: Any
    start_closed: bool
    end_closed: bool
    column: str | None
    nulls: bool = True

    def sql(
        self, quote: Callable[[str], str] | None = None, style: Marks = "qmark", first: int = 1
    ) -> tuple[str, tuple[Any, ...]]:
        """A condition with positional parameters, and their values; `("", ())` if every row is wanted.

        `quote` makes an identifier of a name (default: in double quotes); `style` is that of the
        driver's parameters, numbered from `first`.
        """
        if self.column is None or (self.start is None and self.end is None):
            return "", ()
        name = (quote or _quoted)(self.column)
        bounds = [
            (f"{name} {sign}{'=' if closed else ''}", value)
            for sign, closed, value in (
                (">", self.start_closed, self.start),
                ("<", self.end_closed, self.end),
            )
            if value is not None
        ]
        mark = _MARKS[style]
        condition = " AND ".join(f"{text} {mark(n)}" for n, (text, _) in enumerate(bounds, first))
        if self.nulls:
            condition = f"({condition} OR {name} IS NULL)"
        return condition, tuple(value for _, value in bounds)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
