"""Tables as objects of a data contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.schema import types as t
from penstock.schema.formats.form import DATETIME_FORMAT, Notes, Parts, Raw, mappings
from penstock.schema.formats.odcs_types import is_secret, to_java, type_of
from penstock.schema.formats.patterns import anchored
from penstock.schema.formats.reading import Page, Spot
from penstock.schema.table import Column, Table
from penstock.schema.types import DataType, Decimal, Kind, List, Scalar, Struct, Timestamp

# Any throughout: contracts hold values of every type.
OURS = "penstock"
PLACE = "$$columns"
"""What stands where the columns of an object belong, while it is taken apart."""
HEAD_KEYS = frozenset({"name", "physicalName", "logicalType", "physicalType", "description", "properties"})
TYPE_KEYS = frozenset({"logicalType", "physicalType", "properties", "items", "map"})
COLUMN_KEYS = TYPE_KEYS | {
    "name", "physicalName", "logicalTypeOptions", "description", "required", "unique", "primaryKey",
    "primaryKeyPosition", "partitioned", "partitionKeyPosition",
}  # fmt: skip
_WORDS = {
    Kind.BOOL: "boolean", Kind.FLOAT32: "number", Kind.FLOAT64: "number", Kind.TEXT: "string",
    Kind.BINARY: "string", Kind.UUID: "string", Kind.DATE: "date", Kind.TIME: "time", Kind.JSON: "object",
}  # fmt: skip
_FORMATS = {
    Kind.INT8: "i8", Kind.INT16: "i16", Kind.INT32: "i32", Kind.UINT8: "u8", Kind.UINT16: "u16",
    Kind.UINT32: "u32", Kind.UINT64: "u64", Kind.FLOAT32: "f32", Kind.BINARY: "binary", Kind.UUID: "uuid",
}  # fmt: skip


def odcs_parts(table: Table, notes: Notes, version: str) -> Parts:
    """A table as an object of a contract of `version`, such as `v3.1.0`."""
    head: Raw = {"name": table.name, "logicalType": "object", "physicalType": "table"}
    if table.description is not None:
        head["description"] = table.description
    columns: list[tuple[str, Any]] = []
    for column in table.columns:
        raw = _property(column, version)
        for key, names in (("primaryKey", table.primary_key), ("partitioned", table.partitions)):
            if column.name in names:
                place = "partitionKeyPosition" if key == "partitioned" else "primaryKeyPosition"
                raw |= {key: True, place: names.index(column.name) + 1}
        columns.append((column.name, raw))
        for key in _ours(raw):
            notes.add(f"ODCS has no word for `{key}`: it is under the custom property `{OURS}`", column.name)
    return {**head, "properties": PLACE}, columns


def _ours(raw: Raw) -> Raw:
    custom = raw.get("customProperties") or [{}]
    found: Raw = custom[0]["value"] if custom[0].get("property") == OURS else {}
    return found


def _property(column: Column, version: str) -> Raw:
    raw, options, ours = _typed(column.type, version)
    raw = {"name": column.name, **raw}
    if column.description is not None:
        raw["description"] = column.description
    if not column.nullable:
        raw["required"] = True
    if column.unique:
        raw["unique"] = True
    _rules(column, raw, options, ours, version)
    if options:
        raw["logicalTypeOptions"] = options
    if not exact(column, raw):
        ours = {"type": str(column.type), **ours}
    custom: list[Any] = mappings(column.extra.get("customProperties"))
    custom = [c for c in custom if c.get("property") != OURS]
    if ours:
        custom = [{"property": OURS, "value": ours}, *custom]
    if custom:
        raw["customProperties"] = custom
    return raw


def exact(column: Column, raw: Raw) -> bool:
    """Whether the words of the standard alone say a column's type."""
    page = Page(column.name)
    return type_of(raw, page, Spot()) == column.type and not page.faults


