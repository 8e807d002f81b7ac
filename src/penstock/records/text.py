"""Values as text: exactly, and the same on every engine. Vectorised, pure.

Numbers are written plainly and shortest (`1.0`, `0.1`, `1e+16`, as Python does) or as `NaN`,
`Infinity` and `-Infinity`, instants as `2024-01-05T10:00:00Z`, bytes as base64, nested values as JSON.

What a column was `read_as` tells strings that are JSON already from those that are not. Without
it, the Arrow type says all there is to know.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from penstock.schema.types import JSON, DataType, List, Struct

_ODD_FLOAT = r"e|\A-?0\.0000"
_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
_TICKS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_CYCLE_S = 146_097 * 86_400
"""After 400 years the calendar repeats."""
_FRACTION_OF_ZEROS = r"\.0+\z"


def to_text(column: Any, read_as: DataType | None = None) -> Any:  # Any: pyarrow is untyped
    """The values of an Arrow array as a string array; nested ones become JSON. Nulls stay null.

    Raises: TypeError for a type whose values have no text.
    """
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return uuid_text(column.storage) if kind.extension_name == "arrow.uuid" else to_text(column.storage)
    if pa.types.is_dictionary(kind):
        return to_text(column.dictionary_decode())
    if pa.types.is_nested(kind):
        return to_json(column, read_as)
    for is_kind, write in _WRITERS:
        if is_kind(kind):
            return write(column)
    raise TypeError(f"values of Arrow type {kind} have no text")


def to_json(column: Any, read_as: DataType | None = None) -> Any:  # Any: pyarrow is untyped
    """The values of an Arrow array as JSON texts; a null value is null, a null inside one is `null`.

    `NaN` and the infinities, which JSON lacks, become the strings `"NaN"`, `"Infinity"`, `"-Infinity"`.
    """
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType) and kind.extension_name != "arrow.uuid":
        return column.storage if kind.extension_name == "arrow.json" else to_json(column.storage)
    if pa.types.is_dictionary(kind):
        return to_json(column.dictionary_decode())
    if pa.types.is_struct(kind):
        return _json_objects(column, read_as)
    if pa.types.is_map(kind):
        return to_json(map_entries(column))
    if pa.types.is_nested(kind):
        return _json_lists(column, read_as)
    if is_json(read_as):
        return column
    text = to_text(column)
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        return text
    if pa.types.is_floating(kind):
        return _json_floats(text)
    return _quoted(_escaped(text) if is_text(kind) else text)


def is_json(read_as: DataType | None) -> bool:
    """Whether the strings that a column was read as are JSON: documents, or objects without keys."""
    return read_as in (JSON, Struct(()))


def json_rows(columns: list[Any], names: list[str]) -> list[bytes]:  # Any: pyarrow arrays
    """Some columns of equal length as one JSON object a row."""
    if not columns:
        return []
    objects = _json_objects(pa.StructArray.from_arrays(columns, names=names))
    return [text.encode() for text in objects.to_pylist()]


def map_entries(column: Any) -> Any:
    """A map array as the list array of `key` and `value` structs that it is."""
    kind = column.type
    entry = pa.struct([pa.field("key", kind.key_type), pa.field("value", kind.item_type)])
    return column.cast(pa.list_(entry))


def uuid_text(column: Any) -> Any:
    """A fixed-size array of 16 bytes as canonical UUID texts."""
    filled = pc.fill_null(column, pa.scalar(bytes(16), column.type)) if column.null_count else column
    size = len(filled)
    if not size:
        return pa.array([], pa.string())
    start = filled.offset * 16
    digits = filled.buffers()[1][start : start + 16 * size].to_pybytes().hex().encode()
    offsets = pa.array(range(0, 32 * size + 1, 32), pa.int32())
    text = pa.StringArray.from_buffers(size, offsets.buffers()[1], pa.py_buffer(digits))
    parts = [pc.utf8_slice_codeunits(text, a, b) for a, b in ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))]
    joined = pc.binary_join_element_wise(*parts, "-")
    return (
        pc.if_else(column.is_valid(), joined, pa.scalar(None, pa.string())) if column.null_count else joined
    )


# --------------------------------------------------------------------------------------- scalars


def is_text(kind: Any) -> bool:
    """Whether an Arrow type is one of the string types."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def is_blob(kind: Any) -> bool:
    """Whether an Arrow type is one of the binary types."""
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
        or pa.types.is_binary_view(kind)
    )


def _plain(column: Any) -> Any:
    return column.cast(pa.string())


def _floats(column: Any) -> Any:
    if pa.types.is_float16(column.type):
        column = column.cast(pa.float32())
    text = _named(_plain(column))
    odd = pc.match_substring_regex(text, _ODD_FLOAT)
    whole = pc.match_substring_regex(text, r"\A-?[0-9]+\z")
    if pc.any(whole).as_py():
        text = pc.if_else(whole, pc.binary_join_element_wise(text, "0", "."), text)
    return _rewritten(text, odd, lambda cell: repr(float(cell)))


def _named(text: Any) -> Any:
    words = pc.is_in(text, pa.array(list(_NOT_FINITE)))
    if not pc.any(words).as_py():
        return text
    for plain, name in _NOT_FINITE.items():
        text = pc.if_else(pc.equal(text, plain), name, text)
    return text


