"""The tables of a pipeline, to read from Python.

    dataset = penstock.open_session().dataset("shop")
    dataset["orders"].where("country", "=", "DE").order_by("amount", "desc").head().df()

What is read is what committed loads brought: a load that is under way, was killed or was refused has
left nothing that could be seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any, Protocol

from penstock.app.relation import Relation, quoted
from penstock.errors import NotFoundError, RefusedError, suggest
from penstock.ledger import (
    FILES_TABLE,
    LOAD_ID,
    LOADS_TABLE,
    RUNS_TABLE,
    SCHEMA_TABLE,
    STATE_TABLE,
    STEPS_TABLE,
)
from penstock.ports import Destination
from penstock.schema.table import Table

if TYPE_CHECKING:
    import pyarrow as pa

LEDGER = (FILES_TABLE, LOADS_TABLE, STATE_TABLE, SCHEMA_TABLE, RUNS_TABLE, STEPS_TABLE)


class Viewed(Protocol):
    """A destination whose tables can be shown in a DuckDB connection of somebody else."""

    def show_in(
        self, connection: Any, tables: Sequence[str], schema: str | None = None
    ) -> None:  # Any: DuckDB's is untyped
        """Make a view for each table, of the rows that are committed now: a temporary one, or in a schema."""
        ...


class Streamed(Protocol):
    """A destination that gives the answer of a query while it makes it."""

    def stream(self, sql: str, parameters: Sequence[object], rows: int) -> Iterator[pa.RecordBatch]:
        """Record batches of at most so many rows."""
        ...


class Dataset:
    """What one pipeline has loaded. `destination` opens its destination; each question does so anew,
    so nothing is held open in between.
    """

    def __init__(self, destination: Callable[[], Destination], pipeline: str) -> None:
        self.pipeline = pipeline
        self._open = destination

    @property
    def place(self) -> str:
        """The URL of the destination."""
        with self._destination() as destination:
            return destination.url

    @property
    def tables(self) -> tuple[str, ...]:
        """The names of the pipeline's tables."""
        return tuple(self.schemas)

    @property
    def schemas(self) -> dict[str, Table]:
        """The pipeline's tables as they are declared and inferred, by name."""
        with self._destination() as destination:
            return dict(destination.facts(self.pipeline).tables)

    @property
    def load_ids(self) -> tuple[str, ...]:
        """The pipeline's loads, oldest first; all of them are complete."""
        sql = f"SELECT load_id FROM {LOADS_TABLE} WHERE pipeline = ? ORDER BY committed_at, load_id"
        return tuple(self._ask(sql, [self.pipeline]).column(0).to_pylist())

    def __getitem__(self, name: str) -> Relation:
        """As `table`."""
        return self.table(name)

    def __contains__(self, name: object) -> bool:
        """Whether the pipeline has such a table."""
        return name in self.tables

    def __iter__(self) -> Iterator[str]:
        """The names of the tables."""
        return iter(self.tables)

    def table(self, name: str) -> Relation:
        """The rows of a table, or of one of the ledger's. Raises: NotFoundError."""
        with self._destination() as destination:
            known = destination.facts(self.pipeline).tables
            if name not in (*known, *LEDGER):
                raise self._unknown(name, tuple(known))
            names = destination.query(f"SELECT * FROM {quoted(name)} LIMIT 0").column_names
        return Relation(
            home=self,
            ask=self._ask,
            stream=self._stream,
            name=name,
            table=name,
            plain=True,
            source=quoted(name),
            known=tuple(names),
            chosen=tuple(n for n in names if n != LOAD_ID or name in LEDGER) or tuple(names),
            schema_of=lambda: known.get(name) or Table(name, ()),
            load_ids=partial(getattr, self, "load_ids"),
        )

    def sql(self, query: str, parameters: Sequence[object] = ()) -> Relation:
        """The answer of a query, in which each `?` stands for one of `parameters`. It cannot write.

        Every table of the destination is there under its name, the ledger included.
        Raises: NotFoundError for an unknown table; RefusedError for wrong SQL.
        """
        source = f"({query.strip().rstrip(';')}\n)"
        names = self._ask(f"SELECT * FROM {source} LIMIT 0", parameters).column_names
        return Relation(
            home=self,
            ask=self._ask,
            stream=self._stream,
            name="query",
            source=source,
            known=tuple(names),
            chosen=tuple(names),
            schema_of=lambda: Table("query", ()),
            load_ids=partial(getattr, self, "load_ids"),
            source_parameters=tuple(parameters),
        )

    def query(self, query: str, parameters: Sequence[object] = ()) -> Relation:
        """As `sql`."""
        return self.sql(query, parameters)

    def row_counts(self) -> dict[str, int]:
        """How many rows each table has."""
        counts = [f"SELECT {number} AS t, count(*) AS n FROM {quoted(t)}" for number, t in self._numbered()]
        if not counts:
            return {}
        names = dict(self._numbered())
        rows = self._ask(" UNION ALL ".join(counts) + " ORDER BY t", ()).to_pylist()
        return {names[row["t"]]: row["n"] for row in rows}

    def views(
        self, connection: Any, schema: str | None = None
    ) -> tuple[str, ...]:  # Any: DuckDB's connection is untyped
        """Show the tables as views in a DuckDB connection of your own; returns their names.

        They are temporary, or lie in a `schema` that is made for them, so that several datasets go
        side by side. Those of parquet show what is committed now, and go on showing it: ask again
        after the next load. A DuckDB file is attached read-only, and nobody can write to it until the
        connection is closed.
        Raises: RefusedError for a destination that cannot be shown.
        """
        with self._destination() as destination:
            tables = tuple(destination.facts(self.pipeline).tables)
            show = getattr(destination, "show_in", None)
            if show is None:
                raise RefusedError(
                    "the tables of this destination are not shown in other connections",
                    where=destination.url,
                    hint="read them with `dataset.sql` and register the answer",
                )
            show(connection, tables, schema)
        return tables

    def __repr__(self) -> str:
        counts = self.row_counts()
        lines = [f"dataset of `{self.pipeline}`: {len(counts)} table{'' if len(counts) == 1 else 's'}"]
        wide = max((len(name) for name in counts), default=0)
        return "\n".join([*lines, *(f"  {name:{wide}}  {n:,} rows" for name, n in counts.items())])

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><td>{escape(n)}</td><td>{c:,}</td></tr>" for n, c in self.row_counts().items())
        head = "<tr><th>table</th><th>rows</th></tr>"
        return f"<table><caption>{escape(self.pipeline)}</caption>{head}{rows}</table>"

    # ----------------------------------------------------------------------------------- inside

    def _numbered(self) -> list[tuple[int, str]]:
        return list(enumerate(self.tables))

    def _ask(self, sql: str, parameters: Sequence[object]) -> pa.Table:
        with self._destination() as destination:
            return destination.query(sql, parameters)

    def _stream(self, sql: str, parameters: Sequence[object], rows: int) -> Iterator[pa.RecordBatch]:
        with self._destination() as destination:
            stream = getattr(destination, "stream", None)
            if stream is None:
                yield from destination.query(sql, parameters).to_batches(max_chunksize=rows)
            else:
                yield from stream(sql, parameters, rows)

    @contextmanager
    def _destination(self) -> Iterator[Destination]:
        destination = self._open()
        try:
            yield destination
        finally:
            destination.close()

    def _unknown(self, name: str, known: Sequence[str]) -> NotFoundError:
        listed = ", ".join(f"`{n}`" for n in known) or "no table yet"
        hint = suggest(name, (*known, *LEDGER))
        return NotFoundError(f"`{self.pipeline}` has no table `{name}`", found=listed, hint=hint)
