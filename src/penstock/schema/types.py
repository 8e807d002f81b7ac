"""The column types of Penstock, their text form, and the smallest type that holds two of them.

The lattice has `null` below everything and `json` above everything. `merge` goes up it: it is
associative, commutative and idempotent, and never chooses a type that would lose a value, with one
exception that the readers guard by value: an integer merged with a float becomes a float, so an
integer that a float cannot hold exactly is looked for before it is converted.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TypeAlias, TypeVar

T = TypeVar("T")


class Kind(StrEnum):
    """The scalar types without parameters."""

    NULL = "null"
    BOOL = "bool"
    INT8 = "int8"
    INT16 = "int16"
    INT32 = "int32"
    INT64 = "int64"
    UINT8 = "uint8"
    UINT16 = "uint16"
    UINT32 = "uint32"
    UINT64 = "uint64"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    TEXT = "text"
    BINARY = "binary"
    DATE = "date"
    TIME = "time"
    UUID = "uuid"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Scalar:
    """A type without parameters, such as `int64` or `text`."""

    kind: Kind

    def __str__(self) -> str:
        return self.kind.value


@dataclass(frozen=True, slots=True)
class Decimal:
    """An exact number. Units: `precision` digits in all, `scale` of them after the point."""

    precision: int
    scale: int

    def __str__(self) -> str:
        return f"decimal({self.precision},{self.scale})"


@dataclass(frozen=True, slots=True)
class Timestamp:
    """An instant (`zone`) or a wall-clock time (no zone). Units: `us` or `ns`; instants are UTC."""

    zone: bool
    unit: str = "us"

    def __str__(self) -> str:
        name = "timestamp_tz" if self.zone else "timestamp"
        return name if self.unit == "us" else f"{name}({self.unit})"


@dataclass(frozen=True, slots=True)
class List:
    """A list of one item type."""

    item: DataType

    def __str__(self) -> str:
        return f"list<{self.item}>"


@dataclass(frozen=True, slots=True)
class Struct:
    """Named fields in the order in which they were first seen."""

    fields: tuple[tuple[str, DataType], ...]

    def __str__(self) -> str:
        return "struct<" + ", ".join(f"{_field_name(n)}: {t}" for n, t in self.fields) + ">"


DataType: TypeAlias = Scalar | Decimal | Timestamp | List | Struct

NULL = Scalar(Kind.NULL)
BOOL = Scalar(Kind.BOOL)
INT64 = Scalar(Kind.INT64)
FLOAT64 = Scalar(Kind.FLOAT64)
TEXT = Scalar(Kind.TEXT)
BINARY = Scalar(Kind.BINARY)
DATE = Scalar(Kind.DATE)
TIME = Scalar(Kind.TIME)
UUID = Scalar(Kind.UUID)
JSON = Scalar(Kind.JSON)
TIMESTAMP = Timestamp(zone=False)
TIMESTAMP_TZ = Timestamp(zone=True)

MAX_PRECISION = 38
INTEGER_DIGITS = 20
_SIGNED = {Kind.INT8: 8, Kind.INT16: 16, Kind.INT32: 32, Kind.INT64: 64}
_UNSIGNED = {Kind.UINT8: 8, Kind.UINT16: 16, Kind.UINT32: 32, Kind.UINT64: 64}
_FLOATS = {Kind.FLOAT32, Kind.FLOAT64}
_SIGNED_OF = {bits: Scalar(kind) for kind, bits in _SIGNED.items()}
_UNSIGNED_OF = {bits: Scalar(kind) for kind, bits in _UNSIGNED.items()}


def is_integer(t: DataType) -> bool:
    """Whether `t` is one of the eight integer types."""
    return isinstance(t, Scalar) and (t.kind in _SIGNED or t.kind in _UNSIGNED)


def is_float(t: DataType) -> bool:
    """Whether `t` is `float32` or `float64`."""
    return isinstance(t, Scalar) and t.kind in _FLOATS


def is_numeric(t: DataType) -> bool:
    """Whether `t` is an integer, a float or a decimal."""
    return is_integer(t) or is_float(t) or isinstance(t, Decimal)


def is_nested(t: DataType) -> bool:
    """Whether `t` is a list or a struct."""
    return isinstance(t, List | Struct)


def merge(a: DataType, b: DataType) -> DataType:
    """The smallest type that holds every value of `a` and of `b`."""
    if a == b or b == NULL:
        return a
    if a == NULL:
        return b
    if a == JSON or b == JSON:
        return JSON
    if isinstance(a, Struct) and isinstance(b, Struct):
        return _merge_structs(a, b)
    if isinstance(a, List) and isinstance(b, List):
        return List(merge(a.item, b.item))
    if is_nested(a) or is_nested(b):
        return JSON
    if is_numeric(a) and is_numeric(b):
        return _merge_numbers(a, b)
    times = (Timestamp, Scalar)
    if isinstance(a, times) and isinstance(b, times):
        return _merge_times(a, b)
    return TEXT


def merge_all(types: list[DataType]) -> DataType:
    """`merge` over a list; `null` for an empty one."""
    merged: DataType = NULL
    for t in types:
        merged = merge(merged, t)
    return merged


def _merge_structs(a: Struct, b: Struct) -> Struct:
    right = dict(b.fields)
    merged = [(n, merge(t, right.pop(n)) if n in right else t) for n, t in a.fields]
    return Struct((*merged, *right.items()))


def _merge_numbers(a: DataType, b: DataType) -> DataType:
    if isinstance(a, Decimal) or isinstance(b, Decimal):
        if is_float(a) or is_float(b):
            return TEXT
        whole = max(_whole_digits(a), _whole_digits(b))
        scale = max(_scale(a), _scale(b))
        return Decimal(whole + scale, scale) if whole + scale <= MAX_PRECISION else TEXT
    assert isinstance(a, Scalar) and isinstance(b, Scalar)
    if a.kind in _FLOATS or b.kind in _FLOATS:
        return TEXT if Kind.UINT64 in (a.kind, b.kind) else FLOAT64
    if a.kind in _SIGNED and b.kind in _SIGNED:
        return _SIGNED_OF[max(_SIGNED[a.kind], _SIGNED[b.kind])]
    if a.kind in _UNSIGNED and b.kind in _UNSIGNED:
        return _UNSIGNED_OF[max(_UNSIGNED[a.kind], _UNSIGNED[b.kind])]
    signed, unsigned = (a, b) if a.kind in _SIGNED else (b, a)
    bits = max(_SIGNED[signed.kind], 2 * _UNSIGNED[unsigned.kind])
    return _SIGNED_OF[bits] if bits <= 64 else Decimal(INTEGER_DIGITS, 0)


def _whole_digits(t: DataType) -> int:
    """Digits before the point. Any integer counts as the widest, or the order of merging would matter."""
    return t.precision - t.scale if isinstance(t, Decimal) else INTEGER_DIGITS


def _scale(t: DataType) -> int:
    return t.scale if isinstance(t, Decimal) else 0


def _merge_times(a: DataType, b: DataType) -> DataType:
    if isinstance(a, Timestamp) and isinstance(b, Timestamp):
        return Timestamp(a.zone, max(a.unit, b.unit, key=("us", "ns").index)) if a.zone == b.zone else TEXT
    stamp, other = (a, b) if isinstance(a, Timestamp) else (b, a)
    if isinstance(stamp, Timestamp) and other == DATE and not stamp.zone:
        return stamp
    return TEXT


# ------------------------------------------------------------------------------------ text form

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SYNONYMS: dict[str, DataType] = {
    "string": TEXT, "utf8": TEXT, "large_string": TEXT, "large_utf8": TEXT, "varchar": TEXT, "str": TEXT,
    "boolean": BOOL, "bool_": BOOL, "integer": INT64, "int": INT64, "bigint": INT64, "long": INT64,
    "float": FLOAT64, "double": FLOAT64, "float16": Scalar(Kind.FLOAT32), "date32": DATE, "date64": DATE,
    "datetime": TIMESTAMP, "large_binary": BINARY, "bytes": BINARY,
}  # fmt: skip


@lru_cache(maxsize=1024)
def parse_type(text: str) -> DataType:
    """The type that `text` names, such as `int64`, `decimal(12,2)`, `list<struct<a: text>>`.

    Raises: ValueError when the text names no type; the message says where it stops making sense.
    """
    parser = _Parser(text)
    t = parser.type()
    parser.end()
    return t


def _field_name(name: str) -> str:
    return name if _WORD.fullmatch(name) else '"' + name.replace('"', '""') + '"'


class _Parser:
    """A recursive-descent reader of the text form of a type."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def type(self) -> DataType:
        word = self.word().lower()
        if word in ("list", "array", "large_list", "list_"):
            item: DataType = self.inside("<", ">", self.type)
            return List(item)
        if word == "struct":
            return Struct(tuple(self.inside("<", ">", self.fields)))
        if word in ("decimal", "decimal128", "numeric"):
            precision, scale = self.inside("(", ")", self.numbers) if self.peek() == "(" else (38, 9)
            if not (0 < precision <= MAX_PRECISION and 0 <= scale <= precision):
                raise ValueError(f"decimal({precision},{scale}) is outside 1..{MAX_PRECISION} digits")
            return Decimal(precision, scale)
        if word in ("timestamp", "timestamp_tz", "timestamptz"):
            unit = self.inside("(", ")", self.word) if self.peek() == "(" else "us"
            return Timestamp(word != "timestamp", "ns" if unit == "ns" else "us")
        if word in ("time32", "time64") and self.peek() == "(":
            self.inside("(", ")", self.word)
            return TIME
        if word in _SYNONYMS:
            return _SYNONYMS[word]
        if word in Kind.__members__.values():
            return Scalar(Kind(word))
        raise ValueError(f"'{word}' is not a type")

    def fields(self) -> list[tuple[str, DataType]]:
        found: list[tuple[str, DataType]] = []
        while self.peek() != ">":
            name = self.quoted() if self.peek() == '"' else self.word()
            self.take(":")
            found.append((name, self.type()))
            if self.peek() == ",":
                self.take(",")
        return found

    def numbers(self) -> tuple[int, int]:
        match = re.compile(r"\s*(\d+)\s*(?:,\s*(\d+)\s*)?").match(self.text, self.at)
        if not match:
            raise ValueError(f"expected digits at character {self.at + 1} of '{self.text}'")
        self.at = match.end()
        return int(match[1]), int(match[2] or 0)

    def inside(self, left: str, right: str, what: Callable[[], T]) -> T:
        self.take(left)
        value = what()
        self.take(right)
        return value

    def word(self) -> str:
        self.skip()
        match = _WORD.match(self.text, self.at)
        if not match:
            raise ValueError(f"expected a name at character {self.at + 1} of '{self.text}'")
        self.at = match.end()
        return match[0]

    def quoted(self) -> str:
        match = re.compile(r'"((?:[^"]|"")*)"').match(self.text, self.at)
        if not match:
            raise ValueError(f"unclosed quote at character {self.at + 1} of '{self.text}'")
        self.at = match.end()
        return match[1].replace('""', '"')

    def peek(self) -> str:
        self.skip()
        return self.text[self.at : self.at + 1]

    def take(self, mark: str) -> None:
        if self.peek() != mark:
            raise ValueError(f"expected '{mark}' at character {self.at + 1} of '{self.text}'")
        self.at += 1

    def skip(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def end(self) -> None:
        if self.peek():
            raise ValueError(f"'{self.text[self.at :]}' is left over in '{self.text}'")
