"""A tap, ready to be started: its program, and the files that it is handed."""

from __future__ import annotations

import json
import logging
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from penstock.errors import NotFoundError, ProjectError, RefusedError
from penstock.plugins.ask import discover
from penstock.plugins.environment import Installed, found, install
from penstock.plugins.handed import hand
from penstock.project.singer import SingerSpec
from penstock.singer.bundled import known, variants
from penstock.singer.catalog import Catalog, parse
from penstock.singer.definition import Plugin, PluginKind
from penstock.singer.selection import chosen, is_selected, select
from penstock.singer.settings import Layers, resolve
from penstock.singer.state import TapState

# Any throughout: configurations and catalogs.
HOME = Path(".penstock") / "plugins"
MASK = "***"
_FEWEST = 4  # a shorter secret is a part of too many words to be blotted out of them
_REQUIREMENT = re.compile(r"[=<>@\[]|://")
_LEVEL = re.compile(r"\b(CRITICAL|ERROR|WARNING)\b")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tap:
    """A tap of a project. `root` is the project's folder, `secrets` are texts that nobody may see."""

    spec: SingerSpec
    root: Path
    installed: Installed
    config: Mapping[str, Any]
    secrets: frozenset[str]

    @property
    def name(self) -> str:
        """What the tap is called."""
        return self.installed.plugin.name

    @property
    def env(self) -> dict[str, str]:
        """The variables that it is started with, beside those of this process."""
        return {**self.installed.env, **self.spec.env}

    def command(self, folder: Path, state: TapState) -> list[str]:
        """The words to start it with; what it is handed is written into `folder`.

        Raises: RefusedError when it cannot be asked for its catalog; ProjectError for a catalog or a
        selection that makes no sense.
        """
        catalog = self.catalog()
        document = None if catalog is None else catalog.raw
        given = hand(folder, self.config, plugin=self.installed.plugin, catalog=document)
        if state.value is not None and not state.is_empty:
            path = folder / "state.json"
            path.touch(mode=0o600)
            path.write_bytes(state.value)
            given += ["--state", str(path)]
        return [*self.installed.command, *given]

    def catalog(self) -> Catalog | None:
        """The catalog with its selection, fresh from the tap if no file is given; None for a run without."""
        spec = self.spec
        if spec.catalog is not None:
            return chosen(read_catalog(self.root / spec.catalog), spec.select_filter)
        if not spec.discover or not self._can_discover:
            return None
        try:
            document = discover(self.installed, self.config, env=self.env, cwd=self.root, say=self.heard)
        except RefusedError as error:
            raise type(error)(
                error.what,
                where=error.where,
                found=self.blotted(error.found or ""),
                hint="if it has no `--discover`, set `discover: false`, or give a `catalog`",
            ) from None
        catalog = select(
            parse(document, f"`{self.name} --discover`"),
            spec.select,
            spec.metadata,
            spec.schema_,
            spec.select_filter,
        )
        if not any(map(is_selected, catalog.streams)):
            raise ProjectError(
                f"nothing that `{self.name}` can read is selected",
                found=", ".join(spec.select),
                expected=", ".join(s.id for s in catalog.streams) or "a stream, but the tap has none",
            )
        return catalog

    @property
    def _can_discover(self) -> bool:
        plugin = self.installed.plugin
        return not plugin.capabilities or plugin.can("discover")

    # ------------------------------------------------------------------------- what it says

    def heard(self, line: str) -> None:
        """Pass on a line that the tap wrote to stderr, without secrets, as urgent as it says it is."""
        level = _LEVEL.search(line)
        number = logging.getLevelNamesMapping()[level[1]] if level else logging.INFO
        _log.log(number, "%s: %s", self.name, self.blotted(line))

    def blotted(self, text: str) -> str:
        """The text without the secrets of the configuration."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            if len(secret) >= _FEWEST:
                text = text.replace(secret, MASK).replace(json.dumps(secret)[1:-1], MASK)
        return text


def prepare(spec: SingerSpec, root: Path) -> Tap:
    """The tap that a project names, installed if need be.

    Raises: NotFoundError, ProjectError for a tap that is not there; OutsideError when installing fails.
    """
    plugin = plugin_of(spec, root)
    installed = install(plugin, root / HOME, root) if plugin.pip_url else found(plugin, root)
    resolved = resolve(plugin, Layers(override=spec.config))
    config = dict(spec.config) if _has_dots(spec.config) else resolved.config()
    return Tap(spec, root, installed, config, resolved.secrets())


def plugin_of(spec: SingerSpec, root: Path) -> Plugin:
    """The definition of the tap that a project names. Raises: NotFoundError for an unknown variant."""
    kind = PluginKind.EXTRACTORS
    if not isinstance(spec.tap, str):
        name = Path(spec.tap[-1] if len(spec.tap) > 1 and spec.tap[-1].endswith(".py") else spec.tap[0]).stem
        return Plugin(name, kind, executable=shlex.join(spec.tap), capabilities=spec.capabilities)
    if spec.pip_url is None and spec.executable is None and _is_program(spec.tap, root):
        return Plugin(
            Path(spec.tap).stem, kind, executable=shlex.quote(spec.tap), capabilities=spec.capabilities
        )
    plugin = _named(spec, spec.tap)
    said = {
        k: getattr(spec, k) for k in ("pip_url", "executable", "python", "capabilities") if getattr(spec, k)
    }
    return replace(plugin, **said)


def _named(spec: SingerSpec, tap: str) -> Plugin:
    """A definition that is known, or that of a package, or of a command on the PATH."""
    kind = PluginKind.EXTRACTORS
    if spec.pip_url is not None or spec.executable is not None:
        same = (p for p in variants(tap, kind) if p.pip_url == spec.pip_url or p.variant == spec.variant)
        return next(same, Plugin(tap, kind))
    if spec.variant is not None or variants(tap, kind):
        return known(tap, kind, spec.variant)
    if _REQUIREMENT.search(tap):
        name = re.split(r"[=<>@\[ ]", tap.rpartition("/")[2])[0].removesuffix(".git")
        return Plugin(name, kind, pip_url=tap)
    return Plugin(tap, kind)


def _is_program(tap: str, root: Path) -> bool:
    return ("/" in tap and "://" not in tap) or tap.endswith(".py") or (root / tap).is_file()


def _has_dots(config: Mapping[str, Any]) -> bool:
    return any("." in str(k) or (isinstance(v, Mapping) and _has_dots(v)) for k, v in config.items())


def read_catalog(path: Path) -> Catalog:
    """The catalog in a file. Raises: NotFoundError, ProjectError."""
    return parse(read_json(path, "a catalog"), str(path))


def read_json(path: Path, what: str) -> Any:
    """The JSON document in a file of the project. Raises: NotFoundError, ProjectError."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise NotFoundError(f"{what} is not there", where=str(path)) from error
    except ValueError as error:
        raise ProjectError(f"{what} is not JSON", where=str(path), found=str(error)) from error
