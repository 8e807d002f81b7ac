"""The ledger's tables, from the schemas that destinations create them by."""

from __future__ import annotations

import inspect
from typing import Any

from penstock import ledger
from penstock.destinations import ledger_rows, run_rows
from reference.markdown import code, join, table

INTRO = f"""
# The ledger

Four tables lie beside the data in every destination and are written in the same commit as the rows
that they tell of; two more, `{ledger.RUNS_TABLE}` and `{ledger.STEPS_TABLE}`, say how runs went, and
nothing that loads or decides reads them. Instants are timestamps in UTC here, and Unix seconds in Python.
[Read the ledger](../how-to/read-the-ledger.md) shows queries. Every row of every other table carries
the load that brought it in, as `{ledger.LOAD_ID}`.
"""
_MADE_FROM: dict[str, Any] = {
    ledger.FILES_TABLE: ledger.LedgerFile,
    ledger.LOADS_TABLE: ledger.LedgerLoad,
    ledger.STATE_TABLE: ledger_rows.State,
    ledger.SCHEMA_TABLE: ledger_rows.Shape,
    ledger.RUNS_TABLE: ledger.RunRecord,
    ledger.STEPS_TABLE: ledger.RunStep,
}
_COLUMNS = {**ledger_rows.SCHEMAS, **run_rows.SCHEMAS}


def page() -> str:
    """One section a table: what a row is, and its columns."""
    return join(INTRO, *(_section(name) for name in _COLUMNS))


def _section(name: str) -> str:
    words = (inspect.getdoc(_MADE_FROM[name]) or "").split("\n\n")
    rows = [(code(f.name), code(str(f.type).replace("string", "text"))) for f in _COLUMNS[name]]
    return join(f"## {name}", *words, table(("column", "type"), rows))
