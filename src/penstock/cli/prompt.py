"""Asking a person, or a program that answers in their place, for one line after the other."""

from __future__ import annotations

from penstock.cli.terminal import Terminal


def prompt(terminal: Terminal, question: str, *, secret: bool = False) -> str | None:
    """The next line of what is typed or piped in, None at its end; a secret is not echoed on a terminal."""
    if terminal.inp is None:
        return None
    if secret and terminal.interactive:
        from getpass import getpass

        try:
            return getpass(f"{question}: ", stream=terminal.err).strip()
        except EOFError:
            return None
    terminal.err.write(f"{question}: ")
    terminal.err.flush()
    typed = terminal.inp.readline()
    if not terminal.inp.isatty():
        terminal.err.write("\n")
    return typed.strip() if typed else None
