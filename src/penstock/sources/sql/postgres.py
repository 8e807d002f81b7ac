"""PostgreSQL as a source: Arrow from the wire by ADBC, which reads what COPY gives in binary.

The driver is used without its DB-API, which imports pandas and polars where they are installed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import adbc_driver_manager
import adbc_driver_postgresql
import pyarrow as pa

from penstock.errors import PenstockError, RefusedError
from penstock.schema import types as t
from penstock.schema.types import DataType
from penstock.sources.sql import faults
from penstock.sources.sql.address import Address
from penstock.sources.sql.literals import quoted, spelt, text
from penstock.sources.sql.postgres_catalog import RELATIONS, Described, field_of, relations_of
from penstock.sources.sql.relation import Field, Found, How, Query, Relation

ROW_BYTES, MOST_BYTES = 80, 4 << 20  # of COPY; the driver cuts by bytes, not by rows
_SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
_ORDINARY = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED READ ONLY"
NAN = "cannot convert NaN to bigint"
_PASSING = re.compile(
    r"terminating connection|canceling statement|connection|shutting down|out of memory|deadlock"
)
_SETTINGS = (
    "client_encoding = 'UTF8'", "TimeZone = 'UTC'", "IntervalStyle = 'postgres'", "DateStyle = 'ISO'",
    "extra_float_digits = 1",
)  # fmt: skip
_LOGIN = ("password authentication failed", "no password supplied", "no pg_hba.conf entry")


class PostgresServer:
    """A connection to PostgreSQL, read-only and one transaction long: every table at one instant."""

    def __init__(self, address: Address, root: Path, *, snapshot: bool = True) -> None:  # noqa: ARG002
        self.address = address
        try:
            self._database = adbc_driver_postgresql.connect(address.url)
            self._connection = adbc_driver_manager.AdbcConnection(self._database)
            self._connection.set_autocommit(False)
        except adbc_driver_manager.Error as error:
            said = str(error).removeprefix("IO: [libpq] ").strip()
            if any(words in said for words in _LOGIN):
                raise faults.refuse_login(address, said) from error
            if re.search(r"(database|role) .* does not exist", said):
                raise faults.no_database(address, said) from error
            raise faults.unreachable(address, said) from error
        with self._telling("the database"):
            self._execute(_SNAPSHOT if snapshot else _ORDINARY)
            for setting in _SETTINGS:
                self._execute(f"SET LOCAL {setting}")

    def relations(self, schemas: Sequence[str]) -> Found:
        """The tables, partitioned and foreign ones too, and views of some schemas."""
        with self._telling("the list of tables"):
            current = self._rows("SELECT current_schema()::text")[0]["current_schema"] or "public"
            wanted = ", ".join(text(name or current) for name in schemas) or text(current)
            return Found(relations_of(self._rows(RELATIONS.format(schemas=wanted))), current)

    def describe(self, name: str, query: str) -> Relation:
        """A query as a relation."""
        with self._telling(name, own_sql=True), self._statement(f"SELECT * FROM ({query}\n) AS src") as asked:
            schema = pa.schema(asked.execute_schema())
        fields = tuple(field_of(_described(column)) for column in schema)
        return Relation("", name, f"({query}\n)", fields)

    def read_as(self, found: Field, kind: DataType) -> Field:
        """Read as PostgreSQL prints it, then as what is wanted; arrays and rows as JSON."""
        name = quoted(found.name)
        if kind == t.BINARY and found.kind == t.BINARY:
            return found
        nested = kind == t.JSON or t.is_nested(kind)
        sql = f"to_jsonb({name})::text" if nested else f"{name}::text"
        if kind == t.BINARY:
            sql = f"convert_to({name}::text, getdatabaseencoding())"
        ordered = (kind == t.TEXT and found.kind == t.TEXT) or t.is_numeric(kind)
        return Field(
            found.name, kind, found.native, sql, How.TEXT, found.nullable, found.comment,
            ordered=ordered, compared=found.compared,
        )  # fmt: skip

    def quote(self, name: str) -> str:
        """An identifier in double quotes."""
        return quoted(name)

    def literal(self, value: object) -> str:
        """A literal of no type of its own: it takes that of the column it is compared with."""
        return f"'\\x{value.hex()}'" if isinstance(value, bytes) else spelt(value)

    def batches(self, query: Query) -> Iterator[pa.RecordBatch]:
        """The rows as they come from the wire, up to 4 MB of COPY at a time."""
        with self._telling(query.table, query.own_sql, query.fields), self._statement(query.sql) as asked:
            size = min(query.rows * ROW_BYTES, MOST_BYTES)
            asked.set_options(
                **{adbc_driver_postgresql.StatementOptions.BATCH_SIZE_HINT_BYTES.value: str(size)}
            )
            with pa.RecordBatchReader.from_stream(asked.execute_query()[0]) as reader:
                yield from reader

    def close(self) -> None:
        """End the transaction and close the connection."""
        with suppress(adbc_driver_manager.Error):  # a connection that is lost is closed already
            self._connection.close()
            self._database.close()

    # ------------------------------------------------------------------------------------- inside

    @contextmanager
    def _statement(self, sql: str) -> Iterator[Any]:  # Any: the driver's types are in another package
        statement = adbc_driver_manager.AdbcStatement(self._connection)
        try:
            statement.set_sql_query(sql)
            yield statement
        finally:
            statement.close()

    def _execute(self, sql: str) -> None:
        with self._statement(sql) as asked:
            asked.execute_update()

    def _rows(self, sql: str) -> list[dict[str, Any]]:
        with self._statement(sql) as asked:
            found = pa.RecordBatchReader.from_stream(asked.execute_query()[0])
            rows: list[dict[str, Any]] = found.read_all().to_pylist()
            return rows

    @contextmanager
    def _telling(self, table: str, own_sql: bool = False, fields: Sequence[Field] = ()) -> Iterator[None]:
        try:
            yield
        except adbc_driver_manager.Error as error:
            raise told(self.address, table, error, own_sql, fields) from error
        except (OSError, pa.ArrowException) as error:  # the same in the middle of a stream
            raise told_late(self.address, table, str(error), fields) from error


def told(
    address: Address, table: str, error: adbc_driver_manager.Error, own_sql: bool, fields: Sequence[Field]
) -> PenstockError:
    """An error of the driver as one of ours, by its SQLSTATE."""
    said = _server_said(str(error))
    state = error.sqlstate or ""
    if NAN in said:
        return _not_a_number(table, fields)
    if state == "22021":
        return _no_text(table, said)
    if state == "42501":
        return faults.denied(address, table, said)
    if state in ("42P01", "42703", "3F000"):
        return faults.gone(address, table, said, own_sql)
    if state[:2] in ("42", "22", "0A"):
        return faults.wrong_sql(address, table, said)
    return faults.failed(address, table, said)


def told_late(address: Address, table: str, text: str, fields: Sequence[Field]) -> PenstockError:
    """An error in the middle of a stream, of which only the text is known: the data or the connection?"""
    said = _server_said(text)
    if NAN in said:
        return _not_a_number(table, fields)
    if "invalid byte sequence" in said:
        return _no_text(table, said)
    if "ERROR:" in said and not _PASSING.search(said):
        return faults.wrong_sql(address, table, said)
    return faults.failed(address, table, said)


def _not_a_number(table: str, fields: Sequence[Field]) -> RefusedError:
    numbers = [f.name for f in fields if f.how is How.SCALED]
    return RefusedError(
        f"a number of `{table}` is NaN, which no decimal is",
        where=f"column {' or '.join(f'`{name}`' for name in numbers)}",
        hint=faults.AS_TEXT % (numbers[0] if len(numbers) == 1 else "<column>"),
    )


def _no_text(table: str, said: str) -> RefusedError:
    return RefusedError(
        f"`{table}` holds text that is none in the encoding of its database",
        found=said,
        hint="read the column as bytes: `types: {<column>: binary}` at the table of the source",
    )


def _server_said(text: str) -> str:
    """What the server said, without what the driver puts around it."""
    text = re.split(r"\s+Query was: ", text)[0]
    return text[text.find("ERROR:") :].strip() if "ERROR:" in text else text


def _described(column: pa.Field) -> Described:
    """A column of a query, by what the driver says of its type."""
    said = {k.decode(): v.decode() for k, v in (column.metadata or {}).items()}
    base = said.get("POSTGRESQL:type", "")
    item = base.removeprefix("_") if base.startswith("_") else None
    return Described(column.name, base, typmod=int(said.get("POSTGRESQL:typmod", -1)), item=item)
