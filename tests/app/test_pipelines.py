"""Pipelines in a program: what is said, what comes back, and what a second run does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import penstock as ps
from penstock.errors import OutsideError, ProjectError, RefusedError
from penstock.report.facts import Status


def make(folder: Path, **options: Any) -> ps.Pipeline:
    return ps.pipeline("p", destination="duckdb:///w.duckdb", root=folder, **options)


def test_rows_as_they_are(tmp_path: Path) -> None:
    pipeline = make(tmp_path)
    result = pipeline.run([{"n": 1}, {"n": 2}], table_name="t")
    assert (result.status, result.tables[0].loaded) == (Status.LOADED, 2)
    assert pipeline.dataset()["t"].select("n").fetchall() == [(1,), (2,)]


def test_the_words_of_the_run_win(tmp_path: Path) -> None:
    @ps.resource(name="t", write="append")
    def rows() -> Any:
        yield {"id": 1, "v": "x"}

    pipeline = make(tmp_path)
    for _ in range(2):
        pipeline.run(rows, write="merge", primary_key="id")
    assert pipeline.dataset().row_counts() == {"t": 1}


def test_the_result_prints_for_terminals_and_notebooks(tmp_path: Path) -> None:
    result = make(tmp_path).run([{"n": "<b>"}], table_name="t")
    assert "p: loaded in" in str(result)
    assert "t: new table" in str(result)
    html = result._repr_html_()
    assert html.startswith("<pre")
    assert "t: new table" in html
    assert "cause" not in repr(result)


def test_what_stops_a_run_is_raised(tmp_path: Path) -> None:
    def broken() -> Any:
        yield {"n": 1}
        raise ValueError("no more")

    pipeline = make(tmp_path)
    with pytest.raises(RefusedError, match="no more"):
        pipeline.run(broken)
    assert pipeline.last_result is not None
    assert pipeline.last_result.status is Status.REFUSED
    assert pipeline.run(None).status is Status.NOTHING_NEW


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"policy": "sometimes"}, "policy"),
        ({"tables": {"t": {"wrte": "merge"}}}, "wrte"),
        ({"land_as": "xml"}, "land_as"),
        ({"progress": "loud"}, "is no way to show progress"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ProjectError, match=said):
        make(tmp_path, **options).run([{"n": 1}], table_name="t")


def test_a_refresh_begins_anew(tmp_path: Path) -> None:
    starts = []

    @ps.resource(name="t", write="append")
    def rows(n: Any = ps.incremental("n", initial_value=0)) -> Any:  # noqa: B008
        starts.append(n.last_value)
        yield [{"n": 1}, {"n": 2}]

    pipeline = make(tmp_path)
    for refresh in (None, None, "drop_data", "drop_resources", "drop_sources"):
        pipeline.run(rows, refresh=refresh)
        assert pipeline.dataset().row_counts() == {"t": 2}
    assert starts == [0, 2, 0, 0, 0]
    with pytest.raises(ProjectError, match="no way to refresh"):
        pipeline.run(rows, refresh="drop")


def test_a_metadata_file_as_the_columns_of_a_resource(tmp_path: Path) -> None:
    (tmp_path / "t.yml").write_text("columns: {n: int32, word: {type: text, enum: [a, b]}}\n")
    data = ps.resource([{"n": 1, "word": "a"}, {"n": 2, "word": "z"}], name="t", columns=tmp_path / "t.yml")
    pipeline = make(tmp_path)
    result = pipeline.run(data)
    assert (result.tables[0].loaded, result.tables[0].quarantined) == (1, 1)
    assert pipeline.dataset().sql("SELECT typeof(n) FROM t").fetchall() == [("INTEGER",)]


@pytest.mark.parametrize("land_as", ["jsonl.gz", "jsonl.zst", "jsonl"])
def test_how_records_land(tmp_path: Path, land_as: str) -> None:
    make(tmp_path, land_as=land_as).run([{"n": 1}], table_name="t")
    [file] = (p for p in (tmp_path / "data/raw_hist/p").rglob("*") if p.is_file())
    assert file.name.endswith(land_as)


def test_state_is_told(tmp_path: Path) -> None:
    def rows() -> Any:
        ps.current.resource_state()["page"] = 7
        yield {"n": 1}

    pipeline = make(tmp_path)
    assert pipeline.state is None
    pipeline.run(rows)
    assert pipeline.state == '{"resources": {"rows": {"page": 7}}}'


def test_an_outside_error_is_tried_again(tmp_path: Path) -> None:
    """But not with an iterator, which would give only what is left of it."""
    tries = []

    def flaky() -> Any:
        yield {"n": len(tries)}
        tries.append(1)
        if len(tries) < 3:
            raise ConnectionError("reset by peer")

    pipeline = make(tmp_path, retry={"attempts": 3, "wait_s": 0.01})
    assert pipeline.run(flaky).tables[0].loaded == 1
    assert pipeline.dataset()["flaky"].select("n").fetchall() == [(2,)]
    tries.clear()
    with pytest.raises(OutsideError, match="reset by peer"):
        pipeline.run(flaky())
    assert len(tries) == 1
