"""The metadata files of a project, and what they and the project file promise of each table together."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from penstock.errors import ProjectError
from penstock.project.complaints import raise_all
from penstock.project.loaded import LoadedProject
from penstock.project.nodes import Reader, read_yaml
from penstock.project.positions import Positions
from penstock.project.spec import TableSpec
from penstock.project.tables import check_actions, check_keys, disposition_of, tables_of
from penstock.schema.formats.reading import Locate
from penstock.schema.metadata import read_metadata
from penstock.schema.table import Table


def metadata_files(loaded: LoadedProject) -> tuple[str, ...]:
    """The metadata files that the project names, each once; `package.module:Model` for a pydantic model."""
    return tuple(dict.fromkeys(_file_of(name) for name in _named(loaded)))


def _named(loaded: LoadedProject) -> tuple[str, ...]:
    """What tables write behind `metadata`: files, some with the name of a table in them (`file#table`)."""
    tables = (t for p in loaded.project.pipelines.values() for t in p.tables.values())
    return tuple(dict.fromkeys(t.metadata for t in tables if t.metadata))


def _file_of(name: str) -> str:
    return name.partition("#")[0]


def add_metadata(loaded: LoadedProject, files: Mapping[str, str], read: Reader = read_yaml) -> LoadedProject:
    """The project with its metadata files read, and every table checked.

    `files` maps the paths that the project writes to their texts; a file that is not there is
    missing; `read` reads YAML. Raises: ProjectError telling everything that is wrong.
    """
    faults: list[ProjectError] = []
    metadata: dict[str, Table] = {}
    for named in _named(loaded):
        path, _, part = named.partition("#")
        if path in files:
            try:
                metadata[named] = read_table(path, files[path], part or None, read)
            except ProjectError as wrong:
                faults.append(wrong)
    full = replace(loaded, metadata=metadata)
    for pipeline, spec in loaded.project.pipelines.items():
        for name, table in tables_of(spec).items():
            if table.metadata and _file_of(table.metadata) not in files:
                faults.append(_missing(full, pipeline, name, table.metadata))
            elif not table.metadata or table.metadata in metadata:
                faults += _check_table(full, pipeline, name, table)
    raise_all(faults, f"`{loaded.positions.tree.at.file}`", loaded.secrets)
    said = json.dumps([loaded.digest, sorted(files.items())])
    return replace(full, digest=hashlib.sha256(said.encode()).hexdigest())


def read_table(path: str, text: str, part: str | None, read: Reader = read_yaml) -> Table:
    """The table of a metadata file, or `part` of it; its own errors have lines if it is YAML."""
    raw, locate = read_document(path, text, read)
    return read_metadata(raw, name=PurePosixPath(path).stem, where=path, locate=locate, part=part)


def read_document(
    path: str, text: str, read: Reader = read_yaml
) -> tuple[Any, Locate | None]:  # Any: whatever the file holds
    """A metadata file as plain values, and what tells the line of each, if it is YAML.

    Raises: ProjectError for text that is neither.
    """
    if path.endswith(".json"):
        try:
            return json.loads(text, object_pairs_hook=_once), None
        except json.JSONDecodeError as error:
            raise ProjectError(f"this is not JSON: {error.msg}", where=f"{path}:{error.lineno}") from None
        except KeyError as error:
            raise ProjectError(
                f"the key `{error.args[0]}` is there twice in one object", where=path
            ) from None
    tree, faults = read(text, path)
    raise_all(faults, f"`{path}`")
    positions = Positions(tree)
    return tree.plain(), lambda p: str(positions.of(p))


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise KeyError(key)
        found[key] = value
    return found


def _missing(loaded: LoadedProject, pipeline: str, table: str, path: str) -> ProjectError:
    return ProjectError(
        f"the metadata file of `{table}` is not there",
        where=loaded.where_of(("pipelines", pipeline, "tables", table, "metadata")),
        found=path,
        expected="a YAML or JSON file, relative to the project's folder, or `package.module:Model`",
    )


def _check_table(loaded: LoadedProject, pipeline: str, name: str, spec: TableSpec) -> list[ProjectError]:
    """What is wrong with a table once its metadata is known."""
    where = loaded.below(pipeline, name)
    try:
        table = loaded.table(pipeline, name)
        disposition_of(spec, table, where=where)
    except ProjectError as wrong:
        return [wrong]
    return [*check_keys(spec, table, where=where), *check_actions(spec, table, where=where)]
