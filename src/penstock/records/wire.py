"""JSON lines to Arrow in one call, and everything that call would let pass.

`pyarrow.json` is strict given a schema, with exceptions that are guarded here: invalid UTF-8, NaN
and infinity, numbers that a float would round or a decimal cannot hold, a bare `null` line (which
crashes it when it comes first), two objects on one line, and times, which it reads loosely: they
come as text and are cast.
Rows that look wrong after the parse are `suspects`: the salvage looks at those lines one by one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal as Exact
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from penstock.records.cast import cast_text
from penstock.records.observe import EXACT_INTEGERS
from penstock.schema import types as t
from penstock.schema.arrow import arrow_schema, to_arrow
from penstock.schema.table import Column, Table
from penstock.schema.types import DataType, Decimal, List, Struct

# pyarrow ships no types: its values are Any in this module.


@dataclass(frozen=True, slots=True)
class Wire:
    """How a table's columns are asked of the JSON parser.

    `asked` is the schema that is asked for, `target` the table's; `casts` are the columns in which
    the two differ; `numbers` those that hold floats or decimals at any depth; `raw_json` says that
    some column holds JSON text at some depth, which the parser cannot give, or decimals in lists or
    objects that were not declared: the parser would take texts for them. `quoted` finds such texts
    elsewhere, and `overflowing` numbers that the parser may turn into others, in shortened lines.
    """

    asked: Any
    target: Any
    casts: Mapping[str, DataType]
    numbers: tuple[str, ...]
    raw_json: bool
    quoted: re.Pattern[bytes] | None
    overflowing: re.Pattern[bytes] | None

    def needs_care(self, data: bytes) -> bool:
        """Whether the parser may take some decimal for what it is not."""
        if self.quoted is not None and self.quoted.search(data):
            return True
        shape = data.translate(_SHAPE, _BETWEEN) if self.overflowing is not None else b""
        return self.overflowing is not None and self.overflowing.search(shape) is not None


_BETWEEN = b' \t\r+-"'
_KINDS = {b"0": b"0123456789.", b"e": b"eE", b":": b":,[]{}\n"}
_SHAPE = bytes(next((kind[0] for kind, of in _KINDS.items() if c in of), ord("x")) for c in range(256))


@lru_cache(maxsize=64)
def wire_of(table: Table) -> Wire:
    """The wire form of a table. Cached, because every chunk of a table asks for it."""
    asked = {c.name: wire_type(c.type) for c in table.columns}
    return Wire(
        asked=pa.schema(list(asked.items())),
        target=arrow_schema(table),
        casts={c.name: c.type for c in table.columns if c.type != t.NULL and needs_cast(c.type)},
        numbers=tuple(c.name for c in table.columns if holds(c.type, _is_inexact)),
        raw_json=any(holds(c.type, lambda k: k == t.JSON) or _hides_decimals(c) for c in table.columns),
        quoted=_quoted_pattern([c.name for c in table.columns if _is_seen_decimal(c)]),
        overflowing=_overflow_pattern([c.type for c in table.columns]),
    )


def _is_inexact(kind: DataType) -> bool:
    return t.is_float(kind) or isinstance(kind, Decimal)


def _is_seen_decimal(column: Column) -> bool:
    return isinstance(column.type, Decimal) and not column.declared


def _hides_decimals(column: Column) -> bool:
    nested = t.is_nested(column.type) and not column.declared
    return nested and holds(column.type, lambda k: isinstance(k, Decimal))


def _quoted_pattern(names: Sequence[str]) -> re.Pattern[bytes] | None:
    """What finds a text behind one of these keys, or a key that may be one of them in disguise."""
    keys = [re.escape(json.dumps(name, ensure_ascii=False).encode()) for name in names]
    return re.compile(rb'(?:%b)\s*:\s*"|\\[u/]' % b"|".join(keys)) if keys else None


def _overflow_pattern(kinds: Sequence[DataType]) -> re.Pattern[bytes] | None:
    """What finds numbers that overflow once they have the scale of one of these types.

    Source: the parser takes a number of up to `precision` digits, then multiplies it by 10^scale.
    """
    wide = [d.scale for kind in kinds for d in _decimals(kind) if d.precision + d.scale > t.MAX_PRECISION]
    return re.compile(rb"0{%d}|:0+e0+:" % (t.MAX_PRECISION + 1 - max(wide))) if wide else None


def _decimals(kind: DataType) -> list[Decimal]:
    if isinstance(kind, List):
        return _decimals(kind.item)
    if isinstance(kind, Struct):
        return [found for _, field in kind.fields for found in _decimals(field)]
    return [kind] if isinstance(kind, Decimal) else []


def wire_type(kind: DataType, *, nested: bool = False) -> Any:
    """What the parser is asked for in place of `kind`.

    A null type inside a list or object is asked for as text, because pyarrow.json builds broken
    arrays of it; the cast then checks that there was none.
    """
    if isinstance(kind, List):
        return pa.list_(wire_type(kind.item, nested=True))
    if isinstance(kind, Struct):
        return pa.struct([(n, wire_type(f, nested=True)) for n, f in kind.fields])
    plain = isinstance(kind, Decimal) or t.is_numeric(kind) or kind == t.BOOL
    return to_arrow(kind) if plain or (kind == t.NULL and not nested) else pa.string()


def needs_cast(kind: DataType) -> bool:
    """Whether what the parser gives must be converted or checked to be a `kind`."""
    as_is = (t.TEXT, t.JSON)
    return holds(kind, lambda k: k == Struct(()) or (k not in as_is and _comes_as_text(k)))


def _comes_as_text(kind: DataType) -> bool:
    return bool(pa.types.is_string(wire_type(kind, nested=True)))


def holds(kind: DataType, what: Callable[[DataType], bool]) -> bool:
    """Whether `what` is true of any scalar in a type (an empty struct counts as one)."""
    if isinstance(kind, List):
        return holds(kind.item, what)
    if isinstance(kind, Struct) and kind.fields:
        return any(holds(f, what) for _, f in kind.fields)
    return what(kind)


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines as rows. `offsets` are the lines of the rows, None if there is no blank line.

    `suspects` are rows (not lines) that must be looked at before they may go on, and those of
    them in `failed` are not in the batch as they came. `rows` counts rows also when the batch has
    no column that could.
    """

    batch: pa.RecordBatch
    rows: int
    offsets: list[int] | None
    suspects: frozenset[int]
    failed: frozenset[int] = frozenset()


