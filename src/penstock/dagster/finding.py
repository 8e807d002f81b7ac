"""The `definitions.py` files below a folder, imported, and the resources that they configure."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType

from penstock.dagster.dlt_resource import ConfigurableDltResource, collecting
from penstock.errors import NotFoundError, PenstockError, ProjectError

FILE = "definitions.py"
_LEFT_OUT = ("__pycache__", "node_modules", "site-packages")


def find_resources(folder: Path) -> tuple[ConfigurableDltResource, ...]:
    """What is configured in the files `definitions.py` of a folder and of those in it, in order of path.

    A folder is a package, with or without an `__init__.py`: relative imports (`from .data import …`) work
    within it and up to the folder that the search begins in.
    Raises: NotFoundError when there is no such file; ProjectError when one cannot be imported.
    """
    folder = folder.resolve()
    files = sorted(p for p in folder.rglob(FILE) if not _left_out(p.relative_to(folder)))
    if not files:
        raise NotFoundError(
            f"there is no `{FILE}`",
            where=str(folder),
            expected=f"a folder for each source, with a `{FILE}` that configures its resources",
        )
    found: list[ConfigurableDltResource] = []
    for file in files:
        with collecting() as configured:
            _import(file, _root_of(folder))
        found += configured
    return tuple(found)


def _left_out(path: Path) -> bool:
    return any(part in _LEFT_OUT or part.startswith(".") for part in path.parts)


def _root_of(folder: Path) -> Path:
    """The folder that holds the outermost package which `folder` belongs to; itself if it is in none."""
    while (folder / "__init__.py").is_file():
        folder = folder.parent
    return folder


def _import(file: Path, root: Path) -> ModuleType:
    """The file as a module of a package that is named after `root`, anew."""
    top = f"penstock_found_{hashlib.sha256(str(root).encode()).hexdigest()[:12]}"
    if top not in sys.modules:
        package = ModuleType(top, f"The packages in {root}")
        package.__path__ = [str(root)]
        sys.modules[top] = package
    name = ".".join((top, *file.relative_to(root).with_suffix("").parts))
    sys.modules.pop(name, None)  # a module that was imported before has configured its resources before
    sys.path.insert(0, str(root))
    importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    except PenstockError:
        raise
    except Exception as error:
        raise _told(error, file) from error
    finally:
        sys.path.remove(str(root))


def _told(error: Exception, file: Path) -> ProjectError:
    """What went wrong when a file was imported, with the line of the user's that did it."""
    if isinstance(error, SyntaxError):
        where = f"{error.filename or file}:{error.lineno}"
        return ProjectError(f"{file.name} cannot be read: {error.msg}", where=where, found=error.text)
    folder = str(file.parent)
    lines = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(folder)]
    where = f"{lines[-1].filename}:{lines[-1].lineno}" if lines else str(file)
    hint = None
    if isinstance(error, ModuleNotFoundError) and error.name:
        hint = f"install what brings `{error.name}`, or mend the import"
    return ProjectError(
        f"{file.name} cannot be imported", where=where, found=f"{type(error).__name__}: {error}", hint=hint
    )
