"""A small project with models, in a temporary folder, on any destination that builds them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import penstock
from penstock.app.session import Session
from penstock.report.facts import ModelResult, ModelStatus, RunResult

ROWS = (
    {"id": 1, "town": "A", "price": 10},
    {"id": 2, "town": "B", "price": 20},
    {"id": 3, "town": "A", "price": 30},
)
"""What `sales` begins with."""


class ModelBed:
    """A project whose pipeline `p` fills `sales` from `in/`, and whose models a test writes."""

    def __init__(self, root: Path, destination: str = "duckdb:///w.duckdb", models: str = "models/") -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        (root / "models").mkdir()
        (root / "in").mkdir()
        (root / "penstock.yml").write_text(
            f"name: mill\ndestination: {destination}\nmodels: {models}\npipelines:\n  p:\n"
            "    source: {type: filesystem, path: in, min_age_s: 0, tables: {sales: '*'}}\n"
        )
        self.seen: list[Any] = []
        self._files = 0

    def session(self) -> Session:
        """The project as its files are now."""
        return penstock.open_session(self.root)

    def sales(self, *rows: dict[str, Any]) -> ModelBed:
        """Load rows into `sales`."""
        self._files += 1
        lines = "".join(json.dumps(row) + "\n" for row in rows or ROWS)
        (self.root / "in" / f"{self._files:03}.jsonl").write_text(lines)
        result = self.session().run(["p"], penstock.ignore).pipelines[0]
        assert result.error is None, result.error
        return self

    def model(self, name: str, sql: str, words: str = "") -> ModelBed:
        """Write a model; `words` is its front matter."""
        head = f"/*---\n{words}\n---*/\n" if words else ""
        path = self.root / "models" / f"{name}.sql"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(head + sql + "\n")
        return self

    def python(self, name: str, text: str) -> ModelBed:
        """Write a Python model."""
        (self.root / "models" / f"{name}.py").write_text(text)
        return self

    def build(self, *select: str, **options: Any) -> dict[str, ModelResult]:
        """Build models; what became of each, by name."""
        return {m.model: m for m in self.result(*select, **options).models}

    def result(self, *select: str, **options: Any) -> RunResult:
        """Build models; the whole result."""
        self.seen = []
        return self.session().build(select, self.seen.append, **options)

    def builds(self, *select: str, **options: Any) -> dict[str, ModelResult]:
        """Build models, none of which may be lost."""
        found = self.build(*select, **options)
        wrong = {name: m.error or m.why for name, m in found.items() if m.status not in GOOD}
        assert not wrong, wrong
        return found

    def rows(self, table: str, columns: str = "*") -> list[Any]:
        """The rows of a table in order; single values where one column is asked for."""
        found = self.sql(f"SELECT {columns} FROM {table}")
        return sorted((row[0] if len(row) == 1 else row for row in found), key=repr)

    def sql(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query, without what Penstock adds."""
        found = self.session().show(None, sql=sql)
        kept = [name for name in found.column_names if not name.startswith("_penstock")]
        return [tuple(row.values()) for row in found.select(kept).to_pylist()]

    def statuses(self, found: dict[str, ModelResult]) -> dict[str, str]:
        """How each model ended."""
        return {name: m.status.value for name, m in found.items()}


GOOD = (ModelStatus.BUILT, ModelStatus.UNCHANGED)
