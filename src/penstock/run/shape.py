"""The shape of one table while a load goes on: what rows are read as, and what the table holds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from penstock.errors import BugError, ContractError, RefusedError
from penstock.gate.judge import Judge
from penstock.records.flatten_names import FlatNames
from penstock.records.flatten_plan import FlatPlan, plan_flatten
from penstock.run.flow import TableFlow
from penstock.schema.contract import Mode
from penstock.schema.definition import table_from_json, table_to_json
from penstock.schema.disposition import Disposition
from penstock.schema.hints import Hints, hints_from_json
from penstock.schema.naming import DIRECT
from penstock.schema.nesting import NATIVE, ROOT, SEPARATOR, SPREAD, part_of
from penstock.schema.table import Change, Column, Table, diff, evolve
from penstock.schema.types import NULL, TEXT, DataType, List, Struct, merge

_ROWS, _NAMES = "rows", "names"


class Shape:
    """A table that grows as data brings more.

    `reading` has the declared columns as declared and those that data brought; `holding` is what
    the destination's table must be: `reading` on top of everything that it ever held. `plan` says how
    `holding` is stored if it is not stored as it is: under other names, or as several flat tables.
    `known` are the tables of the destination by name.
    """

    def __init__(self, flow: TableFlow, known: Mapping[str, Table]) -> None:
        name = flow.declared.name
        if name not in known and not flow.known and flow.contract.tables is not Mode.EVOLVE:
            raise ContractError(
                f"`{name}` is a new table, and the contract takes no new ones",
                hint=f"name `{name}` under `tables:`, or set `contract: {{tables: evolve}}`",
            )
        self.flow = flow
        self.known = known
        self.stored = nested_form(known[name]) if name in known else None
        self._names = names_given(known[name]) if name in known else FlatNames()
        declared = flow.declared.names
        seen = tuple(c for c in self.stored.columns if c.name not in declared) if self.stored else ()
        seen = tuple(replace(c, declared=False) for c in seen)
        self.reading = replace(flow.declared, columns=(*flow.declared.columns, *seen))
        self._children = _child_hints(flow.declared)
        for path, hints in self._children.items():
            for column in hints.declared.columns:
                self.reading, _ = evolve(self.reading, _typed_at(path, column))
        self._settle()

    def grow(self, seen: Mapping[str, DataType]) -> None:
        """Take new columns and wider types in. Raises: BugError if nothing grows."""
        before = self.reading
        self.reading, _ = evolve(self.reading, seen)
        if self.reading == before:
            raise BugError(f"`{before.name}`: the data asks for a shape that the table has already")
        self._settle()

    def widen_to_text(self, column: str) -> None:
        """Hold a column as text (JSON if it is nested), because its next type would lose values."""
        self.reading, _ = evolve(self.reading, {column: TEXT})
        self._settle()

    def widen_stored(self, table: str, column: str) -> None:
        """The same for a column by the name under which a table stores it."""
        if self.plan is None:
            self.widen_to_text(column)
            return
        places = [p for p, name in self.plan.names.columns.items() if name == column]
        own = next((p for p in places if self._table_at(p) == table), None)
        if own is None:
            raise BugError(f"`{table}` has no column `{column}` that could be widened")
        top, *below = keys_of(own)
        assert top is not None
        self.reading, _ = evolve(self.reading, {top: _text_at(below)})
        self._settle()

    @property
    def tables(self) -> tuple[Table, ...]:
        """The tables that the rows are stored in, parents before their children."""
        if self.plan is None:
            return (self.holding,)
        told = json.loads(table_to_json(replace(self.holding, extra={})))
        names = {"tables": dict(self.plan.names.tables), "columns": dict(self.plan.names.columns)}
        root, *children = self.plan.tables
        root = replace(root, extra={**self.holding.extra, SPREAD: {_ROWS: told, _NAMES: names}})
        return (root, *(self._child(root.name, child) for child in children))

    def _child(self, root: str, child: Table) -> Table:
        """A child table with what was said of it."""
        extra: dict[str, Any] = {SPREAD: {ROOT: root}}
        said = self._children.get(child.name.removeprefix(f"{root}{SEPARATOR}"))
        if said is None:
            return replace(child, extra=extra)
        told = {c.name: c for c in said.declared.columns}
        columns = tuple(_described(c, told.get(c.name)) for c in child.columns)
        return replace(
            child,
            columns=columns,
            primary_key=said.declared.primary_key,
            description=said.declared.description or child.description,
            extra={**said.declared.extra, **extra},
        )

    @property
    def changes(self) -> tuple[Change, ...]:
        """What this load has done to the stored tables so far."""
        return tuple(change for table in self.tables for change in diff(self.known.get(table.name), table))

    def disposition(self, table: Table) -> Disposition:
        """How rows of one of `tables` meet those that are there, with columns by their stored names."""
        found = self.flow.disposition
        if self.plan is None:
            return found
        if len(self.tables) > 1 and found.by_values:
            does = "keeps versions" if found.scd2_by_digest else "skips rows that have not changed"
            of = " of `scd2`" if found.scd2_by_digest else ""
            raise RefusedError(
                f"`{self.holding.name}` {does}, and lists are no columns of a flattened row",
                expected="a column that changes whenever anything of its row does, lists included",
                hint=f"name it as the `row_version`{of}, or keep the table's nesting native",
            )
        if table.name != self.holding.name:
            return Disposition(found.mode, strategy=found.strategy, root=self.holding.name, at=found.at)
        return replace(
            found,
            primary_key=self.stored_names(found.primary_key),
            merge_key=self.stored_names(found.merge_key),
            overwrite=self.stored_names(found.overwrite),
            dedup_sort=self._stored_name(found.dedup_sort),
            hard_delete=self._stored_name(found.hard_delete),
            row_version=self._stored_name(found.row_version),
        )

    def stored_names(self, columns: Iterable[str]) -> tuple[str, ...]:
        """The names under which columns of the data are stored."""
        if self.plan is None:
            return tuple(columns)
        return tuple(self.plan.names.columns.get(pointer_of(c), c) for c in columns)

    def _stored_name(self, column: str | None) -> str | None:
        return None if column is None else self.stored_names([column])[0]

    def _table_at(self, place: str) -> str:
        assert self.plan is not None
        row = place[: place.rfind("/*") + 2] if "/*" in place else ""
        return self.plan.names.tables[row] if row else self.holding.name

    def _settle(self) -> None:
        self.holding = self._held()
        self.plan = self._planned()
        self.judge = Judge(self.reading, self.flow.rows)

    def _planned(self) -> FlatPlan | None:
        if self.flow.nesting == NATIVE and self.flow.naming == DIRECT:
            return None
        own = {self.holding.name, *self._names.tables.values()}
        plan = plan_flatten(
            self.holding,
            self.flow.nesting,
            names=self._names,
            taken=self.known.keys() - own,
            naming=self.flow.naming,
        )
        self._names = plan.names
        return plan

    def _held(self) -> Table:
        if self.stored is None:
            return self.reading
        types = {c.name: c.type for c in self.stored.columns}
        columns = tuple(replace(c, type=merge(types.get(c.name, NULL), c.type)) for c in self.reading.columns)
        return replace(self.reading, columns=columns)


# ------------------------------------------------------------------- what stored tables are told


def nested_form(stored: Table) -> Table:
    """The rows that a stored table holds, as they were before they were spread."""
    told: Any = stored.extra.get(SPREAD, {})
    return table_from_json(json.dumps(told[_ROWS])) if _ROWS in told else stored


def names_given(stored: Table) -> FlatNames:
    """The names that the places of a table's rows were given when it was stored."""
    told: Any = stored.extra.get(SPREAD, {}).get(_NAMES)
    return FlatNames(told["tables"], told["columns"]) if told else FlatNames()


