"""Rows of a model between its query and its table: they wait in a DuckDB table and can be asked about."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from penstock.destinations.asked import answered, check_select
from penstock.destinations.columns import Layout, find, grow
from penstock.destinations.convert import ddl, quote
from penstock.destinations.duckdb_types import is_kept, is_native, kind_of, plain
from penstock.destinations.engine import explained, rows_of, table_of
from penstock.destinations.fitting import fitted
from penstock.destinations.staging import copy_in
from penstock.errors import BugError, RefusedError
from penstock.ledger import LOAD_ID
from penstock.ports import PLACE, STAGED, Batches
from penstock.schema.table import Column, Table
from penstock.schema.types import NULL, DataType, Kind, Scalar

_SHOWN = 80
_tables = count(1)


@dataclass(frozen=True, slots=True)
class Held:
    """A column of the rows held: what DuckDB says of it, and the type of ours that holds its values."""

    name: str
    native: Any  # Any: DuckDB's types are untyped
    kind: DataType


class HeldRows:
    """The rows of one build of a model.

    `con` is a DuckDB connection, in which they are the table `table` of their own name; `known` gives the
    names of the relations that a query can read. A column `_penstock_load_id` that a query gives is left
    out: it is that of another table.
    """

    def __init__(self, con: Any, model: str, where: str, known: Callable[[], Iterable[str]]) -> None:
        self.table = f"_penstock_stage_{next(_tables)}"
        self.columns: tuple[Held, ...] = ()
        self.rows = 0
        self._con = con
        self._model = model
        self._where = where
        self._known = known
        self._shown = False

    # ------------------------------------------------------------------------------ taking them in

    def take(self, name: str, sql: str) -> Table:
        """Run a query and hold its rows. Raises: RefusedError, with DuckDB's words."""
        self._refuse_twice()
        check_select(self._con, sql, self._model)
        with answered(self._model, self._known, above=1):
            self.rows = rows_of(self._con, f"CREATE TABLE {self.table} AS\n{sql}")[0][0]
        return self._looked_at(name)

    def take_rows(self, name: str, data: Batches) -> Table:
        """Hold rows that were made elsewhere; what the batches raise comes out as it is."""
        from penstock.destinations.incoming import Incoming  # brings Arrow, which queries do not need
        from penstock.schema.arrow import from_arrow

        self._refuse_twice()
        columns = tuple(Column(f.name, _typed(from_arrow(f.type))) for f in data.schema)
        layout = tuple(s for s in grow((), Table(name, columns)) if s.name != LOAD_ID)
        refuse_empty(self._model, layout, self._where)
        incoming = Incoming(data, layout)
        given = {stored.name: sql for stored, sql in incoming.columns}
        values = ", ".join(
            f"{given.get(s.name) or f'CAST(NULL AS {ddl(s.type)})'} AS {quote(s.stored_as)}" for s in layout
        )
        copy_in(self._con, f"CREATE TABLE {self.table} AS SELECT {values}", incoming, self._where)
        # no query of the model may find what this program has in its variables
        self._con.execute("SET python_enable_replacements = false")
        self.rows = incoming.rows
        return self._looked_at(name)

    def _refuse_twice(self) -> None:
        if self.columns:
            raise BugError("rows of a model were staged twice", where=self._model)

    def _looked_at(self, name: str) -> Table:
        """See which columns came, and bring those to another type that a file cannot keep."""
        with explained(self._where):
            found = columns_of(self._con, self.table)
            if any(column == LOAD_ID for column, _ in found):
                refuse_empty(self._model, [column for column, _ in found if column != LOAD_ID], self._where)
                self._con.execute(f"ALTER TABLE {self.table} DROP COLUMN {quote(LOAD_ID)}")
            held = held_columns(self._model, found)
            unkept = [h for h in held if not is_kept(h.native)]
            for h in unkept:
                using = plain(quote(h.name), h.native, h.kind)
                change = f"ALTER COLUMN {quote(h.name)} TYPE {ddl(h.kind)} USING {using}"
                self._con.execute(f"ALTER TABLE {self.table} {change}")
            if unkept:
                natives = dict(columns_of(self._con, self.table))
                held = tuple(Held(h.name, natives[h.name], h.kind) for h in held)
        self.columns = held
        return shape_of(name, held)

    # --------------------------------------------------------------------------- asking about them

    def query(self, sql: str) -> Any:
        """The answer of a query, which may read `STAGED`, as an Arrow table. Raises: RefusedError."""
        check_select(self._con, sql, self._model)
        with answered(self._model, self._known):
            self._show(sql)
            return table_of(self._con, sql)

    def remove(self, condition: str) -> int:
        """Let go of the rows for which a condition is true; returns how many they were."""
        check_select(self._con, f"SELECT (\n{condition}\n)", self._model)
        named = PLACE in condition.lower()
        some = f"rowid IN (SELECT {PLACE} FROM {STAGED} WHERE (" if named else "(("
        with answered(self._model, self._known, above=1):
            self._show(STAGED if named else condition)
            gone: int = rows_of(self._con, f"DELETE FROM {self.table} WHERE {some}\n{condition}\n))")[0][0]
        self.rows -= gone
        return gone

    def _show(self, sql: str) -> None:
        if not self._shown and self.columns and STAGED in sql.lower():
            rows = f"SELECT *, rowid AS {PLACE} FROM {self.table}"
            self._con.execute(f"CREATE TEMP VIEW {STAGED} AS {rows}")
            self._shown = True

    def hide(self) -> None:
        """Let `STAGED` be no relation any more."""
        if self._shown:
            self._con.execute(f"DROP VIEW {STAGED}")
            self._shown = False

    # --------------------------------------------------------------------------------- fitting them

    @property
    def as_they_are(self) -> Mapping[str, str]:
        """An expression for every column that leaves it as it is."""
        return {h.name: quote(h.name) for h in self.columns}

    def fitting(self, table: Table, *, native: bool, known: Layout = ()) -> dict[str, str]:
        """An expression for every column of `table` that these rows have, with that column's type.

        With `native` DuckDB's own types stay where the project declares none; `known` are the columns that
        the rows of earlier builds have.
        Raises: RefusedError for a column that neither they nor these rows have, and for a value that does
        not fit.
        """
        held, values = {h.name: h for h in self.columns}, {}
        checks: dict[str, str] = {}
        for column in table.columns:
            h = held.get(column.name)
            if column.type == NULL or (h is None and find(known, column.name) is not None):
                continue
            if h is None:
                raise self._missing(column.name)
            x = quote(h.name)
            if h.kind != column.type or ((column.declared or not native) and not is_native(h.native, h.kind)):
                x = plain(x, h.native, h.kind)
            values[column.name], condition = fitted(x, h.kind, column.type)
            if condition:
                checks[column.name] = condition
        self._refuse_misfits(table, checks)
        return values

    def _missing(self, column: str) -> RefusedError:
        return RefusedError(
            f"`{self._model}` gives no column `{column}`",
            where=self._where,
            found="columns " + ", ".join(f"`{h.name}`" for h in self.columns),
            hint="give it in the query, or take it out of the model's columns",
        )

    def _refuse_misfits(self, table: Table, checks: Mapping[str, str]) -> None:
        """One look at the rows for all columns that may not fit."""
        if not checks:
            return
        asked = ", ".join(
            f"count_if({condition}), any_value(CAST({quote(name)} AS VARCHAR)) FILTER ({condition})"
            for name, condition in checks.items()
        )
        told = rows_of(self._con, f"SELECT {asked} FROM {self.table}")[0]
        kinds = {h.name: h.kind for h in self.columns}
        for i, name in enumerate(checks):
            rows, value, column = told[2 * i], told[2 * i + 1], table.column(name)
            if rows and column is not None:
                raise RefusedError(
                    f"`{self._model}.{name}` is {kinds[name]}, and not all of it fits {column.type}",
                    where=self._where,
                    found=f"{rows:,} rows, such as {value[:_SHOWN]!r}",
                    hint="cast it in the query, or declare another type",
                )


