"""Rows that wait in a temporary DuckDB table until they are merged."""

from __future__ import annotations

from typing import Any

from penstock.destinations.columns import ORDINAL, Layout, Stored, find
from penstock.destinations.convert import ddl, quote
from penstock.destinations.engine import explained, rows_of
from penstock.destinations.incoming import Incoming
from penstock.destinations.merging import Upsert
from penstock.errors import RefusedError
from penstock.ports import Batches
from penstock.schema.disposition import Disposition, WriteMode


class Stage:
    """The staged rows of one table, all with the same columns. `con` is a DuckDB connection."""

    def __init__(self, con: Any, name: str, table: str) -> None:
        self._con = con
        self._name = quote(name)
        self._table = table
        self._columns: tuple[Stored, ...] = ()
        self._next = 0
        self.upsert: Upsert | None = None
        self.vector_bytes = 0

    def add(self, data: Batches, layout: Layout, disposition: Disposition, load_id: str) -> int | None:
        """Stage rows and return how many; None if they do not go with those that wait here.

        Raises: RefusedError for a null in a key.
        """
        incoming = Incoming(data, layout, self._next)
        columns = tuple(stored for stored, _ in incoming.columns)
        upsert = self._upsert(columns, disposition, layout, load_id)
        if self.upsert is None:
            self._create(columns, find(layout, disposition.dedup_sort or ""), upsert)
        elif (columns, upsert) != (self._columns, self.upsert):
            return None
        values = ", ".join([*(sql for _, sql in incoming.columns), ORDINAL])
        names = ", ".join([*(quote(s.stored_as) for s in columns), ORDINAL])
        first = self._next
        copy_in(self._con, f"INSERT INTO {self._name} ({names}) SELECT {values}", incoming, self._table)
        self._next += incoming.rows
        self.vector_bytes = max(self.vector_bytes, incoming.vector_bytes)
        self._refuse_nulls(upsert, first)
        return incoming.rows

    def settle(self) -> Upsert | None:
        """Leave one row of each key, and tell how to merge them; None if nothing is staged."""
        if self.upsert is not None:
            self._con.execute(f"DELETE FROM {self._name} WHERE {ORDINAL} IN ({self.upsert.losers})")
        return self.upsert

    def drop(self) -> None:
        """Forget the staged rows."""
        self._con.execute(f"DROP TABLE IF EXISTS {self._name}")

    def _create(self, columns: tuple[Stored, ...], sort: Stored | None, upsert: Upsert) -> None:
        """`sort` is there even if no row has it yet, so that such rows count as the oldest."""
        kept = (*columns, sort) if sort and sort not in columns else columns
        definitions = "".join(f"{quote(s.stored_as)} {ddl(s.type)}, " for s in kept)
        self._con.execute(f"CREATE TEMP TABLE {self._name} ({definitions}{ORDINAL} BIGINT)")
        self._columns, self.upsert = columns, upsert

    def _upsert(
        self, columns: tuple[Stored, ...], disposition: Disposition, layout: Layout, load_id: str
    ) -> Upsert:
        staged = {s.name: s.stored_as for s in columns}
        refuse_keyless(self._table, disposition)
        for name in disposition.primary_key:
            if name not in staged:
                raise RefusedError(
                    f"`{self._table}` is merged by `{name}`, which these rows do not have",
                    found="columns " + ", ".join(f"`{n}`" for n in staged),
                    hint="every row needs a value in every column of the primary key",
                )
        sort = find(layout, disposition.dedup_sort) if disposition.dedup_sort else None
        if disposition.dedup_sort and sort is None:
            raise RefusedError(
                f"`{self._table}` is merged by the newest `{disposition.dedup_sort}`, which it does not have"
            )
        return Upsert(
            self._name,
            tuple(staged.values()),
            tuple(staged[name] for name in disposition.primary_key),
            sort.stored_as if sort else None,
            load_id,
        )

    def _refuse_nulls(self, upsert: Upsert, first: int) -> None:
        nulls = rows_of(self._con, upsert.nulls_since(first))[0][0]
        if nulls:
            raise RefusedError(
                f"`{self._table}`: rows to merge have no value in their primary key",
                found=f"{nulls:,} rows with a null in " + ", ".join(upsert.key),
                hint="declare the key columns as `nullable: false`, so that the gate sets such rows aside",
            )


def refuse_keyless(table: str, disposition: Disposition) -> None:
    """Refuse to merge without a primary key. Raises: RefusedError."""
    if disposition.mode is WriteMode.MERGE and not disposition.primary_key:
        raise RefusedError(
            f"`{table}` is merged, so it needs a primary key",
            hint="name its `primary_key` in the project file, or write it with `append`",
        )


def copy_in(con: Any, insert: str, incoming: Incoming, where: str) -> None:
    """Run `insert` (all of the statement but its FROM) over a stream of rows.

    What the source of the rows raises comes out as it was raised.
    """
    # DuckDB finds the stream by the name of this variable, so nothing is left to undo on failure
    _penstock_incoming = incoming.reader()
    try:
        con.execute("SET python_enable_replacements = true")
        with explained(where):
            con.execute(f"{insert} FROM _penstock_incoming")
    except Exception:
        if incoming.error is not None:
            raise incoming.error from None
        raise
