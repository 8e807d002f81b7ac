"""A project for every kind of destination, and what must be true of it after any input."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from truth import plain, same
from warehouse import Stored, quoted, read

import penstock
from bed import Bed
from penstock.report.facts import PipelineResult

DESTINATIONS = {"duckdb": "duckdb:///w.duckdb", "parquet": {"type": "parquet", "path": "warehouse"}}


class Site(Bed):
    """A bed that accounts for every record after every run."""

    def run(self) -> PipelineResult:
        """Run the pipeline; the result whether it went well or not."""
        self.open = self.session()
        return self.open.run(["p"], penstock.ignore).pipelines[0]

    def sql(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query, asked in the session of the last run."""
        return [tuple(row.values()) for row in self.open.show(None, sql=sql).to_pylist()]

    def stored(self, table: str = "t") -> Stored:
        """The table as it is in the warehouse."""
        return read(self.open, table)

    def accounts(self, result: PipelineResult) -> PipelineResult:
        """Check what must be true after any run that went well, and give its result back.

        The rows of each table are those that the ledger says were loaded, every quarantined row is
        in the quarantine, nothing is left in land, and every file is kept byte for byte.
        """
        assert result.error is None, result.error
        files = self.sql(
            "SELECT table_name, outcome, rows, loaded, dropped, quarantined, key FROM _penstock_files"
        )
        loaded = {table: sum(f[3] for f in files if f[0] == table) for table in {f[0] for f in files if f[3]}}
        counts = ", ".join(f"(SELECT count(*) FROM {quoted(table)})" for table in loaded)
        assert not loaded or self.sql(f"SELECT {counts}") == [tuple(loaded.values())]
        assert all(rows == loaded + dropped + aside for _, _, rows, loaded, dropped, aside, _ in files)
        assert len(self.quarantined()) == sum(f[5] for f in files if f[1] == "loaded")
        assert not [p for p in (self.root / "data/land").rglob("*") if p.is_file()]
        kept = [*self.hashes("raw_hist"), *self.hashes("quarantine/_files")]
        assert Counter(kept) == Counter(self.hashes("", self.root / "in"))
        return result

    def hashes(self, layer: str, root: Path | None = None) -> list[str]:
        """The SHA-256 of every data file of a layer."""
        root = root or self.root / "data" / layer
        files = (p for p in root.rglob("*") if p.is_file() and "_penstock" not in p.relative_to(root).parts)
        return [hashlib.sha256(p.read_bytes()).hexdigest() for p in files]

    def takes(self, records: int) -> PipelineResult:
        """Run, account for everything, and check that so many records were read in that run."""
        result = self.accounts(self.run())
        assert sum(t.rows for t in result.tables) == records
        return result

    def holds(self, *records: dict[str, Any], table: str = "t") -> Stored:
        """Check that the table holds these JSON records, whatever their order, and nothing else."""
        found = self.stored(table)
        assert len(found.rows) == len(records)
        ordered = sorted(found.rows, key=_order)
        for record, row in zip(sorted(records, key=_order), ordered, strict=True):
            for name, value in record.items():
                assert name in row or value is None, f"column {name!r} is missing"
            for name, stored in row.items():
                assert same(record.get(name), stored, found.kinds[name]), (
                    f"{name}: {record.get(name)!r} became {stored!r} in a column of {found.kinds[name]}"
                )
        return found


def _order(record: dict[str, Any]) -> str:
    return repr(plain(record))


@pytest.fixture(params=list(DESTINATIONS))
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    """A project with that destination."""
    return Site(tmp_path, destination=DESTINATIONS[request.param])
