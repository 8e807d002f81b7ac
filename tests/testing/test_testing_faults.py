"""The fault driver: it counts, kills, fails and disturbs, and leaves a run alone otherwise."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.app import parts
from penstock.errors import ConflictError, StoreError
from penstock.ports import Store
from penstock.registry import STORES
from penstock.stores.local import LocalStore
from penstock.testing.faults import Faults, FaultyStore, Port, When, fail_store, injected

PROJECT = """
name: bed
destination: duckdb:///w.duckdb
pipelines:
  p: {source: {type: filesystem, path: in, glob: "*", min_age_s: 0}, tables: {t: {}}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one file."""
    (tmp_path / "penstock.yml").write_text(PROJECT)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jsonl").write_text('{"a": 1}\n')
    return tmp_path


def driver(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The fault driver in a process of its own."""
    command = [sys.executable, "-m", "penstock.testing.faults", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)


def test_it_counts_and_lists(project: Path) -> None:
    """The count is all there is on stdout, so that a script can take it."""
    log = project / "calls"
    done = driver(project, "--count", "--calls", str(log), "--", "run", "-p", str(project))
    lines = log.read_text().splitlines()
    assert (done.returncode, done.stdout) == (0, f"{len(lines)}\n"), done
    assert [int(line.split()[0].rstrip("+")) for line in lines] == list(range(1, len(lines) + 1))
    assert {line.split()[1].partition(".")[0] for line in lines} == {
        "store",
        "source",
        "destination",
        "transaction",
    }
    again = driver(project, "--count", "--ports", "source", "--", "run")
    assert int(again.stdout) < len(lines)


@pytest.mark.parametrize(("when", "there"), [("before", False), ("after", True)])
def test_it_kills_on_either_side_of_a_call(project: Path, when: str, there: bool) -> None:
    """Whether the landed file is there shows on which side of `create` it was."""
    log = project / "calls"
    assert driver(project, "--calls", str(log), "--", "run").returncode == 0
    created = next(line.split()[0] for line in log.read_text().splitlines() if " store.create " in line)
    (project / "in" / "a.jsonl").write_text('{"a": 2}\n')
    for folder in ("data", ".penstock"):
        shutil.rmtree(project / folder)
    (project / "w.duckdb").unlink()
    killed = driver(project, "--kill-at", created, "--when", when, "--", "run")
    assert killed.returncode == -signal.SIGKILL
    assert bool([*(project / "data" / "land").glob("p/t/*/*.jsonl")]) is there


def test_it_fails_a_call_as_a_store_would(project: Path) -> None:
    failed = driver(project, "--fail-at", "3", "--", "run")
    assert failed.returncode == 3
    assert "the store is out of order" in failed.stderr
    assert driver(project, "--", "run").returncode == 0


def test_it_runs_a_command_at_a_call(project: Path) -> None:
    done = driver(project, "--do-at", "2", "touch seen", "--", "run")
    assert done.returncode == 0
    assert (project / "seen").exists()


def test_a_wrong_command_line_is_told(project: Path) -> None:
    assert driver(project, "--when", "never", "--", "run").returncode == 2
    assert driver(project, "--kill-at", "1", "--fail-at", "1", "--", "run").returncode == 2


def test_an_adapter_of_ones_own_is_wrapped_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`injected` wraps whatever the parts list names, and puts everything back."""
    monkeypatch.setitem(sys.modules, "mine", sys.modules[__name__])
    monkeypatch.setitem(STORES, "mine", parts.Part("mine:LocalStore"))
    heard: list[str] = []
    with injected(Faults(2, fail_store, hear=lambda call: heard.append(str(call)))):
        store: Store = parts.load_part(STORES, "mine", "store")(str(tmp_path))
        store.create("a", b"1")
        with pytest.raises(StoreError, match="out of order"):
            store.replace("a", b"2")
        with store.open("a") as stream:
            assert stream.read() == b"1"
    assert heard == [
        f"{n} store.{name} {tmp_path} a" for n, name in enumerate(("create", "replace", "open"), 1)
    ]
    assert type(parts.load_part(STORES, "mine", "store")(str(tmp_path))) is LocalStore


def test_a_call_that_fails_by_itself_is_not_disturbed_after(tmp_path: Path) -> None:
    """`after` means after the call is done; one that raises is never done."""
    done: list[str] = []
    store = FaultyStore(LocalStore(str(tmp_path)), Faults(2, lambda: done.append("act"), When.AFTER))
    store.create("a", b"1")
    with pytest.raises(ConflictError):
        store.create("a", io.BytesIO(b"2"))
    assert not done


def test_ports_that_do_not_count_are_left_alone(tmp_path: Path) -> None:
    with injected(Faults(1, os.abort, ports=(Port.DESTINATION,))) as faults:
        store = parts.load_part(STORES, "file", "store")(str(tmp_path))
        assert isinstance(store, LocalStore)
        store.create("a", b"1")
    assert faults.count == 0


def test_stores_adopt_from_what_is_wrapped(tmp_path: Path) -> None:
    """A local store links files of another; it must see that store and not its wrapper."""
    faults = Faults()
    source = FaultyStore(LocalStore(str(tmp_path / "a")), faults)
    target = FaultyStore(LocalStore(str(tmp_path / "b")), faults)
    source.create("k", b"1")
    target.adopt(source, "k", "k")
    assert (tmp_path / "a" / "k").stat().st_ino == (tmp_path / "b" / "k").stat().st_ino
