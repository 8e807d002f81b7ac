"""The files of a dbt project: what its project file says, and a digest of all that decides what dbt reads."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.errors import NotFoundError, ProjectError

# Any throughout: YAML that a user wrote

PROJECT_FILE = "dbt_project.yml"
PACKAGE_FILES = ("packages.yml", "dependencies.yml")
_FOLDERS = {
    "model-paths": "models", "seed-paths": "seeds", "macro-paths": "macros", "snapshot-paths": "snapshots",
    "test-paths": "tests", "analysis-paths": "analyses", "function-paths": "functions",
    "docs-paths": "docs", "asset-paths": None,
}  # fmt: skip
_BESIDE = (PROJECT_FILE, *PACKAGE_FILES, "package-lock.yml", "selectors.yml")
_LARGE_BYTES = 4 << 20
_VARIABLE = re.compile(rb"env_var\(\s*['\"]([A-Za-z_][A-Za-z0-9_]*)['\"]")


@dataclass(frozen=True, slots=True)
class ProjectFile:
    """What a `dbt_project.yml` says: the project's name, its profile, and everything else as it was read."""

    folder: Path
    name: str
    profile: str
    said: Mapping[str, Any]

    @property
    def packages(self) -> Path:
        """Where dbt puts the packages that the project uses."""
        return self.folder / str(self.said.get("packages-install-path") or "dbt_packages")

    def folders(self) -> Iterator[Path]:
        """The folders in which the project's own files are."""
        for key, default in _FOLDERS.items():
            for name in self.said.get(key) or ([default] if default else []):
                yield self.folder / str(name)


def read_project(folder: Path, where: str | None = None) -> ProjectFile:
    """What a dbt project says of itself; `where` is the place that names its folder.

    Raises: NotFoundError when there is none in that folder; ProjectError when it cannot be read.
    """
    path = folder / PROJECT_FILE
    if not path.is_file():
        near = sorted(p.parent.name for p in folder.glob(f"*/{PROJECT_FILE}")) if folder.is_dir() else []
        raise NotFoundError(
            "there is no dbt project",
            where=where,
            found=f"no `{PROJECT_FILE}` in {folder}",
            hint=f"is it `{near[0]}` in that folder?" if near else None,
        )
    said = read_yaml(path)
    name = said.get("name")
    if not isinstance(name, str) or not name:
        raise ProjectError("the dbt project has no name", where=str(path), expected="`name:`")
    return ProjectFile(folder, name, str(said.get("profile") or name), said)


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file that is a mapping; an empty one for a file of comments alone. Raises: ProjectError."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        said = YAML(typ="safe", pure=True).load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        raise ProjectError("a file of dbt cannot be read", where=str(path), found=str(error)) from error
    if said is None:
        return {}
    if not isinstance(said, dict):
        raise ProjectError("a file of dbt is not a mapping", where=str(path))
    return said


def files_digest(project: ProjectFile, beside: Iterable[object], env: Mapping[str, str]) -> str:
    """Changes whenever something does that decides what dbt makes of the project.

    Files count by their bytes, large ones by size and time; `beside` is what counts beside them. Variables
    of the environment count where a file names them.
    """
    found = hashlib.sha256()
    variables: set[str] = set()
    for path in sorted(set(_files(project))):
        try:
            stat = path.stat()
            if stat.st_size > _LARGE_BYTES:
                said = f"{stat.st_size} {stat.st_mtime_ns}".encode()
            else:
                said = path.read_bytes()
                variables.update(name.decode() for name in _VARIABLE.findall(said))
        except OSError:
            continue  # it was taken away meanwhile, or is a link to nowhere
        near = path.is_relative_to(project.folder)
        name = path.relative_to(project.folder) if near else path
        found.update(f"{name}\0{len(said)}\0".encode())
        found.update(said)
    for variable in sorted(variables):
        found.update(f"{variable}={env.get(variable)!r}\0".encode())
    found.update(repr(list(beside)).encode())
    return found.hexdigest()


def _files(project: ProjectFile) -> Iterator[Path]:
    for name in _BESIDE:
        path = project.folder / name
        if path.is_file():
            yield path
    for folder in project.folders():
        yield from _below(folder)
    if project.packages.is_dir():
        for package in project.packages.iterdir():
            # a package of this machine is a link, and may change; others change with their version
            yield from _below(package.resolve()) if package.is_symlink() else (package / PROJECT_FILE,)


def _below(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and not any(p.startswith(".") for p in path.relative_to(folder).parts):
            yield path
