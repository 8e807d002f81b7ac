"""`penstock dev`: what it starts from, what it says, and that it leaves nothing behind."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scripted import Outcome

from penstock.cli.dagster_graph import graph
from penstock.cli.dagster_process import message, prepare

Penstock = Callable[..., Outcome]
PROJECT = """
name: shop and co
destination: duckdb:///w.duckdb
pipelines:
  shop:
    source: {type: filesystem, path: in, tables: {orders: "*.jsonl"}}
    tables: {orders: {columns: {id: int64}}}
"""
POOL = "penstock_duckdb_w_duckdb"
OWN = """
import dagster as dg

@dg.asset(pool="warehouse")
def orders() -> None: ...

defs = dg.Definitions(assets=[orders])
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "a shop"
    folder.mkdir()
    (folder / "penstock.yml").write_text(PROJECT)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if Dagster were installed."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)


def test_without_the_extra_it_says_which(
    project: Path, penstock: Penstock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    told = penstock("dev")
    assert told.code == 3
    assert "hint: pip install 'penstock[dagster]'" in told.err


def test_without_a_project_it_is_refused(
    penstock: Penstock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: None
) -> None:
    monkeypatch.chdir(tmp_path)
    assert penstock("dev").code == 1


def test_a_project_that_is_wrong_is_told_with_its_line(
    project: Path, penstock: Penstock, installed: None
) -> None:
    (project / "penstock.yml").write_text("name: shop\npipelnes: {}\n")
    told = penstock("dev")
    assert told.code == 1
    assert "penstock.yml:2" in told.err


def test_a_port_in_use_is_told(project: Path, penstock: Penstock, installed: None) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        told = penstock("dev", "--port", str(port))
    assert told.code == 3
    assert f"port {port} cannot be used" in told.err
    assert f"penstock dev --port {port + 1}" in told.err


def served(project: Path, environ: dict[str, str], environment: str | None = None) -> Any:
    return prepare(project, "shop and co", environment, environ)


def test_a_module_is_written_that_leads_to_the_project(project: Path) -> None:
    made = served(project, {}, "prod")
    (entry,) = json.loads(made.workspace.read_text())["load_from"]
    assert entry["python_file"]["location_name"] == "shop and co"
    text = Path(entry["python_file"]["relative_path"]).read_text()
    assert f"definitions({str(project)!r}, environment='prod')" in text
    compile(text, "penstock_project.py", "exec")
    assert made.variables["PENSTOCK_ENVIRONMENT"] == "prod"


def test_dagster_remembers_in_the_project_and_tells_nobody(project: Path) -> None:
    made = served(project, {})
    home = project / ".penstock" / "dagster"
    assert made.variables["DAGSTER_HOME"] == str(home)
    assert "telemetry: {enabled: false}" in (home / "dagster.yaml").read_text()
    (home / "dagster.yaml").write_text("# mine\n")
    served(project, {})
    assert (home / "dagster.yaml").read_text() == "# mine\n"


def test_another_home_is_left_as_it_is(project: Path, tmp_path: Path) -> None:
    made = served(project, {"DAGSTER_HOME": str(tmp_path)})
    assert made.variables["DAGSTER_HOME"] == str(tmp_path)
    assert not (project / ".penstock" / "dagster" / "dagster.yaml").exists()
    assert not (tmp_path / "dagster.yaml").exists()


def test_definitions_of_ones_own_are_served(project: Path) -> None:
    (project / "definitions.py").write_text(OWN)
    made = served(project, {})
    (entry,) = json.loads(made.workspace.read_text())["load_from"]
    assert entry["python_file"]["relative_path"] == str(project / "definitions.py")
    assert not (project / ".penstock" / "dagster" / "penstock_project.py").exists()


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ({"level": "info", "event": "Launching"}, None),
        ({"level": "warning", "event": "Careful\nand more"}, "Careful"),
        ({"level": "error", "event": "It failed", "exception": "Trace\nOSError: no disk\n"},
         "It failed: OSError: no disk"),
        ({"level": "warning", "event": "Function `dev_command` is superseded"}, None),
        ({"level": "error", "event": ""}, None),
        (["level", "error"], None),
    ],
)  # fmt: skip
def test_loud_lines_are_told_in_one_line(record: Any, told: str | None) -> None:
    assert message(json.dumps(record)) == told


def test_lines_that_are_no_records_are_not_told() -> None:
    assert message("Traceback (most recent call last):\n") is None


# ------------------------------------------------------------------------------------- for real


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def started(port: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "penstock", "dev", "--port", str(port)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # the group's other members are gone when this is over
    )


def ended(run: subprocess.Popen[str]) -> str:
    """What it says after one Ctrl-C."""
    assert run.stderr is not None
    os.kill(run.pid, signal.SIGINT)
    said = run.stderr.read()
    assert run.wait(timeout=60) == 0
    run.stderr.close()
    return said


def until(run: subprocess.Popen[str], words: str) -> list[str]:
    """The lines up to the one with these words."""
    assert run.stderr is not None
    lines = []
    for line in run.stderr:
        lines.append(line.rstrip())
        if words in line:
            return lines
    raise AssertionError("\n".join(lines))


def test_if_dagster_ends_by_itself_it_says_so(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program in the place of Dagster, which complains and ends."""
    record = json.dumps({"level": "error", "event": "no disk"})
    for name in ("dagster", "dagster_webserver"):
        (tmp_path / "stub" / name).mkdir(parents=True)
        (tmp_path / "stub" / name / "__init__.py").write_text("")
    (tmp_path / "stub" / "dagster" / "__main__.py").write_text(f"print({record!r})\nraise SystemExit(7)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "stub"))
    run = started(free_port())
    assert run.stderr is not None
    said = run.stderr.read().splitlines()
    run.stderr.close()
    assert run.wait(timeout=60) == 3
    assert "dagster: no disk" in said
    assert said[-3:-1] == ["error: Dagster ended by itself", "  found: exit code 7"]
    assert record in (project / ".penstock" / "dagster" / "dev.log").read_text()


@pytest.mark.slow
def test_it_serves_until_it_is_stopped_and_nothing_is_left(project: Path) -> None:
    pytest.importorskip("dagster_webserver")
    port = free_port()
    run = started(port)
    lines = until(run, "Ctrl-C stops it")
    url = f"http://127.0.0.1:{port}"
    found = graph(url)
    said = ended(run)
    assert lines[0] == "starting Dagster for shop and co, as the project says"
    assert lines[-1].startswith(f"{url} shows 4 assets, ")
    assert found is not None
    assert (found.assets, found.pools, found.faults) == (4, (POOL,), ())
    assert said == "stopping Dagster\n"
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    limits = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "dagster", "instance", "concurrency", "get", POOL],
        env={**os.environ, "DAGSTER_HOME": str(project / ".penstock" / "dagster")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert limits.stdout == f'"{POOL}": 0 / 1 slots occupied\n'


@pytest.mark.slow
def test_what_cannot_be_loaded_is_told_in_one_line(project: Path) -> None:
    pytest.importorskip("dagster_webserver")
    (project / "definitions.py").write_text(
        "def fail():\n    raise RuntimeError('no such thing')\n\nfail()\n"
    )
    run = started(free_port())
    lines = until(run, "Ctrl-C stops it")
    ended(run)
    assert f"cannot be loaded: RuntimeError: no such thing ({project / 'definitions.py'}:2)" in lines
