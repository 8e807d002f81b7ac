"""Tables that are dropped, and refreshes that bring nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from makers import Maker, Mill

import penstock
import penstock as ps
from penstock.app.session import Session
from penstock.errors import NotFoundError, RefusedError
from penstock.ledger import Refresh
from penstock.ports import Block, Checkpoint
from penstock.report.facts import Status
from penstock.run.drop import Drop, without

BOTH = pytest.mark.parametrize("destination", ["duckdb:///w.duckdb", "parquet:///warehouse"])
STATE = json.dumps({"resources": {"t": {"n": 2}, "u": {"n": 3}}, "source": {"seen": [1, 2, 3]}})


def filled(root: Path, destination: str = "duckdb:///w.duckdb", rest: str = "") -> Mill:
    mill = Mill(root, rest, destination)
    nested = "    tables: {t: {nesting: flatten}}\n"
    if not rest:
        mill = Mill(root, nested, destination)
    assert (
        mill.run(Block("t", [{"n": 1, "tags": ["a"]}]), Block("u", [{"n": 1}]), Checkpoint("1")).error is None
    )
    assert mill.run(Block("t", [{"n": 2}]), Checkpoint(STATE)).error is None
    return mill


def dropped(root: Path, *names: str, **options: Any) -> Drop:
    session = penstock.open_session(root)
    what = session.plan_drop("p", names, **options)
    result = session.drop(what, penstock.ignore)
    assert result.error is None
    return what


def tables(root: Path) -> dict[str, int]:
    return penstock.open_session(root).dataset("p").row_counts()


def state(mill: Mill) -> Any:
    [text] = mill.sql("SELECT state FROM _penstock_state")
    return json.loads(text)


@BOTH
def test_a_table_goes_with_its_parts_and_its_state(tmp_path: Path, destination: str) -> None:
    mill = filled(tmp_path, destination)
    assert tables(tmp_path) == {"t": 2, "t__tags": 1, "u": 1}
    what = dropped(tmp_path, "t")
    [gone] = what.tables
    assert (gone.table, gone.parts, gone.files, gone.rows) == ("t", ("t__tags",), 2, 2)
    assert what.state == ("$['resources']['t']",)
    assert tables(tmp_path) == {"u": 1}
    assert state(mill) == {"resources": {"u": {"n": 3}}, "source": {"seen": [1, 2, 3]}}
    assert mill.run().status is Status.NOTHING_NEW, "nothing comes back by itself"
    assert mill.run(Block("t", [{"n": 5}])).error is None
    assert tables(tmp_path) == {"t": 1, "t__tags": 0, "u": 1} or tables(tmp_path) == {"t": 1, "u": 1}


@BOTH
def test_what_was_dropped_stays_so_when_everything_is_made_anew(tmp_path: Path, destination: str) -> None:
    mill = filled(tmp_path, destination)
    dropped(tmp_path, "t")
    assert mill.run(Block("t", [{"n": 5}])).error is None
    assert penstock.open_session(tmp_path).rebuild([], None, penstock.ignore).exit_code == 0
    assert (mill.sql("SELECT n FROM t"), mill.sql("SELECT n FROM u")) == ([5], [1])
    for path in (tmp_path / "w.duckdb", tmp_path / "warehouse"):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    assert mill.run().error is None
    assert (mill.sql("SELECT n FROM t"), mill.sql("SELECT n FROM u")) == ([5], [1])
    assert len(mill.files("raw_hist")) == 5, "raw history keeps what it has"


@BOTH
def test_a_rebuild_brings_back_what_was_dropped_if_it_is_asked_to(tmp_path: Path, destination: str) -> None:
    mill = filled(tmp_path, destination)
    dropped(tmp_path, "*")
    assert tables(tmp_path) == {}
    session = penstock.open_session(tmp_path)
    assert session.rebuild([], None, penstock.ignore).exit_code == 0
    assert tables(tmp_path) == {}
    result = session.rebuild(["t"], None, penstock.ignore, dropped=True)
    assert result.exit_code == 0
    assert mill.sql("SELECT n FROM t ORDER BY 1") == [1, 2]
    assert "u" not in tables(tmp_path)
    assert session.rebuild(["t"], None, penstock.ignore).exit_code == 0
    assert mill.sql("SELECT n FROM t ORDER BY 1") == [1, 2], "they are the table's again"


def test_the_gate_does_not_judge_a_drop(tmp_path: Path) -> None:
    rest = (
        "    tables: {t: {columns: {n: int64}, gate: {min_rows: 1, min_bytes: 5, duplicate_content: fail}},"
        " u: {}}\n"
    )
    filled(tmp_path, rest=rest)
    dropped(tmp_path, "t")
    assert tables(tmp_path) == {"u": 1}
    dropped(tmp_path, "u")
    assert tables(tmp_path) == {}


@pytest.mark.parametrize(
    ("names", "found"),
    [(["re:[st]"], ["t"]), (["u", "t"], ["t", "u"]), (["?"], ["t", "u"]), (["re:.*"], ["t", "u"])],
)
def test_names(tmp_path: Path, names: list[str], found: list[str]) -> None:
    filled(tmp_path)
    what = penstock.open_session(tmp_path).plan_drop("p", names)
    assert [t.table for t in what.tables] == found


def test_names_that_match_nothing(tmp_path: Path) -> None:
    filled(tmp_path)
    session = penstock.open_session(tmp_path)
    for names, said in ((["tt"], "`tt`"), (["re:x"], "`re:x`"), (["t__tags"], "parts of the rows of `t`")):
        with pytest.raises(NotFoundError, match=said):
            session.plan_drop("p", names)
    with pytest.raises(RefusedError, match="regular expression"):
        session.plan_drop("p", ["re:["])
    with pytest.raises(NotFoundError, match="nothing at"):
        session.plan_drop("p", [], state_paths=["$.nosuch"])
    assert session.drop(session.plan_drop("p", []), penstock.ignore).status is Status.NOTHING_NEW


def test_state_alone(tmp_path: Path) -> None:
    mill = filled(tmp_path)
    dropped(tmp_path, "u", state_paths=["source.seen[0]", "source.seen[-1]"], state_only=True)
    assert tables(tmp_path) == {"t": 2, "t__tags": 1, "u": 1}
    assert state(mill) == {"resources": {"t": {"n": 2}}, "source": {"seen": [2]}}
    [seen] = [run.command for run in penstock.open_session(tmp_path).last_runs(["p"])]
    assert seen == "drop"


@pytest.mark.parametrize(
    ("paths", "left"),
    [
        (["$"], {}),
        (["resources"], {"source": {"seen": [1, 2, 3]}}),
        (["$.source.seen[*]"], {"source": {"seen": []}, "resources": {"t": {"n": 2}, "u": {"n": 3}}}),
        (["*.t", "*.*[1]"], {"source": {"seen": [1, 3]}, "resources": {"u": {"n": 3}}}),
        (["$['resources']['it\\'s']"], json.loads(STATE)),
    ],
)
def test_state_without_some_places(paths: list[str], left: Any) -> None:
    assert json.loads(without(STATE, paths) or "") == left


def test_what_was_quarantined_of_a_dropped_table_stays_so(tmp_path: Path) -> None:
    rest = "    tables: {t: {columns: {n: {type: int64, maximum: 1}}}}\n"
    filled(tmp_path, rest=rest)
    dropped(tmp_path, "t")
    project = tmp_path / "penstock.yml"
    project.write_text(project.read_text().replace("maximum: 1", "maximum: 9"))
    session = penstock.open_session(tmp_path)
    assert sum(entry.rows for entry in session.quarantine_list([])) == 1
    assert session.quarantine_replay([], penstock.ignore).exit_code == 0
    assert tables(tmp_path) == {"u": 1}
    assert session.rebuild(["t"], None, penstock.ignore, dropped=True).exit_code == 0
    assert tables(tmp_path) == {"t": 2, "u": 1}


def test_a_pipeline_of_files(tmp_path: Path) -> None:
    """What was dropped is not taken again; a later file is."""
    (tmp_path / "in").mkdir()
    (tmp_path / "penstock.yml").write_text(
        "name: x\n"
        "pipelines: {p: {source: {type: filesystem, path: in, min_age_s: 0, tables: {t: '*.jsonl'}}}}\n"
    )
    session = penstock.open_session(tmp_path)
    (tmp_path / "in" / "1.jsonl").write_text('{"n": 1}\n')
    assert session.run(["p"], penstock.ignore).exit_code == 0
    (tmp_path / "in" / "2.jsonl").write_text('{"n": 2}\n')
    dropped(tmp_path, "t")
    assert session.run(["p"], penstock.ignore).exit_code == 0
    assert session.dataset("p")["t"].fetchall() == [(2,)]
    assert session.run(["p"], penstock.ignore).pipelines[0].status is Status.NOTHING_NEW


def test_a_pipeline_in_python(tmp_path: Path) -> None:
    pipeline = ps.pipeline("p", root=tmp_path)
    starts = []

    @ps.resource(name="t")
    def rows(n: Any = ps.incremental("n", initial_value=0)) -> Any:  # noqa: B008
        starts.append(n.last_value)
        yield [{"n": 1}, {"n": 2}]

    pipeline.run(rows)
    assert [t.rows for t in pipeline.drop("t").tables] == [2]
    assert pipeline.dataset().row_counts() == {}
    pipeline.run(rows)
    assert (starts, pipeline.dataset().row_counts()) == ([0, 0], {"t": 2})


# -------------------------------------------------------------------- refreshes that bring nothing


@BOTH
@pytest.mark.parametrize(
    ("mode", "counts"),
    [
        (Refresh.DROP_SOURCES, {}),
        (Refresh.DROP_RESOURCES, {"u": 1}),
        (Refresh.DROP_DATA, {"t": 0, "t__tags": 0, "u": 1}),
    ],
)
def test_a_refresh_that_brings_no_rows(
    tmp_path: Path, destination: str, mode: Refresh, counts: dict[str, int]
) -> None:
    mill = filled(tmp_path, destination)
    assert mill.run_with(Maker(lambda _: iter([Block("t", [])])), mode).error is None
    assert tables(tmp_path) == counts
    asked = Maker(lambda _: iter([]))
    assert mill.run_with(asked).error is None
    assert asked.states == ["{}" if mode is Refresh.DROP_SOURCES else "restarted"]


@BOTH
def test_a_refresh_of_everything_that_gives_nothing_at_all(tmp_path: Path, destination: str) -> None:
    mill = filled(tmp_path, destination)
    assert mill.run_with(Maker(lambda _: iter([])), Refresh.DROP_SOURCES).error is None
    assert tables(tmp_path) == {}
    assert isinstance(penstock.open_session(tmp_path), Session)
    assert state(mill) == {}


@pytest.mark.parametrize("mode", list(Refresh))
def test_a_resource_that_gives_nothing_when_it_is_refreshed(tmp_path: Path, mode: str) -> None:
    pipeline = ps.pipeline("p", root=tmp_path)
    pipeline.run([{"n": 1}], table_name="t", primary_key="n")
    pipeline.run(ps.resource([], name="t", primary_key="n"), refresh=mode)
    assert pipeline.dataset().row_counts() in ({"t": 0}, {})


@pytest.mark.parametrize("land_as", ["jsonl", "jsonl.gz", "jsonl.zst"])
def test_a_table_is_emptied_however_rows_land(tmp_path: Path, land_as: str) -> None:
    pipeline = ps.pipeline("p", root=tmp_path, land_as=land_as)
    pipeline.run([{"n": 1}], table_name="t", write="replace", columns={"n": {"data_type": "bigint"}})
    result = pipeline.run(ps.resource([], name="t", write="replace", columns={"n": {"data_type": "bigint"}}))
    assert result.findings == ()
    assert pipeline.dataset().row_counts() == {"t": 0}
    pipeline.run(ps.resource([{"n": 1}], name="t"), refresh="drop_data")
    pipeline.run(ps.resource([], name="t"), refresh="drop_data")
    assert pipeline.dataset().row_counts() == {"t": 0}


def test_a_refresh_makes_no_table_that_was_never_there(tmp_path: Path) -> None:
    """The name of a resource that gives its rows to other tables is none."""

    @ps.resource(name="events")
    def events() -> Any:
        yield ps.mark.with_table_name([{"n": 1}], "clicks")

    pipeline = ps.pipeline("p", root=tmp_path)
    pipeline.run(events)
    for mode in Refresh:
        pipeline.run(events, refresh=mode)
        assert pipeline.dataset().row_counts() == {"clicks": 1}
        assert not list((tmp_path / "data" / "raw_hist" / "p").glob("events*"))
