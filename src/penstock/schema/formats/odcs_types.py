"""Column types of contracts: logical and physical types as ours, and the date formats of Java as ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from penstock.errors import suggest
from penstock.schema import types as t
from penstock.schema.faults import either
from penstock.schema.formats.reading import Page, Spot
from penstock.schema.types import DataType, Decimal, Kind, List, Scalar, Struct, Timestamp

# Any throughout: contracts hold values of every type.
_LOGICAL: Mapping[str, DataType] = {
    "string": t.TEXT, "date": t.DATE, "timestamp": t.TIMESTAMP, "time": t.TIME, "number": t.FLOAT64,
    "integer": t.INT64, "boolean": t.BOOL,
}  # fmt: skip
_NESTED = ("object", "array", "map")
_PHYSICAL: Mapping[str, DataType] = {
    "tinyint": Scalar(Kind.INT8), "smallint": Scalar(Kind.INT16), "int2": Scalar(Kind.INT16),
    "int": Scalar(Kind.INT32), "integer": Scalar(Kind.INT32), "int4": Scalar(Kind.INT32),
    "bigint": t.INT64, "int8": t.INT64, "long": t.INT64,
    "real": Scalar(Kind.FLOAT32), "float4": Scalar(Kind.FLOAT32), "float8": t.FLOAT64,
    "double": t.FLOAT64, "double precision": t.FLOAT64,
    "bool": t.BOOL, "boolean": t.BOOL, "date": t.DATE, "time": t.TIME, "uuid": t.UUID,
    "uniqueidentifier": t.UUID, "json": t.JSON, "jsonb": t.JSON, "variant": t.JSON,
    "bytea": t.BINARY, "binary": t.BINARY, "varbinary": t.BINARY, "blob": t.BINARY, "bytes": t.BINARY,
    "timestamp": t.TIMESTAMP, "datetime": t.TIMESTAMP, "timestamp_ntz": t.TIMESTAMP,
    "timestamp without time zone": t.TIMESTAMP, "datetime2": t.TIMESTAMP,
    "timestamptz": t.TIMESTAMP_TZ, "timestamp_tz": t.TIMESTAMP_TZ, "timestamp_ltz": t.TIMESTAMP_TZ,
    "timestamp with time zone": t.TIMESTAMP_TZ, "datetimeoffset": t.TIMESTAMP_TZ,
    "timestamp_ns": Timestamp(zone=False, unit="ns"),
}  # fmt: skip
_ALLOWED: Mapping[str, frozenset[str]] = {
    "integer": frozenset({"tinyint", "smallint", "int2", "int", "int4", "bigint", "int8", "long"}),
    "number": frozenset({"real", "float4", "float8", "double", "double precision", "tinyint", "smallint",
                         "int2", "int", "integer", "int4", "bigint", "int8"}),
    "string": frozenset({"uuid", "uniqueidentifier", "json", "jsonb", "variant", "bytea", "binary",
                         "varbinary", "blob", "bytes"}),
    "timestamp": frozenset(k for k, v in _PHYSICAL.items() if isinstance(v, Timestamp)),
    "date": frozenset(k for k, v in _PHYSICAL.items() if isinstance(v, Timestamp) or v == t.DATE),
    "object": frozenset({"json", "jsonb", "variant"}),
    "array": frozenset({"json", "jsonb", "variant"}),
}  # fmt: skip
"""The physical types that say more than a logical one; others contradict it or say nothing new."""
_RUST = {"i8": "int8", "i16": "int16", "i32": "int32", "i64": "int64",
         "u8": "uint8", "u16": "uint16", "u32": "uint32", "u64": "uint64",
         "f32": "float32", "f64": "float64"}  # fmt: skip
_SECRET = re.compile(
    r"(?i)confidential|restricted|secret|sensitive|personal|\bpii\b|special.?category|\bphi\b"
)
_DECIMAL = re.compile(r"(?i)\s*(?:decimal|numeric|number|dec)\s*(?:\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?\s*")


def is_secret(classification: Any) -> bool:
    """Whether values of that classification must not be shown."""
    return bool(_SECRET.search(str(classification or "")))


def type_of(raw: Mapping[str, Any], page: Page, spot: Spot) -> DataType:
    """The type of a property, or of the items of one; `null` if the contract does not say."""
    logical = raw.get("logicalType")
    options = raw.get("logicalTypeOptions")
    options = options if isinstance(options, Mapping) else {}
    physical = str(raw.get("physicalType") or "")
    if logical is None and any(key in raw for key in ("properties", "items")):
        logical = "object" if "properties" in raw else "array"
    if logical is not None and str(logical) not in (*_LOGICAL, *_NESTED):
        what = f"`{logical}` is no logical type"
        words = [*_LOGICAL, *_NESTED]
        page.fault(spot.key("logicalType"), what, expected=either(words), hint=suggest(str(logical), words))
        return t.NULL
    if logical in _NESTED:
        return _nested(str(logical), raw, page, spot)
    said = _physical(physical, None if logical is None else str(logical))
    if logical is None:
        return said if said is not None else t.NULL
    kind = _LOGICAL[str(logical)]
    form = str(options.get("format", ""))
    if logical in ("integer", "number") and form in _RUST:
        return Scalar(Kind(_RUST[form]))
    if logical in ("integer", "number") and form in ("i128", "u128"):
        return Decimal(t.MAX_PRECISION, 0)
    if said is not None:
        kind = said
    elif logical == "string" and form in ("uuid", "binary", "byte"):
        kind = t.UUID if form == "uuid" else t.BINARY
    if isinstance(kind, Timestamp) and options.get("timezone") is True:
        kind = Timestamp(zone=True, unit=kind.unit)
    return kind


def _physical(text: str, logical: str | None) -> DataType | None:
    """The type that a physical type says, if it says more than the logical type or there is none."""
    if (match := _DECIMAL.fullmatch(text)) and logical in (None, "number", "integer"):
        precision, scale = int(match[1] or t.MAX_PRECISION), int(match[2] or (0 if match[1] else 9))
        return Decimal(precision, scale) if 0 < precision <= t.MAX_PRECISION and scale <= precision else None
    word = re.sub(r"\s*\(.*?\)", "", text).strip().lower()
    if logical is None:
        textual = re.match(r"(?:n?(?:var)?char|character|text|string|clob|nvarchar)", word)
        return t.TEXT if textual else _PHYSICAL.get(word)
    return _PHYSICAL.get(word) if word in _ALLOWED.get(logical, ()) else None


def _nested(logical: str, raw: Mapping[str, Any], page: Page, spot: Spot) -> DataType:
    if logical == "object":
        properties = raw.get("properties")
        if not isinstance(properties, list) or not properties:
            return t.JSON
        return Struct(tuple(_fields(properties, page, spot)))
    if logical == "array":
        items = raw.get("items")
        return List(type_of(items, page, spot.key("items")) if isinstance(items, Mapping) else t.JSON)
    inner = raw.get("map")
    inner = inner if isinstance(inner, Mapping) else {}
    pair = [(k, inner.get(k)) for k in ("key", "value")]
    fields = ((k, type_of(v, page, spot.key(k)) if isinstance(v, Mapping) else t.TEXT) for k, v in pair)
    return List(Struct(tuple(fields)))


def _fields(properties: list[Any], page: Page, spot: Spot) -> list[tuple[str, DataType]]:
    fields: list[tuple[str, DataType]] = []
    for number, raw in enumerate(properties):
        name = (raw.get("physicalName") or raw.get("name")) if isinstance(raw, Mapping) else None
        if name is None:
            page.fault(spot.key(number), "a property has no `name`")
            continue
        fields.append((str(name), type_of(raw, page, Spot(spot.path, f"{spot.label}.{name}"))))
    return fields


# ------------------------------------------------------------------------------------ date formats

_JAVA = {
    "yyyy": "%Y", "uuuu": "%Y", "YYYY": "%Y", "yy": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m",
    "dd": "%d", "DD": "%d", "DDD": "%j", "HH": "%H", "hh": "%I", "mm": "%M", "ss": "%S", "a": "%p",
    "SSS": "%f", "SSSSSS": "%f", "EEE": "%a", "EEEE": "%A", "Z": "%z", "X": "%z", "XX": "%z", "XXX": "%z",
    "xxx": "%z",
}  # fmt: skip
_RUN = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|.", re.DOTALL)
_ISO = re.compile(r"%Y-%m-%d(?:[T ]%H:%M:%S(?:\.%f)?(?:%z)?)?|%H:%M:%S(?:\.%f)?")


def java_format(pattern: Any, column: str, page: Page) -> str | None:
    """A date format of Java as one of `strptime`; None for ISO 8601, which needs none."""
    if not isinstance(pattern, str) or pattern in ("date", "date-time", "time"):
        return None
    out: list[str] = []
    for run in _RUN.finditer(pattern):
        text = run[0]
        if run[1] is not None:
            out.append(run[1].replace("''", "'") or "'")
        elif text.isalpha() and text != "T":
            if text not in _JAVA:
                page.notes.add(f"the date format `{pattern}` is kept, not understood", column)
                return None
            out.append(_JAVA[text])
        else:
            out.append(text.replace("%", "%%"))
    found = "".join(out)
    return None if _ISO.fullmatch(found) else found


def to_java(pattern: str) -> str | None:
    """A format of `strptime` as one of Java; None if Java has no such thing."""
    back = {"%Y": "yyyy", "%y": "yy", "%B": "MMMM", "%b": "MMM", "%m": "MM", "%d": "dd", "%j": "DDD",
            "%H": "HH", "%I": "hh", "%M": "mm", "%S": "ss", "%p": "a", "%f": "SSSSSS", "%a": "EEE",
            "%A": "EEEE", "%z": "XXX"}  # fmt: skip
    out: list[str] = []
    for part in re.findall(r"%.|[A-Za-z]+|[^%A-Za-z]+", pattern):
        if part.startswith("%"):
            if part not in back:
                return None
            out.append(back[part])
        else:
            out.append(f"'{part}'" if part.isalpha() and part != "T" else part)
    return "".join(out)
