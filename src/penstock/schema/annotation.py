"""Annotated classes as types: dataclasses, pydantic models and whatever their fields are annotated with.

Nothing of pydantic is imported: a model class says all of it itself. What an annotation leaves open (the
zone of a `datetime`, the digits of a `Decimal`) is the type `null`, which data tells later.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from decimal import Decimal as Exact
from enum import Enum
from typing import Any
from uuid import UUID

from penstock.errors import RefusedError
from penstock.schema import types as t
from penstock.schema.types import DataType, Decimal, List, Struct, Timestamp, merge_all

# Any throughout: annotations are whatever people write

_PLAIN: Mapping[Any, DataType] = {
    bool: t.BOOL, int: t.INT64, float: t.FLOAT64, str: t.TEXT, bytes: t.BINARY, date: t.DATE,
    time: t.TIME, UUID: t.UUID,
}  # fmt: skip
_WORDS = ("ge", "le", "gt", "lt", "min_length", "max_length", "pattern", "multiple_of")
_BEYOND = (("gt", "ge", 1), ("lt", "le", -1))


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a class: its column's name, annotation and marks, and whether a row without it is wrong."""

    name: str
    kind: Any
    marks: tuple[Any, ...] = ()
    required: bool = True


@dataclass(frozen=True, slots=True)
class Reading:
    """How classes are read: what a model's field is called, and what the type of `Any` is.

    `within` are the classes around the present one: one that holds itself has no type there.
    """

    name_of: Callable[[str, Any], str] = lambda name, _: name
    anything: DataType = t.NULL
    within: tuple[type, ...] = ()


PLAINLY = Reading()


@dataclass(frozen=True, slots=True)
class Told:
    """What an annotation tells: a type, whether None is among its values, those that it lists, and marks."""

    type: DataType
    nullable: bool = False
    values: tuple[Any, ...] = ()
    marks: tuple[Any, ...] = ()


def is_model(value: object) -> bool:
    """Whether `value` is a class of pydantic's; asks without importing it."""
    return isinstance(value, type) and hasattr(value, "model_fields") and hasattr(value, "model_config")


def fields_of(cls: Any, reading: Reading = PLAINLY) -> Iterator[Field]:
    """The fields of a model or dataclass. Raises: RefusedError for annotations that cannot be read."""
    if is_model(cls):
        for name, field in cls.model_fields.items():
            marks = tuple(field.metadata)
            yield Field(reading.name_of(name, field), field.annotation, marks, field.is_required())
        return
    try:
        hints = typing.get_type_hints(cls, include_extras=True)
    except NameError as error:
        raise RefusedError(
            f"an annotation of `{cls.__name__}` cannot be read",
            found=str(error),
            hint="define the types that it names at the top of a module",
        ) from error
    for one in dataclasses.fields(cls):
        required = one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING
        yield Field(one.name, hints[one.name], required=required)


def told(kind: Any, marks: Sequence[Any] = (), reading: Reading = PLAINLY) -> Told:
    """What an annotation tells of the values that it is for."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return told(inner[0], (*marks, *_unpacked(inner[1:])), reading)
    marks = tuple(marks)
    if origin in (typing.Union, types.UnionType):
        return _union([told(k, marks, reading) for k in inner if k is not type(None)], len(inner), marks)
    if origin is typing.Literal:
        values = tuple(v.value if isinstance(v, Enum) else v for v in inner)
        said = tuple(v for v in values if v is not None)
        return Told(_of_values(said), None in values, said, marks)
    if isinstance(kind, type) and issubclass(kind, Enum):
        values = tuple(member.value for member in kind)
        return Told(_of_values(values), False, values, marks)
    if kind is Any or kind is None or kind is type(None):
        return Told(reading.anything if kind is Any else t.NULL, True, (), marks)
    return Told(_type(kind, origin, inner, marks, reading), marks=marks)


def is_known(kind: DataType) -> bool:
    """Whether nothing of a type is left to the data."""
    if isinstance(kind, List):
        return is_known(kind.item)
    return all(is_known(k) for _, k in kind.fields) if isinstance(kind, Struct) else kind != t.NULL


def bounds(marks: Sequence[Any], kind: DataType) -> dict[str, Any]:
    """The constraints among some marks by their words, plain enough for metadata files.

    For whole numbers `gt` and `lt` are moved by one, to `ge` and `le`.
    """
    found: dict[str, Any] = {}
    for mark in marks:
        for word in _WORDS:
            value = getattr(mark, word, None)
            if value is not None:
                found[word] = getattr(value, "pattern", value)
    for beyond, word, step in _BEYOND:
        if beyond in found and t.is_integer(kind):
            found.setdefault(word, found.pop(beyond) + step)
    return {word: _plain(value) for word, value in found.items()}


def _union(some: list[Told], count: int, marks: tuple[Any, ...]) -> Told:
    unclear = not some or any(one.type == t.NULL for one in some)
    kind = t.NULL if unclear else merge_all([one.type for one in some])
    nullable = len(some) < count or any(one.nullable for one in some)
    alone = some[0] if len(some) == 1 else Told(kind, marks=marks)
    return Told(kind, nullable, alone.values, alone.marks)


def _unpacked(marks: Sequence[Any]) -> list[Any]:
    """Marks with the metadata of `Field(...)` in place of the field."""
    return [m for mark in marks for m in (getattr(mark, "metadata", None) or [mark])]


def _of_values(values: Sequence[Any]) -> DataType:
    return merge_all([_PLAIN.get(type(v), t.NULL) for v in values])


def _type(kind: Any, origin: Any, inner: tuple[Any, ...], marks: Sequence[Any], reading: Reading) -> DataType:
    if kind in _PLAIN:
        return _PLAIN[kind]
    base = origin or kind
    if base in (list, set, frozenset, Sequence) or (base is tuple and inner[1:] == (...,)):
        return List(told(inner[0], (), reading).type if inner else reading.anything)
    if not isinstance(base, type):
        return t.NULL
    if issubclass(base, Mapping) or base is tuple:
        return t.JSON
    if is_model(base) or dataclasses.is_dataclass(base):
        return _struct(base, reading)
    if base is datetime or issubclass(base, datetime):
        return _zoned(marks)
    if base.__name__ in ("AwareDatetime", "NaiveDatetime"):
        return Timestamp(zone=base.__name__ == "AwareDatetime")
    if issubclass(base, Exact):
        return _digits(marks)
    return next((_PLAIN[b] for b in base.__mro__ if b in _PLAIN), t.NULL)


def _struct(kind: type, reading: Reading) -> DataType:
    """The type of a nested class; one that holds itself is left to the data."""
    if kind in reading.within:
        return t.NULL
    inner = replace(reading, within=(*reading.within, kind))
    fields = tuple((f.name, told(f.kind, f.marks, inner).type) for f in fields_of(kind, inner))
    return Struct(fields) if fields else t.JSON


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


def _plain(value: Any) -> Any:
    """A bound as metadata files hold it: dates and decimals as text."""
    if isinstance(value, Exact):
        return str(value)
    return value.isoformat() if isinstance(value, date | time) else value
