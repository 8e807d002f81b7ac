"""A project whose only source is the scripted tap, and the messages that it is told to write."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bed import Bed
from penstock.report.facts import PipelineResult

# Any throughout: messages hold values of every type.
TAP = Path(__file__).with_name("scripted_tap.py")


def schema(stream: str, properties: Mapping[str, Any], keys: Sequence[str] | None = ("id",)) -> str:
    said = {"type": "SCHEMA", "stream": stream, "schema": {"type": "object", "properties": properties}}
    return json.dumps(said if keys is None else {**said, "key_properties": list(keys)})


def record(stream: str, row: Mapping[str, Any], **more: Any) -> str:
    return json.dumps({"type": "RECORD", "stream": stream, "record": row, **more})


def state(value: Any) -> str:
    return json.dumps({"type": "STATE", "value": value})


def activate(stream: str, version: int) -> str:
    return json.dumps({"type": "ACTIVATE_VERSION", "stream": stream, "version": version})


class Stage:
    """A project in a folder; `source` are the settings of its source, `tables` those of its tables."""

    def __init__(self, root: Path, **source: Any) -> None:
        self.bed = Bed(root)
        self.root = root
        self.source: dict[str, Any] = {
            "type": "singer",
            "tap": [sys.executable, str(TAP)],
            "discover": False,
            "config": {},
            **source,
        }
        self.bed.pipeline.clear()
        self.bed.pipeline["source"] = self.source

    def run(self, *turns: Any, tables: Mapping[str, Any] | None = None) -> PipelineResult:
        """Run with the tap doing this."""
        self.source["config"]["turns"] = list(turns)
        self.bed.pipeline["tables"] = dict(tables or {})
        return self.bed.run()

    def loads(self, *turns: Any, tables: Mapping[str, Any] | None = None) -> PipelineResult:
        """Run with the tap doing this, which must go well."""
        result = self.run(*turns, tables=tables)
        assert result.error is None, result.error
        return result

    def rows(self, table: str = "t", columns: str = "*") -> list[dict[str, Any]]:
        """The rows of a table, sorted, without our own columns."""
        found = self.bed.session().show(None, sql=f'SELECT {columns} FROM "{table}" ORDER BY ALL')
        return [{k: v for k, v in row.items() if not k.startswith("_penstock")} for row in found.to_pylist()]

    def state(self) -> Any:
        """The state that the destination holds."""
        found = self.bed.sql("SELECT state FROM _penstock_state")
        return json.loads(found[0][0]) if found else None
