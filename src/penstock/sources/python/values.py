"""What a resource may yield, as rows or as Arrow data.

pandas, polars, pyarrow and pydantic are recognised by where a value's type comes from, so that none
of them is imported unless a user's value is theirs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from penstock.errors import RefusedError
from penstock.sources.python.mark import FileImport

# Any throughout: these are users' values

_DICT = {dict}
_FRAMES = ("DataFrame", "LazyFrame")
_ARROW = ("Table", "RecordBatch")


def home(value: object) -> str:
    """The top-level package that a value's type comes from."""
    return type(value).__module__.partition(".")[0]


def is_arrow(value: object) -> bool:
    """Whether a value is an Arrow table or record batch."""
    return home(value) == "pyarrow" and type(value).__name__ in _ARROW


def is_table(value: object) -> bool:
    """Whether a value is a table as a whole: Arrow data, or a data frame of pandas or polars."""
    package = home(value)
    if package == "pyarrow":
        return type(value).__name__ in (*_ARROW, "RecordBatchReader")
    return package in ("pandas", "polars") and type(value).__name__ in _FRAMES


def all_rows(items: list[Any]) -> TypeGuard[list[dict[str, Any]]]:
    """Whether a list holds nothing but dicts. Costs 20 ns a row."""
    return set(map(type, items)) == _DICT


def pieces(items: list[Any], where: str) -> Iterator[Any]:
    """The items as lists of rows, Arrow data and files, in order; rows that lie together stay so.

    Raises: RefusedError for an item that is none of them, naming its type.
    """
    if all_rows(items):
        yield items
        return
    rows: list[Any] = []
    for item in items:
        if is_table(item) or type(item) is FileImport:
            if rows:
                yield rows
                rows = []
            yield from (item,) if type(item) is FileImport else tables(item)
        elif item is not None:
            rows.append(row(item, where))
    if rows:
        yield rows


def tables(value: Any) -> Iterator[Any]:
    """Arrow data, a data frame or a reader as Arrow tables and record batches."""
    package = home(value)
    if package == "pandas":
        import pyarrow as pa

        yield pa.Table.from_pandas(value, preserve_index=False)
    elif package == "polars":
        frame = value.collect() if type(value).__name__ == "LazyFrame" else value
        yield frame.to_arrow()
    elif type(value).__name__ == "RecordBatchReader":
        yield from value
    else:
        yield value


def row(value: Any, where: str) -> Mapping[str, Any]:
    """One value as a row. Raises: RefusedError for a value that is none."""
    if isinstance(value, dict):
        return value
    found = _plain(value)
    if isinstance(found, dict):
        return found
    raise RefusedError(
        "the resource yielded something that is no row",
        where=where,
        found=f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins."),
        expected="a dict, a list of them, a dataclass, a pydantic model, a named tuple, "
        "a pandas or polars data frame, Arrow data",
        hint=_hint(value),
    )


def _hint(value: Any) -> str:
    if isinstance(value, list | tuple | set | frozenset):
        return "yield a list of dicts as a page, or one dict at a time"
    if isinstance(value, str | int | float | bool):
        return 'give the value a name: yield {"value": value}'
    return "turn it into a dict first, for example with add_map"


def _plain(value: Any) -> Any:
    """A value with its dataclasses, models and named tuples as dicts; the rest as it is."""
    if isinstance(value, str | bytes | int | float) or value is None:
        return value
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    if isinstance(value, type):
        return value
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if hasattr(value, "model_fields_set") and hasattr(value, "model_dump"):
        return value.model_dump(mode="python")
    if hasattr(value, "__struct_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {k: _plain(v) for k, v in value._asdict().items()}
    return {k: _plain(v) for k, v in value.items()} if isinstance(value, Mapping) else value
