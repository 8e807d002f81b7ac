"""Models built by Dagster: all of them, some of them, and what their checks say."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
from dagster_runs import Recorded, defs_of, models, run

from bed import Bed

A = """/*---
columns: {id: integer, v: {type: text, sensitive: true}}
gate: {expectations: [{name: positive, constraint: id > 0, action: %s}]}
---*/
SELECT id, v FROM t"""
B = "SELECT max(id) AS top, max(v) AS last FROM a"


def bed_of(root: Path, action: str = "quarantine") -> Bed:
    bed = Bed(root, models="models/")
    models(root, a=A % action, b=B, c="SELECT 1 AS one")
    bed.drop("x.jsonl", {"id": 1, "v": "a"}, {"id": -2, "v": "zz"})
    return bed


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recorded]:
    """Everything, everything again, all models in full, and one of them."""
    defs = defs_of(bed_of(tmp_path_factory.mktemp("models")))
    full = {"ops": {"build_bed": {"config": {"full": True}}}}
    one = [dg.AssetKey(["model", "c"])]
    with dg.DagsterInstance.ephemeral() as instance:
        return {
            "first": run(defs, "bed_all", instance),
            "again": run(defs, "bed_all", instance),
            "full": run(defs, "bed_models", instance, run_config=full),
            "one": run(defs, "bed_models", instance, asset_selection=one, run_config=full),
        }


def test_everything_in_order_and_nothing_again(runs: dict[str, Recorded]) -> None:
    told, again = runs["first"], runs["again"]
    assert told.success
    assert {n for n in told.made if n.startswith("model")} == {"model/a", "model/b", "model/c"}
    made = told.made["model/a"]
    numbers = {"rows_read": 2, "rows_kept": 1, "rows_quarantined": 1, "dagster/row_count": 1}
    assert {k: made[k] for k in numbers} == numbers
    passed, severity, metadata = told.checks["model/a:positive"]
    assert (passed, severity, metadata["failing_rows"]) == (False, "ERROR", 1)
    assert metadata["show"] == "`penstock quarantine show a`"
    assert "zz" not in repr(metadata)
    assert again.made["model/a"]["status"] == "unchanged"
    assert again.checks == {}


def test_lineage_and_what_follows_from_it_for_previews(runs: dict[str, Recorded]) -> None:
    made = runs["first"].made["model/b"]
    lineage = made["dagster/column_lineage"].deps_by_column
    assert [(d.asset_key.to_user_string(), d.column_name) for d in lineage["last"]] == [("model/a", "v")]
    assert made["preview"].splitlines()[2] == "| 1 | *** |"


def test_full_builds_what_is_unchanged_too(runs: dict[str, Recorded]) -> None:
    assert {name: m["status"] for name, m in runs["full"].made.items()} == {
        "model/a": "built", "model/b": "built", "model/c": "built",
    }  # fmt: skip


def test_a_subset_builds_what_is_selected(runs: dict[str, Recorded]) -> None:
    assert {name: m["status"] for name, m in runs["one"].made.items()} == {"model/c": "built"}


def test_a_refused_model_fails_the_run_after_the_others_are_told(tmp_path: Path) -> None:
    told = run(defs_of(bed_of(tmp_path, "fail")), "bed_all")
    assert not told.success
    assert "model/c" in told.made
    assert "model/a" not in told.made
    assert "model/b" not in told.made
    assert told.checks["model/a:positive"][0] is False


def test_models_are_not_built_on_a_refused_pipeline(tmp_path: Path) -> None:
    bed = bed_of(tmp_path)
    bed.table["gate"] = {"expectations": [{"name": "positive", "constraint": "id > 0", "action": "fail"}]}
    told = run(defs_of(bed), "bed_all")
    assert not told.success
    assert list(told.made) == ["p/land/t_land"]


def test_the_job_of_a_pipeline_builds_what_is_made_from_it(tmp_path: Path) -> None:
    told = run(defs_of(bed_of(tmp_path)), "p")
    assert {n for n in told.made if n.startswith("model")} == {"model/a", "model/b"}


def test_a_model_that_cannot_be_followed_shows_nothing_of_what_is_sensitive(tmp_path: Path) -> None:
    bed = bed_of(tmp_path)
    (tmp_path / "models" / "d.py").write_text(
        "import penstock as ps\n"
        "import pyarrow as pa\n\n"
        "@ps.model()\n"
        "def d(a: pa.Table) -> pa.Table:\n"
        "    return a.rename_columns(['n', 'w'])\n"
    )
    told = run(defs_of(bed), "p")
    assert told.success, told.errors
    assert told.made["model/d"]["preview"].splitlines()[2] == "| *** | *** |"
