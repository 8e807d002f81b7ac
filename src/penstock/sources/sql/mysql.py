"""MySQL and MariaDB as sources: rows as the server prints them, read into their types by Arrow."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pyarrow as pa
import pymysql
from pymysql.constants import FIELD_TYPE, FLAG
from pymysql.converters import encoders
from pymysql.cursors import SSCursor

from penstock.errors import PenstockError
from penstock.schema import types as t
from penstock.schema.arrow import to_arrow
from penstock.schema.types import DataType, Decimal, Kind, Scalar
from penstock.sources.sql import faults
from penstock.sources.sql.address import Address
from penstock.sources.sql.dynamic import Pace
from penstock.sources.sql.literals import number_or_text, spelt, text
from penstock.sources.sql.relation import Field, Found, How, Query, Reference, Relation

_RELATIONS = """
SELECT c.table_schema, c.table_name, t.table_type, t.table_comment, c.column_name, c.is_nullable,
       c.data_type, c.column_type, c.numeric_precision, c.numeric_scale, c.column_comment, k.seq_in_index
FROM information_schema.columns c
JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name
LEFT JOIN information_schema.statistics k ON k.table_schema = c.table_schema
  AND k.table_name = c.table_name AND k.column_name = c.column_name AND k.index_name = 'PRIMARY'
