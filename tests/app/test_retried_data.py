"""Trying again in Python: what can be asked for its rows once more, and what cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import penstock as ps
from penstock.destinations.duckdb import DuckDBDestination
from penstock.errors import OutsideError, RefusedError, StoreError

Row = dict[str, Any]


def make(folder: Path) -> ps.Pipeline:
    retry = {"attempts": 3, "wait_s": 0.01}
    return ps.pipeline("p", destination="duckdb:///w.duckdb", root=folder, retry=retry)


def breaking(tries: list[int], breaks: int) -> Callable[[], Iterator[Row]]:
    """A function whose first iterators break after a row."""

    def rows() -> Iterator[Row]:
        tries.append(1)
        yield {"n": 1}
        if len(tries) <= breaks:
            raise ConnectionError("the line is down")
        yield {"n": 2}

    return rows


def test_a_function_is_asked_again(tmp_path: Path) -> None:
    tries: list[int] = []
    pipeline = make(tmp_path)
    pipeline.run(breaking(tries, 2), table_name="t")
    assert (len(tries), pipeline.dataset().row_counts()) == (3, {"t": 2})


def test_an_iterator_is_not_asked_again_and_says_why(tmp_path: Path) -> None:
    tries: list[int] = []
    pipeline = make(tmp_path)
    with pytest.raises(OutsideError, match="hand over the function") as caught:
        pipeline.run(breaking(tries, 1)(), table_name="t")
    assert "the line is down" in str(caught.value)
    assert len(tries) == 1
    assert pipeline.last_result is not None
    assert "hand over the function" in str(pipeline.last_result.error)
    assert pipeline.dataset().row_counts() == {}


@pytest.mark.parametrize("refresh", [None, "drop_data"])
def test_what_an_iterator_gave_is_loaded_by_a_later_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refresh: str | None
) -> None:
    begin, broken = DuckDBDestination.begin, [True]

    def unreachable(self: DuckDBDestination, pipeline: str, load_id: str) -> Any:
        if broken:
            broken.pop()
            raise StoreError("the disk is away")
        return begin(self, pipeline, load_id)

    pipeline = make(tmp_path)
    pipeline.run([{"n": 0}], table_name="t")
    monkeypatch.setattr(DuckDBDestination, "begin", unreachable)
    pipeline.run(iter([{"n": 1}, {"n": 2}]), table_name="t", refresh=refresh)
    assert not broken
    assert pipeline.dataset().row_counts() == {"t": 3 if refresh is None else 2}


def test_an_iterator_that_was_not_asked_yet_may_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts, broken = DuckDBDestination.facts, [True]

    def unreachable(self: DuckDBDestination, pipeline: str) -> Any:
        if broken:
            broken.pop()
            raise StoreError("the disk is away")
        return facts(self, pipeline)

    monkeypatch.setattr(DuckDBDestination, "facts", unreachable)
    pipeline = make(tmp_path)
    pipeline.run(iter([{"n": 1}]), table_name="t")
    assert pipeline.dataset().row_counts() == {"t": 1}


@pytest.mark.parametrize("wrap", [lambda rows: rows, lambda rows: ps.resource(rows, name="t")])
def test_an_iterator_that_was_read_is_refused(tmp_path: Path, wrap: Callable[[Any], Any]) -> None:
    data = wrap({"n": n} for n in range(2))
    pipeline = make(tmp_path)
    pipeline.run(data, table_name="t")
    with pytest.raises(RefusedError, match="has given its rows already"):
        pipeline.run(data, table_name="t")
    assert pipeline.dataset().row_counts() == {"t": 2}


def test_an_iterator_may_be_begun_by_its_maker(tmp_path: Path) -> None:
    rows = ({"n": n} for n in range(3))
    next(rows)
    pipeline = make(tmp_path)
    pipeline.run(rows, table_name="t")
    assert pipeline.dataset()["t"].select("n").fetchall() == [(1,), (2,)]


def test_resources_of_dlt_are_asked_again(tmp_path: Path) -> None:
    dlt = pytest.importorskip("dlt", reason="dlt is not installed: pip install 'penstock[dlt]'")
    tries: list[int] = []
    pipeline = make(tmp_path)
    pipeline.run(dlt.resource(breaking(tries, 1), name="t"))
    assert (len(tries), pipeline.dataset().row_counts()) == (2, {"t": 2})

    begun: list[int] = []
    with pytest.raises(OutsideError, match="hand over the function"):
        pipeline.run(dlt.resource(breaking(begun, 1)(), name="t"))
    assert (len(begun), pipeline.dataset().row_counts()) == (1, {"t": 2})


def test_an_iterator_of_dlt_that_was_read_is_refused(tmp_path: Path) -> None:
    dlt = pytest.importorskip("dlt", reason="dlt is not installed: pip install 'penstock[dlt]'")
    data = dlt.resource(({"n": n} for n in range(2)), name="t")
    pipeline = make(tmp_path)
    pipeline.run(data)
    with pytest.raises(RefusedError, match="has given its rows already"):
        pipeline.run(data)
