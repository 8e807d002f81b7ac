"""New rows take the place of all rows that share a key with them. Pure: only text is made here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from penstock.destinations.columns import ORDINAL, Layout
from penstock.destinations.convert import literal, quote
from penstock.destinations.merging.sql import Sort, Staged, insert, listed, losers, made, same
from penstock.ledger import LOAD_ID


@dataclass(frozen=True, slots=True)
class DeleteInsert:
    """Rows that share `merge_key` or `key` with a staged row go; of each `key` the newest comes.

    As an `overwrite`, nulls are values of `merge_key`, and rows of the same load stay. With a `scope`
    the rows go for which this condition holds, and no others.
    """

    staged: Staged
    key: tuple[str, ...]
    sort: Sort | None
    merge_key: tuple[str, ...]
    overwrite: bool = False
    scope: str | None = None

    @property
    def helpers(self) -> tuple[str, ...]:
        """The temporary tables that it makes."""
        return (self.staged.keys, self.staged.lost)

    def settled(self) -> Sequence[str]:
        """Find the merge keys, and the rows that newer ones take the place of."""
        found = []
        if self._by_merge_key:
            columns = listed(self.merge_key) or "true AS _penstock_any"
            found.append(made(self.staged.keys, f"SELECT DISTINCT {columns} FROM {self.staged.table}"))
        if self.key:
            found.append(made(self.staged.lost, losers(self.staged.table, self.key, self.sort)))
        return found

    def met(self, rows: str, tag: str) -> Sequence[str]:  # noqa: ARG002
        """Nothing: new rows come whatever is there."""
        return ()

    def applied(self, table: str, layout: Layout, *, is_empty: bool) -> Sequence[str]:
        """A DELETE for each kind of key, then an INSERT."""
        gone = [f"DELETE FROM {table} AS t USING {keys} AS s WHERE {on}" for keys, on in self._passes]
        if self.scope is not None:
            gone = [f"DELETE FROM {table} WHERE ({self.scope}\n)"]
        return [*([] if is_empty else gone), insert(table, layout, self.added("", layout))]

    def touched(self, rows: str, tag: str) -> str:
        """The tags of the rows that go."""
        if self.scope is not None:
            return f"SELECT DISTINCT {tag} FROM ({rows}) WHERE ({self.scope}\n)"
        tags = f"SELECT DISTINCT t.{tag} FROM ({rows}) AS t"
        return " UNION ".join(f"{tags} SEMI JOIN {keys} AS s ON {on}" for keys, on in self._passes)

    def kept(self, rows: str, layout: Layout) -> str:
        """The rows that stay."""
        if self.scope is not None:
            rows = f"SELECT * FROM ({rows}) WHERE ({self.scope}\n) IS NOT TRUE"
        for keys, on in self._passes:
            rows = f"SELECT t.* FROM ({rows}) AS t ANTI JOIN {keys} AS s ON {on}"
        return f"SELECT {listed([*(c.stored_as for c in layout), LOAD_ID])} FROM ({rows})"

    def added(self, rows: str, layout: Layout) -> str:  # noqa: ARG002
        """The staged rows, of each key the newest."""
        new = self.staged.selected(layout)
        if self.key:
            new += f" ANTI JOIN {self.staged.lost} AS l ON s.{ORDINAL} = l.{ORDINAL}"
        return f"{new} WHERE {self.staged.stays}"

    @property
    def _by_merge_key(self) -> bool:
        return bool(self.merge_key) or self.overwrite

    @property
    def _passes(self) -> list[tuple[str, str]]:
        """Tables of keys, and the condition that a row goes for one of them.

        One pass for each, because a join by this or that is a nested loop.
        """
        passes: list[tuple[str, str]] = []
        if self.scope is not None:
            return passes
        if self._by_merge_key:
            on = same(self.merge_key, nulls=self.overwrite)
            if self.overwrite:
                on += f" AND t.{quote(LOAD_ID)} <> {literal(self.staged.load_id)}"
            passes.append((self.staged.keys, on))
        if self.key:
            passes.append((self.staged.table, same(self.key)))
        return passes
