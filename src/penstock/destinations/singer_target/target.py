"""A target, ready to be started: its program, its configuration, and what it can do with rows."""

from __future__ import annotations

import json
import logging
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from penstock.errors import ProjectError, RefusedError
from penstock.plugins.ask import about
from penstock.plugins.environment import Installed, install
from penstock.project.singer_target import SingerTargetSpec
from penstock.project.variables import parse_dotenv, redact
from penstock.schema.disposition import Disposition, Strategy, WriteMode
from penstock.singer.bundled import known, variants
from penstock.singer.definition import Plugin, PluginKind, definition_from_about, joined
from penstock.singer.messages import DELETED_AT
from penstock.singer.settings import Layers, Resolved, resolve

# Any throughout: configurations

HOME = Path(".penstock") / "plugins"
ACTIVATE = "activate-version"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Target:
    """A target of a project. `root` is the project's folder, `secrets` are texts that nobody may see."""

    spec: SingerTargetSpec
    root: Path
    installed: Installed
    config: Mapping[str, Any]
    secrets: frozenset[str]
    writes: frozenset[WriteMode]

    @property
    def name(self) -> str:
        """What the target is called."""
        return self.installed.plugin.name

    @property
    def activates(self) -> bool:
        """Whether rows have versions, so that those of an older one can be taken away."""
        return WriteMode.REPLACE in self.writes

    @property
    def env(self) -> dict[str, str]:
        """The variables that it is started with, beside those of this process."""
        return {**self.installed.env, **self.spec.env}

    def heard(self, line: str) -> None:
        """Pass on a line that the target wrote to stderr, without secrets."""
        _log.info("%s: %s", self.name, self.blotted(line))

    def blotted(self, text: str) -> str:
        """The text without the secrets of the configuration."""
        return redact(text, self.secrets)

    def stream(self, table: str) -> str:
        """The stream that the rows of a table are sent as."""
        return self.spec.streams.get(table, table)

    def refusal(self, table: str, disposition: Disposition) -> RefusedError | None:
        """The error for a way of writing that this target has no messages for, with the reason, or None."""
        reason = _reason(disposition) or self._lacks(disposition)
        if reason is None:
            return None
        return RefusedError(
            f"`{table}`: `{self.name}` cannot write like this",
            found=reason,
            expected=f"write: {' or '.join(sorted(self.writes))}",
            hint="another way of writing needs a destination that Penstock writes to itself",
        )

    def adds_to(self, table: str, disposition: Disposition) -> str | None:
        """What to tell where the rows of a new version are added to those of older ones, or None."""
        if not disposition.replaces_all or self.activates:
            return None
        return f"`{self.name}` knows no versions: rows of `{table}` that are no longer in the source stay"

    def _lacks(self, disposition: Disposition) -> str | None:
        whole, mode = disposition.replaces_all, disposition.mode
        if (WriteMode.REPLACE if whole else mode) in self.writes:
            return None
        if mode is WriteMode.MERGE and self.spec.without_merge == "append":
            return None
        if whole:
            return "a replace, which takes a target that activates versions"
        return "a merge, which takes a target that updates by key; `without_merge: append` would add the rows"


def _is_by_key(disposition: Disposition) -> bool:
    """Whether rows take the place of those with their key, or of all."""
    if disposition.strategy is Strategy.DELETE_INSERT:
        by_key = not disposition.merge_key and disposition.destination_scope is None
        return by_key or disposition.replaces_all
    return disposition.strategy is Strategy.UPSERT


def _reason(disposition: Disposition) -> str | None:
    """Why Singer's messages cannot say what a disposition wants, or None."""
    merges = disposition.mode is WriteMode.MERGE
    if merges and not _is_by_key(disposition):
        return f"the strategy `{disposition.strategy}`; Singer's messages know updates by key alone"
    if merges and disposition.dedup_sort is not None:
        return "`dedup_sort`; a target keeps the row that came last"
    if merges and disposition.hard_delete not in (None, DELETED_AT):  # that one is the target's own affair
        return "`hard_delete`; Singer's messages cannot delete a row"
    if merges and disposition.skip_unchanged_rows:
        return "`skip_unchanged_rows`; a target writes every row that it is sent"
    if merges and disposition.root is not None:
        return "child tables of a merge; send nested values as they are, with `nesting: native`"
    if disposition.overwrite:
        return "`overwrite`; a target replaces all rows of a table or none"
    return None


