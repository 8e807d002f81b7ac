"""What is gathered of a real project, at real destinations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from bed import Bed
from penstock.app.site import Gathering, _whole
from penstock.catalogue import Catalogue, Layer, Node
from penstock.report.site.facts import SiteFacts
from penstock.report.site.privacy import hidden
from penstock.schema.table import Table

# Any: settings of a project


def gathered(bed: Bed, **options: Any) -> SiteFacts:
    return Gathering(bed.session().loaded).facts(**options)


def made(root: Path, kind: str) -> Bed:
    """A project whose table has a sensitive column and a rule, and models that read it."""
    root.mkdir(exist_ok=True)
    place = "w.duckdb" if kind == "duckdb" else "curated"
    bed = Bed(root, destination={"type": kind, "path": place}, models="models")
    bed.table["columns"] = {
        "v": {"type": "int64", "minimum": 0, "description": "A number"},
        "email": {"type": "text", "sensitive": True},
        "word": {"type": "text"},
    }
    (root / "models").mkdir()
    for name, sql in MODELS.items():
        (root / f"models/{name}.sql").write_text(sql)
    return bed


MODELS = {
    "double": "SELECT v * 2 AS twice, email AS contact FROM t",
    "counts": "SELECT twice, count(*) AS n FROM double GROUP BY twice",
    "words": "/*---\ngate:\n  expectations:\n"
    "    - {name: short, constraint: length(word) < 2, action: quarantine}\n---*/\nSELECT v, word FROM t",
}


@pytest.fixture(scope="module", params=["duckdb", "parquet"])
def bed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bed:
    """Such a project after two loads and a build."""
    bed = made(tmp_path_factory.mktemp("site"), request.param)
    bed.drop("a.jsonl", *({"v": i, "email": f"ada{i}@x", "word": "ab"[i % 2]} for i in range(20)))
    bed.loads()
    bad = {"v": -1, "email": "ada@x", "word": "secret"}
    bed.drop("b.jsonl", {"v": 100, "email": "zoe@x", "word": "aa"}, bad)
    bed.loads()
    assert not bed.session().build().exit_code
    return bed


def test_a_project_that_ran(bed: Bed) -> None:
    facts = gathered(bed)
    known = facts.tables["warehouse", "p", "t"]
    assert known.rows == 21
    assert [(p.loaded, p.quarantined, p.files) for p in known.history] == [(20, 0, 1), (1, 1, 1)]
    assert known.profile is not None
    seen = known.profile.columns
    assert list(seen) == ["v", "email", "word"]
    assert (seen["v"].low, seen["v"].high, sum(seen["v"].bins)) == ("0", "100", 21)
    assert seen["word"].top == (("a", 10), ("b", 10), ("aa", 1))
    assert (seen["email"].count, seen["email"].distinct, seen["email"].low) == (21, 21, None)
    assert [run.status for run in facts.runs] == ["loaded"] * 3
    double = facts.tables["model", "double"]
    assert (double.rows, double.built is not None, len(double.history)) == (21, True, 1)
    assert facts.lineage["double"] == {"twice": (("t", "v"),), "contact": (("t", "email"),)}
    assert hidden(facts)["model", "double"]["contact"]
    assert double.profile is not None
    assert double.profile.columns["contact"].low is None
    assert double.profile.columns["twice"].high == "200"
    assert facts.notes == ()


def test_what_is_set_aside_is_masked(bed: Bed) -> None:
    found = {a.entry.table: a for a in gathered(bed).quarantine}
    assert (found["t"].entry.rows, [row.raw for row in found["t"].rows]) == (1, ["***"])
    assert [(b.rule, b.value) for b in found["t"].rows[0].broken] == [("minimum", "-1")]
    assert found["words"].entry.rows == 1
    assert "aa" in found["words"].rows[0].raw  # nothing of it is made of what is sensitive


def test_the_site_holds_no_sensitive_value(bed: Bed) -> None:
    text = Gathering(bed.session().loaded).site()["index.html"]
    assert "ada" not in text
    assert "zoe" not in text
    assert "secret" not in text
    assert str(bed.root) not in text  # places are told from the project's folder


def test_the_same_facts_make_the_same_site(bed: Bed) -> None:
    made = [Gathering(bed.session().loaded).site()["index.html"] for _ in range(2)]
    assert made[0] == made[1]


def test_without_profiles_rows_are_counted_only(bed: Bed) -> None:
    known = gathered(bed, profile=False).tables["warehouse", "p", "t"]
    assert (known.rows, known.profile) == (21, None)


@pytest.mark.parametrize("kind", ["duckdb", "parquet"])
def test_a_project_that_never_ran(kind: str, tmp_path: Path) -> None:
    bed = made(tmp_path, kind)
    facts = gathered(bed)
    assert [n.name for n in facts.catalogue.of(Layer.WAREHOUSE)] == ["t"]
    assert [n.name for n in facts.catalogue.of(Layer.MODEL)] == ["double", "words", "counts"]
    assert (facts.runs, facts.quarantine) == ((), ())
    assert not (bed.root / "w.duckdb").exists()
    assert "twice" in Gathering(bed.session().loaded).site()["index.html"]


def test_a_run_that_was_refused_is_on_record(tmp_path: Path) -> None:
    bed = made(tmp_path, "duckdb")
    bed.table["gate"] = {"on_broken": "fail"}
    bed.drop("a.jsonl", {"v": -1, "email": "x", "word": "y"})
    assert bed.run().error
    [run] = gathered(bed).runs
    assert run.status == "refused"


def test_secrets_are_taken_out(tmp_path: Path) -> None:
    bed = Bed(tmp_path)
    (tmp_path / ".env").write_text("TOKEN=open-sesame\n")
    bed.table["description"] = "from ${TOKEN}"
    bed.drop("a.jsonl", {"v": 1})
    bed.loads()
    text = Gathering(bed.session().loaded).site()["index.html"]
    assert "from ***" in text
    assert "sesame" not in text


def test_tables_that_only_a_run_told_of(tmp_path: Path) -> None:
    bed = Bed(tmp_path)
    bed.table["nesting"] = "flatten"
    bed.drop("a.jsonl", {"v": 1, "items": [{"x": 1}, {"x": 2}]})
    bed.loads()
    facts = gathered(bed)
    [child] = [n for n in facts.catalogue.of(Layer.WAREHOUSE) if n.name != "t"]
    assert facts.tables[child.key].part_of == "t"
    assert facts.tables[child.key].rows == 2


def test_a_view_that_does_not_work_any_more_is_told_as_such(tmp_path: Path) -> None:
    bed = Bed(tmp_path, models="models")
    (tmp_path / "models").mkdir()
    (tmp_path / "models/seen.sql").write_text("/*---\nmaterialized: view\n---*/\nSELECT v FROM t")
    bed.drop("a.jsonl", {"v": 1})
    bed.loads()
    bed.session().build()
    with duckdb.connect(str(tmp_path / "w.duckdb")) as con:
        con.execute("ALTER TABLE t RENAME COLUMN v TO w")
    known = gathered(bed).tables
    assert known["model", "seen"].rows is None
    assert known["warehouse", "p", "t"].rows == 1


def test_others_that_share_the_warehouse_are_left_out(tmp_path: Path) -> None:
    bed = Bed(tmp_path)
    bed.drop("a.jsonl", {"v": 1})
    bed.loads()
    (tmp_path / "second").mkdir()
    second = Bed(tmp_path / "second", destination={"type": "duckdb", "path": "../w.duckdb"})
    second.project["pipelines"] = {"q": second.pipeline}
    facts = gathered(second)
    assert (facts.runs, dict(facts.tables)) == ((), {})


def test_rows_in_a_singer_target_are_said_to_be_out_of_sight(tmp_path: Path) -> None:
    bed = Bed(tmp_path, destination={"type": "singer_target", "target": "target-nowhere"})
    facts = gathered(bed)
    assert facts.notes == (
        "the rows of p are in a Singer target, which takes rows and gives none to look at",
    )


def test_a_table_takes_the_place_of_what_stood_for_all() -> None:
    def node(layer: Layer, name: str, **words: Any) -> Node:
        return Node((layer.value, "p", name), layer, Table(name), "duckdb", "p", name, **words)

    rest = [node(layer, "p", unlisted=True) for layer in (Layer.LAND, Layer.WAREHOUSE)]
    model = Node(("model", "m"), Layer.MODEL, Table("m"), "sql", reads=(rest[1].key,))
    found = [node(Layer.WAREHOUSE, name) for name in ("a", "b")]
    whole = _whole(Catalogue("c", (*rest, model)), found, {"m": ("B",)})
    assert [n.name for n in whole.nodes] == ["a", "b", "m"]
    assert whole.nodes[-1].reads == (found[1].key,)
    assert _whole(Catalogue("c", (*rest, model)), found, {}).nodes[-1].reads == (found[0].key, found[1].key)
    assert _whole(Catalogue("c", (*rest, model)), [], {}).nodes == (*rest, model)
