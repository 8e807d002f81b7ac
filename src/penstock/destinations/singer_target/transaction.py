"""A load into a target: gathered on disk, sent when it is to become true, then noted in the ledger."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb

from penstock.destinations import duckdb_ledger as ledger
from penstock.destinations.columns import Layout, check_table_name, find, grow
from penstock.destinations.convert import carried
from penstock.destinations.engine import explained
from penstock.destinations.incoming import Incoming
from penstock.destinations.ledger_rows import Shape
from penstock.destinations.merging.refusals import refuse_nonsense, refuse_unknown
from penstock.destinations.singer_target.checking import checked_batches
from penstock.destinations.singer_target.sending import Delivery
from penstock.destinations.singer_target.spool import Spool
from penstock.destinations.singer_target.target import Target
from penstock.destinations.singer_target.wording import record_lines, schema_message, version_message
from penstock.errors import BugError, RefusedError
from penstock.ledger import Commit
from penstock.ports import Batches
from penstock.schema.arrow import from_arrow
from penstock.schema.disposition import Disposition, WriteMode
from penstock.schema.table import Table

_MARK_ROWS = 100_000
_log = logging.getLogger(__name__)


class SingerTransaction:
    """A load in the making. `outcome` is asked when COMMIT fails: whether the ledger has the load.

    `target` is made when it is first needed, because that may mean to install it.
    """

    def __init__(
        self,
        con: Any,  # Any: a DuckDB connection, which is untyped
        where: Path,
        pipeline: str,
        load_id: str,
        target: Callable[[], Target],
        outcome: Callable[[str], bool],
    ) -> None:
        self._con = con
        self._where = str(where)
        self._pipeline = pipeline
        self._load_id = load_id
        self._make_target = target
        self._outcome = outcome
        self._open = True
        self._tables: dict[str, Table] = {}
        self._layouts: dict[str, Layout] = {}
        self._dispositions: dict[str, Disposition] = {}
        self._emptied: dict[str, Layout] = {}
        self._spool = Spool(where.with_name(where.name + ".spool"))
        with explained(self._where):
            con.execute("BEGIN TRANSACTION")
            ledger.create(con)
        self._shapes = dict(ledger.shapes(con))

    # ------------------------------------------------------------------------------- the shape

    def shape(self, table: Table, disposition: Disposition) -> None:
        """Take up the shape of a table. Raises: RefusedError for a way of writing that cannot be sent."""
        self._check_open()
        refuse_nonsense(table, disposition)
        if (refusal := self._make_target().refusal(table.name, disposition)) is not None:
            refuse_unknown(table, disposition)  # what makes no sense anywhere is told first
            raise refusal
        if (told := self._make_target().adds_to(table.name, disposition)) is not None:
            _log.warning("%s", told)
        before = self._stored(table.name)
        self._layouts[table.name] = grow(before or (), table)
        self._tables[table.name] = table
        self._dispositions[table.name] = disposition

    def _stored(self, name: str) -> Layout | None:
        """How the table is sent by now; None if it is new. Raises: RefusedError if it is another's."""
        if name in self._layouts:
            return self._layouts[name]
        check_table_name(name, {*self._shapes, *self._layouts})
        shape = self._shapes.get(name)
        if shape is not None and shape.pipeline != self._pipeline:
            raise RefusedError(
                f"the table `{name}` belongs to the pipeline `{shape.pipeline}`",
                where=self._where,
                hint=f"rename the table in pipeline `{self._pipeline}`, or give it a ledger of its own by "
                "`path` of its destination",
            )
        return shape.layout if shape is not None else None

    # -------------------------------------------------------------------------------- the rows

    def write(self, table: Table, disposition: Disposition, data: Batches) -> int:
        """Keep rows until the load becomes true; returns how many came.

        Raises: RefusedError for a merge of rows without a key; ContractError for an integer that the
        column's floats cannot hold.
        """
        self._check_open()
        if table.name not in self._layouts:
            raise BugError(f"`{table.name}` was written to before its shape was told")
        refuse_unknown(table, disposition)
        layout = self._layouts[table.name]
        told = Incoming(data, layout)  # refuses what does not fit
        kinds = {s.name: carried(from_arrow(data.schema.field(s.name).type), s.type) for s, _ in told.columns}
        checked = checked_batches(data, kinds, layout, table.name, self._keys_of(disposition))
        return self._spool.add(table.name, kinds, Batches(data.schema, checked))

    def keys(self, table: str, columns: Sequence[str]) -> Any:  # noqa: ARG002
        """A target cannot be asked. Raises: RefusedError, unless the table is new."""
        if table not in self._shapes and table not in self._layouts:
            return None
        raise RefusedError(
            f"the keys of `{table}` cannot be looked up: `{self._make_target().name}` only takes rows",
            hint="foreign keys need a destination that Penstock can read",
        )

    def clashes(self, table: str, columns: Sequence[str], keys: Any) -> Any:  # noqa: ARG002
        """None: what earlier loads brought cannot be asked, so keys are compared within a load alone."""
        import pyarrow as pa

        return pa.table({name: pa.array([], pa.string()) for name in columns})

    # --------------------------------------------------------------------------------- the end

    def forget(self, tables: Sequence[str] | None) -> None:
        """Have the target take away the rows of tables (None: all of the pipeline), with their ledger.

        Raises: RefusedError for a target that cannot; its tables are to be emptied by hand.
        """
        self._check_open()
        mine = [n for n, s in self._shapes.items() if s.pipeline == self._pipeline]
        gone = mine if tables is None else [n for n in mine if n in set(tables)]
        target = self._make_target()
        if gone and not target.activates:
            raise RefusedError(
                f"`{target.name}` cannot take rows away: it does not activate versions",
                found=", ".join(f"`{n}`" for n in gone),
                hint=f"empty these tables by hand and remove {self._where}; the next run loads all anew",
            )
        for name in gone:
            shape = self._shapes.pop(name)
            self._emptied[name] = shape.layout or ()
            self._layouts.pop(name, None)
        with explained(self._where):
            ledger.forget(self._con, self._pipeline, tables)

    def commit(self, commit: Commit) -> None:
        """Send everything, and note it once the target has acknowledged all of it.

        Raises: OutsideError when the target fails, UncertainError when it acknowledged less than it was
        sent; RefusedError when nothing was sent. The ledger is as it was.
        """
        self._check_open()
        with explained(self._where):
            ledger.refuse_loaded(self._con, commit.files, self._where)
            ledger.record(self._con, commit, self._new_shapes(commit))
        if self._layouts or self._emptied:
            self._send()
        self._open = False
        try:
            with explained(self._where):
                self._con.execute("COMMIT")
        except Exception:
            if not self._outcome(self._load_id):
                raise
        finally:
            self._spool.close()

    def rollback(self) -> None:
        """Undo everything of this load; after a commit nothing happens."""
        if self._open:
            self._open = False
            self._spool.close()
            with suppress(duckdb.TransactionException):  # a fatal error has ended the transaction already
                self._con.execute("ROLLBACK")

    def _send(self) -> None:
        target = self._make_target()
        version = int(time.time() * 1000) if target.activates else None
        layouts = {**self._emptied, **self._layouts}
        with Delivery(target, self._load_id) as delivery:
            for table, layout in layouts.items():
                self._send_table(delivery, target.stream(table), table, layout, version)
            delivery.mark(whole=True)
            delivery.finish()

    def _send_table(
        self, delivery: Delivery, stream: str, table: str, layout: Layout, version: int | None
    ) -> None:
        disposition = self._dispositions.get(table, Disposition())
        keys = [s for s in (find(layout, name) for name in self._keys_of(disposition)) if s is not None]
        delivery.send(schema_message(stream, layout, [s.stored_as for s in keys]))
        since = 0
        for batch, kinds in self._spool.read(table):
            for rows, data in record_lines(batch, kinds, layout, stream, version, self._load_id):
                delivery.send(data, stream, rows)
                since += rows
                if since >= _MARK_ROWS:
                    delivery.mark()
                    since = 0
        if version is not None and (disposition.replaces_all or table in self._emptied):
            delivery.send(version_message(stream, version))

    def _keys_of(self, disposition: Disposition) -> tuple[str, ...]:
        """The columns by which the target is to update rows."""
        merges = disposition.mode is WriteMode.MERGE and WriteMode.MERGE in self._make_target().writes
        return disposition.primary_key if merges else ()

    def _new_shapes(self, commit: Commit) -> list[Shape]:
        """The tables whose definition or layout is not the one in the ledger."""
        told: Mapping[str, Table] = self._tables | {t.name: t for t in commit.schemas}
        found = []
        for name, table in told.items():
            old = self._shapes.get(name)
            layout = self._layouts.get(name, old.layout if old else None)
            if old is None or old.table != table or old.layout != layout:
                changes = tuple(str(c) for c in commit.changes if c.table == name)
                version = old.version + 1 if old else 1
                at = commit.load.committed_at
                found.append(Shape(self._pipeline, table, version, layout, changes, self._load_id, at))
        return found

    def _check_open(self) -> None:
        if not self._open:
            raise BugError("this load has ended", where=self._where)
