"""The project file as typed values. `project.load` reads them; `project.json_schema` describes them.

Every model forbids unknown keys. Relative paths are relative to the project's folder
(`Project.root`); `project.load` leaves them as written.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from penstock.gate.verdict import Action, Policy
from penstock.schema.contract import Mode
from penstock.schema.disposition import WriteMode


class Spec(BaseModel):
    """The root of all project values: frozen, and strict about unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class LayersSpec(Spec):
    """Where files lie: a folder or an object-store URL for each layer."""

    land: str = "data/land"
    raw_hist: str = "data/raw_hist"
    quarantine: str = "data/quarantine"


class DuckDBSpec(Spec):
    """A DuckDB file. Units: `memory_limit` as DuckDB writes it, such as `1GB`."""

    type: Literal["duckdb"] = "duckdb"
    path: str
    schema_name: Annotated[str, Field(alias="schema")] = "main"
    memory_limit: str | None = None
    threads: int | None = None


class ParquetSpec(Spec):
    """Parquet files in a folder or bucket. `layout` places a part below the table's folder."""

    type: Literal["parquet"] = "parquet"
    path: str
    layout: str = "{table}/{partitions}/{load_id}_{part}.parquet"
    compression: str = "zstd"


DestinationSpec = Annotated[DuckDBSpec | ParquetSpec, Field(discriminator="type")]


class CsvSpec(Spec):
    """The dialect of CSV files."""

    delimiter: str = ","
    quote: str = '"'
    escape: str | None = None
    header: bool = True
    column_names: tuple[str, ...] | None = None
    null_values: tuple[str, ...] = ("",)
    encoding: str = "utf-8"
    skip_rows: int = 0


class FilesystemSpec(Spec):
    """Files in a folder or bucket. `tables` maps a table's name to a glob relative to `url`.

    Units: `min_age_s` in seconds; a file younger than that, or whose size or time changes while it
    is looked at, is left for the next run.
    """

    type: Literal["filesystem"] = "filesystem"
    url: Annotated[str, Field(alias="path")]
    glob: str | None = None
    tables: dict[str, str] = Field(default_factory=dict)
    incremental: Literal["identity", "modified_date"] = "identity"
    min_age_s: float = 2.0


class LandSpec(Spec):
    """Files that others put straight into the landing area, below `<dataset>/<table>/`."""

    type: Literal["land"] = "land"
    min_age_s: float = 2.0


SourceSpec = Annotated[FilesystemSpec | LandSpec, Field(discriminator="type")]


class ExpectationSpec(Spec):
    """A row-level SQL condition that must be true; false and null break it."""

    name: str
    constraint: str
    action: Action = Action.QUARANTINE


class VolumeSpec(Spec):
    """Rows and bytes of a file against the table's own history.

    Units: `tolerance` in robust standard deviations (median and MAD); judged from `min_history`
    files on.
    """

    tolerance: float = 6.0
    min_history: int = 8
    action: Action = Action.ALLOW


class GateSpec(Spec):
    """What a table's files and rows must satisfy, and what happens to what does not.

    Units: `min_bytes` and `max_bytes` of the file as it lies; rows by count.
    """

    min_rows: int | None = None
    max_rows: int | None = None
    min_bytes: int | None = None
    max_bytes: int | None = None
    arrival: Action = Action.QUARANTINE
    duplicate_content: Action = Action.ALLOW
    volume: VolumeSpec | None = None
    on_broken: Action = Action.QUARANTINE
    on_unparsable: Action = Action.QUARANTINE
    actions: dict[str, Action] = Field(default_factory=dict)
    expectations: tuple[ExpectationSpec, ...] = ()
    max_quarantined_share: float | None = None


class ContractSpec(Spec):
    """The schema contract; a single word in the project file sets columns and data_type alike."""

    tables: Mode = Mode.EVOLVE
    columns: Mode = Mode.EVOLVE
    data_type: Mode | None = None


class ColumnSpec(Spec):
    """A column declared in the project file or in our own metadata YAML/JSON."""

    name: str
    type: str | None = None
    description: str | None = None
    nullable: bool = True
    enum: tuple[Any, ...] | None = None
    pattern: str | None = None
    minimum: Any = None
    maximum: Any = None
    min_length: Annotated[int | None, Field(alias="minLength")] = None
    max_length: Annotated[int | None, Field(alias="maxLength")] = None
    unique: bool = False
    sensitive: bool = False
    foreign_key: tuple[dict[str, Any], ...] | None = None


class TableSpec(Spec):
    """One table of a pipeline: its metadata, gate, contract and write disposition."""

    metadata: str | None = None
    columns: tuple[ColumnSpec, ...] = ()
    primary_key: tuple[str, ...] = ()
    partitions: tuple[str, ...] = ()
    gate: GateSpec = GateSpec()
    contract: ContractSpec = ContractSpec()
    write: Annotated[WriteMode, Field(alias="write_disposition")] = WriteMode.APPEND
    dedup_sort: str | None = None
    format: Literal["jsonl", "csv", "parquet"] | None = None
    csv: CsvSpec = CsvSpec()


class PipelineSpec(Spec):
    """A source, the tables it fills, and how strict the gate is about a run as a whole."""

    source: SourceSpec
    tables: dict[str, TableSpec] = Field(default_factory=dict)
    dataset: str | None = None
    destination: DestinationSpec | None = None
    policy: Policy = Policy.ALL
    schedule: str | None = None
    description: str | None = None


class Project(Spec):
    """A whole project, with its environment applied and its secrets filled in.

    `root` is the folder of the project file, `environment` the one in force (None: no overlay).
    """

    name: str
    root: Path
    environment: str | None = None
    layers: LayersSpec = LayersSpec()
    destination: DestinationSpec = DuckDBSpec(path="warehouse.duckdb")
    pipelines: dict[str, PipelineSpec] = Field(default_factory=dict)
