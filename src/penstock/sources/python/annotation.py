"""Annotated classes as columns: dataclasses and pydantic models, their types and bounds."""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from decimal import Decimal as PyDecimal
from typing import Any
from uuid import UUID

from penstock.errors import RefusedError
from penstock.schema import types as t
from penstock.schema.types import DataType, Decimal, List, Struct, Timestamp, merge_all

# Any throughout: annotations are whatever users write

Facts = dict[str, Any]
_PLAIN: dict[object, DataType] = {
    bool: t.BOOL, int: t.INT64, float: t.FLOAT64, str: t.TEXT, bytes: t.BINARY, date: t.DATE,
    time: t.TIME, UUID: t.UUID,
}  # fmt: skip
_BOUNDS = (("ge", "minimum"), ("le", "maximum"), ("min_length", "min_length"), ("max_length", "max_length"))


def is_model(value: object) -> bool:
    """Whether `value` is a pydantic model class; asks without importing pydantic."""
    return isinstance(value, type) and hasattr(value, "model_fields") and hasattr(value, "model_dump")


@dataclass(frozen=True, slots=True)
class Reading:
    """How a class is read: whether by its aliases, and inside of which classes it was met."""

    aliased: bool = False
    within: tuple[type, ...] = ()


def columns_of_class(cls: type, keys: Collection[str] = ()) -> dict[str, Facts]:
    """The facts of each column that a dataclass or a pydantic model promises, by its name.

    A model's columns are called as its fields, or by their aliases if it is dumped by alias or if
    a row with these `keys` has them. A plain `datetime`, `Decimal` or `Any` says too little (no zone,
    no digits): its column is there and the data tells its type. Raises: RefusedError.
    """
    aliases = {n: f.alias for n, f in getattr(cls, "model_fields", {}).items() if f.alias}
    reading = Reading(any(a in keys and name not in keys for name, a in aliases.items()))
    return {name: _facts(kind, marks, must, reading) for name, kind, marks, must in _fields(cls, reading)}


def _fields(cls: type, reading: Reading) -> Iterator[tuple[str, Any, Sequence[Any], bool]]:
    """Name, annotation, bounds, and whether a row without it is wrong, of each field."""
    if is_model(cls):
        model: Any = cls
        dumped = bool(model.model_config.get("serialize_by_alias"))
        for name, field in model.model_fields.items():
            alias = (dumped and field.serialization_alias) or ((dumped or reading.aliased) and field.alias)
            yield alias or name, field.annotation, field.metadata, field.is_required()
        return
    try:
        hints = typing.get_type_hints(cls, include_extras=True)
    except NameError as error:
        raise RefusedError(
            f"an annotation of `{cls.__name__}` cannot be read",
            found=str(error),
            hint="define the types that it names at the top of a module",
        ) from error
    for field in dataclasses.fields(cls):
        has_default = field.default is not dataclasses.MISSING
        has_default = has_default or field.default_factory is not dataclasses.MISSING
        yield field.name, hints[field.name], (), not has_default


def _facts(kind: Any, marks: Sequence[Any], required: bool, reading: Reading) -> Facts:
    kind, inner = _unwrapped(kind)
    marks = (*marks, *inner)
    found, nullable = type_of(kind, marks, reading)
    facts: Facts = {"nullable": nullable or not required}
    found = found if _is_known(found) else t.NULL
    if found != t.NULL:
        facts["type"] = found
    values = _choices(kind)
    if values:
        facts["enum"] = values
    for mark in marks:
        for theirs, ours in _BOUNDS:
            bound = getattr(mark, theirs, None)
            if bound is not None and found != t.NULL:
                facts[ours] = bound
    return facts


def type_of(kind: Any, marks: Sequence[Any] = (), reading: Reading | None = None) -> tuple[DataType, bool]:
    """The type of values with an annotation (`null` if it cannot tell), and whether None is one."""
    kind, inner = _unwrapped(kind)
    marks = (*marks, *inner)
    if kind is None or kind is type(None):
        return t.NULL, True
    if kind in _PLAIN:
        return _PLAIN[kind], False
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        parts = [type_of(a, (), reading) for a in typing.get_args(kind)]
        said = [(p, n) for p, n in parts if not (p == t.NULL and n)]
        merged = t.NULL if any(p == t.NULL for p, _ in said) else merge_all([p for p, _ in said])
        return merged, any(n for _, n in parts)
    if origin is typing.Literal:
        return merge_all([type_of(type(v))[0] for v in typing.get_args(kind)]), None in typing.get_args(kind)
    if origin in (list, set, frozenset, Sequence):
        return List(type_of((typing.get_args(kind) or (Any,))[0], (), reading)[0]), False
    return _of_class(kind, marks, reading or Reading()), kind is Any


def _of_class(kind: Any, marks: Sequence[Any], reading: Reading) -> DataType:
    if kind is dict or typing.get_origin(kind) in (dict, Mapping):
        return t.JSON
    if not isinstance(kind, type):
        return t.NULL
    if kind is datetime:
        return next((found for m in marks if (found := _zone(m)) is not None), t.NULL)
    if kind.__module__ == "pydantic.types" and kind.__name__ in ("AwareDatetime", "NaiveDatetime"):
        return Timestamp(kind.__name__ == "AwareDatetime")
    if issubclass(kind, PyDecimal):
        return _decimal(marks)
    if issubclass(kind, enum.Enum):
        return merge_all([type_of(type(m.value))[0] for m in kind])
    if is_model(kind) or dataclasses.is_dataclass(kind):
        return _struct(kind, reading)
    return next((_PLAIN[base] for base in kind.__mro__ if base in _PLAIN), t.NULL)


def _struct(kind: type, reading: Reading) -> DataType:
    """The type of a nested class; one that holds itself, or says too little, is left to the data."""
    if kind in reading.within:
        return t.NULL
    inner = replace(reading, within=(*reading.within, kind))
    nested = tuple((name, type_of(k, m, inner)[0]) for name, k, m, _ in _fields(kind, inner))
    return Struct(nested) if nested and all(_is_known(f) for _, f in nested) else t.NULL


def _is_known(kind: DataType) -> bool:
    return _is_known(kind.item) if isinstance(kind, List) else kind != t.NULL


def _unwrapped(kind: Any) -> tuple[Any, tuple[Any, ...]]:
    """An annotation without `Annotated`, and what was annotated."""
    if typing.get_origin(kind) is typing.Annotated:
        inner, *marks = typing.get_args(kind)
        return inner, tuple(marks)
    return kind, ()


def _zone(mark: Any) -> DataType | None:
    zone = getattr(mark, "tz_constraint", ...)
    return None if zone is ... else Timestamp(zone is not None)


def _decimal(marks: Sequence[Any]) -> DataType:
    digits = next((d for m in marks if (d := getattr(m, "max_digits", None)) is not None), None)
    places = next((p for m in marks if (p := getattr(m, "decimal_places", None)) is not None), None)
    if digits is None or places is None or not 0 < digits <= t.MAX_PRECISION:
        return t.NULL
    return Decimal(digits, places)


def _choices(kind: Any) -> tuple[Any, ...]:
    """The values that are allowed, where the annotation lists them."""
    if typing.get_origin(kind) is typing.Literal:
        return tuple(v for v in typing.get_args(kind) if v is not None)
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        parts = [a for a in typing.get_args(kind) if a is not type(None)]
        return _choices(parts[0]) if len(parts) == 1 else ()
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return tuple(m.value for m in kind)
    return ()
