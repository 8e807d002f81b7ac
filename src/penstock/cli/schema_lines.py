"""Versions of a table, and differences between two, as lines for people and as documents."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from penstock.report.text import Line, bad, clean, counted, faint, good, line, moment, strong, warn
from penstock.schema.comparison import Difference, Sort

if TYPE_CHECKING:
    from penstock.app.shapes import SchemaVersion

_FLAGS = {
    "nullable": ("nullable", "not null"), "unique": ("unique", "not unique"),
    "sensitive": ("sensitive", "not sensitive"),
}  # fmt: skip


def history_lines(table: str, versions: Sequence[SchemaVersion]) -> list[Line]:
    """The versions of a table, oldest first."""
    lines = [line(strong(table), f": {counted(len(versions), 'version')}")]
    for one in versions:
        place = f"{moment(one.created_at)}, load {one.load_id}"
        lines.append(line("  ", strong(f"version {one.version}"), "  ", faint(place)))
        changes = [change.removeprefix(f"{one.table.name}.") for change in one.changes]
        changes = [change.removeprefix(f"{one.table.name}: ") for change in changes]
        shown = changes or ["nothing but what is promised of the columns"]
        lines += [line(f"    {clean(change)}") for change in shown]
        if changes and "new table" in changes[0]:
            lines += [line(f"    {clean(c.name)}: {c.type}") for c in one.table.columns]
    return lines


def history_document(table: str, versions: Sequence[SchemaVersion]) -> dict[str, Any]:
    """The same as plain values."""
    return {
        "table": table,
        "versions": [
            {
                "version": one.version,
                "load_id": one.load_id,
                "created_at": one.created_at.isoformat(),
                "changes": list(one.changes),
                "columns": [{"name": c.name, "type": str(c.type)} for c in one.table.columns],
                "primary_key": list(one.table.primary_key),
            }
            for one in versions
        ],
    }


def diff_lines(before: str, after: str, found: Sequence[Difference]) -> list[Line]:
    """Differences grouped by what happened, one line each."""
    lines = [line(strong(clean(before)), faint("  →  "), strong(clean(after)))]
    if not found:
        return [*lines, line("  ", good("no difference"))]
    groups = [
        ("table", [d for d in found if d.column is None]),
        ("new", [d for d in found if d.sort is Sort.NEW]),
        ("gone", [d for d in found if d.sort is Sort.GONE]),
        ("changed", [d for d in found if d.sort is Sort.CHANGED and d.column is not None]),
    ]
    for title, group in groups:
        if group:
            lines += [line("  ", faint(title)), *map(_line, group)]
    new, gone = (len(group) for _, group in groups[1:3])
    changed = len({d.column for d in groups[3][1]})
    return [*lines, line(f"{counted(new, 'column')} new, {gone} gone, {changed} changed")]


def _line(found: Difference) -> Line:
    if found.sort is Sort.NEW:
        return line("    ", good(f"+ {clean(str(found.column))}"), f": {clean(str(found.after))}")
    if found.sort is Sort.GONE:
        return line("    ", bad(f"- {clean(str(found.column))}"), f": {clean(str(found.before))}")
    name = f"{clean(found.column)}: " if found.column is not None else ""
    if found.fact in _FLAGS:
        yes, no = _FLAGS[found.fact]
        said = f"{yes if found.before else no} → {yes if found.after else no}"
    else:
        said = f"{found.fact} {_said(found.before)} → {_said(found.after)}"
    return line("    ", warn(f"~ {name}"), clean(said))


def _said(value: Any) -> str:  # Any: the value of any fact
    if value is None:
        return "none"
    if isinstance(value, list):
        return ", ".join(map(_said, value)) or "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def diff_document(before: str, after: str, found: Sequence[Difference]) -> dict[str, Any]:
    """The same as plain values."""
    differences = [
        {"sort": d.sort.value, "column": d.column, "fact": d.fact, "before": d.before, "after": d.after}
        for d in found
    ]
    return {"before": before, "after": after, "differences": differences}
