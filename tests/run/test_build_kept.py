"""Models whose rows meet those of earlier builds: added, merged, replaced, kept by day or version."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from model_bed import ModelBed
from penstock.app.building import Building
from penstock.report.facts import ModelStatus

DESTINATIONS = ("duckdb:///w.duckdb", "parquet://w")


@pytest.fixture(params=DESTINATIONS)
def bed(tmp_path: Path, request: pytest.FixtureRequest) -> ModelBed:
    return ModelBed(tmp_path, request.param)


@pytest.fixture
def duck(tmp_path: Path) -> ModelBed:
    return ModelBed(tmp_path)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """What time it is for builds: `clock["now"]` in Unix seconds."""
    told = {"now": datetime(2026, 1, 31, 23, 59, tzinfo=UTC).timestamp()}
    monkeypatch.setattr(Building, "now", staticmethod(lambda: told["now"]))
    return told


def row(number: int, price: int, town: str = "A") -> dict[str, Any]:
    return {"id": number, "town": town, "price": price}


# ----------------------------------------------------------------------------------- incremental

APPENDED = "materialized: incremental\ncursor: id"
MERGED = "materialized: incremental\nprimary_key: town\ncursor: id"


def test_only_rows_beyond_the_cursor_are_added(bed: ModelBed) -> None:
    bed.sales(row(1, 10), row(2, 20)).model("m", "SELECT id, price FROM sales", APPENDED)
    assert bed.builds()["m"].kept == 2
    found = bed.sales(row(2, 99), row(3, 30)).builds()["m"]
    assert (found.rows, found.kept) == (1, 1)
    assert bed.rows("m") == [(1, 10), (2, 20), (3, 30)]
    assert bed.builds()["m"].status is ModelStatus.UNCHANGED


def test_a_merge_takes_the_edge_once_more(bed: ModelBed) -> None:
    bed.sales(row(1, 10, "A"), row(2, 20, "B")).model("m", "SELECT * FROM sales", MERGED).builds()
    found = bed.sales(row(2, 21, "B"), row(3, 30, "A")).builds()["m"]
    assert found.rows == 3
    assert bed.rows("m", "town, id") == [("A", 3), ("B", 2)]


def test_lookback_takes_rows_that_come_late(duck: ModelBed) -> None:
    words = "materialized: incremental\nprimary_key: id\ncursor: price\nlookback: 5"
    duck.sales(row(1, 10), row(2, 20)).model("m", "SELECT id, price FROM sales", words).builds()
    found = duck.sales(row(3, 14), row(4, 15), row(5, 21)).builds()["m"]
    assert found.rows == 3
    assert duck.rows("m", "id") == [1, 2, 4, 5]


def test_lookback_of_time(duck: ModelBed) -> None:
    words = "materialized: incremental\nprimary_key: id\ncursor: day\nlookback: 2d"
    sql = "SELECT id, DATE '2026-01-01' + CAST(price AS INTEGER) AS day FROM sales"
    duck.sales(row(1, 10), row(2, 20)).model("m", sql, words).builds()
    duck.sales(row(3, 17), row(4, 18)).builds()
    assert duck.rows("m", "id") == [1, 2, 4]


def test_rows_without_a_cursor_are_not_lost_in_silence(duck: ModelBed) -> None:
    duck.sales(row(1, 10)).model("m", "SELECT nullif(id, 2) AS id FROM sales", APPENDED).builds()
    found = duck.sales(row(2, 20), row(3, 30)).build()["m"]
    assert found.status is ModelStatus.REFUSED
    assert "id.cursor (1 row)" in (found.error or "")
    assert duck.rows("m") == [1]


def test_other_sql_makes_an_incremental_table_anew(bed: ModelBed) -> None:
    bed.sales(row(1, 10), row(2, 20)).model("m", "SELECT id FROM sales", APPENDED).builds()
    found = bed.model("m", "SELECT id, price * 2 AS twice FROM sales", APPENDED).builds()["m"]
    assert found.rows == 2
    assert bed.rows("m", "id, twice") == [(1, 20), (2, 40)]


def test_a_merge_that_begins_anew_keeps_one_row_a_key(bed: ModelBed) -> None:
    bed.sales(row(1, 10, "A"), row(2, 20, "A"), row(3, 30, "B")).model("m", "SELECT * FROM sales", MERGED)
    bed.builds()
    assert bed.rows("m", "town, id") == [("A", 2), ("B", 3)]
    assert bed.builds(full=True)["m"].rows == 3
    assert bed.rows("m", "town, id") == [("A", 2), ("B", 3)]


def test_a_table_that_is_gone_is_made_anew(duck: ModelBed) -> None:
    import duckdb

    duck.sales(row(1, 10)).model("m", "SELECT id FROM sales", APPENDED).builds()
    with duckdb.connect(str(duck.root / "w.duckdb")) as con:
        con.execute("DROP TABLE m")
    found = duck.builds()["m"]
    assert (found.why, found.rows) == ("its table is gone", 1)


def test_a_python_model_may_be_incremental(duck: ModelBed) -> None:
    text = "import penstock as ps\n\n@ps.model(materialized='incremental', cursor='id')\ndef m(sales):\n"
    duck.sales(row(1, 10)).python("m", text + "    return sales.select(['id'])\n").builds()
    found = duck.sales(row(1, 99), row(2, 20)).builds()["m"]
    assert found.rows == 1
    assert duck.rows("m", "id") == [1, 2]


def test_a_unique_column_is_unique_over_builds(duck: ModelBed) -> None:
    words = "materialized: incremental\ncursor: id\ncolumns: {price: {type: int64, unique: true}}\n"
    words += "gate: {on_broken: drop}"
    duck.sales(row(1, 10)).model("m", "SELECT id, price FROM sales", words).builds()
    found = duck.sales(row(2, 10), row(3, 30)).builds()["m"]
    assert (found.rows, found.kept, dict(found.broken)) == (2, 1, {"price.unique": 1})
    assert duck.rows("m", "id") == [1, 3]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_builds_one_by_one_and_one_in_full_give_the_same(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    bed = ModelBed(tmp_path, DESTINATIONS[seed % 2])
    added = "SELECT id, town, price FROM sales"
    bed.model("added", added, APPENDED)
    bed.model("merged", added, "materialized: incremental\nprimary_key: town\ncursor: id\ndedup_sort: id")
    bed.model("last", "SELECT town, max(id) AS id FROM added GROUP BY town")
    number = 0
    for _ in range(4):
        batch = []
        for _ in range(chance.randint(1, 6)):
            number += chance.randint(1, 3)
            batch.append(row(number, chance.randint(1, 9), chance.choice("ABC")))
        bed.sales(*batch)
        bed.builds()
    tables = ("added", "merged", "last")
    step_by_step = [bed.rows(table, "town, id") for table in tables]
    assert step_by_step[1] == step_by_step[2]
    bed.builds(full=True)
    assert [bed.rows(table, "town, id") for table in tables] == step_by_step


# ------------------------------------------------------------------------- partitions, days, versions


def test_partitions_are_replaced_one_by_one(bed: ModelBed) -> None:
    words = "materialized: partition\npartitions: town"
    bed.sales(row(1, 10, "A"), row(2, 20, "B")).model("m", "SELECT * FROM sales", words).builds()
    only = "SELECT * FROM sales WHERE id > (SELECT max(id) - 2 FROM sales)"
    bed.model("n", only, words).builds()
    bed.sales(row(3, 30, "A"), row(4, 40, "A")).builds()
    assert bed.rows("m", "id") == [1, 2, 3, 4]
    assert bed.rows("n", "town, id") == [("A", 3), ("A", 4), ("B", 2)]
    bed.builds(full=True)
    assert bed.rows("n", "town, id") == [("A", 3), ("A", 4)]


def test_a_snapshot_of_each_day(bed: ModelBed, clock: dict[str, float]) -> None:
    words = "materialized: snapshot\nsnapshot_column: dea_snapshot_date"
    day = "CAST(dea_snapshot_date AS VARCHAR)"
    bed.sales(row(1, 10)).model("m", "SELECT id, price FROM sales", words).builds()
    assert bed.rows("m", f"id, {day}") == [(1, "2026-01-31")]
    bed.sales(row(2, 20)).builds()
    assert bed.rows("m", f"id, {day}") == [(1, "2026-01-31"), (2, "2026-01-31")]
    assert bed.builds()["m"].status is ModelStatus.UNCHANGED
    clock["now"] += 120
    assert "last snapshot" in bed.builds()["m"].why
    both = [(1, "2026-01-31"), (1, "2026-02-01"), (2, "2026-01-31"), (2, "2026-02-01")]
    assert bed.rows("m", f"id, {day}") == both
    bed.builds(full=True)
    assert bed.rows("m", f"id, {day}") == both, "days that are over are never made again"
    if "parquet" in bed.session().project.destination.type:
        assert list((bed.root / "w").rglob("dea_snapshot_date=2026-02-01"))


def test_a_day_without_rows_replaces_the_rows_of_that_day(bed: ModelBed, clock: dict[str, float]) -> None:
    words = "materialized: snapshot"
    sql = "SELECT id FROM sales WHERE (SELECT count(*) FROM sales) < 2"
    bed.sales(row(1, 10)).model("m", sql, words).builds()
    assert bed.rows("m", "id") == [1]
    bed.sales(row(2, 20)).builds()
    assert bed.rows("m", "id") == []


def test_versions_of_rows(bed: ModelBed, clock: dict[str, float]) -> None:
    sql = "SELECT id, town, max(price) AS price FROM sales GROUP BY ALL"
    bed.sales(row(1, 10), row(2, 20)).model("m", sql, "materialized: scd2\nprimary_key: id").builds()
    clock["now"] += 60
    bed.sales(row(1, 15)).builds()
    ends = "_penstock_valid_to IS NULL"
    assert bed.rows("m", f"id, price, {ends} AS holds") == [
        (1, 10, False), (1, 15, True), (2, 20, True),
    ]  # fmt: skip
    starts = bed.rows("m", "CAST(epoch(_penstock_valid_from) AS BIGINT)")
    assert starts == [clock["now"] - 60, clock["now"] - 60, clock["now"]]
    bed.model("m", sql + " ORDER BY 1", "materialized: scd2\nprimary_key: id")
    clock["now"] += 60
    bed.builds(full=True)
    assert len(bed.rows("m", "id")) == 3, "other SQL or --full lose no version"


def test_rows_that_no_query_makes_again_are_not_thrown_away(bed: ModelBed, clock: dict[str, float]) -> None:
    bed.sales(row(1, 10)).model("m", "SELECT id FROM sales", "materialized: snapshot").builds()
    bed.model("m", "SELECT id FROM sales")
    found = bed.build()["m"]
    assert found.status is ModelStatus.REFUSED
    assert "which would be lost" in (found.error or "")
    assert len(bed.rows("m", "id, snapshot_date")) == 1
    bed.builds(full=True)
    assert bed.rows("m") == [1]


def test_a_table_becomes_a_view_and_back(duck: ModelBed) -> None:
    duck.sales(row(1, 10)).model("m", "SELECT id FROM sales").builds()
    duck.model("m", "SELECT id FROM sales", "materialized: view").builds()
    duck.sales(row(2, 10))
    assert duck.rows("m") == [1, 2]
    duck.model("m", "SELECT id FROM sales", APPENDED).builds()
    assert duck.rows("m", "id") == [1, 2]
