"""Pieces of SQL that every way of merging is made of. The dialect is DuckDB's; only text is made here.

In conditions `s` is a staged row and `t` a row of the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from penstock.destinations.columns import ORDINAL, Layout
from penstock.destinations.convert import ddl, literal, quote
from penstock.ledger import LOAD_ID


@dataclass(frozen=True, slots=True)
class Sort:
    """The column that decides which of two rows with one key is newer: that with the greater value.

    A null is older than any value. `ascending` turns it round: that with the lesser value.
    """

    column: str
    ascending: bool = False

    @property
    def order(self) -> str:
        """The newest first, for ORDER BY."""
        return f"{quote(self.column)} {'ASC' if self.ascending else 'DESC'} NULLS LAST"

    def not_older(self, other: str = "t") -> str:
        """The condition that the row `s` is as new as the row `other`, or newer. Null counts as false."""
        column, sign = quote(self.column), "<=" if self.ascending else ">="
        return f"({other}.{column} IS NULL OR s.{column} {sign} {other}.{column})"

    @property
    def newest(self) -> str:
        """The value of the newest of a group of rows."""
        return f"{'min' if self.ascending else 'max'}({quote(self.column)})"


@dataclass(frozen=True, slots=True)
class Staged:
    """Rows that wait in a table to be merged: `columns` are the stored names of those it has.

    `flag` is the condition that a row `s` takes its key away instead of bringing something.
    """

    table: str
    columns: tuple[str, ...]
    load_id: str
    flag: str | None = None

    def helper(self, name: str) -> str:
        """The name of a temporary table beside it, as an identifier like `table`."""
        return f'{self.table[:-1]}_{name}"'

    @property
    def keys(self) -> str:
        """The temporary table of the keys by which its rows belong together."""
        return self.helper("keys")

    @property
    def lost(self) -> str:
        """The temporary table of its rows that newer ones take the place of."""
        return self.helper("lost")

    @property
    def stays(self) -> str:
        """The condition that a row `s` does not take its key away."""
        return f"NOT {self.flag}" if self.flag else "true"

    def selected(self, layout: Layout, given: Mapping[str, str] | None = None) -> str:
        """A query for the rows `s` with all columns of their table and the load id, to go on from.

        `given` are values by the stored name of a column.
        """
        given = given or {}
        values = [
            f"{given[c.stored_as]} AS {quote(c.stored_as)}"
            if c.stored_as in given
            else f"s.{quote(c.stored_as)}"
            if c.stored_as in self.columns
            else f"CAST(NULL AS {ddl(c.type)}) AS {quote(c.stored_as)}"
            for c in layout
        ]
        load = f"{literal(self.load_id)} AS {quote(LOAD_ID)}"
        return f"SELECT {', '.join([*values, load])} FROM {self.table} AS s"


def listed(names: Sequence[str]) -> str:
    """Names as a list of SQL identifiers."""
    return ", ".join(quote(n) for n in names)


def same(columns: Sequence[str], left: str = "t", right: str = "s", *, nulls: bool = False) -> str:
    """The condition that two rows share the values of some columns; with `nulls` a null is a value."""
    sign = "IS NOT DISTINCT FROM" if nulls else "="
    return " AND ".join(f"{left}.{quote(c)} {sign} {right}.{quote(c)}" for c in columns) or "true"


def not_the_same(columns: Sequence[str], left: str = "t", right: str = "s") -> str:
    """The condition that two rows differ in some column."""
    pairs = (f"{left}.{quote(c)} IS DISTINCT FROM {right}.{quote(c)}" for c in columns)
    return " OR ".join(pairs) or "false"


def losers(stage: str, key: Sequence[str], sort: Sort | None) -> str:
    """A query for the ordinals of the rows that another row of their key takes the place of.

    The newest wins, and among equals the row that came last.
    """
    by = listed(key)
    order = f"{sort.order}, {ORDINAL} DESC" if sort else f"{ORDINAL} DESC"
    twins = f"SELECT {by} FROM {stage} GROUP BY {by} HAVING count(*) > 1"
    ranked = f"row_number() OVER (PARTITION BY {by} ORDER BY {order}) AS _penstock_rank"
    rows = f"SELECT {ORDINAL}, {ranked} FROM {stage} SEMI JOIN ({twins}) USING ({by})"
    return f"SELECT {ORDINAL} FROM ({rows}) WHERE _penstock_rank > 1"


def without_losers(stage: str, key: Sequence[str], sort: Sort | None) -> str:
    """A statement that leaves one row of each key."""
    return f"DELETE FROM {stage} WHERE {ORDINAL} IN ({losers(stage, key, sort)})"


def insert(table: str, layout: Layout, rows: str) -> str:
    """A statement that adds the rows of a query to a table."""
    names = listed([*(c.stored_as for c in layout), LOAD_ID])
    return f"INSERT INTO {table} ({names}) {rows}"


def made(name: str, rows: str) -> str:
    """A statement that keeps the answer of a query in a temporary table."""
    return f"CREATE OR REPLACE TEMP TABLE {name} AS {rows}"
