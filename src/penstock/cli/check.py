"""`penstock check`: whether the project is right, without running any of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli import options
from penstock.cli.terminal import Terminal

if TYPE_CHECKING:
    from penstock.project.spec import Project
    from penstock.report.text import Line


def check(
    context: typer.Context,
    json_schema: Annotated[
        bool, typer.Option("--json-schema", help="Print the JSON Schema of penstock.yml, for editors.")
    ] = False,
    project: options.Project = None,
    environment: options.Environment = None,
    json: options.Json = False,
) -> None:
    """Validate the project without running anything."""
    terminal: Terminal = context.obj
    terminal.json = json
    if json_schema:
        from penstock.project.json_schema import json_schema as schema

        terminal.json = True
        terminal.answer(schema, lambda: ())
        return
    from penstock.cli.opening import opened

    with opened(terminal, project, environment) as session:
        session.check()
        models = session.model_names() if session.project.models is not None else []
        terminal.answer(lambda: _document(session.project, models), lambda: _lines(session.project, models))


def _document(project: Project, models: list[str]) -> dict[str, object]:
    from penstock.project.tables import tables_of

    return {
        "ok": True,
        "name": project.name,
        "root": str(project.root),
        "environment": project.environment,
        "pipelines": [
            {"pipeline": name, "source": spec.source.type, "tables": list(tables_of(spec))}
            for name, spec in project.pipelines.items()
        ],
        "models": models,
    }


def _lines(project: Project, models: list[str]) -> list[Line]:
    from penstock.project.tables import tables_of
    from penstock.report.text import counted, good, line

    tables = sum(len(tables_of(spec)) for spec in project.pipelines.values())
    facts = [counted(len(project.pipelines), "pipeline"), counted(tables, "table")]
    if models:
        facts.append(counted(len(models), "model"))
    if project.environment:
        facts.append(f"environment {project.environment}")
    return [line(good("ok"), f": {project.name}, {', '.join(facts)}")]
