"""Runs that are started at once, each a process of its own: one works, the others wait or are refused."""

from __future__ import annotations

import pwd
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from crash_scene import FIRST, Kind, Scene

from penstock.app.flows import holder

PATIENCE_S = 60.0
KINDS: tuple[Kind, ...] = ("duckdb", "parquet")


def start(scene: Scene, *options: str, faults: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """A run in a process of its own."""
    command = [sys.executable, "-m", "penstock.testing.faults", *faults, "--", "run", *options]
    return subprocess.Popen(
        command, cwd=scene.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and words of a run."""
    said, _ = process.communicate(timeout=PATIENCE_S)
    return process.returncode, said


@pytest.mark.parametrize("kind", KINDS)
def test_the_second_is_refused_or_waits(place: Path, kind: Kind) -> None:
    scene = Scene(place / "p", kind).make(*FIRST)
    holds, go_on = place / "holds", place / "go-on"
    pause = f"sh -c 'touch {holds}; until [ -e {go_on} ]; do sleep 0.05; done'"
    first = start(scene, faults=("--ports", "destination", "--when", "after", "--do-at", "1", pause))
    deadline = time.monotonic() + PATIENCE_S
    while not holds.exists():
        assert time.monotonic() < deadline
        assert first.poll() is None, first.communicate()
        time.sleep(0.02)
    try:
        waiting = start(scene, "--wait", "60")
        code, said = end(start(scene))
        assert code == 3, said
        assert f"process {first.pid}" in said
        assert f"@{socket.gethostname()}" in said
        assert waiting.poll() is None, "it did not wait"
    finally:
        go_on.touch()
    assert end(first)[0] == 0
    code, said = end(waiting)
    assert code == 0, said
    assert "nothing new" in said
    scene.check()


@pytest.mark.parametrize("kind", KINDS)
def test_several_at_once(place: Path, kind: Kind) -> None:
    scene = Scene(place / "p", kind, "merge").make(*FIRST)
    ended = [end(process) for process in [start(scene) for _ in range(3)]]
    codes = sorted(code for code, _ in ended)
    assert set(codes) <= {0, 3}, ended
    assert codes[0] == 0, ended
    assert all("another run" in said for code, said in ended if code == 3), ended
    scene.check()


def test_a_user_who_has_no_name_can_hold_a_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers run under numbers that no list of users has."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)
    assert holder().startswith("user ")
