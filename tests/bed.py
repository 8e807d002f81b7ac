"""A small project in a temporary folder, and what one wants to know of it."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

import penstock
from penstock.report.facts import PipelineResult


class Bed:
    """A project with one pipeline `p` that fills table `t` from `in/`."""

    def __init__(self, root: Path, **settings: Any) -> None:
        self.root = root
        self.table: dict[str, Any] = {}
        self.pipeline: dict[str, Any] = {
            "source": {"type": "filesystem", "path": "in", "tables": {"t": "*"}, "min_age_s": 0},
            "tables": {"t": self.table},
        }
        self.project: dict[str, Any] = {
            "name": "bed", "destination": "duckdb:///w.duckdb", "pipelines": {"p": self.pipeline}, **settings,
        }  # fmt: skip
        (root / "in").mkdir()

    def drop(self, name: str, *records: Any, folder: str = "in") -> Path:
        """Put a file there: JSON lines of records, or bytes as they are; `.gz` names are compressed."""
        data = b"".join(r if isinstance(r, bytes) else json.dumps(r).encode() + b"\n" for r in records)
        path = self.root / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(data, mtime=0) if name.endswith(".gz") else data)
        return path

    def session(self) -> Any:
        YAML().dump(self.project, self.root / "penstock.yml")
        return penstock.open_session(self.root)

    def run(self) -> PipelineResult:
        """Run the pipeline; the result whether it went well or not."""
        return self.session().run(["p"], penstock.ignore).pipelines[0]

    def loads(self) -> PipelineResult:
        """Run the pipeline, which must go well."""
        result = self.run()
        assert result.error is None, result.error
        return result

    def sql(self, sql: str) -> list[tuple[Any, ...]]:
        table = self.session().show(None, sql=sql)
        return [tuple(row.values()) for row in table.to_pylist()]

    def values(self, columns: str = "v", table: str = "t") -> list[Any]:
        rows = self.sql(f"SELECT {columns} FROM {table} ORDER BY ALL")
        return [row[0] if len(row) == 1 else row for row in rows]

    def files(self, layer: str) -> dict[str, str]:
        """The data files of a layer: name to SHA-256."""
        root = self.root / "data" / layer
        found = (p for p in root.rglob("*") if p.is_file() and "_penstock" not in p.parts)
        return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(found)}

    def quarantined(self) -> list[tuple[int, list[str], bytes]]:
        """Row number, rules and raw text of every quarantined row."""
        import pyarrow.parquet as pq

        rows = []
        for path in sorted((self.root / "data/quarantine").rglob("*.parquet")):
            if path.relative_to(self.root / "data/quarantine").parts[0].startswith("_"):
                continue
            for row in pq.read_table(path).to_pylist():
                rules = [f"{b['column']}.{b['rule']}" if b["column"] else b["rule"] for b in row["broken"]]
                rows.append((row["row"], rules, row["raw"]))
        return rows