# ------------------------------------------------------------------------------------ making it


def prepare(spec: SingerTargetSpec, root: Path) -> Target:
    """The target that a project names, installed if need be.

    Raises: NotFoundError, ProjectError for a target that is not there; OutsideError when installing fails.
    """
    plugin = plugin_of(spec, root)
    installed = install(plugin, root / HOME, root)
    plugin = _described(installed)
    resolved = resolved_for(plugin, spec, root)
    for warning in resolved.warnings:
        _log.warning("%s", warning)
    config = resolved.config()
    if plugin.can("hard-delete") and "hard_delete" not in spec.config:
        config["hard_delete"] = True  # a replace takes rows away, rather than mark them
    return Target(spec, root, installed, config, resolved.secrets(), writes_of(plugin, spec.writes, config))


def plugin_of(spec: SingerTargetSpec, root: Path) -> Plugin:
    """The definition of the target that a project names. Raises: NotFoundError for an unknown variant."""
    kind = PluginKind.LOADERS
    if spec.pip_url is None and spec.executable is None and _is_program(spec.target, root):
        name = Path(shlex.split(spec.target)[0]).stem
        return Plugin(name, kind, executable=spec.target, python=spec.python)
    named = spec.variant is not None or (spec.pip_url is None and variants(spec.target, kind))
    plugin = known(spec.target, kind, spec.variant) if named else Plugin(spec.target, kind)
    said = {k: getattr(spec, k) for k in ("pip_url", "executable", "python") if getattr(spec, k)}
    return replace(plugin, **said)


def resolved_for(plugin: Plugin, spec: SingerTargetSpec, root: Path) -> Resolved:
    """The settings that hold: the project's, then variables of this process and of `.env`, then defaults."""
    return resolve(plugin, Layers(override=spec.config, process=os.environ, dotenv=_dotenv(root)))


def writes_of(plugin: Plugin, told: Sequence[str], config: Mapping[str, Any]) -> frozenset[WriteMode]:
    """What a target can do with rows: as it was `told` in the project, or by the catalogue, or by itself.

    Targets of Singer's SDK update by key if their configuration says so.
    Raises: ProjectError for a word that is no way of writing.
    """
    said = {*(told or plugin.extras.get("writes") or ["append"])}
    if not told:
        keyed = config.get("upsert") is True or config.get("load_method") == "upsert"
        said |= {"merge"} if keyed else set()
        said |= {"replace"} if plugin.can(ACTIVATE) else set()
    try:
        return frozenset(map(WriteMode, said))
    except ValueError as error:
        modes = ", ".join(WriteMode)
        raise ProjectError(f"`{plugin.name}`: {error}", where="writes", expected=modes) from error


def _is_program(target: str, root: Path) -> bool:
    return ("/" in target and "://" not in target) or target.endswith(".py") or (root / target).is_file()


def _described(installed: Installed) -> Plugin:
    """The definition with what the target says of itself; the answer is kept beside the environment."""
    plugin = installed.plugin
    if plugin.settings or installed.venv is None:
        return plugin
    kept = installed.venv / "about.json"
    try:
        said = json.loads(kept.read_bytes())
    except (FileNotFoundError, ValueError):  # it was never asked, or the answer was not wholly written
        said = about(installed)
        kept.write_text(json.dumps(said), "utf-8")
    return joined(plugin, definition_from_about(said, plugin.kind)) if said else plugin


def _dotenv(root: Path) -> dict[str, str]:
    path = root / ".env"
    return parse_dotenv(path.read_text("utf-8"), str(path)) if path.is_file() else {}
