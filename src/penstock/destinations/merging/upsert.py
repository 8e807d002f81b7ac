"""Update by key and add the rest; also as a stream of changes, deletes among them. Pure: text only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from penstock.destinations.columns import ORDINAL, Layout
from penstock.destinations.convert import literal, quote
from penstock.destinations.merging.sql import Sort, Staged, listed, not_the_same, same, without_losers
from penstock.ledger import LOAD_ID


@dataclass(frozen=True, slots=True)
class Upsert:
    """Staged rows, of each key the newest, take the place of rows of their key that are not newer.

    Columns that were not staged keep their values. A flagged row removes the row of its key. Rows whose
    `compared` columns are the same in the table do not come (None: they do).
    """

    staged: Staged
    key: tuple[str, ...]
    sort: Sort | None
    graves: Graves | None = None
    compared: tuple[str, ...] | None = None
    helpers: tuple[str, ...] = ()

    def settled(self) -> Sequence[str]:
        """Leave one row of each key."""
        return [without_losers(self.staged.table, self.key, self.sort)]

    def met(self, rows: str, tag: str) -> Sequence[str]:  # noqa: ARG002
        """Drop the staged rows that change nothing, if these are told; others are compared as they merge."""
        if self.compared is None:
            return ()
        stage, changes = self.staged.table, not_the_same(self.compared)
        pairs = f"SELECT s.{ORDINAL} FROM {stage} AS s JOIN ({rows}) AS t ON {self._same}"
        same_ones = f"{pairs} WHERE {self.staged.stays} GROUP BY ALL HAVING NOT bool_or({changes})"
        return [f"DELETE FROM {stage} WHERE {ORDINAL} IN ({same_ones})"]

    def applied(self, table: str, layout: Layout, *, is_empty: bool) -> Sequence[str]:  # noqa: ARG002
        """One MERGE; a table without rows takes a plain INSERT."""
        return [self._insert_into(table) if is_empty else self._merge_into(table)]

    def touched(self, rows: str, tag: str) -> str:
        """The tags of the rows that share a key with a staged row."""
        tags = f"SELECT DISTINCT t.{tag} FROM ({rows}) AS t"
        return f"{tags} SEMI JOIN {self.staged.table} AS s ON {self._same}"

    def kept(self, rows: str, layout: Layout) -> str:
        """The rows as the merge leaves them."""
        wins = f"s.{ORDINAL} IS NOT NULL AND {self._not_older}"
        values = [
            f"CASE WHEN {wins} THEN s.{quote(c)} ELSE t.{quote(c)} END AS {quote(c)}"
            if c in self.staged.columns
            else f"t.{quote(c)}"
            for c in (s.stored_as for s in layout)
        ]
        load = f"CASE WHEN {wins} THEN {literal(self.staged.load_id)} ELSE t.{quote(LOAD_ID)} END"
        sql = (
            f"SELECT {', '.join(values)}, {load} AS {quote(LOAD_ID)} FROM ({rows}) AS t "
            f"LEFT JOIN {self.staged.table} AS s ON {self._same}"
        )
        return f"{sql} WHERE ({wins} AND {self.staged.flag}) IS NOT TRUE" if self.staged.flag else sql

    def added(self, rows: str, layout: Layout) -> str:
        """The staged rows whose key is not among `rows`."""
        new = self.staged.selected(layout)
        return f"{new} ANTI JOIN ({rows}) AS t ON {self._same} WHERE {self.staged.stays}"

    @property
    def _same(self) -> str:
        return same(self.key)

    @property
    def _not_older(self) -> str:
        return self.sort.not_older() if self.sort else "true"

    def _insert_into(self, table: str) -> str:
        columns = listed(self.staged.columns)
        return (
            f"INSERT INTO {table} ({columns}, {quote(LOAD_ID)}) "
            f"SELECT {columns}, {literal(self.staged.load_id)} FROM {self.staged.table} AS s "
            f"WHERE {self.staged.stays}"
        )

    def _merge_into(self, table: str) -> str:
        load, load_id = quote(LOAD_ID), literal(self.staged.load_id)
        updates = ", ".join(f"{quote(c)} = s.{quote(c)}" for c in self.staged.columns if c not in self.key)
        values = ", ".join(f"s.{quote(c)}" for c in self.staged.columns)
        gone = f"WHEN MATCHED AND {self._not_older} AND {self.staged.flag} THEN DELETE "
        new = f"AND {self.staged.stays} " if self.staged.flag else ""
        return (
            f"MERGE INTO {table} AS t USING {self.staged.table} AS s ON ({self._same}) "
            f"{gone if self.staged.flag else ''}"
            f"WHEN MATCHED AND {self._not_older} THEN UPDATE SET "
            f"{updates}{', ' if updates else ''}{load} = {load_id} "
            f"WHEN NOT MATCHED {new}THEN INSERT ({listed(self.staged.columns)}, {load}) "
            f"VALUES ({values}, {load_id})"
        )


@dataclass(frozen=True, slots=True)
class Graves:
    """The keys that were taken away, and when: what is older than that is not brought back.

    `lasting` ones are kept for later loads, the others are forgotten with this one.
    """

    staged: Staged
    key: tuple[str, ...]
    sort: Sort
    lasting: bool

    @property
    def columns(self) -> tuple[str, ...]:
        """The stored names of the columns of a grave."""
        return (*(k for k in self.key if k != self.sort.column), self.sort.column)

    def respected(self, rows: str) -> str:
        """A statement that drops the staged rows that are older than a grave of their key."""
        older = f"({self.sort.not_older('d')}) IS NOT TRUE"
        stage = self.staged.table
        found = f"SELECT s.{ORDINAL} FROM {stage} AS s JOIN ({rows}) AS d ON {same(self.key, 'd')}"
        return f"DELETE FROM {stage} WHERE {ORDINAL} IN ({found} WHERE {older})"

    def dug(self) -> str:
        """A query for the graves that the staged rows make. A row without a time makes none."""
        columns = ", ".join(f"s.{quote(c)}" for c in self.columns)
        dated = f"{self.staged.flag or 'false'} AND s.{quote(self.sort.column)} IS NOT NULL"
        return f"SELECT {columns} FROM {self.staged.table} AS s WHERE {dated}"

    def emptied(self, table: str) -> str:
        """A statement that removes the graves in whose place `dug` has newer ones."""
        return f"DELETE FROM {table} AS t USING ({self.dug()}) AS s WHERE {same(self.key)}"

    def condensed(self, rows: str) -> str:
        """A query for the newest grave of each key."""
        by = listed([c for c in self.columns if c != self.sort.column])
        if self.sort.column in self.key:
            return f"SELECT DISTINCT {listed(self.columns)} FROM ({rows})"
        newest = f"{self.sort.newest} AS {quote(self.sort.column)}"
        return f"SELECT {by}, {newest} FROM ({rows}) GROUP BY {by}"


def graves_of(table: str) -> str:
    """The name of the private table that keeps the graves of a table."""
    return f"_penstock_deleted_{table}"
