"""A dbt project in use: every question is one process of dbt, and its answer is read from what dbt leaves.

What dbt makes lies below `home` (`.penstock/dbt` of a project) and not in the project's own folder, so that
somebody who works in that folder and Penstock do not take each other's files away. What is known of the
project is kept there too, with a digest of its files: dbt is started only when something changed.
"""

from __future__ import annotations

import json
import os
import re
import selectors
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from penstock.dbt.artifacts import SourceFreshness, freshness_of
from penstock.dbt.environment import find_dbt
from penstock.dbt.files import PACKAGE_FILES, ProjectFile, files_digest, read_yaml
from penstock.dbt.following import Follower, chosen_nodes
from penstock.dbt.manifest import Home, nodes_of, with_sql
from penstock.dbt.nodes import DbtNode, from_document, stages, to_document
from penstock.dbt.profiles import FILE, TARGET, Output, profile_text
from penstock.errors import OutsideError, RefusedError, StoreError
from penstock.plugins.environment import Installed
from penstock.plugins.process import Running, start
from penstock.plugins.turn import turn
from penstock.report.facts import ModelResult, Observer, Pause

# Any throughout: variables as a project file has them, JSON that dbt wrote

_EDITION = 1
_PATIENCE_S = 900.0
_TOLD_LINES = 15
_BEAT_S = 0.25
_PIPELINE = "models"
_UNREACHED = re.compile(r"Database Error|IO Error|OperationalError")
_VARIABLES = frozenset(
    {
        "build",
        "run",
        "test",
        "compile",
        "seed",
        "snapshot",
        "show",
        "parse",
        "ls",
        "list",
        "run-operation",
        "source",
        "docs",
        "retry",
    }
)
# a run must not ask the network who uses it, nor colour what is read by a program
_QUIET = {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "DO_NOT_TRACK": "1", "PYTHONUNBUFFERED": "1"}
_JSON = (
    "--log-format",
    "json",
    "--log-format-file",
    "text",
    "--log-level",
    "debug",
    "--no-use-colors",
    "--no-quiet",
)


@dataclass(frozen=True)
class Setup:
    """How a dbt project is run. `output` is where it builds, `profiles` the folder of the user's profiles.

    `root` is Penstock's project, `home` where what dbt makes is kept, `plugins` where environments are.
    `near` is where Penstock's own tables are. `say` hears the installer, `redact` masks secrets.
    """

    file: ProjectFile
    root: Path
    home: Path
    plugins: Path
    output: Output
    near: Home = field(default_factory=Home)
    profiles: Path | None = None
    target: str | None = None
    dbt: str = "dbt-core"
    adapter: str | None = None
    python: str | None = None
    threads: int | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    say: Callable[[str], None] | None = field(default=None, repr=False)
    redact: Callable[[str], str] = field(default=str, repr=False)


