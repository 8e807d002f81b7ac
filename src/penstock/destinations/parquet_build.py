"""One model in the making over parquet files: its query runs in a private DuckDB, its rows go through a load.

Rows wait in tables of that DuckDB, which spill to the scratch folder when they get large. Queries of
several models run at once; from `put` to `commit` one model has its turn, because each commit is the next
one of the log.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from shutil import rmtree
from threading import Lock
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from penstock.destinations.columns import PRIVATE, Layout, layout_from_json
from penstock.destinations.convert import ddl, quote
from penstock.destinations.engine import Limits, connect, explained
from penstock.destinations.held_rows import HeldRows
from penstock.destinations.parquet_log import BUILDS, Snapshot
from penstock.destinations.parquet_models import model_build
from penstock.destinations.parquet_query import relations, show_ledger, show_tables
from penstock.errors import BugError, RefusedError
from penstock.ledger import Built, Commit, LedgerLoad
from penstock.ports import PLACE, STAGED, Batches
from penstock.schema.arrow import arrow_schema
from penstock.schema.disposition import Disposition, WriteMode
from penstock.schema.table import Table
from penstock.schema.types import JSON, NULL, TEXT, UUID, DataType, List, Struct
from penstock.version import __version__

if TYPE_CHECKING:
    from penstock.destinations.parquet import ParquetDestination
    from penstock.destinations.parquet_load import ParquetTransaction

_BATCH_ROWS = 65_536


@dataclass(frozen=True, slots=True)
class Workshop:
    """Where a model is built: `turn` is had by one build at a time, `folder` is for this build to make."""

    destination: ParquetDestination
    turn: Lock
    folder: Path


class ParquetBuild:
    """A model in the making. Nothing that readers see changes before `commit`."""

    def __init__(self, workshop: Workshop, model: str, build_id: str) -> None:
        self._destination = workshop.destination
        self._turn = workshop.turn
        self._folder = workshop.folder
        self._model = model
        self._build_id = build_id
        self._load: ParquetTransaction | None = None
        self._snapshot = Snapshot()
        self._told = False
        self._rows = 0
        self._in_turn = False
        self._open = True

    # ------------------------------------------------------------------------------- the rows held

    @cached_property
    def _con(self) -> Any:  # Any: DuckDB's connection is untyped
        """A private DuckDB that sees tables as they were at the first question."""
        limits = Limits()
        settings = limits.settings(self._folder) | {"python_enable_replacements": "false"}
        con = connect(":memory:", settings)
        con.execute(f"SET memory_limit = '{limits.memory_for_queries()}'")
        with self._turn:
            self._snapshot = replace(self._destination.current())
            self._snapshot.parts = dict(self._snapshot.parts)
        self._hidden = list(relations(self._snapshot))
        self._known = tuple(self._hidden)
        self._files = self._destination.files(con)
        return con

    @cached_property
    def _held(self) -> HeldRows:
        return HeldRows(self._con, self._model, self._destination.url, lambda: self._known)

    def stage(self, table: str, sql: str) -> Table:
        """Run a query and hold its rows. Raises: RefusedError, with DuckDB's words."""
        self._check_open()
        self._show(sql)
        return self._held.take(table, sql)

    def stage_rows(self, table: str, data: Batches) -> Table:
        """Hold rows that were made elsewhere."""
        self._check_open()
        return self._held.take_rows(table, data)

    def query(self, sql: str) -> Any:
        """Ask of the rows held and of every table. Raises: RefusedError, which ends the build."""
        self._check_open()
        self._show(sql)
        return self._held.query(sql)

    def remove(self, condition: str) -> int:
        """Let go of the held rows for which a condition is true; returns how many they were."""
        self._check_open()
        self._show(condition)
        return self._held.remove(condition)

    def _show(self, sql: str) -> None:
        """Make views of the tables that a query may speak of, and of the ledger if it does."""
        text = sql.lower().replace(STAGED, "").replace(PLACE, "")
        con = self._con
        spoken = [name for name in self._hidden if name.lower() in text or quote(name).lower() in text]
        with explained(self._destination.url):
            show_tables(con, self._snapshot, self._files, spoken)
            if not self._told and PRIVATE in text:
                show_ledger(con, self._snapshot, told=True)
                self._told = True
        self._hidden = [name for name in self._hidden if name not in spoken]

    # -------------------------------------------------------------------------------- into place

    def put(self, table: Table, disposition: Disposition, *, anew: bool = False) -> int:
        """Make the held rows the model's; returns how many they are. Raises: RefusedError.

        Where a replace takes away only what shares some columns with the new rows, these columns make the
        folders of the table, unless it is parted by others.
        """
        self._check_open()
        if not self._held.columns:
            raise BugError("a model was put before its rows were staged", where=self._model)
        if disposition.overwrite and not table.partitions:
            table = replace(table, partitions=disposition.overwrite)
        self._turn.acquire()
        self._in_turn = True
        self._load = load = self._destination.begin(BUILDS, self._build_id)
        anew = anew or (disposition.mode is WriteMode.REPLACE and not disposition.overwrite)
        if anew:
            load.forget([self._model])
        known = () if anew else self._layout()
        load.shape(table, disposition)
        self._rows = load.write(table, disposition, self._batches(table, known))
        return self._rows

    def _layout(self) -> Layout:
        """How the rows of earlier builds lie."""
        known = self._destination.current().newest().get(self._model)
        return layout_from_json(known.layout) if known is not None and known.layout is not None else ()

    def _batches(self, table: Table, known: Layout) -> Batches:
        with explained(self._destination.url):
            self._held.hide()
            values = self._held.fitting(table, native=False, known=known)
        given = replace(table, columns=tuple(c for c in table.columns if c.name in values and c.type != NULL))
        schema = arrow_schema(given)
        cells = [f"{_carried(values[c.name], c.type)} AS {quote(c.name)}" for c in given.columns]
        rows = f"SELECT {', '.join(cells)} FROM {self._held.table}"
        return Batches(schema, self._read(rows, schema))

    def _read(self, rows: str, schema: Any) -> Iterator[Any]:
        with explained(self._destination.url):
            for batch in self._con.sql(rows).to_arrow_reader(_BATCH_ROWS):
                columns = [c.cast(f.type) for c, f in zip(batch.columns, schema, strict=True)]
                yield pa.RecordBatch.from_arrays(columns, schema=schema)

    def view(self, table: str, sql: str) -> Table:  # noqa: ARG002
        """Nothing: there are no views of parquet files. Raises: RefusedError."""
        raise RefusedError(
            f"`{table}` cannot be a view",
            where=self._destination.url,
            found="a destination of parquet files, which keeps rows and no queries",
            hint="say `materialized: table`, or give the project a DuckDB file as its destination",
        )

    # ---------------------------------------------------------------------------------- the end

    def commit(self, built: Built) -> None:
        """Make it all true. Raises: UncertainError; OutsideError or RefusedError if nothing happened."""
        self._check_open()
        if self._load is None:
            raise BugError("a build was committed before anything was built", where=self._model)
        self._load.built = (model_build(built),)
        self._load.commit(Commit(load_of(built, self._rows), ()))
        self._end()

    def rollback(self) -> None:
        """Undo everything of this build; after a commit nothing happens."""
        if self._open:
            if self._load is not None:
                self._load.rollback()
            self._end()

    def _end(self) -> None:
        self._open = False
        if self._in_turn:
            self._in_turn = False
            self._turn.release()
        if "_con" in self.__dict__:
            with suppress(duckdb.Error):  # a fatal error has closed it already
                self._con.close()
        rmtree(self._folder, ignore_errors=True)

    def _check_open(self) -> None:
        if not self._open:
            raise BugError("this build has ended", where=self._model)


def load_of(built: Built, rows: int = 0) -> LedgerLoad:
    """A build as the load that its commit is."""
    return LedgerLoad(
        load_id=built.build_id,
        pipeline=BUILDS,
        started_at=built.started_at,
        committed_at=built.built_at,
        status="done",
        files=0,
        rows=rows,
        loaded=rows,
        dropped=0,
        quarantined=0,
        version=__version__,
    )


def _carried(x: str, kind: DataType) -> str:
    """A value as Arrow carries it: UUID and JSON are text there."""
    carrier = _carrier(kind)
    return x if carrier == kind else f"CAST({x} AS {ddl(carrier)})"


def _carrier(kind: DataType) -> DataType:
    if isinstance(kind, List):
        return List(_carrier(kind.item))
    if isinstance(kind, Struct):
        return Struct(tuple((n, _carrier(t)) for n, t in kind.fields)) if kind.fields else TEXT
    return TEXT if kind in (UUID, JSON) else kind
