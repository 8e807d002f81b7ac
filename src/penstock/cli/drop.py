"""`penstock drop`: tables that are not wanted any more, and how far their source has come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli import options
from penstock.cli.terminal import Terminal
from penstock.errors import UsageError

if TYPE_CHECKING:
    from penstock.app.session import Session
    from penstock.report.text import Line, Span
    from penstock.run.drop import Drop

_UNLESS = "`penstock rebuild --dropped` brings them back"


def drop(
    context: typer.Context,
    pipeline: Annotated[str, typer.Argument(metavar="PIPELINE", help="The pipeline.")],
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAMES",
            help="Tables and resources: names, globs such as `order_*`, or `re:` and a regular expression.",
            show_default=False,
        ),
    ] = None,
    state_paths: Annotated[
        list[str] | None,
        typer.Option(
            "--state-paths", metavar="PATH", help="A JSONPath of further state to forget. Repeatable."
        ),
    ] = None,
    state_only: Annotated[
        bool, typer.Option("--state-only", help="Forget the state and keep the tables.")
    ] = False,
    everything: Annotated[
        bool, typer.Option("--drop-all", help="All tables, and all state of the pipeline.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be dropped.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    project: options.Project = None,
    environment: options.Environment = None,
    json: options.Json = False,
) -> None:
    """Drop tables and forget their state; raw history keeps the files."""
    from penstock.cli.opening import opened

    terminal: Terminal = context.obj
    terminal.json = json
    if not (names or state_paths or everything):
        raise UsageError(
            "nothing is named that should be dropped",
            expected="tables or resources, --state-paths or --drop-all",
            hint=f"penstock show lists the tables; penstock drop {pipeline} --drop-all drops all of them",
        )
    wanted, paths = list(names or ()), list(state_paths or ())
    with opened(terminal, project, environment) as session:
        if everything:
            what = session.plan_drop_all(pipeline, state_only=state_only)
        else:
            what = session.plan_drop(pipeline, wanted, state_paths=paths, state_only=state_only)
        if dry_run or what.is_nothing:
            terminal.answer(lambda: _document(what, done=False), lambda: drop_lines(what, done=False))
            return
        if terminal.interactive and not (yes or json):
            terminal.say(drop_lines(what, done=False))
            terminal.confirm("Drop this?")
        _drop(terminal, session, what)


def _drop(terminal: Terminal, session: Session, what: Drop) -> None:
    from penstock.cli.progress import followed
    from penstock.cli.run import tell
    from penstock.cli.stopping import stoppable
    from penstock.report.facts import RunResult

    with stoppable(terminal) as stop:
        with followed(terminal) as observe:
            result = session.drop(what, stop.watched(observe))
        if result.cause is not None:
            tell(terminal, RunResult((result,)))
        else:
            terminal.answer(lambda: _document(what, done=True), lambda: drop_lines(what, done=True))
        stop.check(done=True)
    raise typer.Exit(result.exit_code)


def drop_lines(what: Drop, *, done: bool) -> list[Line]:
    """What was dropped, or would be, as lines."""
    from penstock.report.text import clean, count, counted, faint, grid, line, strong

    if what.is_nothing:
        return [line(f"`{clean(what.pipeline)}` has nothing to drop")]
    begin = "dropped from" if done else "would be dropped from"
    lines = [line(f"{begin} ", strong(clean(what.pipeline)))]
    if what.tables:
        heads: list[str | Span] = [faint("table"), faint("rows"), faint("files"), faint("with it")]
        body: list[list[str | Span]] = [
            [clean(t.table), count(t.rows), count(t.files), ", ".join(map(clean, t.parts))]
            for t in what.tables
        ]
        lines += [(), *grid([heads, *body], "lrrl")]
    if what.state:
        lines += [(), line("state that is forgotten"), *(line(f"  {clean(path)}") for path in what.state)]
    if what.tables:
        files = counted(sum(t.files for t in what.tables), "file")
        lines += [(), line(faint(f"raw history keeps {files}; {_UNLESS}"))]
    return lines


def _document(what: Drop, *, done: bool) -> dict[str, object]:
    return {
        "pipeline": what.pipeline,
        "done": done,
        "tables": [
            {"table": t.table, "parts": list(t.parts), "files": t.files, "rows": t.rows} for t in what.tables
        ],
        "state": list(what.state),
    }
