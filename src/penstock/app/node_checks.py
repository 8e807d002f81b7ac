"""The rules of a table as the checks of its nodes, under the names by which results count them."""

from __future__ import annotations

from collections.abc import Iterator

from penstock.catalogue import Check
from penstock.gate.arrival import DUPLICATE
from penstock.gate.rules import UNIQUE, compile_rules, rule_id, unique_keys
from penstock.gate.verdict import Action
from penstock.project.models import ModelSpec
from penstock.project.promise import TableSpec
from penstock.project.rules import row_rules_of
from penstock.schema.disposition import Disposition
from penstock.schema.table import Table


def file_checks(spec: TableSpec) -> Iterator[Check]:
    """What is asked of the files of a table as a whole, where the project says so."""
    gate = spec.gate
    for rule in ("min_rows", "max_rows", "min_bytes", "max_bytes", "max_quarantined_share"):
        limit = getattr(gate, rule)
        if limit is not None:
            side, _, what = rule.partition("_")
            said = "at least" if side == "min" else "at most"
            text = (
                f"{said} a share of {limit:g} of a file's rows"
                if "share" in what
                else f"{said} {limit:,} {what}"
            )
            yield Check(rule, gate.arrival, description=text)
    if gate.duplicate_content is not Action.ALLOW:
        text = "no bytes that were loaded before"
        yield Check(DUPLICATE, gate.duplicate_content, description=text)
    if gate.volume is not None:
        for unit in ("rows", "bytes"):
            text = f"{unit} of a file within {gate.volume.tolerance:g} robust deviations of what is usual"
            yield Check(f"volume_{unit}", gate.volume.action, description=text)


def row_checks(spec: TableSpec, table: Table, disposition: Disposition) -> Iterator[Check]:
    """What is asked of rows: by the columns' metadata, by expectations and by keys that may not repeat.

    A model is asked for its number of rows too, and one that has too few or too many fails.
    """
    rules = row_rules_of(spec, table, disposition)
    constraints = {e.name: e.constraint for e in rules.expectations}
    about = {c.name: c.description for c in table.columns}
    for rule in compile_rules(table, rules):
        said = constraints.get(rule.name) if rule.column is None else _said(rule.name, table, rule.column)
        yield Check(rule.id, rule.action, rule.column, said or about.get(rule.column or ""))
    for columns in unique_keys(table, rules):
        column = columns[0] if len(columns) == 1 else None
        named = rule_id(UNIQUE, column) if column else _repeated(spec, columns)
        text = f"no value of {', '.join(columns)} twice"
        yield Check(named, rules.action(UNIQUE, column), column, text)
    if isinstance(spec, ModelSpec):
        for bound, limit in (("min_rows", spec.gate.min_rows), ("max_rows", spec.gate.max_rows)):
            if limit is not None:
                text = f"at {'least' if bound == 'min_rows' else 'most'} {limit:,} rows"
                yield Check(bound, Action.FAIL, description=text)


def _repeated(spec: TableSpec, columns: tuple[str, ...]) -> str:
    """Under which name a key of several columns is counted."""
    together = ", ".join(columns)
    return f"{UNIQUE}({together})" if isinstance(spec, ModelSpec) else rule_id(UNIQUE, together)


def _said(rule: str, table: Table, name: str) -> str | None:
    """A column's rule in words."""
    column = table.column(name)
    if column is None:
        return None
    if rule == "nullable":
        return f"{name} has a value"
    if rule == "enum":
        return f"{name} is one of {', '.join(map(str, column.enum or ()))}"
    if rule == "foreign_key" and column.foreign_key is not None:
        return f"{name} is in {column.foreign_key.table} ({', '.join(column.foreign_key.columns)})"
    return f"{rule.replace('_', ' ')} of {name}: {getattr(column, rule)}"
