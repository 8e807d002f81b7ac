"""`penstock state`: how far the sources of pipelines have come, to look at, to set and to carry elsewhere."""

from __future__ import annotations

import json as json_format
import re
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.cli import options
from penstock.cli.terminal import Terminal
from penstock.errors import ProjectError, RefusedError, UsageError

if TYPE_CHECKING:
    from penstock.app.session import Session

# Any throughout: a state is whatever a source likes

state = typer.Typer(
    help="Look at the states of pipelines, set them, and carry them elsewhere.",
    invoke_without_command=True,
    rich_markup_mode=None,
)

StateId = Annotated[
    str, typer.Argument(metavar="ID", help="A pipeline, such as tap-github-to-target-jsonl, or dev:that.")
]
Input = Annotated[
    Path | None, typer.Option("--input-file", metavar="FILE", help="A file that has the state.")
]
Force = Annotated[bool, typer.Option("--force", "-f", "--yes", "-y", help="Do not ask.")]


@state.callback()
def _help(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@state.command("list")
def list_(
    context: typer.Context,
    pattern: Annotated[
        str | None, typer.Option("--pattern", metavar="GLOB", help="Only pipelines that are called so.")
    ] = None,
    project: options.Project = None,
    environment: options.Environment = None,
    json: options.Json = False,
) -> None:
    """List the pipelines that have a state."""
    from penstock.cli.opening import opened
    from penstock.report.text import faint, line

    terminal: Terminal = context.obj
    terminal.json = json
    with opened(terminal, project, environment) as session:
        names = [name for name in session.with_state() if fnmatch(name, pattern or "*")]
    none = [line(faint("no pipeline has a state"))]
    terminal.answer(lambda: names, lambda: [line(name) for name in names] or none)


@state.command()
def get(
    context: typer.Context,
    state_id: StateId,
    project: options.Project = None,
    environment: options.Environment = None,
) -> None:
    """Print a pipeline's state as JSON."""
    terminal: Terminal = context.obj
    with _session(terminal, project, environment, state_id) as (session, name):
        found = session.state(name)
    terminal.out_text((found if found is not None else "{}") + "\n")


@state.command("set")
def set_(
    context: typer.Context,
    state_id: StateId,
    text: Annotated[
        str | None, typer.Argument(metavar="STATE", help="The state as JSON.", show_default=False)
    ] = None,
    input_file: Input = None,
    force: Force = False,
    project: options.Project = None,
    environment: options.Environment = None,
) -> None:
    """Put a state in the place of a pipeline's own."""
    terminal: Terminal = context.obj
    said = _given(text, input_file)
    with _session(terminal, project, environment, state_id) as (session, name):
        _confirm(terminal, f"Put another state in the place of that of {name}?", force=force)
        _put(terminal, session, name, said, "set")


@state.command()
def merge(
    context: typer.Context,
    state_id: StateId,
    text: Annotated[
        str | None, typer.Argument(metavar="STATE", help="The state as JSON.", show_default=False)
    ] = None,
    input_file: Input = None,
    other: Annotated[
        str | None, typer.Option("--from-state-id", metavar="ID", help="That of another pipeline.")
    ] = None,
    project: options.Project = None,
    environment: options.Environment = None,
) -> None:
    """Lay a state over a pipeline's own."""
    from penstock.singer.state import merge as merged

    terminal: Terminal = context.obj
    if other is not None:
        with _session(terminal, project, environment, other) as (session, name):
            said = json_format.loads(session.state(name) or "{}")
    else:
        said = _given(text, input_file)
    with _session(terminal, project, environment, state_id) as (session, name):
        before = json_format.loads(session.state(name) or "{}")
        _put(terminal, session, name, merged(before, said), "merged")


@state.command()
def clear(
    context: typer.Context,
    state_id: Annotated[
        str | None, typer.Argument(metavar="ID", help="A pipeline.", show_default=False)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="The states of all pipelines.")] = False,
    force: Force = False,
    project: options.Project = None,
    environment: options.Environment = None,
) -> None:
    """Forget a pipeline's state, so that its source is asked for everything. Tables stay as they are."""
    from penstock.cli.opening import opened

    terminal: Terminal = context.obj
    if (state_id is None) is not everything:
        raise UsageError("it is not said which state", expected="a pipeline, or `--all`")
    if state_id is not None:
        with _session(terminal, project, environment, state_id) as (session, name):
            _confirm(terminal, f"Forget the state of {name}?", force=force)
            _put(terminal, session, name, {}, "cleared")
        return
    with opened(terminal, project, environment) as session:
        names = list(session.with_state())
        _confirm(terminal, f"Forget the states of {len(names)} pipelines?", force=force)
        for name in names:
            _put(terminal, session, name, {}, "cleared")


@state.command()
def copy(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="FROM", help="A pipeline.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="Another pipeline.")],
    force: Force = False,
    project: options.Project = None,
    environment: options.Environment = None,
) -> None:
    """Put a pipeline's state in the place of another's."""
    _carry(context.obj, source, target, project, environment, force=force, keep=True)


