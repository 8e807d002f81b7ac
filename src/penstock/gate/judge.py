"""Rows in, good rows and broken ones out: one SQL query over each batch.

The query returns only the rows that break something, so a clean batch costs one scan of the
columns that have rules. Computation in memory only: the connection can reach no file.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import duckdb
import pyarrow as pa

from penstock.errors import RefusedError, suggest
from penstock.gate.rules import ROW, RowRules, Rule, cell_of, compile_rules, identifier, lookups, names_in_sql
from penstock.gate.verdict import Action, Broken
from penstock.records.text import to_text
from penstock.schema.table import Table

_ORDER = list(Action)
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that breaks a rule. `row` counts from 0 in its batch."""

    row: int
    action: Action
    broken: tuple[Broken, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """A batch after its rules: `good` rows, their places in the batch (None: all), the others.

    `counts` has the rows that broke each rule, allowed ones included.
    """

    good: pa.RecordBatch
    kept: Sequence[int] | None
    refused: tuple[Refused, ...]
    counts: Mapping[str, int]


def open_bench() -> duckdb.DuckDBPyConnection:
    """A private in-memory engine for rules. Threads of a run use cursors of one bench."""
    bench = duckdb.connect(":memory:", config={"threads": 1})
    bench.execute("SET memory_limit = '128MB'")
    bench.execute("SET TimeZone = 'UTC'")
    bench.execute("SET enable_external_access = false")
    return bench


@cache
def _reader() -> duckdb.DuckDBPyConnection:
    """An engine that only reads the syntax of conditions; opening one takes as long as reading a hundred."""
    return open_bench()


def fault_in(constraint: str) -> str | None:
    """What is wrong with the syntax of a SQL condition, or None; columns are not looked at."""
    with _reader().cursor() as con:
        parsed = con.execute("SELECT json_serialize_sql(?)", [f"SELECT ({constraint})"]).fetchone()
    told = json.loads(parsed[0]) if parsed else {}
    return str(told.get("error_message", "not SQL")) if told.get("error") else None


class Judge:
    """The compiled rules of one table in one shape."""

    def __init__(self, table: Table, rules: RowRules) -> None:
        self.table = table
        self.rules = compile_rules(table, rules)
        self.lookups = lookups(table)
        present = [(i, c.name) for i, c in enumerate(table.columns)]
        named = names_in_sql(table.names)
        self._renamed = {name: cell_of(i) for i, name in present}
        self._sql = _query(self.rules, [(cell_of(i), named[name]) for i, name in present])

    def judge(self, batch: pa.RecordBatch, cursor: duckdb.DuckDBPyConnection) -> Judged:
        """The batch's good rows and its refused ones.

        `batch` has the columns of the table's Arrow schema. Raises: RefusedError for an
        expectation that is not valid SQL for this table.
        """
        if not self.rules or not batch.num_rows:
            return Judged(batch, None, (), {})
        broken = self._broken(batch, cursor)
        if not broken:
            return Judged(batch, None, (), {})
        counts: Counter[str] = Counter()
        gone: dict[int, Action] = {}
        told: dict[Rule, list[int]] = {}
        for row, *marks in broken:
            rules = [rule for rule, good in zip(self.rules, marks, strict=True) if not good]
            counts.update(rule.id for rule in rules)
            action = max((rule.action for rule in rules), key=_ORDER.index)
            if action is not Action.ALLOW:
                gone[row] = action
                for rule in rules:
                    told.setdefault(rule, []).append(row)
        if not gone:
            return Judged(batch, None, (), counts)
        refused = self._refused(batch, gone, told)
        kept = [i for i in range(batch.num_rows) if i not in gone]
        return Judged(batch.take(pa.array(kept, pa.int64())), kept, refused, counts)

    def _broken(self, batch: pa.RecordBatch, cursor: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
        names = [self._renamed[name] for name in batch.schema.names]
        rows = pa.Table.from_arrays([*batch.columns, _count_up(batch.num_rows)], names=[*names, ROW])
        absent = [c for c in self._renamed.values() if c not in names]
        for cell in absent:  # a column whose type is not known yet: null in every row
            rows = rows.append_column(cell, pa.nulls(batch.num_rows, pa.string()))
        cursor.register("penstock_batch", rows)
        try:
            return cursor.execute(self._sql).fetchall()
        except duckdb.Error as error:
            raise self._wrong_sql(error, cursor) from error
        finally:
            cursor.unregister("penstock_batch")

    def _refused(
        self, batch: pa.RecordBatch, gone: Mapping[int, Action], told: Mapping[Rule, list[int]]
    ) -> tuple[Refused, ...]:
        """The refused rows in order, each with what it broke in the order of the rules."""
        broken: dict[int, list[Broken]] = {row: [] for row in gone}
        for rule in self.rules:
            rows = told.get(rule, [])
            for row, value in zip(rows, self._values(rule, batch, rows), strict=True):
                broken[row].append(Broken(rule.name, rule.column, value))
        return tuple(Refused(row, action, tuple(broken[row])) for row, action in gone.items())

    def _values(self, rule: Rule, batch: pa.RecordBatch, rows: list[int]) -> list[str | None]:
        """What some rows have in a rule's column, as people see it."""
        column = self.table.column(rule.column) if rule.column is not None else None
        if column is None or column.name not in batch.schema.names:
            return [None] * len(rows)
        if column.sensitive:
            return ["***"] * len(rows)
        texts = to_text(batch.column(column.name).take(pa.array(rows, pa.int64())), column.type)
        return [None if text is None else text[:_SHOWN] for text in texts.to_pylist()]

    def _wrong_sql(self, error: duckdb.Error, cursor: duckdb.DuckDBPyConnection) -> RefusedError:
        for rule in self.rules:
            try:
                cursor.execute(_probe(self._sql, rule))
            except duckdb.Error as cause:
                words = str(cause).split('"')
                hint = suggest(words[1], self.table.names) if len(words) > 2 else None
                return RefusedError(
                    f"`{self.table.name}`: rule `{rule.id}` cannot be checked",
                    found=str(cause).splitlines()[0],
                    expected="a SQL condition over the table's columns",
                    hint=hint,
                )
        return RefusedError(
            f"`{self.table.name}`: its rules cannot be checked", found=str(error).splitlines()[0]
        )


def _query(rules: Sequence[Rule], cells: Sequence[tuple[str, str]]) -> str:
    """Rows that break any rule, with one boolean a rule."""
    own = ", ".join(f"{cell} AS {identifier(name)}" for cell, name in cells)
    marks = ", ".join(rule.sql for rule in rules)
    every = " AND ".join(rule.sql for rule in rules)
    row = identifier(ROW)
    return (
        f"SELECT {row}, {marks} FROM (SELECT *, {own} FROM penstock_batch) WHERE NOT ({every}) ORDER BY {row}"
    )


def _probe(sql: str, rule: Rule) -> str:
    inner = sql[sql.index(" FROM (SELECT") : sql.rindex(" WHERE NOT (")]
    return f"EXPLAIN SELECT {rule.sql}{inner}"


_numbers: dict[int, Any] = {}


def _count_up(n: int) -> Any:  # Any: pyarrow is untyped
    """0, 1, ... n-1 as an Arrow array; the longest made so far is kept and sliced."""
    longest = _numbers.get(0)
    if longest is None or len(longest) < n:
        longest = _numbers[0] = pa.array(range(max(n, 1 << 14)), pa.int64())
    return longest.slice(0, n)
