"""Servers as children of a guard, which stops them when this process is gone."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from typing import IO

# It ends when its standard input does, so no server outlives a killed test run.
_GUARD = """
import signal, subprocess, sys
user, stop, *argv = sys.argv[1:]
server = subprocess.Popen(argv, stdin=subprocess.DEVNULL, user=user or None, cwd="/")
sys.stdin.read()
server.send_signal(signal.Signals[stop])
try:
    server.wait(20)
except subprocess.TimeoutExpired:
    server.kill()
"""


def guarded(argv: Sequence[str], user: str, log: IO[bytes], stop: str = "SIGINT") -> subprocess.Popen[bytes]:
    """A guard that runs a server as `user` (empty: this one); it ends the server by the signal `stop`."""
    return subprocess.Popen(
        [sys.executable, "-c", _GUARD, user, stop, *argv],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=log,
    )


def unprivileged() -> str:
    """Whom a server must run as that refuses to run as root; empty if this process is not root."""
    return "nobody" if os.geteuid() == 0 else ""


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