WHERE c.table_schema IN ({schemas}) ORDER BY c.table_schema, c.table_name, c.ordinal_position
"""
_REFERENCES = """
SELECT table_schema, table_name, constraint_name, column_name, referenced_table_name, referenced_column_name
FROM information_schema.key_column_usage
WHERE referenced_table_name IS NOT NULL AND table_schema IN ({schemas})
ORDER BY table_schema, table_name, constraint_name, ordinal_position
"""
_WHOLE = {"tinyint": 8, "smallint": 16, "mediumint": 32, "int": 32, "bigint": 64, "year": 16}
_BYTES = ("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob")
_TEXTS = ("char", "varchar", "tinytext", "text", "mediumtext", "longtext")
_WORDS = {
    FIELD_TYPE.TINY: "tinyint", FIELD_TYPE.SHORT: "smallint", FIELD_TYPE.INT24: "mediumint",
    FIELD_TYPE.LONG: "int", FIELD_TYPE.LONGLONG: "bigint", FIELD_TYPE.YEAR: "year", FIELD_TYPE.BIT: "bit",
    FIELD_TYPE.FLOAT: "float", FIELD_TYPE.DOUBLE: "double", FIELD_TYPE.NEWDECIMAL: "decimal",
    FIELD_TYPE.DATE: "date", FIELD_TYPE.DATETIME: "datetime", FIELD_TYPE.TIMESTAMP: "timestamp",
    FIELD_TYPE.TIME: "time", FIELD_TYPE.JSON: "json",
}  # fmt: skip
_BINARY_CHARSET = 63
_SETTINGS = (
    "SET SESSION time_zone = '+00:00'",
    "SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES'",
    "SET SESSION net_write_timeout = 3600",
)
_SNAPSHOT = (
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
)
_DENIED, _GONE, _UNKNOWN_SQL = (1044, 1142, 1143, 1227, 1370), (1146, 1054, 1049), (1064, 1305, 1356)


class MySQLServer:
    """A connection to MySQL or MariaDB, read-only; InnoDB's tables are seen as they were at one instant."""

    def __init__(self, address: Address, root: Path, *, snapshot: bool = True) -> None:  # noqa: ARG002
        self.address = address
        parts = urlsplit(address.url)
        asked = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        self._database = unquote(parts.path.removeprefix("/"))
        try:
            self._connection: Any = pymysql.connect(
                host=parts.hostname or "localhost",
                port=parts.port or 3306,
                user=unquote(parts.username or ""),
                password=unquote(parts.password or ""),
                database=self._database or None,
                unix_socket=asked.get("unix_socket"),
                ssl_ca=asked.get("ssl_ca"),
                connect_timeout=int(asked.get("connect_timeout", 10)),
                charset="utf8mb4",
                conv=dict(encoders),  # no decoders: every value as the server printed it
                cursorclass=SSCursor,  # rows as they come, not all at once
            )
        except pymysql.err.Error as error:
            told = {1045: faults.refuse_login, 1698: faults.refuse_login, 1049: faults.no_database}
            raise told.get(error.args[0], faults.unreachable)(address, _said(error)) from error
        with self._telling("the database"):
            for sql in (*_SETTINGS, *(_SNAPSHOT if snapshot else ("START TRANSACTION READ ONLY",))):
                self._all(sql)

    def relations(self, schemas: Sequence[str]) -> Found:
        """The tables and views of some schemas, which MySQL calls databases."""
        with self._telling("the list of tables"):
            wanted = ", ".join(text(name or self._database) for name in schemas) or text(self._database)
            found: dict[tuple[str, str], list[Any]] = {}
            for row in self._all(_RELATIONS.format(schemas=wanted)):
                found.setdefault((row[0], row[1]), []).append(row)
            said = _references(self._all(_REFERENCES.format(schemas=wanted)))
        relations = [
            replace(self._relation(rows), references=said.get(place, ())) for place, rows in found.items()
        ]
        return Found(tuple(relations), self._database)

    def describe(self, name: str, query: str) -> Relation:
        """A query as a relation."""
        with self._telling(name, own_sql=True), self._connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM ({query}\n) src LIMIT 0")
            fields = tuple(self._described(column) for column in cursor._result.fields)
        return Relation("", name, f"({query}\n)", fields)

    def read_as(self, found: Field, kind: DataType) -> Field:
        """Read as the server prints it, then as what is wanted."""
        name = self.quote(found.name)
        sql = f"CAST({name} AS BINARY)" if kind == t.BINARY else f"CAST({name} AS CHAR)"
        ordered = t.is_numeric(kind) and kind != t.TEXT
        return Field(
            found.name, kind, found.native, sql, How.TEXT, found.nullable, found.comment, ordered=ordered
        )

    def quote(self, name: str) -> str:
        """An identifier in backticks."""
        return "`" + name.replace("`", "``") + "`"

    def literal(self, value: object) -> str:
        """Numbers as they are, instants without their offset, the rest as text."""
        if isinstance(value, bytes):
            return f"X'{value.hex()}'"
        if isinstance(value, datetime) and value.tzinfo:
            value = value.astimezone(UTC).replace(tzinfo=None)
        try:
            return number_or_text(value)
        except TypeError:
            return spelt(value)

    def batches(self, query: Query) -> Iterator[pa.RecordBatch]:
        """Chunks of rows as the connection brings them."""
        with self._telling(query.table, query.own_sql), self._connection.cursor() as cursor:
            cursor.execute(query.sql)
            names, pace = [f.name for f in query.fields], Pace(query.rows)
            while chunk := cursor.fetchmany(pace.rows):
                columns = zip(query.fields, zip(*chunk, strict=True), strict=True)
                arrays = [_array(query.table, f, values) for f, values in columns]
                yield pace.after(pa.RecordBatch.from_arrays(arrays, names=names))

    def close(self) -> None:
        """Close the connection, whether or not all was read."""
        with suppress(pymysql.err.Error, OSError):
            self._connection._force_close()

    # ------------------------------------------------------------------------------------- inside

    def _all(self, sql: str) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def _relation(self, rows: Sequence[Any]) -> Relation:
        schema, name, kind, comment = rows[0][:4]
        keys = sorted((int(row[11]), row[4]) for row in rows if row[11] is not None)
        fields = tuple(
            self._field(
                row[4], row[6], row[7], int(row[8] or 0), int(row[9] or 0), row[5] == "YES", row[10] or None
            )
            for row in rows
        )
        is_view = "VIEW" in kind
        sql = f"{self.quote(schema)}.{self.quote(name)}"
        said = None if is_view else comment or None
        return Relation(schema, name, sql, fields, tuple(c for _, c in keys), said, is_view)

    def _field(
        self,
        column: str,
        word: str,
        native: str,
        precision: int,
        scale: int,
        nullable: bool,
        comment: str | None,
    ) -> Field:
        name, word = self.quote(column), word.lower()
        kind, how, sql = t.TEXT, How.TEXT, name
        if word in _WHOLE:
            bits = _WHOLE[word]
            unsigned = "unsigned" in native or word == "year"
            kind, how = Scalar(Kind(f"{'u' if unsigned else ''}int{bits}")), How.PLAIN
        elif word == "bit":
            kind, how, sql = Scalar(Kind.UINT64), How.PLAIN, f"({name} + 0)"
        elif word in ("float", "double", "real"):
            # MySQL prints a float with six digits only, and all of them once it is a double
            kind, sql = (Scalar(Kind.FLOAT32), f"({name} * 1e0)") if word == "float" else (t.FLOAT64, name)
            how = How.PLAIN
        elif word in ("decimal", "numeric") and 0 < precision <= t.MAX_PRECISION:
            return Field(column, Decimal(precision, scale), native, name, How.TEXT, nullable, comment)
        elif word == "date":
            kind = t.DATE
        elif word == "datetime":
            return Field(column, t.TIMESTAMP, native, name, How.TEXT, nullable, comment)
        elif word == "timestamp":
            sql = f"CONCAT({name}, 'Z')"
            return Field(column, t.TIMESTAMP_TZ, native, sql, How.TEXT, nullable, comment)
        elif word == "json":
            kind = t.JSON
        elif word in _BYTES:
            kind = t.BINARY
        elif word in ("geometry", "point", "linestring", "polygon") or word.startswith(("multi", "geom")):
            sql = f"ST_AsText({name})"
        ordered = kind not in (t.BINARY, t.JSON, t.TEXT) or word in _TEXTS
        compared = "CAST(CONVERT({} USING utf8mb4) AS BINARY)" if word in _TEXTS else "{}"
        return Field(column, kind, native, sql, how, nullable, comment, ordered=ordered, compared=compared)

    def _described(self, column: Any) -> Field:
        """A column of a query, by what the connection says of its type."""
        word = _WORDS.get(column.type_code)
        unsigned = bool(column.flags & FLAG.UNSIGNED)
        if word is None:
            is_bytes = column.charsetnr == _BINARY_CHARSET and column.type_code in _BLOBS
            word = "blob" if is_bytes else "text"
        precision = column.length - (column.scale > 0) - (not unsigned)
        native = word + (" unsigned" if unsigned else "")
        return self._field(column.name, word, native, precision, column.scale, True, None)

    @contextmanager
    def _telling(self, table: str, own_sql: bool = False) -> Iterator[None]:
        try:
            yield
        except pymysql.err.Error as error:
            raise self._told(table, error, own_sql) from error

    def _told(self, table: str, error: pymysql.err.Error, own_sql: bool) -> PenstockError:
        number, said = error.args[0] if error.args else 0, _said(error)
        if number in _DENIED:
            return faults.denied(self.address, table, said)
        if number in _GONE:
            return faults.gone(self.address, table, said, own_sql)
        if number in _UNKNOWN_SQL or isinstance(error, pymysql.err.DataError):
            return faults.wrong_sql(self.address, table, said)
        return faults.failed(self.address, table, said)


