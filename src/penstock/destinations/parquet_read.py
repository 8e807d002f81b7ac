"""A table's parts as one SQL relation, whatever layouts they were written by."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from penstock.destinations.columns import PART, Layout, find, layout_from_json
from penstock.destinations.convert import EMPTY, convert, ddl, literal, quote
from penstock.destinations.parquet_log import Part
from penstock.ledger import LOAD_ID
from penstock.schema.types import BINARY, NULL, TEXT, DataType

_FILE = "_penstock_file"
_GLOB = re.compile(r"([\[*?])")


class Files(Protocol):
    """How DuckDB gets at parts: `relation` gives SQL for their rows as they lie in the files.

    With `tagged` there are also the columns `_penstock_part` (the part's final key) and
    `_penstock_0`, `_penstock_1` and so on, the values of its partition columns as text.
    """

    def relation(self, parts: Sequence[Part], layout: Layout, tagged: bool) -> str:
        """SQL that can stand in a FROM clause. The parts share one layout and partition columns."""
        ...


class LocalFiles:
    """Parts in a folder of this machine, which DuckDB reads by itself."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def relation(self, parts: Sequence[Part], layout: Layout, tagged: bool) -> str:  # noqa: ARG002
        """Each part at its final place, or where it was staged if it is not there yet."""
        paths = [self._place(p) for p in parts]
        listed = ", ".join(literal(_GLOB.sub(r"[\1]", p)) for p in paths)
        if not tagged:
            return f"read_parquet([{listed}], hive_partitioning = false)"
        names = [_FILE, PART, *(f"_penstock_{i}" for i in range(len(parts[0].partition)))]
        rows = ", ".join(
            "(" + ", ".join([literal(path), literal(p.key), *(_text(v) for _, v in p.partition)]) + ")"
            for path, p in zip(paths, parts, strict=True)
        )
        files = f"read_parquet([{listed}], hive_partitioning = false, filename = '{_FILE}')"
        tags = f"(VALUES {rows}) AS tags({', '.join(names)})"
        return f"(SELECT * FROM {files} JOIN {tags} USING ({_FILE}))"

    def _place(self, part: Part) -> str:
        final = self._root / part.key
        return str(final if final.exists() else self._root / part.staged)


def scan(
    files: Files, parts: Sequence[Part], layouts: Mapping[str, str], layout: Layout, tagged: bool = False
) -> str:
    """A query for the rows of `parts` with the columns and types of `layout`, and the load id.

    `layouts` are layouts as JSON by digest. With `tagged` the column `_penstock_part` is there too.
    """
    groups: dict[tuple[str, tuple[str, ...]], list[Part]] = {}
    for part in parts:
        groups.setdefault((part.layout, tuple(n for n, _ in part.partition)), []).append(part)
    selects = []
    for (digest, partition), group in groups.items():
        written = layout_from_json(layouts[digest])
        columns = _columns(written, partition, layout)
        if tagged:
            columns.append(PART)
        relation = files.relation(group, written, tagged or bool(partition))
        selects.append(f"SELECT {', '.join(columns)} FROM {relation}")
    return " UNION ALL ".join(selects) or _nothing(layout, tagged)


def partition_rows(
    parts: Sequence[Part], layouts: Mapping[str, str], layout: Layout, columns: Sequence[str]
) -> str:
    """A query for one row of each part whose partition tells the values of some columns; no file is read.

    It has these columns as stored, `_penstock_part` and a load id. Empty if no part is like that.
    """
    rows = []
    for part in parts:
        values, written = dict(part.partition), layout_from_json(layouts[part.layout])
        if not columns or not values.keys() >= set(columns):
            continue
        told = []
        for stored in (s for s in layout if s.stored_as in columns):
            old = find(written, stored.name)
            kind: DataType = old.type if old else NULL
            value = convert(_from_text(_text(values[stored.stored_as]), kind), kind, stored.type)
            told.append(f"{value} AS {quote(stored.stored_as)}")
        rows.append(f"SELECT {', '.join(told)}, {literal(part.key)} AS {PART}, '' AS {quote(LOAD_ID)}")
    return " UNION ALL ".join(rows)


def _columns(written: Layout, partition: Sequence[str], layout: Layout) -> list[str]:
    columns = []
    for stored in layout:
        old = find(written, stored.name)
        kind: DataType = old.type if old else NULL
        value = quote(old.stored_as) if old else ""
        if old and old.stored_as in partition:
            value = _from_text(f"_penstock_{partition.index(old.stored_as)}", kind)
        columns.append(f"{convert(value, kind, stored.type)} AS {quote(stored.stored_as)}")
    return [*columns, quote(LOAD_ID)]


def _from_text(x: str, kind: DataType) -> str:
    if kind == BINARY:
        return f"from_base64({x})"
    return x if kind in (TEXT, EMPTY) else f"CAST({x} AS {ddl(kind)})"


def _nothing(layout: Layout, tagged: bool) -> str:
    columns = [f"CAST(NULL AS {ddl(s.type)}) AS {quote(s.stored_as)}" for s in layout]
    columns.append(f"CAST(NULL AS VARCHAR) AS {quote(LOAD_ID)}")
    if tagged:
        columns.append(f"CAST(NULL AS VARCHAR) AS {PART}")
    return f"SELECT {', '.join(columns)} WHERE false"


def _text(value: str | None) -> str:
    return "CAST(NULL AS VARCHAR)" if value is None else literal(value)
