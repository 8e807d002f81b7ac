"""`penstock schedule`: when jobs are to run, for an orchestrator to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.cli import options
from penstock.cli.terminal import Terminal
from penstock.errors import ProjectError, UsageError, suggest

if TYPE_CHECKING:
    from penstock.project.plugins import ScheduleSpec

# Any throughout: items as the project file has them

schedule = typer.Typer(
    help="Say when jobs are to run; an orchestrator looks after it.",
    invoke_without_command=True,
    rich_markup_mode=None,
)

_CRON = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_NEVER = ("@once", "@manual", "@none")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The schedule's name.")]
Job = Annotated[str | None, typer.Option("--job", metavar="JOB", help="The job to run.")]
Interval = Annotated[
    str | None,
    typer.Option("--interval", metavar="CRON", help="Five cron fields, @daily and such, or @once."),
]


@schedule.callback()
def _help(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@schedule.command()
def add(
    context: typer.Context,
    name: Name,
    job: Job = None,
    interval: Interval = None,
    extractor: Annotated[
        str | None, typer.Option("--extractor", metavar="TAP", help="An extractor, in place of a job.")
    ] = None,
    loader: Annotated[
        str | None, typer.Option("--loader", metavar="TARGET", help="The loader that goes with it.")
    ] = None,
    project: options.Project = None,
) -> None:
    """Add a schedule."""
    if (job is None) is (extractor is None and loader is None):
        raise UsageError(
            "it is not said what to run, once", expected="`--job JOB`, or `--extractor TAP --loader TARGET`"
        )
    said = {"interval": interval, "job": job, "extractor": extractor, "loader": loader}
    if interval is None:
        raise UsageError("it is not said when", expected="`--interval`, such as @daily")
    _write(context.obj, project, name, said, new=True)


@schedule.command("set")
def set_(
    context: typer.Context,
    name: Name,
    job: Job = None,
    interval: Interval = None,
    project: options.Project = None,
) -> None:
    """Change a schedule."""
    _write(context.obj, project, name, {"interval": interval, "job": job}, new=False)


@schedule.command("list")
def list_(
    context: typer.Context,
    form: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
    project: options.Project = None,
    environment: options.Environment = None,
    json: options.Json = False,
) -> None:
    """List the schedules; as JSON with what an orchestrator needs."""
    from penstock.cli.plugin_opening import plugins_of
    from penstock.report.text import faint, line, strong

    terminal: Terminal = context.obj
    terminal.json = json or form == "json"
    loaded = plugins_of(terminal, project, environment).loaded
    found = loaded.project.schedules
    jobs = {j.name: j for j in loaded.project.jobs}
    none = [line(faint("no schedules"))]
    terminal.answer(
        lambda: {
            "schedules": {
                "job": [_job_document(s, jobs) for s in found if s.job is not None],
                "elt": [_pair_document(s) for s in found if s.job is None],
            }
        },
        lambda: [line(strong(s.name), f": {s.interval}, {' '.join(_blocks(s))}") for s in found] or none,
    )


@schedule.command()
def run(
    context: typer.Context,
    name: Name,
    project: options.Project = None,
    environment: options.Environment = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Run what a schedule runs, now."""
    from penstock.cli.plugin_opening import plugins_of
    from penstock.cli.run import run as run_pipelines

    found = plugins_of(context.obj, project, environment).loaded.project.schedules
    chosen = next((s for s in found if s.name == name), None)
    if chosen is None:
        raise _missing(name, [s.name for s in found])
    run_pipelines(context, _blocks(chosen), project=project, environment=environment, json=json, quiet=quiet)


@schedule.command()
def remove(context: typer.Context, name: Name, project: options.Project = None) -> None:
    """Take a schedule out of the project."""
    from penstock.cli.plugin_opening import writer_of
    from penstock.report.text import good, line

    terminal: Terminal = context.obj
    writer = writer_of(terminal, project, "")
    names = [s.name for s in writer.plugins.loaded.project.schedules]
    if name not in names:
        raise _missing(name, names)
    writer.drop_item("schedules", name)
    terminal.say([line(good(f"removed schedule {name}"))])


def cron_interval(interval: str) -> str | None:
    """Five cron fields for an interval; None for one that no clock starts."""
    return None if interval in _NEVER else _CRON.get(interval, interval)


def _blocks(found: ScheduleSpec) -> list[str]:
    if found.job is not None:
        return [found.job]
    return [name for name in (found.extractor, found.loader) if name is not None]


def _job_document(found: ScheduleSpec, jobs: dict[str, Any]) -> dict[str, Any]:
    tasks = list(jobs[found.job].tasks) if found.job in jobs else []
    return {**_common(found), "job": {"name": found.job, "tasks": tasks}}


def _pair_document(found: ScheduleSpec) -> dict[str, Any]:
    pair = {"extractor": found.extractor, "loader": found.loader, "transform": found.transform}
    return {**_common(found), **pair, "elt_args": [*_blocks(found), f"--transform={found.transform}"]}


def _common(found: ScheduleSpec) -> dict[str, Any]:
    return {
        "name": found.name,
        "interval": found.interval,
        "cron_interval": cron_interval(found.interval),
        "start_date": found.start_date,
        "env": dict(found.env),
    }


def _missing(name: str, known: list[str]) -> ProjectError:
    return ProjectError(
        f"there is no schedule `{name}`", expected=", ".join(known) or None, hint=suggest(name, known)
    )


def _write(
    terminal: Terminal, project: options.Project, name: str, said: dict[str, Any], *, new: bool
) -> None:
    from pydantic_core import PydanticCustomError

    from penstock.cli.plugin_opening import writer_of
    from penstock.project.words import cron
    from penstock.report.text import good, line

    writer = writer_of(terminal, project, "")
    loaded = writer.plugins.loaded.project
    present = next((s for s in loaded.schedules if s.name == name), None)
    if new and present is not None:
        raise UsageError(
            f"there is a schedule `{name}` already", hint=f"`penstock schedule set {name}` changes it"
        )
    if not new and present is None:
        raise _missing(name, [s.name for s in loaded.schedules])
    jobs = [j.name for j in loaded.jobs]
    if said.get("job") is not None and said["job"] not in jobs:
        raise ProjectError(
            f"there is no job `{said['job']}`",
            expected=", ".join(jobs) or "`penstock job add` first",
            hint=suggest(said["job"], jobs),
        )
    if said.get("interval") and said["interval"] not in _NEVER:
        try:
            cron(said["interval"])
        except PydanticCustomError as error:
            raise UsageError(error.message(), expected=(error.context or {}).get("expected")) from None
    before = present.model_dump(include=present.model_fields_set) if present else {"name": name}
    writer.put_item("schedules", {**before, **{k: v for k, v in said.items() if v is not None}})
    terminal.say([line(good(f"{'added' if new else 'set'} schedule {name}"), f": {writer.main_file}")])