def read_lines(data: bytes, wire: Wire, lines: int | None = None) -> Lines | None:
    """Lines as rows of the wire's table; None if the parser refuses any of them.

    `lines` is how many there are, if the caller knows.
    """
    if not _is_sound(data):
        return None
    if not data or data.isspace():
        return Lines(pa.RecordBatch.from_pylist([], schema=wire.target), 0, [], frozenset())
    try:
        rows = pj.read_json(
            pa.BufferReader(data),
            read_options=pj.ReadOptions(use_threads=False, block_size=len(data) + 1),
            parse_options=pj.ParseOptions(explicit_schema=wire.asked, unexpected_field_behavior="error"),
        )
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowCapacityError, UnicodeDecodeError):
        return None  # the salvage finds out which line, and why
    offsets = None
    if lines is None:
        lines = data.count(b"\n") + (not data.endswith(b"\n"))
    if _has_blank_line(data) or rows.num_rows != lines:
        offsets = [i for i, line in enumerate(data.split(b"\n")) if line.strip()]
        if len(offsets) != rows.num_rows:
            return None
    return _to_lines(rows, wire, offsets)


def _is_sound(data: bytes) -> bool:
    if data.lstrip().startswith(b"null"):
        return False
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


_BLANK = re.compile(rb"\n[ \t\r]*\n")


def _has_blank_line(data: bytes) -> bool:
    """Whether a line is blank, other than by a last line end."""
    return data[:1] in b" \t\r\n" or _BLANK.search(data) is not None


def _to_lines(rows: Any, wire: Wire, offsets: list[int] | None) -> Lines:
    columns = {name: one_array(rows.column(name)) for name in wire.asked.names}
    suspects = set(_empty_rows(list(columns.values())))
    failed: set[int] = set()
    for name in wire.numbers:
        suspects.update(_suspect_numbers(columns[name]))
    for name, kind in wire.casts.items():
        columns[name], bad = cast_wire(columns[name], kind)
        failed.update(bad)
    batch = pa.RecordBatch.from_arrays([columns[f.name] for f in wire.target], schema=wire.target)
    return Lines(batch, rows.num_rows, offsets, frozenset(suspects | failed), frozenset(failed))


