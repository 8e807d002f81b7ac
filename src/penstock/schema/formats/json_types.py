"""Column types as JSON schemas, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.schema import types as t
from penstock.schema.formats.form import Raw
from penstock.schema.formats.reading import Page, Spot
from penstock.schema.types import (
    DataType,
    Decimal,
    Kind,
    List,
    Scalar,
    Struct,
    Timestamp,
    merge_all,
    parse_type,
)

# Any throughout: a JSON schema holds values of every type.
NO_MEANING = frozenset({
    "multipleOf", "uniqueItems", "contains", "minContains", "maxContains", "prefixItems",
    "additionalItems", "additionalProperties", "unevaluatedProperties", "unevaluatedItems",
    "patternProperties", "propertyNames", "minProperties", "maxProperties", "dependentRequired",
    "dependentSchemas", "dependencies", "if", "then", "else", "not",
})  # fmt: skip
"""Keywords that promise something which no rule of ours says."""
_OURS = "x-penstock"
_BY_TYPE: Mapping[str, DataType] = {
    "string": t.TEXT, "integer": t.INT64, "number": t.FLOAT64, "boolean": t.BOOL,
}  # fmt: skip
_BY_TEXT: Mapping[tuple[str, str], DataType] = {
    ("string", "date"): t.DATE, ("string", "date-time"): t.TIMESTAMP_TZ, ("string", "time"): t.TIME,
    ("string", "uuid"): t.UUID, ("string", "binary"): t.BINARY, ("string", "byte"): t.BINARY,
    ("number", "float"): Scalar(Kind.FLOAT32), ("number", "double"): t.FLOAT64,
}  # fmt: skip
_BY_WIDTH: Mapping[tuple[str, str], DataType] = {
    ("integer", kind.value): Scalar(kind) for kind in Kind if "int" in kind.value
}
_BY_FORMAT = {**_BY_TEXT, **_BY_WIDTH}
_SPELT: Mapping[DataType, Raw] = {
    t.TEXT: {"type": "string"}, t.BOOL: {"type": "boolean"}, t.INT64: {"type": "integer"},
    t.FLOAT64: {"type": "number"},
    t.BINARY: {"type": "string", "contentEncoding": "base64"},
} | {
    kind: {"type": base, "format": form} for (base, form), kind in _BY_FORMAT.items()
    if (form not in ("binary", "byte", "double", "int64"))
}  # fmt: skip


@dataclass(slots=True)
class Typed:
    """The types of the schemas in one file, `root`, whose references are followed."""

    root: Mapping[str, Any]
    page: Page
    open: list[str] = field(default_factory=list)

    def column(self, schema: Any, spot: Spot) -> tuple[Raw, DataType, bool]:
        """A column's schema with its references filled in, its type, and whether null may be."""
        raw = self.resolved(schema, spot)
        kind, nullable = self.kind(raw, spot)
        return raw, kind, nullable

    def resolved(self, schema: Any, spot: Spot) -> Raw:
        """A schema as one mapping: references, a single `allOf`, and `anyOf` with null filled in."""
        if schema is True:
            return {}
        if not isinstance(schema, Mapping):
            self.page.fault(spot, "this is no schema", found=repr(schema), expected="a mapping")
            return {}
        raw = dict(schema)
        if isinstance(raw.get("$ref"), str):
            raw = {**self._target(raw["$ref"], spot), **{k: v for k, v in raw.items() if k != "$ref"}}
        for part in _schemas(raw, "allOf"):
            raw = {**self.resolved(part, spot), **raw}
        for key in ("anyOf", "oneOf"):
            readers = [(Typed(self.root, self.page, [*self.open]), c) for c in _schemas(raw, key)]
            choices = [(reader.resolved(c, spot), reader) for reader, c in readers]
            some = [(c, reader) for c, reader in choices if c.get("type") != "null"]
            if len(some) == 1:
                raw = {**some[0][0], **{k: v for k, v in raw.items() if k != key}}
                self.open = some[0][1].open
                if len(choices) > 1:
                    raw["type"] = _with_null(raw.get("type"))
        return raw

    def _target(self, ref: str, spot: Spot) -> Raw:
        if not ref.startswith("#"):
            self.page.fault(spot, f"`{ref}` is in another file", expected="a reference into this file")
            return {}
        if ref in self.open:
            return {}  # a schema that holds itself: any JSON
        target: Any = self.root
        for step in ref.lstrip("#").strip("/").split("/") if ref != "#" else ():
            step = step.replace("~1", "/").replace("~0", "~")
            target = target.get(step) if isinstance(target, Mapping) else None
        if not isinstance(target, Mapping):
            self.page.fault(spot, f"`{ref}` leads nowhere")
            return {}
        self.open.append(ref)
        return self.resolved(target, spot)

    def kind(self, raw: Raw, spot: Spot) -> tuple[DataType, bool]:
        """The column type of a resolved schema, and whether it lets null pass."""
        ours = raw.get(_OURS)
        names = raw.get("type")
        listed = names if isinstance(names, list) else [names] if names is not None else []
        values = raw.get("enum")
        nullable = (not listed or "null" in listed) and (not isinstance(values, list) or None in values)
        if isinstance(ours, Mapping) and isinstance(ours.get("type"), str):
            try:
                return parse_type(ours["type"]), nullable
            except ValueError as error:
                self.page.fault(spot.key(_OURS), f"`{ours['type']}` is not a type: {error}")
        for choices in (_schemas(raw, "anyOf"), _schemas(raw, "oneOf")):
            if choices:
                kinds = [Typed(self.root, self.page, [*self.open]).column(c, spot) for c in choices]
                return merge_all([k for _, k, _ in kinds]), any(n for _, _, n in kinds)
        words = [str(w) for w in listed if w != "null"]
        if not words:
            return _of_values(raw) if not listed else t.NULL, nullable
        return merge_all([self._word(word, raw, spot) for word in words]), nullable

    def _word(self, word: str, raw: Raw, spot: Spot) -> DataType:
        if word == "object":
            return self._object(raw, spot)
        if word == "array":
            items = raw.get("items")
            if not isinstance(items, Mapping) or "prefixItems" in raw:
                return List(t.JSON)
            _, kind, _ = Typed(self.root, self.page, [*self.open]).column(items, spot.key("items"))
            return List(kind)
        if word not in _BY_TYPE:
            what, known = f"`{word}` is no type of JSON", [*_BY_TYPE, "object", "array"]
            self.page.fault(spot.key("type"), what, expected=", ".join(known))
            return t.NULL
        if word == "string" and raw.get("contentEncoding") == "base64":
            return t.BINARY
        return _BY_FORMAT.get((word, str(raw.get("format"))), _BY_TYPE[word])

    def _object(self, raw: Raw, spot: Spot) -> DataType:
        properties = raw.get("properties")
        if not isinstance(properties, Mapping) or not properties:
            return t.JSON
        fields = []
        for name, schema in properties.items():
            inner = Typed(self.root, self.page, [*self.open])
            _, kind, _ = inner.column(schema, spot.key(str(name)))
            fields.append((str(name), kind))
        return Struct(tuple(fields))


