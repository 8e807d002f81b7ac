"""From `package.module:name` in a project file to the Python object behind it."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from penstock.errors import ProjectError, suggest
from penstock.project.loaded import LoadedProject
from penstock.project.sources import RefSpec


def resolve(loaded: LoadedProject, pipeline: str, spec: RefSpec) -> Any:  # Any: the project's own code
    """The object that a source refers to, called with its arguments if it has any.

    Modules are looked for in the project's folder first. Raises: ProjectError when there is none.
    """
    found = find(loaded, pipeline, spec)
    if not spec.arguments:
        return found
    if not callable(found):
        raise ProjectError(
            f"`{spec.ref}` takes no arguments",
            where=loaded.where_of(("pipelines", pipeline, "source", "with")),
            found=type(found).__name__,
            hint="leave `with` out, or refer to the function that makes it",
        )
    try:
        return found(**spec.arguments)
    except TypeError as error:
        raise ProjectError(
            f"`{spec.ref}` cannot be called with these arguments",
            where=loaded.where_of(("pipelines", pipeline, "source", "with")),
            found=str(error),
        ) from error


def find(loaded: LoadedProject, pipeline: str, spec: RefSpec) -> Any:  # Any: the project's own code
    """The object that a source refers to, as it is. Raises: ProjectError when there is none."""
    where = loaded.where_of(("pipelines", pipeline, "source", "ref"))
    return look_up(spec.ref, loaded.project.root, where)


def look_up(reference: str, root: Path, where: str) -> Any:
    """The object at `package.module:name` or `path/to/file.py:name`, relative to `root`.

    Raises: ProjectError when there is no such module, file or name.
    """
    place, _, attribute = reference.rpartition(":")
    with _importing(root):
        module = _file(root / place, where) if place.endswith(".py") else _module(place, where)
    value: Any = module
    for part in attribute.split("."):
        if not hasattr(value, part):
            raise ProjectError(f"`{place}` has no `{attribute}`", where=where, hint=suggest(part, dir(value)))
        value = getattr(value, part)
    return value


def _module(name: str, where: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(f"{error.name}.")):
            raise ProjectError(
                f"`{name}` needs a package that is not installed", where=where, found=str(error)
            ) from error
        raise ProjectError(
            f"there is no module `{name}`",
            where=where,
            expected="a module in the project's folder, or one that is installed",
        ) from error


def run_file(path: Path, where: str, folders: Sequence[Path]) -> ModuleType:
    """The module that a file makes, with `folders` as the first places to look for what it imports."""
    with ExitStack() as places:
        for folder in reversed(folders):
            places.enter_context(_importing(folder))
        return _file(path, where)


def _file(path: Path, where: str) -> ModuleType:
    if not path.is_file():
        raise ProjectError("there is no such file", where=where, found=str(path))
    name = f"penstock_ref_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@contextmanager
def _importing(root: Path) -> Iterator[None]:
    """The project's folder as the first place to look for modules."""
    sys.path.insert(0, str(root))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(root))
