"""A DuckDB file as a source: Arrow as DuckDB makes it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from penstock.errors import NotFoundError, OutsideError, RefusedError
from penstock.schema import types as t
from penstock.schema.arrow import from_arrow
from penstock.schema.types import DataType, Decimal
from penstock.sources.sql import faults
from penstock.sources.sql.address import Address
from penstock.sources.sql.literals import quoted, spelt, text
from penstock.sources.sql.relation import Field, Found, How, Query, Reference, Relation

MOST_ROWS = 16_384  # DuckDB gathers so many before it gives any, however long they are
_RELATIONS = """
SELECT c.schema_name, c.table_name, t.table_name IS NULL AS is_view, coalesce(t.comment, v.comment),
       c.column_name, c.is_nullable, c.data_type, c.comment, k.constraint_column_names
FROM duckdb_columns() c
LEFT JOIN duckdb_tables() t USING (table_oid, database_oid)
LEFT JOIN duckdb_views() v ON v.view_oid = c.table_oid AND v.database_oid = c.database_oid
LEFT JOIN duckdb_constraints() k
  ON k.table_oid = c.table_oid AND k.database_oid = c.database_oid AND k.constraint_type = 'PRIMARY KEY'
WHERE NOT c.internal AND NOT starts_with(c.table_name, '_penstock')
  AND c.database_name = current_database() AND c.schema_name IN ({schemas})
