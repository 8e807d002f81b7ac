"""JSON Schema (draft 2020-12, and what older drafts share with it): one object schema is one table.

Read: `type`, `properties`, `required`, `items`, `enum`, `const`, `pattern`, `minimum`, `maximum`
and their exclusive forms, lengths, `format`, `$ref` into the same file, and `anyOf`/`oneOf`/`allOf` as
far as one column type holds all of it. What JSON Schema has no word for is written, and read, under
the keyword `x-penstock`, which validators ignore.
Source: json-schema.org, drafts 7, 2019-09 and 2020-12.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from penstock.schema import types as t
from penstock.schema.formats.form import DATETIME_FORMAT, Form, Notes, Parts, Raw
from penstock.schema.formats.json_types import NO_MEANING, Typed, spell_type, understood
from penstock.schema.formats.patterns import searched, whole
from penstock.schema.formats.reading import Page, Spot, inclusive
from penstock.schema.table import Column, ForeignKey, Table
from penstock.schema.types import List

# Any throughout: a JSON schema holds values of every type.
OURS = "x-penstock"
DRAFT = "https://json-schema.org/draft/2020-12/schema"
HEAD_KEYS = frozenset({"$schema", "title", "description", "type", "properties", "required", OURS})
COLUMN_KEYS = frozenset({
    "type", "description", "enum", "const", "pattern", "minimum", "maximum", "exclusiveMinimum",
    "exclusiveMaximum", "minLength", "maxLength", "minItems", "maxItems", "format", "contentEncoding",
    "items", "properties", "required", "anyOf", "oneOf", "allOf", "$ref", OURS,
})  # fmt: skip
TYPE_KEYS = frozenset({
    "type", "format", "contentEncoding", "items", "properties", "required", "anyOf", "oneOf", "allOf", "$ref",
})  # fmt: skip


# -------------------------------------------------------------------------------------- reading


def read_json_schema(raw: Mapping[str, Any], name: str, page: Page) -> Table:
    """The table that an object schema describes; what is wrong, and not enforced, goes to `page`."""
    spot = Spot()
    body = Typed(raw, page).resolved(raw, spot)
    properties = body.get("properties")
    if not isinstance(properties, Mapping):
        page.fault(spot, "the schema describes no columns", expected="an object schema with `properties`")
        return Table(name)
    required = page.value(body, "required", list, "a list of names", spot) or ()
    ours = _ours(body)
    columns = [
        _column(str(key), schema, key in required, Typed(raw, page), Spot(("properties", key), str(key)))
        for key, schema in properties.items()
    ]
    return Table(
        name,
        tuple(columns),
        primary_key=_names(ours.get("primary_key"), properties, page, spot.key(OURS)),
        partitions=_names(ours.get("partitions"), properties, page, spot.key(OURS)),
        description=page.value(body, "description", str, "text", spot),
    )


def _ours(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """What stands under our own keyword."""
    ours = raw.get(OURS)
    return ours if isinstance(ours, Mapping) else {}


def _names(raw: Any, known: Mapping[str, Any], page: Page, spot: Spot) -> tuple[str, ...]:
    names = tuple(map(str, raw)) if isinstance(raw, Sequence) and not isinstance(raw, str) else ()
    for name in names:
        if name not in known:
            page.fault(spot, f"`{name}` is not a column")
    return names


def _column(name: str, schema: Any, required: bool, typed: Typed, spot: Spot) -> Column:
    raw, kind, nullable = typed.column(schema, spot)
    page = typed.page
    ours = _ours(raw)
    extra: Raw = {}
    if isinstance(ours.get(DATETIME_FORMAT), str):
        extra[DATETIME_FORMAT] = ours[DATETIME_FORMAT]
    enum = raw.get("enum") if isinstance(raw.get("enum"), list) else None
    if "const" in raw:
        enum = [raw["const"]]
    listed = isinstance(kind, List)
    if raw.get("format") is not None and not understood(raw):
        extra["format"] = raw["format"]
    for key in sorted((NO_MEANING & raw.keys()) | (extra.keys() & {"format"})):
        page.notes.add(f"`{key}` is kept, not enforced", name)
    pattern = page.value(raw, "pattern", str, "text", spot)
    column = Column(
        name,
        kind,
        nullable=(nullable or not required) and ours.get("nullable") is not False,
        description=page.value(raw, "description", str, "text", spot),
        enum=None if enum is None or listed else tuple(v for v in enum if v is not None),
        pattern=None if pattern is None else whole(pattern),
        minimum=ours.get("minimum", inclusive(raw, "minimum", t.is_integer(kind), page, name)),
        maximum=ours.get("maximum", inclusive(raw, "maximum", t.is_integer(kind), page, name)),
        min_length=raw.get("minItems" if listed else "minLength"),
        max_length=raw.get("maxItems" if listed else "maxLength"),
        unique=ours.get("unique") is True,
        sensitive=ours.get("sensitive") is True,
        foreign_key=_foreign_key(ours.get("foreign_key")),
        extra=extra,
    )
    return page.checked(column, spot)


def _foreign_key(raw: Any) -> ForeignKey | None:
    if not isinstance(raw, Mapping) or not isinstance(raw.get("columns"), list) or not raw["columns"]:
        return None
    return ForeignKey(str(raw.get("table")), tuple(map(str, raw["columns"])))


# -------------------------------------------------------------------------------------- writing


def json_schema_parts(table: Table, notes: Notes) -> Parts:
    """A table as an object schema."""
    head: Raw = {"$schema": DRAFT, "title": table.name}
    if table.description is not None:
        head["description"] = table.description
    head |= {"type": "object", "properties": None}
    if required := [c.name for c in table.columns if not c.nullable]:
        head["required"] = required
    ours = {
        k: list(v) for k, v in (("primary_key", table.primary_key), ("partitions", table.partitions)) if v
    }
    if ours:
        head[OURS] = ours
        for key in ours:
            notes.add(
                f"JSON Schema has no word for `{key}`: it is under `{OURS}`", f"the table `{table.name}`"
            )
    return head, [(c.name, _spelt(c, notes)) for c in table.columns]


def _spelt(column: Column, notes: Notes) -> Raw:
    raw, exact = spell_type(column.type)
    if DATETIME_FORMAT in column.extra and raw.pop("format", None) is not None:
        exact = False  # its texts are none of those that `format` promises
    ours: Raw = {} if exact else {"type": str(column.type)}
    if column.description is not None:
        raw["description"] = column.description
    if column.enum is not None:
        raw["enum"] = [*column.enum, *([None] if column.nullable else [])]
    if column.pattern is not None:
        raw["pattern"] = searched(column.pattern)
    for field, text_key, list_key in (
        ("min_length", "minLength", "minItems"), ("max_length", "maxLength", "maxItems"),
    ):  # fmt: skip
        if getattr(column, field) is not None:
            raw[list_key if isinstance(column.type, List) else text_key] = getattr(column, field)
    for key in ("minimum", "maximum"):
        bound = getattr(column, key)
        if isinstance(bound, int | float):
            raw[key] = bound
        elif bound is not None:
            ours[key] = bound
    ours |= _own_words(column)
    if not column.nullable and "type" not in raw and column.enum is None:
        ours["nullable"] = False
    if ours:
        raw[OURS] = ours
        for key in ours:
            notes.add(f"JSON Schema has no word for `{key}`: it is under `{OURS}`", column.name)
    if column.nullable and "type" in raw:
        raw["type"] = [raw["type"], "null"]
    return raw


def _own_words(column: Column) -> Raw:
    ours: Raw = {key: True for key in ("unique", "sensitive") if getattr(column, key)}
    if column.foreign_key is not None:
        ours["foreign_key"] = {"table": column.foreign_key.table, "columns": list(column.foreign_key.columns)}
    if DATETIME_FORMAT in column.extra:
        ours[DATETIME_FORMAT] = column.extra[DATETIME_FORMAT]
    return ours


def _split(raw: Mapping[str, Any]) -> Parts:
    properties = raw.get("properties")
    head = {**raw, "properties": None} if "properties" in raw else dict(raw)
    return head, [(str(k), v) for k, v in properties.items()] if isinstance(properties, Mapping) else []


def _join(head: Raw, columns: list[tuple[str, Any]]) -> Raw:
    return {**head, "properties": dict(columns)} if "properties" in head else dict(head)


def json_schema_form(read: Callable[[Raw, str], Table]) -> Form:
    """The form of object schemas."""
    return Form("json_schema", json_schema_parts, _split, _join, read, HEAD_KEYS, COLUMN_KEYS, TYPE_KEYS)
