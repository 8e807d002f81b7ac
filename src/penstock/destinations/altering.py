"""SQL that brings a DuckDB table from one layout to a wider one. Pure: only text is made here."""

from __future__ import annotations

from collections.abc import Iterator

from penstock.destinations.columns import Layout, Stored, find
from penstock.destinations.convert import convert, ddl, loses, quote


def altered(table: str, before: Layout, after: Layout) -> Iterator[str]:
    """Statements that add the new columns and widen the others; `table` is quoted."""
    for stored in after:
        old = find(before, stored.name)
        column = quote(stored.stored_as)
        if old is None:
            yield f"ALTER TABLE {table} ADD COLUMN {column} {ddl(stored.type)}"
        elif old.type != stored.type:
            using = convert(column, old.type, stored.type, guard=False)
            change = f"ALTER COLUMN {column} TYPE {ddl(stored.type)} USING {using}"
            yield f"ALTER TABLE {table} {change}"


def lost(before: Layout, after: Layout) -> Iterator[tuple[Stored, str]]:
    """The columns whose values a growth may lose, each with the condition that it does."""
    for stored in after:
        old = find(before, stored.name)
        condition = old and loses(quote(stored.stored_as), old.type, stored.type)
        if condition:
            yield stored, condition
