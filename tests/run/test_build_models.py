"""Models are built in order, judged as sources are, and only when there is a reason."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from model_bed import ModelBed
from penstock.errors import NotFoundError, ProjectError, RefusedError
from penstock.report.facts import ModelDone, ModelStarted, ModelStatus, Pause


@pytest.fixture
def bed(tmp_path: Path) -> ModelBed:
    return ModelBed(tmp_path).sales()


# ----------------------------------------------------------------------------------------- order


def test_models_are_built_after_what_they_read(bed: ModelBed) -> None:
    bed.model("c", "SELECT sum(total) AS total FROM b").model(
        "a", "SELECT * FROM sales", "materialized: view"
    )
    bed.model("b", "SELECT town, sum(price) AS total FROM a GROUP BY ALL")
    found = bed.builds()
    assert list(found) == ["a", "b", "c"]
    assert bed.rows("c") == [60]
    begun = [e for e in bed.seen if isinstance(e, ModelStarted)]
    assert [(e.model, e.number, e.of) for e in begun] == [("a", 1, 3), ("b", 2, 3), ("c", 3, 3)]
    assert [e.result.model for e in bed.seen if isinstance(e, ModelDone)] == ["a", "b", "c"]


def test_what_reads_a_table_through_a_view_waits_for_the_table(bed: ModelBed) -> None:
    bed.model("t", "SELECT count(*) AS n FROM sales").model("v", "SELECT * FROM t", "materialized: view")
    bed.model("m", "SELECT n FROM v").builds()
    bed.sales({"id": 4, "town": "C", "price": 1})
    found = bed.builds()
    assert bed.statuses(found) == {"v": "unchanged", "t": "built", "m": "built"}
    assert bed.rows("m") == [4]


def test_independent_models_are_built_at_once(bed: ModelBed) -> None:
    together = "import penstock as ps\nimport pyarrow as pa\nimport waiting\n\n@ps.model()\ndef {0}(sales):\n"
    together += "    waiting.barrier.wait(20)\n    return pa.table({{'n': [sales.num_rows]}})\n"
    (bed.root / "models" / "waiting.py").write_text(
        "import sys, threading\n"
        "barrier = sys.__dict__.setdefault('_penstock_test_barrier', threading.Barrier(2))\n"
    )
    bed.python("one", together.format("one")).python("two", together.format("two"))
    (bed.root / "penstock.yml").write_text(
        (bed.root / "penstock.yml")
        .read_text()
        .replace("destination: duckdb:///w.duckdb", "destination: {type: duckdb, path: w.duckdb, threads: 2}")
    )
    try:
        bed.builds()
    finally:
        import sys

        sys.__dict__.pop("_penstock_test_barrier", None)
    assert bed.rows("one") == bed.rows("two") == [3]


# --------------------------------------------------------------------------------------- failing


def test_a_failure_keeps_back_what_reads_it_and_nothing_else(bed: ModelBed) -> None:
    bed.model("good", "SELECT 1 AS n FROM sales").model("bad", "SELECT CAST(town AS INTEGER) AS n FROM sales")
    bed.model("after", "SELECT n FROM bad").model("later", "SELECT n FROM after").model(
        "beside", "SELECT n FROM good"
    )
    result = bed.result()
    found = {m.model: m for m in result.models}
    assert bed.statuses(found) == {
        "good": "built", "bad": "refused", "after": "skipped", "later": "skipped", "beside": "built",
    }  # fmt: skip
    assert (found["later"].why, result.exit_code) == ("`bad` failed", 1)
    assert "models/bad.sql" in (found["bad"].error or "")
    bed.model("bad", "SELECT id AS n FROM sales")
    assert bed.statuses(bed.builds()) == {
        "good": "unchanged", "beside": "unchanged", "bad": "built", "after": "built", "later": "built",
    }  # fmt: skip


def test_a_failed_build_leaves_the_old_table(bed: ModelBed) -> None:
    bed.model("m", "SELECT id FROM sales").builds()
    bed.model("m", "SELECT id, error('no') AS x FROM sales")
    assert bed.build()["m"].status is ModelStatus.REFUSED
    assert bed.rows("m") == [1, 2, 3]


def test_a_listener_that_raises_ends_the_build_and_leaves_the_table(bed: ModelBed) -> None:
    bed.model("m", "SELECT id FROM sales").builds()
    bed.model("m", "SELECT id + 1 AS id FROM sales")

    def stop(event: Any) -> None:
        if isinstance(event, ModelStarted | Pause):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bed.session().build((), stop)
    assert bed.rows("m") == [1, 2, 3]
    [record] = bed.session().last_runs(["models"])
    assert record.status == "stopped"
    bed.builds()
    assert bed.rows("m") == [2, 3, 4]


def test_a_name_that_a_pipelines_table_has_is_refused(bed: ModelBed) -> None:
    bed.model("sales", "SELECT 1 AS n")
    with pytest.raises(ProjectError, match="sales"):
        bed.build()


def test_a_held_destination_is_said(bed: ModelBed) -> None:
    bed.model("a", "SELECT 1 AS n FROM sales").model("b", "SELECT 1 AS n FROM sales")
    from penstock.app.building import Building

    session = bed.session()
    held, go = threading.Event(), threading.Event()

    def hold() -> None:
        other = Building(session.loaded, bed.root / ".penstock")._open()
        with other.lock("models", "somebody"):
            held.set()
            go.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(20)
    try:
        result = session.build((), lambda _: None)
    finally:
        go.set()
        holder.join()
    assert result.exit_code == 3
    assert "somebody" in (result.models[0].error or "")
    assert [m.status for m in result.models] == [ModelStatus.FAILED, ModelStatus.SKIPPED]


# ----------------------------------------------------------------------------------------- reason


def test_only_what_changed_is_built_again(bed: ModelBed) -> None:
    bed.model("a", "SELECT id FROM sales").model("b", "SELECT id FROM a").model("c", "SELECT 1 AS n").builds()
    assert set(bed.statuses(bed.builds()).values()) == {"unchanged"}
    bed.model("b", "SELECT id + 1 AS id FROM a")
    found = bed.builds()
    assert bed.statuses(found) == {"a": "unchanged", "c": "unchanged", "b": "built"}
    assert found["b"].why == "its SQL changed"
    bed.sales({"id": 9, "town": "Z", "price": 1})
    assert bed.statuses(bed.builds()) == {"c": "unchanged", "a": "built", "b": "built"}
    assert set(bed.statuses(bed.builds(full=True)).values()) == {"built"}


def test_a_comment_or_a_touched_file_builds_nothing(bed: ModelBed) -> None:
    bed.model("a", "SELECT id FROM sales").builds()
    bed.model("a", "-- who they are\nSELECT id   FROM sales")
    assert bed.statuses(bed.builds()) == {"a": "unchanged"}


def test_models_are_chosen_by_words(bed: ModelBed) -> None:
    bed.model("a", "SELECT id FROM sales").model("b", "SELECT id FROM a").model("marts/c", "SELECT id FROM b")
    assert list(bed.builds("+b")) == ["a", "b"]
    assert list(bed.builds("path:marts")) == ["c"]
    assert list(bed.builds("a+", exclude=["c"], full=True)) == ["a", "b"]
    with pytest.raises(NotFoundError):
        bed.build("nothing")


def test_no_models_at_all_is_said(tmp_path: Path) -> None:
    (tmp_path / "penstock.yml").write_text("name: x\n")
    import penstock

    with pytest.raises(ProjectError, match="no models"):
        penstock.open_session(tmp_path).build()


def test_a_run_builds_models_after_pipelines(bed: ModelBed) -> None:
    bed.model("n", "SELECT count(*) AS n FROM sales")
    (bed.root / "in" / "more.jsonl").write_text('{"id": 4, "town": "C", "price": 5}\n')
    plan = bed.session().plan([], lambda _: None)
    assert [(m.model, m.builds) for m in plan.models] == [("n", True)]
    result = bed.session().run([], lambda _: None)
    assert (result.exit_code, bed.rows("n")) == (0, [4])
    (bed.root / "in" / "most.jsonl").write_text('{"id": 5, "town": "C", "price": 5}\n')
    plan = bed.session().plan([], lambda _: None)
    assert plan.models[0].why == "`sales` is about to be loaded"
    named = bed.session().run(["p"], lambda _: None)
    assert (named.models, bed.rows("n")) == ((), [4])


def test_a_broken_model_stops_a_run_before_anything_is_loaded(bed: ModelBed) -> None:
    bed.model("n", "SELECT FROM WHERE")
    (bed.root / "in" / "more.jsonl").write_text('{"id": 4, "town": "C", "price": 5}\n')
    with pytest.raises(ProjectError):
        bed.session().run([], lambda _: None)
    assert len(bed.rows("sales", "id")) == 3


def test_nothing_new_is_told_without_a_driver(bed: ModelBed) -> None:
    import subprocess
    import sys

    bed.model("n", "SELECT count(*) AS n FROM sales")
    bed.session().run([], lambda _: None)
    bed.session().run([], lambda _: None)
    code = (
        "import sys, pathlib\nfrom penstock.app.session import open_session\n"
        f"r = open_session(pathlib.Path({str(bed.root)!r})).run([], lambda _: None)\n"
        "assert [m.status.value for m in r.models] == ['unchanged'], r\n"
        "assert [p.status.value for p in r.pipelines] == ['nothing_new'], r\n"
        "heavy = {'duckdb', 'pyarrow', 'sqlglot'} & set(sys.modules)\nassert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    bed.model("n", "SELECT count(*) + 1 AS n FROM sales")
    bed.session().run([], lambda _: None)
    assert bed.rows("n") == [4]


# ------------------------------------------------------------------------------------------ kept


def test_a_build_is_on_record(bed: ModelBed) -> None:
    bed.model("good", "SELECT id FROM sales").model("bad", "SELECT nothing FROM sales").build()
    [record] = bed.session().last_runs(["models"])
    assert (record.pipeline, record.command, record.status) == ("models", "build", "refused")
    steps = sorted((s.phase, s.table or "", s.rows) for s in record.steps)
    assert steps == [("build", "bad", 0), ("build", "good", 3)]
    assert bed.sql("SELECT pipeline, status FROM _penstock_runs WHERE command = 'build'") == [
        ("models", "refused")
    ]
    bed.model("bad", "SELECT id FROM sales").builds()
    bed.builds()
    assert len(bed.session().last_runs(["models"], 9)) == 2, "a build that did nothing leaves no record"


def test_models_are_shown_and_stand(bed: ModelBed) -> None:
    bed.model("m", "SELECT id FROM sales").model("new", "SELECT id FROM m").builds("m")
    listed = bed.session().show(None).to_pylist()
    assert {"pipeline": "models", "table": "m", "rows": 3} in listed
    assert bed.session().show("m").num_rows == 3
    stands = {m.model: m for m in bed.session().model_status()}
    assert (stands["m"].rows, stands["m"].stale) == (3, None)
    assert (stands["new"].built_at, stands["new"].stale) == (None, "it was never built")


# ------------------------------------------------------------------------------------------ Python

PANDAS = """
import pandas as pd
import penstock as ps

