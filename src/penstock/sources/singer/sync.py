"""One sync of a tap: messages go in, and what they amount to comes out as blocks and checkpoints.

A state is passed on only together with every record before it, of all streams: the tap's states are about
all of them. Records after the last state are kept if the tap ends well, and taken back if it fails.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

from penstock.errors import BugError
from penstock.ports import Block, Checkpoint
from penstock.project.singer import SingerSpec
from penstock.singer.messages import (
    DELETED_AT,
    BatchFound,
    Message,
    Records,
    SchemaFound,
    StateFound,
    Unknown,
    VersionActive,
)
from penstock.singer.state import UNKNOWN, TapState, dump
from penstock.sources.singer.batch import adopted
from penstock.sources.singer.columns import Added
from penstock.sources.singer.files import HELD_BYTES, PIECE_BYTES, Files
from penstock.sources.singer.stream import METADATA_COLUMNS, Held, TapStream

Given: TypeAlias = Block | Checkpoint
_log = logging.getLogger(__name__)


class Sync:
    """What a tap said so far, from the state `before`; files are made in `folder`, which is ours.

    `fresh` says that the pipeline has loaded nothing yet. `batches` gathers the files of others that are to
    be removed when all is over.
    """

    def __init__(
        self,
        spec: SingerSpec,
        folder: Path,
        before: TapState,
        now: Callable[[], float],
        batches: list[Path],
        *,
        fresh: bool,
    ) -> None:
        self.added = Added(added_columns(spec), now())
        self._spec = spec
        self._folder = folder
        self._before = before
        self._unknown = None if fresh else UNKNOWN
        self._now = now
        self._batches = batches
        self._last = before
        self._streams: dict[str, TapStream] = {}
        self._numbers = itertools.count()
        self._strange: set[str] = set()
        self._given_at = now()
        self._gathered_bytes = self._held_bytes = 0

    def take(self, message: Message) -> Iterator[Given]:
        """Take a message in; what is due to be made safe is given. Raises: RefusedError, StoreError."""
        match message:
            case Records():
                self._records(message)
            case StateFound(value):
                self._last = self._last.told(value)
                for stream in self._streams.values():
                    stream.settle()
                if self._is_due:
                    yield from self._give()
            case SchemaFound(name, schema, keys):
                self._stream(name).describe(schema, keys)
            case VersionActive(name, version):
                self._stream(name).activate(version)
            case BatchFound():
                self._batch(message)
            case Unknown(kind, line):
                if kind not in self._strange:
                    self._strange.add(kind)
                    _log.warning("messages of the type `%s` are left out, the first in line %d", kind, line)
            case _:
                raise BugError("a message of a kind that nobody reads", found=type(message).__name__)

    def rescue(self) -> Iterator[Given]:
        """The tap failed: what its last state covers. A version that was not activated is left out."""
        for stream in self._streams.values():
            stream.revert()
        if self._last is not self._before:
            yield from self._give()

    def finish(self) -> Iterator[Given]:
        """The tap ended well: all that is left, and its last state."""
        for stream in self._streams.values():
            stream.settle()
        yield from self._give(ended=True)

    # --------------------------------------------------------------------------------- taking in

    def _records(self, records: Records) -> None:
        stream = self._stream(records.stream)
        if stream.shape is None and not stream.has_records:
            _log.warning("the stream `%s` has records before its SCHEMA", stream.name)
        stream.take(records.version)
        lines = self.added.lines(records, self._now())
        stream.files.add(lines, records.version)
        self._gathered_bytes += len(lines)
        self._held_bytes += len(lines)
        if stream.files.held_bytes >= PIECE_BYTES:
            self._held_bytes -= stream.files.held_bytes
            stream.files.write()
        elif self._held_bytes >= HELD_BYTES:
            for other in self._streams.values():
                other.files.write()
            self._held_bytes = 0

    def _batch(self, batch: BatchFound) -> None:
        stream = self._stream(batch.stream)
        stream.take(None)
        for path in adopted(batch, self._path_of, self._batches):
            stream.files.give(path)

    def _stream(self, name: str) -> TapStream:
        stream = self._streams.get(name)
        if stream is None:
            columns = set(self.added.columns)
            stream = self._streams[name] = TapStream(
                name,
                self._spec.names.get(name, name),
                Files(self._path_of, self._spec.land_as, self._spec.file_bytes),
                landed=self._before.versions.get(name, self._unknown),
                versions=self._spec.versions,
                added=tuple(c for c in METADATA_COLUMNS if c.name in columns),
            )
        return stream

    def _path_of(self, extension: str) -> Path:
        return self._folder / f"{next(self._numbers)}.{extension}"

    # --------------------------------------------------------------------------------- giving out

    @property
    def _is_due(self) -> bool:
        waited = self._now() - self._given_at >= self._spec.state.every_s
        return waited or self._gathered_bytes >= self._spec.file_bytes

    def _give(self, ended: bool = False) -> Iterator[Given]:
        """All that was gathered, and the state that covers it; nothing while a stream holds back."""
        if not ended and any(stream.holds_back for stream in self._streams.values()):
            return
        for stream in self._streams.values():
            yield from _blocks(stream)
            stream.landing()
        self._given_at, self._gathered_bytes, self._held_bytes = self._now(), 0, 0
        self.added.batched_at = self._given_at
        state = dump(self._state(ended))
        if state is not None:
            yield Checkpoint(state)

    def _state(self, ended: bool) -> TapState:
        """The state to keep: a sync that may go on lays its own over the one before."""
        strategy, last = self._spec.state.strategy, self._last
        versions = {
            **self._before.versions,
            **{name: s.landed for name, s in self._streams.items() if s.landed not in (None, UNKNOWN)},
        }
        overwritten = strategy == "overwrite" or (strategy == "auto" and ended)
        if last is not self._before and last.value is not None and not overwritten:
            last = self._before.merged(last.value)
        return TapState(last.value, versions)


def added_columns(spec: SingerSpec) -> tuple[str, ...]:
    """The columns that a project wants added to records."""
    every = [c.name for c in METADATA_COLUMNS if not (c.name == DELETED_AT and spec.versions == "soft")]
    if isinstance(spec.record_metadata, bool):
        return tuple(every) if spec.record_metadata else ()
    return tuple(name for name in every if name in spec.record_metadata)


def _blocks(stream: TapStream) -> Iterator[Block]:
    hints = stream.hints()
    paths = stream.files.take()
    for path in paths:
        yield Block(stream.table, path, hints)
    if not paths and stream.held is Held.REPLACED:
        yield Block(stream.table, [], hints)
