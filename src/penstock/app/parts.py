"""From a name in the registry to the adapter behind it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from importlib import import_module
from typing import Any, cast

from penstock.app.references import find, resolve
from penstock.errors import MissingPartError, ProjectError, suggest
from penstock.ports import Destination, Producer, Source, Store
from penstock.project.loaded import LoadedProject
from penstock.project.maker import MakerSpec
from penstock.project.places import absolute
from penstock.project.sources import DltSpec, LandSpec, PythonSpec
from penstock.project.spec import DestinationSpec, ParquetSpec, PipelineSpec
from penstock.project.tables import destination_of, globs_of, tables_of
from penstock.registry import DESTINATIONS, SOURCES, STORES, Part


def load_part(parts: Mapping[str, Part], name: str, what: str) -> Any:  # Any: an adapter's class
    """The class behind a registered name.

    Raises: ProjectError for an unknown name; MissingPartError when its package is not installed.
    """
    if name not in parts:
        raise ProjectError(
            f"there is no {what} `{name}`", expected=", ".join(parts), hint=suggest(name, parts)
        )
    part = parts[name]
    module, _, attribute = part.path.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "penstock":
            raise
        hint = f"pip install 'penstock[{part.extra}]'" if part.extra else f"pip install {error.name}"
        raise MissingPartError(f"the {what} `{name}` needs a package", found=str(error), hint=hint) from error


def open_store(loaded: LoadedProject, place: str) -> Store:
    """The store at a folder or URL of the project; relative folders are the project's."""
    where = absolute(loaded.project.root, place)
    scheme = where.partition("://")[0] if "://" in where else "file"
    return cast(Store, load_part(STORES, scheme, "store")(where))


def open_destination(loaded: LoadedProject, pipeline: str) -> Destination:
    """The destination of a pipeline."""
    return open_warehouse(loaded, destination_of(loaded.project, pipeline))


def open_warehouse(loaded: LoadedProject, spec: DestinationSpec) -> Destination:
    """The destination that is described so, such as the project's own."""
    kind = load_part(DESTINATIONS, spec.type, "destination")
    if isinstance(spec, ParquetSpec):
        return cast(Destination, kind(spec, loaded.project.root, open_store(loaded, spec.path)))
    return cast(Destination, kind(spec, loaded.project.root))


def open_source(loaded: LoadedProject, name: str, pipeline: PipelineSpec) -> Source | Producer:
    """The source of a pipeline."""
    spec = pipeline.source
    kind = load_part(SOURCES, spec.type, "source")
    if isinstance(spec, DltSpec):
        place = {"pipeline": name, "folder": loaded.project.root}
        return cast(Producer, kind(find(loaded, name, spec), spec.arguments, spec.resources, **place))
    if isinstance(spec, PythonSpec):
        return cast(Producer, kind(resolve(loaded, name, spec), resources=spec.resources))
    if isinstance(spec, MakerSpec):
        return cast(Producer, kind(spec, loaded.project.root))
    if isinstance(spec, LandSpec):
        return cast(Source, kind())
    from penstock.sources.filesystem import FilesystemOptions

    formats = {name: table.format for name, table in tables_of(pipeline).items() if table.format}
    options = FilesystemOptions(globs_of(pipeline), spec.incremental, spec.min_age_s, formats)
    return cast(Source, kind(open_store(loaded, spec.url), options, time.time, time.sleep))
