"""The ledger's tables, from the schemas that destinations create them by."""

from __future__ import annotations

import inspect
from typing import Any

from penstock import ledger
from penstock.destinations import ledger_rows, model_rows, run_rows
from reference.markdown import code, join, table

INTRO = f"""
# The ledger

Four tables lie beside the data in every destination and are written in the same commit as the rows
that they tell of; `{ledger.MODELS_TABLE}` has a row for each build of a model, written in the commit of its rows;
two more, `{ledger.RUNS_TABLE}` and `{ledger.STEPS_TABLE}`, say how runs went, and nothing that loads or decides
reads them. Instants are timestamps in UTC here, and Unix seconds in Python.
[Read the ledger](../how-to/read-the-ledger.md) shows queries. Every row of every other table carries
the load that brought it in, as `{ledger.LOAD_ID}`.
"""
_MADE_FROM: dict[str, Any] = {
    ledger.FILES_TABLE: ledger.LedgerFile,
    ledger.LOADS_TABLE: ledger.LedgerLoad,
    ledger.STATE_TABLE: ledger_rows.State,
    ledger.SCHEMA_TABLE: ledger_rows.Shape,
    ledger.MODELS_TABLE: ledger.Built,
    ledger.RUNS_TABLE: ledger.RunRecord,
    ledger.STEPS_TABLE: ledger.RunStep,
}
_WORDS = {
    "VARCHAR": "text",
    "BIGINT": "int64",
    "DOUBLE": "double",
    "TIMESTAMPTZ": "timestamp[us, tz=UTC]",
    "VARCHAR[]": "list<item: text>",
}
_COLUMNS: dict[str, dict[str, str]] = {
    **{n: {f.name: str(f.type).replace("string", "text") for f in s} for n, s in ledger_rows.SCHEMAS.items()},
    **{
        name: {column: _WORDS[kind] for column, kind in columns.items()}
        for name, columns in ({ledger.MODELS_TABLE: model_rows.COLUMNS} | dict(run_rows.COLUMNS)).items()
    },
}


def page() -> str:
    """One section a table: what a row is, and its columns."""
    return join(INTRO, *(_section(name) for name in _COLUMNS))


def _section(name: str) -> str:
    words = (inspect.getdoc(_MADE_FROM[name]) or "").split("\n\n")
    rows = [(code(column), code(kind)) for column, kind in _COLUMNS[name].items()]
    return join(f"## {name}", *words, table(("column", "type"), rows))
