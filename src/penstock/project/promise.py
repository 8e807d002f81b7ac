"""What a project file promises of a table: its columns, gate, contract and write disposition.

The short forms are in `project.short`; `project.tables` makes of these words what the rest of Penstock
works with.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from penstock.gate.verdict import Action
from penstock.project import short, words
from penstock.project.base import Count, Names, Spec
from penstock.project.labels import Labels
from penstock.schema.contract import Mode
from penstock.schema.disposition import Order, Strategy, WriteMode
from penstock.schema.nesting import NestingMode

Detection = Literal[
    "timestamp", "iso_timestamp", "iso_date", "large_integer", "hexbytes_to_text", "wei_to_double"
]


class CsvSpec(Spec):
    """The dialect of CSV files."""

    delimiter: Annotated[str, BeforeValidator(short.delimiter), AfterValidator(words.character)] = ","
    """The character between two values; `\\t` for a tab."""
    quote: Annotated[str, AfterValidator(words.character)] = '"'
    """The character around values that hold a delimiter or a line break."""
    escape: Annotated[str | None, AfterValidator(words.character)] = None
    """The character before a quote inside a value; none: the quote is doubled."""
    header: bool = True
    """Whether the first line names the columns."""
    column_names: Names | None = None
    """The column names of files without a header."""
    null_values: Names = ("",)
    """The texts that stand for no value."""
    encoding: Annotated[str, AfterValidator(words.encoding)] = "utf-8"
    """The character encoding."""
    skip_rows: Count = 0
    """How many lines to leave out before the header."""


class ExpectationSpec(Spec):
    """A row-level SQL condition that must be true; false and null break it."""

    name: Annotated[str, Field(min_length=1)]
    """The name that reports use."""
    constraint: Annotated[str, Field(min_length=1)]
    """A SQL condition on the columns of one row."""
    action: Action = Action.QUARANTINE
    """What happens to rows that break it."""


class VolumeSpec(Spec):
    """Rows and bytes of a file against the table's own history.

    Units: `tolerance` in robust standard deviations (median and MAD); judged from `min_history`
    files on.
    """

    tolerance: Annotated[float, Field(gt=0)] = 6.0
    """How far from the median a file may be, in robust standard deviations."""
    min_history: Annotated[int, Field(ge=1)] = 8
    """How many files must be known before a file is judged."""
    action: Action = Action.ALLOW
    """What happens to a file that is out of the ordinary."""


class GateSpec(Spec):
    """What a table's files and rows must satisfy, and what happens to what does not.

    Units: `min_bytes` and `max_bytes` of the file as it lies; rows by count.
    """

    min_rows: Count | None = None
    """The fewest rows that a file may have."""
    max_rows: Count | None = None
    """The most rows that a file may have."""
    min_bytes: Count | None = None
    """The least bytes that a file may have, compressed as it lies."""
    max_bytes: Count | None = None
    """The most bytes that a file may have, compressed as it lies."""
    arrival: Action = Action.QUARANTINE
    """What happens to a file that breaks an arrival rule."""
    duplicate_content: Action = Action.ALLOW
    """What happens to a file whose bytes were loaded before."""
    volume: VolumeSpec | None = None
    """Judge rows and bytes of a file against the table's history."""
    on_broken: Action = Action.QUARANTINE
    """What happens to a row that breaks a rule, unless `actions` says otherwise."""
    on_unparsable: Action = Action.QUARANTINE
    """What happens to a line that cannot be read."""
    actions: dict[str, Action] = Field(default_factory=dict)
    """What happens to rows that break one particular rule, by the rule's name."""
    expectations: tuple[ExpectationSpec, ...] = ()
    """SQL conditions that each row must satisfy."""
    max_quarantined_share: Annotated[float, Field(ge=0, le=1)] | None = None
    """The largest share of a file's rows that may be set aside, from 0 to 1; more breaks `arrival`."""

    @model_validator(mode="after")
    def _sane(self) -> GateSpec:
        for low, high in (("min_rows", "max_rows"), ("min_bytes", "max_bytes")):
            words.in_order(low, getattr(self, low), high, getattr(self, high))
        words.distinct("expectation", (e.name for e in self.expectations), at=("expectations",))
        return self


