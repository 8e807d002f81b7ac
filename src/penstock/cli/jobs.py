"""`penstock job`: names for blocks that run one after the other."""

from __future__ import annotations

from typing import Annotated

import typer

from penstock.cli import options
from penstock.cli.terminal import Terminal
from penstock.errors import ProjectError, UsageError, suggest

job = typer.Typer(
    help="Give names to blocks that run one after the other.",
    invoke_without_command=True,
    rich_markup_mode=None,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The job's name.")]
Tasks = Annotated[
    list[str],
    typer.Option(
        "--tasks", metavar="TASKS", help="Blocks: 'tap-x target-y', or a YAML list of such. Repeatable."
    ),
]


@job.callback()
def _help(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@job.command()
def add(context: typer.Context, name: Name, tasks: Tasks, project: options.Project = None) -> None:
    """Add a job."""
    _write(context.obj, project, name, tasks, new=True)


@job.command("set")
def set_(context: typer.Context, name: Name, tasks: Tasks, project: options.Project = None) -> None:
    """Change what a job runs."""
    _write(context.obj, project, name, tasks, new=False)


@job.command("list")
def list_(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One job.", show_default=False)] = None,
    form: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
    project: options.Project = None,
    environment: options.Environment = None,
    json: options.Json = False,
) -> None:
    """List the jobs and what they run."""
    from penstock.cli.plugin_opening import plugins_of
    from penstock.report.text import faint, line, strong

    terminal: Terminal = context.obj
    terminal.json = json or form == "json"
    found = plugins_of(terminal, project, environment).loaded.project.jobs
    if name is not None:
        names = [j.name for j in found]
        found = tuple(j for j in found if j.name == name)
        if not found:
            raise _missing(name, names)
    document = [{"job_name": j.name, "tasks": list(j.tasks)} for j in found]
    none = [line(faint("no jobs"))]
    terminal.answer(
        lambda: {"jobs": document},
        lambda: [line(strong(j.name), f": {' '.join(j.blocks())}") for j in found] or none,
    )


@job.command()
def remove(context: typer.Context, name: Name, project: options.Project = None) -> None:
    """Take a job out of the project."""
    from penstock.cli.plugin_opening import writer_of
    from penstock.report.text import good, line

    terminal: Terminal = context.obj
    writer = writer_of(terminal, project, "")
    known = writer.plugins.loaded.project
    if name not in (names := [j.name for j in known.jobs]):
        raise _missing(name, names)
    if users := [s.name for s in known.schedules if s.job == name]:
        raise ProjectError(
            f"schedules run the job `{name}`",
            found=", ".join(users),
            hint="`penstock schedule remove` takes them out",
        )
    writer.drop_item("jobs", name)
    terminal.say([line(good(f"removed job {name}"))])


def _missing(name: str, known: list[str]) -> ProjectError:
    return ProjectError(
        f"there is no job `{name}`", expected=", ".join(known) or None, hint=suggest(name, known)
    )


def _write(terminal: Terminal, project: options.Project, name: str, tasks: list[str], *, new: bool) -> None:
    from penstock.app.blocks import check_blocks
    from penstock.cli.plugin_opening import writer_of
    from penstock.report.text import good, line

    writer = writer_of(terminal, project, "")
    known = [j.name for j in writer.plugins.loaded.project.jobs]
    if new and name in known:
        raise UsageError(f"there is a job `{name}` already", hint=f"`penstock job set {name}` changes it")
    if not new and name not in known:
        raise _missing(name, known)
    said = [task for text in tasks for task in tasks_in(text)]
    check_blocks(
        writer.plugins.loaded,
        [w for t in said for p in ([t] if isinstance(t, str) else t) for w in p.split()],
    )
    writer.put_item("jobs", {"name": name, "tasks": said})
    terminal.say([line(good(f"{'added' if new else 'set'} job {name}"), f": {writer.main_file}")])


def tasks_in(text: str) -> list[str | list[str]]:
    """The tasks of one `--tasks`: a text of blocks, or a YAML list of such, or of lists of them."""
    if not text.strip().startswith("["):
        return [text.strip()]
    from ruamel.yaml.error import YAMLError

    from penstock.project.editing import plain

    try:
        found = plain(text)
    except YAMLError as error:
        raise UsageError("the tasks are not a YAML list", found=text) from error
    return [[str(part) for part in task] if isinstance(task, list) else str(task) for task in found]
