"""States and the rows that they cover, and versions of streams that take each other's place."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from singer_stage import Stage, activate, record, schema, state

import penstock
from penstock.ports import Block, Checkpoint
from penstock.project.singer import SingerSpec
from penstock.sources.singer import SingerSource

ID = {"id": {"type": "integer"}}
KEYED = {**ID, "v": {"type": "string"}}


def produced(
    stage: Stage, *turns: Any, before: str | None = None, **settings: Any
) -> list[Block | Checkpoint]:
    """What the source gives when the tap does this, without a project around it."""
    spec = {**stage.source, **settings, "config": {"turns": list(turns)}}
    source = SingerSource(SingerSpec.model_validate(spec), stage.root)
    return list(source.produce(before))


def shape(given: list[Block | Checkpoint]) -> list[Any]:
    return [g.table if isinstance(g, Block) else json.loads(g.state or "null")["singer_state"] for g in given]


def test_a_state_comes_with_all_records_before_it_of_all_streams(stage: Stage) -> None:
    given = produced(
        stage,
        schema("a", ID),
        schema("b", ID),
        record("a", {"id": 1}),
        record("b", {"id": 1}),
        state({"n": 1}),
        record("b", {"id": 2}),
        state({"n": 2}),
        state={"every_s": 0},
    )
    assert shape(given) == ["a", "b", {"n": 1}, "b", {"n": 2}, {"n": 2}]


def test_many_states_share_a_landing(stage: Stage) -> None:
    turns = [t for n in range(50) for t in (record("a", {"id": n}), state({"n": n}))]
    assert shape(produced(stage, schema("a", ID), *turns)) == ["a", {"n": 49}]


def test_records_after_the_last_state_are_kept_when_the_tap_ends_well(stage: Stage) -> None:
    stage.loads(schema("t", ID), record("t", {"id": 1}), state({"n": 1}), record("t", {"id": 2}))
    assert stage.rows() == [{"id": 1}, {"id": 2}]
    assert stage.state() == {"singer_state": {"n": 1}}


def test_an_empty_state_never_replaces_a_real_one(stage: Stage) -> None:
    stage.loads(schema("t", ID), state({"n": 1}))
    stage.loads(state({}), schema("t", ID), record("t", {"id": 1}), state({}), state(None))
    assert stage.state() == {"singer_state": {"n": 1}}
    assert shape(produced(stage, state({}), before='{"singer_state":{"n":1}}')) == [{"n": 1}]


def test_the_tap_goes_on_from_its_state(stage: Stage) -> None:
    stage.source["config"]["by_state"] = True
    turns = [
        [schema("t", ID), record("t", {"id": 1}), state({"turn": 1})],
        [schema("t", ID), record("t", {"id": 2}), state({"turn": 2, "digits": 1.10})],
        [],
    ]
    for _ in range(4):
        stage.loads(*turns)
    assert stage.rows() == [{"id": 1}, {"id": 2}]
    assert stage.state()["singer_state"] == {"turn": 2, "digits": 1.1}


@pytest.mark.parametrize(
    ("strategy", "failing", "after"),
    [
        ("auto", False, {"a": {"x": 9}}),
        ("auto", True, {"a": {"x": 9, "y": 2}, "b": 3}),
        ("merge", False, {"a": {"x": 9, "y": 2}, "b": 3}),
        ("overwrite", True, {"a": {"x": 9}}),
    ],
)
def test_how_a_state_meets_the_one_before(stage: Stage, strategy: str, failing: bool, after: Any) -> None:
    stage.loads(schema("t", ID), state({"a": {"x": 1, "y": 2}, "b": 3}))
    stage.source["state"] = {"strategy": strategy}
    stage.run(
        schema("t", ID), record("t", {"id": 1}), state({"a": {"x": 9}}), *([{"exit": 1}] if failing else [])
    )
    stage.loads()
    assert stage.state()["singer_state"] == after


@pytest.mark.parametrize("text", ['{"turn": 1}', '{"singer_state": {"turn": 1}, "completed": true}'])
def test_a_state_to_begin_with(stage: Stage, text: str) -> None:
    (stage.root / "state.json").write_text(text)
    stage.source["config"]["by_state"] = True
    stage.source["state"] = {"start": "state.json"}
    turns = [["garbage"], [schema("t", ID), record("t", {"id": 5}), state({"turn": 2})], []]
    stage.loads(*turns)
    stage.loads(*turns)
    assert stage.rows() == [{"id": 5}]


def test_a_state_alone_is_remembered(stage: Stage) -> None:
    stage.loads(schema("t", ID), state({"n": 7}))
    assert stage.state() == {"singer_state": {"n": 7}}


# ------------------------------------------------------------------------------------- versions


def full(version: int, *ids: int, keys: Any = ("id",), late: bool = True, early: bool = False) -> list[str]:
    """A sync of a whole table under a version."""
    rows = [record("t", {"id": i, "v": f"{version}"}, version=version) for i in ids]
    said = [activate("t", version)]
    return [schema("t", KEYED, keys), *said * early, *rows, *said * late, state({"v": version})]


def ids(stage: Stage) -> list[int]:
    return [r["id"] for r in stage.rows()]


@pytest.mark.parametrize("keys", [("id",), ()])
@pytest.mark.parametrize(("late", "early"), [(True, False), (False, True), (True, True)])
def test_rows_of_older_versions_go(stage: Stage, keys: Any, late: bool, early: bool) -> None:
    stage.loads(*full(1, 1, 2, 3, keys=keys, late=late, early=early))
    assert ids(stage) == [1, 2, 3]
    stage.loads(*full(2, 2, 3, 4, keys=keys, late=late, early=early))
    assert [(r["id"], r["v"]) for r in stage.rows()] == [(2, "2"), (3, "2"), (4, "2")]
    before = stage.rows()
    rebuild(stage)
    assert stage.rows() == before


def rebuild(stage: Stage) -> None:
    result = stage.bed.session().rebuild([], None, penstock.ignore)
    assert all(p.error is None for p in result.pipelines), result


def test_rows_of_the_same_version_survive(stage: Stage) -> None:
    """Taps say the version of an incremental stream in each run."""
    stage.loads(*full(1, 1, 2, early=True))
    stage.loads(*full(1, 3, early=True))
    stage.loads(*full(1, early=True))
    assert ids(stage) == [1, 2, 3]


def test_a_reset_of_an_incremental_stream_and_what_follows_it(stage: Stage) -> None:
    stage.loads(*full(1, 1, 2, early=True))
    stage.loads(*full(1, 3, early=True))
    stage.loads(*full(9, 3, 4, early=True))
    stage.loads(*full(9, 5, early=True))
    assert ids(stage) == [3, 4, 5]
    rebuild(stage)
    assert ids(stage) == [3, 4, 5]


def test_a_whole_table_that_is_empty_now(stage: Stage) -> None:
    stage.loads(*full(1, 1, 2))
    stage.loads(*full(2))
    assert ids(stage) == []


@pytest.mark.parametrize(("late", "early"), [(True, False), (False, True)])
def test_of_a_key_that_comes_twice_in_a_version_the_last_row_stays(
    stage: Stage, late: bool, early: bool
) -> None:
    stage.loads(*full(1, 1, 2))
    *rest, done = full(2, 3, 4, late=late, early=early)
    again = record("t", {"id": 3, "v": "again"}, version=2)
    stage.loads(*(rest if late else [*rest, again]), *([again, rest[-1]] if late else []), done)
    expected = [(3, "again"), (4, "2")]
    assert [(r["id"], r["v"]) for r in stage.rows()] == expected
    rebuild(stage)
    assert [(r["id"], r["v"]) for r in stage.rows()] == expected


def test_versions_go_into_a_singer_target(stage: Stage) -> None:
    mirror = Path(__file__).parents[2] / "destinations" / "mirror_target.py"
    out = stage.root / "out"
    stage.bed.project["destination"] = {
        "type": "singer_target", "target": "mirror", "executable": f"{sys.executable} {mirror}",
        "writes": ["append", "merge", "replace"], "config": {"folder": str(out)},
    }  # fmt: skip
    stage.loads(*full(1, 1, 2, 3))
    stage.loads(*full(2, 2, 4))
    rows = json.loads((out / "t.json").read_text())["rows"]
    assert [(r["record"]["id"], r["record"]["v"]) for r in rows] == [(2, "2"), (4, "2")]


def test_an_interrupted_sync_takes_nothing_away(stage: Stage) -> None:
    stage.source["state"] = {"every_s": 0}
    stage.loads(*full(1, 1, 2, 3))
    begun = full(2, 2, 4, late=False)
    assert stage.run(*begun, {"exit": 1}).cause is not None
    stage.loads(*full(1))
    assert [(r["id"], r["v"]) for r in stage.rows()] == [(1, "1"), (2, "1"), (3, "1")]
    stage.loads(*full(3, 4))
    assert ids(stage) == [4]


def test_a_version_that_is_never_activated_takes_nothing_away(stage: Stage) -> None:
    stage.loads(*full(1, 1, 2))
    stage.loads(*full(2, 2, 3, late=False))
    assert [(r["id"], r["v"]) for r in stage.rows()] == [(1, "1"), (2, "2"), (3, "2")]


def test_versions_that_came_in_two_runs_and_are_activated_late(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.loads(*full(1, 1, 2))
    stage.loads(*full(2, 2, 3, late=False))
    stage.loads(*full(2, 4))
    assert ids(stage) == [1, 2, 3, 4]
    assert "stay until the next version" in caplog.text
    stage.loads(*full(3, 5))
    assert ids(stage) == [5]


@pytest.mark.parametrize("early", [False, True])
def test_a_state_that_was_forgotten(stage: Stage, early: bool) -> None:
    """The table may hold older rows: those of the version that comes take their place."""
    stage.loads(*full(1, 1, 2))
    stage.bed.session().set_state("p", "{}", penstock.ignore)
    stage.loads(*full(5, 2, 3, early=early))
    assert [(r["id"], r["v"]) for r in stage.rows()] == [(2, "5"), (3, "5")]
    assert stage.state()["versions"] == {"t": [5, 5]}
    stage.loads(*full(5, 4))
    assert ids(stage) == [2, 3, 4]


def test_streams_without_versions_have_none(stage: Stage) -> None:
    for n in (1, 2):
        stage.loads(schema("t", KEYED), record("t", {"id": n}), state({"n": n}))
    assert stage.state() == {"singer_state": {"n": 2}}


def test_versions_may_be_left_alone(stage: Stage) -> None:
    stage.source["versions"] = "ignore"
    stage.loads(*full(1, 1, 2))
    stage.loads(*full(2, 3))
    assert ids(stage) == [1, 2, 3]


def test_soft_deletes_keep_the_row_and_say_when_it_went(stage: Stage) -> None:
    stage.source["versions"] = "soft"
    stage.loads(*full(1, 1, 2, 3))
    stage.loads(*full(2, 2, 3, 4))
    live = "SELECT id, v FROM t WHERE _sdc_deleted_at IS NULL ORDER BY id"
    assert stage.bed.sql(live) == [(2, "2"), (3, "2"), (4, "2")]
    every = "SELECT DISTINCT id FROM t ORDER BY id"
    assert stage.bed.sql(every) == [(1,), (2,), (3,), (4,)]
    stage.loads(*full(2, 5))
    assert stage.bed.sql(live) == [(2, "2"), (3, "2"), (4, "2"), (5, "2")]
    before = stage.rows()
    rebuild(stage)
    assert stage.rows() == before


def test_log_based_deletes(stage: Stage) -> None:
    columns = {**KEYED, "_sdc_deleted_at": {"type": ["null", "string"], "format": "date-time"}}
    stage.loads(schema("t", columns), record("t", {"id": 1, "v": "a"}), record("t", {"id": 2, "v": "b"}))
    stage.loads(schema("t", columns), record("t", {"id": 1, "_sdc_deleted_at": "2024-01-01T00:00:00Z"}))
    assert ids(stage) == [2]
