"""Values and names as SQL text, safe whatever is in them."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time
from decimal import Decimal
from uuid import UUID


def quoted(name: str) -> str:
    """An identifier in the double quotes of standard SQL."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """A string literal of standard SQL. Raises: TypeError for a NUL, which no server takes."""
    if "\0" in value:
        raise TypeError("a text with a NUL has no literal")
    return "'" + value.replace("'", "''") + "'"


def number_or_text(value: object) -> str:
    """A number as it is, text in quotes. Raises: TypeError for anything else."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal) and value.is_finite():
        return format(value, "f")
    if isinstance(value, float) and math.isfinite(value):
        return repr(value)
    if isinstance(value, str):
        return text(value)
    raise TypeError(f"no literal for {type(value).__name__}")


def spelt(value: object) -> str:
    """Any value as a string literal that the server reads in the type it is compared with.

    Instants are told in UTC. Raises: TypeError for a type without such a form.
    """
    if isinstance(value, bool):
        return "'true'" if value else "'false'"
    if isinstance(value, datetime):
        instant = value.astimezone(UTC) if value.tzinfo else value
        return text(instant.isoformat(sep=" "))
    if isinstance(value, date | time):
        return text(value.isoformat())
    if isinstance(value, UUID):
        return text(str(value))
    if isinstance(value, str):
        return text(value)
    return text(number_or_text(value))
