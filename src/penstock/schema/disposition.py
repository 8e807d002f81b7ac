"""How the rows of a load meet the rows that are in the table already."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class WriteMode(StrEnum):
    """Add rows; put these rows in place of all others; or let them meet the others by a key."""

    APPEND = "append"
    REPLACE = "replace"
    MERGE = "merge"


class Strategy(StrEnum):
    """How rows of a merge meet those that are there.

    `upsert`: update by primary key, add the rest. `delete-insert`: remove every row that shares the
    merge key or the primary key of a new row, then add the new rows. `insert-only`: add the rows
    whose primary key is not there yet. `scd2`: keep every version of a row with the time in which it
    held. `cdc`: an ordered stream of changes, deletes among them, that may arrive late.
    Source: the merge strategies of dlt; `cdc` is the change stream of Databricks' AUTO CDC.
    """

    UPSERT = "upsert"
    DELETE_INSERT = "delete-insert"
    INSERT_ONLY = "insert-only"
    SCD2 = "scd2"
    CDC = "cdc"


EVERY_ROW = "true"
"""The `destination_scope` that is the whole table."""


class Order(StrEnum):
    """Which of several rows with one key wins: that with the least or with the greatest value."""

    ASC = "asc"
    DESC = "desc"


@dataclass(frozen=True, slots=True)
class Scd2:
    """The columns of a slowly changing dimension of type 2.

    A version holds from `valid_from` until `valid_to`, which is `active_until` while it holds (None:
    null). `row_version` is a column of the data that changes whenever its row does; without one a
    digest of the row's values is kept in `version_column`.
    """

    valid_from: str = "_penstock_valid_from"
    valid_to: str = "_penstock_valid_to"
    active_until: datetime | None = None
    row_version: str | None = None
    version_column: str = "_penstock_version"


@dataclass(frozen=True, slots=True)
class Disposition:
    """A write disposition.

    An upsert goes by `primary_key`: of several rows of one key the one with the greatest
    `dedup_sort` wins (the least with `dedup_order` asc), rows of the table included; a null never
    wins over a value, and among equals the row that came last wins. Without `dedup_sort` the row
    that came last wins.

    `merge_key`: delete-insert removes all rows that share it; scd2 retires only rows that share it
    with some new row, and without it every row that the load does not have. `hard_delete`: a row
    whose value there is true (or, of another type, not null; or, with `delete_values`, one of them
    as text) removes the row of its key instead of changing it. `overwrite`: a replace takes away
    only the rows that share the values of these columns with some new row.

    `source_filter` is a condition on the rows that come: the gate drops those for which it is not true.
    `destination_scope` is one on the rows of the table, by their stored names: delete-insert removes all
    of them and no others, whatever their keys; scd2 retires no others. With `skip_unchanged_rows` an
    upsert leaves a row alone if the new one has the same values, or the same `row_version`.

    `at` is the instant from which the rows of this load hold (scd2): when they landed, so that a
    rebuild gives the same. `root` makes the table part of another: its rows stay as long as the
    row of `root` whose `_penstock_id` is their `_penstock_root_id`.
    """

    mode: WriteMode = WriteMode.APPEND
    primary_key: tuple[str, ...] = ()
    dedup_sort: str | None = None
    dedup_order: Order = Order.DESC
    strategy: Strategy = Strategy.UPSERT
    merge_key: tuple[str, ...] = ()
    hard_delete: str | None = None
    delete_values: tuple[str, ...] = ()
    overwrite: tuple[str, ...] = ()
    scd2: Scd2 | None = None
    source_filter: str | None = None
    destination_scope: str | None = None
    skip_unchanged_rows: bool = False
    row_version: str | None = None
    at: datetime | None = None
    root: str | None = None

    @property
    def scd2_by_digest(self) -> bool:
        """Whether versions of rows are told apart by a digest of their values."""
        versions = self.mode is WriteMode.MERGE and self.strategy is Strategy.SCD2
        return versions and (self.scd2 is None or self.scd2.row_version is None)

    @property
    def by_values(self) -> bool:
        """Whether it goes by whether a row has changed, as far as the row's own values tell."""
        return self.scd2_by_digest or (self.skip_unchanged_rows and self.row_version is None)

    @property
    def by_landing(self) -> bool:
        """Whether a landing stands for the whole table."""
        return self.mode is WriteMode.REPLACE or (
            self.mode is WriteMode.MERGE and self.strategy is Strategy.SCD2
        )

    @property
    def replaces_all(self) -> bool:
        """Whether no row stays that was there before."""
        if self.mode is WriteMode.REPLACE:
            return not self.overwrite
        by_rows = self.mode is WriteMode.MERGE and self.strategy is Strategy.DELETE_INSERT
        return by_rows and self.destination_scope == EVERY_ROW

    @property
    def counts_when_empty(self) -> bool:
        """Whether a landing without any rows takes rows of the table away."""
        scoped = self.mode is WriteMode.MERGE and self.destination_scope is not None
        return self.by_landing or scoped

    @property
    def needs_whole_landings(self) -> bool:
        """Whether rows of one landing would be taken away by the rest of it, if that came later."""
        groups = self.strategy is Strategy.DELETE_INSERT and (self.merge_key or self.destination_scope)
        return self.by_landing or (self.mode is WriteMode.MERGE and bool(groups))

    @property
    def loads_alone(self) -> bool:
        """Whether each landing must be a load of its own, because rows that come in one load meet each
        other in another way than those of earlier loads: else a run that was killed, or a rebuild,
        would give other tables."""
        if self.mode is not WriteMode.MERGE:
            return self.by_landing
        if self.strategy is Strategy.UPSERT:
            return self.hard_delete is not None and self.dedup_sort is not None
        return self.strategy is not Strategy.CDC
