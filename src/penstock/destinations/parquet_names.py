"""Where parts of a table lie: the layout template, and hive partitions in a path. Pure."""

from __future__ import annotations

import string
from collections.abc import Sequence
from urllib.parse import quote, unquote

from penstock.destinations.columns import Layout, Stored, find
from penstock.destinations.convert import EMPTY, as_text, literal
from penstock.destinations.parquet_log import Partition
from penstock.errors import ProjectError, RefusedError
from penstock.layers import quote as segment
from penstock.schema.table import Table
from penstock.schema.types import is_nested

NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
_FIELDS = {"table", "partitions", "load_id", "part"}


def check_template(template: str) -> None:
    """Refuse a layout template under which parts would overwrite each other or the log.

    Raises: ProjectError.
    """
    fields = {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}
    wrong = sorted(fields - _FIELDS) or sorted({"table", "load_id", "part"} - fields)
    if wrong or template.startswith(("/", "_")) or not template.endswith(".parquet"):
        raise ProjectError(
            "this `layout` cannot place parquet files",
            found=f"`{template}`" + (f": look at `{{{wrong[0]}}}`" if wrong else ""),
            expected="a relative path with {table}, {partitions}, {load_id} and {part}, ending in `.parquet`",
            hint="the default is `{table}/{partitions}/{load_id}_{part}.parquet`",
        )


def part_key(template: str, table: str, path: str, load_id: str, part: int) -> str:
    """The key of a part; `path` is its hive path, such as `country=DE`, or empty."""
    filled = template.format(
        table=segment(table), partitions=path, load_id=segment(load_id), part=f"{part:05}"
    )
    return "/".join(p for p in filled.split("/") if p)


def partition_columns(table: Table, layout: Layout) -> tuple[tuple[str, Stored | None], ...]:
    """The partition columns of a table: the name in paths, and the column (None: only nulls so far).

    Raises: RefusedError for a column that is a list or a struct.
    """
    found = []
    for name in table.partitions:
        stored = find(layout, name)
        if stored is not None and is_nested(stored.type) and stored.type != EMPTY:
            raise RefusedError(
                f"`{table.name}` cannot be partitioned by `{name}`",
                found=str(stored.type),
                expected="a column of plain values",
            )
        found.append((stored.stored_as if stored else name, stored))
    return tuple(found)


def path_sql(columns: Sequence[tuple[str, Stored | None]], values: dict[str, str]) -> str:
    """An expression for the hive path of a row; `values` has an expression for each stored column.

    A text that reads like the mark for null is coded so that it does not.
    """
    parts = []
    for name, stored in columns:
        start = literal(f"{quote(name, safe='')}=")
        value = values.get(name) if stored is not None else None
        if stored is None or value is None:
            parts.append(f"{start} || {literal(NULL_PARTITION)}")
            continue
        text = f"url_encode({as_text(value, stored.type)})"
        same = f"{text} = {literal(NULL_PARTITION)}"
        coded = f"CASE WHEN {same} THEN {literal('%5F' + NULL_PARTITION[1:])} ELSE {text} END"
        parts.append(f"{start} || coalesce({coded}, {literal(NULL_PARTITION)})")
    return " || '/' || ".join(parts)


def partition_of(path: str) -> Partition:
    """The values in a hive path, as text; None for null."""
    pairs = [p.partition("=") for p in path.split("/") if p]
    return tuple((unquote(n), None if v == NULL_PARTITION else unquote(v)) for n, _, v in pairs)
