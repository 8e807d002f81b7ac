"""A `meltano.yml` as a project: the same typed values, so that every command works beside it.

Plugins, jobs, schedules and environments are taken over; what Meltano keeps for itself (its database,
its telemetry, its virtual environments) means nothing here. Variables in settings are filled in when
a plugin is started, as Meltano does, and not when the file is read.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel, ValidationError

from penstock.errors import ProjectError, suggest
from penstock.project.checks import check_project
from penstock.project.complaints import complaints, raise_all
from penstock.project.loaded import LoadedProject
from penstock.project.nodes import Node, Position, grow, read_yaml
from penstock.project.plugins import (
    KINDS,
    JobSpec,
    MappingSpec,
    PluginCommandSpec,
    PluginSettingSpec,
    PluginSpec,
    ScheduleSpec,
    overlaid,
)
from penstock.project.positions import Positions
from penstock.project.spec import Project, ProjectFile
from penstock.project.variables import parse_dotenv
from penstock.schema.faults import either

MELTANO_FILE = "meltano.yml"
MELTANO_ENVIRONMENT = "MELTANO_ENVIRONMENT"
_DOTENV = ".env"
_OURS = ("default_environment", "env", "jobs", "schedules")
THEIRS = frozenset({
    "annotations", "auto_install", "cli", "database_max_retries", "database_retry_timeout", "database_uri",
    "elt", "experimental", "ff", "hub_api_root", "hub_url", "hub_url_auth", "project_id",
    "project_readonly", "python", "requires_meltano", "send_anonymous_usage_stats", "snowplow",
    "state_backend", "venv", "version", "$schema", "database_backend", "discovery_url", "database",
})  # fmt: skip


def include_paths(text: str) -> tuple[str, ...]:
    """The globs of further files that a `meltano.yml` asks for."""
    tree, _ = read_yaml(text, MELTANO_FILE)
    node = tree.child("include_paths")
    return tuple(str(n.value) for n in node.value) if node and isinstance(node.value, list) else ()


def parse_meltano(
    files: Mapping[str, str], root: Path, environment: str | None, env: Mapping[str, str], chooser: str
) -> LoadedProject:
    """The project that `meltano.yml` and the files that it includes describe, for one environment.

    Without `environment` the variables `chooser` and MELTANO_ENVIRONMENT choose it, else the file's
    default; an empty one is none. Raises: ProjectError telling everything that is wrong.
    """
    env = {**parse_dotenv(files.get(_DOTENV, "")), **env}
    notes: list[str] = []
    base, overlays = _assemble(files, root, notes)
    if environment is None:
        environment = env.get(chooser) or env.get(MELTANO_ENVIRONMENT) or _default(base)
    environment = environment or None
    if environment is not None and environment not in overlays:
        raise ProjectError(
            f"there is no environment `{environment}`",
            expected=either(overlays) or "an environment, but the project has none",
            hint=suggest(environment, overlays),
        )
    chosen = overlaid(base, overlays[environment]) if environment else base
    faults: list[ProjectError] = []
    checked = _validate(chosen, faults)
    raise_all(faults, f"`{MELTANO_FILE}`", frozenset())
    assert checked is not None
    values = {f: getattr(checked, f) for f in checked.model_fields_set}
    project = Project(root=root, environment=environment, **values)
    positions = Positions(chosen)
    raise_all(check_project(project, positions.where), f"`{MELTANO_FILE}`", frozenset())
    said = json.dumps([sorted(files.items()), environment, project.model_dump_json()])
    digest = hashlib.sha256(said.encode()).hexdigest()
    return LoadedProject(project, positions, digest, notes=tuple(dict.fromkeys(notes)), late=True)


def _default(base: Node) -> str | None:
    node = base.child("default_environment")
    return str(node.value) if node is not None and node.value is not None else None


def _validate(tree: Node, faults: list[ProjectError]) -> ProjectFile | None:
    try:
        return ProjectFile.model_validate(tree.plain())
    except ValidationError as error:
        faults += complaints(error, tree)
        return None


# --------------------------------------------------------------------------- putting it together


def _assemble(files: Mapping[str, str], root: Path, notes: list[str]) -> tuple[Node, dict[str, Node]]:
    """The tree of a project file that says the same, and its environments by name."""
    faults: list[ProjectError] = []
    trees = []
    for name in [MELTANO_FILE, *sorted(n for n in files if n not in (MELTANO_FILE, _DOTENV))]:
        tree, wrong = read_yaml(files[name], name)
        faults += wrong
        if not isinstance(tree.value, dict):
            faults.append(ProjectError("this is no project file", where=str(tree.at), expected="a mapping"))
        trees.append(tree)
    raise_all(faults, f"`{MELTANO_FILE}`", frozenset())
    keys: dict[str, Node] = {"name": grow(project_name(root), Position(MELTANO_FILE, 1))}
    lists: dict[str, list[Node]] = {}
    for tree in trees:
        assert isinstance(tree.value, dict)
        for key, node in tree.value.items():
            if key in _OURS and not isinstance(node.value, list | None):
                keys[key] = node
            elif isinstance(node.value, list):
                lists.setdefault(key, []).append(node)
            elif key not in (*THEIRS, "plugins", "environments", *_OURS, "include_paths"):
                notes.append(f"{node.at}: `{key}` means nothing here and is left out")
    for key, model in (("jobs", JobSpec), ("schedules", ScheduleSpec)):
        if key in lists:
            items = [_known(item, model, notes) for item in _items(lists[key])]
            keys[key] = Node(items, lists[key][0].at)
    keys["plugins"] = _plugins([t.child("plugins") for t in trees], trees[0].at, notes)
    overlays = {}
    for item in _items(lists.get("environments", [])):
        name, overlay = _environment(item, notes)
        overlays[name] = overlay
    return Node(keys, trees[0].at), overlays


def project_name(root: Path) -> str:
    """A name for the project in a folder, which `meltano.yml` does not have."""
    return re.sub(r"^[\W_]+|[^\w.-]+", "-", root.resolve().name).strip("-.") or "project"


def _items(lists: list[Node]) -> list[Node]:
    return [item for node in lists if isinstance(node.value, list) for item in node.value]


def _environment(item: Node, notes: list[str]) -> tuple[str, Node]:
    """An entry of `environments` as its name and what it lays over the project."""
    name, config, env = item.child("name"), item.child("config"), item.child("env")
    if name is None or not isinstance(name.value, str):
        raise ProjectError("an environment has no name", where=str(item.at), expected="`name`")
    keys: dict[str, Node] = {}
    if config is not None and (plugins := config.child("plugins")) is not None:
        keys["plugins"] = _plugins([plugins], item.at, notes)
    if env is not None and env.value is not None:
        keys["env"] = env
    return name.value, Node(keys, item.at)


def _plugins(found: list[Node | None], at: Position, notes: list[str]) -> Node:
    """The plugins of several files, list by list; what is no plugin of ours is noted."""
    lists: dict[str, list[Node]] = {}
    for node in found:
        for key, plugins in node.value.items() if node and isinstance(node.value, dict) else ():
            if key not in KINDS:
                notes.append(f"{plugins.at}: `{key}` are not run here and are left out")
            elif isinstance(plugins.value, list):
                lists.setdefault(key, []).extend(_known(p, PluginSpec, notes) for p in plugins.value)
    return Node({key: Node(list(items), items[0].at if items else at) for key, items in lists.items()}, at)


# ------------------------------------------------------------------------- what models know of


_PARTS: Mapping[tuple[type[BaseModel], str], type[BaseModel]] = {
    (PluginSpec, "settings"): PluginSettingSpec,
    (PluginSpec, "mappings"): MappingSpec,
    (PluginSpec, "commands"): PluginCommandSpec,
}
_QUIET = (PluginSettingSpec, PluginCommandSpec)
_UNHEEDED = frozenset({
    "container_spec", "docs", "repo", "logo_url", "maintenance_status", "keywords", "hidden", "domain_url",
    "definition", "ext_repo", "usage", "settings_preamble", "next_steps", "prereq", "quality", "metrics",
    "supported_python_versions", "requires_meltano", "annotations", "plugin_type", "auto_install",
    "use_cached_catalog", "stream_maps",
})  # fmt: skip


def _known(node: Node, model: type[BaseModel], notes: list[str]) -> Node:
    """A mapping without the keys that its model does not know; those are noted."""
    if not isinstance(node.value, dict):
        return node
    fields = {field.alias or name for name, field in model.model_fields.items()}
    kept = {}
    for key, inner in node.value.items():
        if key not in fields:
            if model not in _QUIET and key not in _UNHEEDED:
                notes.append(f"{inner.at}: `{key}` means nothing here and is left out")
            continue
        part = _PARTS.get((model, key))
        kept[key] = _parts(inner, part, notes) if part else inner
    return replace(node, value=kept)


def _parts(node: Node, model: type[BaseModel], notes: list[str]) -> Node:
    if isinstance(node.value, list):
        named = [
            Node({"name": item}, item.at) if isinstance(item.value, str) else _known(item, model, notes)
            for item in node.value
        ]
        return replace(node, value=named)
    if isinstance(node.value, dict):
        return replace(node, value={k: _known(v, model, notes) for k, v in node.value.items()})
    return node
