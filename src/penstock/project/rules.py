"""From what a project says of a table's gate to the rules that the gate judges by."""

from __future__ import annotations

from penstock.gate.arrival import ArrivalRules
from penstock.gate.rules import Expectation, RowRules
from penstock.gate.verdict import Action
from penstock.project.promise import TableSpec
from penstock.schema.disposition import Disposition, WriteMode
from penstock.schema.table import Table


def row_rules_of(spec: TableSpec, table: Table, disposition: Disposition) -> RowRules:
    """The rules of a table's rows. A primary key is one where the project promises it.

    Sources name keys for merges and cursors, and give rows again on purpose: theirs is no rule.
    """
    gate = spec.gate
    merged = disposition.mode is WriteMode.MERGE
    return RowRules(
        on_broken=gate.on_broken,
        on_unparsable=gate.on_unparsable,
        actions=gate.actions,
        expectations=(
            *_filter_of(disposition),
            *(Expectation(e.name, e.constraint, e.action) for e in gate.expectations),
        ),
        unique_keys=(table.primary_key,) if table.primary_key and not merged else (),
    )


def _filter_of(disposition: Disposition) -> tuple[Expectation, ...]:
    """The rule that drops the rows that a merge does not want."""
    wanted = disposition.source_filter
    return () if wanted is None else (Expectation("source_filter", wanted, Action.DROP),)


def arrival_rules_of(spec: TableSpec) -> ArrivalRules:
    """What is asked of a table's files as a whole."""
    gate = spec.gate
    return ArrivalRules(
        min_rows=gate.min_rows,
        max_rows=gate.max_rows,
        min_bytes=gate.min_bytes,
        max_bytes=gate.max_bytes,
        max_quarantined_share=gate.max_quarantined_share,
        action=gate.arrival,
        duplicate_content=gate.duplicate_content,
        stated=spec.format,
        encoding=spec.csv.encoding,
    )
