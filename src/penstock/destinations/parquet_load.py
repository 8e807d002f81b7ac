"""One load into parquet files: parts are staged, and one entry in the commit log makes them true."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from shutil import rmtree
from tempfile import gettempdir, mkdtemp
from typing import Any

from penstock.destinations.altering import lost
from penstock.destinations.clash import clashes
from penstock.destinations.columns import (
    PART,
    PRIVATE,
    Layout,
    check_table_name,
    find,
    grow,
    layout_from_json,
    layout_to_json,
    leaves,
    lossy,
    part_of,
    root_of,
)
from penstock.destinations.convert import literal, quote
from penstock.destinations.engine import Limits, connect, explained, rows_of, table_of
from penstock.destinations.incoming import Incoming
from penstock.destinations.merging.choice import Merge, is_merged, is_snapshot, versioned, waits
from penstock.destinations.merging.delete_insert import DeleteInsert
from penstock.destinations.merging.refusals import refuse_nonsense, refuse_unknown
from penstock.destinations.merging.sql import listed
from penstock.destinations.merging.upsert import Graves, Upsert, graves_of
from penstock.destinations.parquet_commit import definitions, refuse_loaded
from penstock.destinations.parquet_log import BUILDS, Entry, ModelBuild, Part, Snapshot, SourceState
from penstock.destinations.parquet_names import partition_columns
from penstock.destinations.parquet_parts import Parts, Writing
from penstock.destinations.parquet_read import Files, partition_rows, scan
from penstock.destinations.parquet_rows import converted, is_plain, plain_rows, routed
from penstock.destinations.staging import Stage
from penstock.errors import BugError, LockHeldError, OutsideError, RefusedError, StoreError
from penstock.ledger import LOAD_ID, Commit
from penstock.ports import Batches, Store
from penstock.schema.definition import table_from_json
from penstock.schema.disposition import Disposition, WriteMode
from penstock.schema.nesting import ROW_ID
from penstock.schema.table import Table

SPILL = "penstock-spill-"
GRAVE_PARTS = 16


@dataclass(frozen=True, slots=True)
class Place:
    """Where a load goes and how: `local` is the folder if it is on this machine's disk.

    `publish` makes an entry true, or raises.
    """

    store: Store
    template: str
    writing: Writing
    local: Path | None
    limits: Limits
    files: Callable[[Any], Files]  # Any: DuckDB's connection is untyped
    publish: Callable[[Entry], None]

    @property
    def scratch(self) -> Path | None:
        """A folder for files in the making; None: the system's."""
        return self.local / "_penstock" if self.local else None

    def tidy(self) -> None:
        """Make the scratch folder, without what killed loads spilled into it. The lock is held."""
        if self.scratch is not None:
            self.scratch.mkdir(parents=True, exist_ok=True)
            for left in self.scratch.glob(f"{SPILL}*"):
                rmtree(left, ignore_errors=True)


