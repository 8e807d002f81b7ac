"""Rows of a dataset that are described first and read when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from penstock.errors import MissingPartError, NotFoundError, PenstockError, RefusedError, suggest
from penstock.ledger import LOAD_ID
from penstock.schema.table import Column, Table

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

    from penstock.app.dataset import Dataset
    from penstock.cursors.incremental import Incremental

# Any throughout: values of any column type

Ask: TypeAlias = "Callable[[str, Sequence[object]], pa.Table]"
Stream: TypeAlias = "Callable[[str, Sequence[object], int], Iterator[pa.RecordBatch]]"
SHOWN = 10
"""So many rows are shown when a relation is printed."""

_WORDS = {word: word for word in ("=", "<>", "<", "<=", ">", ">=")} | {
    "==": "=",
    "!=": "<>",
    "eq": "=",
    "ne": "<>",
    "lt": "<",
    "lte": "<=",
    "gt": ">",
    "gte": ">=",
    "in": "IN",
    "not in": "NOT IN",
    "not_in": "NOT IN",
    "like": "LIKE",
    "not like": "NOT LIKE",
    "ilike": "ILIKE",
    "not ilike": "NOT ILIKE",
}
OPERATORS = tuple(_WORDS)
"""What `where` knows between a column and a value."""


@dataclass(frozen=True)
class Relation:
    """Rows of a table or a query. Each method that narrows it gives a new one; nothing is read before
    `arrow`, `df`, `polars`, `iter_arrow`, a `fetch` or printing asks for rows.

    `source` is what stands behind FROM, which joins call `name`; it is `plain` if it is the `table` and
    nothing else. `known` are the columns that conditions may name, and `chosen` those that are given.
    Only rows of committed loads are ever seen.
    """

    home: Dataset = field(repr=False)
    ask: Ask = field(repr=False)
    stream: Stream = field(repr=False)
    name: str
    source: str
    known: tuple[str, ...]
    chosen: tuple[str, ...]
    schema_of: Callable[[], Table] = field(repr=False)
    load_ids: Callable[[], Sequence[str]] = field(repr=False)
    source_parameters: tuple[object, ...] = ()
    conditions: tuple[str, ...] = ()
    condition_parameters: tuple[object, ...] = ()
    order: tuple[str, ...] = ()
    most: int | None = None
    value: str | None = None
    table: str | None = None
    plain: bool = False

    # ------------------------------------------------------------------------------- describing

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns that this gives."""
        return self.chosen

    @cached_property
    def schema(self) -> Table:
        """The columns with their types: as declared and inferred, if these are columns of a table."""
        known = self.schema_of()
        found = [known.column(name) for name in self.chosen]
        if any(column is None for column in found):
            from penstock.schema.arrow import from_arrow

            arrow = self.ask(f"SELECT * FROM ({self.sql()}) LIMIT 0", self.parameters).schema
            return replace(
                known,
                columns=tuple(known.column(f.name) or Column(f.name, from_arrow(f.type)) for f in arrow),
                primary_key=(),
                partitions=(),
            )
        return replace(known, columns=tuple(column for column in found if column is not None))

    def sql(self) -> str:
        """The query as SQL text; each `?` in it stands for one of `parameters`."""
        what = self.value or ", ".join(map(quoted, self.chosen))
        parts = [f"SELECT {what}", f"FROM {self.source}"]
        if self.conditions:
            parts.append("WHERE " + " AND ".join(self.conditions))
        if self.order:
            parts.append("ORDER BY " + ", ".join(self.order))
        if self.most is not None:
            parts.append(f"LIMIT {self.most}")
        return "\n".join(parts)

    @property
    def parameters(self) -> tuple[object, ...]:
        """The values that stand for `?` in the SQL, in order."""
        return (*self.source_parameters, *self.condition_parameters)

    # -------------------------------------------------------------------------------- narrowing

    def select(self, *columns: str) -> Relation:
        """These columns only, in this order. Raises: NotFoundError."""
        if not columns:
            raise RefusedError("no column is selected", expected="one name or more")
        return replace(self._open(), chosen=tuple(self._known(c) for c in columns))

    def where(
        self, column: str, op: str | None = None, value: object = None, *, parameters: Sequence[object] = ()
    ) -> Relation:
        """The rows for which a condition holds: a column, an operator and a value, or SQL alone.

            where("country", "in", ["DE", "FR"])
            where("amount > 2 * ?", parameters=[limit])

        Values never become part of the SQL. `None` is compared as SQL's null: `=` and `<>` only.
        Raises: NotFoundError for an unknown column; RefusedError for an unknown operator.
        """
        base = self._open() if self.most is None else self._within()
        if op is None:
            condition, given = f"({column}\n)", tuple(parameters)
        else:
            condition, given = _compared(quoted(base._known(column)), op, value)
        return replace(
            base,
            conditions=(*base.conditions, condition),
            condition_parameters=(*base.condition_parameters, *given),
        )

    def filter(
        self, column: str, op: str | None = None, value: object = None, *, parameters: Sequence[object] = ()
    ) -> Relation:
        """As `where`."""
        return self.where(column, op, value, parameters=parameters)

    def incremental(self, cursor: Incremental[Any]) -> Relation:
        """The rows in the range of a cursor: from where it has come to, within its bounds.

            @ps.resource
            def fresh(at=ps.incremental("updated_at")):
                yield from orders.incremental(at).iter_arrow()

        A row whose cursor is null is given unless the cursor says `on_cursor_value_missing="exclude"`.
        Raises: NotFoundError for an unknown column; RefusedError for a cursor that is no column.
        """
        asked = cursor.predicate()
        if asked.column is None:
            raise RefusedError(
                "the cursor is no column of a table", found=cursor.cursor_path, expected="a plain name"
            )
        base = self._open() if self.most is None else self._within()
        base._known(asked.column)
        condition, values = asked.sql()
        return base.where(condition, parameters=values) if condition else base

    def join(
        self,
        other: str | Relation,
        on: str | Sequence[str] | None = None,
        *,
        kind: str = "inner",
        alias: str | None = None,
    ) -> Relation:
        """These rows beside those of another table or relation, whose columns come as `<alias>__<column>`.

            orders.join("customers", on="orders.customer_id = customers.id", kind="left")
            orders.join("orders__items")  # a child table needs no condition

        `on` may also name columns that both have. The alias is the other's name if none is given. A
        table of another dataset is read from there.
        Raises: NotFoundError; RefusedError for what cannot be joined.
        """
        from penstock.app.joining import joined

        right = self.home.table(other) if isinstance(other, str) else other
        return joined(self._open(), right._open(), on, kind, alias or right.name)

    def named(self, name: str) -> Relation:
        """The same under another name, by which conditions of joins know it."""
        return replace(self, name=name)

    def order_by(self, column: str, direction: str = "asc") -> Relation:
        """Rows in order of a column, nulls last; called again, the next column decides between equals."""
        if direction.lower() not in ("asc", "desc"):
            raise RefusedError("this is no direction", found=repr(direction), expected="asc or desc")
        base = self._open() if self.most is None else self._within()
        term = f"{quoted(base._known(column))} {direction.upper()} NULLS LAST"
        return replace(base, order=(*base.order, term))

    def limit(self, rows: int) -> Relation:
        """At most so many rows."""
        if rows < 0:
            raise RefusedError("a limit cannot be negative", found=str(rows))
        return replace(self._open(), most=rows if self.most is None else min(rows, self.most))

    def head(self, rows: int = 5) -> Relation:
        """The first rows."""
        return self.limit(rows)

    def max(self, column: str | None = None) -> Relation:
        """The largest value of a column, or of the only one: one row, one column, see `fetchscalar`."""
        return self._largest("max", column)

    def min(self, column: str | None = None) -> Relation:
        """The smallest value of a column, or of the only one: one row, one column, see `fetchscalar`."""
        return self._largest("min", column)

    def _largest(self, word: str, column: str | None) -> Relation:
        if column is None and len(self.chosen) != 1:
            raise RefusedError(f"`{word}` of which column?", found=", ".join(self.chosen), expected="one")
        name = self._known(self.chosen[0] if column is None else column)
        return self._one(name, f"{word}({quoted(name)})")

    def count(self) -> Relation:
        """How many rows there are: one row, one column. `fetchscalar` gives the number."""
        return self._one("count", "count(*)")

    def with_load_id_col(self) -> Relation:
        """The same with the column that names each row's load. Raises: NotFoundError if there is none."""
        if LOAD_ID in self.chosen:
            return self
        return replace(self._open(), chosen=(*self.chosen, self._known(LOAD_ID)))

    def from_loads(self, *load_ids: str) -> Relation:
        """The rows that these loads brought. Raises: NotFoundError for a load that was not committed."""
        known = self.load_ids()
        for load_id in load_ids:
            if load_id not in known:
                raise NotFoundError(f"there is no load `{load_id}`", hint=suggest(load_id, known))
        return self.where(LOAD_ID, "in", load_ids)

    # ---------------------------------------------------------------------------------- reading

    def arrow(self) -> pa.Table:
        """All rows as an Arrow table."""
        return self.ask(self.sql(), self.parameters)

    def df(self) -> Any:  # Any: pandas has no types of its own
        """All rows as a pandas DataFrame. Raises: MissingPartError when pandas is not installed."""
        _needed("pandas")
        return self.arrow().to_pandas()

    def polars(self) -> pl.DataFrame:
        """All rows as a polars DataFrame. Raises: MissingPartError when polars is not installed."""
        polars = _needed("polars")
        frame: pl.DataFrame = polars.from_arrow(self.arrow())
        return frame

    def iter_arrow(self, batch_rows: int = 65_536) -> Iterator[pa.RecordBatch]:
        """The rows as record batches of at most that many, read while they are taken.

        They are not held in memory, unless they are sorted. A DuckDB file cannot be written to until
        the last one was taken.
        """
        if batch_rows < 1:
            raise RefusedError("a batch has at least one row", found=str(batch_rows))
        yield from self.stream(self.sql(), self.parameters, batch_rows)

    def iter_df(self, batch_rows: int = 65_536) -> Iterator[Any]:  # Any: pandas has no types of its own
        """The same as pandas DataFrames. Raises: MissingPartError when pandas is not installed."""
        _needed("pandas")
        for batch in self.iter_arrow(batch_rows):
            yield batch.to_pandas()

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows as tuples of Python values; instants with nanoseconds as text, Python has none."""
        return _tuples(self.arrow())

    def fetchmany(self, rows: int) -> list[tuple[Any, ...]]:
        """The first rows as tuples of Python values."""
        return _tuples(self.limit(rows).arrow())

    def fetchone(self) -> tuple[Any, ...] | None:
        """The first row as a tuple of Python values, or None."""
        return next(iter(self.fetchmany(1)), None)

    def fetchscalar(self) -> Any:
        """The one value of one row and one column. Raises: RefusedError when there are more or none."""
        found = self.arrow()
        if (found.num_rows, found.num_columns) != (1, 1):
            raise RefusedError(
                "this is not one value",
                found=f"{found.num_rows:,} rows of {found.num_columns} columns",
                expected="one row of one column, as `max`, `min` and `count` give",
            )
        return found.column(0)[0].as_py()

    # --------------------------------------------------------------------------------- printing

    def __repr__(self) -> str:
        from penstock.report.frame import frame_text

        return self._printed(frame_text)

    def _repr_html_(self) -> str:
        from penstock.report.frame import frame_html

        return self._printed(frame_html)

    def _printed(self, draw: Callable[[pa.Table, int], str]) -> str:
        try:
            return draw(self.limit(SHOWN + 1).arrow(), SHOWN)
        except PenstockError as error:  # printing must not fail: a table may be locked for a moment
            return f"{self.sql()}\n-- {error.what}"

    # ----------------------------------------------------------------------------------- inside

    def _known(self, column: str) -> str:
        if column not in self.known:
            listed = ", ".join(f"`{name}`" for name in self.known)
            raise NotFoundError(
                f"there is no column `{column}`", found=listed, hint=suggest(column, self.known)
            )
        return column

    def _open(self) -> Relation:
        """Itself, or what can be narrowed further in its place."""
        return self if self.value is None else self._within()

    def _within(self) -> Relation:
        """The same rows as the source of a new query: what follows applies to what was cut off."""
        source = f"({self.sql()}\n)"
        return replace(
            self,
            source=source,
            source_parameters=self.parameters,
            known=self.chosen,
            conditions=(),
            condition_parameters=(),
            order=(),
            most=None,
            value=None,
            plain=False,
        )

    def _one(self, name: str, value: str) -> Relation:
        base = self._open() if self.most is None else self._within()
        return replace(base, value=f"{value} AS {quoted(name)}", chosen=(name,), order=())


def quoted(name: str) -> str:
    """A name as an SQL identifier, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def _compared(column: str, op: str, value: object) -> tuple[str, tuple[object, ...]]:
    word = _WORDS.get(" ".join(op.lower().split()))
    if word is None:
        raise RefusedError(
            "this is no operator", found=repr(op), expected=", ".join(OPERATORS), hint=suggest(op, OPERATORS)
        )
    if value is None:
        if word not in ("=", "<>"):
            raise RefusedError(f"nothing can be said of `{op}` and None", expected="`=` or `<>`")
        return f"{column} IS {'NOT ' if word == '<>' else ''}NULL", ()
    if word in ("IN", "NOT IN"):
        if isinstance(value, str) or not hasattr(value, "__iter__"):
            raise RefusedError(f"`{op}` needs several values", found=repr(value), expected="a list")
        values = tuple(value)
        if not values:
            return ("false" if word == "IN" else "true"), ()
        return f"{column} {word} ({', '.join('?' * len(values))})", values
    return f"{column} {word} ?", (value,)


def _tuples(found: pa.Table) -> list[tuple[Any, ...]]:
    from penstock.report.frame import values_of

    return list(zip(*map(values_of, found.columns), strict=True))


def _needed(package: str) -> Any:
    from importlib import import_module

    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        raise MissingPartError(
            f"{package} is not installed",
            found=str(error),
            expected=f"{package}, to give rows as its DataFrame",
            hint=f"pip install {package}; `arrow()` and `fetchall()` need nothing more",
        ) from error
