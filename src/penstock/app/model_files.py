"""The files of a project's models: where they are, what they are called, and running those of Python."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic_core import PydanticCustomError

from penstock.app.references import run_file
from penstock.errors import ProjectError
from penstock.models.function import ModelFunction
from penstock.project import words
from penstock.project.loaded import LoadedProject

TOOLS = {".sql": "sql", ".py": "python"}
"""What builds the models of a file, by how its name ends."""


def folder_of(loaded: LoadedProject) -> Path | None:
    """The folder of models, None where there is none. Raises: ProjectError if it is not there."""
    spec = loaded.project.models
    if spec is None or spec.folder is None:
        return None
    folder = loaded.project.root / spec.folder
    if not folder.is_dir():
        raise ProjectError(
            "the folder of models is not there",
            where=loaded.where_of(("models", "path")),
            found=spec.folder,
            expected="a folder beside the project file, with `.sql` and `.py` files in it",
        )
    return folder


def shown(path: Path, root: Path) -> str:
    """A path as errors call it: relative to the project."""
    return Path(os.path.relpath(path, root)).as_posix()


def files_below(folder: Path) -> Iterator[Path]:
    """The files of models, by path; hidden ones, linked folders and what Python keeps for itself are none."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name == "__pycache__":
            continue
        if path.is_dir():
            if path.is_symlink():
                continue  # it may lead back here
            yield from files_below(path)
        elif path.suffix in TOOLS:
            yield path


def modules_of(path: Path, imports: Iterable[str], folder: Path) -> Iterator[Path]:
    """The files in the folder of models that a Python file in it imports."""
    for name in imports:
        steps = name.split(".")
        for place in dict.fromkeys((path.parent, folder)):
            for depth in range(1, len(steps) + 1):
                module = place.joinpath(*steps[:depth])
                yield from (
                    f for f in (module.with_name(f"{module.name}.py"), module / "__init__.py") if f.is_file()
                )


def name_of(path: Path, name: str) -> str:
    """The name of a model: that of its file. Raises: ProjectError if it cannot be one."""
    try:
        words.table(path.stem)
    except PydanticCustomError as error:
        facts = error.context or {}
        raise ProjectError(error.message(), where=name, expected=str(facts.get("expected", ""))) from None
    if "." in path.stem:
        raise ProjectError(
            f"'{path.stem}' cannot name a model",
            where=name,
            expected="a name without a dot",
            hint=f"`{path.stem.replace('.', '_')}{path.suffix}`; the destination has one schema",
        )
    return path.stem


def function_of(path: Path, name: str, folder: Path, root: Path) -> ModelFunction:
    """The decorated function of a file, which is run and may import what lies beside it."""
    try:
        module = run_file(path, name, list(dict.fromkeys((path.parent, folder, root))))
    except Exception as error:  # whatever the user's file raises
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
        raise ProjectError(
            "this file cannot be run",
            where=f"{name}:{lines[-1]}" if lines else name,
            found=f"{type(error).__name__}: {error}",
        ) from error
    own = [
        f
        for f in vars(module).values()
        if isinstance(f, ModelFunction) and f.function.__module__ == module.__name__
    ]
    if len(own) != 1:
        raise ProjectError(
            "the model of this file cannot be told", where=name, expected="one function below `@ps.model`"
        )
    return own[0]