def _rules(column: Column, raw: Raw, options: Raw, ours: Raw, version: str) -> None:
    """Put what is promised of a column's values where the version has a place for it."""
    listed = isinstance(column.type, List)
    if column.pattern is not None:
        options["pattern"] = anchored(column.pattern)
    for value, key in (
        (column.min_length, "minItems" if listed else "minLength"),
        (column.max_length, "maxItems" if listed else "maxLength"),
    ):
        if value is not None:
            options[key] = value
    plain = t.is_integer(column.type) or t.is_float(column.type)
    dated = isinstance(column.type, Timestamp) or raw.get("logicalType") in ("date", "time")
    for key, bound in (("minimum", column.minimum), ("maximum", column.maximum)):
        if bound is not None:
            (options if plain or dated else ours)[key] = bound
    if column.enum is not None:
        _enum(list(column.enum), column.extra, raw, ours, version)
    said = column.extra.get("classification")
    if column.sensitive and said is None:
        raw["classification"] = "confidential"
    elif column.sensitive != is_secret(said):
        ours["sensitive"] = column.sensitive
    if column.foreign_key is not None:
        to = column.foreign_key
        links = mappings(column.extra.get("relationships"))
        target = f"{to.table}.{', '.join(to.columns)}"
        there = len(to.columns) == 1 and target in [link.get("to") for link in links]
        if not links and version >= "v3.1.0" and len(to.columns) == 1:
            raw["relationships"] = [{"type": "foreignKey", "to": target}]
        elif not there:
            ours["foreign_key"] = {"table": to.table, "columns": list(to.columns)}
    if DATETIME_FORMAT in column.extra:
        java = to_java(str(column.extra[DATETIME_FORMAT])) if dated else None
        if java is not None:
            options["format"] = java
        else:
            ours[DATETIME_FORMAT] = column.extra[DATETIME_FORMAT]


def _enum(values: list[Any], extra: Mapping[str, Any], raw: Raw, ours: Raw, version: str) -> None:
    if version >= "v3.2.0" and all(isinstance(v, str | int) and not isinstance(v, bool) for v in values):
        known = {e["value"]: e for e in mappings(extra.get("enum")) if isinstance(e.get("value"), str | int)}
        raw["enum"] = [known.get(value, {"value": value}) for value in values]
    elif version >= "v3.1.0":
        rule = {"metric": "invalidValues", "arguments": {"validValues": values}, "mustBe": 0}
        others = [r for r in mappings(extra.get("quality")) if r.get("metric") != "invalidValues"]
        raw["quality"] = [{"type": "library", **rule}, *others]
    else:
        ours["enum"] = values


def _typed(kind: DataType, version: str) -> tuple[Raw, Raw, Raw]:
    """The keys that say a type, the options that go with it, and what only we understand of it."""
    if isinstance(kind, List):
        inner, options, _ = _typed(kind.item, version)
        items = {**inner, **({"logicalTypeOptions": options} if options else {})}
        return ({"logicalType": "array", "items": items} if items else {"logicalType": "array"}), {}, {}
    if isinstance(kind, Struct):
        fields = []
        for name, field in kind.fields:
            inner, options, _ = _typed(field, version)
            fields.append({"name": name, **inner, **({"logicalTypeOptions": options} if options else {})})
        return {"logicalType": "object", "properties": fields}, {}, {}
    if isinstance(kind, Decimal):
        physical = f"DECIMAL({kind.precision},{kind.scale})"
        return {"logicalType": "number", "physicalType": physical}, {}, {}
    if isinstance(kind, Timestamp):
        if version < "v3.1.0":  # 3.0 has no timestamps: dates whose physical type says more
            physical = "timestamp with time zone" if kind.zone else "timestamp"
            return {"logicalType": "date", "physicalType": physical}, {}, {}
        physical = "timestamp_ns" if kind.unit == "ns" else "timestamp"
        return {"logicalType": "timestamp", "physicalType": physical}, {"timezone": kind.zone}, {}
    assert isinstance(kind, Scalar)
    if kind == t.NULL:
        return {}, {}, {}
    raw: Raw = {"logicalType": _WORDS.get(kind.kind, "integer")}
    if kind == t.TIME and version < "v3.1.0":
        raw = {"logicalType": "string"}
    if kind == t.JSON:
        raw["physicalType"] = "json"
    form = _FORMATS.get(kind.kind)
    return raw, {"format": form} if form else {}, {}
