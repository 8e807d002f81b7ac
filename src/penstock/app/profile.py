"""Looks at the rows of a warehouse: how many each table has, and what its columns are like."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.errors import NotFoundError, PenstockError, RefusedError
from penstock.gate.rules import identifier
from penstock.ledger import LOAD_ID
from penstock.ports import Destination
from penstock.report.site.facts import TableProfile
from penstock.report.site.profiling import (
    EXACT,
    ROWS,
    Asked,
    first_answer,
    first_question,
    sample,
    second_answer,
    second_question,
)

# Any: rows of answers
_AT_ONCE = 50
_COLUMNS = 100  # so many columns, and values, are looked at together: what is asked of each takes memory
_CELLS = 1_000_000
_HERE = "database_name = current_database() AND schema_name = current_schema() AND NOT internal"


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or view of a warehouse: its columns with their types, and whether its rows have ids."""

    name: str
    columns: Mapping[str, str]
    stored: bool


def relations(destination: Destination) -> dict[str, Relation]:
    """Every table and view of a destination, by name, without what Penstock keeps there for itself."""
    stored = f"SELECT table_name FROM duckdb_tables() WHERE {_HERE}"
    rows = destination.query(
        f"SELECT table_name, column_name, data_type, table_name IN ({stored}) AS stored "
        f"FROM duckdb_columns() WHERE {_HERE} ORDER BY table_name, column_index"
    ).to_pylist()
    found: dict[str, Relation] = {}
    for row in rows:
        name = row["table_name"]
        if not name.startswith("_penstock") and row["column_name"] != LOAD_ID:
            before = found[name].columns if name in found else {}
            found[name] = Relation(name, {**before, row["column_name"]: row["data_type"]}, row["stored"])
    return found


def counted(destination: Destination, names: Sequence[str]) -> dict[str, int | None]:
    """How many rows tables have; None for a view whose query does not work any more."""
    found: dict[str, int | None] = {}
    for start in range(0, len(names), _AT_ONCE):
        some = names[start : start + _AT_ONCE]
        answers = _answers(destination, [f"SELECT count(*) AS n FROM {identifier(name)}" for name in some])
        for name, answer in zip(some, answers, strict=True):
            found[name] = None if isinstance(answer, PenstockError) else answer["n"]
    return found


@dataclass(frozen=True, slots=True)
class Wanted:
    """A table to look at, with the rows that it has; `kept` says, by column, why values are not asked for."""

    relation: Relation
    rows: int
    key: Sequence[str]
    kept: Mapping[str, str | None]

    @property
    def sample(self) -> str:
        """The rows to look at, as SQL."""
        known = [name for name in self.key if name in self.relation.columns]
        return sample(self.relation.name, self.rows, stored=self.relation.stored, key=known)

    def pieces(self) -> Iterator[_Piece]:
        """Its columns, so many at once as fit into memory."""
        columns = [Asked(name, kind, self.kept.get(name)) for name, kind in self.relation.columns.items()]
        rows = min(self.rows, ROWS)
        width = min(max(1, _CELLS // rows), _COLUMNS)
        for start in range(0, len(columns), width):
            some = columns[start : start + width]
            yield _Piece(self.relation.name, self.sample, some, rows * len(some), self.rows <= EXACT)


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some columns of a table, to be asked about together."""

    table: str
    sample: str
    columns: Sequence[Asked]
    cells: int
    exact: bool


def profiled(
    destination: Destination, wanted: Sequence[Wanted], tell: Callable[[str], None]
) -> dict[str, TableProfile]:
    """What the columns of tables are like, by name; `tell` hears of each.

    Small tables are looked at together: it is quicker.
    """
    found: dict[str, TableProfile] = {}
    for batch in _batches([piece for one in wanted for piece in one.pieces()]):
        for table, profile in _looked_at(destination, batch):
            tell(table)
            before = found.get(table, TableProfile())
            columns = {**before.columns, **profile.columns}
            found[table] = TableProfile(profile.looked_at, columns, before.note or profile.note)
    return found


def _batches(pieces: Sequence[_Piece]) -> Iterator[Sequence[_Piece]]:
    batch: list[_Piece] = []
    for piece in pieces:
        more = [*batch, piece]
        if batch and (sum(p.cells for p in more) > _CELLS or sum(len(p.columns) for p in more) > _COLUMNS):
            yield batch
            more = [piece]
        batch = more
    if batch:
        yield batch


def _looked_at(destination: Destination, batch: Sequence[_Piece]) -> Iterator[tuple[str, TableProfile]]:
    firsts = _answers(destination, [first_question(p.sample, p.columns, exact=p.exact) for p in batch])
    questions = []
    for i, (p, first) in enumerate(zip(batch, firsts, strict=True)):
        if isinstance(first, PenstockError):
            yield p.table, TableProfile(note=f"its rows cannot be read: {first.what}")
            continue
        more = second_question(p.sample, p.columns, first)
        questions += [f"SELECT {i} AS piece, which, value, n FROM ({question})" for question in more]
    rows = destination.query(" UNION ALL ".join(questions)).to_pylist() if questions else []
    for i, (p, first) in enumerate(zip(batch, firsts, strict=True)):
        if not isinstance(first, PenstockError):
            second = [(row["which"], row["value"], row["n"]) for row in rows if row["piece"] == i]
            columns = second_answer(first_answer(first, p.columns, exact=p.exact), p.columns, first, second)
            yield p.table, TableProfile(first["n"], columns)


def _answers(destination: Destination, questions: Sequence[str]) -> list[Mapping[str, Any] | PenstockError]:
    """The answers of questions that have one row each, asked at once; the error of one that has none."""
    if not questions:
        return []
    parts = [f"(SELECT row FROM ({question}) AS row) AS q{i}" for i, question in enumerate(questions)]
    try:
        found = destination.query(f"SELECT {', '.join(parts)}").to_pylist()[0]
    except (NotFoundError, RefusedError) as error:
        if len(questions) == 1:
            return [error]
        return [answer for question in questions for answer in _answers(destination, [question])]
    return [found[f"q{i}"] for i in range(len(questions))]