@state.command()
def move(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="FROM", help="A pipeline.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="Another pipeline.")],
    force: Force = False,
    project: options.Project = None,
    environment: options.Environment = None,
) -> None:
    """The same, and forget it where it was."""
    _carry(context.obj, source, target, project, environment, force=force, keep=False)


@state.command()
def export(
    context: typer.Context,
    state_ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID...]", help="Pipelines; all by default.", show_default=False),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to a file.")
    ] = None,
    project: options.Project = None,
    environment: options.Environment = None,
) -> None:
    """Write states as one JSON document, by pipeline."""
    from penstock.cli.opening import opened

    terminal: Terminal = context.obj
    with opened(terminal, project, environment) as session:
        if state_ids:
            bare = [_parted(state_id)[1] for state_id in state_ids]
            found = {name: session.state(name) or "{}" for name in bare}
        else:
            found = session.with_state()
    document = {name: json_format.loads(text) for name, text in found.items()}
    text = json_format.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if output is None:
        terminal.out_text(text)
    else:
        output.write_text(text, "utf-8")


@state.command("import")
def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `penstock state export` wrote.")],
    force: Force = False,
    project: options.Project = None,
    environment: options.Environment = None,
) -> None:
    """Set states from one JSON document, by pipeline."""
    terminal: Terminal = context.obj
    found = _given(None, file)
    wrong = [name for name, value in found.items() if not isinstance(value, dict)]
    if wrong:
        raise ProjectError(
            "this is no document of states", where=str(file), expected="pipelines, each with its state"
        )
    _confirm(terminal, f"Set the states of {', '.join(found)}?", force=force)
    for state_id, value in found.items():
        with _session(terminal, project, environment, state_id) as (session, name):
            _put(terminal, session, name, value, "set")


# ------------------------------------------------------------------------------------- inside


class _session:  # noqa: N801 - used as a word of the language
    """The session and the pipeline of a state id, which may name an environment: `prod:tap-x-to-y`."""

    def __init__(
        self, terminal: Terminal, project: Path | None, environment: str | None, state_id: str
    ) -> None:
        from penstock.cli.opening import opened

        stated, self.name = _parted(state_id)
        self.opened = opened(terminal, project, stated or environment)

    def __enter__(self) -> tuple[Session, str]:
        return self.opened.__enter__(), self.name

    def __exit__(self, *details: Any) -> None:
        self.opened.__exit__(*details)


def _parted(state_id: str) -> tuple[str | None, str]:
    """The environment and the pipeline in `dev:tap-x-to-y:suffix`."""
    match = re.fullmatch(r"(?:(?P<env>[\w.-]+):)?(?P<name>[^:]+-to-[^:]+)(?::(?P<suffix>[^:]+))?", state_id)
    if match is None:
        return None, state_id
    return match["env"], match["name"] + (f".{match['suffix']}" if match["suffix"] else "")


def _given(text: str | None, file: Path | None) -> dict[str, Any]:
    """A state that was typed, or that a file holds. Raises: UsageError; ProjectError."""
    if (text is None) is (file is None):
        raise UsageError("a state is needed, once", expected="JSON, or `--input-file FILE`")
    if file is not None and not file.is_file():
        raise UsageError("there is no such file", where=str(file))
    try:
        found = json_format.loads(file.read_text("utf-8") if file is not None else text or "")
    except ValueError as error:
        where = "the state" if file is None else str(file)
        raise ProjectError("this is not JSON", where=where, found=str(error)) from None
    if not isinstance(found, dict):
        raise ProjectError("a state is an object", found=type(found).__name__)
    return found


def _confirm(terminal: Terminal, question: str, *, force: bool) -> None:
    if terminal.interactive and not force:
        terminal.confirm(question)


def _put(terminal: Terminal, session: Session, name: str, said: dict[str, Any], done: str) -> None:
    """Set a state, and say so. Raises: RefusedError with what stopped it."""
    from penstock.report.text import good, line

    text = json_format.dumps(said, ensure_ascii=False)
    result = session.set_state(name, text, lambda _: None)
    if result.cause is not None:
        raise result.cause
    if result.error:
        raise RefusedError(result.error)
    terminal.say([line(good(f"{done} the state of {name}"))])


def _carry(
    terminal: Terminal,
    source: str,
    target: str,
    project: Path | None,
    environment: str | None,
    *,
    force: bool,
    keep: bool,
) -> None:
    with _session(terminal, project, environment, source) as (session, name):
        carried = session.state(name)
    if carried is None:
        raise RefusedError(f"`{source}` has no state")
    with _session(terminal, project, environment, target) as (session, name):
        _confirm(terminal, f"Put that state in the place of that of {name}?", force=force)
        _put(terminal, session, name, json_format.loads(carried), "set")
    if not keep:
        with _session(terminal, project, environment, source) as (session, name):
            _put(terminal, session, name, {}, "cleared")