@ps.model(columns={"town": {"type": "text", "nullable": False}, "price": "int64"})
def dear(sales: pd.DataFrame) -> pd.DataFrame:
    return sales[sales.price > 10][["price", "town"]]
"""


def test_a_python_model(bed: ModelBed) -> None:
    bed.python("dear", PANDAS).model("n", "SELECT count(*) AS n FROM dear")
    assert list(bed.builds()) == ["dear", "n"]
    assert bed.rows("dear") == [("A", 30), ("B", 20)]
    assert bed.rows("n") == [2]


def test_a_python_model_that_fails_says_where(bed: ModelBed) -> None:
    bed.python("boom", "import penstock as ps\n\n@ps.model()\ndef boom(sales):\n    return 1 / 0\n")
    found = bed.build()["boom"]
    assert found.status is ModelStatus.REFUSED
    assert "models/boom.py:5" in (found.error or "")
    assert "ZeroDivisionError" in (found.error or "")


# -------------------------------------------------------------------------------------- the version


def test_a_column_with_the_version_of_the_project(bed: ModelBed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_PROJECT_VERSION", "v1.2-'3'")
    bed.model("m", "SELECT id FROM sales", "version_column: dea_version").builds()
    assert bed.rows("m") == [(1, "v1.2-'3'"), (2, "v1.2-'3'"), (3, "v1.2-'3'")]


def test_a_quarantined_model_cannot_be_replayed(bed: ModelBed) -> None:
    bed.model("m", "SELECT * FROM sales", "columns: {town: {type: text, enum: [A]}}").builds()
    with pytest.raises(RefusedError, match="cannot be loaded after all") as error:
        bed.session().quarantine_replay(["m"], lambda _: None)
    assert "penstock build m" in (error.value.hint or "")
    assert bed.session().quarantine_replay([], lambda _: None).pipelines == ()


def test_a_document_of_a_build_is_json(bed: ModelBed) -> None:
    from penstock.report.document import run_document

    bed.model("m", "SELECT id FROM sales")
    document = json.loads(json.dumps(run_document(bed.result())))
    assert (document["models"][0]["model"], document["models"][0]["rows"]) == ("m", 3)
