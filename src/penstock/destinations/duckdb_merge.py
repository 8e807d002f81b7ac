"""Rows of a load that wait in a DuckDB file until they meet those of their tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from penstock.destinations.altering import altered
from penstock.destinations.columns import PART, Layout
from penstock.destinations.convert import ddl, quote
from penstock.destinations.duckdb_relations import columns as columns_of
from penstock.destinations.engine import rows_of
from penstock.destinations.merging.upsert import Graves, Upsert, graves_of
from penstock.destinations.staging import Stage
from penstock.ports import Batches
from penstock.schema.disposition import Disposition
from penstock.schema.nesting import ROW_ID


class Merges:
    """What of a load has been staged, by table, and which tables have been merged into.

    `con` is the connection of the load; `grant` lets it use what merging rows of that size needs.
    """

    def __init__(self, con: Any, load_id: str, grant: Callable[[int], None]) -> None:  # Any: untyped
        self._con = con
        self._load_id = load_id
        self._grant = grant
        self._stages: dict[str, Stage] = {}
        self._graves: dict[str, str] = {}
        self._made = 0
        self.merged: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self._stages

    def open(self, name: str, layout: Layout, disposition: Disposition) -> None:
        """Begin to stage rows that are written as wholes, though none may come."""
        if name not in self._stages:
            self._stage(name, disposition).open(layout)

    def add(self, name: str, layout: Layout, disposition: Disposition, data: Batches) -> int:
        """Stage rows and return how many; those that do not go with earlier ones make these merge first."""
        stage = self._stages.get(name)
        received = stage.add(data, layout) if stage and stage.disposition == disposition else None
        if received is None:
            self.merge(name, layout)
            received = self._stage(name, disposition).add(data, layout)
        return received or 0

    def take(self, name: str, layout: Layout, disposition: Disposition, rows: str, columns: Layout) -> None:
        """Stage the rows of a query, which have these columns as they are stored and their ordinals."""
        self._stage(name, disposition).take(rows, columns, layout)

    def grow(self, name: str, before: Layout, after: Layout) -> None:
        """Follow a table before it grows. Raises: LossyError while nothing has changed yet."""
        stage = self._stages.get(name)
        if stage is not None and stage.whole:
            stage.refuse_loss(before, after)
        elif stage is not None:
            self.merge(name, before)

    def grown(self, name: str, before: Layout, after: Layout) -> None:
        """Follow a table that has grown."""
        stage = self._stages.get(name)
        if stage is not None:
            stage.grow(before, after)
        for table in (graves_of(name), *({self._graves[name]} if name in self._graves else ())):
            mine = columns_of(self._con, table)
            kept = [tuple(s for s in layout if s.stored_as in mine) for layout in (before, after)]
            for sql in altered(quote(table), *kept):
                self._con.execute(sql)

    def merge(self, name: str, layout: Layout, root: str | None = None) -> None:
        """Merge what waits for a table; `root` is the table whose rows its rows are part of."""
        stage = self._stages.pop(name, None)
        if stage is None:
            return
        self._grant(stage.vector_bytes)
        roots = f"SELECT {quote(ROW_ID)} AS id FROM {quote(root)}" if root else ""
        merge = stage.merge(layout, roots)
        if merge is not None:
            table = quote(name)
            is_empty = not rows_of(self._con, f"SELECT 1 FROM {table} LIMIT 1")
            self._run(merge.settled())
            graves = merge.graves if isinstance(merge, Upsert) else None
            place = self._laid(name, graves, layout) if graves else ""
            if graves:
                self._run([graves.respected(f"SELECT * FROM {place}")])
            self._run(merge.met(_tagged(table), PART))
            self._run(merge.applied(table, layout, is_empty=is_empty))
            if graves:
                self._run([graves.emptied(place), f"INSERT INTO {place} {graves.dug()}"])
            stage.drop()
        self.merged.add(name)

    def preview(self, name: str, layout: Layout) -> str:
        """A query for the rows of a table as this load will leave them.

        Rows of a table that is part of another are taken to have their roots.
        """
        stage, rows = self._stages.get(name), _tagged(quote(name))
        if stage is not None and not stage.whole:
            self.merge(name, layout)
        elif stage is not None:
            is_part = stage.disposition.root is not None
            merge = stage.merge(layout, stage.all_roots(quote(name)) if is_part else "")
            if merge is not None:
                self._run([*merge.settled(), *merge.met(rows, PART)])
                return f"{merge.kept(rows, layout)} UNION ALL {merge.added(rows, layout)}"
        return f"SELECT * FROM {quote(name)}"

    def drop(self, name: str) -> None:
        """Forget what waits for a table, and its graves."""
        stage = self._stages.pop(name, None)
        if stage is not None:
            stage.drop()
        self._con.execute(f"DROP TABLE IF EXISTS {quote(graves_of(name))}")
        self._bury(name)

    def close(self) -> None:
        """Forget what this load alone needed to know."""
        for name in list(self._graves):
            self._bury(name)

    def _bury(self, name: str) -> None:
        local = self._graves.pop(name, None)
        if local is not None:
            self._con.execute(f"DROP TABLE IF EXISTS {quote(local)}")

    def _stage(self, name: str, disposition: Disposition) -> Stage:
        self._made += 1
        stage = Stage(self._con, f"_penstock_stage_{self._made}", name, disposition, self._load_id)
        self._stages[name] = stage
        return stage

    def _laid(self, name: str, graves: Graves, layout: Layout) -> str:
        """The table of the graves of a table, made if it is not there, as an identifier."""
        if graves.lasting:
            kind, table = "TABLE", graves_of(name)
        else:
            kind, table = "TEMP TABLE", self._graves.setdefault(name, f"_penstock_graves_{self._made}")
        kinds = {s.stored_as: ddl(s.type) for s in layout}
        if columns_of(self._con, table) != set(graves.columns):
            self._con.execute(f"DROP TABLE IF EXISTS {quote(table)}")  # the key is another one now
            columns = ", ".join(f"{quote(c)} {kinds[c]}" for c in graves.columns)
            self._con.execute(f"CREATE {kind} {quote(table)} ({columns})")
        return quote(table)

    def _run(self, statements: Iterable[str]) -> None:
        for sql in statements:
            self._con.execute(sql)


def _tagged(table: str) -> str:
    return f"SELECT *, rowid AS {PART} FROM {table}"
