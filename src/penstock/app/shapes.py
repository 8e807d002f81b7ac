"""The shapes that a table of a warehouse has had, as its ledger tells them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from penstock.errors import NotFoundError, suggest
from penstock.ledger import SCHEMA_TABLE
from penstock.schema.definition import table_from_json
from penstock.schema.table import Table

if TYPE_CHECKING:
    from penstock.ports import Destination

_LAYOUT = "penstock"


@dataclass(frozen=True, slots=True)
class SchemaVersion:
    """One shape of a table: the load that made it, when (UTC), and what that load changed."""

    version: int
    table: Table
    load_id: str
    created_at: datetime
    changes: tuple[str, ...] = ()


def versions_of(destination: Destination, pipeline: str, table: str) -> list[SchemaVersion]:
    """Every version of a table, oldest first. Raises: NotFoundError if the warehouse has no such table."""
    try:
        ledger = destination.query(f'SELECT * FROM "{SCHEMA_TABLE}" ORDER BY version')
    except NotFoundError:
        rows = []  # nothing was ever loaded here
    else:
        rows = [row for row in ledger.to_pylist() if row["pipeline"] == pipeline]
    found = [row for row in rows if row["table_name"] == table]
    if not found:
        raise NotFoundError(
            f"the warehouse has no table `{table}` yet",
            where=f"pipeline `{pipeline}`, {destination.url}",
            hint=suggest(table, {row["table_name"] for row in rows}) or f"`penstock run {pipeline}` fills it",
        )
    return [
        SchemaVersion(
            row["version"],
            _stored(row["definition"]),
            row["load_id"],
            row["created_at"].astimezone(UTC),
            tuple(row["changes"] or ()),
        )
        for row in found
    ]


def _stored(definition: str) -> Table:
    """A table without the note that says what it is stored for."""
    table = table_from_json(definition)
    return replace(table, extra={k: v for k, v in table.extra.items() if k != _LAYOUT})