def _decimals(column: Any) -> Any:
    text = _plain(column)
    return _rewritten(text, pc.match_substring(text, "E"), _plain_decimal)


def _plain_decimal(cell: str) -> str:
    return format(Decimal(cell), "f")


def _rewritten(text: Any, mask: Any, rewrite: Callable[[str], str]) -> Any:
    """`text` with the few cells under `mask` rewritten one by one."""
    mask = pc.fill_null(mask, False)
    if not pc.any(mask).as_py():
        return text
    cells = pa.array([rewrite(cell) for cell in text.filter(mask).to_pylist()], pa.string())
    return pc.replace_with_mask(text, mask, cells)


def _timestamps(column: Any) -> Any:
    unit, zone = column.type.unit, column.type.tz
    ticks = column.cast(pa.int64())
    plain = _plain(ticks.cast(pa.timestamp(unit)))  # Arrow writes far years with a zone wrongly
    text = pc.replace_substring(plain, " ", "T", max_replacements=1)
    text = pc.replace_substring_regex(text, _FRACTION_OF_ZEROS, "")
    far = pc.fill_null(pc.starts_with(plain, "<"), False)  # and has no words for those without one
    if pc.any(far).as_py():
        words = [_far(tick, _TICKS[unit]) for tick in ticks.filter(far).to_pylist()]
        text = pc.replace_with_mask(text, far, pa.array(words, pa.string()))
    return text if zone is None else pc.binary_join_element_wise(text, "Z", "")


def _far(ticks: int, second: int) -> str:
    """A time of the Gregorian calendar in a year that Arrow does not write. Units: `second` in ticks."""
    seconds, fraction = divmod(ticks, second)
    cycles, seconds = divmod(seconds, _CYCLE_S)
    near = datetime(1970, 1, 1) + timedelta(seconds=seconds)  # noqa: DTZ001 - the zone is added as text
    year = near.year + 400 * cycles
    digits = f".{fraction:0{len(str(second)) - 1}}".rstrip("0").rstrip(".") if fraction else ""
    sign = "-" if year < 0 else ""
    return f"{sign}{abs(year):04}-{near:%m-%dT%H:%M:%S}{digits}"


def _times(column: Any) -> Any:
    return pc.replace_substring_regex(_plain(column), _FRACTION_OF_ZEROS, "")


def _bytes(column: Any) -> Any:
    cells = column.to_pylist()
    return pa.array([None if c is None else base64.b64encode(c).decode() for c in cells], pa.string())


_WRITERS: tuple[tuple[Callable[[Any], bool], Callable[[Any], Any]], ...] = (
    (pa.types.is_null, _plain),
    (pa.types.is_boolean, _plain),
    (pa.types.is_integer, _plain),
    (pa.types.is_date, lambda column: _plain(column.cast(pa.date32()))),
    (is_text, _plain),
    (pa.types.is_floating, _floats),
    (pa.types.is_decimal, _decimals),
    (pa.types.is_timestamp, _timestamps),
    (pa.types.is_time, _times),
    (is_blob, _bytes),
)


# ------------------------------------------------------------------------------------------ JSON


def _json_floats(text: Any) -> Any:
    words = pc.is_in(text, pa.array(list(_NOT_FINITE.values())))
    return pc.if_else(words, _quoted(text), text) if pc.any(words).as_py() else text


def _escaped(text: Any) -> Any:
    text = pc.replace_substring(text, "\\", "\\\\")
    text = pc.replace_substring(text, '"', '\\"')
    if pc.any(pc.match_substring_regex(text, r"[\x00-\x1f]")).as_py():
        for code in range(32):
            text = pc.replace_substring(text, chr(code), f"\\u{code:04x}")
    return text


def _quoted(text: Any) -> Any:
    return pc.binary_join_element_wise('"', text, '"', "")


def _json_objects(column: Any, read_as: DataType | None = None) -> Any:
    kinds = dict(read_as.fields) if isinstance(read_as, Struct) else {}
    pieces: list[Any] = []
    for name, child in zip((f.name for f in column.type), column.flatten(), strict=True):
        key = _quoted(_escaped(pa.array([name])))[0].as_py()
        pieces += [f"{', ' if pieces else ''}{key}: ", pc.fill_null(to_json(child, kinds.get(name)), "null")]
    if not pieces:
        objects = pa.array(["{}"] * len(column), pa.string())
    else:
        objects = pc.binary_join_element_wise("{", *pieces, "}", "")
    return _null_like(column, objects)


def _json_lists(column: Any, read_as: DataType | None) -> Any:
    kind = read_as.item if isinstance(read_as, List) else None
    items = pc.fill_null(to_json(column.flatten(), kind), "null")
    joined = pc.binary_join(relisted(column, items), ", ")
    return _null_like(column, pc.binary_join_element_wise("[", joined, "]", ""))


def relisted(column: Any, items: Any) -> Any:
    """A list array of the lengths of `column` over other items; null lists come out empty."""
    lengths = pc.fill_null(pc.list_value_length(column), 0).cast(pa.int32())
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(lengths)])
    return pa.ListArray.from_arrays(offsets, items)


def _null_like(column: Any, text: Any) -> Any:
    return pc.if_else(column.is_valid(), text, pa.scalar(None, pa.string())) if column.null_count else text
