"""A digest of a row's values that stays the same while the row does. Pure: only text is made here.

Nulls leave no trace, at the top and inside of objects, so a column or a field that is new and null
everywhere changes nothing. A value has the same text in every type that its column may widen to
among numbers and among dates and times. A field is written as the length of its value, its name
with the length of that, and the value (`5:4:name=Maria`), so no two rows that differ have one text.
"""

from __future__ import annotations

from collections.abc import Iterable

from penstock.destinations.columns import PRIVATE, Stored, field_names
from penstock.destinations.convert import EMPTY, literal
from penstock.schema.types import (
    BINARY,
    DATE,
    JSON,
    NULL,
    TEXT,
    DataType,
    Decimal,
    List,
    Struct,
    Timestamp,
    is_float,
)

_DAY_US = 86_400_000_000
_WHOLE = 9.2e18  # whole numbers below it fit an int64, and have its text


def digest(columns: Iterable[tuple[Stored, str]]) -> str:
    """An expression for the MD5 (hex) of a row, given its columns and an expression for each.

    Columns of Penstock's own are left out.
    """
    kept = sorted(columns, key=lambda column: column[0].name)
    fields = [_field(c.name, x, c.type) for c, x in kept if not c.name.lower().startswith(PRIVATE)]
    return f"md5(concat({', '.join(fields)}))" if fields else "md5('')"


def canonical(x: str, kind: DataType, depth: int = 0) -> str:
    """An expression for the text of a value; null for null."""
    if kind == NULL:
        return "CAST(NULL AS VARCHAR)"
    if kind == TEXT:
        return x
    if kind == EMPTY:
        return f"CASE WHEN {x} IS NOT NULL THEN '{{' END"
    if isinstance(kind, Struct):
        names = field_names(kind)
        parts = (
            _field(n, f"struct_extract({x}, {literal(names[n])})", t, depth)
            for n, t in sorted(kind.fields, key=lambda field: field[0])
        )
        return f"CASE WHEN {x} IS NOT NULL THEN concat('{{', {', '.join(parts)}) END"
    if isinstance(kind, List):
        e = f"e{depth}"
        text = canonical(e, kind.item, depth + 1)
        item = f"coalesce(strlen({text}) || ':' || {text}, '-')"
        return f"'[' || array_to_string(list_transform({x}, lambda {e}: {item}), '')"
    return _scalar(x, kind)


def _scalar(x: str, kind: DataType) -> str:
    text = f"CAST({x} AS VARCHAR)"
    if is_float(kind):
        wide = f"CAST({x} AS DOUBLE)"
        whole = f"{wide} = trunc({wide}) AND abs({wide}) < {_WHOLE}"
        return (
            f"CASE WHEN {whole} THEN CAST(CAST({wide} AS BIGINT) AS VARCHAR) ELSE CAST({wide} AS VARCHAR) END"
        )
    if isinstance(kind, Decimal):
        return f"rtrim(rtrim({text}, '0'), '.')" if kind.scale else text
    if kind == DATE:
        return f"CAST(CAST({x} - DATE '1970-01-01' AS HUGEINT) * {_DAY_US} AS VARCHAR)"
    if isinstance(kind, Timestamp):
        if kind.unit == "us":
            return f"CAST(epoch_us({x}) AS VARCHAR)"
        ns = f"epoch_ns({x})"
        fraction = f"CASE WHEN {ns} % 1000 = 0 THEN '' ELSE '.' || ({ns} % 1000) END"
        return f"CAST({ns} // 1000 AS VARCHAR) || {fraction}"
    if kind == BINARY:
        return f"base64({x})"
    return f"CAST(json({x}) AS VARCHAR)" if kind == JSON else text


def _field(name: str, x: str, kind: DataType, depth: int = 0) -> str:
    """The arguments of `concat`, which passes over nulls, for a field that is `x`."""
    text = canonical(x, kind, depth)
    label = literal(f":{len(name.encode())}:{name}=")
    return f"strlen({text}), CASE WHEN {x} IS NOT NULL THEN {label} END, {text}"
