"""The reference pages, made from the code, so that they cannot say anything else than it does."""

from __future__ import annotations

from reference import commands, errors, ledger, project, python, rules, types

SOURCES = {
    "reference/commands.md": commands.page,
    "reference/project.md": project.page,
    "reference/types.md": types.page,
    "reference/rules.md": rules.page,
    "reference/errors.md": errors.page,
    "reference/ledger.md": ledger.page,
    "reference/python.md": python.page,
}


def pages() -> dict[str, str]:
    """The Markdown of every page, by its path below `docs/`."""
    return {path: make() for path, make in SOURCES.items()}
