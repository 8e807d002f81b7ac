"""SQLite as a source. Its columns have no types, its values do: they arrive as what they are."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from penstock.errors import NotFoundError, OutsideError, PenstockError, RefusedError
from penstock.schema import types as t
from penstock.schema.types import DataType
from penstock.sources.sql import faults
from penstock.sources.sql.address import Address
from penstock.sources.sql.dynamic import Pace, Seen
from penstock.sources.sql.literals import number_or_text, quoted
from penstock.sources.sql.relation import Field, Found, How, Query, Reference, Relation

_TABLES = """
SELECT m.name, m.type, (SELECT max(l.strict) FROM pragma_table_list(m.name) l WHERE l.schema = 'main')
FROM main.sqlite_master m
WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY m.rowid
"""
_COLUMNS = 'SELECT name, type, "notnull", pk FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid'
_REFERENCES = 'SELECT id, "table", "from", "to" FROM pragma_foreign_key_list(?) ORDER BY id DESC, seq'
_STRICT: dict[str, DataType] = {
    "INT": t.INT64, "INTEGER": t.INT64, "REAL": t.FLOAT64, "TEXT": t.TEXT, "BLOB": t.BINARY,
}  # fmt: skip


class SQLiteServer:
    """A SQLite file, read in one transaction: a snapshot of all of it."""

    def __init__(self, address: Address, root: Path, *, snapshot: bool = True) -> None:
        self.address = address
        path = address.path(root)
        if not path.is_file():
            raise NotFoundError("the SQLite database is not there", where=address.shown, found=str(path))
        with self._telling("the database"):
            self._connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=30)
            self._connection.isolation_level = None
            if snapshot:
                self._connection.execute("BEGIN")
            self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()

    def relations(self, schemas: Sequence[str]) -> Found:  # noqa: ARG002 - there is one, called `main`
        """Every table and view of the file."""
        with self._telling("the list of tables"):
            tables = self._connection.execute(_TABLES).fetchall()
            return Found(tuple(self._relation(*row) for row in tables), "main")

    def describe(self, name: str, query: str) -> Relation:
        """A query as a relation, its columns without types."""
        with self._telling(name, own_sql=True):
            found = self._connection.execute(f"SELECT * FROM ({query}\n) LIMIT 0").description
        fields = tuple(self._field(column[0], "", nullable=True, strict=False) for column in found)
        return Relation("", name, f"({query}\n)", fields)

    def read_as(self, found: Field, kind: DataType) -> Field:
        """Read as text, then as what is wanted; as bytes for what is no text."""
        to = "BLOB" if kind == t.BINARY else "TEXT"
        sql = f"CAST({quoted(found.name)} AS {to})"
        return Field(found.name, kind, found.native, sql, How.TEXT, found.nullable, ordered=False)

    def quote(self, name: str) -> str:
        """An identifier in double quotes."""
        return quoted(name)

    def literal(self, value: object) -> str:
        """Numbers, text and bytes: SQLite has no other values."""
        return f"X'{value.hex()}'" if isinstance(value, bytes) else number_or_text(value)

    def batches(self, query: Query) -> Iterator[pa.RecordBatch]:
        """Chunks of rows, each column in the type that holds its values so far."""
        seen, pace = Seen(query.fields), Pace(query.rows)
        with self._telling(query.table, query.own_sql):
            cursor = self._connection.execute(query.sql)
            while chunk := cursor.fetchmany(pace.rows):
                yield pace.after(seen.batch(chunk))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    # ------------------------------------------------------------------------------------- inside

    def _relation(self, name: str, kind: str, strict: int) -> Relation:
        found = self._connection.execute(_COLUMNS, (name,)).fetchall()
        keys = sorted((pk, column) for column, _, _, pk in found if pk)
        key = tuple(column for _, column in keys)
        # a single INTEGER key is the row's own number and never null; other keys may hold nulls
        rowid = {
            column for column, words, _, pk in found if pk and len(keys) == 1 and words.upper() == "INTEGER"
        }
        fields = tuple(
            self._field(column, words, nullable=not notnull and column not in rowid, strict=bool(strict))
            for column, words, notnull, _ in found
        )
        refers = self._references(name)
        return Relation("main", name, quoted(name), fields, key, is_view=kind == "view", references=refers)

    def _references(self, name: str) -> tuple[Reference, ...]:
        """The foreign keys of a table; one that names no columns means the other's primary key."""
        found: dict[int, list[Any]] = {}
        for number, *row in self._connection.execute(_REFERENCES, (name,)):
            found.setdefault(number, []).append(row)
        return tuple(
            Reference(tuple(c for _, c, _ in rows), rows[0][0], tuple(t for *_, t in rows if t is not None))
            for rows in found.values()
        )

    def _field(self, name: str, words: str, *, nullable: bool, strict: bool) -> Field:
        native = words or "any"
        if strict and words.upper() in _STRICT:
            how, kind = How.PLAIN, _STRICT[words.upper()]
        else:
            how, kind = How.SEEN, _affinity(words)
        compared = "{} COLLATE BINARY" if kind in (t.TEXT, t.NULL) else "{}"
        return Field(name, kind, native, quoted(name), how, nullable, compared=compared)

    @contextmanager
    def _telling(self, table: str, own_sql: bool = False) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._told(table, error, own_sql) from error

    def _told(self, table: str, error: sqlite3.Error, own_sql: bool) -> PenstockError:
        said = str(error)
        if match := re.search(r"Could not decode to UTF-8 column '(.*?)'", said):
            name = match[1]
            return RefusedError(
                f"`{name}` holds what is no UTF-8 text",
                where=self.address.shown,
                hint=f"read it as bytes: `types: {{{name}: binary}}` at the table of the source",
            )
        if re.match(r"no such (table|column|function)|near |incomplete input", said):
            return faults.gone(self.address, table, said, own_sql)
        if "not a database" in said or "unable to open" in said:
            return OutsideError("the SQLite database cannot be read", where=self.address.shown, found=said)
        return faults.failed(self.address, table, said)


def _affinity(words: str) -> DataType:
    """The type of a column without any values. Source: the rules of SQLite's column affinity."""
    text = words.upper()
    if "INT" in text:
        return t.INT64
    if any(word in text for word in ("CHAR", "CLOB", "TEXT")):
        return t.TEXT
    if "BLOB" in text:
        return t.BINARY
    return t.FLOAT64 if any(word in text for word in ("REAL", "FLOA", "DOUB")) else t.NULL
