"""How a table's columns lie in a warehouse: under which name, and of which type.

Identifiers of SQL engines do not tell `Id` from `ID`, and have no empty name; the keys of JSON do
both. So a column keeps its own name where it can, and a later one that would collide gets a name
that does not (`ID__2`). What was chosen is remembered, so a rerun chooses the same.
Pure: nothing here touches a warehouse.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from penstock.errors import LossyError, RefusedError
from penstock.ledger import LOAD_ID
from penstock.schema.nesting import ROOT_ID
from penstock.schema.table import Table
from penstock.schema.types import NULL, DataType, List, Struct, merge, parse_type

UNNAMED = "unnamed"
PRIVATE = "_penstock"
ORDINAL = "_penstock_ordinal"
PART = "_penstock_part"
RESERVED = (LOAD_ID, ORDINAL, PART)


@dataclass(frozen=True, slots=True)
class Stored:
    """A column as it is stored: its name in the data, its name in the warehouse, its type.

    `root` is the table whose rows those of this one are part of, on the column that says of which.
    """

    name: str
    stored_as: str
    type: DataType
    root: str | None = None


Layout: TypeAlias = tuple[Stored, ...]


def layout_to_json(layout: Layout) -> str:
    """The JSON text of how a table's columns are stored."""
    columns = [
        {"name": s.name, "stored_as": s.stored_as, "type": str(s.type)} | ({"root": s.root} if s.root else {})
        for s in layout
    ]
    return json.dumps(columns, ensure_ascii=False)


def layout_from_json(text: str) -> Layout:
    """The layout that `layout_to_json` wrote."""
    return tuple(
        Stored(c["name"], c["stored_as"], parse_type(c["type"]), c.get("root")) for c in json.loads(text)
    )


def stored_names(
    names: Iterable[str], chosen: Mapping[str, str] | None = None, reserved: Iterable[str] = ()
) -> dict[str, str]:
    """The name under which each of `names` is stored; those in `chosen` keep theirs."""
    found = dict(chosen or {})
    taken = {n.lower() for n in (*found.values(), *reserved)}
    for name in names:
        if name in found:
            continue
        base = name.replace("\0", "") or UNNAMED
        free, n = base, 1
        while free.lower() in taken:
            n += 1
            free = f"{base}__{n}"
        found[name] = free
        taken.add(free.lower())
    return found


def field_names(struct: Struct) -> dict[str, str]:
    """The name under which each field of a struct is stored.

    Fields keep their order when a struct grows, so the names that were chosen stay.
    """
    return stored_names(name for name, _ in struct.fields)


def grow(layout: Layout, table: Table) -> Layout:
    """`layout` with the columns and types of `table` taken up; columns of type `null` are left out."""
    kinds = {c.name: c.type for c in table.columns if c.type != NULL}
    kept = [replace(s, type=merge(s.type, kinds[s.name])) if s.name in kinds else s for s in layout]
    names = stored_names(kinds, {s.name: s.stored_as for s in layout}, RESERVED)
    known = {s.name for s in layout}
    new = [Stored(name, names[name], kind) for name, kind in kinds.items() if name not in known]
    return (*kept, *new)


def part_of(layout: Layout, root: str) -> Layout:
    """`layout` as that of a table whose rows are part of rows of `root`."""
    return tuple(replace(s, root=root) if s.name == ROOT_ID else s for s in layout)


def root_of(layout: Layout) -> str | None:
    """The table whose rows those of this layout are part of, or None."""
    return next((s.root for s in layout if s.root), None)


def find(layout: Layout, name: str) -> Stored | None:
    """The stored column of that name in the data, or None."""
    return next((s for s in layout if s.name == name), None)


def leaves(layout: Layout) -> int:
    """How many columns of plain values a table has when its structs and lists are taken apart."""
    return sum(_leaves(s.type) for s in layout) + 1


def _leaves(kind: DataType) -> int:
    if isinstance(kind, List):
        return 1 + _leaves(kind.item)
    return sum(_leaves(t) for _, t in kind.fields) + 1 if isinstance(kind, Struct) else 1


def lossy(table: str, stored: Stored) -> LossyError:
    """The error for a column whose values its next type would not hold exactly."""
    return LossyError(
        f"`{table}.{stored.name}` holds integers that {stored.type} cannot hold exactly",
        column=stored.name,
        expected="a type that keeps every digit",
        hint="declare the column as text, or as a decimal with enough digits",
    )


def check_table_name(name: str, others: Iterable[str]) -> None:
    """Refuse a table name that a warehouse cannot hold beside `others` and the ledger.

    Raises: RefusedError; rename the table in the project file.
    """
    if not name or "\0" in name:
        raise RefusedError("a table needs a name", found=repr(name), hint="name it in the project file")
    if name.lower().startswith(PRIVATE):
        raise RefusedError(
            f"`{name}` cannot be the name of a table",
            expected=f"a name that does not begin with `{PRIVATE}`; the ledger has those",
            hint="rename the table in the project file",
        )
    twin = next((o for o in others if o != name and o.lower() == name.lower()), None)
    if twin is not None:
        raise RefusedError(
            f"`{name}` and `{twin}` differ only in upper and lower case; SQL cannot tell them apart",
            hint="rename one of the tables in the project file",
        )