class ParquetTransaction:
    """A load in the making. Nothing outside `_penstock/staging/` changes before `commit`.

    `built` are the models whose rows it brings, `unbuilt` those whose rows it takes away.
    """

    def __init__(self, place: Place, snapshot: Snapshot, pipeline: str, load_id: str) -> None:
        place.tidy()
        self._place = place
        self._snapshot = snapshot
        self._pipeline = pipeline
        self._load_id = load_id
        self._open = True
        self.built: tuple[ModelBuild, ...] = ()
        self.unbuilt: tuple[str, ...] = ()
        self._parts = Parts(place.store, load_id, place.template, place.writing, place.scratch)
        self._added: dict[str, Part] = {}
        self._removed: dict[str, None] = {}
        self._emptied: set[str] = set()
        self._forgotten: list[str] = []
        self._stages: dict[str, Stage] = {}
        self._merged: set[str] = set()
        self._graves: dict[str, Graves] = {}
        self._tables: dict[str, Table] = {}
        self._dispositions: dict[str, Disposition] = {}
        self._layouts: dict[str, Layout] = {}
        self._digests: dict[str, str] = {}
        self._known = dict(snapshot.newest())
        self._texts = dict(snapshot.layouts)

    @cached_property
    def _spill(self) -> str:
        try:
            return mkdtemp(prefix=SPILL, dir=self._place.scratch)
        except OSError as error:
            place = str(self._place.scratch or gettempdir())
            raise StoreError("a folder cannot be made", where=place, found=str(error)) from error

    @cached_property
    def _con(self) -> Any:
        """A DuckDB in memory, for what Arrow cannot do; most loads never ask for it."""
        settings = self._place.limits.settings(self._spill)
        return connect(":memory:", settings | {"python_enable_replacements": "false"})

    @cached_property
    def _files(self) -> Files:
        return self._place.files(self._con)

    # ------------------------------------------------------------------------------- the shape

    def shape(self, table: Table, disposition: Disposition) -> None:
        """Make the table known or grow it. Raises: RefusedError; LossyError, after which the load goes on."""
        self._check_open()
        refuse_nonsense(table, disposition)
        before = self._stored(table.name)
        after = versioned(grow(before or (), table), disposition)
        if disposition.root is not None:
            after = part_of(after, disposition.root)
        partition_columns(table, after)
        if before is not None and before != after:
            self._grow(table.name, before, after)
        self._tables[table.name] = table
        self._dispositions[table.name] = disposition
        self._lay(table.name, after)

    def _lay(self, name: str, layout: Layout) -> None:
        self._layouts[name] = layout
        text = layout_to_json(layout)
        self._digests[name] = sha256(text.encode()).hexdigest()[:16]
        self._texts[self._digests[name]] = text

    def _grow(self, name: str, before: Layout, after: Layout) -> None:
        stage = self._stages.get(name)
        if stage is not None and not stage.whole:
            self._merge_staged(name)
        self._refuse_loss(name, before, after)
        if stage is not None and stage.whole:
            with explained(self._place.store.url):
                stage.refuse_loss(before, after)
                stage.grow(before, after)

    def _stored(self, name: str) -> Layout | None:
        if name in self._layouts:
            return self._layouts[name]
        check_table_name(name, {*self._known, *self._layouts})
        known = self._known.get(name)
        if known is not None and known.pipeline != self._pipeline:
            raise _others(name, known.pipeline, self._place.store.url)
        return layout_from_json(known.layout) if known is not None and known.layout is not None else None

    def _refuse_loss(self, name: str, before: Layout, after: Layout) -> None:
        for stored, condition in lost(before, after):
            if self._any(f"SELECT 1 FROM ({self._scan(name, before)}) WHERE {condition} LIMIT 1"):
                raise lossy(name, stored)

    def _any(self, sql: str) -> bool:
        with explained(self._place.store.url):
            return bool(rows_of(self._con, sql))

    # -------------------------------------------------------------------------------- the rows

    def write(self, table: Table, disposition: Disposition, data: Batches) -> int:
        """Write rows and return how many were received. What the batches raise comes out as it is."""
        self._check_open()
        name = table.name
        if name not in self._layouts:
            raise BugError(f"`{name}` was written to before its shape was told")
        refuse_unknown(table, disposition)
        if waits(disposition, self._dispositions):
            return self._add(name, disposition, data)
        if disposition.mode is WriteMode.REPLACE:
            self._empty(name)
        return self._append(name, data)

    def _empty(self, name: str) -> None:
        """Once a load."""
        if name not in self._emptied:
            self._remove(self._live(name))
            self._emptied.add(name)

    def _append(self, name: str, data: Batches) -> int:
        table, layout = self._tables[name], self._layouts[name]
        incoming = Incoming(data, layout)
        if is_plain(incoming) and not table.partitions:
            for batch in plain_rows(incoming, layout, self._load_id):
                self._take(name, "", batch)
            return incoming.rows
        sql = converted(incoming, layout, self._load_id)
        if self._route(name, sql, incoming) != incoming.rows:
            raise BugError(f"rows of `{name}` went missing on their way into parquet")
        return incoming.rows

    def _route(self, name: str, sql: str, incoming: Incoming | None = None) -> int:
        table, layout, rows = self._tables[name], self._layouts[name], 0
        for path, batch in routed(self._con, sql, table, layout, self._place.store.url, incoming):
            self._take(name, path, batch)
            rows += batch.num_rows
        return rows

    def _take(self, name: str, path: str, batch: Any) -> None:
        self._keep(self._parts.add(name, self._digests[name], path, batch))

    def _keep(self, parts: Iterable[Part]) -> None:
        self._added.update((part.key, part) for part in parts)

    def _add(self, name: str, disposition: Disposition, data: Batches) -> int:
        layout = self._layouts[name]
        stage = self._stages.get(name)
        received = stage.add(data, layout) if stage and stage.disposition == disposition else None
        if received is None:
            self._merge_staged(name)
            self._grant(layout, 0)
            received = self._stage(name, disposition).add(data, layout)
        return received or 0

    def _stage(self, name: str, disposition: Disposition) -> Stage:
        stage = Stage(self._con, f"_penstock_stage_{name}", name, disposition, self._load_id)
        self._stages[name] = stage
        return stage

    def _grant(self, layout: Layout, vector_bytes: int) -> None:
        """Let DuckDB have the memory that rows so wide need."""
        limits = self._place.limits
        memory = limits.memory_for(max(limits.all_threads, 2), leaves(layout), vector_bytes)
        self._con.execute(f"SET memory_limit = '{memory}'")

    def _merge_staged(self, name: str, root: str | None = None) -> None:
        """Rewrite those parts that hold a row which changes or goes, and add the rows that are new."""
        stage = self._stages.pop(name, None)
        if stage is None:
            return
        layout = self._known_layouts()[name]
        with explained(self._place.store.url):
            self._grant(layout, stage.vector_bytes)
            merge = stage.merge(layout, self._roots(root) if root else "")
            if merge is not None:
                self._run(merge.settled())
                graves = merge.graves if isinstance(merge, Upsert) else None
                if graves is not None:
                    self._run([graves.respected(self._dug(name, graves, layout))])
                self._meet(name, merge, layout)
                if graves is not None:
                    self._bury(name, graves)
                stage.drop()
        self._merged.add(name)

    def _meet(self, name: str, merge: Merge, layout: Layout) -> None:
        live = {part.key: part for part in self._live(name)}
        gone = self._overwritten(merge, live.values(), layout) if isinstance(merge, DeleteInsert) else set()
        whole = [live.pop(key) for key in gone]
        touched: list[Part] = []
        if live:
            rows = scan(self._files, list(live.values()), self._texts, layout, tagged=True)
            self._run(merge.met(rows, PART))
            found = merge.touched(rows, PART)
            touched = [live[key] for (key,) in rows_of(self._con, found)] if found else []
        else:
            self._run(merge.met(scan(self._files, [], self._texts, layout, tagged=True), PART))
        old = scan(self._files, touched, self._texts, layout)
        added = merge.added(old, layout)
        self._route(name, f"{merge.kept(old, layout)} UNION ALL {added}" if touched else added)
        self._remove([*whole, *touched])

    def _overwritten(self, merge: DeleteInsert, live: Iterable[Part], layout: Layout) -> set[str]:
        """The keys of the parts that go as wholes, told from their partitions and not from their rows."""
        parts = [p for p in live if p.key not in self._added]
        rows = partition_rows(parts, self._texts, layout, merge.merge_key) if merge.overwrite else ""
        return {key for (key,) in rows_of(self._con, merge.touched(rows, PART))} if rows else set()

    def _roots(self, root: str) -> str:
        """A query for the ids of the rows of `root`."""
        layout = self._known_layouts().get(root, ())
        ids = find(layout, ROW_ID)
        if ids is None:
            raise BugError(f"the rows of `{root}` have no ids that rows of another table could name")
        return f"SELECT {quote(ids.stored_as)} AS id FROM ({self._scan(root, layout)})"

    def _run(self, statements: Iterable[str]) -> None:
        for sql in statements:
            self._con.execute(sql)

    # ------------------------------------------------------------------------------- the graves

    def _dug(self, name: str, graves: Graves, layout: Layout) -> str:
        """A query for the graves of a table, whatever layouts they were written by."""
        private, kinds = graves_of(name), {s.stored_as: s for s in layout}
        self._tables[private] = Table(private)
        self._lay(private, tuple(kinds[c] for c in graves.columns))
        self._graves[private] = graves
        return self._scan(private, self._layouts[private])

    def _bury(self, name: str, graves: Graves) -> None:
        """Keep the graves that the staged rows make; now and then write all of them as one part."""
        private = graves_of(name)
        load = f"{literal(self._load_id)} AS {quote(LOAD_ID)}"
        self._route(private, f"SELECT *, {load} FROM ({graves.dug()})")
        parts = self._live(private)
        if len(parts) >= GRAVE_PARTS:
            rows = graves.condensed(self._scan(private, self._layouts[private]))
            self._route(private, f"SELECT {listed(graves.columns)}, {load} FROM ({rows})")
            self._remove(parts)

    # ------------------------------------------------------------------------- what is there now

    def _live(self, name: str) -> list[Part]:
        """The parts of a table as this load leaves them; parts in the making are finished first."""
        self._keep(self._parts.finish(name))
        old = [part for part in self._snapshot.parts_of(name) if part.key not in self._removed]
        return old + [part for part in self._added.values() if part.table == name]

    def _scan(self, name: str, layout: Layout, tagged: bool = False) -> str:
        return scan(self._files, self._live(name), self._texts, layout, tagged)

    def _remove(self, parts: Iterable[Part]) -> None:
        for part in parts:
            if self._added.pop(part.key, None) is not None:
                self._place.store.delete(part.staged)
            else:
                self._removed[part.key] = None

    def keys(self, table: str, columns: Sequence[str]) -> Any:
        """The distinct values of some columns as this load sees them; None: no such table."""
        self._check_open()
        known = self._known.get(table)
        layout = self._layouts.get(table)
        if layout is None and known is not None and known.layout is not None:
            layout = layout_from_json(known.layout)
        if layout is None:
            return None
        stored = [find(layout, c) for c in columns]
        values = ", ".join(f"{quote(s.stored_as) if s else 'NULL'} AS k{i}" for i, s in enumerate(stored))
        with explained(self._place.store.url):
            rows = table_of(self._con, f"SELECT DISTINCT {values} FROM ({self._preview(table, layout)})")
        return rows.rename_columns(list(columns))

    def _preview(self, name: str, layout: Layout) -> str:
        """A query for the rows of a table as this load will leave them.

        Rows of a table that is part of another are taken to have their roots.
        """
        stage = self._stages.get(name)
        if stage is None or not stage.whole:
            self._merge_staged(name)
            return self._scan(name, layout)
        rows = self._scan(name, layout, tagged=True)
        is_part = stage.disposition.root is not None
        merge = stage.merge(layout, stage.all_roots(f"({rows})") if is_part else "")
        if merge is None:
            return rows
        self._run([*merge.settled(), *merge.met(rows, PART)])
        return f"{merge.kept(rows, layout)} UNION ALL {merge.added(rows, layout)}"

    def clashes(self, table: str, columns: Sequence[str], keys: Any) -> Any:
        """Those of some keys, given as text, that rows of earlier loads have."""
        self._check_open()
        layout = self._layouts.get(table, ())
        earlier = f"{quote(LOAD_ID)} <> {literal(self._load_id)}"
        with explained(self._place.store.url):
            rows = f"SELECT * FROM ({self._scan(table, layout)}) WHERE {earlier}"
            return clashes(self._con, rows, layout, columns, keys)

    # --------------------------------------------------------------------------------- the end

    def forget(self, tables: Sequence[str] | None) -> None:
        """Drop tables of the pipeline (None: all) with their ledger rows, as part of this load."""
        self._check_open()
        mine = {n for n, d in self._known.items() if d.pipeline == self._pipeline}
        files = {f.table for f in self._snapshot.files if f.pipeline == self._pipeline}
        if tables is not None:
            known = self._known_layouts()
            below = (n for n, layout in known.items() if root_of(layout) in tables)
            tables = list(dict.fromkeys((*tables, *below)))
        for name in mine | files if tables is None else tables:
            self._forgotten.append(name)
            if name not in mine:
                continue  # only its ledger rows are this pipeline's
            stage = self._stages.pop(name, None)
            if stage is not None:
                stage.drop()
            self._remove([*self._live(name), *self._live(graves_of(name))])
            self._known.pop(name)
            self._layouts.pop(name, None)
            self._tables.pop(name, None)
            self._dispositions.pop(name, None)

    def commit(self, commit: Commit) -> None:
        """Make it all true. Raises: UncertainError; OutsideError or RefusedError if nothing happened."""
        self._check_open()
        self._finish()
        self._keep(self._parts.finish())
        refuse_loaded(self._snapshot, commit, self._forgotten, self._place.store.url)
        entry = self._entry(commit)
        try:
            self._place.publish(entry)
        except (RefusedError, LockHeldError, StoreError):
            raise  # it did not happen, so a rollback may clear up
        except BaseException:
            self._end()  # it may have happened: what was staged must stay
            raise
        self._end()

    def _finish(self) -> None:
        """Merge what waits, roots before their parts, and empty what was replaced by nothing."""
        for name, disposition in self._dispositions.items():
            if disposition.root is None and is_merged(disposition):
                if is_snapshot(disposition) and not {name} & {*self._merged, *self._stages}:
                    self._stage(name, disposition).open(self._layouts[name])
                self._merge_staged(name)
            elif disposition.root is None and disposition.mode is WriteMode.REPLACE:
                self._empty(name)
        for name, layout in self._known_layouts().items():
            root = root_of(layout)
            if root in self._emptied:
                self._empty(name)
            if root in self._merged and name not in self._stages:
                if name not in self._tables:
                    self._tables[name] = table_from_json(self._known[name].definition)
                    self._lay(name, layout)
                self._stage(name, Disposition(WriteMode.MERGE, root=root)).open(layout)
            self._merge_staged(name, root)
        for private, graves in self._graves.items():
            if not graves.lasting:
                self._remove(self._live(private))

    def _known_layouts(self) -> dict[str, Layout]:
        """How the tables of this pipeline are stored as this load leaves them."""
        mine = {n: d.layout for n, d in self._known.items() if d.pipeline == self._pipeline}
        return {n: layout_from_json(text) for n, text in mine.items() if text is not None} | self._layouts

    def _entry(self, commit: Commit) -> Entry:
        load = commit.load
        mine = {n: t for n, t in self._tables.items() if not n.startswith(PRIVATE)}
        told = mine | {t.name: t for t in commit.schemas}
        used = {part.layout for part in self._added.values()}
        return Entry(
            sequence=self._snapshot.sequence + 1,
            load=load,
            files=commit.files,
            states=tuple(
                SourceState(load.pipeline, source, text, load.load_id, load.committed_at)
                for source, text in commit.state.items()
            ),
            definitions=tuple(definitions(commit, told, self._known, self._layouts)),
            layouts={d: self._texts[d] for d in sorted(used) if d not in self._snapshot.layouts},
            added=tuple(self._added.values()),
            removed=tuple(self._removed),
            forgotten=tuple(self._forgotten),
            built=self.built,
            unbuilt=self.unbuilt,
        )

    def rollback(self) -> None:
        """Undo everything of this load; after a commit nothing happens."""
        if not self._open:
            return
        staged = [part.staged for part in self._added.values()]
        self._end()
        for key in staged:
            try:
                self._place.store.delete(key)
            except OutsideError:
                return  # the next load sweeps what is left

    def _end(self) -> None:
        self._open = False
        self._parts.abandon()
        if "_con" in self.__dict__:
            self._con.close()
        if "_spill" in self.__dict__:
            rmtree(self._spill, ignore_errors=True)

    def _check_open(self) -> None:
        if not self._open:
            raise BugError("this load has ended", where=self._place.store.url)


def _others(name: str, pipeline: str, where: str) -> RefusedError:
    """The error for a table that is another's."""
    owner = f"belongs to the pipeline `{pipeline}`" if pipeline != BUILDS else "is built by a model"
    hint = "rename one of them, or give it another destination"
    return RefusedError(f"the table `{name}` {owner}", where=where, hint=hint)
