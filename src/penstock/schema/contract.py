"""What may happen to a table's shape when data brings something new."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Mode(StrEnum):
    """What to do with a new table, a new column or a value of another type."""

    EVOLVE = "evolve"
    FREEZE = "freeze"
    DISCARD_ROW = "discard_row"
    DISCARD_VALUE = "discard_value"
    QUARANTINE = "quarantine"


@dataclass(frozen=True, slots=True)
class Contract:
    """The modes of one table.

    `data_type` holds for declared columns; columns that were only seen in data always evolve
    unless `data_type_seen` says otherwise.
    Source: the schema contracts of dlt, with `quarantine` added.
    """

    tables: Mode = Mode.EVOLVE
    columns: Mode = Mode.EVOLVE
    data_type: Mode = Mode.QUARANTINE
    data_type_seen: Mode = Mode.EVOLVE
