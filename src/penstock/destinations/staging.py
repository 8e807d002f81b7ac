"""Rows that wait in a temporary DuckDB table until they are merged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.destinations.altering import altered, lost
from penstock.destinations.columns import ORDINAL, Layout, Stored, find, lossy
from penstock.destinations.convert import ddl, quote
from penstock.destinations.engine import explained, rows_of
from penstock.destinations.merging.choice import Merge, is_whole, merge_of, required, scd2_of
from penstock.destinations.merging.digest import digest
from penstock.destinations.merging.sql import listed
from penstock.errors import BugError, RefusedError
from penstock.ports import Batches
from penstock.schema.disposition import Disposition
from penstock.schema.nesting import ROOT_ID

if TYPE_CHECKING:
    from penstock.destinations.incoming import Incoming


class Stage:
    """The staged rows of one table, all of one disposition. `con` is a DuckDB connection.

    Rows that are written as wholes have all columns of their table; others have the columns that
    came, and all of them the same.
    """

    def __init__(self, con: Any, name: str, table: str, disposition: Disposition, load_id: str) -> None:
        self._con = con
        self._name = quote(name)
        self._table = table
        self._load_id = load_id
        self._columns: tuple[Stored, ...] | None = None
        self._next = 0
        self._helpers: tuple[str, ...] = ()
        self.disposition = disposition
        self.whole = is_whole(disposition)
        self.vector_bytes = 0

    def open(self, layout: Layout) -> None:
        """Make the table, without rows yet; for rows that are written as wholes."""
        if self._columns is None:
            scd2 = scd2_of(self.disposition)
            own = (scd2.valid_from, scd2.valid_to) if scd2 else ()
            self._create(tuple(s for s in layout if s.name not in own))

    def add(self, data: Batches, layout: Layout) -> int | None:
        """Stage rows and return how many; None if they do not go with those that wait here.

        Raises: RefusedError for a null in a key.
        """
        from penstock.destinations.incoming import Incoming  # brings Arrow, which few builds need

        incoming = Incoming(data, layout, self._next)
        columns = tuple(stored for stored, _ in incoming.columns)
        self._refuse_keyless(columns)
        if self.whole:
            self.open(layout)
        elif self._columns is None:
            sort = find(layout, self.disposition.dedup_sort or "")
            self._create(columns, sort)
        elif columns != self._columns:
            return None
        values = {s.stored_as: sql for s, sql in incoming.columns} | {ORDINAL: ORDINAL}
        version = self._version(layout)
        if version is not None:
            values[version.stored_as] = digest(incoming.columns)
        first = self._next
        copy_in(
            self._con,
            f"INSERT INTO {self._name} ({listed(list(values))}) SELECT {', '.join(values.values())}",
            incoming,
            self._table,
        )
        self._next += incoming.rows
        self.vector_bytes = max(self.vector_bytes, incoming.vector_bytes)
        self._refuse_nulls(layout, first)
        return incoming.rows

    def take(self, rows: str, columns: Layout, layout: Layout) -> None:
        """Stage the rows of a query, which have these columns as they are stored and their ordinals.

        Raises: RefusedError for a null in a key.
        """
        self._refuse_keyless(columns)
        scd2, version = scd2_of(self.disposition), self._version(layout)
        own = {scd2.valid_from, scd2.valid_to} if scd2 else set()
        sort = find(layout, self.disposition.dedup_sort or "")
        missing = [s for s in layout if s not in columns and s.name not in own and (self.whole or s == sort)]
        values = [*(quote(s.stored_as) for s in columns), ORDINAL]
        for s in missing:
            value = digest([(c, quote(c.stored_as)) for c in columns]) if s == version else "NULL"
            values.append(f"CAST({value} AS {ddl(s.type)}) AS {quote(s.stored_as)}")
        self._con.execute(f"CREATE TEMP TABLE {self._name} AS SELECT {', '.join(values)} FROM ({rows})")
        self._columns = (*columns, *missing)
        self._refuse_nulls(layout, 0)

    def grow(self, before: Layout, after: Layout) -> None:
        """Follow the table's growth; for rows that are written as wholes.

        Raises: LossyError while nothing has changed yet.
        """
        if self._columns is None:
            return
        mine = {s.name for s in self._columns} | ({s.name for s in after} - {s.name for s in before})
        new = tuple(s for s in after if s.name in mine)
        for sql in altered(self._name, self._columns, new):
            self._con.execute(sql)
        version = self._version(after)
        if version is not None and any((find(new, s.name) or s).type != s.type for s in self._columns):
            values = digest([(s, quote(s.stored_as)) for s in new if s != version])
            self._con.execute(f"UPDATE {self._name} SET {quote(version.stored_as)} = {values}")
        self._columns = new

    def refuse_loss(self, before: Layout, after: Layout) -> None:
        """Refuse a growth under which staged values would be lost. Raises: LossyError."""
        for stored, condition in lost(before, after) if self._columns else ():
            if rows_of(self._con, f"SELECT 1 FROM {self._name} WHERE {condition} LIMIT 1"):
                raise lossy(self._table, stored)

    def merge(self, layout: Layout, roots: str = "") -> Merge | None:
        """How to merge the staged rows; None if there is nothing to merge.

        `roots` is a query for the ids of the table's roots.
        """
        if self._columns is None:
            return None
        merge = merge_of(self._name, self._columns, self.disposition, layout, self._load_id, roots)
        self._helpers = merge.helpers
        return merge

    def all_roots(self, rows: str) -> str:
        """A query for the roots that the staged rows and those of a relation say they have."""
        root = quote(ROOT_ID)
        return f"SELECT {root} AS id FROM {self._name} UNION SELECT {root} FROM {rows}"

    def drop(self) -> None:
        """Forget the staged rows."""
        for name in (self._name, *self._helpers):
            self._con.execute(f"DROP TABLE IF EXISTS {name}")

    def _create(self, columns: tuple[Stored, ...], sort: Stored | None = None) -> None:
        """`sort` is there even if no row has it yet, so that such rows count as the oldest."""
        kept = (*columns, sort) if sort and sort not in columns else columns
        definitions = "".join(f"{quote(s.stored_as)} {ddl(s.type)}, " for s in kept)
        self._con.execute(f"CREATE TEMP TABLE {self._name} ({definitions}{ORDINAL} BIGINT)")
        self._columns = columns

    def _version(self, layout: Layout) -> Stored | None:
        """The column that holds the digest of a row, if this load makes them."""
        scd2 = scd2_of(self.disposition)
        return find(layout, scd2.version_column) if scd2 and scd2.row_version is None else None

    def _refuse_keyless(self, columns: tuple[Stored, ...]) -> None:
        staged = [s.name for s in columns]
        for words, names in required(self.disposition).items():
            for name in names:
                if name in staged:
                    continue
                if name == ROOT_ID:
                    raise BugError(f"rows of `{self._table}` do not say which root they belong to")
                raise RefusedError(
                    f"`{self._table}` is merged by `{name}`, which these rows do not have",
                    found="columns " + ", ".join(f"`{n}`" for n in staged),
                    hint=f"every row needs a value in every column of the {words}",
                )

    def _refuse_nulls(self, layout: Layout, first: int) -> None:
        for words, names in required(self.disposition).items():
            columns = [s.stored_as for s in (find(layout, n) for n in names) if s is not None]
            null = " OR ".join(f"{quote(c)} IS NULL" for c in columns)
            sql = f"SELECT count(*) FROM {self._name} WHERE {ORDINAL} >= {first} AND ({null})"
            nulls = rows_of(self._con, sql)[0][0]
            if nulls:
                raise RefusedError(
                    f"`{self._table}`: rows to merge have no value in their {words}",
                    found=f"{nulls:,} rows with a null in " + ", ".join(columns),
                    hint="declare the columns as `nullable: false`, so that the gate sets such rows aside",
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
