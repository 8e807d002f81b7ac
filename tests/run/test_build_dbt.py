"""Models of dbt among others: built by dbt, in the order of the whole, as many at once as are ready."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest

from model_bed import ModelBed
from penstock.app.building import Building
from penstock.models.model import Model
from penstock.report.facts import ModelDone, ModelResult, ModelStarted, ModelStatus, Observer

QUERIES = {
    "dbt_a": "SELECT count(*) AS n FROM sales",
    "dbt_b": "SELECT n + 1 AS n FROM dbt_a",
    "dbt_c": "SELECT n * 10 AS n FROM middle",
}
READS = {"dbt_a": ("sales",), "dbt_b": ("dbt_a",), "dbt_c": ("middle",)}


class Dbt:
    """Stands in for dbt: opens the file itself, as another process does, and builds what it is told to."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.calls: list[list[str]] = []
        self.broken: set[str] = set()
        self.versions = dict.fromkeys(QUERIES, "1")

    def models(self) -> tuple[Model, ...]:
        return tuple(
            Model(name, f"models/{name}.sql", tool="dbt", reads=READS[name], version=self.versions[name])
            for name in QUERIES
        )

    def run(self, chosen: frozenset[str], _: bool, observe: Observer) -> Sequence[ModelResult]:
        self.calls.append(sorted(chosen))
        results = []
        with duckdb.connect(str(self.file)) as con:
            for number, name in enumerate((n for n in QUERIES if n in chosen), 1):
                observe(ModelStarted(name, number, len(chosen)))
                if name in self.broken:
                    result = ModelResult(name, ModelStatus.FAILED, tool="dbt", error="no", exit_code=1)
                else:
                    con.execute(f"CREATE OR REPLACE TABLE {name} AS {QUERIES[name]}")
                    result = ModelResult(name, ModelStatus.BUILT, tool="dbt", seconds=0.1)
                results.append(result)
                observe(ModelDone(result))
        return results


@pytest.fixture
def bed(tmp_path: Path) -> ModelBed:
    return (
        ModelBed(tmp_path).sales().model("middle", "SELECT n FROM dbt_b").model("last", "SELECT n FROM dbt_c")
    )


@pytest.fixture
def dbt(bed: ModelBed, monkeypatch: pytest.MonkeyPatch) -> Dbt:
    found = Dbt(bed.root / "w.duckdb")
    monkeypatch.setattr(Building, "_foreign", property(lambda _: found.models()))
    monkeypatch.setattr(Building, "_run_dbt", lambda _, *given: found.run(*given))
    return found


def test_dbt_is_called_for_all_that_is_ready(bed: ModelBed, dbt: Dbt) -> None:
    found = bed.builds()
    assert list(found) == ["dbt_a", "dbt_b", "middle", "dbt_c", "last"]
    assert dbt.calls == [["dbt_a", "dbt_b"], ["dbt_c"]]
    assert bed.rows("last") == [40]
    begun = [(e.model, e.number, e.of) for e in bed.seen if isinstance(e, ModelStarted)]
    assert begun == [(name, n, 5) for n, name in enumerate(found, 1)]
    assert [e.result.model for e in bed.seen if isinstance(e, ModelDone)] == list(found)


def test_models_of_dbt_are_left_alone_until_something_changes(bed: ModelBed, dbt: Dbt) -> None:
    bed.builds()
    dbt.calls.clear()
    assert {m.status for m in bed.builds().values()} == {ModelStatus.UNCHANGED}
    assert dbt.calls == []
    bed.model("middle", "SELECT n + 0.5 AS n FROM dbt_b")
    assert list(bed.builds()) == ["dbt_a", "dbt_b", "middle", "dbt_c", "last"]
    assert dbt.calls == [["dbt_c"]]


def test_what_dbt_could_not_build_keeps_back_what_reads_it(bed: ModelBed, dbt: Dbt) -> None:
    dbt.broken.add("dbt_b")
    result = bed.result()
    assert {m.model: m.status.value for m in result.models} == {
        "dbt_a": "built", "dbt_b": "failed", "middle": "skipped", "dbt_c": "skipped", "last": "skipped",
    }  # fmt: skip
    assert result.exit_code == 1
    dbt.broken.clear()
    dbt.calls.clear()
    assert bed.build()["dbt_a"].status is ModelStatus.UNCHANGED
    assert dbt.calls == [["dbt_b"], ["dbt_c"]]


def test_two_models_of_one_name(bed: ModelBed, dbt: Dbt) -> None:
    from penstock.errors import ProjectError

    bed.model("DBT_a", "SELECT 1 AS n")
    with pytest.raises(ProjectError, match="two models are called"):
        bed.build()
    assert dbt.calls == []
