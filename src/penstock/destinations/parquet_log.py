"""The commit log of a folder of parquet files: what is true of it, one small JSON a load.

    _penstock/log/00000000000000000007.json              the seventh commit
    _penstock/log/00000000000000000050.checkpoint.json   everything up to the fiftieth

A load becomes true when its entry is created; the store lets one writer create each number, so of
two writers one loses and has changed nothing. An entry without a load is a fence: it takes a number
away from a writer that is believed dead.
"""

from __future__ import annotations

import logging
import re
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias, TypeVar

import msgspec

from penstock.errors import ConflictError, NotFoundError, OutsideError, StoreError
from penstock.ledger import LedgerFile, LedgerLoad
from penstock.ports import Store

LOG = "_penstock/log/"
STAGING = "_penstock/staging/"
BUILDS = ""
"""The pipeline that tables of models are said to be of; no pipeline can be called so."""
KEPT_BUILDS = 20
"""So many builds of each model are remembered."""
CHECKPOINT_EVERY = 50
_KEEP_S = 86_400  # a writer that sleeps longer than this before it commits is dead
_NAME = re.compile(r"/(\d{20})(\.checkpoint)?\.json$")
_log = logging.getLogger(__name__)
_T = TypeVar("_T")

Partition: TypeAlias = tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A parquet file of a table: where it belongs, where it was staged, what is in it.

    `layout` is the digest of the layout it was written by; `partition` the value, as text, of each
    partition column by its stored name (None: null).
    """

    table: str
    key: str
    staged: str
    rows: int
    size_bytes: int
    sha256: str
    layout: str
    partition: Partition = ()


@dataclass(frozen=True, slots=True)
class Definition:
    """One version of a table, as `definition` writes it; `layout` is None if it holds no rows yet."""

    pipeline: str
    table: str
    version: int
    definition: str
    layout: str | None
    changes: tuple[str, ...]
    load_id: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class SourceState:
    """The state of one source after a load."""

    pipeline: str
    source: str
    state: str
    load_id: str
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ModelBuild:
    """One build of one model; `definition` is its table as JSON. Instants are UTC."""

    model: str
    build_id: str
    version: str
    materialized: str
    tool: str
    started_at: datetime
    built_at: datetime
    inputs: dict[str, str] = field(default_factory=dict)
    rows: int | None = None
    kept: int | None = None
    dropped: int = 0
    quarantined: int = 0
    broken: dict[str, int] = field(default_factory=dict)
    definition: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One commit. Ledger rows of `forgotten` tables of `pipeline` go before the new ones come.

    `layouts` are layouts as JSON by their digest; `removed` are keys of parts that count no longer;
    `built` are models, each in a load of the pipeline `BUILDS`, and `unbuilt` those that were dropped.
    """

    sequence: int
    load: LedgerLoad | None = None
    files: tuple[LedgerFile, ...] = ()
    states: tuple[SourceState, ...] = ()
    definitions: tuple[Definition, ...] = ()
    layouts: dict[str, str] = field(default_factory=dict)
    added: tuple[Part, ...] = ()
    removed: tuple[str, ...] = ()
    forgotten: tuple[str, ...] = ()
    built: tuple[ModelBuild, ...] = ()
    unbuilt: tuple[str, ...] = ()


@dataclass(slots=True)
class Snapshot:
    """Everything the log says up to `sequence`. Units: `parts` by final key, `files` in commit order."""

    sequence: int = 0
    parts: dict[str, Part] = field(default_factory=dict)
    layouts: dict[str, str] = field(default_factory=dict)
    files: list[LedgerFile] = field(default_factory=list)
    loads: list[LedgerLoad] = field(default_factory=list)
    states: list[SourceState] = field(default_factory=list)
    definitions: list[Definition] = field(default_factory=list)
    builds: list[ModelBuild] = field(default_factory=list)

    def apply(self, entry: Entry) -> None:
        """Take up the next entry."""
        self.sequence = entry.sequence
        if entry.load is None:
            return
        pipeline, gone = entry.load.pipeline, frozenset(entry.forgotten)
        if gone:
            self.files = [f for f in self.files if f.pipeline != pipeline or f.table not in gone]
            self.definitions = [d for d in self.definitions if d.pipeline != pipeline or d.table not in gone]
        for key in entry.removed:
            self.parts.pop(key, None)
        self.parts.update({part.key: part for part in entry.added})
        self.layouts.update(entry.layouts)
        self.files.extend(entry.files)
        self.loads.append(entry.load)
        fresh = {(s.pipeline, s.source) for s in entry.states}
        self.states = [s for s in self.states if (s.pipeline, s.source) not in fresh] + list(entry.states)
        self.definitions.extend(entry.definitions)
        if entry.unbuilt:
            self.builds = [b for b in self.builds if b.model not in entry.unbuilt]
        self.builds.extend(entry.built)
        if pipeline == BUILDS:
            self._shorten(frozenset(b.model for b in entry.built))

    def _shorten(self, models: frozenset[str]) -> None:
        """Keep the newest builds alone, of each of some models; the others are as short already."""
        seen: dict[str, int] = {}
        kept = []
        for build in reversed(self.builds):
            seen[build.model] = seen.get(build.model, 0) + 1
            if build.model not in models or seen[build.model] <= KEPT_BUILDS:
                kept.append(build)
        self.builds = kept[::-1]
        ids = {build.build_id for build in self.builds}
        last = self.loads[-1].load_id
        self.loads = [x for x in self.loads if x.pipeline != BUILDS or x.load_id in ids or x.load_id == last]
        versions = [d for d in self.definitions if d.pipeline != BUILDS]
        newest = {d.table: d for d in self.definitions if d.pipeline == BUILDS}
        self.definitions = [*versions, *newest.values()]

    def newest(self) -> dict[str, Definition]:
        """The newest definition of every table, of all pipelines."""
        return {d.table: d for d in self.definitions}

    def parts_of(self, table: str) -> list[Part]:
        """The parts that hold a table's rows."""
        return [part for part in self.parts.values() if part.table == table]