ORDER BY c.schema_name, c.table_name, c.column_index
"""
_REFERENCES = """
SELECT schema_name, table_name, constraint_column_names, referenced_table, referenced_column_names
FROM duckdb_constraints()
WHERE constraint_type = 'FOREIGN KEY' AND database_name = current_database() AND schema_name IN ({schemas})
ORDER BY table_oid, constraint_index
"""
_AS_TEXT = re.compile(r"^(UHUGEINT|BIGNUM|VARINT|BIT|INTERVAL|TIME WITH TIME ZONE|ENUM\(|UNION\(|TIME_NS)")
_INSIDE = re.compile(r"HUGEINT|BIGNUM|VARINT|BIT\b|INTERVAL|TIME WITH|UNION|TIME|DATE|UUID|MAP\(|\[\d+\]")


class DuckServer:
    """A DuckDB file, opened for reading only, in one transaction: a snapshot of all of it."""

    def __init__(self, address: Address, root: Path, *, snapshot: bool = True) -> None:
        self.address = address
        path = address.path(root)
        if not path.is_file():
            raise NotFoundError("the DuckDB database is not there", where=address.shown, found=str(path))
        with self._telling("the database"):
            self._connection = duckdb.connect(path, read_only=True)
            self._connection.execute("SET TimeZone = 'UTC'")
            if snapshot:
                self._connection.begin()

    def relations(self, schemas: Sequence[str]) -> Found:
        """The tables and views of some schemas."""
        with self._telling("the list of tables"):
            current = str(self._all("SELECT current_schema()")[0][0])
            wanted = ", ".join(text(name or current) for name in schemas) or text(current)
            found: dict[tuple[str, str], list[Any]] = {}
            for row in self._all(_RELATIONS.format(schemas=wanted)):
                found.setdefault((row[0], row[1]), []).append(row)
            references: dict[tuple[str, str], list[Reference]] = {}
            for schema, name, columns, table, there in self._all(_REFERENCES.format(schemas=wanted)):
                refers = Reference(tuple(columns), table, tuple(there))
                references.setdefault((schema, name), []).append(refers)
        relations = [
            Relation(
                schema,
                name,
                f"{quoted(schema)}.{quoted(name)}",
                tuple(self._field(*row[4:8]) for row in rows),
                tuple(rows[0][8] or ()),
                rows[0][3],
                rows[0][2],
                tuple(references.get((schema, name), ())),
            )
            for (schema, name), rows in found.items()
        ]
        return Found(tuple(relations), current)

    def describe(self, name: str, query: str) -> Relation:
        """A query as a relation."""
        with self._telling(name, own_sql=True):
            found = self._all(f"DESCRIBE SELECT * FROM ({query}\n)")
        fields = tuple(self._field(column, True, kind, None) for column, kind, *_ in found)
        return Relation("", name, f"({query}\n)", fields)

    def read_as(self, found: Field, kind: DataType) -> Field:
        """Read as DuckDB prints it, then as what is wanted; nested values as JSON."""
        name = quoted(found.name)
        nested = kind == t.JSON or t.is_nested(kind)
        sql = name if kind == t.BINARY else f"CAST({'to_json(' + name + ')' if nested else name} AS VARCHAR)"
        ordered = t.is_numeric(kind) or (kind == t.TEXT and found.kind == t.TEXT)
        return Field(
            found.name, kind, found.native, sql, How.TEXT, found.nullable, found.comment, ordered=ordered
        )

    def quote(self, name: str) -> str:
        """An identifier in double quotes."""
        return quoted(name)

    def literal(self, value: object) -> str:
        """A literal that takes the type of the column it is compared with."""
        if isinstance(value, bytes):
            return "'" + "".join(f"\\x{byte:02X}" for byte in value) + "'::BLOB"
        return spelt(value)

    def batches(self, query: Query) -> Iterator[pa.RecordBatch]:
        """The rows as Arrow."""
        with self._telling(query.table, query.own_sql):
            reader = self._connection.sql(query.sql).to_arrow_reader(min(query.rows, MOST_ROWS))
            yield from reader

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    # ------------------------------------------------------------------------------------- inside

    def _all(self, sql: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql).fetchall()

    def _field(self, name: str, nullable: bool, native: str, comment: str | None) -> Field:
        sql, how = quoted(name), How.PLAIN
        if native == "HUGEINT":
            return self._as(name, Decimal(38, 0), native, nullable, comment)
        if native == "JSON" or native == "UUID":
            return self._as(name, t.JSON if native == "JSON" else t.UUID, native, nullable, comment)
        nested = native.endswith("]") or native.startswith(("STRUCT", "MAP"))
        if _AS_TEXT.match(native) and not nested:
            return self._as(name, t.TEXT, native, nullable, comment)
        if nested and _INSIDE.search(native):
            sql, how = f"CAST(to_json({quoted(name)}) AS VARCHAR)", How.TEXT
            return Field(name, t.JSON, native, sql, how, nullable, comment, ordered=False)
        kind = self._kind(native)
        ordered = not nested and kind not in (t.BINARY, t.BOOL, t.TIME)
        return Field(name, kind, native, sql, how, nullable, comment, ordered=ordered)

    def _as(self, name: str, kind: DataType, native: str, nullable: bool, comment: str | None) -> Field:
        sql = f"CAST({quoted(name)} AS VARCHAR)"
        return Field(name, kind, native, sql, How.TEXT, nullable, comment, ordered=isinstance(kind, Decimal))

    def _kind(self, native: str) -> DataType:
        """The type that DuckDB's Arrow has for one of its types."""
        empty = self._connection.sql(f"SELECT CAST(NULL AS {native}) AS x LIMIT 0").to_arrow_table()
        return from_arrow(empty.schema.field(0).type)

    @contextmanager
    def _telling(self, table: str, own_sql: bool = False) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            said = str(error)
            if isinstance(error, duckdb.CatalogException | duckdb.BinderException):
                raise faults.gone(self.address, table, said, own_sql) from error
            if isinstance(error, duckdb.ConnectionException):
                raise RefusedError(
                    "the DuckDB database is open for writing in this very process",
                    where=self.address.shown,
                    hint="read from another file than the destination's",
                ) from error
            if isinstance(error, duckdb.ParserException | duckdb.ConversionException):
                raise faults.wrong_sql(self.address, table, said) from error
            raise OutsideError(
                f"reading `{table}` failed", where=self.address.shown, found=said.partition("\n")[0]
            ) from error
