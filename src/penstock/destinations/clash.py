"""Keys that are in a table already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from penstock.destinations.columns import Layout, find
from penstock.destinations.convert import quote
from penstock.destinations.merging.sql import listed


def clashes(con: Any, rows: str, layout: Layout, columns: Sequence[str], keys: Any) -> Any:
    """Those of some keys that the rows of the query `rows` have, as an Arrow table.

    Shape: `keys` (an Arrow stream) and the answer have text columns called as `columns`; a value is
    compared as DuckDB writes it as text in UTC.
    """
    stored = [s for s in (find(layout, c) for c in columns) if s is not None]
    if len(stored) < len(columns):
        return keys.schema.empty_table()  # a column without any value yet
    texts = ", ".join(f"CAST({quote(s.stored_as)} AS VARCHAR) AS {quote(s.name)}" for s in stored)
    # DuckDB finds the stream by the name of this variable, so nothing is left to undo on failure
    _penstock_keys = keys
    con.execute("SET python_enable_replacements = true")
    held = f"SELECT {texts} FROM ({rows})"
    sql = (
        f"SELECT DISTINCT {listed(columns)} FROM _penstock_keys SEMI JOIN ({held}) USING ({listed(columns)})"
    )
    return con.sql(sql).to_arrow_table()
