"""SQL that brings a value from one column type to a wider one without losing any of it.

The dialect is DuckDB's. Values come from a stored column or straight from Arrow; both are written
as an expression `x`. What a cast keeps exactly is cast; text gets ISO 8601 with `T` and `Z`, and
JSON gets the names that the data had. Pure: only text is made here.
"""

from __future__ import annotations

from penstock.destinations.columns import field_names
from penstock.schema.types import (
    BINARY,
    BOOL,
    DATE,
    INT64,
    JSON,
    NULL,
    TEXT,
    UUID,
    DataType,
    Decimal,
    Kind,
    List,
    Scalar,
    Struct,
    Timestamp,
    is_float,
    is_numeric,
)

EMPTY = Struct(())
TOO_LARGE = "no float holds this integer exactly: "
_SCALARS = {
    Kind.NULL: "INTEGER", Kind.BOOL: "BOOLEAN",
    Kind.INT8: "TINYINT", Kind.INT16: "SMALLINT", Kind.INT32: "INTEGER", Kind.INT64: "BIGINT",
    Kind.UINT8: "UTINYINT", Kind.UINT16: "USMALLINT", Kind.UINT32: "UINTEGER", Kind.UINT64: "UBIGINT",
    Kind.FLOAT32: "FLOAT", Kind.FLOAT64: "DOUBLE", Kind.TEXT: "VARCHAR", Kind.BINARY: "BLOB",
    Kind.DATE: "DATE", Kind.TIME: "TIME", Kind.UUID: "UUID", Kind.JSON: "JSON",
}  # fmt: skip
_WIDE_INTEGERS = (INT64, Scalar(Kind.UINT64))


def view(name: str, schema: str | None) -> str:
    """The words after CREATE for a view: a temporary one, or one in a schema."""
    return f"TEMP VIEW {quote(name)}" if schema is None else f"VIEW {quote(schema)}.{quote(name)}"


