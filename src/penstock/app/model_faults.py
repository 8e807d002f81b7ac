"""What no single file of a project's models shows: names, order, and what only the engine can tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from penstock.app.conditions import wrong_conditions, wrong_queries
from penstock.errors import ProjectError
from penstock.project.loaded import LoadedProject
from penstock.project.tables import destination_of, tables_of

if TYPE_CHECKING:
    from penstock.app.models import LoadedModel


def same_names(loaded: LoadedProject, models: Sequence[LoadedModel]) -> Iterator[ProjectError]:
    """Names that two models have, or a model and a table; warehouses fold the case of names."""
    tables = _tables_beside(loaded)
    first: dict[str, LoadedModel] = {}
    for model in models:
        name = model.model.name
        twin = first.setdefault(name.casefold(), model)
        if twin is not model:
            yield ProjectError(
                f"two models are called `{name}`",
                where=model.model.path,
                found=f"{twin.model.path} is one already",
            )
        elif name.casefold() in tables:
            yield ProjectError(
                f"the model `{name}` is called as a table of the pipeline `{tables[name.casefold()]}`",
                where=model.model.path,
                expected="a name of its own, because both are relations of one warehouse",
            )


def _tables_beside(loaded: LoadedProject) -> Mapping[str, str]:
    """The tables that pipelines load to where models are built, and who loads each."""
    project = loaded.project
    home = project.destination
    return {
        table.casefold(): name
        for name, pipeline in project.pipelines.items()
        if destination_of(project, name) == home
        for table in tables_of(pipeline)
    }


def wrong_sql(models: Sequence[LoadedModel]) -> Iterator[ProjectError]:
    """What the engine has against the syntax of the models' conditions and queries."""
    for model in models:
        yield from wrong_conditions(model.spec, model.where)
    yield from wrong_queries([(m.model.sql, m.model.path) for m in models if m.model.tool == "sql"])


def wrong_order(models: Sequence[LoadedModel]) -> list[ProjectError]:
    """Models that wait for each other."""
    from penstock.models.graph import order

    try:
        order([m.model for m in models])
    except ProjectError as circle:
        return [circle]
    return []
