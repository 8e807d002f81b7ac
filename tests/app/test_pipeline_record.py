"""Runs of a pipeline that is written in Python leave their records, too."""

from __future__ import annotations

from pathlib import Path

import pytest

import penstock
from penstock.errors import PenstockError
from penstock.run.recording import Runs


def test_runs_in_python_are_recorded(tmp_path: Path) -> None:
    pipeline = penstock.pipeline("shop", root=tmp_path)
    pipeline.run([{"id": 1}, {"id": 2}], table_name="orders")
    [record] = Runs(tmp_path / ".penstock" / "runs", str).newest("shop")
    assert (record.status, record.tables[0].table, record.tables[0].loaded) == ("loaded", "orders", 2)
    assert pipeline.dataset().sql("SELECT status FROM _penstock_runs").fetchall() == [("loaded",)]


def test_runs_in_python_that_fail_are_recorded(tmp_path: Path) -> None:
    def broken() -> object:
        yield {"id": 1}
        raise ZeroDivisionError("no such number")

    pipeline = penstock.pipeline("shop", root=tmp_path)
    with pytest.raises((PenstockError, ZeroDivisionError)):
        pipeline.run(broken, table_name="orders")
    [record] = Runs(tmp_path / ".penstock" / "runs", str).newest("shop")
    assert record.status in ("failed", "refused")
    assert "no such number" in (record.error or "")
    assert pipeline.dataset().tables == ()
