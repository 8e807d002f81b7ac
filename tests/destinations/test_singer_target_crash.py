"""Runs into a Singer target that are killed: nothing is lost, and with a key nothing is there twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest

pytestmark = pytest.mark.slow
MIRROR = Path(__file__).with_name("mirror_target.py")
ROWS = [{"id": i, "name": f"n{i}"} for i in range(5)]
PATIENCE_S = 60.0


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/people_1.jsonl").write_text("".join(json.dumps(r) + "\n" for r in ROWS))
    describe(tmp_path)
    return tmp_path


def describe(project: Path, write: str = "merge", **config: Any) -> None:
    """Write the project file; the mirror behaves as `config` says."""
    config = {"folder": str(project / "out"), **config}
    executable = json.dumps(f"{sys.executable} {MIRROR}")
    (project / "penstock.yml").write_text(
        "name: p\n"
        "destination:\n"
        "  type: singer_target\n"
        "  target: mirror\n"
        f"  executable: {executable}\n"
        "  writes: [append, merge, replace]\n"
        f"  config: {json.dumps(config)}\n"
        "pipelines:\n"
        "  people:\n"
        "    source: {type: filesystem, path: in, tables: {people: '*.jsonl'}, min_age_s: 0}\n"
        f"    tables: {{people: {{write: {write}, primary_key: id}}}}\n"
    )


def run(project: Path, *faults: str) -> subprocess.CompletedProcess[str]:
    """One run of the project, with a fault if one is given."""
    module = ["penstock.testing.faults", *faults, "--"] if faults else ["penstock"]
    command = [sys.executable, "-m", *module, "run", "-p", str(project)]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def kept(project: Path) -> list[dict[str, Any]]:
    found = json.loads((project / "out/people.json").read_text())["rows"]
    return [{k: r["record"][k] for k in ("id", "name")} for r in found]


def noted(project: Path) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(project / ".penstock/targets/mirror.duckdb"), read_only=True) as con:
        return con.execute("SELECT outcome, loaded FROM _penstock_files").fetchall()


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_each_call_of_the_destination(project: Path, when: str) -> None:
    ports = ("--ports", "destination")
    calls = int(run(project, *ports, "--count").stdout)
    assert calls >= 5
    for number in range(1 if when == "before" else 2, calls + 1, 2):
        for path in ("out", "data", ".penstock"):
            subprocess.run(["rm", "-rf", str(project / path)], check=True)
        assert run(project, *ports, "--kill-at", str(number), "--when", when).returncode == -signal.SIGKILL
        again = run(project)
        assert again.returncode == 0, again.stderr
        assert kept(project) == ROWS
        assert noted(project) == [("loaded", 5)]
        assert not list((project / ".penstock/targets").glob("*.spool"))


@pytest.mark.parametrize(("write", "times"), [("merge", 1), ("append", 2)])
def test_killed_between_the_targets_end_and_the_ledger(project: Path, write: str, times: int) -> None:
    """The window that a target leaves open: at least once, and once where rows have a key."""
    describe(project, write, behave="murder")
    assert run(project).returncode == -signal.SIGKILL
    assert kept(project) == ROWS
    describe(project, write)
    assert run(project).returncode == 0
    assert kept(project) == ROWS * times
    assert noted(project) == [("loaded", 5)]


def test_target_does_not_outlive_a_killed_run(project: Path, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    describe(project, slow_s=600, pid=str(pid))
    command = [sys.executable, "-m", "penstock", "run", "-p", str(project)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        until = time.monotonic() + PATIENCE_S
        while not (pid.exists() and pid.read_text()):
            assert time.monotonic() < until
            assert running.poll() is None
            time.sleep(0.05)
        running.kill()
    until = time.monotonic() + PATIENCE_S
    while _is_alive(int(pid.read_text())):
        assert time.monotonic() < until
        time.sleep(0.05)
    describe(project)
    assert run(project).returncode == 0
    assert kept(project) == ROWS


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
