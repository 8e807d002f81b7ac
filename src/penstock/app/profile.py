"""Looks at the rows of a warehouse: how many each table has, and what its columns are like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from penstock.errors import NotFoundError, RefusedError
from penstock.gate.rules import identifier
from penstock.ports import Destination
from penstock.report.site.facts import TableProfile
from penstock.report.site.profiling import (
    Asked,
    first_answer,
    first_question,
    sample,
    second_answer,
    second_question,
)

_AT_ONCE = 50
_HERE = "database_name = current_database() AND schema_name = current_schema() AND NOT internal"


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or view of a warehouse: its columns with their types, and whether its rows have ids."""

    name: str
    columns: Mapping[str, str]
    stored: bool


def relations(destination: Destination) -> dict[str, Relation]:
    """Every table and view of a destination, by name, without those that Penstock keeps for itself."""
    stored = f"SELECT table_name FROM duckdb_tables() WHERE {_HERE}"
    rows = destination.query(
        f"SELECT table_name, column_name, data_type, table_name IN ({stored}) AS stored "
        f"FROM duckdb_columns() WHERE {_HERE} ORDER BY table_name, column_index"
    ).to_pylist()
    found: dict[str, Relation] = {}
    for row in rows:
        name = row["table_name"]
        if not name.startswith("_penstock"):
            before = found[name].columns if name in found else {}
            found[name] = Relation(name, {**before, row["column_name"]: row["data_type"]}, row["stored"])
    return found


def counted(destination: Destination, names: Sequence[str]) -> dict[str, int | None]:
    """How many rows tables have; None for a view whose query does not work any more."""
    found: dict[str, int | None] = {}
    for start in range(0, len(names), _AT_ONCE):
        found |= _counted(destination, names[start : start + _AT_ONCE])
    return found


def _counted(destination: Destination, names: Sequence[str]) -> dict[str, int | None]:
    parts = [f"SELECT {i} AS i, count(*) AS n FROM {identifier(name)}" for i, name in enumerate(names)]
    try:
        rows = destination.query(" UNION ALL ".join(parts)).to_pylist()
    except (NotFoundError, RefusedError):
        if len(names) == 1:
            return {names[0]: None}
        return {n: c for name in names for n, c in _counted(destination, [name]).items()}
    return {names[row["i"]]: row["n"] for row in rows}


def profiled(
    destination: Destination,
    relation: Relation,
    rows: int,
    key: Sequence[str],
    kept: Mapping[str, str | None],
) -> TableProfile:
    """What the columns of a table are like. `kept` says, by column, why values are not asked for."""
    columns = [Asked(name, kind, kept.get(name)) for name, kind in relation.columns.items()]
    known = tuple(name for name in key if name in relation.columns)
    looked_at = sample(relation.name, rows, stored=relation.stored, key=known)
    try:
        first = destination.query(first_question(looked_at, columns)).to_pylist()[0]
        found = first_answer(first, columns)
        more = second_question(looked_at, columns, first)
        if more is not None:
            second = destination.query(more).to_pylist()[0]
            found = second_answer(found, columns, first, second)
    except (NotFoundError, RefusedError) as error:
        return TableProfile(note=f"its rows cannot be read: {error.what}")
    return TableProfile(first["n"], found)
