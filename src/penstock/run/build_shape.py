"""What a model's table becomes: what is promised of it, laid over the shape that its rows have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from penstock.errors import ContractError, suggest
from penstock.gate.rules import identifier, rule_id, stored_type
from penstock.gate.verdict import Action
from penstock.run.build_flow import ModelFlow
from penstock.schema.contract import Mode, mode_for_column, mode_for_type
from penstock.schema.table import Column, Table
from penstock.schema.types import NULL, is_numeric, merge

_ACTIONS = {
    Mode.FREEZE: Action.FAIL,
    Mode.DISCARD_ROW: Action.DROP,
    Mode.QUARANTINE: Action.QUARANTINE,
}


@dataclass(frozen=True, slots=True)
class Fit:
    """What a value of a held column must be to fit its column: `sql` is true if it does.

    `sql` is about the held rows, by the names that these have.
    """

    rule: str
    column: str
    action: Action
    sql: str

    @property
    def id(self) -> str:
        """How counts name it."""
        return rule_id(self.rule, self.column)


@dataclass(frozen=True, slots=True)
class Target:
    """The table that is to be, and what rows must be to fit it.

    `held` names the column of the held rows that each column of the table comes from; columns whose
    values are of another type there are in `cast`.
    """

    table: Table
    held: tuple[str, ...]
    cast: frozenset[str]
    fits: tuple[Fit, ...]


def target_of(flow: ModelFlow, staged: Table) -> Target:
    """The table of a model whose rows have the shape `staged`.

    Declared columns come first, in their order and with their types. Raises: ContractError where a declared
    column is missing, or a column came that the contract does not let in.
    """
    there = {c.name.casefold(): c for c in staged.columns}
    declared = tuple(c for c in flow.declared.columns if _is_there(flow, c, staged, there))
    named = {c.name.casefold() for c in declared}
    fits: list[Fit] = []
    columns: list[Column] = []
    held: list[str] = []
    for column in declared:
        own = there[column.name.casefold()]
        grown, found = _typed(flow, column, own)
        columns.append(grown)
        held.append(own.name)
        fits += found
    for column in staged.columns:
        if column.name.casefold() in named:
            continue
        mode = Mode.EVOLVE if _is_added(flow, column.name) else mode_for_column(flow.declared, flow.contract)
        if mode is Mode.EVOLVE:
            columns.append(column)
            held.append(column.name)
        elif mode is Mode.FREEZE:
            raise _stranger(flow, column)
        elif mode is not Mode.DISCARD_VALUE:
            sql = f"({identifier(column.name)} IS NULL)"
            fits.append(Fit("undeclared", column.name, _ACTIONS[mode], sql))
    table = replace(flow.declared, name=flow.name, columns=tuple(columns), partitions=_partitions(flow))
    casts = (c.name for c, own in zip(columns, held, strict=True) if c.type != there[own.casefold()].type)
    return Target(table, tuple(held), frozenset(casts), tuple(fits))


def _is_there(flow: ModelFlow, column: Column, staged: Table, there: dict[str, Column]) -> bool:
    if column.name.casefold() in there:
        return True
    raise ContractError(
        f"`{flow.name}` has no column `{column.name}`, which is declared",
        where=flow.model.path,
        found=", ".join(staged.names),
        hint=suggest(column.name, staged.names) or f"add `{column.name}` to what it selects",
    )


def _is_added(flow: ModelFlow, name: str) -> bool:
    return name in (flow.snapshot_column, flow.version_column)


def _stranger(flow: ModelFlow, column: Column) -> ContractError:
    return ContractError(
        f"`{flow.name}` has a column `{column.name}`, which its contract does not let in",
        where=flow.model.path,
        expected=", ".join(flow.declared.names),
        hint=suggest(column.name, flow.declared.names)
        or "declare it under `columns`, or leave it out of what is selected",
    )


def _partitions(flow: ModelFlow) -> tuple[str, ...]:
    known = flow.declared.partitions
    added = flow.snapshot_column
    return known if added is None or added in known else (*known, added)


def _typed(flow: ModelFlow, column: Column, own: Column) -> tuple[Column, list[Fit]]:
    """A declared column with its type, and what its values must be to be of it."""
    if column.type == NULL:
        return replace(column, type=own.type), []
    if own.type in (column.type, NULL) or merge(column.type, own.type) == column.type:
        return column, []
    mode = mode_for_type(flow.declared, flow.contract, column.name)
    if mode is Mode.EVOLVE:
        return replace(column, type=merge(column.type, own.type)), []
    fits = [Fit("type", column.name, _ACTIONS.get(mode, Action.FAIL), sql) for sql in _fitting(column, own)]
    if mode is Mode.DISCARD_VALUE:
        raise ContractError(
            f"`{flow.name}.{column.name}` is {own.type}, and is declared {column.type}",
            where=flow.model.path,
            hint="a model's query can say what becomes of such values, with TRY_CAST for example",
        )
    return column, fits


def _fitting(column: Column, own: Column) -> Iterator[str]:
    """What tells whether values of the held type fit the declared one, where SQL can tell."""
    wanted = stored_type(column.type)
    if wanted is None:
        return
    value = identifier(own.name)
    cast = f"TRY_CAST({value} AS {wanted})"
    same = f"{cast} = {value}" if is_numeric(column.type) and is_numeric(own.type) else f"{cast} IS NOT NULL"
    yield f"({value} IS NULL OR coalesce({same}, false))"
