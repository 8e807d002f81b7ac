"""One load into a DuckDB file: everything of it happens in one DuckDB transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import duckdb

from penstock.destinations import duckdb_ledger as ledger
from penstock.destinations.altering import altered, lost
from penstock.destinations.clash import clashes
from penstock.destinations.columns import (
    Layout,
    check_table_name,
    find,
    grow,
    leaves,
    lossy,
    part_of,
    root_of,
)
from penstock.destinations.convert import ddl, literal, quote
from penstock.destinations.duckdb_merge import Merges
from penstock.destinations.duckdb_relations import relations
from penstock.destinations.engine import Limits, explained, rows_of, table_of
from penstock.destinations.incoming import Incoming
from penstock.destinations.ledger_rows import Shape
from penstock.destinations.merging.choice import is_merged, is_snapshot, versioned, waits
from penstock.destinations.merging.refusals import refuse_nonsense, refuse_unknown
from penstock.destinations.staging import copy_in
from penstock.errors import BugError, RefusedError
from penstock.ledger import LOAD_ID, Commit
from penstock.ports import Batches
from penstock.schema.disposition import Disposition, WriteMode
from penstock.schema.table import Table


class DuckDBTransaction:
    """A load in the making, on a connection that nothing else writes to.

    `outcome` is asked when COMMIT fails: it says whether the load is in the file after all, and
    raises UncertainError when it cannot.
    """

    def __init__(
        self,
        con: Any,  # Any: a DuckDB connection, which is untyped
        where: str,
        pipeline: str,
        load_id: str,
        limits: Limits,
        outcome: Callable[[str], bool],
    ) -> None:
        self._con = con
        self._where = where
        self._pipeline = pipeline
        self._load_id = load_id
        self._limits = limits
        self._outcome = outcome
        self._open = True
        self._emptied: set[str] = set()
        self._tables: dict[str, Table] = {}
        self._dispositions: dict[str, Disposition] = {}
        self._layouts: dict[str, Layout] = {}
        self._vector_bytes = 0
        self._merges = Merges(con, load_id, self._grant_for)
        with explained(where):
            self._grant(limits.all_threads)
            con.execute("BEGIN TRANSACTION")
            ledger.create(con)
        self._shapes = dict(ledger.shapes(con))

    # ------------------------------------------------------------------------------- the shape

    def shape(self, table: Table, disposition: Disposition) -> None:
        """Create the table or grow it. Raises: RefusedError; LossyError, after which the load goes on."""
        self._check_open()
        refuse_nonsense(table, disposition)
        before = self._stored(table.name)
        after = versioned(grow(before or (), table), disposition)
        if disposition.root is not None:
            after = part_of(after, disposition.root)
        with explained(self._where):
            if before is None:
                self._create(table.name, after)
            elif before != after:
                self._merges.grow(table.name, before, after)
                self._refuse_loss(table.name, before, after)
                for sql in altered(quote(table.name), before, after):
                    self._con.execute(sql)
                self._merges.grown(table.name, before, after)
        self._tables[table.name] = table
        self._layouts[table.name] = after
        self._dispositions[table.name] = disposition

    def _stored(self, name: str) -> Layout | None:
        """How the table is stored now; None if it is new. Raises: RefusedError if it is another's."""
        if name in self._layouts:
            return self._layouts[name]
        present = relations(self._con)
        check_table_name(name, {*self._shapes, *present})
        shape = self._shapes.get(name)
        if shape is not None and shape.pipeline != self._pipeline:
            raise RefusedError(
                f"the table `{name}` belongs to the pipeline `{shape.pipeline}`",
                where=self._where,
                hint=f"rename the table in pipeline `{self._pipeline}`, or give it another destination",
            )
        known = shape is not None and shape.layout is not None
        if known and name not in present:
            raise RefusedError(
                f"the table `{name}` is gone, but the ledger says what was loaded into it",
                where=self._where,
                hint=f"load it again from raw history: penstock rebuild --table {name}",
            )
        if not known and name in present:
            raise RefusedError(
                f"there is a table `{name}` already that Penstock did not make",
                where=self._where,
                hint="drop or rename it, or rename the table in the project file",
            )
        return shape.layout if shape is not None else None

    def _create(self, name: str, layout: Layout) -> None:
        columns = "".join(f"{quote(s.stored_as)} {ddl(s.type)}, " for s in layout)
        self._con.execute(f"CREATE TABLE {quote(name)} ({columns}{quote(LOAD_ID)} VARCHAR)")

    def _refuse_loss(self, name: str, before: Layout, after: Layout) -> None:
        """Raises: LossyError while the transaction is still good, so that another type can be tried."""
        for stored, condition in lost(before, after):
            if rows_of(self._con, f"SELECT 1 FROM {quote(name)} WHERE {condition} LIMIT 1"):
                raise lossy(name, stored)

    # -------------------------------------------------------------------------------- the rows

    def write(self, table: Table, disposition: Disposition, data: Batches) -> int:
        """Write rows and return how many were received. What the batches raise comes out as it is."""
        self._check_open()
        name = table.name
        if name not in self._layouts:
            raise BugError(f"`{name}` was written to before its shape was told")
        refuse_unknown(table, disposition)
        if waits(disposition, self._dispositions):
            self._grant(self._limits.insert_threads)
            with explained(self._where):
                return self._merges.add(name, self._layouts[name], disposition, data)
        if disposition.mode is WriteMode.REPLACE:
            self._empty(name)
        return self._append(name, data)

    def _empty(self, name: str) -> None:
        """Once a load."""
        if name not in self._emptied:
            with explained(self._where):
                self._con.execute(f"DELETE FROM {quote(name)}")
            self._emptied.add(name)

    def _append(self, name: str, data: Batches) -> int:
        incoming = Incoming(data, self._layouts[name])
        names = ", ".join([*(quote(s.stored_as) for s, _ in incoming.columns), quote(LOAD_ID)])
        values = ", ".join([*(sql for _, sql in incoming.columns), literal(self._load_id)])
        self._grant(self._limits.insert_threads)
        copy_in(self._con, f"INSERT INTO {quote(name)} ({names}) SELECT {values}", incoming, self._where)
        self._vector_bytes = max(self._vector_bytes, incoming.vector_bytes)
        self._grant(self._limits.all_threads)
        return incoming.rows

    def _grant(self, threads: int) -> None:
        """Let DuckDB use so many threads, and the memory that they need for tables as wide as ours."""
        width = max((leaves(layout) for layout in self._layouts.values()), default=1)
        memory = self._limits.memory_for(threads, width, self._vector_bytes)
        self._con.execute(f"SET threads = {threads}")
        self._con.execute(f"SET memory_limit = '{memory}'")

    def _grant_for(self, vector_bytes: int) -> None:
        self._vector_bytes = max(self._vector_bytes, vector_bytes)
        self._grant(self._limits.all_threads)

    def keys(self, table: str, columns: Sequence[str]) -> Any:
        """The distinct values of some columns as this load sees them; None: no such table."""
        self._check_open()
        layout = self._layouts.get(table)
        if layout is None and table in self._shapes:
            layout = self._shapes[table].layout
        if table not in relations(self._con):
            return None
        if layout is None:  # a table that Penstock did not make
            values = [quote(c) for c in columns]
        else:
            stored = [find(layout, c) for c in columns]
            values = [quote(s.stored_as) if s else "NULL" for s in stored]
        named = ", ".join(f"{v} AS k{i}" for i, v in enumerate(values))
        with explained(self._where):
            seen = self._merges.preview(table, layout) if layout else f"SELECT * FROM {quote(table)}"
            rows = table_of(self._con, f"SELECT DISTINCT {named} FROM ({seen})")
        return rows.rename_columns(list(columns))

    def clashes(self, table: str, columns: Sequence[str], keys: Any) -> Any:
        """Those of some keys, given as text, that rows of earlier loads have."""
        self._check_open()
        rows = f"SELECT * FROM {quote(table)} WHERE {quote(LOAD_ID)} <> {literal(self._load_id)}"
        with explained(self._where):
            return clashes(self._con, rows, self._layouts.get(table, ()), columns, keys)

    # --------------------------------------------------------------------------------- the end

    def forget(self, tables: Sequence[str] | None) -> None:
        """Drop tables of the pipeline (None: all) with their ledger rows, as part of this load."""
        self._check_open()
        mine = [n for n, s in self._shapes.items() if s.pipeline == self._pipeline]
        with explained(self._where):
            if tables is not None:
                parts = [n for n, layout in self._known().items() if root_of(layout) in tables]
                tables = [*tables, *parts]
            for name in mine if tables is None else [n for n in mine if n in set(tables)]:
                self._merges.drop(name)
                self._con.execute(f"DROP TABLE IF EXISTS {quote(name)}")
                self._shapes.pop(name)
                self._layouts.pop(name, None)
                self._tables.pop(name, None)
                self._dispositions.pop(name, None)
            ledger.forget(self._con, self._pipeline, tables)

    def commit(self, commit: Commit) -> None:
        """Make it all true. Raises: UncertainError; OutsideError or RefusedError if nothing happened."""
        self._check_open()
        with explained(self._where):
            self._finish()
            ledger.refuse_loaded(self._con, commit.files, self._where)
            ledger.record(self._con, commit, self._new_shapes(commit))
        self._open = False
        try:
            with explained(self._where):
                self._con.execute("COMMIT")
        except Exception:
            if not self._outcome(self._load_id):
                raise

    def _finish(self) -> None:
        """Merge what waits, roots before their parts, and empty what was replaced by nothing."""
        for name, disposition in self._dispositions.items():
            layout = self._layouts[name]
            if disposition.root is None and is_merged(disposition):
                if is_snapshot(disposition) and name not in self._merges.merged:
                    self._merges.open(name, layout, disposition)
                self._merges.merge(name, layout)
            elif disposition.root is None and disposition.mode is WriteMode.REPLACE:
                self._empty(name)
        for name, layout in self._known().items():
            root = root_of(layout)
            if root in self._emptied:
                self._empty(name)
            if root in self._merges.merged:
                self._merges.open(name, layout, Disposition(WriteMode.MERGE, root=root))
            self._merges.merge(name, layout, root)
        self._merges.close()

    def _known(self) -> dict[str, Layout]:
        """How the tables of this pipeline are stored as this load leaves them."""
        mine = {n: s.layout for n, s in self._shapes.items() if s.pipeline == self._pipeline}
        return {n: layout for n, layout in mine.items() if layout is not None} | self._layouts

    def _new_shapes(self, commit: Commit) -> list[Shape]:
        """The tables whose definition or layout is not the one in the ledger."""
        told: Mapping[str, Table] = self._tables | {t.name: t for t in commit.schemas}
        found = []
        for name, table in told.items():
            old = self._shapes.get(name)
            layout = self._layouts.get(name, old.layout if old else None)
            if old is None or old.table != table or old.layout != layout:
                shape = Shape(
                    pipeline=self._pipeline,
                    table=table,
                    version=old.version + 1 if old else 1,
                    layout=layout,
                    changes=tuple(str(c) for c in commit.changes if c.table == name),
                    load_id=self._load_id,
                    created_at=commit.load.committed_at,
                )
                found.append(shape)
        return found

    def rollback(self) -> None:
        """Undo everything of this load; after a commit nothing happens."""
        if self._open:
            self._open = False
            try:
                self._con.execute("ROLLBACK")
            except duckdb.TransactionException:
                return  # a fatal error has ended the transaction already

    def _check_open(self) -> None:
        if not self._open:
            raise BugError("this load has ended", where=self._where)
