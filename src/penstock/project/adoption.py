"""A `meltano.yml` rewritten as a `penstock.yml`, with the comments of what is carried over."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import ScalarString

from penstock.project.meltano import MELTANO_FILE, THEIRS
from penstock.project.plugins import KINDS, PluginSpec

# Any throughout: YAML with comments, as ruamel holds it

_REFERENCE = re.compile(r"\\\$|\$\$|\$\{(?P<braced>[A-Za-z_]\w*)\}|\$(?P<bare>[A-Za-z_]\w*)")
_KEPT = ("default_environment", "env", "environments", "plugins", "jobs", "schedules")
_SILENT = frozenset({"version", "project_id", "send_anonymous_usage_stats", "include_paths", "$schema"})


@dataclass
class Adopted:
    """The text of the new project file, and what the old one says that it cannot."""

    text: str = ""
    left: list[str] = field(default_factory=list)
    variables: set[str] = field(default_factory=set)


def adopt_meltano(files: Mapping[str, str], name: str) -> Adopted:
    """The project file that says what `meltano.yml`, and the files that it includes, say.

    `left` tells, a line each, what could not be said; `variables` are those that must be set now.
    """
    adopted = Adopted()
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 10_000
    tree = yaml.load(files[MELTANO_FILE]) or CommentedMap()
    for other in sorted(set(files) - {MELTANO_FILE}):
        _include(tree, yaml.load(files[other]) or {}, other, adopted)
    for key in [k for k in tree if k not in _KEPT]:
        if key not in _SILENT:
            why = "is Meltano's own affair" if key in THEIRS else "means nothing here"
            adopted.left.append(f"`{key}` {why}")
        _take_out(tree, key)
    if "plugins" in tree:
        _plugins(tree["plugins"], "plugins", adopted)
    if "environments" in tree:
        tree["environments"] = _environments(tree["environments"], adopted)
    for key in ("env", "jobs", "schedules"):
        if key in tree:
            tree[key] = _filled(tree[key], adopted)
    tree.insert(0, "name", name)
    out = io.StringIO()
    yaml.dump(tree, out)
    adopted.text = out.getvalue()
    return adopted


def _include(tree: CommentedMap, other: Any, file: str, adopted: Adopted) -> None:
    """The lists of an included file after those of the project's own."""
    for key in ("jobs", "schedules", "environments"):
        if key in other:
            tree.setdefault(key, CommentedSeq()).extend(other[key])
    for kind, plugins in (other.get("plugins") or {}).items():
        tree.setdefault("plugins", CommentedMap()).setdefault(kind, CommentedSeq()).extend(plugins)
    adopted.left.append(f"what `{file}` says now stands in the project file itself; remove it there")


def _take_out(tree: CommentedMap, key: str) -> None:
    """Remove a key, and give the comment behind it to whatever comes next, as far as there is one."""
    notes = tree.ca.items.get(key)
    keys = list(tree)
    before = keys[keys.index(key) - 1] if keys.index(key) else None
    del tree[key]
    if notes and notes[2] and "\n" in notes[2].value.rstrip("\n ") and before is not None:
        mine = tree.ca.items.setdefault(before, [None, None, None, None])
        if mine[2] is None:
            mine[2] = notes[2]


def _environments(found: Any, adopted: Adopted) -> CommentedMap:
    """The list of environments as a mapping of what each lays over the project."""
    made = CommentedMap()
    for item in found:
        name = str(item.get("name"))
        keys = CommentedMap()
        for key, value in item.items():
            if key == "config" and "plugins" in (value or {}):
                _plugins(value["plugins"], f"environments.{name}", adopted)
                keys["plugins"] = value["plugins"]
                adopted.left += [
                    f"`environments.{name}.config.{other}` means nothing here"
                    for other in value
                    if other != "plugins"
                ]
            elif key == "env":
                keys["env"] = _filled(value, adopted)
            elif key not in ("name", "config"):
                adopted.left.append(f"`environments.{name}.{key}` means nothing here")
        made[name] = keys
    return made


def _plugins(found: Any, where: str, adopted: Adopted) -> None:
    """The plugins by kind, without what only Meltano knows."""
    for kind in [k for k in found if k not in KINDS]:
        adopted.left.append(f"`{where}.{kind}` are not run here")
        del found[kind]
    known = {f.alias or n for n, f in PluginSpec.model_fields.items()}
    for plugins in found.values():
        for plugin in plugins or ():
            place = f"{where}: {plugin.get('name')}"
            for key in [k for k in plugin if k not in known]:
                adopted.left.append(f"{place}: `{key}` means nothing here")
                del plugin[key]
            for key in ("config", "env", "pip_url", "schema", "metadata"):
                if key in plugin:
                    plugin[key] = _filled(plugin[key], adopted)


def _filled(value: Any, adopted: Adopted) -> Any:
    """Values with their variables as a project file writes them: `${NAME}`."""
    if isinstance(value, dict):
        for key in list(value):
            value[key] = _filled(value[key], adopted)
        return value
    if isinstance(value, list):
        value[:] = [_filled(item, adopted) for item in value]
        return value
    if not isinstance(value, str) or "$" not in value:
        return value

    def one(match: re.Match[str]) -> str:
        name = match["braced"] or match["bare"]
        if name is None:
            return "$" if match[0] == "\\$" else "$$$$"
        if name.startswith("MELTANO_"):
            return f"${name}"  # known when the plugin is started, here as there
        adopted.variables.add(name)
        return f"${{{name}}}"

    text = _REFERENCE.sub(one, value)
    return type(value)(text) if isinstance(value, ScalarString) else text
