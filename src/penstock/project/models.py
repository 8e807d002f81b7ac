"""What a project and its files say of models. A model's own words are a table's, and some more.

The words stand in the front matter of a `.sql` file, or beside `@ps.model`; below `models` of the
project file they are the defaults of all models. Words that each are right and mean nothing together
are found by `project.building`, once the metadata of the model is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from penstock.models.model import Materialization
from penstock.project import short, words
from penstock.project.base import Names, Spec
from penstock.project.promise import TableSpec
from penstock.schema.disposition import Strategy

# Any throughout: values as a file holds them, before they are checked

FREE = {"minProperties": 0}
MODELS = "models"
"""The folder of models where the project does not say it."""

TWINS = {"primary_key": "unique_key", "strategy": "incremental_strategy"}
"""Words that have a second name, which is dbt's."""

_NO_WORDS_OF_MODELS: Mapping[str, str] = {
    "write": "`materialized` says how rows meet those that are there: `incremental` adds or merges them",
    "write_disposition": "`materialized` says how rows meet those that are there",
    "overwrite": "`materialized: partition` replaces the partitions that the rows are in",
    "nesting": "the query says what becomes of objects and lists",
    "detect": "the query says the types of its columns",
    "variants": "the query says the types of its columns",
    "format": "a model has no files of its own",
    "csv": "a model has no files of its own",
}
_NO_GATE_OF_MODELS = (
    "min_bytes", "max_bytes", "arrival", "duplicate_content", "volume", "on_unparsable",
    "max_quarantined_share",
)  # fmt: skip
_WORDS_OF_DBT: Mapping[str, str] = {
    "alias": "a model is called as its file",
    "schema": "models are built at the project's destination",
    "database": "models are built at the project's destination",
    "enabled": "move the file out of the folder, or begin its name with a dot",
    "partition_by": "`partitions` are the columns by which rows are laid out",
    "cluster_by": "`partitions` are the columns by which rows are laid out",
    "on_schema_change": "`contract` says what may happen when columns change",
    "tests": "`columns` and `gate` say what rows must satisfy",
    "data_tests": "`columns` and `gate` say what rows must satisfy",
    "pre_hook": "a model is one SELECT, which nothing goes before",
    "post_hook": "a model is one SELECT, which nothing comes after",
}


def _materialized(value: Any) -> Any:
    """A materialization; those of dbt that have no twin here are refused with what to do instead."""
    others = {
        "ephemeral": "a `view` costs no rows, and can be looked at; or write it as WITH in the query",
        "materialized_view": "a `view` is always up to date, a `table` is made anew when its inputs change",
        "microbatch": "`incremental` with a `cursor` adds what is new; `partition` replaces whole partitions",
        "seed": "a pipeline of the source `filesystem` loads files",
    }
    if isinstance(value, str) and value in others:
        raise words.refuse(
            f"`{value}` is no materialization of Penstock's",
            expected=", ".join(Materialization),
            hint=others[value],
        )
    return value


def _strategy(value: Any) -> Any:
    """A merge strategy; dbt has other names for two of them."""
    return {"merge": "upsert", "delete+insert": "delete-insert"}.get(value, value) if value else value


def _folder(value: str | None) -> str | None:
    return value if value is None else words.folder(value)


def _lookback(value: float | str | None) -> float | str | None:
    if isinstance(value, str):
        return words.duration(value)
    if value is not None and value < 0:
        raise words.refuse("`lookback` is below nothing", expected="a number from 0 on, or such as `3d`")
    return value


