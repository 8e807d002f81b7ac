"""Rows as a table of Markdown, which Dagster shows as one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_WIDEST = 120


def table_text(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; values that are long or have several lines are cut to one short one."""
    lines = [_row(heads), _row("---" for _ in heads)]
    return "\n".join([*lines, *(_row(_cell(value) for value in row) for row in rows)])


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(value: object) -> str:
    text = "" if value is None else " ".join(str(value).split())
    text = text if len(text) <= _WIDEST else f"{text[:_WIDEST]}…"
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
