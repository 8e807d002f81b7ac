"""What is asked of a table to tell what its columns are like, and what the answers mean.

Two questions a table: counts, ends and quantiles; then, knowing these, how values spread. Both are SQL of
DuckDB over at most `ROWS` rows, so a large table costs no more than a middling one. Pure: `app.site` asks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from penstock.gate.rules import identifier
from penstock.report.site.facts import ColumnProfile

# Any: rows of answers
ROWS = 100_000
"""Tables with more rows are told from a part of them."""
BLOCK = 64
"""So many neighbours are in a sample together: that is quicker than one by one, and as even."""
EXACT = 1_000
"""So many rows have their distinct values counted; of more rows they are estimated, which takes no memory."""
BINS = 16
_TOP = 5
_MOST_VALUES = 1000
_LONGEST = 60
_SHARES = "[0.05, 0.25, 0.5, 0.75, 0.95]"


class Nature(StrEnum):
    """What can be asked of the values of a column."""

    WHOLE = "whole"
    NUMBER = "number"
    MOMENT = "moment"
    WORD = "word"
    OTHER = "other"


_NATURES = {
    Nature.WHOLE: (
        "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT",
        "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT",
    ),
    Nature.NUMBER: ("FLOAT", "DOUBLE", "DECIMAL"),
    Nature.MOMENT: ("DATE", "TIMESTAMP"),
    Nature.WORD: ("VARCHAR", "BOOLEAN", "UUID", "ENUM", "TIME"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """A column to ask about: its name and type in the warehouse; `hidden` says why only to count."""

    name: str
    type: str
    hidden: str | None = None

    @property
    def nature(self) -> Nature:
        """What can be asked of it."""
        if self.hidden or self.type.endswith("]") or self.type.startswith("JSON"):
            return Nature.OTHER
        if self.type.startswith("TIMESTAMP"):
            return Nature.MOMENT
        word = self.type.partition("(")[0]
        return next((nature for nature, words in _NATURES.items() if word in words), Nature.OTHER)


def sample(table: str, rows: int, *, stored: bool, key: Sequence[str]) -> str:
    """The rows to look at, as a query: all of them, or an even part that is the same every time.

    `stored`: the table has row ids, as those of a DuckDB file do. Otherwise rows are chosen by a hash of
    `key`, or of all columns if there is none.
    """
    everything = f"SELECT * FROM {identifier(table)}"
    if rows <= ROWS:
        return everything
    parts = -(-rows // ROWS)
    if stored:
        return f"{everything} WHERE hash(rowid // {BLOCK}) % {parts} = 0"
    columns = ", ".join(identifier(name) for name in key)
    return f"{everything} AS t WHERE hash({columns or 't'}) % {parts} = 0"


def first_question(rows: str, columns: Sequence[Asked], *, exact: bool) -> str:
    """Counts of every column; ends, means and quantiles where values are told.

    `exact`: distinct values are counted, not estimated.
    """
    parts = ["count(*) AS n"]
    distinct = "count(DISTINCT {})" if exact else "approx_count_distinct({})"
    for i, column in enumerate(columns):
        c = identifier(column.name)
        parts.append(f"count({c}) AS count_{i}")
        if column.nature is not Nature.OTHER or (column.hidden and _flat(column)):
            parts.append(f"least({distinct.format(c)}, count({c})) AS distinct_{i}")
        if column.nature is not Nature.OTHER:
            parts += [f"left({end}({c})::VARCHAR, {_LONGEST}) AS {end}_{i}" for end in ("min", "max")]
        if (x := _measure(column)) is not None:
            kept = f"FILTER (WHERE isfinite({x}))" if _may_be_infinite(column) else ""
            parts += [f"min({x}) {kept} AS low_{i}", f"max({x}) {kept} AS high_{i}"]
            parts.append(f"CAST(quantile_disc({c}, {_SHARES}) {kept} AS VARCHAR[]) AS quantiles_{i}")
            if column.nature is not Nature.MOMENT:
                parts.append(f"avg({x}) {kept} AS mean_{i}")
    return f"SELECT {', '.join(parts)} FROM ({rows})"


def first_answer(
    answer: Mapping[str, Any], columns: Sequence[Asked], *, exact: bool
) -> dict[str, ColumnProfile]:
    """The profiles that the answer of the first question makes; `exact` as it was asked."""
    found = {}
    for i, column in enumerate(columns):
        mean = answer.get(f"mean_{i}")
        found[column.name] = ColumnProfile(
            count=answer["n"],
            nulls=answer["n"] - answer[f"count_{i}"],
            distinct=answer.get(f"distinct_{i}"),
            low=answer.get(f"min_{i}"),
            high=answer.get(f"max_{i}"),
            mean=mean if mean is not None and math.isfinite(mean) else None,
            quantiles=tuple(answer.get(f"quantiles_{i}") or ()),
            hidden=column.hidden,
            estimated=not exact,
        )
    return found


def second_question(rows: str, columns: Sequence[Asked], answer: Mapping[str, Any]) -> list[str]:
    """How the values of each column spread, by the answer of the first question, as queries.

    Shape: each answers rows of `which` (its place), `value` (text; the number of a bin) and `n`.
    """
    parts = []
    for i, column in enumerate(columns):
        c = identifier(column.name)
        if (x := _measure(column)) is not None:
            low, step, number = _bins(column, answer.get(f"low_{i}"), answer.get(f"high_{i}"))
            if number > 1:
                place = (
                    f"least({number - 1}, greatest(0, floor(({x} - {low!r}) / {step!r})))::INTEGER::VARCHAR"
                )
                told = f"SELECT {i} AS which, {place} AS value, count(*) AS n FROM ({rows})"
                kept = f"isfinite({x})" if _may_be_infinite(column) else f"{c} IS NOT NULL"
                parts.append(f"{told} WHERE {kept} GROUP BY ALL")
        elif column.nature is Nature.WORD and _few(answer[f"distinct_{i}"], answer[f"count_{i}"]):
            told = (
                f"SELECT {i} AS which, left({c}::VARCHAR, {_LONGEST}) AS value, count(*) AS n FROM ({rows})"
            )
            newest = f"{told} WHERE {c} IS NOT NULL GROUP BY ALL ORDER BY n DESC, value LIMIT {_TOP}"
            parts.append(f"SELECT * FROM ({newest})")
    return parts


def second_answer(
    found: Mapping[str, ColumnProfile],
    columns: Sequence[Asked],
    first: Mapping[str, Any],
    second: Sequence[tuple[int, str, int]],
) -> dict[str, ColumnProfile]:
    """The profiles with what the answers of the second question add, as (which, value, n)."""
    full = dict(found)
    counts: dict[int, dict[str, int]] = {}
    for i, value, n in second:
        counts.setdefault(i, {})[value] = n
    for i, told in counts.items():
        column = columns[i]
        if _measure(column) is not None:
            _, _, number = _bins(column, first[f"low_{i}"], first[f"high_{i}"])
            bins = tuple(told.get(str(place), 0) for place in range(number))
            full[column.name] = replace(full[column.name], bins=bins)
        else:
            ordered = sorted(told.items(), key=lambda pair: (-pair[1], pair[0]))
            full[column.name] = replace(full[column.name], top=tuple(ordered))
    return full


def _flat(column: Asked) -> bool:
    return not column.type.endswith("]") and not column.type.startswith(("STRUCT", "MAP", "UNION"))


def _measure(column: Asked) -> str | None:
    """The values as numbers on a line, as SQL; None where they have no place on one."""
    c = identifier(column.name)
    if column.nature is Nature.MOMENT:
        return f"epoch({c}::TIMESTAMP)"
    return f"{c}::DOUBLE" if column.nature in (Nature.WHOLE, Nature.NUMBER) else None


def _may_be_infinite(column: Asked) -> bool:
    """Whether there are values that have no place between others."""
    return column.nature is Nature.MOMENT or column.type in ("FLOAT", "DOUBLE")


def _bins(column: Asked, low: float | None, high: float | None) -> tuple[float, float, int]:
    """Where the bins begin, how wide each is, and how many there are; one value has one bin."""
    if low is None or high is None or not math.isfinite(high - low) or high <= low:
        return low or 0.0, 1.0, 1
    if column.nature is Nature.WHOLE and high - low < BINS:
        return low, 1.0, int(high - low) + 1
    return low, (high - low) / BINS, BINS


def _few(distinct: int, count: int) -> bool:
    """Whether the most frequent values say something of the others."""
    return 0 < distinct <= _MOST_VALUES and (distinct <= _TOP or 2 * distinct <= count)