class ModelSpec(TableSpec):
    """What is said of one model.

    `lookback` is how far before the greatest cursor in the table an incremental build begins again: a
    length of time such as `3d` for instants and dates, a number for everything else.
    """

    without: ClassVar[tuple[str, ...]] = tuple(_NO_WORDS_OF_MODELS)
    """Words of tables that mean nothing for models."""

    materialized: Annotated[
        Materialization, BeforeValidator(_materialized, json_schema_input_type=Materialization)
    ] = Materialization.TABLE
    """What becomes of the rows: `table` and `view` as in SQL; `incremental` adds or merges those that are
    new, `partition` replaces the partitions that they are in, `snapshot` keeps those of each day under
    that day, `scd2` keeps every version of a row."""
    primary_key: Annotated[Names, Field(alias="unique_key")] = ()
    """The columns that tell one row from another."""
    cursor: Annotated[str | None, Field(min_length=1)] = None
    """Incremental: the column whose values grow; only rows beyond the greatest one in the table are new."""
    lookback: Annotated[float | str | None, AfterValidator(_lookback)] = None
    """Incremental: how far before the greatest cursor to begin again, for rows that come late: `3d` for
    instants and dates, a number for everything else."""
    strategy: Annotated[
        Strategy,
        Field(alias="incremental_strategy"),
        BeforeValidator(_strategy, json_schema_input_type=Strategy),
    ] = Strategy.UPSERT
    """Incremental with a key: how rows meet those that are there."""
    snapshot_column: Annotated[str, Field(min_length=1)] = "snapshot_date"
    """Snapshot: the column that says of which day a row is."""
    version_column: Annotated[str | None, Field(min_length=1)] = None
    """A column to add, which holds what `git describe` says of the project."""
    depends_on: Names = ()
    """Relations that are to be built before, beside those that the query reads."""

    @model_validator(mode="before")
    @classmethod
    def _words_of_models(cls, data: Any) -> Any:
        """Words that are known, but not here; a word that has two names is said once."""
        if not isinstance(data, dict):
            return data
        for key in data:
            if key in _NO_WORDS_OF_MODELS:
                raise words.refuse(
                    f"`{key}` means nothing for a model", hint=_NO_WORDS_OF_MODELS[key], at=(key,)
                )
            if key in _WORDS_OF_DBT and key not in cls.model_fields:
                raise words.refuse(f"`{key}` is a word of dbt's", hint=_WORDS_OF_DBT[key], at=(key,))
        for one, other in TWINS.items():
            if one in data and other in data:
                what = f"`{one}` and `{other}` are two names for one thing"
                raise words.refuse(what, expected="one of them", at=(other,))
        return data

    @model_validator(mode="after")
    def _no_files(self) -> ModelSpec:
        for key in _NO_GATE_OF_MODELS:
            if key in self.gate.model_fields_set:
                raise words.refuse(
                    f"`{key}` is about files, and a model has none",
                    expected="`min_rows`, `max_rows`, `on_broken`, `actions` and `expectations`",
                    at=("gate", key),
                )
        return self


class DbtSpec(Spec):
    """A dbt project, run by dbt itself in an environment of its own."""

    path: Annotated[str, AfterValidator(words.folder)]
    """The folder with `dbt_project.yml`."""
    target: str | None = None
    """The target of the profile; the profile's own default if not given."""
    profiles: Annotated[str | None, AfterValidator(_folder)] = None
    """The folder with `profiles.yml`. Without one that has the project's profile, a profile is made for the
    destination; `destination` asks for that in any case."""
    schema_name: Annotated[str | None, Field(alias="schema", min_length=1)] = None
    """The schema to build in, where the profile is made; that of the destination if not given."""
    url: Annotated[str | None, Field(min_length=1)] = None
    """A PostgreSQL database to build in, in place of the destination: `postgresql://user:${PW}@host/db`."""
    vars: Annotated[dict[str, Any], Field(json_schema_extra=FREE)] = Field(default_factory=dict)
    """Variables for the dbt project."""
    env: Annotated[dict[str, str], Field(json_schema_extra=FREE)] = Field(default_factory=dict)
    """Variables that dbt is started with."""
    dbt: Annotated[str, Field(min_length=1)] = "dbt-core"
    """What to install, as pip reads it, such as `dbt-core~=1.12.0`; or a dbt that is there: its program, or
    the folder of its virtual environment."""
    adapter: Annotated[str | None, Field(min_length=1)] = None
    """The adapter to install, such as `dbt-duckdb`; that of the destination if not given."""
    python: str | None = None
    """The Python to install dbt with."""
    threads: Annotated[int | None, Field(ge=1)] = None
    """How many models dbt builds at once; the profile's own number if not given."""


class ModelsSpec(ModelSpec):
    """Where models are, and the words that hold for each of them that does not say otherwise.

    The front matter of a `.sql` file and `@ps.model` have the same words, but for `path` and `dbt`.
    """

    path: Annotated[str | None, AfterValidator(_folder)] = None
    """The folder of `.sql` and `.py` files; `models` where neither it nor `dbt` is given."""
    dbt: Annotated[
        DbtSpec | None, BeforeValidator(short.path, json_schema_input_type=str | DbtSpec | None)
    ] = None
    """A dbt project: its folder, or more."""

    @property
    def folder(self) -> str | None:
        """The folder of models; None where all models are dbt's."""
        return self.path or (None if self.dbt else MODELS)
