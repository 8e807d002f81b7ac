"""A dbt project in use: every question is one process of dbt, and its answer is read from what dbt leaves.

What dbt makes lies below `home` (`.penstock/dbt` of a project) and not in the project's own folder, so that
somebody who works in that folder and Penstock do not take each other's files away. What is known of the
project is kept there too, with a digest of its files: dbt is started only when something changed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from penstock.dbt.artifacts import SourceFreshness, freshness_of
from penstock.dbt.files import PACKAGE_FILES, files_digest, read_yaml
from penstock.dbt.following import Follower, chosen_nodes
from penstock.dbt.manifest import nodes_of, with_sql
from penstock.dbt.nodes import DbtNode, from_document, stages, to_document
from penstock.dbt.profiles import FILE
from penstock.dbt.program import Program, Setup, write_whole
from penstock.errors import OutsideError, StoreError
from penstock.plugins.turn import turn
from penstock.report.facts import ModelResult, Observer

_EDITION = 1
_PATIENCE_S = 900.0
_TOLD_LINES = 15
_ALONE = frozenset({"deps", "clean", "init", "--version", "--help", "-h"})


class DbtProject:
    """One dbt project, built where its `Setup` says."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.folder = setup.file.folder
        self.dbt = Program(setup)

    @property
    def shown(self) -> str:
        """The folder of the dbt project, from the project on if it lies in there."""
        return self.dbt.shown

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
            kept = self._kept()
            if kept is not None and kept[0] == self.digest():
                return kept[1]  # another process has asked meanwhile
            self.install_packages()
            wanted = self.digest()  # packages are part of it
            self.dbt.call("parse")
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
        rounds = stages(nodes, wanted)
        follower = Follower(wanted, observe, self.setup.redact, self.shown)
        with self._turn():
            now = self.digest()
            for number, part in enumerate(rounds, 1):
                words = ["--full-refresh"] if full else []
                if number < len(rounds):  # tests of what comes later are for later
                    words += ["--indirect-selection", "buildable"]
                if len(part) < len(nodes):
                    words += ["--select", *(".".join(node.fqn) for node in part)]
                self.dbt.build(words, follower)
            self._keep(now)
        return follower.results()

    def freshness(self) -> tuple[SourceFreshness, ...]:
        """How old the sources are that the project says something of."""
        with self._turn():
            (self.dbt.made / "sources.json").unlink(missing_ok=True)
            code, said = self.dbt.wait("source", "freshness")
            found = self.dbt.made / "sources.json"
            if not found.is_file():
                raise self.dbt.refusal(code, said)
            return freshness_of(json.loads(found.read_text("utf-8")))

    def docs(self) -> Path:
        """dbt's own documentation, made now: one page that needs nothing else."""
        self.nodes()
        with self._turn():
            self.dbt.call("docs", "generate", "--static")
        return self.dbt.made / "static_index.html"

    def command(self, arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
        """dbt's command line and variables for words of the user's own; packages are installed before."""
        if not _ALONE.intersection(arguments):
            self.install_packages()
        return self.dbt.command(arguments)

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
        code, said = self.dbt.wait("deps")
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
        write_whole(note, wanted)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Nobody else runs dbt on what this project keeps meanwhile."""
        with turn(self.setup.home / "dbt.lock", "dbt", _PATIENCE_S, "running for this project"):
            yield

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
        path = self.dbt.made / "manifest.json"
        try:
            manifest = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise StoreError("dbt left no manifest", where=str(path), found=str(error)) from error
        nodes = with_sql(nodes_of(manifest, self.setup.near, self._salt), self.known())
        document = {"digest": wanted, "nodes": to_document(nodes)}
        write_whole(self.setup.home / "nodes.json", json.dumps(document, default=str))
        return nodes


def _names_packages(path: Path) -> bool:
    return path.is_file() and bool(read_yaml(path).get("packages"))
