"""One load into a DuckDB file: everything of it happens in one DuckDB transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import duckdb

from penstock.destinations import duckdb_ledger as ledger
from penstock.destinations.clash import clashes
from penstock.destinations.columns import Layout, check_table_name, find, grow, leaves, lossy
from penstock.destinations.convert import convert, ddl, literal, loses, quote
from penstock.destinations.engine import Limits, explained, rows_of, table_of
from penstock.destinations.incoming import Incoming
from penstock.destinations.ledger_rows import Shape
from penstock.destinations.staging import Stage, copy_in, refuse_keyless
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
        self._stages: dict[str, Stage] = {}
        self._staged = 0
        self._tables: dict[str, Table] = {}
        self._layouts: dict[str, Layout] = {}
        self._vector_bytes = 0
        with explained(where):
            self._grant(limits.all_threads)
            con.execute("BEGIN TRANSACTION")
            ledger.create(con)
        self._shapes = dict(ledger.shapes(con))

    # ------------------------------------------------------------------------------- the shape

    def shape(self, table: Table, disposition: Disposition) -> None:
        """Create the table or grow it. Raises: RefusedError; LossyError, after which the load goes on."""
        self._check_open()
        refuse_keyless(table.name, disposition)
        before = self._stored(table.name)
        after = grow(before or (), table)
        with explained(self._where):
            if before is None:
                self._create(table.name, after)
            elif before != after:
                self._merge_staged(table.name)
                self._refuse_loss(table.name, before, after)
                self._alter(table.name, before, after)
        self._tables[table.name] = table
        self._layouts[table.name] = after

    def _stored(self, name: str) -> Layout | None:
        """How the table is stored now; None if it is new. Raises: RefusedError if it is another's."""
        if name in self._layouts:
            return self._layouts[name]
        present = ledger.relations(self._con)
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
        for stored in after:
            old = find(before, stored.name)
            lost = old and loses(quote(stored.stored_as), old.type, stored.type)
            if lost and rows_of(self._con, f"SELECT 1 FROM {quote(name)} WHERE {lost} LIMIT 1"):
                raise lossy(name, stored)

    def _alter(self, name: str, before: Layout, after: Layout) -> None:
        for stored in after:
            old = find(before, stored.name)
            column = quote(stored.stored_as)
            if old is None:
                self._con.execute(f"ALTER TABLE {quote(name)} ADD COLUMN {column} {ddl(stored.type)}")
            elif old.type != stored.type:
                using = convert(column, old.type, stored.type, guard=False)
                change = f"ALTER COLUMN {column} TYPE {ddl(stored.type)} USING {using}"
                self._con.execute(f"ALTER TABLE {quote(name)} {change}")

    # -------------------------------------------------------------------------------- the rows

    def write(self, table: Table, disposition: Disposition, data: Batches) -> int:
        """Write rows and return how many were received. What the batches raise comes out as it is."""
        self._check_open()
        name = table.name
        if name not in self._layouts:
            raise BugError(f"`{name}` was written to before its shape was told")
        if disposition.mode is WriteMode.MERGE:
            return self._stage(name, disposition, data)
        if disposition.mode is WriteMode.REPLACE and name not in self._emptied:
            with explained(self._where):
                self._con.execute(f"DELETE FROM {quote(name)}")
            self._emptied.add(name)
        return self._append(name, data)

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

    def _stage(self, name: str, disposition: Disposition, data: Batches) -> int:
        received = None
        if name in self._stages:
            received = self._stages[name].add(data, self._layouts[name], disposition, self._load_id)
            if received is None:
                self._merge_staged(name)
        if received is None:
            self._staged += 1
            stage = self._stages[name] = Stage(self._con, f"_penstock_stage_{self._staged}", name)
            self._grant(self._limits.all_threads)
            received = stage.add(data, self._layouts[name], disposition, self._load_id)
        return received or 0

    def _merge_staged(self, name: str) -> None:
        stage = self._stages.pop(name, None)
        if stage is None:
            return
        self._vector_bytes = max(self._vector_bytes, stage.vector_bytes)
        with explained(self._where):
            self._grant(self._limits.all_threads)
            upsert = stage.settle()
            if upsert is not None:
                table = quote(name)
                is_empty = not rows_of(self._con, f"SELECT 1 FROM {table} LIMIT 1")
                self._con.execute(upsert.insert_into(table) if is_empty else upsert.merge_into(table))
                stage.drop()

    def keys(self, table: str, columns: Sequence[str]) -> Any:
        """The distinct values of some columns as this load sees them; None: no such table."""
        self._check_open()
        self._merge_staged(table)
        layout = self._layouts.get(table)
        if layout is None:
            shape = self._shapes.get(table)
            layout = shape.layout if shape is not None else None
        if table not in ledger.relations(self._con):
            return None
        if layout is None:  # a table that Penstock did not make
            values = [quote(c) for c in columns]
        else:
            stored = [find(layout, c) for c in columns]
            values = [quote(s.stored_as) if s else "NULL" for s in stored]
        named = ", ".join(f"{v} AS k{i}" for i, v in enumerate(values))
        with explained(self._where):
            rows = table_of(self._con, f"SELECT DISTINCT {named} FROM {quote(table)}")
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
            for name in mine if tables is None else [n for n in mine if n in set(tables)]:
                stage = self._stages.pop(name, None)
                if stage is not None:
                    stage.drop()
                self._con.execute(f"DROP TABLE IF EXISTS {quote(name)}")
                self._shapes.pop(name)
                self._layouts.pop(name, None)
                self._tables.pop(name, None)
            ledger.forget(self._con, self._pipeline, tables)

    def commit(self, commit: Commit) -> None:
        """Make it all true. Raises: UncertainError; OutsideError or RefusedError if nothing happened."""
        self._check_open()
        for name in list(self._stages):
            self._merge_staged(name)
        with explained(self._where):
            ledger.refuse_loaded(self._con, commit.files, self._where)
            ledger.record(self._con, commit, self._new_shapes(commit))
        self._open = False
        try:
            with explained(self._where):
                self._con.execute("COMMIT")
        except Exception:
            if not self._outcome(self._load_id):
                raise

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
