"""What a table's rows must satisfy, compiled once to SQL.

A column's rules come from its metadata, expectations from the project file. A rule that is null
for a row is broken; a column's own rules other than `nullable` do not concern null values.
Compiling is string work; `gate.judge` runs the SQL.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from penstock.gate.verdict import Action
from penstock.schema import types as t
from penstock.schema.table import Column, ForeignKey, Table
from penstock.schema.types import DataType, Decimal, Kind, List, Scalar, Timestamp

ROW = "penstock row"
UNIQUE = "unique"
"""The rule that is broken by rows which share a key."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """A row-level SQL condition that must be true."""

    name: str
    constraint: str
    action: Action = Action.QUARANTINE


@dataclass(frozen=True, slots=True)
class RowRules:
    """What the project says of a table's rows.

    `actions` overrides `on_broken` for one rule (`enum`), one column's rule (`country.enum`) or
    one expectation (its name). `unique_keys` asks for uniqueness of these columns together.
    """

    on_broken: Action = Action.QUARANTINE
    on_unparsable: Action = Action.QUARANTINE
    actions: Mapping[str, Action] = field(default_factory=dict)
    expectations: tuple[Expectation, ...] = ()
    unique_keys: tuple[tuple[str, ...], ...] = ()

    def action(self, rule: str, column: str | None) -> Action:
        """What becomes of a row that breaks this rule of this column."""
        named = self.actions.get(f"{column}.{rule}") if column is not None else None
        return named or self.actions.get(rule) or self.on_broken


@dataclass(frozen=True, slots=True)
class Rule:
    """One compiled rule. `sql` is true for rows that satisfy it; never null."""

    name: str
    column: str | None
    action: Action
    sql: str

    @property
    def id(self) -> str:
        """How counts and `actions` name it: `country.enum`, or an expectation's own name."""
        return rule_id(self.name, self.column)


@dataclass(frozen=True, slots=True)
class Lookup:
    """A foreign key: the values of `column` must be in `reference`, whose keys are relation `view`."""

    column: str
    reference: ForeignKey
    view: str


def rule_id(rule: str, column: str | None) -> str:
    """The name under which a rule is counted."""
    return rule if column is None else f"{column}.{rule}"


def compile_rules(table: Table, rules: RowRules) -> tuple[Rule, ...]:
    """Every row rule of a table, the column's in column order, then the expectations."""
    compiled = [rule for i, c in enumerate(table.columns) for rule in _column_rules(i, c, table, rules)]
    expected = (
        Rule(e.name, None, rules.actions.get(e.name, e.action), _never_null(f"({e.constraint})"))
        for e in rules.expectations
    )
    return (*compiled, *expected)


def lookups(table: Table) -> tuple[Lookup, ...]:
    """The foreign keys of a table, each with the relation that must hold its keys."""
    return tuple(
        Lookup(c.name, c.foreign_key, f"penstock_keys_{i}")
        for i, c in enumerate(table.columns)
        if c.foreign_key is not None
    )


def unique_keys(table: Table, rules: RowRules) -> tuple[tuple[str, ...], ...]:
    """The column sets that may not repeat within a load."""
    singles = [(c.name,) for c in table.columns if c.unique]
    return tuple(dict.fromkeys([*singles, *rules.unique_keys]))


def _column_rules(i: int, column: Column, table: Table, rules: RowRules) -> Iterator[Rule]:
    if column.type == t.NULL:
        if not column.nullable or column.name in table.primary_key:
            yield Rule("nullable", column.name, rules.action("nullable", column.name), "false")
        return
    cell = cell_of(i)
    if not column.nullable or column.name in table.primary_key:
        yield Rule("nullable", column.name, rules.action("nullable", column.name), f"({cell} IS NOT NULL)")
    for name, sql in _value_rules(cell, column, i):
        action = rules.action(name, column.name)
        yield Rule(name, column.name, action, f"({cell} IS NULL OR {_never_null(sql)})")


