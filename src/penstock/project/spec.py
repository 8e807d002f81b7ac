"""The project file as typed values. `project.load` reads them; `project.json_schema` describes them.

Models of sources are in `project.sources`. Every model forbids unknown keys, and an empty value
(`tables:` with nothing behind it) means the default. Relative paths are relative to the project's
folder (`Project.root`) and are left as written; `project.places` resolves them. What is promised
of tables is in `project.promise`, what is said of models in `project.models`. The short forms that a
project file may use (`contract: freeze`, `primary_key: id`, a URL for a destination) are in
`project.short`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from penstock.gate.verdict import Policy
from penstock.project import short, words
from penstock.project.base import Place, Seconds, Spec
from penstock.project.labels import FreshnessSpec, Labels
from penstock.project.models import DbtSpec, ModelSpec, ModelsSpec
from penstock.project.plugins import JobSpec, PluginsSpec, ScheduleSpec
from penstock.project.promise import (
    ColumnSpec,
    ContractSpec,
    CsvSpec,
    ExpectationSpec,
    ForeignKeySpec,
    GateSpec,
    NestingSpec,
    Scd2Spec,
    TableSpec,
    VolumeSpec,
    WriteSpec,
)
from penstock.project.singer_target import SingerTargetSpec
from penstock.project.sources import FilesystemSpec, SourceSpec

__all__ = [
    "ColumnSpec", "ContractSpec", "CsvSpec", "DbtSpec", "DestinationSpec", "DuckDBSpec", "ExpectationSpec",
    "ForeignKeySpec", "FreshnessSpec", "GateSpec", "LayersSpec", "ModelSpec", "ModelsSpec", "NestingSpec",
    "ParquetSpec", "PipelineSpec", "Project", "ProjectFile", "RetrySpec", "Scd2Spec", "TableSpec",
    "VolumeSpec", "WriteSpec",
]  # fmt: skip


class LayersSpec(Spec):
    """Where files lie: a folder or an object-store URL for each layer."""

    land: Place = "data/land"
    """Files as they arrived, until they have their verdict."""
    raw_hist: Place = "data/raw_hist"
    """The same files, byte for byte, kept for ever."""
    quarantine: Place = "data/quarantine"
    """Rows and files that broke a rule, with the reason."""


class DuckDBSpec(Spec):
    """A DuckDB file. Units: `memory_limit` as DuckDB writes it, such as `1GB`."""

    type: Literal["duckdb"] = "duckdb"
    path: Annotated[str, AfterValidator(words.database)]
    """The database file, made on the first run."""
    schema_name: Annotated[str, Field(alias="schema", min_length=1)] = "main"
    """The schema that holds the tables."""
    memory_limit: Annotated[str | None, AfterValidator(words.memory)] = None
    """How much memory DuckDB may use, such as `1GB`."""
    threads: Annotated[int, Field(ge=1)] | None = None
    """How many threads DuckDB may use; all cores if not given."""


class ParquetSpec(Spec):
    """Parquet files in a folder or bucket. `layout` places a part below the table's folder."""

    type: Literal["parquet"] = "parquet"
    path: Place
    """The folder or bucket prefix that holds one folder a table."""
    layout: str = "{table}/{partitions}/{load_id}_{part}.parquet"
    """Where a file of a load lies below `path`."""
    compression: Literal["zstd", "snappy", "gzip", "lz4", "brotli", "none"] = "zstd"
    """The codec of the column chunks."""
    compression_level: Annotated[int, Field(ge=1)] | None = None
    """How hard the codec tries; zstd 1 to 22 (1 if not given), gzip 1 to 9, brotli 1 to 11."""
    row_group_rows: Annotated[int, Field(ge=1)] = 262_144
    """At most so many rows in a row group; fewer where a load writes many files at once."""
    file_bytes: Annotated[int, Field(ge=1)] = 256 << 20
    """A file that has grown to so many bytes is finished, and the next one begun."""

    @model_validator(mode="after")
    def _level(self) -> ParquetSpec:
        most = {"zstd": 22, "gzip": 9, "brotli": 11}.get(self.compression, 0)
        if self.compression_level is not None and self.compression_level > most:
            raise words.refuse(
                f"`{self.compression}` has no level {self.compression_level}",
                expected=f"1 to {most}" if most else "no `compression_level`",
                at=("compression_level",),
            )
        return self


DestinationSpec = Annotated[
    DuckDBSpec | ParquetSpec | SingerTargetSpec,
    Field(discriminator="type"),
    BeforeValidator(
        short.destination,
        json_schema_input_type=str
        | DuckDBSpec
        | ParquetSpec
        | SingerTargetSpec
        | dict[Literal["duckdb", "parquet", "singer_target"], str],
    ),
]


