"""A model as the rest of Penstock works with it: its query, what it reads, and how its rows are kept."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Materialization(StrEnum):
    """What becomes of the rows of a model.

    `table` is made anew by every build, `view` is none. `incremental` adds or merges the rows that are new,
    `partition` replaces the partitions that the rows are in, `snapshot` keeps the rows of each day under that
    day, `scd2` keeps every version of a row.
    """

    TABLE = "table"
    VIEW = "view"
    INCREMENTAL = "incremental"
    PARTITION = "partition"
    SNAPSHOT = "snapshot"
    SCD2 = "scd2"

    @property
    def keeps(self) -> bool:
        """Whether a build leaves rows of earlier builds, which no query can make again."""
        return self in (Materialization.SNAPSHOT, Materialization.SCD2)


@dataclass(frozen=True, slots=True)
class Model:
    """One model. `path` is its file, relative to the project; `tool` is `sql`, `python` or `dbt`.

    `sql` is one SELECT, in which `ref()` and `source()` are replaced by the relations that they mean; empty
    for Python and dbt. `reads` are relations by name, other models among them. `version` is a digest of
    everything that decides which rows the model has. `folder` is that of the file below the folder of
    models, empty for none. `outside` is what else its rows depend on, and nobody keeps track of: files and
    functions such as `now`, by name.
    """

    name: str
    path: str
    tool: str = "sql"
    sql: str = ""
    reads: tuple[str, ...] = ()
    materialized: Materialization = Materialization.TABLE
    version: str = ""
    tags: tuple[str, ...] = ()
    folder: str = ""
    outside: tuple[str, ...] = ()
