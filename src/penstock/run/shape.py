"""The shape of one table while a load goes on: what rows are read as, and what the table holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from penstock.errors import BugError, ContractError
from penstock.gate.judge import Judge
from penstock.run.flow import TableFlow
from penstock.schema.contract import Mode
from penstock.schema.table import Change, Table, diff, evolve
from penstock.schema.types import NULL, TEXT, DataType, merge


class Shape:
    """A table that grows as data brings more.

    `reading` has the declared columns as declared and those that data brought; `holding` is what
    the destination's table must be: `reading` on top of everything that it ever held.
    """

    def __init__(self, flow: TableFlow, stored: Table | None) -> None:
        if stored is None and not flow.known and flow.contract.tables is not Mode.EVOLVE:
            raise ContractError(
                f"`{flow.declared.name}` is a new table, and the contract takes no new ones",
                hint=f"name `{flow.declared.name}` under `tables:`, or set `contract: {{tables: evolve}}`",
            )
        self.flow = flow
        self.stored = stored
        declared = flow.declared.names
        seen = tuple(c for c in stored.columns if c.name not in declared) if stored else ()
        seen = tuple(replace(c, declared=False) for c in seen)
        self.reading = replace(flow.declared, columns=(*flow.declared.columns, *seen))
        self.holding = self._held()
        self.judge = Judge(self.reading, flow.rows)

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

    @property
    def changes(self) -> tuple[Change, ...]:
        """What this load has done to the stored table so far."""
        return diff(self.stored, self.holding)

    def _settle(self) -> None:
        self.holding = self._held()
        self.judge = Judge(self.reading, self.flow.rows)

    def _held(self) -> Table:
        if self.stored is None:
            return self.reading
        types = {c.name: c.type for c in self.stored.columns}
        columns = tuple(replace(c, type=merge(types.get(c.name, NULL), c.type)) for c in self.reading.columns)
        return replace(self.reading, columns=columns)
