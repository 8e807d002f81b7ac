"""How the rows of a load meet the rows that are in the table already."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class WriteMode(StrEnum):
    """Add rows; put these rows in place of all others; or update by primary key and add the rest."""

    APPEND = "append"
    REPLACE = "replace"
    MERGE = "merge"


@dataclass(frozen=True, slots=True)
class Disposition:
    """A write disposition.

    Merge is an upsert by `primary_key`: of several rows of one key the one with the greatest
    `dedup_sort` wins, rows of the table included (a null sorts lowest; among equals the one that
    came last wins). Without `dedup_sort` the row that came last wins.
    """

    mode: WriteMode = WriteMode.APPEND
    primary_key: tuple[str, ...] = ()
    dedup_sort: str | None = None
