"""Pydantic models as tables. Nothing of pydantic is imported: a model class says all of it itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.schema import types as t
from penstock.schema.annotation import Reading, bounds, is_model, told
from penstock.schema.formats.form import DATETIME_FORMAT, Raw
from penstock.schema.formats.patterns import whole
from penstock.schema.formats.reading import Page, Spot
from penstock.schema.table import Column, ForeignKey, Table
from penstock.schema.types import DataType, parse_type

__all__ = ["OURS", "is_model", "read_pydantic"]

# Any throughout: annotations are whatever people write.
OURS = "x-penstock"


def _name(key: str, field: Any) -> str:
    return str(field.serialization_alias or field.alias or key)


_READING = Reading(_name, anything=t.JSON)


def read_pydantic(model: Any, name: str, page: Page) -> Table:
    """The table whose rows a model describes; what is wrong, and not enforced, goes to `page`.

    A field is called by its alias, if it has one. A plain `datetime` or `Decimal` leaves zone or
    digits open: its column's type is left to the data.
    """
    said = _ours(model.model_config.get("json_schema_extra"))
    columns = [_column(key, field, page) for key, field in model.model_fields.items()]
    doc = model.__dict__.get("__doc__")
    return Table(
        name,
        tuple(columns),
        primary_key=tuple(said.get("primary_key", ())),
        partitions=tuple(said.get("partitions", ())),
        description=doc.strip() if isinstance(doc, str) and doc.strip() else None,
    )


def _ours(extra: Any) -> Mapping[str, Any]:
    ours = extra.get(OURS) if isinstance(extra, Mapping) else None
    return ours if isinstance(ours, Mapping) else {}


def _column(key: str, field: Any, page: Page) -> Column:
    ours = _ours(field.json_schema_extra)
    said = told(field.annotation, field.metadata, _READING)
    kind = said.type
    if kind == t.NULL and "type" not in ours:
        page.notes.add("the type is left to the data: a zone, or the digits, are not said", key)
    if isinstance(ours.get("type"), str):
        kind = parse_type(ours["type"])
    found = _bounds(said.marks, kind, key, page)
    target = ours.get("foreign_key")
    column = Column(
        _name(key, field),
        kind,
        nullable=said.nullable or (not field.is_required() and field.default is None),
        description=field.description,
        enum=tuple(ours["enum"]) if "enum" in ours else said.values or None,
        pattern=whole(found["pattern"]) if "pattern" in found else None,
        minimum=ours.get("minimum", found.get("ge")),
        maximum=ours.get("maximum", found.get("le")),
        min_length=found.get("min_length"),
        max_length=found.get("max_length"),
        unique=ours.get("unique") is True,
        sensitive=ours.get("sensitive") is True,
        foreign_key=ForeignKey(target["table"], tuple(target["columns"])) if target else None,
        extra={DATETIME_FORMAT: ours[DATETIME_FORMAT]} if DATETIME_FORMAT in ours else {},
    )
    return page.checked(column, Spot((key,), key))


def _bounds(marks: Sequence[Any], kind: DataType, key: str, page: Page) -> Raw:
    """The constraints of a field; what cannot be enforced is noted."""
    found: Raw = bounds(marks, kind)
    if "multiple_of" in found:
        page.notes.add("`multiple_of` is kept in the model, not enforced", key)
    for beyond, word in (("gt", "ge"), ("lt", "le")):
        if beyond in found:
            page.notes.add(f"`{beyond}` is read as `{word}`, which lets the bound itself pass", key)
            found.setdefault(word, found[beyond])
    return found