class ContractSpec(Spec):
    """The schema contract; a single word in the project file sets columns and data_type alike."""

    tables: Mode = Mode.EVOLVE
    """What to do with a table that is new."""
    columns: Mode = Mode.EVOLVE
    """What to do with a column that is new."""
    data_type: Mode | None = None
    """What to do with a value of another type; not given: quarantine it where the type is
    declared, and widen the type where it was only seen in data."""


class ForeignKeySpec(Spec):
    """The values of a column must be among `columns` of `table` in the same destination."""

    table: str
    """The table that is pointed at."""
    columns: Names
    """The column of that table that holds the values."""


class ColumnSpec(Spec):
    """A column declared in the project file; our own metadata files have the same keys."""

    name: Annotated[str, Field(min_length=1)]
    """The column's name, exactly as in the data."""
    type: str | None = None
    """Its type, such as `int64`, `text`, `decimal(12,2)` or `list<text>`."""
    description: str | None = None
    """What the column means."""
    nullable: bool = True
    """Whether a row may have no value here."""
    enum: tuple[Any, ...] | None = None  # Any: values of whatever type the column has
    """The only values that are allowed."""
    pattern: str | None = None
    """A regular expression that the whole value must match."""
    minimum: Any = None  # Any: a value of whatever type the column has
    """The least value."""
    maximum: Any = None  # Any: as above
    """The greatest value."""
    min_length: Annotated[int | None, Field(alias="minLength", ge=0)] = None
    """The fewest characters."""
    max_length: Annotated[int | None, Field(alias="maxLength", ge=0)] = None
    """The most characters."""
    unique: bool = False
    """Whether no value may appear twice."""
    sensitive: bool = False
    """Whether values must never be shown."""
    foreign_key: Annotated[
        ForeignKeySpec | None,
        BeforeValidator(short.foreign_key, json_schema_input_type=str | ForeignKeySpec | None),
    ] = None
    """Another table's column that must hold the value: `table.column`."""


class Scd2Spec(Spec):
    """The columns in which every version of a row is kept with the time in which it held."""

    valid_from: Annotated[str, Field(min_length=1)] = "_penstock_valid_from"
    """The column for the instant from which a version holds."""
    valid_to: Annotated[str, Field(min_length=1)] = "_penstock_valid_to"
    """The column for the instant until which it held."""
    active_until: datetime | None = None
    """What `valid_to` says of versions that hold still; null if not given."""
    row_version: str | None = None
    """A column of the data that changes whenever its row does; a digest of all values if not given."""


class WriteSpec(Spec):
    """A write disposition in full, as the mapping form of a table's `write`."""

    mode: WriteMode = WriteMode.APPEND
    """Append, replace or merge."""
    strategy: Strategy = Strategy.UPSERT
    """Merge: how rows meet those that are there."""
    primary_key: Names = ()
    """The columns that tell one row from another."""
    merge_key: Names = ()
    """Merge: rows that share the values of these columns belong together."""
    dedup_sort: str | None = None
    """Of several rows with one key, the one with the greatest value here wins."""
    dedup_order: Order = Order.DESC
    """Which value of `dedup_sort` wins: the greatest (`desc`) or the least (`asc`)."""
    hard_delete: str | None = None
    """The column that says that a row is deleted: true, or any value unless `delete_values` says which."""
    delete_values: Names = ()
    """The values of `hard_delete` that mean deleted."""
    overwrite: Names = ()
    """Replace: only the rows that share the values of these columns with new ones."""
    source_filter: str | None = None
    """Merge: a SQL condition on the rows that come; the gate drops the others."""
    destination_scope: str | None = None
    """Delete-insert: a SQL condition that says which rows of the table go; scd2: which may retire."""
    skip_unchanged_rows: bool = False
    """Upsert and cdc: leave rows alone whose values are the same in the table."""
    row_version: str | None = None
    """With `skip_unchanged_rows`: the column that changes whenever its row does."""
    scd2: Scd2Spec | None = None
    """Merge by scd2: the names of its columns."""


