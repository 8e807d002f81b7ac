"""Dagster's UI for a project with nothing written: the files that it starts from, and its processes.

Nothing here imports Dagster, which takes a second: it runs in processes of its own.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from penstock.errors import MissingPartError, OutsideError, StoreError

OWN = "definitions.py"
"""A file beside the project file that is served in place of what would be generated."""
STOP_S = 25  # how long Dagster may take to stop; it gives each of its own processes 15 to 20

_INSTANCE = """\
# Written by `penstock dev` when it was missing; change it as you like.
telemetry: {enabled: false}
# A file of DuckDB has one writer: steps that write to the same destination wait for each other.
concurrency:
  pools: {granularity: op, default_limit: 1}
"""
_MODULE = '''\
"""What `penstock dev` serves; written anew with every start."""

from penstock.dagster import definitions

defs = definitions({project!r}, environment={environment!r})
'''
_NOISE = re.compile(r"superseded|Use 'dg dev'|Heartbeat|DAGSTER_HOME|Error loading repository")
_LOUD = ("warning", "error", "critical")


@dataclass(frozen=True, slots=True)
class Served:
    """What is served: the workspace file, Dagster's home, where its lines are kept, and the variables."""

    workspace: Path
    log: Path
    variables: Mapping[str, str]
    own: Path | None


def check_installed() -> None:
    """Raises: MissingPartError when Dagster or its web server is not installed."""
    for module in ("dagster", "dagster_webserver"):
        if importlib.util.find_spec(module) is None:
            raise MissingPartError(
                "`penstock dev` needs a package",
                found=f"no module named '{module}'",
                hint="pip install 'penstock[dagster]'",
            )


def check_port(host: str, port: int) -> None:
    """Raises: OutsideError when something listens there, or nothing may."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise OutsideError(
                f"port {port} cannot be used",
                where=host,
                found=error.strerror or str(error),
                hint=f"stop what listens there, or take another: penstock dev --port {port + 1}",
            ) from error


def prepare(root: Path, name: str, environment: str | None, environ: Mapping[str, str]) -> Served:
    """Write what Dagster starts from, below the project's `.penstock/dagster`.

    DAGSTER_HOME is that folder unless `environ` says another. A `definitions.py` beside the project file
    is served in place of the project alone. Raises: StoreError when the disk refuses.
    """
    folder = root / ".penstock" / "dagster"
    said = environ.get("DAGSTER_HOME")
    own = root / OWN if (root / OWN).is_file() else None
    module = own or folder / "penstock_project.py"
    entry = {
        "relative_path": str(module),
        "location_name": name,
        "working_directory": str(root),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if said is None and not (folder / "dagster.yaml").exists():
            (folder / "dagster.yaml").write_text(_INSTANCE, "utf-8")
        if own is None:
            text = _MODULE.format(project=str(root), environment=environment)
            module.write_text(text, "utf-8")
        # JSON is YAML, whatever characters are in a path
        workspace = folder / "workspace.yaml"
        workspace.write_text(json.dumps({"load_from": [{"python_file": entry}]}, indent=2), "utf-8")
    except OSError as error:
        raise StoreError(
            "Dagster's files cannot be written", where=str(folder), found=error.strerror
        ) from error
    variables = {"DAGSTER_HOME": said or str(folder), "DAGSTER_DISABLE_TELEMETRY": "1"}
    if environment is not None:
        variables["PENSTOCK_ENVIRONMENT"] = environment
    return Served(workspace, folder / "dev.log", variables, own)


def message(text: str) -> str | None:
    """What a line of Dagster's log tells a person, in one line; None if it is not worth telling."""
    try:
        record = json.loads(text)
    except ValueError:
        return None
    if not isinstance(record, dict) or str(record.get("level", "")).lower() not in _LOUD:
        return None
    lines = [line.strip() for line in str(record.get("event", "")).splitlines() if line.strip()]
    if not lines or _NOISE.search(lines[0]):
        return None
    trace = [line.strip() for line in str(record.get("exception") or "").splitlines() if line.strip()]
    return f"{lines[0]}: {trace[-1]}" if trace else lines[0]


class Dagster:
    """`dagster dev` in a process group of its own, its lines kept in a file and the loud ones told.

    `redact` takes secrets out of what is kept.
    """

    def __init__(
        self, served: Served, host: str, port: int, tell: Callable[[str], None], redact: Callable[[str], str]
    ) -> None:
        self._log: IO[str] = served.log.open("w", encoding="utf-8")
        self._tell = tell
        self._redact = redact
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-W", "ignore", "-m", "dagster", "dev"),
                *("--workspace", str(served.workspace), "--host", host, "--port", str(port)),
                *("--log-format", "json", "--log-level", "info"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, **served.variables},
            start_new_session=True,  # Ctrl-C comes to us, and we ask it to stop
        )
        self._reader = threading.Thread(target=self._read, name="penstock-dagster", daemon=True)
        self._reader.start()

    @property
    def ended(self) -> int | None:
        """The exit code of Dagster; None while it runs."""
        return self._process.poll()

    def stop(self) -> None:
        """Ask Dagster to stop, and end what is still there after `STOP_S` seconds."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_S)
        self.kill()
        self._process.wait()
        self._reader.join(2)
        self._log.close()

    def kill(self) -> None:
        """End every process of Dagster's at once; a handler of signals may do it, as it waits for nothing."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for text in self._process.stdout:
            if not self._log.closed:
                self._log.write(self._redact(text))
                self._log.flush()
            if (told := message(text)) is not None:
                self._tell(told)
