"""Rows of a table that is part of another stay as long as their root does. Pure: text only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from penstock.destinations.columns import Layout
from penstock.destinations.convert import quote
from penstock.destinations.merging.sql import Staged, insert
from penstock.ledger import LOAD_ID


@dataclass(frozen=True, slots=True)
class Child:
    """Rows whose `root_id` is not an `id` of the query `roots` go, and staged ones do not come."""

    staged: Staged
    root_id: str
    roots: str
    helpers: tuple[str, ...] = ()

    def settled(self) -> Sequence[str]:
        """Nothing: the rows of a child have no key of their own."""
        return ()

    def met(self, rows: str, tag: str) -> Sequence[str]:  # noqa: ARG002
        """Nothing: rows are compared with their roots only."""
        return ()

    def applied(self, table: str, layout: Layout, *, is_empty: bool) -> Sequence[str]:
        """A DELETE of the orphans, then an INSERT."""
        orphans = f"SELECT t.rowid FROM {table} AS t ANTI JOIN ({self.roots}) AS r ON {self._rooted('t')}"
        gone = [] if is_empty else [f"DELETE FROM {table} WHERE rowid IN ({orphans})"]
        return [*gone, insert(table, layout, self.added("", layout))]

    def touched(self, rows: str, tag: str) -> str:
        """The tags of the orphans."""
        orphans = f"({rows}) AS t ANTI JOIN ({self.roots}) AS r ON {self._rooted('t')}"
        return f"SELECT DISTINCT t.{tag} FROM {orphans}"

    def kept(self, rows: str, layout: Layout) -> str:
        """The rows that have a root."""
        columns = ", ".join(f"t.{quote(c)}" for c in [*(c.stored_as for c in layout), LOAD_ID])
        return f"SELECT {columns} FROM ({rows}) AS t SEMI JOIN ({self.roots}) AS r ON {self._rooted('t')}"

    def added(self, rows: str, layout: Layout) -> str:  # noqa: ARG002
        """The staged rows that have a root."""
        return f"{self.staged.selected(layout)} SEMI JOIN ({self.roots}) AS r ON {self._rooted('s')}"

    def _rooted(self, row: str) -> str:
        return f"{row}.{quote(self.root_id)} = r.id"
