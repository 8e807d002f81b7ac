"""The one query that reads a table: columns, conditions, range, position and order. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from penstock.cursors.range import Range
from penstock.sources.sql.choose import Job
from penstock.sources.sql.relation import Field

GUARD = "_penstock_guard_"
SOURCE = "src"  # a bare name in ORDER BY would mean what is selected, not what is stored


def guards(fields: Sequence[Field]) -> list[Field]:
    """The columns that have a guard, which is selected behind all columns."""
    return [f for f in fields if f.guard is not None]


def select(
    job: Job,
    quote: Callable[[str], str],
    literal: Callable[[object], str],
    asked: Range | None,
    after: Sequence[object],
    falling: bool = False,
) -> str:
    """The SQL of a job: the rows of the range, or those behind the key `after`, in their order."""
    fields = job.relation.fields
    columns = [f"{f.sql} AS {quote(f.name)}" for f in fields]
    columns += [f"{f.guard} AS {quote(f'{GUARD}{n}')}" for n, f in enumerate(guards(fields))]
    conditions = [f"({job.spec.where}\n)"] if job.spec.where else []
    order: list[str] = []
    if asked is not None:
        column = job.relation.field(asked.column or "")
        assert column is not None
        name = column.compared.format(f"{SOURCE}.{quote(column.name)}")
        if inside := _inside(name, asked, literal):
            conditions.append(inside)
        order = [f"{name} DESC" if falling else name]
    elif job.by_position:
        key = [f"{SOURCE}.{quote(name)}" for name in job.relation.primary_key]
        if after:
            conditions.append(_behind(key, [literal(value) for value in after]))
        order = key
    sql = f"SELECT {', '.join(columns)} FROM {job.relation.sql} {SOURCE}"
    if conditions:
        sql += f" WHERE {' AND '.join(conditions)}"
    return f"{sql} ORDER BY {', '.join(order)}" if order else sql


def _inside(name: str, asked: Range, literal: Callable[[object], str]) -> str:
    """The condition of a range. Rows without a cursor are asked for where they matter."""
    bounds = [
        f"{name} {sign}{'=' if closed else ''} {literal(value)}"
        for sign, closed, value in (
            (">", asked.start_closed, asked.start),
            ("<", asked.end_closed, asked.end),
        )
        if value is not None
    ]
    if not bounds:
        return "" if asked.nulls else f"{name} IS NOT NULL"
    condition = " AND ".join(bounds)
    return f"({condition} OR {name} IS NULL)" if asked.nulls else f"({condition})"


def _behind(key: Sequence[str], values: Sequence[str]) -> str:
    """Rows whose key comes after some values, spelt out: not every server compares rows."""
    ways = []
    for n in range(len(key)):
        same = [f"{k} = {v}" for k, v in zip(key[:n], values[:n], strict=True)]
        ways.append(" AND ".join([*same, f"{key[n]} > {values[n]}"]))
    lead = f"{key[0]} >= {values[0]} AND " if len(key) > 1 else ""  # lets an index be used
    return f"({lead}({' OR '.join(ways)}))"
