"""SQL of an upsert: which of the staged rows count, and how they meet the rows that are there.

Of several rows of one key the greatest `sort` wins (a null sorts lowest), among equals the row that
came last. Pure: only text is made here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from penstock.destinations.columns import ORDINAL, Layout
from penstock.destinations.convert import ddl, literal, quote
from penstock.ledger import LOAD_ID


@dataclass(frozen=True, slots=True)
class Upsert:
    """An upsert from a staging table: stored names of the columns that were staged, of the key and
    of the column that decides which row is newer (None: the row that came last).
    """

    stage: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    sort: str | None
    load_id: str

    @property
    def losers(self) -> str:
        """A query for the ordinals of the rows that another row of their key takes the place of."""
        key = listed(self.key)
        order = f"{ORDINAL} DESC"
        if self.sort is not None:
            order = f"{quote(self.sort)} DESC NULLS LAST, {order}"
        twins = f"SELECT {key} FROM {self.stage} GROUP BY {key} HAVING count(*) > 1"
        ranked = f"row_number() OVER (PARTITION BY {key} ORDER BY {order}) AS _penstock_rank"
        rows = f"SELECT {ORDINAL}, {ranked} FROM {self.stage} SEMI JOIN ({twins}) USING ({key})"
        return f"SELECT {ORDINAL} FROM ({rows}) WHERE _penstock_rank > 1"

    @property
    def same_key(self) -> str:
        """The condition that the row `s` has the key of the row `t`."""
        return " AND ".join(f"t.{quote(k)} = s.{quote(k)}" for k in self.key)

    @property
    def not_older(self) -> str:
        """The condition that the row `s` replaces the row `t` of its key."""
        if self.sort is None:
            return "true"
        sort = quote(self.sort)
        return f"(t.{sort} IS NULL OR s.{sort} >= t.{sort})"

    def insert_into(self, table: str) -> str:
        """One statement that adds the staged rows to a table that has none."""
        columns = listed(self.columns)
        return (
            f"INSERT INTO {table} ({columns}, {quote(LOAD_ID)}) "
            f"SELECT {columns}, {literal(self.load_id)} FROM {self.stage}"
        )

    def merge_into(self, table: str) -> str:
        """One statement that applies the staged rows, one of each key, to a table."""
        load = quote(LOAD_ID)
        updates = ", ".join(f"{quote(c)} = s.{quote(c)}" for c in self.columns)
        values = ", ".join(f"s.{quote(c)}" for c in self.columns)
        return (
            f"MERGE INTO {table} AS t USING {self.stage} AS s ON ({self.same_key}) "
            f"WHEN MATCHED AND {self.not_older} THEN UPDATE SET {updates}, {load} = {literal(self.load_id)} "
            f"WHEN NOT MATCHED THEN INSERT ({listed(self.columns)}, {load}) "
            f"VALUES ({values}, {literal(self.load_id)})"
        )

    def inserted(self, layout: Layout) -> str:
        """A query for the staged rows with all columns of their table, and the load id."""
        values = [
            f"s.{quote(c.stored_as)}"
            if c.stored_as in self.columns
            else f"CAST(NULL AS {ddl(c.type)}) AS {quote(c.stored_as)}"
            for c in layout
        ]
        return (
            f"SELECT {', '.join(values)}, {literal(self.load_id)} AS {quote(LOAD_ID)} FROM {self.stage} AS s"
        )

    def rewritten(self, rows: str, layout: Layout) -> str:
        """A query for the rows of the query `rows` after the merge, and the new ones."""
        wins = f"s.{ORDINAL} IS NOT NULL AND {self.not_older}"
        values = [
            f"CASE WHEN {wins} THEN s.{quote(c)} ELSE t.{quote(c)} END AS {quote(c)}"
            if c in self.columns
            else f"t.{quote(c)}"
            for c in (s.stored_as for s in layout)
        ]
        load = (
            f"CASE WHEN {wins} THEN {literal(self.load_id)} ELSE t.{quote(LOAD_ID)} END AS {quote(LOAD_ID)}"
        )
        return (
            f"SELECT {', '.join(values)}, {load} FROM ({rows}) AS t "
            f"LEFT JOIN {self.stage} AS s ON {self.same_key} "
            f"UNION ALL {self.inserted(layout)} ANTI JOIN ({rows}) AS t ON {self.same_key}"
        )

    def touched(self, rows: str, tag: str) -> str:
        """A query for the values of the column `tag` of those rows that a staged row meets."""
        return f"SELECT DISTINCT t.{tag} FROM ({rows}) AS t SEMI JOIN {self.stage} AS s ON {self.same_key}"

    def nulls_since(self, first: int) -> str:
        """A query that counts the rows from ordinal `first` on whose key has a null."""
        null = " OR ".join(f"{quote(k)} IS NULL" for k in self.key)
        return f"SELECT count(*) FROM {self.stage} WHERE {ORDINAL} >= {first} AND ({null})"


def listed(names: Sequence[str]) -> str:
    """Names as a list of SQL identifiers."""
    return ", ".join(quote(n) for n in names)
