"""What a plugin that is added looks like in the project file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.errors import NotFoundError, OutsideError, ProjectError
from penstock.project.editing import plain
from penstock.project.plugins import PluginsSpec
from penstock.singer.bundled import catalogue, known
from penstock.singer.definition import PluginKind, plugin_from_mapping

# Any throughout: definitions as others wrote them

FETCH_S = 30.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """A plugin as a command line asks for it; what is not said is None."""

    name: str
    kind: PluginKind | None = None
    variant: str | None = None
    called: str | None = None
    inherit_from: str | None = None
    pip_url: str | None = None
    executable: str | None = None
    namespace: str | None = None
    python: str | None = None
    definition: Mapping[str, Any] | None = None


def entry_of(wanted: Wanted, present: PluginsSpec) -> tuple[PluginKind, dict[str, Any]]:
    """The plugin's kind, and its entry in the project file.

    `--as gh` and `--inherit-from tap-github` make an entry that inherits; a plugin of the catalogue
    keeps its definition there; one that is described in full is written in full.
    Raises: NotFoundError for a plugin of which nothing is known.
    """
    base = wanted.inherit_from or (wanted.name if wanted.called else None)
    name = wanted.called or wanted.name
    own = {
        key: value
        for key, value in (
            ("namespace", wanted.namespace),
            ("pip_url", wanted.pip_url),
            ("executable", wanted.executable),
            ("python", wanted.python),
        )
        if value is not None
    }
    if wanted.definition is not None:
        kind = wanted.kind or PluginKind.guess(str(wanted.definition.get("name", name)))
        return kind, {**wanted.definition, "name": name, **own}
    if base is not None:
        return _heir(wanted, name, base, own, present)
    kind = wanted.kind or _kind_of(name)
    if wanted.pip_url is not None or wanted.executable is not None:
        return kind, {"name": name, **({"variant": wanted.variant} if wanted.variant else {}), **own}
    found = known(name, wanted.kind, wanted.variant)
    said = {"name": name, "variant": found.variant, "pip_url": found.pip_url, **own}
    return found.kind, {k: v for k, v in said.items() if v is not None}


def _heir(
    wanted: Wanted, name: str, base: str, own: dict[str, Any], present: PluginsSpec
) -> tuple[PluginKind, dict[str, Any]]:
    """An entry that inherits from a plugin of the project or of the catalogue."""
    inside = next((k for k, p in present.all() if p.name == base and wanted.kind in (None, k)), None)
    if inside is not None:
        variant = {"variant": wanted.variant} if wanted.variant else {}
        return inside, {"name": name, "inherit_from": base, **variant, **own}
    found = known(base, wanted.kind, wanted.variant)
    said = {"name": name, "inherit_from": base, "variant": found.variant, "pip_url": found.pip_url, **own}
    return found.kind, {k: v for k, v in said.items() if v is not None}


def _kind_of(name: str) -> PluginKind:
    """What a plugin is: as the catalogue says, else as its name does."""
    return next((p.kind for p in catalogue() if p.name == name), PluginKind.guess(name))


def definition_at(place: str, kind: PluginKind | None) -> dict[str, Any]:
    """A definition in a file (YAML or JSON) or at an address. Raises: ProjectError; NotFoundError."""
    text = _fetched(place) if place.startswith(("http://", "https://")) else _read(Path(place))
    try:
        found = json.loads(text)
    except ValueError:
        found = plain(text)
    if not isinstance(found, dict):
        raise ProjectError("this is no definition of a plugin", where=place, expected="a mapping with `name`")
    plugin_from_mapping(found, kind or PluginKind.guess(str(found.get("name", ""))))
    return {key: value for key, value in found.items() if key in _TAKEN}


_TAKEN = frozenset({
    "name", "namespace", "variant", "label", "description", "pip_url", "executable", "python", "capabilities",
    "settings", "settings_group_validation", "commands", "env", "select", "metadata", "schema", "config",
})  # fmt: skip


def _read(path: Path) -> str:
    if not path.is_file():
        raise NotFoundError("there is no such file", where=str(path), expected="a plugin's definition")
    return path.read_text("utf-8")


def _fetched(url: str) -> str:
    from urllib.error import URLError
    from urllib.request import urlopen

    try:
        with urlopen(url, timeout=FETCH_S) as answer:  # noqa: S310 - http and https alone come here
            return str(answer.read().decode("utf-8"))
    except URLError as error:
        raise OutsideError("the definition cannot be fetched", where=url, found=str(error.reason)) from error
