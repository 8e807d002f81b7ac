"""A project with one pipeline that reads a SQL database, and what one wants to know of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
from ruamel.yaml import YAML

import penstock
from penstock.ports import Block, Checkpoint
from penstock.project.sql import SqlDatabaseSpec
from penstock.report.facts import PipelineResult
from penstock.sources.sql import SqlSource


class Bench:
    """The pipeline `p` loads into the tables of `w.duckdb`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def run(self, url: str, *, pipeline: dict[str, Any] | None = None, **source: Any) -> PipelineResult:
        """Run it; the result whether it went well or not. `pipeline` is what its tables are told."""
        return self.open(url, pipeline=pipeline, **source).run(["p"], penstock.ignore).pipelines[0]

    def open(
        self, url: str, *, pipeline: dict[str, Any] | None = None, retry: Any = None, **source: Any
    ) -> Any:
        """A session of the project."""
        said = {"type": "sql_database", "url": url, **source}
        made = {"source": said, "tables": pipeline or {}, "retry": retry or {}}
        project = {"name": "bench", "destination": "duckdb:///w.duckdb", "pipelines": {"p": made}}
        YAML().dump(project, self.root / "penstock.yml")
        return penstock.open_session(self.root)

    def loads(self, url: str, *, pipeline: dict[str, Any] | None = None, **source: Any) -> PipelineResult:
        """Run it, which must go well."""
        result = self.run(url, pipeline=pipeline, **source)
        assert result.error is None, result.error
        return result

    def refuses(self, url: str, *, code: int = 1, **source: Any) -> str:
        """The error of a run, without a password. `code`: may it be run again (3) or not (1)?"""
        result = self.run(url, **source)
        assert result.error is not None
        assert result.exit_code == code, result.error
        assert "s3cret" not in str(result.error)
        return result.error

    def sql(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the destination."""
        with duckdb.connect(self.root / "w.duckdb", read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            return connection.execute(sql).fetchall()

    def types(self, table: str) -> dict[str, str]:
        """The types of a table's columns in the destination."""
        rows = self.sql(f"SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = '{table}'")
        return {name: kind for name, kind in rows if not name.startswith("_penstock")}

    def state(self) -> dict[str, Any]:
        """What is remembered of the source's tables."""
        rows = self.sql("SELECT state FROM _penstock_state")
        return dict(json.loads(rows[0][0])["tables"]) if rows else {}


def source(url: str, root: Path, **said: Any) -> SqlSource:
    """A source alone, without a project."""
    return SqlSource(SqlDatabaseSpec(type="sql_database", url=url, **said), root)


def given(made: SqlSource, state: str | None = None) -> tuple[list[Block], list[Checkpoint]]:
    """Everything that a source gives from a state on."""
    items = list(made.produce(state))
    return [i for i in items if isinstance(i, Block)], [i for i in items if isinstance(i, Checkpoint)]
