"""What no single value of a project shows: places and tables that get in each other's way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations

from penstock.errors import ProjectError
from penstock.project.nodes import Path
from penstock.project.order import order_pipelines
from penstock.project.places import absolute, inside, overlap
from penstock.project.spec import DestinationSpec, DuckDBSpec, ParquetSpec, Project
from penstock.project.tables import dataset_of, destination_of, tables_of

Where = Callable[[Path], str]


def check_project(project: Project, where: Where) -> list[ProjectError]:
    """Everything about a project as a whole that cannot work, each with its place."""
    faults = [*_layers(project, where), *_datasets(project, where), *_tables(project, where)]
    try:
        order_pipelines(project, where=lambda name: where(("pipelines", name)))
    except ProjectError as circle:
        faults.append(circle)
    return faults


def _layers(project: Project, where: Where) -> Iterator[ProjectError]:
    """Layers that share files, and parquet tables that lie in a layer."""
    layers = {name: absolute(project.root, place) for name, place in project.layers.model_dump().items()}
    for one, other in combinations(layers, 2):
        if overlap(layers[one], layers[other]):
            yield ProjectError(
                f"the layers `{one}` and `{other}` share a folder",
                where=where(("layers", other)),
                found=getattr(project.layers, other),
                expected="a folder for each layer, none inside another",
            )
    places: dict[Path, DestinationSpec] = {("destination",): project.destination}
    places |= {
        ("pipelines", n, "destination"): p.destination for n, p in project.pipelines.items() if p.destination
    }
    for path, destination in places.items():
        if isinstance(destination, ParquetSpec):
            place = absolute(project.root, destination.path)
            for name in (n for n, layer in layers.items() if inside(place, layer)):
                yield ProjectError(
                    f"the destination lies in the layer `{name}`",
                    where=where(path),
                    found=destination.path,
                    expected="a folder outside the layers",
                )


def _datasets(project: Project, where: Where) -> Iterator[ProjectError]:
    """Pipelines that would take each other's files for their own."""
    datasets = {name: dataset_of(name, pipeline) for name, pipeline in project.pipelines.items()}
    for one, other in combinations(datasets, 2):
        if overlap(datasets[one], datasets[other]):
            yield ProjectError(
                f"the pipelines `{one}` and `{other}` would take each other's files",
                where=where(("pipelines", other, "dataset")),
                found=f"the datasets `{datasets[one]}` and `{datasets[other]}`",
                expected="a dataset for each pipeline, none inside another",
            )


def _tables(project: Project, where: Where) -> Iterator[ProjectError]:
    """Tables of one warehouse that two pipelines would write; warehouses fold the case of names."""
    writers: dict[tuple[str, str, str], str] = {}
    for name, pipeline in project.pipelines.items():
        place = _warehouse(project, destination_of(project, name))
        mine: dict[str, str] = {}
        for table in tables_of(pipeline):
            path = ("pipelines", name, "tables", table)
            twin = mine.setdefault(table.casefold(), table)
            if twin != table:
                what = f"the tables `{twin}` and `{table}` differ only in case"
                yield ProjectError(what, where=where(path), expected="names that differ in a warehouse too")
            writer = writers.setdefault((*place, table.casefold()), name)
            if writer != name:
                yield ProjectError(
                    f"the pipelines `{writer}` and `{name}` both write the table `{table}`",
                    where=where(path),
                    expected="one pipeline for each table, or a destination of its own",
                    hint="a rebuild of one would lose the rows of the other",
                )


def _warehouse(project: Project, destination: DestinationSpec) -> tuple[str, str]:
    schema = destination.schema_name if isinstance(destination, DuckDBSpec) else ""
    return absolute(project.root, destination.path), schema.casefold()
