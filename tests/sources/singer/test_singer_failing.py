"""Taps that fail: what was safe stays, the run fails, the reason is told and no secret is."""

from __future__ import annotations

import json
import logging
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from singer_stage import Stage, record, schema, state

from penstock.errors import NotFoundError, OutsideError, ProjectError, RefusedError

ID = {"id": {"type": "integer"}}
BEGUN = (schema("t", ID), record("t", {"id": 1}), state({"n": 1}), record("t", {"id": 2}))


def gone(pid: int) -> bool:
    """Whether a process is no more, after some patience."""
    for _ in range(200):
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize(
    ("turn", "kind"),
    [
        ({"exit": 1}, RefusedError),
        ({"kill": int(signal.SIGKILL)}, OutsideError),
        ("garbage", RefusedError),
        ({"raw": '{"type": "RECORD", "str'}, RefusedError),
    ],
)
def test_what_a_state_covers_is_kept(stage: Stage, turn: Any, kind: type) -> None:
    result = stage.run(*BEGUN, turn)
    assert isinstance(result.cause, kind), result.cause
    stage.loads()
    assert stage.rows() == [{"id": 1}]
    assert stage.state() == {"singer_state": {"n": 1}}


def test_nothing_is_kept_without_a_state(stage: Stage) -> None:
    result = stage.run(schema("t", ID), record("t", {"id": 1}), {"exit": 3})
    assert isinstance(result.cause, RefusedError)
    assert "exit code 3" in str(result.cause)
    stage.loads()
    assert stage.state() is None
    assert not stage.bed.files("raw_hist")


def test_a_large_part_that_no_state_covers_is_taken_back(stage: Stage) -> None:
    """More than is held in memory."""
    stage.source["land_as"] = "jsonl.gz"
    many = {"many": 120_000, "stream": "t", "state_every": 70_000}
    result = stage.run(schema("t", ID), many, {"exit": 1})
    assert result.cause is not None
    stage.loads()
    assert stage.rows(columns="count(*) AS n, max(id) AS last") == [{"n": 70_000, "last": 69_999}]
    assert stage.state() == {"singer_state": {"at": 69_999}}


