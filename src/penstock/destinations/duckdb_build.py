"""One model in the making in a DuckDB file: its query runs once, and its rows are then renamed into place.

A table that every build makes anew has the types that DuckDB gave its query, but for columns that the
project declares. One that keeps rows of earlier builds has those that tables of pipelines have, and the
column `_penstock_load_id`, which says by which build a row came. A column of that name that a query gives
is left out: it is that of another table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any

import duckdb

from penstock.destinations import duckdb_models as models
from penstock.destinations.altering import altered, lost
from penstock.destinations.asked import answered, check_select
from penstock.destinations.columns import Layout, Stored, find, grow, lossy
from penstock.destinations.convert import convert, ddl, literal, quote
from penstock.destinations.duckdb_merge import Merges
from penstock.destinations.duckdb_types import is_kept, is_native, kind_of, plain
from penstock.destinations.engine import explained, rows_of, table_of
from penstock.destinations.fitting import fitted
from penstock.destinations.incoming import Incoming
from penstock.destinations.merging.choice import is_merged, versioned
from penstock.destinations.merging.refusals import refuse_nonsense, refuse_unknown
from penstock.destinations.merging.upsert import graves_of
from penstock.destinations.staging import copy_in
from penstock.errors import BugError, RefusedError
from penstock.ledger import LOAD_ID, Built
from penstock.ports import PLACE, STAGED, Batches
from penstock.schema.arrow import from_arrow
from penstock.schema.disposition import Disposition, WriteMode
from penstock.schema.table import Column, Table
from penstock.schema.types import NULL, DataType, Kind, Scalar

_SHOWN = 80
_stages = count(1)


@dataclass(frozen=True, slots=True)
class Site:
    """Where a model is built.

    `relations` says what there is by name (TABLE or VIEW), `before` is the last build of this model.
    `outcome` is asked when COMMIT fails: whether the build is in the file after all. `ended` takes the
    connection back, and what the build left: TABLE, VIEW or None if it changed nothing.
    """

    con: Any  # Any: a DuckDB connection of its own, which is untyped
    where: str
    relations: Mapping[str, str]
    before: Built | None
    outcome: Callable[[Any, str, str], bool]
    ended: Callable[[Any, str, str | None, Built | None], None]


@dataclass(frozen=True, slots=True)
class _Held:
    """A column of the rows held: what DuckDB says of it, and the type of ours that holds its values."""

    name: str
    native: Any
    kind: DataType


class DuckDBBuild:
    """A model in the making, in one transaction on a connection of its own."""

    def __init__(self, site: Site, model: str, build_id: str) -> None:
        self._site = site
        self._con = site.con
        self._model = model
        self._build_id = build_id
        self._stage = f"_penstock_stage_{next(_stages)}"
        self._held: tuple[_Held, ...] = ()
        self._rows = 0
        self._shown = False
        self._made: str | None = None
        self._open = True
        self._kind = site.relations.get(model)

    # ------------------------------------------------------------------------------- the rows held

    def stage(self, table: str, sql: str) -> Table:
        """Run a query and hold its rows. Raises: RefusedError, with DuckDB's words."""
        self._check_open()
        check_select(self._con, sql, self._model)
        with self._answered(above=1):
            self._begin()
            self._rows = rows_of(self._con, f"CREATE TABLE {self._stage} AS\n{sql}")[0][0]
            self._look()
        return self._shape(table)

    def stage_rows(self, table: str, data: Batches) -> Table:
        """Hold rows that were made elsewhere."""
        self._check_open()
        columns = tuple(Column(f.name, _known(from_arrow(f.type))) for f in data.schema)
        layout = tuple(s for s in grow((), Table(table, columns)) if s.name != LOAD_ID)
        incoming = Incoming(data, layout)
        given = {stored.name: sql for stored, sql in incoming.columns}
        values = ", ".join(
            f"{given.get(s.name) or f'CAST(NULL AS {ddl(s.type)})'} AS {quote(s.stored_as)}" for s in layout
        )
        self._refuse_empty(layout)
        with explained(self._site.where):
            self._begin()
        copy_in(self._con, f"CREATE TABLE {self._stage} AS SELECT {values}", incoming, self._site.where)
        with explained(self._site.where):
            # no query of the model may find what this program has in its variables
            self._con.execute("SET python_enable_replacements = false")
            self._look()
        self._rows = incoming.rows
        return self._shape(table)

    def _begin(self) -> None:
        if self._held:
            raise BugError("rows of a model were staged twice", where=self._model)
        self._con.execute("BEGIN TRANSACTION")

    def _look(self) -> None:
        """See which columns came, and bring those to another type that the file cannot keep."""
        found = _columns(self._con, self._stage)
        if any(name == LOAD_ID for name, _ in found):
            self._refuse_empty([name for name, _ in found if name != LOAD_ID])
            self._con.execute(f"ALTER TABLE {self._stage} DROP COLUMN {quote(LOAD_ID)}")
        held = [_held(self._model, name, native) for name, native in found if name != LOAD_ID]
        unkept = [h for h in held if not is_kept(h.native)]
        for h in unkept:
            using = plain(quote(h.name), h.native, h.kind)
            change = f"ALTER COLUMN {quote(h.name)} TYPE {ddl(h.kind)} USING {using}"
            self._con.execute(f"ALTER TABLE {self._stage} {change}")
        if unkept:
            natives = dict(_columns(self._con, self._stage))
            held = [_Held(h.name, natives[h.name], h.kind) for h in held]
        self._held = tuple(held)

    def _refuse_empty(self, columns: object) -> None:
        if not columns:
            raise RefusedError(
                f"`{self._model}` has no columns",
                where=self._site.where,
                hint="a table needs at least one column",
            )

    def _shape(self, table: str) -> Table:
        return Table(table, tuple(Column(h.name, h.kind) for h in self._held))

    def query(self, sql: str) -> Any:
        """Ask of the rows held and of every table. Raises: RefusedError, which ends the build."""
        self._check_open()
        check_select(self._con, sql, self._model)
        with self._answered():
            self._show(sql)
            return table_of(self._con, sql)

    def remove(self, condition: str) -> int:
        """Let go of the held rows for which a condition is true; returns how many they were."""
        self._check_open()
        check_select(self._con, f"SELECT (\n{condition}\n)", self._model)
        with self._answered(above=1):
            self._show(condition)
            where = f"(\n{condition}\n)"
            if PLACE in condition.lower():
                self._show(STAGED)
                where = f"rowid IN (SELECT {PLACE} FROM {STAGED} WHERE {where})"
            gone: int = rows_of(self._con, f"DELETE FROM {self._stage} WHERE {where}")[0][0]
        self._rows -= gone
        return gone

    def _show(self, sql: str) -> None:
        if not self._shown and STAGED in sql.lower():
            self._con.execute(f"CREATE TEMP VIEW {STAGED} AS SELECT *, rowid AS {PLACE} FROM {self._stage}")
            self._shown = True

    # -------------------------------------------------------------------------------- into place

    def put(self, table: Table, disposition: Disposition, *, anew: bool = False) -> int:
        """Make the held rows the model's; returns how many they are. Raises: RefusedError."""
        self._check_open()
        if not self._held:
            raise BugError("a model was put before its rows were staged", where=self._model)
        refuse_nonsense(table, disposition)
        whole = disposition.mode is WriteMode.REPLACE and not disposition.overwrite
        with explained(self._site.where):
            if self._shown:
                self._con.execute(f"DROP VIEW {STAGED}")
            if anew and not whole:
                self._drop_old()
                self._kind = None
            if whole:
                self._make(table)
            else:
                refuse_unknown(table, disposition)
                self._meet(table, disposition)
        self._made = "TABLE"
        return self._rows

    def _make(self, table: Table) -> None:
        """Take the place of what was there; rows that are as they should be are not written again."""
        values = self._values(table, anew=True)
        stage = self._stage
        if list(values.items()) != [(h.name, quote(h.name)) for h in self._held]:
            stage = f"{self._stage}_fitted"
            named = ", ".join(f"{sql} AS {quote(name)}" for name, sql in values.items())
            self._con.execute(f"CREATE TABLE {stage} AS SELECT {named} FROM {self._stage}")
            self._con.execute(f"DROP TABLE {self._stage}")
        self._drop_old()
        self._con.execute(f"ALTER TABLE {stage} RENAME TO {quote(self._model)}")

    def _drop_old(self) -> None:
        if self._kind is not None:
            self._con.execute(f"DROP {self._kind} {quote(self._model)}")
        if graves_of(self._model) in self._site.relations:
            self._con.execute(f"DROP TABLE IF EXISTS {quote(graves_of(self._model))}")

    def _values(self, table: Table, *, anew: bool, known: Layout = ()) -> dict[str, str]:
        """An expression for every column of `table` that the rows held have.

        Raises: RefusedError for a column that neither they nor the table have, and for a value that does
        not fit.
        """
        held, values, checks = {h.name: h for h in self._held}, {}, {}
        for column in table.columns:
            h = held.get(column.name)
            if column.type == NULL or (h is None and find(known, column.name) is not None):
                continue
            if h is None:
                raise self._missing(column.name)
            x = quote(h.name)
            if h.kind != column.type or ((column.declared or not anew) and not is_native(h.native, h.kind)):
                x = plain(x, h.native, h.kind)
            values[column.name], condition = fitted(x, h.kind, column.type)
            if condition:
                checks[column] = condition
        self._refuse_misfits(checks)
        return values

    def _missing(self, column: str) -> RefusedError:
        return RefusedError(
            f"`{self._model}` gives no column `{column}`",
            where=self._site.where,
            found="columns " + ", ".join(f"`{h.name}`" for h in self._held),
            hint="give it in the query, or take it out of the model's columns",
        )

    def _refuse_misfits(self, checks: Mapping[Column, str]) -> None:
        """One look at the rows for all columns that may not fit."""
        if not checks:
            return
        asked = ", ".join(
            f"count_if({condition}), any_value(CAST({quote(c.name)} AS VARCHAR)) FILTER ({condition})"
            for c, condition in checks.items()
        )
        told = rows_of(self._con, f"SELECT {asked} FROM {self._stage}")[0]
        for i, column in enumerate(checks):
            rows, value = told[2 * i], told[2 * i + 1]
            if rows:
                kind = next(h.kind for h in self._held if h.name == column.name)
                raise RefusedError(
                    f"`{self._model}.{column.name}` is {kind}, and not all of it fits {column.type}",
                    where=self._site.where,
                    found=f"{rows:,} rows, such as {value[:_SHOWN]!r}",
                    hint="cast it in the query, or declare another type",
                )

    # --------------------------------------------------------------------- rows of earlier builds

    def _meet(self, table: Table, disposition: Disposition) -> None:
        """Let the rows meet those of earlier builds."""
        name, before = self._model, self._stored()
        given = self._values(table, anew=False, known=before or ())
        after = versioned(grow(before or (), table), disposition)
        merges = Merges(self._con, self._build_id, lambda _: None)
        if before is None:
            self._create(after)
        elif before != after:
            for stored, condition in lost(before, after):
                if rows_of(self._con, f"SELECT 1 FROM {quote(name)} WHERE {condition} LIMIT 1"):
                    raise lossy(name, stored)
            for sql in altered(quote(name), before, after):
                self._con.execute(sql)
            merges.grown(name, before, after)
        came = tuple(s for s in after if s.name in given)
        kinds = {c.name: c.type for c in table.columns}
        values = {s.stored_as: _widened(given[s.name], kinds[s.name], s.type) for s in came}
        named = ", ".join(f"{sql} AS {quote(column)}" for column, sql in values.items())
        if is_merged(disposition):
            merges.take(name, after, disposition, f"SELECT {named} FROM {self._stage}", came)
            merges.merge(name, after)
            merges.close()
        else:
            columns = ", ".join([*(quote(c) for c in values), quote(LOAD_ID)])
            rows = f"SELECT {', '.join(values.values())}, {literal(self._build_id)} FROM {self._stage}"
            self._con.execute(f"INSERT INTO {quote(name)} ({columns}) {rows}")
        self._con.execute(f"DROP TABLE {self._stage}")

    def _stored(self) -> Layout | None:
        """How the table of earlier builds lies; None: there is none, or a view."""
        if self._kind != "TABLE":
            return None
        found = _columns(self._con, self._model)
        told = self._site.before.table if self._site.before is not None else None
        layout = []
        for name, native in found:
            column = told.column(name) if told is not None else None
            if column is not None and column.type != NULL and is_native(native, column.type):
                layout.append(Stored(name, name, column.type))
            elif name != LOAD_ID:
                layout.append(Stored(name, name, _held(self._model, name, native).kind))
        if all(name != LOAD_ID for name, _ in found):
            by = self._site.before.build_id if self._site.before is not None else ""
            table, column_name = quote(self._model), quote(LOAD_ID)
            added = f"ADD COLUMN {column_name} VARCHAR DEFAULT {literal(by)}"
            self._con.execute(f"ALTER TABLE {table} {added}")
            self._con.execute(f"ALTER TABLE {table} ALTER COLUMN {column_name} DROP DEFAULT")
        return tuple(layout)

    def _create(self, layout: Layout) -> None:
        self._drop_old()
        columns = "".join(f"{quote(s.stored_as)} {ddl(s.type)}, " for s in layout)
        self._con.execute(f"CREATE TABLE {quote(self._model)} ({columns}{quote(LOAD_ID)} VARCHAR)")

    # ------------------------------------------------------------------------------------ views

    def view(self, table: str, sql: str) -> Table:
        """Make the model a view. Raises: RefusedError, with DuckDB's words."""
        self._check_open()
        check_select(self._con, sql, self._model)
        with self._answered(above=1):
            self._begin()
            self._drop_old()
            self._con.execute(f"CREATE VIEW {quote(self._model)} AS\n{sql}")
            found = _columns(self._con, self._model)
            if any(name == LOAD_ID for name, _ in found):
                found = [(name, native) for name, native in found if name != LOAD_ID]
                self._refuse_empty(found)
                rows = f"SELECT * EXCLUDE ({quote(LOAD_ID)}) FROM (\n{sql}\n)"
                self._con.execute(f"CREATE OR REPLACE VIEW {quote(self._model)} AS {rows}")
        self._held = tuple(_held(self._model, name, native) for name, native in found)
        self._made = "VIEW"
        return self._shape(table)

    # ---------------------------------------------------------------------------------- the end

    def commit(self, built: Built) -> None:
        """Make it all true. Raises: UncertainError; OutsideError or RefusedError if nothing happened."""
        self._check_open()
        if self._made is None:
            raise BugError("a build was committed before anything was built", where=self._model)
        try:
            with explained(self._site.where):
                models.record(self._con, built)
        except Exception:
            self.rollback()
            raise
        self._open = False
        try:
            with explained(self._site.where):
                self._con.execute("COMMIT")
        except Exception:
            if not self._site.outcome(self._con, self._model, self._build_id):
                self._site.ended(self._con, self._model, None, None)
                raise
        self._site.ended(self._con, self._model, self._made, built)

    def rollback(self) -> None:
        """Undo everything of this build; after a commit nothing happens."""
        if self._open:
            self._open = False
            with suppress(duckdb.Error):  # nothing was begun, or a fatal error has ended it already
                self._con.execute("ROLLBACK")
            self._site.ended(self._con, self._model, None, None)

    def _answered(self, above: int = 0) -> Any:
        return answered(self._model, lambda: tuple(self._site.relations), above)

    def _check_open(self) -> None:
        if not self._open:
            raise BugError("this build has ended", where=self._model)


def _columns(con: Any, table: str) -> list[tuple[str, Any]]:
    """The columns of a table or view, each with its DuckDB type."""
    rows = con.table(quote(table))
    return list(zip(rows.columns, rows.types, strict=True))


def _held(model: str, name: str, native: Any) -> _Held:
    kind = kind_of(native)
    if kind is None:
        raise RefusedError(
            f"`{model}.{name}` is of a type that no table can keep for every reader",
            found=str(native),
            hint="cast it in the query, to VARCHAR for example",
        )
    return _Held(name, native, kind)


def _known(kind: DataType) -> DataType:
    """What is only known to be null is an integer, as in SQL."""
    return Scalar(Kind.INT32) if kind == NULL else kind


def _widened(x: str, before: DataType, after: DataType) -> str:
    return x if before == after else convert(x, before, after)
