"""Items of dlt resources, as blocks of rows with their hints.

This does what dlt's extractors do with an item, up to the point where they would write it: take up
the hints that came with it, find its table, compute that table's schema. The rows go on as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import penstock.sources.dlt.quiet  # noqa: F401  # isort: skip - before anything of dlt

from dlt.common.normalizers.naming.direct import NamingConvention
from dlt.extract.extractors import ImportFileMeta, MaterializedEmptyList, _to_arrow_table
from dlt.extract.hints import HintsMeta
from dlt.extract.items import TableNameMeta
from dlt.extract.utils import get_data_item_format

from penstock.ports import Block
from penstock.schema.hints import Hints
from penstock.schema.nesting import SEPARATOR, Nesting
from penstock.sources.dlt.tables import SKIP, hints_of
from penstock.sources.dlt.values import plain, rows_of

# Any throughout: resources, items and marks of dlt, whose types say no more

ROWS = 4096
"""How many rows are gathered before they are a block, unless a page holds more."""
_CHUNK = 50_000
_AS_IT_IS = NamingConvention()


class Blocks:
    """Gathers the items of one source. `tables` are those of each resource that got a block."""

    def __init__(self, contract: Any, nesting: Nesting | None) -> None:
        self.tables: dict[str, list[str]] = {}
        self._contract = contract
        self._nesting = nesting
        self._hints: dict[tuple[int, str], Hints | None] = {}
        self._rows: dict[str, list[dict[str, Any]]] = {}
        self._last: dict[str, Hints] = {}

    def take(self, resource: Any, item: Any, meta: Any) -> Iterator[Block]:
        """The blocks that are ready after an item of a resource."""
        if isinstance(meta, HintsMeta) and meta.hints:
            resource.merge_hints(meta.hints, meta.create_table_variant)
            self._forget(resource)
            if meta.create_table_variant:
                meta = TableNameMeta(meta.hints["table_name"])
        if isinstance(meta, ImportFileMeta):
            yield from self._file(resource, item, meta)
            return
        shape = get_data_item_format(item)
        if shape == "model":
            for table in item.iter_arrow(chunk_size=_CHUNK):
                yield from self._arrow(resource, table, meta)
        elif shape == "arrow":
            for one in item if isinstance(item, list) else [item]:
                yield from self._arrow(resource, _to_arrow_table(one), meta)
        else:
            yield from self._items(resource, item, meta)

    def rest(self) -> Iterator[Block]:
        """The rows that were gathered and are no block yet."""
        for table in list(self._rows):
            yield from self._flush(table)

    def empty(self, resource: Any, tables: list[str]) -> Iterator[Block]:
        """Blocks without rows for those tables of a resource that got none; they empty what is replaced."""
        for table in tables:
            if table not in self.tables.get(resource.name, ()):
                hints = hints_of(
                    {**resource.compute_table_schema(), "name": table}, self._contract, self._nesting
                )
                yield Block(table, [], hints)

    def _items(self, resource: Any, item: Any, meta: Any) -> Iterator[Block]:
        items = item if isinstance(item, list) else [item]
        if isinstance(item, MaterializedEmptyList):
            found = self._table(resource, None, meta)
            if found is not None:
                yield from self._flush(found)
                yield Block(found, [], self._last[found])
        elif resource.has_dynamic_table_name:
            for one in items:
                found = self._table(resource, one, meta)
                if found is not None:
                    yield from self._gather(found, [one])
        elif items:
            found = self._table(resource, items, meta)
            if found is not None:
                yield from self._gather(found, items)

    def _arrow(self, resource: Any, data: Any, meta: Any) -> Iterator[Block]:
        found = self._table(resource, data, meta)
        if found is not None:
            yield from self._flush(found)
            yield Block(found, data, self._last[found])

    def _file(self, resource: Any, item: Any, meta: Any) -> Iterator[Block]:
        found = self._table(resource, item, meta)
        if found is not None:
            yield from self._flush(found)
            yield Block(found, Path(meta.file_path), self._last[found])

    def _gather(self, table: str, items: list[Any]) -> Iterator[Block]:
        rows = self._rows.setdefault(table, [])
        rows += rows_of(items)
        if len(rows) >= ROWS:
            yield from self._flush(table)

    def _flush(self, table: str) -> Iterator[Block]:
        rows = self._rows.pop(table, [])
        if rows:
            yield Block(table, rows, self._last[table])

    def _table(self, resource: Any, item: Any, meta: Any) -> str | None:
        """The table of an item, whose hints are in `_last`; None if its rows are to be left out."""
        table = _name(resource, item, meta)
        key = (id(resource), table)
        if key not in self._hints or resource.has_other_dynamic_hints:
            named = TableNameMeta(table) if resource.has_dynamic_table_name else meta
            schema = {**resource.compute_table_schema(item, named), "name": table}
            skipped = schema.get("write_disposition") == SKIP
            children = _children(resource, table, item, named)
            self._hints[key] = (
                None if skipped else hints_of(schema, self._contract, self._nesting, children, _first(item))
            )
        hints = self._hints[key]
        if hints is None:
            return None
        self._last[table] = hints
        known = self.tables.setdefault(resource.name, [])
        if table not in known:
            known.append(table)
        return table

    def _forget(self, resource: Any) -> None:
        for key in [key for key in self._hints if key[0] == id(resource)]:
            del self._hints[key]


def _first(item: Any) -> Any:
    """One row of an item, as a plain value."""
    found = item[0] if isinstance(item, list) and item else item
    return plain(found) if isinstance(found, Mapping) or hasattr(found, "model_dump") else None


def _name(resource: Any, item: Any, meta: Any) -> str:
    """The table of an item: by the resource's function, by the mark on the item, or the resource's own."""
    if resource.has_dynamic_table_name:
        return str(resource.table_name(item))
    return str(meta.table_name if isinstance(meta, TableNameMeta) else resource.table_name)


def _children(resource: Any, table: str, item: Any, meta: Any) -> dict[str, Any]:
    """The schemas of those child tables of which the resource says something, by their path."""
    separator = _AS_IT_IS.PATH_SEPARATOR
    return {
        str(schema["name"]).removeprefix(table + separator).replace(separator, SEPARATOR): schema
        for schema in resource.compute_nested_table_schemas(table, _AS_IT_IS, item, meta)
    }
