"""Plugins as processes: nothing blocks, nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from penstock.errors import NotFoundError, OutsideError
from penstock.plugins.process import PIPE, start

PYTHON = (sys.executable, "-c")
MUTE = "import time; time.sleep(600)"
DEAF = "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); " + MUTE


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until_gone(pid: int, patience_s: float = 10.0) -> None:
    until = time.monotonic() + patience_s
    while is_alive(pid):
        assert time.monotonic() < until, f"process {pid} is still there"
        time.sleep(0.02)


def test_what_is_written_comes_back() -> None:
    lines: list[str] = []
    code = "import sys; sys.stdout.write(sys.stdin.read().upper()); print('é done', file=sys.stderr); exit(4)"
    with start([*PYTHON, code], stdin=PIPE, on_stderr=lines.append) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        assert running.exit_code is None
        running.stdin.write(b"abc")
        running.stdin.close()
        assert running.stdout.read() == b"ABC"
        assert running.wait() == 4
    assert lines == ["é done"]
    assert running.last_lines == ("é done",)


def test_stdin_is_empty_unless_it_is_asked_for() -> None:
    with start([*PYTHON, "import sys; print(len(sys.stdin.read()))"]) as running:
        assert running.stdout is not None
        assert running.stdout.read() == b"0\n"


def test_floods_on_both_streams_do_not_block() -> None:
    code = (
        "import sys\n"
        "for i in range(20000): print('x' * 100, file=sys.stderr); print('y' * 100)\n"
        "print('z' * 300000, file=sys.stderr)"
    )
    seen: list[int] = []
    with start([*PYTHON, code], on_stderr=lambda line: seen.append(len(line))) as running:
        assert running.stdout is not None
        assert len(running.stdout.read()) == 20000 * 101
        assert running.wait() == 0
    assert sum(seen) == 20000 * 100 + 300_000  # a line without an end is passed on in pieces
    assert len(running.last_lines) == 30


def test_stop_asks_first() -> None:
    code = (
        "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7)); print('up', flush=True); "
    )
    with start([*PYTHON, code + MUTE]) as running:
        assert running.stdout is not None
        running.stdout.readline()
        assert running.stop() == 7


def test_stop_makes_those_that_do_not_listen() -> None:
    with start([*PYTHON, DEAF]) as running:
        assert running.stdout is not None
        running.stdout.readline()
        began = time.monotonic()
        assert running.stop(grace_s=0.3) == -signal.SIGKILL
        assert time.monotonic() - began < 5
        assert running.stop() == -signal.SIGKILL  # and again does no harm


@pytest.mark.parametrize("how", ["stop", "wait"])
def test_children_of_the_plugin_go_with_it(how: str) -> None:
    end = MUTE if how == "stop" else "pass"
    child = f"c = subprocess.Popen([sys.executable, '-c', {MUTE!r}])"
    code = f"import subprocess, sys; {child}; print(c.pid, flush=True); {end}"
    with start([*PYTHON, code]) as running:
        assert running.stdout is not None
        pid = int(running.stdout.readline())
        assert is_alive(pid)
        running.stop() if how == "stop" else running.wait()
        wait_until_gone(pid)


def test_nothing_outlives_us(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "config.json").write_text("{}")
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from penstock.plugins.process import start\n"
        f"running = start([sys.executable, '-c', {DEAF!r}], private=Path({str(secrets)!r}))\n"
        "running.stdout.readline()\n"
        "print(running.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([*PYTHON, code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        plugin = int(parent.stdout.readline())
        assert is_alive(plugin)
        parent.kill()
    wait_until_gone(plugin)
    until = time.monotonic() + 10
    while secrets.exists():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_wait_may_run_out_of_time() -> None:
    with start([*PYTHON, MUTE]) as running:
        with pytest.raises(TimeoutError, match="still running"):
            running.wait(0.05)
        assert running.exit_code is None


def test_kill_is_at_once() -> None:
    with start([*PYTHON, MUTE]) as running:
        running.kill()
        assert running.wait() == -signal.SIGKILL


def test_what_a_listener_raises_is_told_by_wait() -> None:
    def refuse(line: str) -> None:
        raise ValueError(line)

    code = "import sys; [print('x' * 100, file=sys.stderr) for _ in range(5000)]"
    running = start([*PYTHON, code], on_stderr=refuse)
    with pytest.raises(ValueError, match="xxx"):
        running.wait()
    assert running.stop() == 0


def test_environment_of_ours_does_not_lead_it_astray(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("KEPT", "yes")
    code = (
        "import os; print(os.environ.get('PYTHONPATH'), os.environ['KEPT'], os.environ['ADDED'], os.getcwd())"
    )
    with start([*PYTHON, code], env={"ADDED": "too"}, cwd=tmp_path) as running:
        assert running.stdout is not None
        assert running.stdout.read().decode().split() == ["None", "yes", "too", str(tmp_path)]


def test_programs_that_cannot_be_started(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="`no-such` is not there"):
        start([tmp_path / "no-such"])
    plain = tmp_path / "plain"
    plain.write_text("x")
    with pytest.raises(OutsideError, match="could not be started"):
        start([plain])


def test_no_process_is_left_by_any_of_these() -> None:
    """A watcher ends with its plugin."""
    before = _children()
    with start([*PYTHON, "pass"]) as running:
        running.wait()
    assert _children() <= before


def _children() -> set[int]:
    text = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text()
    return {int(pid) for pid in text.split() if is_alive(int(pid))}
