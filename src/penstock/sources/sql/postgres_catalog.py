"""What PostgreSQL's catalog says of tables, and how each of its types is asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from penstock.schema import types as t
from penstock.schema.types import DataType, Decimal, Kind, List, Scalar
from penstock.sources.sql.literals import quoted
from penstock.sources.sql.relation import Field, How, Reference, Relation

RELATIONS = """
SELECT n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS relkind,
       obj_description(c.oid, 'pg_class') AS table_comment,
       a.attname::text AS "column", a.attnotnull AS not_null,
       format_type(a.atttypid, a.atttypmod) AS native,
       CASE WHEN t.typtype = 'd' THEN b.typname ELSE t.typname END::text AS base,
       CASE WHEN t.typtype = 'd' THEN b.typtype ELSE t.typtype END::text AS typtype,
       CASE WHEN t.typtype = 'd' AND t.typtypmod <> -1 THEN t.typtypmod ELSE a.atttypmod END AS typmod,
       e.typname::text AS item, e.typtype::text AS item_typtype, col_description(c.oid, a.attnum) AS comment,
       array_position(k.conkey, a.attnum) AS key_at,
       (SELECT json_agg(json_build_array(
               ARRAY(SELECT x.attname FROM unnest(f.conkey) WITH ORDINALITY u(n, i)
                     JOIN pg_attribute x ON x.attrelid = f.conrelid AND x.attnum = u.n ORDER BY u.i),
               r.relname,
               ARRAY(SELECT x.attname FROM unnest(f.confkey) WITH ORDINALITY u(n, i)
                     JOIN pg_attribute x ON x.attrelid = f.confrelid AND x.attnum = u.n ORDER BY u.i)
             ) ORDER BY f.conname)::text
             FROM pg_constraint f JOIN pg_class r ON r.oid = f.confrelid
             WHERE f.conrelid = c.oid AND f.contype = 'f') AS foreign_keys
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_type b ON b.oid = t.typbasetype
LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p'
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') AND NOT c.relispartition
  AND n.nspname IN ({schemas})
ORDER BY n.nspname, c.relname, a.attnum
"""
INTEGERS = {"int2": Kind.INT16, "int4": Kind.INT32, "int8": Kind.INT64}
FLOATS = {"float4": Kind.FLOAT32, "float8": Kind.FLOAT64}
TEXTS = ("text", "varchar", "bpchar", "name", "citext")
_PLAIN: dict[str, DataType] = {
    **{name: Scalar(kind) for name, kind in (INTEGERS | FLOATS).items()},
    "bool": t.BOOL, "bytea": t.BINARY, "date": t.DATE, "time": t.TIME, "timestamp": t.TIMESTAMP,
    "timestamptz": t.TIMESTAMP_TZ, "uuid": t.UUID,
}  # fmt: skip
_WHOLE_DIGITS = 18
_ITEMS: dict[str, DataType] = {
    **{name: Scalar(kind) for name, kind in (INTEGERS | FLOATS).items()}, "bool": t.BOOL, "text": t.TEXT,
    "varchar": t.TEXT,
}  # fmt: skip
_UNORDERED = ("uuid", "bool", "bytea", "time", "citext", "bpchar")


@dataclass(frozen=True, slots=True)
class Described:
    """What is known of a column. `base` is the name of its type, below any domain.

    `item` is that of an array's items.
    """

    name: str
    base: str
    typtype: str = "b"
    typmod: int = -1
    item: str | None = None
    native: str = ""
    nullable: bool = True
    comment: str | None = None


def relations_of(rows: Sequence[Mapping[str, Any]]) -> tuple[Relation, ...]:
    """The relations that rows of `RELATIONS` describe."""
    found = []
    for (schema, name), columns in groupby(rows, lambda row: (row["schema"], row["name"])):
        told = list(columns)
        keys = sorted((row["key_at"], row["column"]) for row in told if row["key_at"])
        found.append(
            Relation(
                schema,
                name,
                f"{quoted(schema)}.{quoted(name)}",
                tuple(field_of(_described(row)) for row in told),
                tuple(column for _, column in keys),
                told[0]["table_comment"],
                told[0]["relkind"] in ("v", "m"),
                tuple(
                    Reference(tuple(here), table, tuple(there))
                    for here, table, there in json.loads(told[0]["foreign_keys"] or "[]")
                ),
            )
        )
    return tuple(found)


def _described(row: Mapping[str, Any]) -> Described:
    return Described(
        row["column"],
        row["base"] or "",
        row["typtype"] or "",
        row["typmod"],
        row["item"],
        row["native"],
        not row["not_null"],
        row["comment"],
    )


def field_of(column: Described) -> Field:
    """How a column is asked for: as it is where its type comes through exactly, else as text."""
    name = quoted(column.name)
    kind, sql, how, guard = _asked(column, name)
    is_text = column.base in TEXTS
    ordered = kind not in (t.TEXT, t.JSON) and column.base not in _UNORDERED and not isinstance(kind, List)
    return Field(
        column.name,
        kind,
        column.native or column.base,
        sql,
        how,
        column.nullable,
        column.comment,
        guard,
        ordered=ordered or (is_text and column.base not in _UNORDERED),
        compared='{} COLLATE "C"' if is_text else "{}",
    )


def _asked(column: Described, name: str) -> tuple[DataType, str, How, str | None]:
    base = column.base
    if column.typtype == "e":
        return t.TEXT, f"{name}::text", How.TEXT, None
    if base in _PLAIN:
        return _PLAIN[base], name, How.PLAIN, None
    if base in TEXTS:
        return t.TEXT, name if base != "citext" else f"{name}::text", How.PLAIN, None
    if base == "numeric":
        return _number(column.typmod, name)
    if base in ("json", "jsonb"):
        return t.JSON, f"{name}::text", How.TEXT, None
    if base in ("oid", "xid", "cid"):
        return t.INT64, f"{name}::text::bigint", How.PLAIN, None
    if column.item in _ITEMS:
        odd = f"(array_ndims({name}) > 1 OR array_lower({name}, 1) <> 1)"
        sql = f"CASE WHEN {odd} THEN NULL ELSE {name} END"
        return List(_ITEMS[column.item]), sql, How.PLAIN, odd
    if column.item is not None:
        return t.JSON, f"to_jsonb({name})::text", How.TEXT, None
    return t.TEXT, f"{name}::text", How.TEXT, None


def _number(typmod: int, name: str) -> tuple[DataType, str, How, str | None]:
    """`numeric(12,2)` as an integer of hundredths while that fits, else as text; of any scale as text."""
    if typmod == -1:
        return t.TEXT, f"{name}::text", How.TEXT, None
    precision, scale = (typmod - 4) >> 16 & 0xFFFF, ((typmod - 4 & 0x7FF) ^ 1024) - 1024
    if not 0 <= scale <= precision or precision > t.MAX_PRECISION:
        return t.TEXT, f"{name}::text", How.TEXT, None
    if precision <= _WHOLE_DIGITS:
        return Decimal(precision, scale), f"({name} * 1{'0' * scale})::bigint", How.SCALED, None
    return Decimal(precision, scale), f"{name}::text", How.TEXT, None
