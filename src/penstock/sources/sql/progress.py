"""How far each table was read, as the state that travels with its rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from penstock.cursors.value import decode, encode


class Progress:
    """What is remembered of every table: where its cursor stands, or behind which key to go on.

    Shape: `{"tables": {"orders": {"cursor": {...}}, "items": {"key": ["id"], "after": [17]}}}`; a table
    without a cursor that was read to its end by a run that is not through yet is `{"done": true}`.
    """

    def __init__(self, state: str | None) -> None:
        self.tables: dict[str, dict[str, Any]] = json.loads(state)["tables"] if state else {}

    def cursor(self, table: str, column: str) -> dict[str, Any]:
        """The memory of a table's cursor, which an incremental reads and writes; empty for a new column."""
        kept = self.tables.setdefault(table, {})
        if kept.get("column") != column:
            kept.clear()
            kept.update(column=column, cursor={})
        memory: dict[str, Any] = kept["cursor"]
        return memory

    def after(self, table: str, key: Sequence[str]) -> tuple[object, ...]:
        """The key of the last row that was landed, or nothing if the table is read from its beginning."""
        kept = self.tables.get(table, {})
        return tuple(map(decode, kept["after"])) if kept.get("key") == list(key) else ()

    def stand(self, table: str, key: Sequence[str], values: Sequence[object]) -> None:
        """Remember the key of the last row that was given. Raises: RefusedError for odd types."""
        self.tables[table] = {"key": list(key), "after": [encode(value) for value in values]}

    def end(self, table: str) -> None:
        """A table was read to its end: a run that takes over from this one leaves it out."""
        self.tables[table] = {"done": True}

    def is_done(self, table: str) -> bool:
        """Whether the run that this one takes over from has read a table to its end."""
        return "done" in self.tables.get(table, {})

    def dump(self, through: bool = False) -> str:
        """The JSON text of all of it. `through` says that the run has come to its end."""
        parts = ("cursor",) if through else ("cursor", "after", "done")
        kept = {n: said for n, said in self.tables.items() if any(said.get(part) for part in parts)}
        return json.dumps({"tables": kept}, ensure_ascii=False, sort_keys=True)
