"""Pydantic models as tables. Nothing of pydantic is imported: a model class says all of it itself."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal as Exact
from enum import Enum
from typing import Any
from uuid import UUID

from penstock.schema import types as t
from penstock.schema.formats.form import DATETIME_FORMAT, Raw
from penstock.schema.formats.patterns import whole
from penstock.schema.formats.reading import Page, Spot
from penstock.schema.table import Column, ForeignKey, Table
from penstock.schema.types import DataType, Decimal, List, Struct, Timestamp, merge_all, parse_type

# Any throughout: annotations are whatever people write.
OURS = "x-penstock"
_PLAIN: Mapping[Any, DataType] = {
    bool: t.BOOL, int: t.INT64, float: t.FLOAT64, str: t.TEXT, bytes: t.BINARY, date: t.DATE,
    time: t.TIME, UUID: t.UUID,
}  # fmt: skip


def is_model(value: object) -> bool:
    """Whether `value` is a class of pydantic's."""
    return isinstance(value, type) and hasattr(value, "model_fields") and hasattr(value, "model_config")


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
    kind, nullable, values = _told(field.annotation, field.metadata)
    if kind == t.NULL and "type" not in ours:
        page.notes.add("the type is left to the data: a zone, or the digits, are not said", key)
    if isinstance(ours.get("type"), str):
        kind = parse_type(ours["type"])
    bounds = _bounds(field, t.is_integer(kind), key, page)
    target = ours.get("foreign_key")
    column = Column(
        str(field.serialization_alias or field.alias or key),
        kind,
        nullable=nullable or (not field.is_required() and field.default is None),
        description=field.description,
        enum=tuple(ours["enum"]) if "enum" in ours else values or None,
        pattern=whole(bounds["pattern"]) if "pattern" in bounds else None,
        minimum=ours.get("minimum", bounds.get("ge")),
        maximum=ours.get("maximum", bounds.get("le")),
        min_length=bounds.get("min_length"),
        max_length=bounds.get("max_length"),
        unique=ours.get("unique") is True,
        sensitive=ours.get("sensitive") is True,
        foreign_key=ForeignKey(target["table"], tuple(target["columns"])) if target else None,
        extra={DATETIME_FORMAT: ours[DATETIME_FORMAT]} if DATETIME_FORMAT in ours else {},
    )
    return page.checked(column, Spot((key,), key))


def _bounds(field: Any, integer: bool, key: str, page: Page) -> Raw:
    """The constraints of a field, exclusive bounds of whole numbers moved by one."""
    found: Raw = {}
    for mark in _marks(field.annotation, field.metadata):
        for word in ("ge", "le", "gt", "lt", "min_length", "max_length", "pattern"):
            value = getattr(mark, word, None)
            if value is not None:
                found[word] = getattr(value, "pattern", value)
        if getattr(mark, "multiple_of", None) is not None:
            page.notes.add("`multiple_of` is kept in the model, not enforced", key)
    for beyond, word, step in (("gt", "ge", 1), ("lt", "le", -1)):
        if beyond in found:
            if not integer:
                page.notes.add(f"`{beyond}` is read as `{word}`, which lets the bound itself pass", key)
            found.setdefault(word, found[beyond] + step if integer else found[beyond])
    return {word: _plain(value) for word, value in found.items()}


def _plain(value: Any) -> Any:
    """A bound as metadata files hold it: dates and decimals as text."""
    if isinstance(value, Exact):
        return str(value)
    return value.isoformat() if isinstance(value, date | time) else value


def _marks(kind: Any, marks: Sequence[Any]) -> list[Any]:
    """What annotates a type, wherever in an optional type it stands."""
    found = list(marks)
    if typing.get_origin(kind) is typing.Annotated:
        inner, *more = typing.get_args(kind)
        return [*_marks(inner, found), *_unpacked(more)]
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        some = [k for k in typing.get_args(kind) if k is not type(None)]
        return _marks(some[0], found) if len(some) == 1 else found
    return found


def _unpacked(marks: Sequence[Any]) -> list[Any]:
    """Marks with the metadata of `Field(...)` in place of the field."""
    return [m for mark in marks for m in (getattr(mark, "metadata", None) or [mark])]


def _told(kind: Any, marks: Sequence[Any]) -> tuple[DataType, bool, tuple[Any, ...]]:
    """The type of an annotation, whether None is among its values, and its values if they are listed."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return _told(inner[0], [*marks, *_unpacked(inner[1:])])
    if origin in (typing.Union, types.UnionType):
        some = [_told(k, marks) for k in inner if k is not type(None)]
        nullable = len(some) < len(inner) or any(n for _, n, _ in some)
        unclear = any(k == t.NULL for k, _, _ in some)
        merged = t.NULL if unclear else merge_all([k for k, _, _ in some])
        return merged, nullable, some[0][2] if len(some) == 1 else ()
    if origin is typing.Literal:
        values = tuple(v.value if isinstance(v, Enum) else v for v in inner)
        return _of_values(values), None in values, tuple(v for v in values if v is not None)
    if isinstance(kind, type) and issubclass(kind, Enum):
        values = tuple(member.value for member in kind)
        return _of_values(values), False, values
    if kind is Any:
        return t.JSON, True, ()
    return _type(kind, origin, inner, marks), kind is type(None), ()


def _of_values(values: Sequence[Any]) -> DataType:
    return merge_all([_PLAIN.get(type(v), t.NULL) for v in values])


def _type(kind: Any, origin: Any, inner: tuple[Any, ...], marks: Sequence[Any]) -> DataType:
    if kind in _PLAIN:
        return _PLAIN[kind]
    base = origin or kind
    if base in (list, set, frozenset, Sequence) or (base is tuple and inner[1:] == (...,)):
        return List(_told(inner[0], ())[0] if inner else t.JSON)
    if not isinstance(base, type):
        return t.NULL
    if issubclass(base, Mapping) or base is tuple:
        return t.JSON
    if is_model(base):
        fields = [
            (str(f.serialization_alias or f.alias or n), _told(f.annotation, f.metadata)[0])
            for n, f in typing.cast("Any", base).model_fields.items()
        ]
        return Struct(tuple(fields)) if fields else t.JSON
    if base is datetime or issubclass(base, datetime):
        return _zoned([*marks])
    if base.__name__ in ("AwareDatetime", "NaiveDatetime"):
        return Timestamp(zone=base.__name__ == "AwareDatetime")
    if issubclass(base, Exact):
        return _digits(marks)
    return next((_PLAIN[b] for b in base.__mro__ if b in _PLAIN), t.NULL)


def _zoned(marks: Sequence[Any]) -> DataType:
    for mark in marks:
        zone = getattr(mark, "tz_constraint", getattr(mark, "tz", False))
        if zone is not False:
            return Timestamp(zone=zone is not None)
    return t.NULL


def _digits(marks: Sequence[Any]) -> DataType:
    digits = next((m.max_digits for m in marks if getattr(m, "max_digits", None) is not None), None)
    places = next((m.decimal_places for m in marks if getattr(m, "decimal_places", None) is not None), None)
    known = isinstance(digits, int) and isinstance(places, int) and 0 < digits <= t.MAX_PRECISION
    return Decimal(digits, places) if known and digits is not None and places is not None else t.NULL
