"""`penstock run` and `penstock rebuild`."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.cli import options
from penstock.cli.terminal import Terminal
from penstock.errors import UsageError
from penstock.ledger import Refresh

if TYPE_CHECKING:
    from penstock.report.facts import RunResult


class StateStrategy(StrEnum):
    """How a state meets the one before the run."""

    AUTO = "auto"
    MERGE = "merge"
    OVERWRITE = "overwrite"


def run(
    context: typer.Context,
    pipelines: options.Pipelines = None,
    wait: Annotated[
        float,
        typer.Option(
            "--wait",
            metavar="SECONDS",
            min=0,
            help="How long to wait for a pipeline that another run holds.",
        ),
    ] = 0,
    refresh: Annotated[
        Refresh | None,
        typer.Option("--refresh", help="Ask the source for everything again, in place of what was loaded."),
    ] = None,
    full_refresh: Annotated[
        bool, typer.Option("--full-refresh", help="Ask for everything again, as --refresh drop_data does.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done, as `penstock plan` does.")
    ] = False,
    state_id_suffix: Annotated[
        str | None,
        typer.Option("--state-id-suffix", metavar="WORD", help="Blocks: keep a state of its own."),
    ] = None,
    state_strategy: Annotated[
        StateStrategy | None,
        typer.Option("--state-strategy", help="Blocks: how a state meets the one before the run."),
    ] = None,
    refresh_catalog: Annotated[
        bool, typer.Option("--refresh-catalog", help="Blocks: ask taps again that use a cached catalog.")
    ] = False,
    force: Annotated[  # noqa: ARG001 - Meltano's way past a stale lock; ours end with who holds them
        bool, typer.Option("--force", "-f", hidden=True)
    ] = False,
    project: options.Project = None,
    environment: options.Environment = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Land, check, keep and load whatever is new; then build the models.

    Where pipelines are named, no models are built. In place of pipelines, name an extractor and where
    its data goes: tap-github target-jsonl, or tap-postgres duckdb; or a job of the project.
    """
    from penstock.cli.opening import opened
    from penstock.cli.progress import followed
    from penstock.cli.stopping import stoppable

    if dry_run:
        from penstock.cli.plan import plan

        plan(context, pipelines, project=project, environment=environment, json=json, quiet=quiet)
    terminal: Terminal = context.obj
    terminal.json, terminal.quiet = json, quiet
    told = _block_options(
        state_id_suffix, state_strategy, full_refresh=full_refresh, refresh_catalog=refresh_catalog
    )
    with opened(terminal, project, environment) as session, stoppable(terminal) as stop:
        with followed(terminal) as observe:
            result = session.run(pipelines or [], stop.watched(observe), wait_s=wait, refresh=refresh, **told)
        tell(terminal, result)
        stop.check(done=True)
    raise typer.Exit(result.exit_code)


def el(
    context: typer.Context,
    extractor: Annotated[str, typer.Argument(metavar="EXTRACTOR", help="A tap of the project.")],
    loader: Annotated[str, typer.Argument(metavar="LOADER", help="A target, or a destination of ours.")],
    state_id: Annotated[
        str | None, typer.Option("--state-id", "--job_id", metavar="ID", help="Keep a state of that name.")
    ] = None,
    full_refresh: Annotated[bool, typer.Option("--full-refresh", help="Ask for everything again.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", "--dryrun", help="Show what would be done.")] = False,
    project: options.Project = None,
    environment: options.Environment = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """The same as `penstock run EXTRACTOR LOADER`, as Meltano spells it."""
    run(
        context,
        [extractor, loader],
        full_refresh=full_refresh,
        dry_run=dry_run,
        state_id_suffix=state_id,
        project=project,
        environment=environment,
        json=json,
        quiet=quiet,
    )


def _block_options(
    suffix: str | None, strategy: StateStrategy | None, *, full_refresh: bool, refresh_catalog: bool
) -> dict[str, Any]:  # Any: keyword arguments
    """What blocks are told, if they are told anything."""
    if not (suffix or strategy or full_refresh or refresh_catalog):
        return {}
    from penstock.app.blocks import BlockOptions

    said = BlockOptions(
        full_refresh=full_refresh,
        state_id_suffix=suffix,
        state_strategy=strategy.value if strategy else None,
        refresh_catalog=refresh_catalog,
    )
    return {"blocks": said}


def rebuild(
    context: typer.Context,
    tables: Annotated[
        list[str] | None,
        typer.Option("--table", "-t", metavar="TABLE", help="A table; all by default. Repeatable."),
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", metavar="TIME", help="Only what landed by then: 2026-01-31T12:00Z."),
    ] = None,
    dropped: Annotated[
        bool, typer.Option("--dropped", help="Also what was dropped, or refreshed away.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    project: options.Project = None,
    environment: options.Environment = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Drop tables and load them again from raw history."""
    from penstock.cli.opening import opened
    from penstock.cli.progress import followed
    from penstock.cli.stopping import stoppable

    terminal: Terminal = context.obj
    terminal.json, terminal.quiet = json, quiet
    moment = None if as_of is None else _moment(as_of)
    with opened(terminal, project, environment) as session:
        if terminal.interactive and not (yes or json):
            what = ", ".join(tables) if tables else "every table"
            terminal.confirm(f"Drop {what} and load again from raw history?")
        with stoppable(terminal) as stop:
            with followed(terminal) as observe:
                result = session.rebuild(tables or [], moment, stop.watched(observe), dropped=dropped)
            tell(terminal, result)
            stop.check(done=True)
    raise typer.Exit(result.exit_code)


def _moment(text: str) -> datetime:
    try:
        at = datetime.fromtimestamp(int(text), UTC) if text.isdecimal() else datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        raise UsageError(
            "the time is not one",
            found=f"--as-of {text}",
            expected="ISO 8601, such as 2026-01-31 or 2026-01-31T12:00Z, or Unix seconds",
        ) from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def tell(terminal: Terminal, result: RunResult) -> None:
    """Print the errors and the summary of a run."""
    from penstock.cli.failure import complain
    from penstock.report.document import run_document
    from penstock.report.look import run_looks
    from penstock.report.summary import run_lines

    for pipeline in result.pipelines:
        if pipeline.error:
            complain(terminal, pipeline.error)
    for model in result.models:
        if model.error:
            complain(terminal, model.error)
    if terminal.json or not terminal.quiet or run_looks(result):
        terminal.answer(lambda: run_document(result), lambda: run_lines(result))