class RetrySpec(Spec):
    """How often a run is tried again after an outside error (network, quota, a lock that is held).

    Units: `wait_s` and `max_wait_s` in seconds; the wait doubles from try to try.
    """

    attempts: Annotated[int, Field(ge=1)] = 1
    """How often to try in all."""
    wait_s: Seconds = 1.0
    """How long to wait before the second try."""
    max_wait_s: Seconds = 60.0
    """The longest wait between two tries."""


class PipelineSpec(Labels):
    """A source, the tables it fills, and how strict the gate is about a run as a whole."""

    source: SourceSpec
    """Where the data comes from."""
    tables: dict[
        Annotated[str, AfterValidator(words.table)],
        Annotated[TableSpec, BeforeValidator(short.nothing, json_schema_input_type=TableSpec | None)],
    ] = Field(default_factory=dict)
    """What is promised of each table; tables that are not named here take the defaults."""
    dataset: Annotated[str | None, AfterValidator(words.dataset)] = None
    """The folder of this pipeline in every layer; the pipeline's name if not given."""
    destination: DestinationSpec | None = None
    """A destination of its own, in place of the project's."""
    naming: Annotated[str, AfterValidator(words.naming)] = "direct"
    """How tables and columns are called: `direct` (as in the data), `snake_case`, `sql_ci`, or a
    convention of your own as `package.module:name`."""
    retry: RetrySpec = RetrySpec()
    """What to do when the source or the destination cannot be reached."""
    policy: Policy = Policy.ALL
    """How far a failure reaches: all files of a run, those of its table, or the file alone."""
    schedule: Annotated[str | None, AfterValidator(words.cron)] = None
    """When to run: five cron fields, or a word such as `@daily`."""
    description: str | None = None
    """What the pipeline is for."""

    @model_validator(mode="after")
    def _tables_have_files(self) -> PipelineSpec:
        if isinstance(self.source, FilesystemSpec):
            _match_tables(self.source, self.tables)
        return self


def _match_tables(source: FilesystemSpec, tables: Iterable[str]) -> None:
    """Refuse tables that the source does not fill, and files that go to no table."""
    declared = list(tables)
    for name in declared if source.tables else ():
        if name not in source.tables:
            raise PydanticCustomError(
                "refused",
                "no files of the source fill the table `{name}`",
                {"name": name, "known": list(source.tables), "at": ("tables", name)},
            )
    if not source.tables and len(declared) != 1:
        raise PydanticCustomError(
            "refused",
            "it is not said which table the files fill"
            if not declared
            else "one glob cannot fill {n} tables",
            {
                "n": len(declared),
                "at": ("source",),
                "expected": "`tables` in the source: the name of each table and the glob of its files",
                "hint": 'such as `tables: {orders: "orders_*.jsonl"}`',
            },
        )


class ProjectFile(Spec):
    """What a project file says, without its `environments`."""

    name: Annotated[str, AfterValidator(words.name)]
    """The project's name."""
    layers: LayersSpec = LayersSpec()
    """Where files lie."""
    destination: DestinationSpec = DuckDBSpec(path="warehouse.duckdb")
    """The warehouse: a URL such as `duckdb:///warehouse.duckdb`, or a mapping with `type`."""
    pipelines: dict[Annotated[str, AfterValidator(words.name)], PipelineSpec] = Field(default_factory=dict)
    """The pipelines by name; more may lie in `pipelines/*.yml`."""
    models: Annotated[
        ModelsSpec | None, BeforeValidator(short.path, json_schema_input_type=str | ModelsSpec | None)
    ] = None
    """What is built of the loaded tables: a folder of models such as `models/`, a dbt project as
    `{dbt: path}`, or more."""
    default_environment: Annotated[str, AfterValidator(words.name)] | None = None
    """The environment to apply where none is asked for."""
    env: Annotated[dict[str, Any], Field(json_schema_extra={"minProperties": 0})] = Field(
        default_factory=dict
    )  # Any: texts, numbers and truth values
    """Variables that plugins are started with."""
    plugins: PluginsSpec = Field(default_factory=PluginsSpec)
    """Singer taps and targets, and other programs, as `meltano.yml` lists them."""
    jobs: tuple[JobSpec, ...] = ()
    """Names for blocks of plugins that run one after the other."""
    schedules: tuple[ScheduleSpec, ...] = ()
    """When jobs are to run."""

    @model_validator(mode="after")
    def _names_once(self) -> ProjectFile:
        words.distinct("job", (job.name for job in self.jobs), at=("jobs",))
        words.distinct("schedule", (schedule.name for schedule in self.schedules), at=("schedules",))
        return self


class Project(ProjectFile):
    """A whole project, with its environment applied and its secrets filled in.

    `root` is the folder of the project file, `environment` the one in force (None: no overlay).
    """

    root: Path
    environment: str | None = None
