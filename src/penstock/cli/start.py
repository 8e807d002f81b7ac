"""`penstock init`: a new project that runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from penstock.cli import options
from penstock.cli.terminal import Terminal
from penstock.errors import UsageError


def init(
    context: typer.Context,
    template: Annotated[
        str | None, typer.Argument(metavar="TEMPLATE", help="What kind of project.", show_default=False)
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="DIR", help="Where to put it; by default here.", show_default=False),
    ] = None,
    template_option: Annotated[
        str | None, typer.Option("--template", "-t", metavar="TEMPLATE", help="The same as TEMPLATE.")
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", "-n", metavar="NAME", help="The project's name; by default the folder's."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over files that are there.")] = False,
    no_input: Annotated[bool, typer.Option("--no-input", help="Never ask; take the defaults.")] = False,
    json: options.Json = False,
) -> None:
    """Make a new project that runs."""
    from penstock.cli.init import scaffold, templates

    terminal: Terminal = context.obj
    terminal.json = json
    if template_option is not None and template is not None:
        if folder is not None:
            found = f"{template} and --template {template_option}"
            raise UsageError("the template is given twice", found=found)
        folder = Path(template)
    asks = terminal.interactive and not (no_input or json)
    known = templates()
    chosen = template_option or template or _choose(known, asks)
    target = folder or Path()
    default = target.resolve().name or "project"
    if name is None:
        name = typer.prompt("Name of the project", default=default, err=True) if asks else default
    written = scaffold(chosen, target, {"name": name}, force=force)
    _tell(terminal, chosen, target, name, written)


def _choose(known: dict[str, str], asks: bool) -> str:
    first = next(iter(known))
    if not asks:
        return first
    width = max(map(len, known))
    for template, words in known.items():
        typer.echo(f"  {template:{width}}  {words}", err=True)
    return str(typer.prompt("Template", default=first, err=True))


def _tell(terminal: Terminal, template: str, target: Path, name: str, written: list[Path]) -> None:
    from penstock.report.text import good, line, strong

    document = {
        "name": name,
        "template": template,
        "folder": str(target.resolve()),
        "files": [path.as_posix() for path in written],
    }
    steps = [f"cd {target}"] if target != Path() else []
    terminal.answer(
        lambda: document,
        lambda: [
            *(line(f"  {path.as_posix()}") for path in written),
            line(good(f"made {name}"), f" from the template {template}; next:"),
            *(line("  ", strong(step)) for step in (*steps, "penstock check", "penstock run")),
        ],
    )
