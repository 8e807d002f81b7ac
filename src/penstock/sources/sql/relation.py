"""What a database says of its tables: their columns, how to ask for them, and how they arrive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from penstock.schema.types import DataType

if TYPE_CHECKING:
    import pyarrow as pa


class How(StrEnum):
    """How the values of a column arrive.

    `plain`: in the Arrow type of the column; `text`: as text that says the value; `scaled`: a decimal
    as an integer, times ten to the power of its scale; `seen`: in whatever type the values have.
    """

    PLAIN = "plain"
    TEXT = "text"
    SCALED = "scaled"
    SEEN = "seen"


@dataclass(frozen=True, slots=True)
class Field:
    """A column. `native` is the server's word for its type, `sql` what to select in its place.

    `guard` is a condition under which the driver would lose some of a value: then it is refused.
    `ordered` says that a cursor may go by it: it is compared alike here and there, written as `compared`.
    """

    name: str
    kind: DataType
    native: str
    sql: str
    how: How = How.PLAIN
    nullable: bool = True
    comment: str | None = None
    guard: str | None = None
    ordered: bool = True
    compared: str = "{}"


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key: the values of `columns` are among those of `there` (none: its key) in another table."""

    columns: tuple[str, ...]
    table: str
    there: tuple[str, ...]

    @property
    def remark(self) -> dict[str, object]:
        """What is kept of it beside the table's definition, in the words of dlt."""
        there = list(self.there)
        return {"columns": [*self.columns], "referenced_table": self.table, "referenced_columns": there}


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, a view or a query, as the database describes it.

    `sql` is what stands behind FROM. A primary key is empty if there is none.
    """

    schema: str
    name: str
    sql: str
    fields: tuple[Field, ...]
    primary_key: tuple[str, ...] = ()
    comment: str | None = None
    is_view: bool = False
    references: tuple[Reference, ...] = ()

    def field(self, name: str) -> Field | None:
        """The column of that name, or None."""
        return next((f for f in self.fields if f.name == name), None)


@dataclass(frozen=True, slots=True)
class Found:
    """What there is to choose from. `current` is the schema that names without one mean."""

    relations: tuple[Relation, ...] = field(default_factory=tuple)
    current: str = ""


@dataclass(frozen=True, slots=True)
class Query:
    """What to ask for, and the columns that come. `own_sql` says that some of it is the user's.

    Units: `rows` at a time, where the driver lets one say.
    """

    table: str
    sql: str
    fields: tuple[Field, ...]
    own_sql: bool
    rows: int


class Server(Protocol):
    """One connection to a database, for one run."""

    def relations(self, schemas: Sequence[str]) -> Found:
        """The tables and views of some schemas; of the current one if none is named."""
        ...

    def describe(self, name: str, query: str) -> Relation:
        """A query as a relation. Raises: RefusedError for wrong SQL."""
        ...

    def read_as(self, found: Field, kind: DataType) -> Field:
        """A column, asked for in such a way that it can be read as `kind`."""
        ...

    def quote(self, name: str) -> str:
        """An identifier."""
        ...

    def literal(self, value: object) -> str:
        """A value of a cursor or a key as SQL. Raises: TypeError for a type that has none."""
        ...

    def batches(self, query: Query) -> Iterator[pa.RecordBatch]:
        """What a query gives, batch by batch. Raises: RefusedError, OutsideError."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...
