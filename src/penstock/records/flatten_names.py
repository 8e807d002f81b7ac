"""The places inside of nested rows, and the names that they have been given.

A place is written as a pointer: `/address/city` is the field of an object, `/items/*/price` a field
of each item of a list, `/tags/*` the items of a list of scalars. It does not change when a table
grows, so names are remembered by it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from penstock.schema.naming import DIRECT, Naming, allotted, joined
from penstock.schema.nesting import LIST_INDEX, PARENT_ID, ROOT_ID, ROW_ID, SEPARATOR

Path: TypeAlias = tuple[str | None, ...]
"""The keys that lead to a value; None stands for the items of a list."""

EMPTY = "_penstock_empty"
VALUE = "value"
LIST = "list"
RESERVED = (ROW_ID, PARENT_ID, ROOT_ID, LIST_INDEX, EMPTY)
_ITEMS = "*"


@dataclass(frozen=True, slots=True)
class FlatNames:
    """The names given so far, by pointer: of columns, and of child tables by their items' pointer."""

    tables: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((frozenset(self.tables.items()), frozenset(self.columns.items())))


def pointer(path: Path) -> str:
    """The text form of a path. Source: RFC 6901, with `*` for the items of a list (a key `*` is `~2`)."""
    return "".join(f"/{_ITEMS if key is None else _escaped(key)}" for key in path)


def _escaped(key: str) -> str:
    text = key.replace("~", "~0").replace("/", "~1")
    return "~2" if text == _ITEMS else text


def row_of(path: Path) -> Path:
    """The path of the row that a value is stored in: up to the last list that it is in."""
    return next((path[:n] for n in range(len(path), 0, -1) if path[n - 1] is None), ())


def name_all(
    table: str,
    rows: Iterable[Path],
    columns: Iterable[Path],
    naming: Naming,
    earlier: FlatNames,
    taken: Collection[str],
) -> FlatNames:
    """Names for the child tables that have their rows at `rows`, and for `columns`.

    Those in `earlier` stay, also where the data has no such place any longer; names in `taken` are
    those of other tables. A column that is called so in the data has a name before those that a
    convention gives it to; then the less deep.
    """
    wanted = [(pointer(path), _table_name(table, path, naming)) for path in sorted(rows, key=_rank) if path]
    tables = allotted(wanted, earlier=earlier.tables, reserved=[table, *taken])
    by_row: defaultdict[str, list[Path]] = defaultdict(list)
    for path in columns:
        by_row[pointer(row_of(path))].append(path)
    before: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for place, name in earlier.columns.items():
        before[_row_of_pointer(place)][place] = name
    named = dict(earlier.columns)
    for row, paths in by_row.items():
        asked = {path: _column_name(path, naming) for path in sorted(paths, key=_rank)}
        own = sorted(asked, key=lambda path: asked[path] != _column_name(path, DIRECT))
        wanted = [(pointer(path), asked[path]) for path in own]
        named |= allotted(wanted, earlier=before[row], reserved=RESERVED)
    return FlatNames({**earlier.tables, **tables}, named)


def _rank(path: Path) -> tuple[int, str]:
    """Of two places that want one name, the less deep comes first."""
    return len(path), pointer(path)


def _row_of_pointer(place: str) -> str:
    keys = place.split("/")
    last = max((n for n, key in enumerate(keys) if key == _ITEMS), default=0)
    return "/".join(keys[: last + 1])


def _column_name(path: Path, naming: Naming) -> str:
    keys = [key for key in path[len(row_of(path)) :] if key is not None]
    return joined(naming, keys) if keys else VALUE


def _table_name(table: str, path: Path, naming: Naming) -> str:
    """The name of the table with the rows at `path`; a list that is an item of another is its `list`."""
    keys = [
        LIST if key is None else key
        for n, key in enumerate(path)
        if key is not None or (n and path[n - 1] is None)
    ]
    return f"{table}{SEPARATOR}{joined(naming, keys)}"


def names_to_json(names: FlatNames) -> str:
    """The JSON text of names, to be kept with a table's schema."""
    return json.dumps({"tables": dict(names.tables), "columns": dict(names.columns)}, ensure_ascii=False)


def names_from_json(text: str) -> FlatNames:
    """The names that `names_to_json` wrote."""
    said = json.loads(text)
    return FlatNames(said["tables"], said["columns"])
