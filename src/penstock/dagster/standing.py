"""How tables stand after a run: what the ledger says of it, and a look at the rows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

from penstock.app.flows import flow_of
from penstock.app.parts import open_warehouse
from penstock.app.pipeline import producer_of
from penstock.app.session import Session
from penstock.catalogue import Node
from penstock.dagster.markdown import table_text
from penstock.errors import PenstockError
from penstock.gate.rules import identifier
from penstock.ledger import LedgerFile
from penstock.project.loaded import LoadedProject
from penstock.project.words import RESERVED
from penstock.report.facts import Event, PipelineResult, QuarantinedRow
from penstock.schema.table import Column, Table

if TYPE_CHECKING:
    import pyarrow as pa

    from penstock.run.flow import Flow

SAMPLES = 5


Ask: TypeAlias = Callable[[str], "pa.Table"]
"""Asks a destination with SQL."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of tables after a run or a build.

    `files` are those of this run's loads by key, `shapes` what the tables look like now. `previews` are
    Markdown, `samples` a few quarantined rows of this run, both by table. `notes` say what could not be told.
    """

    files: Mapping[str, LedgerFile] = field(default_factory=dict)
    shapes: Mapping[str, Table] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    previews: Mapping[str, str] = field(default_factory=dict)
    samples: Mapping[str, tuple[QuarantinedRow, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def standing_of(session: Session, result: PipelineResult, preview_rows: int) -> Standing:
    """How a pipeline's tables stand after a run. A destination that cannot be asked gives a note."""
    flow = flow_of(session.loaded, result.pipeline, _unheard, producer=producer_of(None, {}))
    try:
        return _look(session, flow, result, preview_rows)
    except PenstockError as error:
        return Standing(notes=(f"the tables could not be looked at: {session.redact(error.what)}",))
    finally:
        flow.destination.close()


def _look(session: Session, flow: Flow, result: PipelineResult, preview_rows: int) -> Standing:
    facts = flow.destination.facts(result.pipeline)
    files = {f.key: f for f in facts.files if f.load_id in result.load_ids}
    declared = {name: session.loaded.table(result.pipeline, name) for name in facts.tables}
    tables = {
        name: (
            identifier(name),
            frozenset(c.name for t in (shape, declared[name]) for c in t.columns if c.sensitive),
        )
        for name, shape in facts.tables.items()
    }
    rows, previews, notes = _rows_of(session, flow.destination.query, tables, preview_rows)
    return Standing(files, facts.tables, rows, previews, dict(_samples(flow, files)), notes)


def models_standing(
    session: Session,
    ask: Ask,
    models: Sequence[Node],
    hidden: Mapping[str, frozenset[str]],
    preview_rows: int,
) -> Standing:
    """How models stand after a build; `hidden` are the columns that are not shown, by model."""
    tables = {n.name: (quoted(n), hidden.get(n.name, frozenset())) for n in models}
    rows, previews, notes = _rows_of(session, ask, tables, preview_rows)
    return Standing(rows=rows, previews=previews, notes=notes)


def shapes_of(session: Session, ask: Ask, models: Sequence[Node]) -> tuple[dict[str, Table], tuple[str, ...]]:
    """The columns of models as the destination has them, and what could not be told."""
    from penstock.schema.arrow import from_arrow

    shapes, notes = {}, []
    for node in models:
        try:
            schema = ask(f"SELECT * FROM {quoted(node)} LIMIT 0").schema
        except PenstockError as error:
            notes.append(f"{node.name}: no columns: {session.redact(error.what)}")
            continue
        shapes[node.name] = Table(node.name, tuple(Column(f.name, from_arrow(f.type)) for f in schema))
    return shapes, tuple(notes)


def quoted(node: Node) -> str:
    """The relation of a model in SQL; those of dbt may be in a schema of their own."""
    relation = node.relation or node.name
    return ".".join(map(identifier, relation.split("."))) if node.tool == "dbt" else identifier(relation)


@contextmanager
def asking(loaded: LoadedProject) -> Iterator[Ask]:
    """The project's own destination to ask, which is where models are."""
    destination = open_warehouse(loaded, loaded.project.destination)
    try:
        yield destination.query
    finally:
        destination.close()


def shape_of(ask: Ask, relation: str) -> Table:
    """The columns of a relation, as the destination has them."""
    from penstock.schema.arrow import from_arrow

    schema = ask(f"SELECT * FROM {identifier(relation)} LIMIT 0").schema
    return Table(relation, tuple(Column(f.name, from_arrow(f.type)) for f in schema))


def _rows_of(
    session: Session, ask: Ask, tables: Mapping[str, tuple[str, frozenset[str]]], preview_rows: int
) -> tuple[dict[str, int], dict[str, str], tuple[str, ...]]:
    """How many rows tables have, a few of them, and what could not be told.

    `tables` gives the relation in SQL and the columns that are not shown.
    """
    rows, previews, notes = {}, {}, []
    for name, (relation, hidden) in tables.items():
        try:
            rows[name] = int(ask(f"SELECT count(*) AS n FROM {relation}").column("n")[0].as_py())
            if preview_rows:
                found = ask(f"SELECT * FROM {relation} LIMIT {int(preview_rows)}")
                previews[name] = masked_text(found.column_names, found.to_pylist(), hidden)
        except PenstockError as error:
            notes.append(f"{name}: no preview: {session.redact(error.what)}")
    return rows, previews, tuple(notes)


def masked_text(names: Sequence[str], rows: Sequence[Mapping[str, object]], hidden: Collection[str]) -> str:
    """Rows as Markdown with the values of hidden columns masked; our own columns are left out."""
    shown = [name for name in names if not name.startswith(RESERVED)]
    body = (["***" if name in hidden else row[name] for name in shown] for row in rows)
    return table_text(shown, body)


def _samples(flow: Flow, files: Mapping[str, LedgerFile]) -> Iterator[tuple[str, tuple[QuarantinedRow, ...]]]:
    from penstock.run.quarantine import rows_of

    first: dict[str, LedgerFile] = {}
    for file in files.values():
        if file.quarantined and file.outcome == "loaded":
            first.setdefault(file.table, file)
    for table, file in first.items():
        yield table, tuple(islice(rows_of(flow, file.key), SAMPLES))


def _unheard(_: Event) -> None:
    """An observer that does not look."""