def one_array(column: Any) -> Any:
    """A chunked column as one array; one chunk is taken as it is."""
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)


def _empty_rows(columns: list[Any]) -> list[int]:
    """Rows in which every column is null: `{}`, or a bare `null` that is no record at all."""
    if not columns or not all(column.null_count for column in columns):
        return []
    empty = columns[0].is_null()
    for column in columns[1:]:
        empty = pc.and_(empty, column.is_null())
    return _where(empty)


def _suspect_numbers(column: Any) -> list[int]:
    """Rows that hold NaN, infinity, numbers so large that the parser may have rounded them, or
    decimals with more digits than their type has."""
    if pa.types.is_struct(column.type):
        return [row for part in column.flatten() for row in _suspect_numbers(part)]
    if pa.types.is_list(column.type):
        inner = _suspect_numbers(pc.list_flatten(column))
        return (
            pc.take(pc.list_parent_indices(column), pa.array(inner, pa.int64())).to_pylist() if inner else []
        )
    if pa.types.is_decimal(column.type):
        return _beyond_digits(column)
    if not pa.types.is_floating(column.type):
        return []
    limits = pc.min_max(column)
    low, high = limits["min"].as_py(), limits["max"].as_py()
    tame = low is None or (low > -EXACT_INTEGERS and high < EXACT_INTEGERS)
    if tame and not pc.any(pc.is_nan(column)).as_py():
        return []
    return _where(pc.invert(pc.less(pc.abs(column), float(EXACT_INTEGERS))))


def _beyond_digits(column: Any) -> list[int]:
    kind = column.type
    limits = pc.min_max(column)
    most = Exact((0, (9,) * kind.precision, -kind.scale))
    least = most.copy_negate()
    low, high = limits["min"].as_py(), limits["max"].as_py()
    if low is None or (low >= least and high <= most):
        return []
    at_least, at_most = pa.scalar(least, kind), pa.scalar(most, kind)
    good = pc.and_(pc.greater_equal(column, at_least), pc.less_equal(column, at_most))
    return _where(pc.invert(good))


def cast_wire(column: Any, kind: DataType) -> tuple[Any, Sequence[int]]:
    """A column as parsed turned into `kind`, and the rows where that cannot be done."""
    if kind == Struct(()):
        return pc.if_else(column.is_valid(), pa.scalar("{}"), pa.scalar(None, pa.string())), ()
    if isinstance(kind, Struct):
        parts = [cast_wire(part, f) for part, (_, f) in zip(_fields(column), kind.fields, strict=True)]
        fields = [pa.field(n, to_arrow(f)) for n, f in kind.fields]
        whole = pa.StructArray.from_arrays([p for p, _ in parts], fields=fields, mask=column.is_null())
        return whole, [row for _, bad in parts for row in bad]
    if isinstance(kind, List):
        items, bad = cast_wire(pc.list_flatten(column), kind.item)
        lengths = pc.fill_null(pc.list_value_length(column), 0)
        ends = pc.cumulative_sum(lengths.cast(pa.int32()))
        starts = pa.concat_arrays([pa.array([0], pa.int32()), ends])
        lists = pa.ListArray.from_arrays(starts, items, type=to_arrow(kind), mask=column.is_null())
        return lists, _parents(column, bad)
    if not pa.types.is_string(column.type) or kind in (t.TEXT, t.JSON):
        return column, ()
    if kind == t.NULL:
        return pa.nulls(len(column)), _where(column.is_valid())
    return cast_text(column, kind)


def _parents(lists: Any, items: Sequence[int]) -> list[int]:
    """The rows of a list column that some of its items belong to."""
    if not len(items):
        return []
    return pc.take(pc.list_parent_indices(lists), pa.array(items, pa.int64())).to_pylist()  # type: ignore[no-any-return]


def _fields(column: Any) -> list[Any]:
    return [column.field(i) for i in range(column.type.num_fields)]


def _where(mask: Any) -> list[int]:
    return pc.indices_nonzero(pc.fill_null(mask, False)).to_pylist()  # type: ignore[no-any-return]
