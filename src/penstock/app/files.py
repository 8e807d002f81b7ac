"""The files of a project on a disk: finding them, reading them, and loading what they say."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from penstock.app.trees import Trees
from penstock.errors import NotFoundError, ProjectError
from penstock.project.load import DOTENV, ENVIRONMENT, PROJECT_FILES, parse_project
from penstock.project.loaded import LoadedProject
from penstock.project.meltano import MELTANO_FILE, include_paths, parse_meltano
from penstock.project.metadata import add_metadata, metadata_files
from penstock.project.spec import Project

PIPELINES = "pipelines"


def load_project(
    start: Path | None = None, environment: str | None = None, env: Mapping[str, str] | None = None
) -> LoadedProject:
    """The project in `start` or the nearest folder above it, with its lines, secrets and metadata.

    `start` is a folder or the project file itself; without it the search begins in the working
    folder. `env` stands for the variables of the process. A folder with a `meltano.yml` and no project
    file is a project, too.
    Raises: NotFoundError when there is no project; ProjectError telling everything that is wrong.
    """
    file = find_project(start)
    root = file.parent
    if file.name == MELTANO_FILE:
        return _load_meltano(file, environment, os.environ if env is None else env)
    files = {file.name: read_text(file, file.name)}
    folder = root / PIPELINES
    if folder.is_dir():
        found = sorted(p for p in folder.iterdir() if p.suffix in (".yml", ".yaml") and p.is_file())
        files |= {f"{PIPELINES}/{p.name}": read_text(p, f"{PIPELINES}/{p.name}") for p in found}
    if (root / DOTENV).is_file():
        files[DOTENV] = read_text(root / DOTENV, DOTENV)
    trees = Trees(root / ".penstock" / "trees.msgpack")
    loaded = parse_project(files, root, environment, os.environ if env is None else env, trees.read)
    full = add_metadata(loaded, metadata_texts(metadata_files(loaded), root), trees.read)
    trees.keep()
    return full


def metadata_texts(names: Iterable[str], root: Path) -> dict[str, str]:
    """The texts of metadata files by the names that the project writes; a file that is not there has none.

    `package.module:Model` is a pydantic model. Raises: ProjectError for what cannot be read.
    """
    named = {name: root / name for name in names}
    texts = {n: read_text(path, n) for n, path in named.items() if path.is_file()}
    models = [n for n, path in named.items() if ":" in n and not path.is_file()]
    return texts | {n: _model(n, root) for n in models}


def _load_meltano(file: Path, environment: str | None, env: Mapping[str, str]) -> LoadedProject:
    files = meltano_files(file)
    if (file.parent / DOTENV).is_file():
        files[DOTENV] = read_text(file.parent / DOTENV, DOTENV)
    return parse_meltano(files, file.parent, environment, env, ENVIRONMENT)


def meltano_files(file: Path) -> dict[str, str]:
    """The texts of a `meltano.yml` and of the files that it includes, by their path beside it."""
    files = {file.name: read_text(file, file.name)}
    for glob in include_paths(files[file.name]):
        for path in sorted(p for p in file.parent.glob(glob) if p.is_file()):
            name = path.relative_to(file.parent).as_posix()
            files.setdefault(name, read_text(path, name))
    return files


def read_project(start: Path | None = None, environment: str | None = None) -> Project:
    """The typed values of a project alone. Raises: as `load_project`."""
    return load_project(start, environment).project


def find_project(start: Path | None = None) -> Path:
    """The project file: `start` itself, or the one in it or in the nearest folder above it.

    Raises: NotFoundError; ProjectError when a folder has two.
    """
    begin = (start or Path.cwd()).absolute()
    if begin.is_file():
        return begin
    for folder in (begin, *begin.parents):
        found = [folder / name for name in PROJECT_FILES if (folder / name).is_file()]
        if len(found) > 1:
            names = " and ".join(p.name for p in found)
            raise ProjectError("a folder can hold one project", where=str(folder), found=names)
        if not found and (folder / MELTANO_FILE).is_file():
            found = [folder / MELTANO_FILE]
        if found:
            return found[0]
    raise NotFoundError(
        "there is no project here",
        where=str(begin),
        expected=f"`{PROJECT_FILES[0]}` in this folder or one above it",
        hint="`penstock init` makes one",
    )


def _model(reference: str, root: Path) -> str:
    """The table of a pydantic model as the text of a metadata file. Raises: ProjectError."""
    from penstock.app.references import look_up
    from penstock.schema.formats.pydantic_read import is_model
    from penstock.schema.metadata import read_model, write_metadata

    model = look_up(reference, root, reference)
    if not is_model(model):
        raise ProjectError(
            "the metadata is no pydantic model",
            where=reference,
            found=repr(model),
            expected="a class of pydantic",
        )
    tables = read_model(model, name=model.__name__, where=reference).tables
    return json.dumps(write_metadata(tables, "own").document, default=str)


def read_text(path: Path, name: str) -> str:
    """The text of a file. Raises: ProjectError when it cannot be read or is not UTF-8."""
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ProjectError("this is not UTF-8 text", where=f"{name}:{line}") from None
    except OSError as error:
        raise ProjectError("this file cannot be read", where=name, found=error.strerror) from error
