"""The tools to compare with: each in its own virtualenv, at a pinned version, with its own home folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

DUCKDB_NODE = "@duckdb/node-bindings-linux-x64"
DUCKDB_NODE_VERSION = "1.4.3-r.3"
DUCKDB_CLI_VERSION = "1.5.5"
VERSIONS = """
import sys
from importlib.metadata import version
print(*(f"{name} {version(name)}" for name in sys.argv[1:]), sep=", ")
"""


class UnavailableError(Exception):
    """A peer that cannot be had on this machine. The results say so in these words."""


@dataclass(frozen=True, slots=True)
class Installed:
    """A peer that is ready: where its programs are, what it runs under and what it consists of."""

    root: Path
    versions: str
    env: Mapping[str, str]

    @property
    def site(self) -> Path:
        """Its site-packages."""
        return next((self.root / "lib").glob("python*/site-packages"))

    def program(self, name: str) -> str:
        """The path of one of its programs."""
        return str(self.root / "bin" / name)


@dataclass(frozen=True, slots=True)
class Peer:
    """What to install; `finish` does what pip cannot and gives the environment it runs under."""

    name: str
    requirements: tuple[str, ...]
    finish: Callable[[Path, Path], Mapping[str, str]]
    also: str = ""


def _execute(argv: list[str], what: str) -> str:
    try:
        done = subprocess.run(argv, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise UnavailableError(f"{what}: `{argv[0]}` is not on this machine") from None
    except subprocess.CalledProcessError as error:
        lines = [line for line in error.stderr.splitlines() if line.strip()] or [f"exit {error.returncode}"]
        raise UnavailableError(f"{what}: {lines[-1].strip()}") from None
    return done.stdout


def _finish_dlt(_root: Path, _home: Path) -> Mapping[str, str]:
    return {"RUNTIME__DLTHUB_TELEMETRY": "false"}


def _finish_dbt(_root: Path, _home: Path) -> Mapping[str, str]:
    return {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}


def _finish_sling(root: Path, home: Path) -> Mapping[str, str]:
    """sling drives a DuckDB CLI and its extensions, which it would download; give it packaged ones."""
    site = next((root / "lib").glob("python*/site-packages"))
    shelf = home / ".duckdb" / "extensions" / f"v{DUCKDB_CLI_VERSION}" / "linux_amd64"
    shelf.mkdir(parents=True, exist_ok=True)
    for extension in site.glob("duckdb_extension_*/extensions/*/*.duckdb_extension"):
        shutil.copy(extension, shelf)
    return {"DUCKDB_PATH": str(site / "duckdb_cli" / "duckdb"), "SLING_DISABLE_TELEMETRY": "true"}


def _finish_ingestr(root: Path, _home: Path) -> Mapping[str, str]:
    """ingestr loads DuckDB's shared library as an ADBC driver, which it would download; likewise."""
    folder = root / "driver"
    library = folder / "node_modules" / DUCKDB_NODE / "libduckdb.so"
    if not library.exists():
        folder.mkdir(exist_ok=True)
        spec = f"{DUCKDB_NODE}@{DUCKDB_NODE_VERSION}"
        _execute(["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), spec], "libduckdb")
    manifest = f"name = 'DuckDB'\n[Driver]\nentrypoint = 'duckdb_adbc_init'\nshared = '{library}'\n"
    (folder / "duckdb.toml").write_text(manifest)
    return {"ADBC_DRIVER_PATH": str(folder), "INGESTR_DISABLE_TELEMETRY": "true"}


PEERS = {
    peer.name: peer
    for peer in (
        Peer("dlt", ("dlt[duckdb]==1.31.*", "duckdb", "pyarrow"), _finish_dlt),
        Peer("dbt", ("dbt-core==1.11.*", "dbt-duckdb==1.10.*", "duckdb==1.4.*"), _finish_dbt),
        Peer("ingestr", ("ingestr==1.1.1",), _finish_ingestr, f"libduckdb {DUCKDB_NODE_VERSION}"),
        Peer(
            "sling",
            (
                "sling-linux-amd64==1.4.11",
                f"duckdb-cli=={DUCKDB_CLI_VERSION}",
                f"duckdb-extension-json=={DUCKDB_CLI_VERSION}",
                f"duckdb-extension-httpfs=={DUCKDB_CLI_VERSION}",
            ),
            _finish_sling,
        ),
    )
}


def install(peer: Peer, work: Path) -> Installed:
    """Make the peer's virtualenv unless an earlier run did.

    Raises: UnavailableError; leave the peer out and report why.
    """
    root, home, note = work / "peers" / peer.name, work / "homes" / peer.name, "\n".join(peer.requirements)
    done = root / "requirements.note"
    if not done.exists() or done.read_text() != note:
        shutil.rmtree(root, ignore_errors=True)
        _execute([sys.executable, "-m", "venv", str(root)], "virtualenv")
        _execute([str(root / "bin" / "pip"), "install", "--quiet", *peer.requirements], "pip")
        done.write_text(note)
    home.mkdir(parents=True, exist_ok=True)
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", **peer.finish(root, home)}
    names = [requirement.split("=")[0].split("[")[0] for requirement in peer.requirements]
    versions = _execute([str(root / "bin" / "python"), "-c", VERSIONS, *names], "versions").strip()
    return Installed(root, ", ".join(filter(None, (versions, peer.also))), env)
