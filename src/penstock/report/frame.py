"""The first rows of a table with the names and types of its columns, as text and as HTML."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING, Any

from penstock.report.document import json_value
from penstock.report.text import clean, cut, grid, plain

if TYPE_CHECKING:
    import pyarrow as pa

_WIDEST = 30
_COLUMNS = 12


def frame_text(found: pa.Table, shown: int) -> str:
    """Aligned columns: names, types, then at most `shown` rows; what is left out is said below."""
    heads, kinds, rows = _parts(found, shown)
    if not heads:
        return "no columns"
    align = "".join(map(_side, found.schema.types[: len(heads)]))
    lines = [plain(line) for line in grid([heads, kinds, *rows], align, indent=0)]
    return "\n".join([*lines, *_rest(found, shown)])


def frame_html(found: pa.Table, shown: int) -> str:
    """The same as a table of HTML, in which no value is markup."""
    heads, kinds, rows = _parts(found, shown)
    names = "".join(
        f"<th>{escape(h)}<br><small>{escape(k)}</small></th>" for h, k in zip(heads, kinds, strict=True)
    )
    body = "".join("<tr>" + "".join(f"<td>{escape(v)}</td>" for v in row) + "</tr>" for row in rows)
    below = "".join(f"<p><small>{escape(text)}</small></p>" for text in _rest(found, shown))
    return f"<table><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table>{below}"


def _parts(found: pa.Table, shown: int) -> tuple[list[str], list[str], list[list[str]]]:
    some = found.select(range(min(found.num_columns, _COLUMNS))).slice(0, shown)
    heads = [cut(clean(name), _WIDEST) for name in some.column_names]
    kinds = [cut(clean(_kind(kind)), _WIDEST) for kind in some.schema.types]
    columns = [[_text(v) for v in values_of(column)] for column in some.columns]
    return heads, kinds, [list(row) for row in zip(*columns, strict=True)]


def _kind(arrow: Any) -> str:  # Any: pyarrow is untyped
    from penstock.schema.arrow import from_arrow

    try:
        return str(from_arrow(arrow))
    except TypeError:
        return str(arrow)


def values_of(column: Any) -> list[Any]:
    """The values of a column as Python's; nanoseconds, which Python has no type for, as text."""
    import pyarrow as pa

    if pa.types.is_temporal(column.type) and "ns" in str(column.type):
        column = column.cast(pa.string())
    values: list[Any] = column.to_pylist()
    return values


def _text(value: object) -> str:
    if value is None:
        return "null"
    found = value if isinstance(value, str) else json_value(value)
    return cut(clean(found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)), _WIDEST)


def _side(kind: Any) -> str:
    import pyarrow as pa

    number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    return "r" if number else "l"


def _rest(found: pa.Table, shown: int) -> list[str]:
    rest = []
    if not found.num_rows:
        rest.append("no rows")
    if found.num_rows > shown:
        rest.append(f"the first {shown} rows")
    if found.num_columns > _COLUMNS:
        rest.append(f"and {found.num_columns - _COLUMNS} columns more")
    return rest