def with_children(tables: Iterable[str], known: Mapping[str, Table]) -> tuple[str, ...]:
    """Some tables, and those that their rows are spread over."""
    roots = dict.fromkeys(tables)
    below = (name for name, table in known.items() if part_of(table) in roots)
    return tuple({**roots, **dict.fromkeys(below)})


def _child_hints(declared: Table) -> dict[str, Hints]:
    """What a source said of child tables, by the path of their list: `lines`, `lines__taxes`."""
    said: Any = declared.extra.get("nested_hints", {})
    return {path: hints_from_json(json.dumps(hints)) for path, hints in said.items()}


def _typed_at(path: str, column: Column) -> dict[str, DataType]:
    """A type that gives a column of a child table its type when it is merged with what is there."""
    kind: DataType = Struct(((column.name, column.type),))
    top, *below = path.split(SEPARATOR)
    for key in reversed(below):
        kind = Struct(((key, List(kind)),))
    return {top: List(kind)}


def _described(column: Column, said: Column | None) -> Column:
    return column if said is None else replace(column, description=said.description, nullable=said.nullable)


def pointer_of(column: str) -> str:
    """The place of a top-level column, as the names of a plan know it."""
    text = column.replace("~", "~0").replace("/", "~1")
    return "/~2" if text == "*" else f"/{text}"


def keys_of(place: str) -> list[str | None]:
    """The keys that lead to a place; None stands for the items of a list."""
    return [
        None if key == "*" else key.replace("~2", "*").replace("~1", "/").replace("~0", "~")
        for key in place.removeprefix("/").split("/")
    ]


def _text_at(keys: list[str | None]) -> DataType:
    """A type that makes text of one place when it is merged with what is there."""
    kind: DataType = TEXT
    for key in reversed(keys):
        kind = List(kind) if key is None else Struct(((key, kind),))
    return kind
