"""One model in the making in a DuckDB file: its query runs once, and its rows are then renamed into place.

A table that every build makes anew has the types that DuckDB gave its query, but for columns that the
project declares. One that keeps rows of earlier builds has those that tables of pipelines have, and the
column `_penstock_load_id`, which says by which build a row came.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import duckdb

from penstock.destinations import duckdb_models as models
from penstock.destinations.altering import altered, lost
from penstock.destinations.asked import answered, check_select
from penstock.destinations.columns import ORDINAL, Layout, Stored, grow, lossy
from penstock.destinations.convert import convert, ddl, literal, quote
from penstock.destinations.duckdb_merge import Merges
from penstock.destinations.duckdb_types import is_native
from penstock.destinations.engine import explained, rows_of
from penstock.destinations.held_rows import HeldRows, columns_of, held_columns, refuse_empty, shape_of
from penstock.destinations.merging.choice import is_merged, versioned
from penstock.destinations.merging.refusals import refuse_nonsense, refuse_unknown
from penstock.destinations.merging.upsert import graves_of
from penstock.errors import BugError
from penstock.ledger import LOAD_ID, Built
from penstock.ports import Batches
from penstock.schema.disposition import Disposition, Strategy, WriteMode
from penstock.schema.table import Table
from penstock.schema.types import NULL


@dataclass(frozen=True, slots=True)
class Site:
    """Where a model is built.

    `relations` says what there is by name (TABLE or VIEW), `before` is the last build of this model.
    `outcome` is asked when COMMIT fails: whether the build is in the file after all. `ended` takes the
    connection back, and what the build left: relations by name, and its ledger row; nothing if it failed.
    """

    con: Any  # Any: a DuckDB connection of its own, which is untyped
    where: str
    relations: Mapping[str, str]
    before: Built | None
    outcome: Callable[[Any, str, str], bool]
    ended: Callable[[Any, Mapping[str, str], Built | None], None]


class DuckDBBuild:
    """A model in the making, in one transaction on a connection of its own."""

    def __init__(self, site: Site, model: str, build_id: str) -> None:
        self._site = site
        self._con = site.con
        self._model = model
        self._build_id = build_id
        self._held = HeldRows(site.con, model, site.where, self._known)
        self._kind = site.relations.get(model)
        self._made: dict[str, str] = {}
        self._open = True
        self._begun = False

    def _known(self) -> tuple[str, ...]:
        return tuple(self._site.relations)

    # ------------------------------------------------------------------------------- the rows held

    def stage(self, table: str, sql: str) -> Table:
        """Run a query and hold its rows. Raises: RefusedError, with DuckDB's words."""
        self._begin()
        return self._held.take(table, sql)

    def stage_rows(self, table: str, data: Batches) -> Table:
        """Hold rows that were made elsewhere."""
        self._begin()
        return self._held.take_rows(table, data)

    def query(self, sql: str) -> Any:
        """Ask of the rows held and of every table. Raises: RefusedError, which ends the build."""
        self._begin()
        return self._held.query(sql)

    def remove(self, condition: str) -> int:
        """Let go of the held rows for which a condition is true; returns how many they were."""
        self._begin()
        return self._held.remove(condition)

    def _begin(self) -> None:
        """Everything of a build sees the file as it was at its first question."""
        self._check_open()
        if not self._begun:
            with explained(self._site.where):
                self._con.execute("BEGIN TRANSACTION")
            self._begun = True

    # -------------------------------------------------------------------------------- into place

    def put(self, table: Table, disposition: Disposition, *, anew: bool = False) -> int:
        """Make the held rows the model's; returns how many they are. Raises: RefusedError."""
        self._check_open()
        if not self._held.columns:
            raise BugError("a model was put before its rows were staged", where=self._model)
        refuse_nonsense(table, disposition)
        with explained(self._site.where):
            self._held.hide()
            if disposition.mode is WriteMode.REPLACE and not disposition.overwrite:
                self._make(table)
            else:
                refuse_unknown(table, disposition)
                self._meet(table, disposition, None if anew else self._stored())
        self._made[self._model] = "TABLE"
        return self._held.rows

    def _make(self, table: Table) -> None:
        """Take the place of what was there; rows that are as they should be are not written again."""
        values = self._held.fitting(table, native=True)
        stage = self._held.table
        if list(values.items()) != list(self._held.as_they_are.items()):
            rows = f"SELECT {_named(values)} FROM {stage}"
            stage = f"{stage}_fitted"
            self._con.execute(f"CREATE TABLE {stage} AS {rows}")
            self._con.execute(f"DROP TABLE {self._held.table}")
        self._drop_old()
        self._con.execute(f"ALTER TABLE {stage} RENAME TO {quote(self._model)}")

    def _drop_old(self) -> None:
        if self._kind is not None:
            self._con.execute(f"DROP {self._kind} {quote(self._model)}")
        if graves_of(self._model) in self._site.relations:
            self._con.execute(f"DROP TABLE IF EXISTS {quote(graves_of(self._model))}")

    # --------------------------------------------------------------------- rows of earlier builds

    def _meet(self, table: Table, disposition: Disposition, before: Layout | None) -> None:
        """Let the rows meet those of earlier builds, which lie as `before` (None: there are none)."""
        given = self._held.fitting(table, native=False, known=before or ())
        after = versioned(grow(before or (), table), disposition)
        merges = Merges(self._con, self._build_id, lambda _: None)
        if before is None:
            self._create(after)
        elif before != after:
            self._grow(merges, before, after)
        came = tuple(s for s in after if s.name in given)
        kinds = {c.name: c.type for c in table.columns}
        # a column of earlier builds may be wider than what is asked for
        values = {
            s.stored_as: convert(given[s.name], kinds[s.name], s.type)
            if kinds[s.name] != s.type
            else given[s.name]
            for s in came
        }
        stage, cells = self._held.table, _named(values)
        if is_merged(disposition):
            rows = f"SELECT {cells}, rowid AS {ORDINAL} FROM {stage}"
            merges.take(self._model, after, disposition, rows, came)
            merges.merge(self._model, after)
            merges.close()
            if disposition.strategy is Strategy.CDC:
                self._made[graves_of(self._model)] = "TABLE"
        else:
            columns = ", ".join(quote(c) for c in (*values, LOAD_ID))
            rows = f"SELECT {cells}, {literal(self._build_id)} FROM {stage}"
            self._con.execute(f"INSERT INTO {quote(self._model)} ({columns}) {rows}")
        self._con.execute(f"DROP TABLE {stage}")

    def _grow(self, merges: Merges, before: Layout, after: Layout) -> None:
        table = quote(self._model)
        for stored, condition in lost(before, after):
            if rows_of(self._con, f"SELECT 1 FROM {table} WHERE {condition} LIMIT 1"):
                raise lossy(self._model, stored)
        for sql in altered(table, before, after):
            self._con.execute(sql)
        merges.grown(self._model, before, after)

    def _stored(self) -> Layout | None:
        """How the table of earlier builds lies; None: there is none, or a view."""
        if self._kind != "TABLE":
            return None
        found = columns_of(self._con, self._model)
        told = self._site.before.table if self._site.before is not None else None
        layout = []
        for held in held_columns(self._model, found):
            column = told.column(held.name) if told is not None else None
            known = column is not None and column.type != NULL and is_native(held.native, column.type)
            layout.append(Stored(held.name, held.name, column.type if column and known else held.kind))
        if all(name != LOAD_ID for name, _ in found):
            self._tag()
        return tuple(layout)

    def _tag(self) -> None:
        """Say of the rows of a table that was made anew by which build they came."""
        by = self._site.before.build_id if self._site.before is not None else ""
        table, column = quote(self._model), quote(LOAD_ID)
        self._con.execute(f"ALTER TABLE {table} ADD COLUMN {column} VARCHAR DEFAULT {literal(by)}")
        self._con.execute(f"ALTER TABLE {table} ALTER COLUMN {column} DROP DEFAULT")

    def _create(self, layout: Layout) -> None:
        self._drop_old()
        columns = "".join(f"{quote(s.stored_as)} {ddl(s.type)}, " for s in layout)
        self._con.execute(f"CREATE TABLE {quote(self._model)} ({columns}{quote(LOAD_ID)} VARCHAR)")

    # ------------------------------------------------------------------------------------ views

    def view(self, table: str, sql: str) -> Table:
        """Make the model a view. Raises: RefusedError, with DuckDB's words."""
        self._begin()
        check_select(self._con, sql, self._model)
        with explained(self._site.where):
            self._drop_old()
        with answered(self._model, self._known, above=1):
            self._con.execute(f"CREATE VIEW {quote(self._model)} AS\n{sql}")
            found = columns_of(self._con, self._model)
        held = held_columns(self._model, found)
        refuse_empty(self._model, held, self._site.where)
        if len(held) < len(found):
            rows = f"SELECT * EXCLUDE ({quote(LOAD_ID)}) FROM (\n{sql}\n)"
            with explained(self._site.where):
                self._con.execute(f"CREATE OR REPLACE VIEW {quote(self._model)} AS {rows}")
        self._made[self._model] = "VIEW"
        return shape_of(table, held)

    # ---------------------------------------------------------------------------------- the end

    def commit(self, built: Built) -> None:
        """Make it all true. Raises: UncertainError; OutsideError or RefusedError if nothing happened."""
        self._check_open()
        if not self._made:
            raise BugError("a build was committed before anything was built", where=self._model)
        with explained(self._site.where):
            models.record(self._con, built)
        self._open = False
        try:
            with explained(self._site.where):
                self._con.execute("COMMIT")
        except Exception:
            found = False
            try:
                found = self._site.outcome(self._con, self._model, self._build_id)
            finally:
                if not found:
                    self._site.ended(self._con, {}, None)
            if not found:
                raise
        self._site.ended(self._con, self._made, built)

    def rollback(self) -> None:
        """Undo everything of this build; after a commit nothing happens."""
        if self._open:
            self._open = False
            with suppress(duckdb.Error):  # nothing was begun, or a fatal error has ended it already
                self._con.execute("ROLLBACK")
            self._site.ended(self._con, {}, None)

    def _check_open(self) -> None:
        if not self._open:
            raise BugError("this build has ended", where=self._model)


def _named(values: Mapping[str, str]) -> str:
    return ", ".join(f"{sql} AS {quote(name)}" for name, sql in values.items())
