"""From resources to assets: the platform that knows of nothing but generators and definitions.

A user writes `data.py` (generators) and `definitions.py` (`ConfigurableDltResource.config(...)`), a folder
for each source. The factory finds them and makes a project of them: a pipeline a resource, whose files land,
are checked, kept and loaded as those of any pipeline. What the assets of it are is told by
`penstock.dagster.definitions`, in the words of a translator, and they are run by its resource.

    defs = DagsterDltFactory.build_definitions("sources", destination="duckdb:///warehouse.duckdb")
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticCustomError

from penstock.app.files import load_project
from penstock.app.session import Session
from penstock.dagster.dlt_resource import ConfigurableDltResource
from penstock.dagster.finding import find_resources
from penstock.dagster.meta import KEY
from penstock.dagster.settings import settings_of
from penstock.errors import NotFoundError, ProjectError
from penstock.project.load import make_project
from penstock.project.short import destination as expanded
from penstock.sources.dlt import is_dlt

if TYPE_CHECKING:
    from dagster import Definitions

    from penstock.dagster.translator import PenstockTranslator

# Any throughout: destinations and layers are the words of a project file

_DUCKDB = {"type": "duckdb", "path": "warehouse.duckdb"}


class DagsterDltFactory:
    """Makes Dagster's definitions of resources, or of the folder in which they are configured."""

    @staticmethod
    def build_definitions(
        resources: str | Path | Sequence[ConfigurableDltResource],
        *,
        root: str | Path | None = None,
        destination: str | Mapping[str, Any] | None = None,
        layers: Mapping[str, str] | None = None,
        translator: PenstockTranslator | None = None,
    ) -> Definitions:
        """An asset for each layer of each resource, their checks, and what makes them by themselves.

        `resources` is a folder with packages of `data.py` and `definitions.py`, or what `config` gave.
        `destination` and `layers` are as in a project file; if not given, those of the `penstock.yml` in
        `root` or the nearest folder above it, else a DuckDB file and folders in `root`. `root` is the
        folder of a search, else the working folder.
        Raises: ProjectError; NotFoundError.
        """
        from penstock.dagster.definitions import definitions
        from penstock.dagster.dlt_translator import DltTranslator

        session = session_of(resources, root=root, destination=destination, layers=layers)
        return definitions(session, translator=translator or DltTranslator())


def session_of(
    resources: str | Path | Sequence[ConfigurableDltResource],
    *,
    root: str | Path | None = None,
    destination: str | Mapping[str, Any] | None = None,
    layers: Mapping[str, str] | None = None,
) -> Session:
    """The project that resources are, in use. Arguments: as `DagsterDltFactory.build_definitions`."""
    home = Path(root) if root is not None else Path.cwd()
    name = None
    if isinstance(resources, str | Path):
        home = Path(root) if root is not None else Path(resources)
        name = Path(resources).absolute().name
        resources = find_resources(Path(resources))
    home, destination, layers = _settled(home.absolute(), destination, layers)
    said = {"name": name or _name(resources), **_said(resources, home, destination, layers)}
    return Session(make_project(said, home, "the configured resources"))


def _name(resources: Sequence[ConfigurableDltResource]) -> str:
    """What the project is called: as its schemas, so that several can be in one code location."""
    return "_".join(dict.fromkeys(one.schema or one.table for one in resources)) or "platform"


def _settled(
    root: Path, destination: str | Mapping[str, Any] | None, layers: Mapping[str, str] | None
) -> tuple[Path, str | Mapping[str, Any], Mapping[str, str] | None]:
    """Where the project is, where it leads and where its layers lie: as said, else as a project file says."""
    try:
        project = load_project(root).project
    except NotFoundError:
        return root, destination or _DUCKDB, layers
    own = settings_of(project)
    return project.root, destination or own.destination, own.layers if layers is None else layers


def _said(
    resources: Sequence[ConfigurableDltResource],
    root: Path,
    destination: str | Mapping[str, Any],
    layers: Mapping[str, str] | None,
) -> dict[str, Any]:
    """The words of a project file for resources. Raises: ProjectError when two have the same name."""
    names = [one.name for one in resources]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ProjectError(
            f"{names.count(twice[0])} resources are called `{twice[0]}`",
            expected="a name for each, as it is the key of its asset",
        )
    module = _module_of(resources, root)
    pipelines = {}
    for number, one in enumerate(resources):
        kind = "dlt" if is_dlt(one.resource) else "python"
        pipelines[one.name] = {
            "source": {"type": kind, "ref": f"{module}:resource_{number}"},
            "destination": _within(destination, one.schema),
            "tables": {one.table: _table(one)},
        }
    said = {"destination": destination, "pipelines": pipelines}
    return {**said, "layers": dict(layers)} if layers is not None else said


def _table(one: ConfigurableDltResource) -> dict[str, Any]:
    """What is said of a table: what its asset is to be, for whoever makes assets."""
    asked = {**one.meta.get(KEY, {}), **({"kinds": sorted(one.kinds)} if one.kinds else {})}
    words = {"meta": {**one.meta, KEY: asked}} if asked or one.meta else {}
    tags = sorted(f"{name}={value}" if value else name for name, value in one.tags.items())
    return {**words, **({"tags": tags} if tags else {})}


def _within(destination: str | Mapping[str, Any], schema: str | None) -> Any:
    """The destination with the schema, or the folder, of a resource."""
    try:
        spec = expanded(destination)
    except PydanticCustomError:
        return destination  # which the project complains of
    if schema is None or not isinstance(spec, Mapping):
        return spec
    if spec.get("type") == "parquet":
        return {**spec, "path": f"{str(spec.get('path')).rstrip('/')}/{schema}"}
    return {**spec, "schema": schema}


def _module_of(resources: Sequence[ConfigurableDltResource], root: Path) -> str:
    """The name of a module that holds the resources, so that a project can refer to them."""
    told = "\n".join((str(root), *(one.name for one in resources)))
    name = f"penstock_resources_{hashlib.sha256(told.encode()).hexdigest()[:12]}"
    module = ModuleType(name, "Resources that were configured for Dagster.")
    for number, one in enumerate(resources):
        setattr(module, f"resource_{number}", one.resource)
    sys.modules[name] = module
    return name
