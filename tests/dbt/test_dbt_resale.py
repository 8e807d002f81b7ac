"""The lesson on resale prices: loaded by Penstock, modelled by a dbt project that does not know of it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

import penstock
from dbt_bed import RESALE, DbtBed, resale_csv
from penstock.report.facts import ModelStatus
from servers import resale

pytestmark = pytest.mark.slow
BUILT, UNCHANGED = ModelStatus.BUILT, ModelStatus.UNCHANGED
SUMMARY = "resale_flat.prices_by_town_type_model"
TYPES = {
    "numeric(6,1)": "decimal(6,1)",
    "numeric(12,2)": "decimal(12,2)",
    "bigint": "int64",
    "integer": "int32",
    "text": "text",
}


def with_pipeline(bed: DbtBed, rows: int) -> None:
    """The rows arrive as a file, and go to the schema that the dbt project reads."""
    resale_csv(bed.root / "in" / "resale_1.csv", rows)
    columns = {name: TYPES[kind.split()[0]] for name, kind in resale.COLUMNS.items()}
    source = {"type": "filesystem", "path": "in", "tables": {resale.TABLE: "*.csv"}, "min_age_s": 0}
    bed.project["destination"] = {"type": "duckdb", "path": "w.duckdb", "schema": "ingestion"}
    bed.project["pipelines"] = {"resale": {"source": source, "tables": {resale.TABLE: {"columns": columns}}}}


def test_the_project_of_the_lesson_runs_and_runs_only_when_something_changed(
    dbt_bed: Callable[..., DbtBed], monkeypatch: pytest.MonkeyPatch
) -> None:
    bed = dbt_bed(RESALE, schema="resale_flat")
    with_pipeline(bed, 3_000)
    session = bed.session()
    first = session.run([], penstock.ignore)
    assert first.exit_code == 0, [m.error for m in first.models]
    assert [(m.model, m.status, m.tool) for m in first.models] == [
        ("resale_flat.prices", BUILT, "dbt"),
        (SUMMARY, BUILT, "dbt"),
    ]
    assert bed.sql("SELECT count(*) FROM resale_flat.prices") == [(3_000,)]
    wrong = "price_per_sqm IS DISTINCT FROM resale_price / floor_area_sqm"
    assert bed.sql(f"SELECT count(*) FROM resale_flat.prices WHERE {wrong}") == [(0,)]
    groups = f"SELECT count(DISTINCT (town, flat_type, flat_model)) FROM {resale.TABLE}"
    assert bed.sql(f"SELECT count(*) FROM {SUMMARY}") == bed.sql(groups)

    monkeypatch.setattr(subprocess, "Popen", _no_process)
    again = bed.build()
    assert {r.status for r in again.values()} == {UNCHANGED}
    assert set(again) == {"resale_flat.prices", SUMMARY}
    monkeypatch.undo()

    resale_csv(bed.root / "in" / "resale_2.csv", 10)
    more = bed.session().run([], penstock.ignore)
    assert [m.status for m in more.models] == [BUILT, BUILT]
    assert bed.sql("SELECT count(*) FROM resale_flat.prices") == [(3_010,)]

    summary = bed.folder / "models" / "prices_by_town_type_model.sql"
    summary.write_text(summary.read_text().replace("avg(resale_price)", "max(resale_price)"))
    edited = bed.build()
    assert [edited[m].status for m in ("resale_flat.prices", SUMMARY)] == [UNCHANGED, BUILT]
    assert "text" in edited[SUMMARY].why


def _no_process(*words: object, **options: object) -> None:
    raise AssertionError(f"a process was started: {words}")