def test_the_last_words_are_told_without_secrets(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    stage.source["config"] |= {
        "api_token": "tell-nobody-1",
        "nested": {"password": "swordfish 2\n"},
        "user": "ann",
    }
    result = stage.run(
        {"say": "INFO asking for ann with tell-nobody-1"},
        {"say": "CRITICAL wrong password: swordfish 2\\n"},
        {"exit": 1},
    )
    assert isinstance(result.cause, RefusedError)
    assert "wrong password: ***" in str(result.cause)
    said = [(r.levelname, r.getMessage()) for r in caplog.records if r.name == "penstock.sources.singer.tap"]
    assert [level for level, _ in said] == ["INFO", "CRITICAL"]
    for text in (str(result.cause), *(m for _, m in said)):
        assert "tell-nobody" not in text
        assert "swordfish" not in text
    assert "ann" in said[0][1]


def test_a_secret_in_a_line_that_is_no_message(stage: Stage) -> None:
    stage.source["config"]["auth_token"] = "tell-nobody-1"
    result = stage.run("the token is tell-nobody-1")
    assert "the token is ***" in str(result.cause)


def test_the_network_is_a_reason_to_run_again(stage: Stage) -> None:
    result = stage.run({"say": "requests.exceptions.ConnectionError: Max retries exceeded"}, {"exit": 1})
    assert isinstance(result.cause, OutsideError)


def test_a_tap_that_floods_stderr_does_not_block(stage: Stage) -> None:
    lines = [{"say": "x" * 60_000}] * 40
    stage.loads(schema("t", ID), *lines, record("t", {"id": 1}), *lines)
    assert stage.rows() == [{"id": 1}]


def test_a_deaf_tap_is_ended_with_all_that_it_started(stage: Stage) -> None:
    pid = stage.root / "pid"
    began = time.monotonic()
    result = stage.run({"deaf": True}, {"child": str(pid)}, "garbage", {"sleep": 600})
    assert isinstance(result.cause, RefusedError)
    assert time.monotonic() - began < 60
    assert gone(int(pid.read_text()))


def test_a_tap_that_leaves_a_child_behind(stage: Stage) -> None:
    pid = stage.root / "pid"
    stage.loads(schema("t", ID), record("t", {"id": 1}), {"child": str(pid)})
    assert gone(int(pid.read_text()))
    assert stage.rows() == [{"id": 1}]


def test_a_tap_that_is_not_there(stage: Stage) -> None:
    for tap in ("./no-such-tap", "tap-that-nobody-knows", ["no-such-program"]):
        stage.source["tap"] = tap
        assert isinstance(stage.run().cause, NotFoundError)


# ------------------------------------------------------------------------------ what it is handed


CATALOG = {
    "streams": [
        {
            "tap_stream_id": "a-t",
            "stream": "t",
            "schema": {"properties": {**ID, "x": {"type": "string"}}},
            "own": 1,
        },
        {"tap_stream_id": "u", "stream": "u", "schema": {"properties": ID}},
    ]
}


def seen(stage: Stage) -> list[Any]:
    return [json.loads(line) for line in (stage.root / "seen").read_text().splitlines()]


@pytest.fixture
def watched(stage: Stage) -> Stage:
    """A stage whose tap notes what it is handed."""
    stage.source["config"] |= {"seen": str(stage.root / "seen"), "catalog": CATALOG}
    return stage


def test_the_catalog_is_asked_for_before_each_run(watched: Stage) -> None:
    watched.source |= {
        "discover": True,
        "select": ["a-*.id"],
        "metadata": {"*": {"replication-method": "FULL_TABLE"}},
        "schema": {"a-t": {"x": {"format": "date"}}},
    }
    for _ in range(2):
        watched.loads(schema("t", ID), record("t", {"id": 1}))
    first, run, *again = seen(watched)
    assert [first["what"], run["what"], *(s["what"] for s in again)] == ["discovered", "ran"] * 2
    t, u = run["files"]["catalog"]["streams"]
    assert (t["selected"], u["selected"], t["own"], t["replication_method"]) == (True, False, 1, "FULL_TABLE")
    assert t["schema"]["properties"]["x"] == {"type": "string", "format": "date"}
    marks = {tuple(m["breadcrumb"]): m["metadata"]["selected"] for m in t["metadata"]}
    assert marks == {(): True, ("properties", "id"): True, ("properties", "x"): False}


def test_files_are_private_and_gone_afterwards(watched: Stage) -> None:
    watched.source |= {"discover": True, "config": {**watched.source["config"], "password": "swordfish"}}
    watched.loads(schema("t", ID), state({"n": 1}))
    watched.loads(schema("t", ID))
    last = seen(watched)[-1]
    assert last["files"]["state"] == {"n": 1}
    assert last["files"]["config"]["password"] == "swordfish"
    assert set(last["modes"].values()) == {"0o600"}
    paths = [Path(a) for a in last["arguments"] if a.startswith("/")]
    assert paths
    assert not any(path.exists() or path.parent.exists() for path in paths)


def test_old_taps_get_their_catalog_as_properties(watched: Stage) -> None:
    watched.source |= {"discover": True, "capabilities": ["properties", "discover", "state"]}
    watched.loads(schema("t", ID))
    assert set(seen(watched)[-1]["files"]) == {"config", "properties"}


def test_a_tap_without_discovery_runs_without_a_catalog(watched: Stage) -> None:
    watched.source |= {"discover": True, "capabilities": ["state"]}
    watched.loads(schema("t", ID))
    assert [s["what"] for s in seen(watched)] == ["ran"]


def test_a_catalog_of_the_project_is_used_as_it_is(watched: Stage) -> None:
    (watched.root / "catalog.json").write_text(json.dumps(CATALOG))
    watched.source |= {"catalog": "catalog.json", "discover": True}
    watched.loads(schema("t", ID))
    [run] = seen(watched)
    assert run["files"]["catalog"] == CATALOG


def test_nothing_is_selected(watched: Stage) -> None:
    watched.source |= {"discover": True, "select": ["nothing.*"]}
    result = watched.run(schema("t", ID))
    assert isinstance(result.cause, ProjectError)
    assert "a-t, u" in str(result.cause)


def test_discovery_fails(stage: Stage) -> None:
    stage.source |= {"discover": True}
    stage.source["config"]["token"] = "tell-nobody-1"
    result = stage.run(schema("t", ID))
    assert isinstance(result.cause, RefusedError)
    assert "could not say what it can read" in str(result.cause)
    assert "KeyError" in str(result.cause)


def test_variables_and_keys_that_nobody_declared(watched: Stage) -> None:
    watched.source["env"] = {"TAP_COLOUR": "blue"}
    watched.source["config"] |= {"undeclared": [1, {"a": None}]}
    watched.loads(schema("t", ID))
    [run] = seen(watched)
    assert run["env"] == {"TAP_COLOUR": "blue"}
    assert run["files"]["config"]["undeclared"] == [1, {"a": None}]
