"""The commands, in the order in which a person meets them."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Annotated

import typer

from penstock.cli.adopt import adopt
from penstock.cli.build import build
from penstock.cli.check import check
from penstock.cli.config import HELP as CONFIG_HELP
from penstock.cli.config import config
from penstock.cli.dbt import dbt
from penstock.cli.dev import dev
from penstock.cli.docs import docs
from penstock.cli.drop import drop
from penstock.cli.generate import HELP as GENERATE_HELP
from penstock.cli.generate import generate
from penstock.cli.invoke import invoke
from penstock.cli.jobs import job
from penstock.cli.plan import plan
from penstock.cli.plugin_words import carried
from penstock.cli.plugins import add, install, remove
from penstock.cli.quarantine import quarantine
from penstock.cli.run import el, rebuild, run
from penstock.cli.schedules import schedule
from penstock.cli.schema import schema
from penstock.cli.select import select
from penstock.cli.show import show
from penstock.cli.start import init
from penstock.cli.state import state
from penstock.cli.status import status
from penstock.cli.terminal import Terminal
from penstock.version import __version__

app = typer.Typer(
    name="penstock",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"penstock {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True, epilog="penstock COMMAND --help tells more of a command.")
def penstock(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Print where an error comes from; works after a command, too.")
    ] = False,
) -> None:
    """Land it, check it, keep it for ever, load it exactly once."""
    del version, debug  # the one was answered already, the other is read by `cli.main`
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


app.command()(init)
app.command(help=GENERATE_HELP)(generate)
app.command()(check)
app.command()(plan)
app.command()(run)
app.command()(build)
app.command()(status)
app.command()(show)
app.command()(docs)
app.add_typer(schema, name="schema")
app.add_typer(quarantine, name="quarantine")
app.command()(rebuild)
app.command()(add)
app.command()(install)
app.command()(remove)
app.command(help=CONFIG_HELP, context_settings={"ignore_unknown_options": True})(config)
app.command()(select)
app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})(invoke)
app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})(dbt)
app.command("el", hidden=True)(el)
app.command("elt", hidden=True)(el)
app.command()(adopt)
app.add_typer(state, name="state")
app.add_typer(job, name="job")
app.add_typer(schedule, name="schedule")
app.command()(drop)
app.command()(dev)


def _needed(arguments: Sequence[str]) -> typer.Typer:
    """The app with the one command that is asked for: to build all of them takes as long as a small run."""
    name = arguments[0] if arguments else ""
    commands = [c for c in app.registered_commands if name in (c.name, getattr(c.callback, "__name__", None))]
    groups = [group for group in app.registered_groups if group.name == name]
    if not commands and not groups:
        return app
    slim = copy(app)
    slim.registered_commands, slim.registered_groups = commands, groups
    return slim


def run_command(arguments: Sequence[str], terminal: Terminal) -> int:
    """Run what the arguments ask for; returns the exit code.

    Raises: whatever the command does; `cli.failure` explains it.
    """
    arguments = carried(arguments)
    command = typer.main.get_command(_needed(arguments))
    if "_PENSTOCK_COMPLETE" in terminal.environ:
        command.main(arguments, prog_name="penstock")
    with command.make_context("penstock", arguments, obj=terminal) as context:
        command.invoke(context)
    return 0
