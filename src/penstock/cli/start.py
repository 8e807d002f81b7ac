"""`penstock init`: a new project that runs."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from penstock.cli import options
from penstock.cli.terminal import Terminal
from penstock.errors import UsageError, suggest


def init(
    context: typer.Context,
    template: Annotated[
        str | None,
        typer.Argument(
            metavar="TEMPLATE",
            help="The kind of project: files, parquet, land, singer, postcodes or dagster-releases; "
            "else DIR, for singer.",
            show_default=False,
        ),
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
    known = templates()
    if template is not None and template_option is None and folder is None and _is_folder(template, known):
        template, folder = "singer", Path(template)  # as `meltano init` has it
    asks = terminal.interactive and not (no_input or json)
    chosen = template_option or template or (_choose(terminal, known) if asks else next(iter(known)))
    target = folder or Path()
    default = target.resolve().name or "project"
    if name is None:
        name = terminal.ask("Name of the project", default) if asks else default
    written = scaffold(chosen, target, {"name": name}, force=force)
    _tell(terminal, chosen, target, name, written)


def _is_folder(word: str, known: Iterable[str]) -> bool:
    """Whether a word that stands alone names a folder, and no template that was misspelt."""
    return word not in known and suggest(word, known) is None


def _choose(terminal: Terminal, known: dict[str, str]) -> str:
    from penstock.report.text import grid, strong

    terminal.say(grid([[strong(name), words] for name, words in known.items()], "ll"))
    return terminal.ask("Template", next(iter(known)))


def _tell(terminal: Terminal, template: str, target: Path, name: str, written: list[Path]) -> None:
    from penstock.report.text import good, line, strong

    document = {
        "name": name,
        "template": template,
        "folder": str(target.resolve()),
        "files": [path.as_posix() for path in written],
    }
    steps = [f"cd {shlex.quote(str(target))}"] if target != Path() else []
    steps += ["penstock generate"] if (target / "raw_data").is_dir() else []
    last = "python server.py penstock run" if (target / "server.py").is_file() else "penstock run"
    last = "penstock add extractor tap-github" if template == "singer" else last
    terminal.answer(
        lambda: document,
        lambda: [
            *(line(f"  {path.as_posix()}") for path in written),
            line(good(f"made {name}"), f" from the template {template}; next:"),
            *(line("  ", strong(step)) for step in (*steps, last)),
            line(f"{(target / 'README.md').as_posix()} tells more"),
        ],
    )
