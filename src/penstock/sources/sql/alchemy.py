"""Any database that SQLAlchemy speaks to: slower, because every value passes through Python."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal as Exact
from pathlib import Path
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy import types as st
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SAWarning, SQLAlchemyError

from penstock.errors import MissingPartError, PenstockError, ProjectError
from penstock.schema import types as t
from penstock.schema.arrow import to_arrow
from penstock.schema.types import DataType, Decimal
from penstock.sources.sql import faults
from penstock.sources.sql.address import Address
from penstock.sources.sql.dynamic import Pace
from penstock.sources.sql.literals import number_or_text, text
from penstock.sources.sql.relation import Field, Found, How, Query, Reference, Relation

# Any throughout: a value has whatever type the driver gives it


class AlchemyServer:
    """A connection by a dialect of SQLAlchemy, one transaction long, isolated as the server does unasked."""

    def __init__(self, address: Address, root: Path, *, snapshot: bool = True) -> None:
        del root, snapshot
        self.address = address
        try:
            engine = sa.create_engine(address.url, poolclass=sa.NullPool)
            self._connection = engine.connect().execution_options(stream_results=True)
        except (NoSuchModuleError, ModuleNotFoundError) as error:
            raise MissingPartError(
                f"SQLAlchemy has no dialect or driver for `{address.shown.partition(':')[0]}`",
                found=address.redact(str(error)),
                hint="install the package of the dialect, and name it as `dialect+driver://`",
            ) from error
        except ArgumentError as error:
            raise ProjectError(
                "the `url` of a SQL database is none", where=address.shown, found=address.redact(str(error))
            ) from error
        except SQLAlchemyError as error:
            raise faults.unreachable(address, _said(error)) from error
        self._dialect = self._connection.dialect
        self._inspector = sa.inspect(self._connection)

    def relations(self, schemas: Sequence[str]) -> Found:
        """The tables and views of some schemas."""
        with self._telling("the list of tables"):
            current = self._inspector.default_schema_name or ""
            found = []
            for schema in schemas or (current,):
                known = schema or current
                views = self._inspector.get_view_names(known or None)
                names = (*self._inspector.get_table_names(known or None), *views)
                found += [self._relation(known, name, name in views) for name in names]
        return Found(tuple(found), current)

    def describe(self, name: str, query: str) -> Relation:
        """A query as a relation. Its columns have no types here: they are those of the values, as text."""
        with self._telling(name, own_sql=True):
            found = self._execute(f"SELECT * FROM ({query}\n) src WHERE 1 = 0")
            fields = tuple(
                Field(column, t.NULL, "any", self.quote(column), How.SEEN)
                for column in found.keys()  # noqa: SIM118
            )
            found.close()
        return Relation("", name, f"({query}\n)", fields)

    def read_as(self, found: Field, kind: DataType) -> Field:
        """Read what the driver gives, as text, then as what is wanted."""
        return Field(
            found.name, kind, found.native, found.sql, How.TEXT, found.nullable, found.comment,
            ordered=t.is_numeric(kind),
        )  # fmt: skip

    def quote(self, name: str) -> str:
        """An identifier in the dialect's quotes."""
        return str(self._dialect.identifier_preparer.quote_identifier(name))

    def literal(self, value: object) -> str:
        """A literal in the dialect's own words."""
        if isinstance(value, str):
            backslashes = self._dialect.name in ("mysql", "mariadb")
            return text(value.replace("\\", "\\\\") if backslashes else value)
        try:
            return number_or_text(value)
        except TypeError:
            said = sa.literal(value).compile(dialect=self._dialect, compile_kwargs={"literal_binds": True})
            return str(said)

    def batches(self, query: Query) -> Iterator[pa.RecordBatch]:
        """Chunks of rows."""
        with self._telling(query.table, query.own_sql):
            found = self._execute(query.sql)
            names, pace = [f.name for f in query.fields], Pace(query.rows)
            while chunk := found.fetchmany(pace.rows):
                columns = zip(query.fields, zip(*chunk, strict=True), strict=True)
                arrays = [_array(query.table, f, values) for f, values in columns]
                yield pace.after(pa.RecordBatch.from_arrays(arrays, names=names))

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    # ------------------------------------------------------------------------------------- inside

    def _execute(self, sql: str) -> sa.CursorResult[Any]:
        return self._connection.execute(sa.text(sql.replace(":", r"\:")))

    def _relation(self, schema: str, name: str, is_view: bool) -> Relation:
        where = schema or None
        key = self._inspector.get_pk_constraint(name, where)["constrained_columns"]
        try:
            comment = self._inspector.get_table_comment(name, where)["text"]
        except NotImplementedError:  # the dialect knows no comments
            comment = None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SAWarning)  # a type without a name here is read as text
            columns = self._inspector.get_columns(name, where)
        fields = tuple(self._field(column, column["name"] in key) for column in columns)
        references = tuple(
            Reference(tuple(f["constrained_columns"]), f["referred_table"], tuple(f["referred_columns"]))
            for f in ([] if is_view else self._inspector.get_foreign_keys(name, where))
        )
        sql = f"{self.quote(schema)}.{self.quote(name)}" if schema else self.quote(name)
        return Relation(schema, name, sql, fields, tuple(key), comment, is_view, references)

    def _field(self, column: Any, in_key: bool) -> Field:
        kind, how, printed = _kind(column["type"])
        is_text = isinstance(column["type"], st.String)
        sql = self.quote(column["name"])
        if printed:
            sql = str(sa.cast(sa.literal_column(sql), sa.Text).compile(dialect=self._dialect))
        return Field(
            column["name"],
            kind,
            str(column["type"]),
            sql,
            how,
            bool(column["nullable"]) and not in_key,
            column.get("comment"),
            ordered=is_text or t.is_numeric(kind) or kind in (t.DATE, t.TIMESTAMP, t.TIMESTAMP_TZ),
        )

    @contextmanager
    def _telling(self, table: str, own_sql: bool = False) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise self._told(table, error, own_sql) from error

    def _told(self, table: str, error: SQLAlchemyError, own_sql: bool) -> PenstockError:
        said = _said(error)
        original = type(error.orig).__name__ if isinstance(error, DBAPIError) else ""
        if original in ("InsufficientPrivilege",) or "permission denied" in said.lower():
            return faults.denied(self.address, table, said)
        if original in ("UndefinedTable", "UndefinedColumn") or "no such " in said:
            return faults.gone(self.address, table, said, own_sql)
        if original in ("ProgrammingError", "SyntaxError", "DataError"):
            return faults.wrong_sql(self.address, table, said)
        return faults.failed(self.address, table, said)


