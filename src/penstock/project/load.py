"""The texts of a project as typed values that know their lines. Reads no disk: `app.files` does.

`parse_project` takes the project file, `pipelines/*.yml` and `.env`; `metadata.add_metadata` then
takes the metadata files that the project names. Everything that is wrong is told at once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from penstock.errors import ProjectError, suggest
from penstock.project.checks import check_project
from penstock.project.complaints import complaints, raise_all
from penstock.project.loaded import LoadedProject
from penstock.project.nodes import Node, Position, Reader, grow, read_yaml, where
from penstock.project.plugins import overlaid
from penstock.project.positions import Positions
from penstock.project.spec import PipelineSpec, Project, ProjectFile
from penstock.project.variables import fill, parse_dotenv
from penstock.schema.faults import either

__all__ = ["DOTENV", "ENVIRONMENT", "PROJECT_FILES", "LoadedProject", "make_project", "parse_project"]

PROJECT_FILES = ("penstock.yml", "penstock.yaml")
DOTENV = ".env"
ENVIRONMENT = "PENSTOCK_ENVIRONMENT"


# ---------------------------------------------------------------------------------- the project


def parse_project(
    files: Mapping[str, str],
    root: Path,
    environment: str | None,
    env: Mapping[str, str],
    read: Reader = read_yaml,
) -> LoadedProject:
    """The project that `files` (path below `root` to text, which `read` reads) describe, for one environment.

    `env` holds the variables of the process, which win over those of a `.env` among the files;
    without `environment` the variable PENSTOCK_ENVIRONMENT chooses, else `default_environment`;
    an empty one is none.
    Raises: ProjectError telling everything that is wrong, each with its line.
    """
    env = {**parse_dotenv(files.get(DOTENV, "")), **env}
    base, overlays = _assemble(files, read)
    if environment is None:
        environment = env.get(ENVIRONMENT) or _default_environment(base)
    environment = environment or None
    if environment is not None and environment not in overlays:
        raise _no_environment(environment, overlays)
    chosen = overlaid(base, overlays[environment]) if environment else base
    filled = fill(chosen, env)
    faults = list(filled.errors)
    checked = _validate(filled.node, faults)
    for name in overlays.keys() - {environment}:
        _validate(fill(overlaid(base, overlays[name]), env).node, faults)
    positions = Positions(filled.node)
    project = None
    if checked and not faults:
        values = {f: getattr(checked, f) for f in checked.model_fields_set}
        project = Project(root=root, environment=environment, **values)
        faults = check_project(project, positions.where)
    raise_all(faults, _subject(files), filled.secrets)
    assert project is not None
    said = json.dumps([sorted(files.items()), environment, project.model_dump_json()])
    return LoadedProject(project, positions, hashlib.sha256(said.encode()).hexdigest(), filled.secrets)


def make_project(said: Mapping[str, object], root: Path, name: str) -> LoadedProject:
    """The project that plain values describe, as a program gives them; `name` is what errors call it.

    Raises: ProjectError telling everything that is wrong.
    """
    tree = grow(said, Position(name, 0))
    faults: list[ProjectError] = []
    checked = _validate(tree, faults)
    raise_all(faults, name, frozenset())
    assert checked is not None
    project = Project(root=root, **{f: getattr(checked, f) for f in checked.model_fields_set})
    raise_all(check_project(project, Positions(tree).where), name, frozenset())
    digest = hashlib.sha256(project.model_dump_json().encode()).hexdigest()
    return LoadedProject(project, Positions(tree), digest)


def _default_environment(base: Node) -> str | None:
    node = base.child("default_environment")
    return str(node.value) if node is not None and node.value is not None else None


def _subject(files: Iterable[str]) -> str:
    return next((f"`{name}`" for name in PROJECT_FILES if name in files), "the project")


def _validate(tree: Node, faults: list[ProjectError]) -> ProjectFile | None:
    """The typed values of a tree; what is wrong with it goes to `faults`."""
    try:
        return ProjectFile.model_validate(tree.plain())
    except ValidationError as error:
        faults += complaints(error, tree)
        return None


def _no_environment(name: str, known: Iterable[str]) -> ProjectError:
    return ProjectError(
        f"there is no environment `{name}`",
        expected=either(known) or "an environment, but the project has none",
        hint=suggest(name, known) or "environments are the keys below `environments:` in the project file",
    )


# --------------------------------------------------------------------------- putting it together


def _assemble(files: Mapping[str, str], read: Reader) -> tuple[Node, dict[str, Node]]:
    """The project's tree without its environments, and the environments by name."""
    name = next((n for n in PROJECT_FILES if n in files), None)
    if name is None:
        raise ProjectError("there is no project file", expected=either(PROJECT_FILES))
    tree, faults = read(files[name], name)
    if not isinstance(tree.value, dict):
        raise ProjectError(
            "the project file is no mapping", where=str(tree.at), expected="`name:` and more keys"
        )
    keys = dict(tree.value)
    environments = keys.pop("environments", None)
    pipelines = _pipelines(files, read, faults)
    own = keys.get("pipelines")
    if pipelines and (own is None or own.value is None or isinstance(own.value, dict)):
        mine = own.value if own and isinstance(own.value, dict) else {}
        for key in mine.keys() & pipelines.keys():
            faults.append(_twice(key, mine[key].at, pipelines[key].at))
        keys["pipelines"] = Node({**mine, **pipelines}, own.at if own else tree.at)
    overlays = _environments(environments, faults)
    raise_all(faults, _subject(files))
    return Node(keys, tree.at), overlays


def _environments(node: Node | None, faults: list[ProjectError]) -> dict[str, Node]:
    if node is None or node.value is None:
        return {}
    if isinstance(node.value, dict):
        odd = {k: n for k, n in node.value.items() if not isinstance(n.value, dict | None)}
        wrong = [where(n.at, ("environments", k)) for k, n in odd.items()]
    else:
        wrong = [where(node.at, ("environments",))]
    faults += [ProjectError("an environment must be a mapping", where=place) for place in wrong]
    if wrong or not isinstance(node.value, dict):
        return {}
    return {k: n if n.value is not None else replace(n, value={}) for k, n in node.value.items()}


def _pipelines(files: Mapping[str, str], read: Reader, faults: list[ProjectError]) -> dict[str, Node]:
    """The pipelines of `pipelines/*.yml`: one named by its file, or a mapping of names to pipelines."""
    found: dict[str, Node] = {}
    for file in sorted(f for f in files if f.startswith("pipelines/")):
        tree, wrong = read(files[file], file)
        faults += wrong
        if not isinstance(tree.value, dict):
            faults.append(ProjectError("a pipeline must be a mapping", where=str(tree.at)))
            continue
        alone = tree.value.keys() & PipelineSpec.model_fields.keys()
        for name, node in ({PurePosixPath(file).stem: tree} if alone else tree.value).items():
            if name in found:
                faults.append(_twice(name, found[name].at, node.at))
            found[name] = node
    return found


def _twice(name: str, first: Position, second: Position) -> ProjectError:
    return ProjectError(
        f"the pipeline `{name}` is there twice", where=str(second), hint=f"it is at {first} already"
    )
