"""What one record broke."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Broken:
    """One rule that one row broke. `value` is text for people; `***` for sensitive columns."""

    rule: str
    column: str | None
    value: str | None
