"""The command line. `main` is what the `penstock` command runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    `argv` without the program's name; by default the process's own.
    """
    from penstock.cli.failure import explain
    from penstock.cli.terminal import Terminal

    arguments = list(sys.argv[1:] if argv is None else argv)
    terminal = Terminal(sys.stdout, sys.stderr, sys.stdin, os.environ)
    terminal.debug = "--debug" in arguments or bool(os.environ.get("PENSTOCK_DEBUG"))
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        from penstock.cli.commands import run_command

        return run_command(arguments, terminal)
    except BaseException as error:  # every way to end has its words and its exit code
        return explain(error, terminal)