def _schemas(raw: Raw, key: str) -> list[Any]:
    found = raw.get(key)
    return found if isinstance(found, list) else []


def _with_null(kind: Any) -> Any:
    names = kind if isinstance(kind, list) else [kind]
    return kind if kind is None or "null" in names else [*names, "null"]


def _of_values(raw: Raw) -> DataType:
    """The type of a schema that names none: that of its values, or any JSON."""
    values = [raw["const"]] if "const" in raw else raw.get("enum")
    if not isinstance(values, list) or not values:
        return t.JSON
    kinds = {bool: t.BOOL, int: t.INT64, float: t.FLOAT64, str: t.TEXT, type(None): t.NULL}
    return merge_all([kinds.get(type(v), t.JSON) for v in values])


def understood(raw: Raw) -> bool:
    """Whether the `format` of a schema says something of its column type."""
    kinds = raw.get("type") if isinstance(raw.get("type"), list) else [raw.get("type")]
    return any((str(kind), str(raw.get("format"))) in _BY_FORMAT for kind in kinds or ())


def spell_type(kind: DataType) -> tuple[Raw, bool]:
    """A type as a schema, and whether the schema alone says all of it."""
    if kind in _SPELT:
        return dict(_SPELT[kind]), True
    if kind in (t.JSON, t.NULL):
        return {}, kind == t.JSON
    if isinstance(kind, Decimal):
        return {"type": "number"}, False
    if isinstance(kind, Timestamp):
        return {"type": "string"} | ({"format": "date-time"} if kind.zone else {}), kind == t.TIMESTAMP_TZ
    if isinstance(kind, List):
        inner, exact = spell_type(kind.item)
        return {"type": "array", "items": _nullable(inner)}, exact
    assert isinstance(kind, Struct)
    found = {name: spell_type(field) for name, field in kind.fields}
    properties = {name: _nullable(inner) for name, (inner, _) in found.items()}
    exact = bool(found) and all(whole for _, whole in found.values())
    return {"type": "object", "properties": properties}, exact


def _nullable(schema: Raw) -> Raw:
    return {**schema, "type": [schema["type"], "null"]} if "type" in schema else schema
