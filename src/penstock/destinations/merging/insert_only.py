"""Only rows whose key is not there yet come in. Pure: only text is made here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from penstock.destinations.columns import ORDINAL, Layout
from penstock.destinations.merging.sql import Sort, Staged, insert, listed, same, without_losers
from penstock.ledger import LOAD_ID


@dataclass(frozen=True, slots=True)
class InsertOnly:
    """Of each key that the table does not have, the newest staged row comes."""

    staged: Staged
    key: tuple[str, ...]
    sort: Sort | None
    helpers: tuple[str, ...] = ()

    def settled(self) -> Sequence[str]:
        """Leave one row of each key."""
        return [without_losers(self.staged.table, self.key, self.sort)]

    def met(self, rows: str, tag: str) -> Sequence[str]:  # noqa: ARG002
        """Drop the staged rows whose key is there."""
        stage = self.staged.table
        known = f"SELECT s.{ORDINAL} FROM {stage} AS s SEMI JOIN ({rows}) AS t ON {same(self.key)}"
        return [f"DELETE FROM {stage} WHERE {ORDINAL} IN ({known})"]

    def applied(self, table: str, layout: Layout, *, is_empty: bool) -> Sequence[str]:  # noqa: ARG002
        """One INSERT."""
        return [insert(table, layout, self.added("", layout))]

    def touched(self, rows: str, tag: str) -> None:
        """None: nothing that is there changes."""

    def kept(self, rows: str, layout: Layout) -> str:
        """The rows as they are."""
        return f"SELECT {listed([*(c.stored_as for c in layout), LOAD_ID])} FROM ({rows})"

    def added(self, rows: str, layout: Layout) -> str:  # noqa: ARG002
        """The staged rows that `met` has left."""
        return self.staged.selected(layout)
