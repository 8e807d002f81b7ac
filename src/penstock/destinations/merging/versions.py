"""Every version of a row with the time in which it held (SCD2). Pure: only text is made here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from penstock.destinations.columns import ORDINAL, Layout
from penstock.destinations.convert import quote
from penstock.destinations.merging.sql import Sort, Staged, insert, listed, losers, made, same
from penstock.ledger import LOAD_ID

_INSIDE = "_penstock_inside"


@dataclass(frozen=True, slots=True)
class Versions:
    """Staged rows that no active row equals become versions; active rows that are missing retire.

    Two rows are equal if they share `identity`: the version, and the keys if there are any. With
    `merge_key` only active rows that share it with a staged row can be missing, with `scope` only those
    for which this condition holds. With `sort` of each `key` the newest staged row counts.
    Units: `at` and `until` (None: null) are instants.
    """

    staged: Staged
    identity: tuple[str, ...]
    key: tuple[str, ...]
    sort: Sort | None
    merge_key: tuple[str, ...]
    valid_from: str
    valid_to: str
    at: datetime
    until: datetime | None
    scope: str | None = None

    @property
    def helpers(self) -> tuple[str, ...]:
        """The temporary tables that it makes."""
        return (self.staged.keys, self.staged.lost, self._held, self._gone)

    def settled(self) -> Sequence[str]:
        """Find the merge keys, and the rows that count once or not at all."""
        by = self.key if self.sort and self.key else self.identity
        found = [made(self.staged.lost, losers(self.staged.table, by, self.sort if self.key else None))]
        if self.merge_key:
            keys = f"SELECT DISTINCT {listed(self.merge_key)} FROM {self.staged.table}"
            found.append(made(self.staged.keys, keys))
        return found

    def met(self, rows: str, tag: str) -> Sequence[str]:
        """Find the active rows that this load speaks of, and those of them that it does not have."""
        held = ", ".join(f"t.{quote(c)}" for c in self.identity)
        some = f" SEMI JOIN {self.staged.keys} AS s ON {same(self.merge_key)}" if self.merge_key else ""
        inside = f"coalesce(({self.scope}\n), false)" if self.scope is not None else "true"
        told = f"SELECT *, {inside} AS {_INSIDE} FROM ({rows})"
        active = f"SELECT t.{tag} AS tag, t.{_INSIDE}, {held} FROM ({told}) AS t{some} WHERE {self._active}"
        not_here = f"ANTI JOIN ({self._arrived}) AS s ON {self._same('h', 's')}"
        missing = f"SELECT h.* FROM {self._held} AS h {not_here} WHERE h.{_INSIDE}"
        return [made(self._held, active), made(self._gone, missing)]

    def applied(self, table: str, layout: Layout, *, is_empty: bool) -> Sequence[str]:
        """An UPDATE of the rows that retire, then an INSERT of the new versions."""
        retire = (
            f"UPDATE {table} SET {quote(self.valid_to)} = {instant(self.at)} "
            f"FROM {self._gone} AS g WHERE {table}.rowid = g.tag"
        )
        return [*([] if is_empty else [retire]), insert(table, layout, self.added("", layout))]

    def touched(self, rows: str, tag: str) -> str:  # noqa: ARG002
        """The tags of the rows that retire."""
        return f"SELECT DISTINCT tag FROM {self._gone}"

    def kept(self, rows: str, layout: Layout) -> str:
        """The rows, those that retire with their end."""
        end = f"CASE WHEN g.gone AND {self._active} THEN {instant(self.at)} ELSE t.{quote(self.valid_to)} END"
        values = [
            f"{end} AS {quote(c)}" if c == self.valid_to else f"t.{quote(c)}"
            for c in [*(c.stored_as for c in layout), LOAD_ID]
        ]
        gone = f"SELECT DISTINCT {listed(self.identity)}, true AS gone FROM {self._gone}"
        found = f"LEFT JOIN ({gone}) AS g ON {self._same('t', 'g')}"
        return f"SELECT {', '.join(values)} FROM ({rows}) AS t {found}"

    def added(self, rows: str, layout: Layout) -> str:  # noqa: ARG002
        """The staged rows that no active row equals, from now on."""
        given = {self.valid_from: instant(self.at), self.valid_to: instant(self.until)}
        new = self.staged.selected(layout, given)
        lost = f"ANTI JOIN {self.staged.lost} AS l ON s.{ORDINAL} = l.{ORDINAL}"
        known = f"ANTI JOIN {self._held} AS h ON {self._same('h', 's')}"
        return f"{new} {lost} {known} WHERE {self.staged.stays}"

    @property
    def _held(self) -> str:
        return self.staged.helper("held")

    @property
    def _gone(self) -> str:
        return self.staged.helper("gone")

    @property
    def _arrived(self) -> str:
        lost = f"ANTI JOIN {self.staged.lost} AS l ON s.{ORDINAL} = l.{ORDINAL}"
        columns = ", ".join(f"s.{quote(c)}" for c in self.identity)
        return f"SELECT {columns} FROM {self.staged.table} AS s {lost} WHERE {self.staged.stays}"

    @property
    def _active(self) -> str:
        """The condition that the row `t` holds. A row from before there were versions does."""
        end = f"t.{quote(self.valid_to)}"
        return f"({end} IS NULL OR {end} = {instant(self.until)})" if self.until else f"{end} IS NULL"

    def _same(self, left: str, right: str) -> str:
        return same(self.identity, left, right, nulls=True)


def instant(at: datetime | None) -> str:
    """An instant as an SQL literal."""
    if at is None:
        return "CAST(NULL AS TIMESTAMPTZ)"
    return f"TIMESTAMPTZ '{at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}+00'"