class NestingSpec(Spec):
    """What becomes of objects and lists inside of rows."""

    mode: NestingMode = NestingMode.NATIVE
    """Keep them as they are, or make columns of objects and child tables of lists."""
    depth: Count | None = None
    """How many levels are treated so; what lies deeper is kept as JSON text."""


class TableSpec(Labels):
    """One table of a pipeline: its metadata, gate, contract and write disposition."""

    description: str | None = None
    """What the table holds."""
    metadata: str | None = None
    """A metadata file (our own, etl_manager, mojap-metadata, ODCS, JSON Schema, dlt), `file#table`, or
    a pydantic model as `package.module:Model`."""
    columns: Annotated[
        tuple[ColumnSpec, ...],
        BeforeValidator(
            short.columns,
            json_schema_input_type=tuple[ColumnSpec, ...] | dict[str, str | dict[str, Any] | None],
        ),
    ] = ()
    """Columns declared here: a list, or a mapping of name to type; they win over the metadata file."""
    primary_key: Names = ()
    """The columns that tell one row from another."""
    partitions: Names = ()
    """The columns by which files of the destination are laid out."""
    gate: GateSpec = Field(default_factory=GateSpec)  # a default with a mapping in it would be copied deeply
    """What files and rows must satisfy."""
    contract: Annotated[
        ContractSpec, BeforeValidator(short.contract, json_schema_input_type=Mode | ContractSpec)
    ] = ContractSpec()
    """What may happen when the data's shape changes."""
    write: Annotated[
        WriteMode,
        Field(alias="write_disposition"),
        BeforeValidator(short.same, json_schema_input_type=WriteMode | WriteSpec),
    ] = WriteMode.APPEND
    """How rows meet those that are in the table already."""
    strategy: Strategy = Strategy.UPSERT
    """Merge: how rows meet those that are there."""
    merge_key: Names = ()
    """Merge: rows that share the values of these columns belong together."""
    dedup_sort: str | None = None
    """Merge: of several rows with one key, the one with the greatest value here wins."""
    dedup_order: Order = Order.DESC
    """Which value of `dedup_sort` wins: the greatest (`desc`) or the least (`asc`)."""
    hard_delete: str | None = None
    """The column that says that a row is deleted: true, or any value unless `delete_values` says which."""
    delete_values: Names = ()
    """The values of `hard_delete` that mean deleted."""
    overwrite: Names = ()
    """Replace: only the rows that share the values of these columns with new ones."""
    source_filter: str | None = None
    """Merge: a SQL condition on the rows that come; the gate drops the others."""
    destination_scope: str | None = None
    """Delete-insert: a SQL condition that says which rows of the table go; scd2: which may retire."""
    skip_unchanged_rows: bool = False
    """Upsert and cdc: leave rows alone whose values are the same in the table."""
    row_version: str | None = None
    """With `skip_unchanged_rows`: the column that changes whenever its row does."""
    scd2: Scd2Spec | None = None
    """Merge by scd2: the names of its columns."""
    nesting: Annotated[
        NestingSpec,
        BeforeValidator(short.nesting, json_schema_input_type=NestingMode | int | NestingSpec),
    ] = NestingSpec()
    """Objects and lists inside of rows: `native`, `flatten`, or the number of levels to keep."""
    detect: Annotated[
        tuple[Detection, ...],
        BeforeValidator(short.names, json_schema_input_type=Detection | tuple[Detection, ...]),
    ] = ()
    """What to look for in texts and numbers whose type is not declared."""
    variants: bool = False
    """Whether values of another type go to a column of their own, such as `price__v_text`."""
    format: Literal["jsonl", "csv", "parquet"] | None = None
    """The file format, where the extension does not tell it."""
    csv: CsvSpec = CsvSpec()
    """The dialect of CSV files."""

    @model_validator(mode="before")
    @classmethod
    def _spread_write(cls, data: Any) -> Any:  # Any: what a project file holds, not yet checked
        return short.write(data)

    @model_validator(mode="after")
    def _sane(self) -> TableSpec:
        words.distinct("column", (c.name for c in self.columns), at=("columns",))
        words.distinct("key column", self.primary_key, at=("primary_key",))
        words.distinct("partition", self.partitions, at=("partitions",))
        return self
