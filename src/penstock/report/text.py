"""Lines of text with a tone, and the numbers in them as people read them.

Pure: a line knows nothing of colours or terminals; `cli.terminal` paints it, or does not.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeAlias


class Tone(StrEnum):
    """How a piece of text is meant."""

    PLAIN = "plain"
    STRONG = "strong"
    FAINT = "faint"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of text in one tone."""

    text: str
    tone: Tone = Tone.PLAIN


Line: TypeAlias = tuple[Span, ...]


def line(*parts: str | Span) -> Line:
    """A line of pieces; bare strings are plain."""
    return tuple(Span(part) if isinstance(part, str) else part for part in parts)


def strong(text: str) -> Span:
    """Text that names something."""
    return Span(text, Tone.STRONG)


def faint(text: str) -> Span:
    """Text that may be passed over."""
    return Span(text, Tone.FAINT)


def good(text: str) -> Span:
    """Text that says all is well."""
    return Span(text, Tone.GOOD)


def warn(text: str) -> Span:
    """Text that needs a look."""
    return Span(text, Tone.WARN)


def bad(text: str) -> Span:
    """Text that says what went wrong."""
    return Span(text, Tone.BAD)


def plain(text: Line) -> str:
    """The line without its tones, and without blanks at its end."""
    return "".join(span.text for span in text).rstrip()


def grid(rows: Iterable[Sequence[str | Span]], align: str, indent: int = 2) -> list[Line]:
    """Rows with their columns aligned. `align` has one letter a column: `l` or `r`."""
    cells = [[Span(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    widths = [max((width(row[i].text) for row in cells), default=0) for i in range(len(align))]
    return [
        tuple(
            Span(" " * (indent if i == 0 else 2) + _fit(cell.text, widths[i], align[i]), cell.tone)
            for i, cell in enumerate(row)
        )
        for row in cells
    ]


def _fit(text: str, wide: int, side: str) -> str:
    blanks = " " * (wide - width(text))
    return text + blanks if side == "l" else blanks + text


def width(text: str) -> int:
    """How many columns of a terminal the text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def cut(text: str, wide: int) -> str:
    """The text in at most `wide` columns; what is cut off leaves an ellipsis."""
    if width(text) <= wide:
        return text
    kept, used = [], 0
    for c in text:
        used += width(c)
        if used > wide - 1:
            break
        kept.append(c)
    return "".join(kept) + "…"


def clean(text: str) -> str:
    """The text on one line, with nothing in it that could steer a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


# --------------------------------------------------------------------------------------- numbers


def count(number: int | None) -> str:
    """`1,000`; a dash for what is not known."""
    return "-" if number is None else f"{number:,}"


def counted(number: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def size(size_bytes: int) -> str:
    """`357 MB`: three digits, units of a thousand."""
    amount, unit = float(size_bytes), "B"
    for larger in ("kB", "MB", "GB", "TB", "PB"):
        if amount < 999.5:
            break
        amount, unit = amount / 1000, larger
    if unit == "B":
        return f"{size_bytes} B"
    return f"{amount:.{2 if amount < 9.995 else 1 if amount < 99.95 else 0}f} {unit}"


def duration(seconds: float) -> str:
    """`0.12 s`, `3.2 s`, `1 min 5 s`, `2 h 3 min`."""
    if seconds < 59.95:
        return f"{seconds:.{2 if seconds < 0.995 else 1}f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60:,} h {minutes % 60} min"


def moment(at: datetime) -> str:
    """`2026-01-31 13:30:05 UTC`."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def ago(then: datetime, now: datetime) -> str:
    """How long ago, in one unit: `5 s ago`, `3 min ago`, `2 h ago`, `4 days ago`."""
    seconds = max(0, round((now - then).total_seconds()))
    for limit, per, unit in ((60, 1, "s"), (3600, 60, "min"), (86400, 3600, "h")):
        if seconds < limit:
            return f"{seconds // per} {unit} ago"
    return f"{counted(seconds // 86400, 'day')} ago"
