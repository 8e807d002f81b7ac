"""Dates and times in the form that the metadata of a table says."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import penstock as ps
from penstock.app.session import open_session
from penstock.errors import GateError

FORM = {"data_type": "date", "datetime_format": "%d/%m/%Y"}
TEXTS = ["03/04/2024", "2024-04-03", None, "31/12/1999"]


def make(folder: Path, data: Any, **hints: Any) -> tuple[Any, list[Any]]:
    pipeline = ps.pipeline("p", root=folder)
    result = pipeline.run(ps.resource(data, name="t", columns={"id": "bigint", "day": FORM}, **hints))
    rows = pipeline.dataset()["t"].select("id", "day").order_by("id").fetchall()
    return result.tables[0], rows


@pytest.mark.parametrize("kind", ["rows", "arrow"])
def test_texts_are_read_in_their_form_and_others_set_aside(kind: str, tmp_path: Path) -> None:
    rows = [{"id": n, "day": text} for n, text in enumerate(TEXTS)]
    table, found = make(tmp_path, rows if kind == "rows" else pa.Table.from_pylist(rows))
    assert found == [(0, date(2024, 4, 3)), (2, None), (3, date(1999, 12, 31))]
    assert (table.loaded, table.quarantined, dict(table.broken)) == (3, 1, {"day.type": 1})


def test_dates_that_are_dates_already_stay(tmp_path: Path) -> None:
    table, found = make(tmp_path, [{"id": 1, "day": date(2024, 4, 3)}])
    assert (table.quarantined, found) == (0, [(1, date(2024, 4, 3))])
    arrow = pa.table({"id": [2], "day": pa.array([date(2025, 1, 2)])})
    assert make(tmp_path, arrow)[1] == [(1, date(2024, 4, 3)), (2, date(2025, 1, 2))]


def test_the_contract_says_what_becomes_of_others(tmp_path: Path) -> None:
    rows = [{"id": 1, "day": "tomorrow"}]
    table, found = make(tmp_path / "a", rows, contract={"data_type": "discard_value"})
    assert (found, dict(table.discarded)) == ([(1, None)], {"day": 1})
    assert make(tmp_path / "b", rows, contract={"data_type": "evolve"})[1] == [(1, "tomorrow")]
    with pytest.raises(GateError, match="holds a value that is no date"):
        make(tmp_path / "c", rows, contract={"data_type": "freeze"})


def test_files_of_a_project_with_its_metadata(tmp_path: Path) -> None:
    columns = [
        {"name": "id", "type": "int64"},
        {"name": "at", "type": "timestamp", "datetime_format": "%d.%m.%Y %H:%M"},
    ]
    (tmp_path / "t.json").write_text(json.dumps({"name": "t", "columns": columns}))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text('id,at\n1,03.04.2024 05:06\n2,""\n3,\n4,2024\n')
    (tmp_path / "penstock.yml").write_text(
        "name: p\ndestination: duckdb:///w.duckdb\npipelines:\n  p:\n"
        '    source: {type: filesystem, path: in, tables: {t: "*.csv"}, min_age_s: 0}\n'
        "    tables: {t: {metadata: t.json}}\n"
    )
    session = open_session(tmp_path)
    [result] = session.run([], ps.ignore).pipelines
    assert (result.tables[0].loaded, result.tables[0].quarantined) == (3, 1)
    rows = session.dataset("p")["t"].select("id", "at").order_by("id").fetchall()
    assert [(n, str(at)) for n, at in rows] == [(1, "2024-04-03 05:06:00"), (2, "None"), (3, "None")]
