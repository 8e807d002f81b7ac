"""Options of merges as the project says them, on files and rows that pass the gate."""

from __future__ import annotations

from pathlib import Path

import pytest
from makers import Mill

import penstock
from penstock.errors import ProjectError
from penstock.ports import Block

BOTH = pytest.mark.parametrize("destination", ["duckdb:///w.duckdb", "parquet:///warehouse"])


@BOTH
def test_a_source_filter_drops_rows_and_says_so(tmp_path: Path, destination: str) -> None:
    """Also those of which it cannot be told, as a WHERE does; a rebuild gives the same."""
    table = "    tables: {t: {write: {mode: merge, primary_key: id, source_filter: v > 1}}}\n"
    mill = Mill(tmp_path, table, destination)
    [result] = mill.run(Block("t", [{"id": 1, "v": 1}, {"id": 2, "v": 2}, {"id": 3, "v": None}])).tables
    assert (result.rows, result.loaded, result.dropped, result.quarantined) == (3, 1, 2, 0)
    assert mill.sql("SELECT id FROM t") == [2]
    assert penstock.open_session(tmp_path).rebuild([], None, penstock.ignore).exit_code == 0
    assert mill.sql("SELECT id FROM t") == [2]


@BOTH
def test_a_landing_stands_for_its_scope(tmp_path: Path, destination: str) -> None:
    table = (
        "    tables:\n      t:\n        write: merge\n        strategy: delete-insert\n"
        "        destination_scope: day = current_setting('TimeZone') OR day = 'b'\n"
    )
    mill = Mill(tmp_path, table, destination)
    for rows in ([{"id": 1, "day": "a"}, {"id": 2, "day": "b"}], [{"id": 3, "day": "b"}]):
        assert mill.run(Block("t", rows)).error is None
    assert mill.sql("SELECT id FROM t ORDER BY 1") == [1, 3]
    assert penstock.open_session(tmp_path).rebuild([], None, penstock.ignore).exit_code == 0
    assert mill.sql("SELECT id FROM t ORDER BY 1") == [1, 3]


@BOTH
def test_rows_that_did_not_change_are_not_written(tmp_path: Path, destination: str) -> None:
    table = "    tables: {t: {write: merge, primary_key: id, skip_unchanged_rows: true}}\n"
    mill = Mill(tmp_path, table, destination)
    rows = [{"id": n, "v": {"a": [n]}} for n in range(3)]
    assert mill.run(Block("t", rows)).error is None
    written = sorted((tmp_path / "warehouse").rglob("*.parquet"))
    assert mill.run(Block("t", [*rows[:2]])).error is None
    assert len(mill.sql("SELECT DISTINCT _penstock_load_id FROM t")) == 1
    assert sorted((tmp_path / "warehouse").rglob("*.parquet")) == written
    assert mill.run(Block("t", [{"id": 0, "v": {"a": [9]}}, *rows[1:]])).error is None
    assert len(mill.sql("SELECT DISTINCT _penstock_load_id FROM t")) == 2


@BOTH
@pytest.mark.parametrize("version", [False, True])
def test_rows_that_were_spread(tmp_path: Path, destination: str, version: bool) -> None:
    """What of a list changed its row's columns do not tell; a version does."""
    said = ", row_version: etag" if version else ""
    table = f"t: {{write: merge, primary_key: id, nesting: flatten, skip_unchanged_rows: true{said}}}"
    mill = Mill(tmp_path, f"    tables: {{{table}}}\n", destination)
    first = mill.run(Block("t", [{"id": 1, "etag": 1, "l": ["a"]}, {"id": 2, "etag": 1, "l": ["b"]}]))
    if not version:
        assert "row_version" in str(first.error)
        return
    assert first.error is None
    assert (
        mill.run(Block("t", [{"id": 1, "etag": 1, "l": ["c"]}, {"id": 2, "etag": 2, "l": ["d"]}])).error
        is None
    )
    assert mill.sql("SELECT value FROM t__l ORDER BY 1") == ["a", "d"]


@pytest.mark.parametrize(
    ("write", "said"),
    [
        ("mode: merge, primary_key: id, destination_scope: id = 1", "takes no rows away"),
        ("mode: merge, strategy: scd2, merge_key: id, destination_scope: id = 1", "both say"),
        ("mode: merge, strategy: scd2, skip_unchanged_rows: true", "updates none"),
        ("mode: merge, primary_key: id, row_version: v", "nothing goes by"),
        ("mode: append, source_filter: id = 1", "only a merge"),
        ("mode: merge, strategy: delete-insert", "destination_scope"),
    ],
)
def test_what_makes_no_sense(tmp_path: Path, write: str, said: str) -> None:
    Mill(tmp_path, f"    tables: {{t: {{write: {{{write}}}}}}}\n")
    with pytest.raises(ProjectError) as caught:
        penstock.open_session(tmp_path)
    assert said in str(caught.value)


@pytest.mark.parametrize("word", ["source_filter", "destination_scope"])
def test_a_condition_that_is_no_sql_is_found_before_a_run(tmp_path: Path, word: str) -> None:
    table = f"{{write: merge, strategy: delete-insert, primary_key: id, {word}: 'id ='}}"
    Mill(tmp_path, f"    tables: {{t: {table}}}\n")
    with pytest.raises(ProjectError, match=f"`{word}` is not a SQL condition"):
        penstock.open_session(tmp_path).check()