def _references(rows: Sequence[Any]) -> dict[tuple[str, str], tuple[Reference, ...]]:
    """The foreign keys of tables, by schema and name, of rows of `_REFERENCES`."""
    found: dict[tuple[str, str], list[Reference]] = {}
    for (schema, name, _), columns in groupby(rows, lambda row: tuple(row[:3])):
        told = [row[3:] for row in columns]
        here, there = tuple(row[0] for row in told), tuple(row[2] for row in told)
        found.setdefault((schema, name), []).append(Reference(here, told[0][1], there))
    return {place: tuple(references) for place, references in found.items()}


_BLOBS = (
    FIELD_TYPE.BLOB, FIELD_TYPE.LONG_BLOB, FIELD_TYPE.MEDIUM_BLOB, FIELD_TYPE.TINY_BLOB, FIELD_TYPE.STRING,
    FIELD_TYPE.VAR_STRING, FIELD_TYPE.VARCHAR, FIELD_TYPE.GEOMETRY,
)  # fmt: skip


def _array(table: str, field: Field, values: Sequence[Any]) -> Any:  # Any: pyarrow is untyped
    """A column as the server printed it; numbers in their type already."""
    if field.kind == t.BINARY:
        return pa.array(values, pa.binary())
    if any(isinstance(value, bytes) for value in values):  # a text in no character set of its own
        try:
            values = [v.decode() if isinstance(v, bytes) else v for v in values]
        except UnicodeDecodeError as error:
            found = f"a `{field.native}`: {error.reason}"
            raise faults.refuse_value(table, field.name, "what is no UTF-8 text", found) from error
    printed = pa.array(values, pa.string())
    return printed.cast(to_arrow(field.kind)) if field.how is How.PLAIN else printed


def _said(error: pymysql.err.Error) -> str:
    return re.sub(r"\s+", " ", str(error.args[1] if len(error.args) > 1 else error))