class DbtProject:
    """One dbt project, built where its `Setup` says."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.folder = setup.file.folder
        self.made = setup.home / "target"

    # --------------------------------------------------------------------------- what there is

    def nodes(self) -> tuple[DbtNode, ...]:
        """Everything that dbt builds, parents first. dbt is started only if something changed.

        Raises: RefusedError with dbt's words for a project that it cannot read; as `find_dbt`.
        """
        wanted = self.digest()
        kept = self._kept()
        if kept is not None and kept[0] == wanted:
            return kept[1]
        with self._turn():
            self.install_packages()
            wanted = self.digest()  # packages are part of it
            self._call("parse")
            return self._keep(wanted)

    def known(self) -> tuple[DbtNode, ...]:
        """What was known of the project when dbt last read it; nothing before that. dbt is not started."""
        kept = self._kept()
        return kept[1] if kept is not None else ()

    def fresh(self) -> bool:
        """Whether `nodes` would answer without starting dbt."""
        kept = self._kept()
        return kept is not None and kept[0] == self.digest()

    # ------------------------------------------------------------------------------ what it does

    def run(self, chosen: Collection[str] | None, full: bool, observe: Observer) -> tuple[ModelResult, ...]:
        """Build and test nodes by name (all for None), with `dbt build`; each is told of as it ends.

        `full` makes incremental models anew. Nothing that dbt started is left when `observe` raises.
        Raises: RefusedError when dbt could not begin; OutsideError when it fell over.
        """
        nodes = self.nodes()
        wanted = chosen_nodes(nodes, chosen)
        if not wanted:
            return ()
        rounds = stages(wanted)
        follower = Follower(wanted, observe, self.setup.redact, self.shown)
        with self._turn():
            now = self.digest()
            for number, part in enumerate(rounds, 1):
                words = ["--full-refresh"] if full else []
                if number < len(rounds):  # tests of what comes later are for later
                    words += ["--indirect-selection", "buildable"]
                if len(part) < len(nodes):
                    words += ["--select", *(".".join(node.fqn) for node in part)]
                self._build(words, follower)
            self._keep(now)
        return follower.results()

    def _build(self, words: Sequence[str], follower: Follower) -> None:
        """One `dbt build`. Raises: as `run`."""
        results = self.made / "run_results.json"
        results.unlink(missing_ok=True)
        with self._start("build", *words) as running:
            for line in _lines(running, follower.observe):
                follower.hear(line)
            code = running.wait()
            if not results.is_file():
                raise self._refusal(code, [*follower.complaints, *running.last_lines])

    def freshness(self) -> tuple[SourceFreshness, ...]:
        """How old the sources are that the project says something of."""
        with self._turn():
            (self.made / "sources.json").unlink(missing_ok=True)
            code, said = self._wait("source", "freshness")
            found = self.made / "sources.json"
            if not found.is_file():
                raise self._refusal(code, said)
            return freshness_of(json.loads(found.read_text("utf-8")))

    def docs(self) -> Path:
        """dbt's own documentation, made now: one page that needs nothing else."""
        self.nodes()
        with self._turn():
            self._call("docs", "generate", "--static")
        return self.made / "static_index.html"

    def command(self, arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
        """dbt's command line and variables for words of the user's own; packages are installed before."""
        if not set(arguments) & {"deps", "clean", "init", "--version", "--help", "-h"}:
            self.install_packages()
        words = [*self.installed.command, *arguments]
        if _VARIABLES.intersection(arguments[:2]) and "--vars" not in arguments and self.setup.variables:
            words += ["--vars", json.dumps(dict(self.setup.variables))]
        target = {"DBT_TARGET": self._target} if self._target else {}
        return words, {**target, **self._env()}

    def install_packages(self) -> None:
        """Fetch the packages that the project names, unless they are there; called with nobody else at it.

        Packages that somebody put there are left as they are. Raises: OutsideError.
        """
        texts = [p.read_text("utf-8") for name in PACKAGE_FILES if (p := self.folder / name).is_file()]
        if not any(_names_packages(self.folder / name) for name in PACKAGE_FILES):
            return
        note = self.setup.home / "packages.txt"
        wanted = "\0".join(texts)
        there = self.setup.file.packages.is_dir() and any(self.setup.file.packages.iterdir())
        if there and (not note.is_file() or note.read_text("utf-8") == wanted):
            return
        code, said = self._wait("deps")
        if code != 0:
            raise OutsideError(
                "the packages of the dbt project could not be fetched",
                where=str(self.folder),
                found="\n    ".join(["", *said[-_TOLD_LINES:]]),
                hint="is hub.getdbt.com, or where they lie, within reach? What is in "
                f"`{self.setup.file.packages.name}/` already is taken as it is: "
                "run `dbt deps` on another machine, and copy the folder",
            )
        note.parent.mkdir(parents=True, exist_ok=True)
        _write(note, wanted)

    @cached_property
    def installed(self) -> Installed:
        """dbt with its adapter, installed if it is not yet."""
        setup = self.setup
        return find_dbt(
            setup.dbt,
            setup.adapter or setup.output.adapter,
            home=setup.plugins,
            root=setup.root,
            python=setup.python,
            say=setup.say,
        )

    # ------------------------------------------------------------------------------- processes

    def _start(self, *words: str) -> Running:
        """dbt as a process of its own group, which does not outlive us."""
        command = [*self.installed.command, *_JSON, *words]
        if words != ("deps",):
            command += ["--target", self._target] if self._target else []
            command += ["--threads", str(self.setup.threads)] if self.setup.threads else []
        command += ["--vars", json.dumps(dict(self.setup.variables))] if self.setup.variables else []
        return start(command, env=self._env(), cwd=self.folder)

    def _wait(self, *words: str) -> tuple[int, list[str]]:
        """Run dbt to its end: its exit code, and what it complained of."""
        follower = Follower((), _nobody, self.setup.redact)
        with self._start(*words) as running:
            for line in _lines(running, _nobody):
                follower.hear(line)
            code = running.wait()
            return code, [*follower.complaints, *map(self.setup.redact, running.last_lines)]

    def _call(self, *words: str) -> None:
        code, said = self._wait(*words)
        if code != 0:
            raise self._refusal(code, said)

    @property
    def _target(self) -> str | None:
        return self.setup.target or (None if self.setup.profiles else TARGET)

    def _generated(self) -> Path:
        """The folder with the profile for the destination, made if it is not there as it should be."""
        folder = self.setup.home / "profiles"
        text = profile_text(self.setup.file.profile, self.setup.target or TARGET, self.setup.output)
        path = folder / FILE
        if not path.is_file() or path.read_text("utf-8") != text:
            _write(path, text)
        return folder

    def _env(self) -> dict[str, str]:
        """The variables of dbt's process: where things are, and the secrets of the profile."""
        setup = self.setup
        quiet = {k: v for k, v in _QUIET.items() if k not in os.environ}
        places = {
            "DBT_PROJECT_DIR": self.folder,
            "DBT_PROFILES_DIR": setup.profiles or self._generated(),
            "DBT_TARGET_PATH": self.made,
            "DBT_LOG_PATH": setup.home / "logs",
        }
        named = {name: str(path) for name, path in places.items()}
        return {**quiet, **setup.env, **named, **setup.output.env, **self.installed.env}

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Nobody else runs dbt on what this project keeps meanwhile."""
        with turn(self.setup.home / "dbt.lock", "dbt", _PATIENCE_S, "running for this project"):
            yield

    def _refusal(self, code: int, said: Sequence[str]) -> RefusedError | OutsideError:
        """Why dbt did not do what it was asked for: the project is wrong, something is out of reach, or
        dbt fell over."""
        lines = list(dict.fromkeys(self.setup.redact(line) for line in said if line.strip()))
        found = "\n    ".join(["", *"\n".join(lines[-_TOLD_LINES:]).splitlines()]) if lines else None
        log = self.setup.home / "logs" / "dbt.log"
        hint = f"dbt's own log is {log}" if log.is_file() else None
        if code < 0 or not lines:
            what = f"dbt was ended by signal {-code}" if code < 0 else f"dbt ended with exit code {code}"
            return OutsideError(what, where=self.shown, found=found, hint=hint)
        if any(_UNREACHED.search(line) for line in lines):
            return OutsideError("dbt cannot open the warehouse", where=self.shown, found=found, hint=hint)
        return RefusedError("dbt refuses the project", where=self.shown, found=found, hint=hint)

    @property
    def shown(self) -> str:
        """The folder of the dbt project, from the project on if it lies in there."""
        near = self.folder.is_relative_to(self.setup.root)
        return str(self.folder.relative_to(self.setup.root) if near else self.folder)

    # ------------------------------------------------------------------------- what is remembered

    @property
    def _salt(self) -> str:
        """What decides about rows beside the files of dbt."""
        setup = self.setup
        project = setup.file.said.get("vars") or {}
        said = [setup.variables, project, setup.target, setup.output.adapter, setup.output.schema]
        return json.dumps(said, sort_keys=True, default=str)

    def digest(self) -> str:
        """Changes with everything that decides what dbt makes of the project. dbt is not started."""
        setup = self.setup
        own = setup.profiles / FILE if setup.profiles else None
        beside = [
            _EDITION,
            self._salt,
            setup.near,
            setup.dbt,
            setup.adapter,
            setup.output.settings if own is None else own.read_text("utf-8"),
        ]
        return files_digest(setup.file, beside, {**os.environ, **setup.env})

    def _kept(self) -> tuple[str, tuple[DbtNode, ...]] | None:
        try:
            document = json.loads((self.setup.home / "nodes.json").read_text("utf-8"))
            return document["digest"], from_document(document["nodes"])
        except (OSError, ValueError, KeyError, TypeError):
            return None  # there is none, or one of another edition

    def _keep(self, wanted: str) -> tuple[DbtNode, ...]:
        """Read the manifest that dbt has written, and remember what it says."""
        path = self.made / "manifest.json"
        try:
            manifest = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise StoreError("dbt left no manifest", where=str(path), found=str(error)) from error
        nodes = with_sql(nodes_of(manifest, self.setup.near, self._salt), self.known())
        document = {"digest": wanted, "nodes": to_document(nodes)}
        _write(self.setup.home / "nodes.json", json.dumps(document, default=str))
        return nodes


def _lines(running: Running, observe: Observer) -> Iterator[bytes]:
    """The lines of a process. While there are none, `observe` is told a few times a second: it may raise."""
    assert running.stdout is not None
    stream, rest = running.stdout.fileno(), b""
    with selectors.DefaultSelector() as waiting:
        waiting.register(stream, selectors.EVENT_READ)
        while True:
            if not waiting.select(_BEAT_S):
                observe(Pause(_PIPELINE))
                continue
            block = os.read(stream, 1 << 16)
            *whole, rest = (rest + block).split(b"\n")
            yield from whole
            if not block:
                break
    if rest:
        yield rest


def _names_packages(path: Path) -> bool:
    return path.is_file() and bool(read_yaml(path).get("packages"))


def _write(path: Path, text: str) -> None:
    """All of a file or nothing of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(text, "utf-8")
    part.replace(path)


def _nobody(event: object) -> None:
    """Hears nothing."""
