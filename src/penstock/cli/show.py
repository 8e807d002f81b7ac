"""`penstock show`: rows of a warehouse table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.cli import options
from penstock.cli.terminal import Terminal
from penstock.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

    from penstock.report.text import Line

_WIDEST = 40


def show(
    context: typer.Context,
    table: Annotated[
        str | None,
        typer.Argument(
            metavar="TABLE",
            help="A table; without one, all tables and their row counts.",
            show_default=False,
        ),
    ] = None,
    sql: Annotated[
        str | None, typer.Option("--sql", metavar="QUERY", help="Show what a query returns instead.")
    ] = None,
    pipeline: Annotated[
        str | None,
        typer.Option("--pipeline", metavar="NAME", help="Whose destination to ask; by default the first's."),
    ] = None,
    limit: options.Limit = 10,
    project: options.Project = None,
    environment: options.Environment = None,
    json: options.Json = False,
) -> None:
    """Show rows of a table, or what an SQL query returns."""
    from penstock.cli.opening import opened

    terminal: Terminal = context.obj
    terminal.json = json
    if table is not None and sql is not None:
        raise UsageError("a table and a query cannot both be shown", hint="name the table in the query")
    with opened(terminal, project, environment) as session:
        found = session.show(table, sql=sql, limit=limit, pipeline=pipeline)
    wanted = found.num_rows if table is None and sql is None else limit
    terminal.answer(
        lambda: _document(found, wanted), lambda: table_lines(found, terminal.width(), wanted), data=True
    )


def _document(found: pa.Table, limit: int) -> dict[str, object]:
    from penstock.report.document import json_value

    return {
        "found": found.num_rows,
        "columns": [{"name": f.name, "type": str(f.type)} for f in found.schema],
        "rows": [
            {name: json_value(value) for name, value in zip(found.column_names, row, strict=True)}
            for row in _rows(found.slice(0, limit))
        ],
    }


def _rows(found: pa.Table) -> list[tuple[Any, ...]]:
    """The rows as Python values; nanoseconds, which Python has no type for, as text."""
    import pyarrow as pa

    columns = [
        (c.cast(pa.string()) if pa.types.is_temporal(c.type) and "ns" in str(c.type) else c).to_pylist()
        for c in found.columns
    ]
    return list(zip(*columns, strict=True))


def table_lines(found: pa.Table, width: int | None, limit: int) -> list[Line]:
    """The first rows as an aligned table, as many columns as `width` has room for (None: all, uncut)."""
    import pyarrow as pa

    from penstock.report.text import Span, clean, counted, faint, grid, line

    rows = _rows(found.slice(0, limit))
    texts = [[_text(value, width) if value is not None else "null" for value in row] for row in rows]
    heads = [_text(name, width) for name in found.column_names]
    shown = _fitting(heads, texts, width)
    align = "".join(
        "r" if pa.types.is_integer(t) or pa.types.is_floating(t) or pa.types.is_decimal(t) else "l"
        for t in found.schema.types[:shown]
    )
    body: list[Sequence[str | Span]] = [[faint(name) for name in heads[:shown]]]
    for row, text in zip(rows, texts, strict=True):
        body.append([faint(t) if value is None else t for value, t in zip(row, text, strict=True)][:shown])
    hidden = found.column_names[shown:]
    lines = grid(body, align, indent=0)
    if not found.num_rows:
        lines.append(line(faint("no rows")))
    if found.num_rows > limit:
        lines += [line(), line(faint(f"{limit:,} of {found.num_rows:,} rows; --limit shows more"))]
    if hidden:
        more = f"{counted(len(hidden), 'column')} more: {', '.join(map(clean, hidden))}"
        lines += [line(), line(faint(more))]
    return lines


def _text(value: Any, width: int | None) -> str:
    import json as json_format
    from datetime import datetime

    from penstock.report.document import json_value
    from penstock.report.text import clean, cut

    if isinstance(value, str):
        text = value
    elif isinstance(value, datetime):
        text = value.isoformat(" ").replace("+00:00", "Z")
    else:
        plain = json_value(value)
        text = plain if isinstance(plain, str) else json_format.dumps(plain, ensure_ascii=False)
    return clean(text) if width is None else cut(clean(text), _WIDEST)


def _fitting(heads: Sequence[str], rows: Sequence[Sequence[str]], room: int | None) -> int:
    from penstock.report.text import width

    if room is None:
        return len(heads)
    used = -2
    for i, head in enumerate(heads):
        used += 2 + max([width(head), *(width(row[i]) for row in rows)])
        if used > room:
            return max(i, 1)
    return len(heads)
