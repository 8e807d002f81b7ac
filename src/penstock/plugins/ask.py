"""What a plugin says when it is asked: who it is, what it can read, and whether it works."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.errors import OutsideError, RefusedError
from penstock.plugins.environment import Installed
from penstock.plugins.handed import hand, private_folder
from penstock.plugins.process import Running, start

# Any throughout: JSON as a plugin wrote it

ABOUT_S = 60.0
DISCOVER_S = 600.0
TEST_S = 300.0
Say = Callable[[str], None] | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a plugin printed, how it ended, and what it said last on stderr."""

    stdout: bytes
    exit_code: int
    last_lines: tuple[str, ...]


def about(
    installed: Installed, *, cwd: Path | None = None, timeout_s: float = ABOUT_S
) -> dict[str, Any] | None:
    """What the plugin says of itself; None from one that cannot be asked, which old ones cannot."""
    answer = _ask(installed, ["--about", "--format=json"], cwd=cwd, timeout_s=timeout_s)
    return _object_in(answer.stdout) if answer.exit_code == 0 else None


def version(installed: Installed) -> str | None:
    """The version of the plugin's package; asked of the plugin where it has no environment of ours."""
    if installed.version is not None:
        return installed.version
    answer = _ask(installed, ["--version"], timeout_s=ABOUT_S)
    words = answer.stdout.decode("utf-8", "replace").split()
    numbers = [w.strip(",;()").removeprefix("v") for w in words if w.strip(",;()v")[:1].isdigit()]
    return numbers[-1] if answer.exit_code == 0 and numbers else None


def discover(
    installed: Installed,
    config: Mapping[str, Any],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    say: Say = None,
    timeout_s: float = DISCOVER_S,
) -> dict[str, Any]:
    """The catalog of a tap: all that it could read.

    Raises: RefusedError with the tap's last lines when it fails or answers with something else;
    OutsideError when it takes longer than `timeout_s`.
    """
    with private_folder() as folder:
        arguments = [*hand(folder, config), "--discover"]
        answer = _ask(installed, arguments, env=env, cwd=cwd, say=say, timeout_s=timeout_s, private=folder)
    found = _object_in(answer.stdout) if answer.exit_code == 0 else None
    if found is None or not isinstance(found.get("streams"), list):
        raise failed(installed, "could not say what it can read", answer.exit_code, answer.last_lines)
    return found


def test(
    installed: Installed,
    config: Mapping[str, Any],
    *,
    catalog: Mapping[str, Any] | None = None,
    state: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    say: Say = None,
    timeout_s: float = TEST_S,
) -> None:
    """Start the tap as a run would, and stop it at its first record or batch. It succeeds or raises.

    Raises: RefusedError with the tap's last lines when it ends without one, or says something that is
    no message; OutsideError after `timeout_s`.
    """
    with private_folder() as folder:
        given = hand(folder, config, plugin=installed.plugin, catalog=catalog, state=state)
        command, added = [*installed.command, *given], {**installed.env, **(env or {})}
        with start(command, env=added, cwd=cwd, on_stderr=say, private=folder) as running:
            works, late = _first_record(running, timeout_s)
            if works:
                return
            code = running.stop() if late else running.wait()
    if late:
        raise _too_slow(installed, timeout_s, running.last_lines)
    what = "gave no record" if code == 0 else "does not work with this configuration"
    hint = None if code else "is a stream selected, and is there anything in it?"
    raise failed(installed, what, code, running.last_lines, hint)


def _first_record(running: Running, timeout_s: float) -> tuple[bool, bool]:
    """Whether a record or a batch came, and whether the time ran out before."""
    with _Deadline(running, timeout_s) as deadline:
        assert running.stdout is not None
        for line in running.stdout:
            if not line.strip():
                continue
            try:
                kind = json.loads(line).get("type")
            except (ValueError, AttributeError):
                continue  # taps that print plain text to stdout are told about when they are run
            if kind in ("RECORD", "BATCH"):
                return True, False
    return False, deadline.passed


def failed(
    installed: Installed,
    what: str,
    exit_code: int,
    last_lines: Sequence[str],
    hint: str | None = None,
) -> RefusedError:
    """The error for a plugin that did not do what it was asked, with what it said last."""
    return RefusedError(
        f"`{installed.plugin.name}` {what}",
        where=f"exit code {exit_code}",
        found="\n    ".join(["", *last_lines[-15:]]).rstrip() or "it said nothing",
        hint=hint,
    )


# ------------------------------------------------------------------------------------- asking


class _Deadline:
    """Stops a process when its time is over, so that whoever reads from it sees the end."""

    def __init__(self, running: Running, timeout_s: float) -> None:
        self.passed = False
        self._running = running
        self._timer = threading.Timer(timeout_s, self._stop)
        self._timer.daemon = True

    def _stop(self) -> None:
        self.passed = True
        self._running.kill()

    def __enter__(self) -> _Deadline:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()


def _ask(
    installed: Installed,
    arguments: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    say: Say = None,
    timeout_s: float,
    private: Path | None = None,
) -> Answer:
    """All that a plugin prints, once it has ended. Raises: OutsideError after `timeout_s`."""
    command, added = [*installed.command, *arguments], {**installed.env, **(env or {})}
    with start(command, env=added, cwd=cwd, on_stderr=say, private=private) as running:
        assert running.stdout is not None
        with _Deadline(running, timeout_s) as deadline:
            printed = running.stdout.read()
        code = running.wait()
    if deadline.passed:
        raise _too_slow(installed, timeout_s, running.last_lines)
    return Answer(printed, code, running.last_lines)


def _too_slow(installed: Installed, timeout_s: float, last_lines: Sequence[str]) -> OutsideError:
    return OutsideError(
        f"`{installed.plugin.name}` did not answer within {timeout_s:g} s",
        found="\n    ".join(["", *last_lines[-15:]]).rstrip() or "it said nothing",
        hint="is what it reads from reachable?",
    )


def _object_in(printed: bytes) -> dict[str, Any] | None:
    """The JSON object in what was printed; some plugins print a line or two before it."""
    text = printed.decode("utf-8", "replace")
    start_at = [0, *(i + 1 for i, c in enumerate(text[:10_000]) if c == "\n" and text[i + 1 : i + 2] == "{")]
    for at in start_at:
        try:
            found = json.loads(text[at:])
        except ValueError:
            continue
        if isinstance(found, dict):
            return found
    return None