_KINDS: tuple[tuple[type[Any], DataType], ...] = (
    (st.Boolean, t.BOOL), (st.Integer, t.INT64), (st.Float, t.FLOAT64), (st.Date, t.DATE),
    (st.LargeBinary, t.BINARY), (st.String, t.TEXT),
)  # fmt: skip


def _kind(found: Any) -> tuple[DataType, How, bool]:
    """The column type of one of SQLAlchemy's, how it arrives, and whether the server is to print it."""
    for kind, known in _KINDS:
        if isinstance(found, kind):
            return known, How.TEXT if known == t.TEXT else How.PLAIN, False
    if isinstance(found, st.Numeric):
        precision, scale = found.precision, found.scale or 0
        fits = precision is not None and 0 <= scale <= precision <= t.MAX_PRECISION
        return (Decimal(precision or 1, scale), How.TEXT, False) if fits else (t.TEXT, How.TEXT, True)
    if isinstance(found, st.DateTime):
        return t.TIMESTAMP_TZ if found.timezone else t.TIMESTAMP, How.PLAIN, False
    if isinstance(found, st.Time) and not found.timezone:
        return t.TIME, How.PLAIN, False
    printed = t.JSON if isinstance(found, st.JSON) else t.UUID if isinstance(found, st.Uuid) else t.TEXT
    return printed, How.TEXT, True


def _array(table: str, field: Field, values: Sequence[Any]) -> Any:
    """A column of Python values. Raises: RefusedError for one that is none of the column's type."""
    if field.how is How.SEEN:
        return pa.array([_spelt(value) for value in values], pa.string())
    if field.kind == t.BINARY:
        return pa.array([v.encode() if isinstance(v, str) else v for v in values], pa.binary())
    texts = field.how is How.TEXT or any(isinstance(value, str) for value in values)
    if not texts:
        try:
            return pa.array(values, to_arrow(field.kind))
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, TypeError) as error:
            raise faults.refuse_value(table, field.name, f"what is no {field.kind}", str(error)) from error
    spelt: Callable[[Any], str | None] = _json if field.kind == t.JSON else _spelt
    printed = pa.array([spelt(value) for value in values], pa.string())
    if field.how is How.TEXT:
        return printed
    try:
        return printed.cast(to_arrow(field.kind))
    except pa.ArrowInvalid as error:
        raise faults.refuse_value(table, field.name, f"what is no {field.kind}", str(error)) from error


def _spelt(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Exact):
        return format(value, "f")
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    return _json(value) if isinstance(value, dict | list) else str(value)


def _json(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, default=str)


def _said(error: SQLAlchemyError) -> str:
    return str(error.orig) if isinstance(error, DBAPIError) else str(error)
