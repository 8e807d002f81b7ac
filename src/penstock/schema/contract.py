"""What may happen to a table's shape when data brings something new."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from penstock.schema.table import Table
from penstock.schema.types import NULL, DataType, List, Struct, merge


class Mode(StrEnum):
    """What to do with a new table, a new column or a value of another type."""

    EVOLVE = "evolve"
    FREEZE = "freeze"
    DISCARD_ROW = "discard_row"
    DISCARD_VALUE = "discard_value"
    QUARANTINE = "quarantine"


@dataclass(frozen=True, slots=True)
class Contract:
    """The modes of one table.

    `data_type` holds for declared columns; columns that were only seen in data always evolve
    unless `data_type_seen` says otherwise.
    Source: the schema contracts of dlt, with `quarantine` added.
    """

    tables: Mode = Mode.EVOLVE
    columns: Mode = Mode.EVOLVE
    data_type: Mode = Mode.QUARANTINE
    data_type_seen: Mode = Mode.EVOLVE


def mode_for_column(table: Table, contract: Contract) -> Mode:
    """What to do with a column that `table` does not have; a table without columns takes any."""
    return contract.columns if table.columns else Mode.EVOLVE


def mode_for_type(table: Table, contract: Contract, column: str) -> Mode:
    """What to do with a value of `column` that its type cannot hold."""
    known = table.column(column)
    if known is None or known.type == NULL:
        return Mode.EVOLVE
    return contract.data_type if known.declared else contract.data_type_seen


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a contract says of the types that some data brings.

    `grow` may be taken into the table; `columns` are unknown and may not, `types` are wider than
    declared and may not: their mode says what becomes of the rows or values concerned.
    """

    grow: Mapping[str, DataType]
    columns: Mapping[str, Mode]
    types: Mapping[str, Mode]


def only_adds_fields(before: DataType, after: DataType) -> bool:
    """Whether `after` is `before` with further keys in its objects: new columns, in a way.

    A key that had no value so far, and so no type, is as good as new.
    """
    if isinstance(before, Struct) and isinstance(after, Struct):
        now = dict(after.fields)
        return bool(before.fields) and all(
            n in now and (t in (NULL, now[n]) or only_adds_fields(t, now[n])) for n, t in before.fields
        )
    if isinstance(before, List) and isinstance(after, List):
        return only_adds_fields(before.item, after.item)
    return False


def rule_on(table: Table, contract: Contract, seen: Mapping[str, DataType]) -> Ruling:
    """Sort what data brings by what the contract says of it. `freeze` is among the modes returned."""
    grow: dict[str, DataType] = {}
    columns: dict[str, Mode] = {}
    types: dict[str, Mode] = {}
    for name, kind in seen.items():
        known = table.column(name)
        if known is None:
            mode = mode_for_column(table, contract)
            if mode is Mode.EVOLVE:
                grow[name] = kind
            else:
                columns[name] = mode
            continue
        wider = merge(known.type, kind)
        if wider == known.type:
            continue
        new_keys = only_adds_fields(known.type, wider)
        mode = contract.columns if new_keys else mode_for_type(table, contract, name)
        if mode is Mode.EVOLVE:
            grow[name] = kind
        else:
            (columns if new_keys else types)[name] = mode
    return Ruling(grow, columns, types)
