"""A SQL database as a source: which tables and columns, and how far each was read."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from penstock.project import words
from penstock.project.base import Names, Spec
from penstock.project.maker import MakerSpec
from penstock.schema.types import parse_type

Bound = str | int | float


def _one_cursor(value: Any) -> Any:  # Any: what a project file holds, not yet checked
    """A column's name alone."""
    return {"cursor": value} if isinstance(value, str) else value


def _globs(value: Any) -> Any:  # Any: as above
    """A list of globs, or one, as a mapping without options."""
    if isinstance(value, str):
        return {value: {}}
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return {name: {} for name in value}
    return value


def _type(value: str) -> str:
    try:
        parse_type(value)
    except ValueError as error:
        raise words.refuse(
            f"{value!r} is not a type", expected="such as `text`, `json` or `decimal(20,4)`", hint=str(error)
        ) from None
    return value


class SqlCursorSpec(Spec):
    """A column that tells which rows are new.

    Units: `lag` in seconds for instants, days for dates, else the number itself.
    """

    cursor: str
    """The column whose values grow: an instant of change, a number."""
    initial_value: Bound | None = None
    """Where the first run begins; ISO text for instants and dates."""
    end_value: Bound | None = None
    """Where to end; the range is fixed then, and nothing is remembered."""
    func: Literal["max", "min"] = "max"
    """Whether rows are new that have a greater value, or a smaller one."""
    lag: Annotated[float, Field(ge=0)] | None = None
    """How far before the last value to begin, for rows that come late."""
    range_start: Literal["closed", "open"] = "closed"
    """Whether rows that have the last value itself are looked at again."""
    range_end: Literal["open", "closed"] = "open"
    """Whether rows that have the end value belong to the range."""
    on_missing: Literal["raise", "include", "exclude"] = "raise"
    """What becomes of rows whose cursor is null."""
    allow_external_schedulers: bool = False
    """Whether PENSTOCK_INTERVAL_START and _END, or Airflow's data interval, say what range to read."""


class SqlTableSpec(Spec):
    """What to read of one table or view, or of those whose name the glob matches."""

    table: str | None = None
    """The table to read, if its name differs: `orders` or `sales.orders`."""
    query: str | None = None
    """A query to read in place of a table."""
    where: str | None = None
    """A condition in the database's own SQL; rows for which it is not true are not read."""
    columns: Names = ()
    """The columns to read, as names or globs; all of them if none is named."""
    exclude_columns: Names = ()
    """The columns to leave out, as names or globs."""
    types: Annotated[
        dict[str, Annotated[str, AfterValidator(_type)]], Field(json_schema_extra={"minProperties": 0})
    ] = Field(default_factory=dict)
    """The type to read a column as, in place of the one that the database says."""
    primary_key: Names = ()
    """The columns that tell rows apart; the database's own primary key if none is named."""
    incremental: Annotated[
        SqlCursorSpec | None, BeforeValidator(_one_cursor, json_schema_input_type=str | SqlCursorSpec | None)
    ] = None
    """The column that tells which rows are new; without one the whole table is read."""
    write: Literal["append", "replace", "merge"] | None = None
    """How rows meet those that are there: `merge` or `append` with a cursor, else `replace`."""

    @model_validator(mode="after")
    def _one_way(self) -> SqlTableSpec:
        if self.query is not None and self.table is not None:
            raise PydanticCustomError(
                "refused",
                "`query` and `table` both say what to read",
                {"expected": "one of them", "at": ("query",)},
            )
        return self


Tables = Annotated[
    dict[str, SqlTableSpec],
    BeforeValidator(_globs, json_schema_input_type=str | tuple[str, ...] | dict[str, SqlTableSpec]),
    Field(json_schema_extra={"minProperties": 0}),
]


class SqlDatabaseSpec(MakerSpec):
    """Tables and views of a SQL database.

    Units: `chunk_rows` and `checkpoint_rows` in rows.
    """

    type: Literal["sql_database"] = "sql_database"
    url: Annotated[str, Field(repr=False)]
    """The database, such as `postgresql://user:${PASSWORD}@host/db` or `sqlite:///file.db`."""
    schemas: Annotated[Names, Field(alias="schema")] = ()
    """The schemas to look in; the one that the connection begins in if none is named."""
    tables: Tables = Field(default_factory=dict)
    """Globs of tables to read, or a mapping of names and globs to options; all tables if none is named."""
    exclude: Names = ()
    """Globs of tables to leave out."""
    include_views: bool = False
    """Whether a glob matches views too; a view that is named is always read."""
    chunk_rows: Annotated[int, Field(ge=1)] = 50_000
    """How many rows are read at a time, where the driver lets one say."""
    checkpoint_rows: Annotated[int, Field(ge=1)] = 500_000
    """After how many rows what was read is landed for good, so that a killed run goes on from there."""
    snapshot: bool = True
    """Whether all tables are read as they were at one instant, where the server can do it."""