def columns_of(con: Any, table: str) -> list[tuple[str, Any]]:
    """The columns of a table or view, each with its DuckDB type."""
    rows = con.table(quote(table))
    return list(zip(rows.columns, rows.types, strict=True))


def held_columns(model: str, found: Iterable[tuple[str, Any]]) -> tuple[Held, ...]:
    """Columns with the types of ours that hold their values, without that of loads.

    Raises: RefusedError for a type that no table can keep.
    """
    held = []
    for name, native in found:
        kind = kind_of(native)
        if kind is None:
            raise RefusedError(
                f"`{model}.{name}` is of a type that no table can keep for every reader",
                found=str(native),
                hint="cast it in the query, to VARCHAR for example",
            )
        if name != LOAD_ID:
            held.append(Held(name, native, kind))
    return tuple(held)


def shape_of(name: str, columns: Iterable[Held]) -> Table:
    """Columns as a table."""
    return Table(name, tuple(Column(h.name, h.kind) for h in columns))


def refuse_empty(model: str, columns: Collection[object], where: str) -> None:
    """Refuse a model without columns. Raises: RefusedError."""
    if not columns:
        raise RefusedError(f"`{model}` has no columns", where=where, hint="a table needs at least one")


def _typed(kind: DataType) -> DataType:
    """What is only known to be null is an integer, as in SQL."""
    return Scalar(Kind.INT32) if kind == NULL else kind