def quote(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def ddl(kind: DataType) -> str:
    """The DuckDB type that stores values of `kind`.

    Instants with nanoseconds are stored as TIMESTAMP_NS in UTC, because files that older DuckDBs
    can open have no other type for them. A struct without fields is stored as JSON, and what is
    only known to be null as INTEGER, until more is known.
    """
    if isinstance(kind, Scalar):
        return _SCALARS[kind.kind]
    if isinstance(kind, Decimal):
        return f"DECIMAL({kind.precision},{kind.scale})"
    if isinstance(kind, Timestamp):
        return "TIMESTAMP_NS" if kind.unit == "ns" else "TIMESTAMPTZ" if kind.zone else "TIMESTAMP"
    if isinstance(kind, List):
        return f"{ddl(kind.item)}[]"
    if kind == EMPTY:
        return "JSON"
    names = field_names(kind)
    return "STRUCT(" + ", ".join(f"{quote(names[n])} {ddl(t)}" for n, t in kind.fields) + ")"


def convert(x: str, before: DataType, after: DataType, depth: int = 0, guard: bool = True) -> str:
    """An expression of type `ddl(after)` for the value `x` of type `before`, which is not wider.

    Fields of structs are looked up under the names that `after` stores them by. With `guard` an
    integer that a float cannot hold raises an error that begins with `TOO_LARGE`.
    """
    if before == NULL:
        return f"CAST(NULL AS {ddl(after)})"
    if after == JSON:
        return as_json(x, before, depth)
    if after == TEXT and before != TEXT:
        return as_text(x, before, depth)
    if guard and before in _WIDE_INTEGERS and is_float(after):
        cast = f"CAST({x} AS {ddl(after)})"
        lost = f"CAST({cast} AS HUGEINT) <> {x}"
        return f"CASE WHEN {lost} THEN error({literal(TOO_LARGE)} || {x}) ELSE {cast} END"
    if _castable(before, after):
        return f"CAST({x} AS {ddl(after)})"
    if isinstance(before, List) and isinstance(after, List):
        e = f"e{depth}"
        return f"list_transform({x}, lambda {e}: {convert(e, before.item, after.item, depth + 1, guard)})"
    if isinstance(before, Struct) and isinstance(after, Struct):
        return _struct(x, before, after, depth, guard)
    return f"CAST({x} AS {ddl(after)})"


def loses(x: str, before: DataType, after: DataType, depth: int = 0) -> str | None:
    """The condition that a stored value `x` cannot become an `after` exactly; None if all can."""
    if before in _WIDE_INTEGERS and is_float(after):
        return f"CAST(CAST({x} AS {ddl(after)}) AS HUGEINT) <> {x}"
    if isinstance(before, List) and isinstance(after, List):
        e = f"e{depth}"
        inner = loses(e, before.item, after.item, depth + 1)
        return inner and f"len(list_filter({x}, lambda {e}: {inner})) > 0"
    if isinstance(before, Struct) and isinstance(after, Struct):
        names, kinds = field_names(after), dict(after.fields)
        found = (loses(_field(x, names[n]), t, kinds[n], depth) for n, t in before.fields)
        return " OR ".join(f"({f})" for f in found if f) or None
    return None


def as_text(x: str, kind: DataType, depth: int = 0) -> str:
    """An expression for the exact text of a value; lists and structs become JSON."""
    if isinstance(kind, Timestamp):
        naive = f"CAST({x} AS TIMESTAMP_NS)" if kind.unit == "ns" else f"({x} AT TIME ZONE 'UTC')"
        value = naive if kind.zone or kind.unit == "ns" else f"CAST({x} AS TIMESTAMP)"
        fraction = "%n" if kind.unit == "ns" else "%f"
        text = f"rtrim(rtrim(strftime({value}, '%Y-%m-%dT%H:%M:%S.{fraction}'), '0'), '.')"
        return f"{text} || 'Z'" if kind.zone else text
    if is_float(kind):
        words = f"CASE WHEN isnan({x}) THEN 'NaN' WHEN {x} > 0 THEN 'Infinity' ELSE '-Infinity' END"
        return f"CASE WHEN isfinite({x}) THEN CAST({x} AS VARCHAR) WHEN {x} IS NOT NULL THEN {words} END"
    if kind == BINARY:
        return f"base64({x})"
    if isinstance(kind, List | Struct):
        return f"CAST({as_json(x, kind, depth)} AS VARCHAR)"
    return f"CAST({x} AS VARCHAR)"


def as_json(x: str, kind: DataType, depth: int = 0) -> str:
    """An expression for a value as JSON, under the names that the data had."""
    if kind == NULL:
        return "CAST(NULL AS JSON)"
    if kind == JSON:
        return f"CAST({x} AS JSON)"
    if is_float(kind):
        number = f"CAST(CAST({x} AS VARCHAR) AS JSON)"
        return f"CASE WHEN isfinite({x}) THEN {number} ELSE to_json({as_text(x, kind)}) END"
    if kind == BOOL or is_numeric(kind):
        return f"to_json({x})"
    if isinstance(kind, List):
        e = f"e{depth}"
        return f"to_json(list_transform({x}, lambda {e}: {as_json(e, kind.item, depth + 1)}))"
    if isinstance(kind, Struct):
        names = field_names(kind)
        pairs = ", ".join(f"{literal(n)}, {as_json(_field(x, names[n]), t, depth)}" for n, t in kind.fields)
        return f"CASE WHEN {x} IS NOT NULL THEN json_object({pairs}) END"
    return f"to_json({as_text(x, kind)})"


def carried(seen: DataType, target: DataType) -> DataType:
    """The type of a value that came as `seen` for a column of type `target`.

    UUID and JSON travel as strings, and so does a struct whose fields are not known yet.
    """
    if seen == TEXT and target in (UUID, JSON):
        return target
    if seen == TEXT and isinstance(target, Struct):
        return EMPTY
    if isinstance(seen, List) and isinstance(target, List):
        return List(carried(seen.item, target.item))
    if isinstance(seen, Struct) and isinstance(target, Struct):
        kinds = dict(target.fields)
        return Struct(tuple((n, carried(t, kinds[n]) if n in kinds else t) for n, t in seen.fields))
    return seen


def _struct(x: str, before: Struct, after: Struct, depth: int, guard: bool) -> str:
    if after == EMPTY:
        return f"CASE WHEN {x} IS NOT NULL THEN CAST('{{}}' AS JSON) END"
    names, kinds = field_names(after), dict(before.fields)
    fields = ", ".join(
        f"{quote(names[n])} := {convert(_field(x, names[n]), kinds.get(n, NULL), t, depth, guard)}"
        for n, t in after.fields
    )
    return f"CASE WHEN {x} IS NOT NULL THEN struct_pack({fields}) END"


def _field(x: str, name: str) -> str:
    return f"struct_extract({x}, {literal(name)})"


def _castable(before: DataType, after: DataType) -> bool:
    """Whether one plain cast does it, nested types included."""
    if isinstance(before, List) and isinstance(after, List):
        return _castable(before.item, after.item)
    if isinstance(before, Struct) and isinstance(after, Struct):
        kinds = dict(after.fields)
        return bool(before.fields) and all(n in kinds and _castable(t, kinds[n]) for n, t in before.fields)
    if before == NULL or (before in _WIDE_INTEGERS and is_float(after)):
        return False
    if before == after or (before == DATE and isinstance(after, Timestamp)):
        return True
    if is_numeric(before) and is_numeric(after):
        return True
    return isinstance(before, Timestamp) and isinstance(after, Timestamp)