def entry_key(sequence: int) -> str:
    """Where the entry of that number lies."""
    return f"{LOG}{sequence:020}.json"


def newest_entry(store: Store) -> tuple[str, str] | None:
    """Key and etag of the newest entry, or None."""
    found = [(stat.key, stat.etag) for stat in store.list(LOG) if _NAME.search(stat.key)]
    return max((f for f in found if not f[0].endswith(".checkpoint.json")), default=None)


def read_log(store: Store, known: Snapshot | None = None) -> Snapshot:
    """The snapshot that the log tells now; `known` saves reading again what it holds already.

    Raises: StoreError when entries are missing.
    """
    entries, checkpoints = _listed(store)
    newest = max(entries, default=0)
    if known is not None and known.sequence <= newest and entries.issuperset(_after(known, newest)):
        snapshot = known
    else:
        start = max((c for c in checkpoints if c <= newest or not entries), default=0)
        snapshot = _read(store, f"{LOG}{start:020}.checkpoint.json", Snapshot) if start else Snapshot()
    for sequence in _after(snapshot, newest):
        snapshot.apply(read_entry(store, sequence))
    return snapshot


def read_entry(store: Store, sequence: int) -> Entry:
    """One entry. Raises: StoreError when it is missing or is not one."""
    return _read(store, entry_key(sequence), Entry)


def write_entry(store: Store, entry: Entry) -> None:
    """Make an entry true. Raises: ConflictError when its number is taken; StoreError."""
    store.create(entry_key(entry.sequence), msgspec.json.encode(entry))


def condense(store: Store, snapshot: Snapshot) -> None:
    """Now and then write a checkpoint, and remove what older ones have made superfluous.

    A failure is only noted: the log is whole without it, and the next checkpoint does the same.
    """
    if snapshot.sequence % CHECKPOINT_EVERY:
        return
    try:
        _write_checkpoint(store, snapshot)
        oldest = snapshot.sequence - CHECKPOINT_EVERY
        for stat in list(store.list(LOG)):
            name = _NAME.search(stat.key)
            if name and int(name[1]) < oldest and time.time() - stat.modified_at > _KEEP_S:
                store.delete(stat.key)
    except OutsideError as error:
        _log.warning("the commit log was not condensed: %s", error.what)


def _write_checkpoint(store: Store, snapshot: Snapshot) -> None:
    try:
        store.create(f"{LOG}{snapshot.sequence:020}.checkpoint.json", msgspec.json.encode(snapshot))
    except ConflictError:
        return  # whoever wrote it read the same entries


def _after(snapshot: Snapshot, newest: int) -> range:
    return range(snapshot.sequence + 1, newest + 1)


def _listed(store: Store) -> tuple[set[int], set[int]]:
    names = [m for m in (_NAME.search(stat.key) for stat in store.list(LOG)) if m]
    return {int(m[1]) for m in names if not m[2]}, {int(m[1]) for m in names if m[2]}


def _read(store: Store, key: str, kind: type[_T]) -> _T:
    try:
        with store.open(key) as stream:
            return msgspec.json.decode(stream.read(), type=kind)
    except NotFoundError as error:
        raise StoreError(
            "the commit log has a gap",
            where=f"{store.url}/{key}",
            hint="run again; if it stays, restore the file",
        ) from error
    except msgspec.DecodeError as error:
        raise StoreError(
            "the commit log has an entry that cannot be read", where=f"{store.url}/{key}", found=str(error)
        ) from error
