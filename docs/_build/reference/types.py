"""The column types, and what each is stored as."""

from __future__ import annotations

from penstock.destinations.convert import ddl
from penstock.schema.arrow import to_arrow
from penstock.schema.types import Kind, parse_type
from penstock.schema.vocabulary import ETL_MANAGER, MOJAP
from reference.markdown import code, join, table

INTRO = """
# Types

These are the words for `type` in metadata files of our own and in the project file. A column without a
type takes the one that its data shows.
"""
WIDENING = """
## How types widen

A column that was seen in data, and not declared, takes the smallest type that holds every value so far:
`int64` and a number with a fraction become `float64`, whole numbers and exact decimals a wider decimal,
a date and a wall-clock timestamp a timestamp, structs the union of their fields, lists the list of the
wider item, scalars that have nothing in common `text`, scalars and nested values `json`. A widening that
would change a value that is there already is not done: the column becomes `text` instead.
"""
_PARAMETRIC = (
    "decimal(12,2)", "timestamp", "timestamp(ns)", "timestamp_tz", "timestamp_tz(ns)",
    "list<text>", "struct<street: text, city: text>",
)  # fmt: skip


def page() -> str:
    """Every type with what Arrow, parquet files and DuckDB hold it as, and others' words for them."""
    names = [*(kind.value for kind in Kind if kind is not Kind.NULL), *_PARAMETRIC]
    kinds = [(name, parse_type(name)) for name in names]
    rows = [(code(name), code(str(to_arrow(kind))), code(ddl(kind))) for name, kind in kinds]
    words = [
        (code(foreign), code(own), name)
        for name, known in (("etl_manager", ETL_MANAGER), ("mojap-metadata", MOJAP))
        for foreign, own in known.words.items()
    ]
    return join(
        INTRO,
        table(("type", "Arrow and parquet", "DuckDB"), rows),
        WIDENING,
        "## Other people's words",
        "Metadata files of etl_manager and mojap-metadata are read with their own words:",
        table(("word", "type", "format"), words),
    )
