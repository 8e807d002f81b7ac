"""What becomes of objects and lists inside of rows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from penstock.schema.table import Table

ROW_ID = "_penstock_id"
PARENT_ID = "_penstock_parent_id"
ROOT_ID = "_penstock_root_id"
LIST_INDEX = "_penstock_list_index"
SEPARATOR = "__"


class NestingMode(StrEnum):
    """Keep objects and lists as they are; or make columns of objects and child tables of lists."""

    NATIVE = "native"
    FLATTEN = "flatten"


@dataclass(frozen=True, slots=True)
class Nesting:
    """How a table's nested values are stored.

    `depth` counts levels: objects and lists below it become JSON text (None: no limit; 0: all of
    them). Flattened, an object's fields become columns `a__b` and each list a child table
    `table__list`, whose rows have the keys `_penstock_parent_id`, `_penstock_root_id` and
    `_penstock_list_index`; a list of scalars has one column `value`.
    Source: the nested tables of dlt, and the flattening of Meltano's SDK for `depth`.
    """

    mode: NestingMode = NestingMode.NATIVE
    depth: int | None = None


NATIVE = Nesting()

SPREAD = "penstock"
"""The key of a stored table's `extra` under which it is told what it is stored for."""
ROOT = "root"


def part_of(table: Table) -> str | None:
    """The table whose rows this one holds parts of, or None."""
    root: str | None = table.extra.get(SPREAD, {}).get(ROOT)
    return root
