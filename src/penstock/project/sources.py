"""The sources that a pipeline may name, as typed values."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from penstock.project import words
from penstock.project.base import Names, Place, Seconds, Spec
from penstock.project.maker import MakerSpec
from penstock.project.rest import RestApiSpec
from penstock.project.singer import SingerSpec
from penstock.project.sql import SqlDatabaseSpec


class FilesystemSpec(Spec):
    """Files in a folder or bucket. `tables` maps a table's name to a glob relative to `path`.

    Units: `min_age_s` in seconds; a file younger than that, or whose size or time changes while it
    is looked at, is left for the next run.
    """

    type: Literal["filesystem"] = "filesystem"
    url: Annotated[Place, Field(alias="path")]
    """The folder or bucket prefix to read."""
    glob: str | None = None
    """The files of the pipeline's only table, relative to `path`, such as `*.jsonl`."""
    tables: dict[str, str] = Field(default_factory=dict)
    """The files of each table: its name and a glob relative to `path`."""
    incremental: Literal["identity", "modified_date"] = "identity"
    """How to tell which files are new: by what they are, or by their modification time."""
    min_age_s: Seconds = 2.0
    """Files younger than this are left for the next run."""

    @model_validator(mode="after")
    def _one_way(self) -> FilesystemSpec:
        if self.glob is not None and self.tables:
            raise PydanticCustomError(
                "refused",
                "`glob` and `tables` both say which files to read",
                {"expected": "one of them", "hint": "`glob` is for a pipeline of one table", "at": ("glob",)},
            )
        return self


class LandSpec(Spec):
    """Files that others put straight into the landing area, below `<dataset>/<table>/`."""

    type: Literal["land"] = "land"
    min_age_s: Seconds = 2.0
    """Files younger than this are left for the next run."""


class RefSpec(MakerSpec):
    """Python that makes records."""

    ref: Annotated[str, AfterValidator(words.reference)]
    """Where the code is: `package.module:name`, or `path/to/file.py:name`."""
    arguments: Annotated[dict[str, Any], Field(alias="with", json_schema_extra={"minProperties": 0})] = Field(
        default_factory=dict
    )  # Any: any argument
    """The arguments to call it with."""
    resources: Names = ()
    """The resources of a source to run; all of them if none is named."""


class PythonSpec(RefSpec):
    """Python code of the project: a resource, a source, or a function that makes either."""

    type: Literal["python"] = "python"


class DltSpec(RefSpec):
    """A source or resource of dlt, run as it is."""

    type: Literal["dlt"] = "dlt"


SourceSpec = Annotated[
    FilesystemSpec | LandSpec | PythonSpec | DltSpec | RestApiSpec | SqlDatabaseSpec | SingerSpec,
    Field(discriminator="type"),
]