def _value_rules(cell: str, column: Column, i: int) -> Iterator[tuple[str, str]]:
    kind = column.type
    text = cell if kind in (t.TEXT, t.JSON, t.UUID) else f"CAST({cell} AS VARCHAR)"
    if column.enum is not None:
        yield "enum", f"{cell} IN ({', '.join(literal(v, kind) for v in column.enum) or 'NULL'})"
    if column.pattern is not None:
        yield "pattern", f"regexp_full_match({text}, {quoted(column.pattern)})"
    guard = f" AND NOT isnan({cell})" if t.is_float(kind) else ""
    if column.minimum is not None:
        yield "minimum", f"({cell} >= {literal(column.minimum, kind)}{guard})"
    if column.maximum is not None:
        yield "maximum", f"({cell} <= {literal(column.maximum, kind)}{guard})"
    length = _length(cell, text, kind)
    if column.min_length is not None:
        yield "min_length", f"{length} >= {int(column.min_length)}"
    if column.max_length is not None:
        yield "max_length", f"{length} <= {int(column.max_length)}"
    if column.foreign_key is not None:
        yield "foreign_key", f"{cell} IN (SELECT k FROM penstock_keys_{i})"


def _length(cell: str, text: str, kind: DataType) -> str:
    """The items of a list, the bytes of binary data, the characters of everything else."""
    if isinstance(kind, List):
        return f"len({cell})"
    return f"octet_length({cell})" if kind == t.BINARY else f"length({text})"


def cell_of(i: int) -> str:
    """What the gate calls a table's column number `i`, so that no two names can collide."""
    return f"penstock_c{i}"


def _never_null(sql: str) -> str:
    return f"coalesce({sql}, false)"


def quoted(text: str) -> str:
    """A SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A SQL identifier, whatever is in the name."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: Any, kind: DataType) -> str:  # Any: from a metadata file
    """A value of a metadata file as a SQL literal of a column's type."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"CAST({quoted(str(value))} AS {sql_type(kind)})"


_SQL = {
    Kind.BOOL: "BOOLEAN", Kind.INT8: "TINYINT", Kind.INT16: "SMALLINT", Kind.INT32: "INTEGER",
    Kind.INT64: "BIGINT", Kind.UINT8: "UTINYINT", Kind.UINT16: "USMALLINT", Kind.UINT32: "UINTEGER",
    Kind.UINT64: "UBIGINT", Kind.FLOAT32: "FLOAT", Kind.FLOAT64: "DOUBLE", Kind.BINARY: "BLOB",
    Kind.DATE: "DATE", Kind.TIME: "TIME",
}  # fmt: skip


def sql_type(kind: DataType) -> str:
    """The type that a bound of a column is compared as; numbers as they are written, never rounded."""
    if isinstance(kind, Decimal):
        return f"DECIMAL({kind.precision},{kind.scale})"
    if t.is_integer(kind):
        return "HUGEINT"
    if isinstance(kind, Timestamp):
        return ("TIMESTAMPTZ" if kind.zone else "TIMESTAMP") + ("_NS" if kind.unit == "ns" else "")
    return _SQL.get(kind.kind, "VARCHAR") if isinstance(kind, Scalar) else "VARCHAR"


def stored_type(kind: DataType) -> str | None:
    """The SQL type of a column's own values, which takes no others; None for nested ones."""
    if isinstance(kind, Scalar) and kind.kind in _SQL:
        return _SQL[kind.kind]
    if isinstance(kind, Decimal | Timestamp):
        return sql_type(kind)
    return "VARCHAR" if kind == t.TEXT else None


def names_in_sql(names: Sequence[str]) -> dict[str, str]:
    """The names that expectations use: the columns' own, `__2` and so on where case alone differs."""
    taken: dict[str, int] = {}
    given: dict[str, str] = {}
    for name in names:
        count = taken[name.casefold()] = taken.get(name.casefold(), 0) + 1
        given[name] = name if count == 1 else f"{name}__{count}"
    return given
