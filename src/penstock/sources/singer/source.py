"""The producer that runs a Singer tap: its records as files of JSON lines, its states as checkpoints."""

from __future__ import annotations

import re
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from penstock.errors import OutsideError, PenstockError, RefusedError
from penstock.plugins.ask import failed
from penstock.plugins.handed import private_folder
from penstock.plugins.process import Running, start
from penstock.ports import Block, Checkpoint
from penstock.project.singer import SingerSpec
from penstock.singer.messages import Splitter
from penstock.singer.state import TapState, load
from penstock.sources.singer.lines import Blocks
from penstock.sources.singer.sync import Sync
from penstock.sources.singer.tap import Tap, prepare, read_json
from penstock.temporary import TemporaryFolder

_LATER = re.compile(
    r"(?i)connection ?(error|refused|reset|aborted)|timed? ?out|temporar(il)?y|unreachable|too many requests"
    r"|max retries|name or service not known|getaddrinfo|\b(429|502|503|504)\b"
)


class SingerSource:
    """A Singer tap as a `ports.Producer`.

    Records are cut out of the tap's messages as bytes and land as they were written; `SCHEMA` messages
    become hints. A state is a checkpoint once every record before it, of all streams, is in a block.
    `root` is the project's folder; `now` gives Unix seconds.
    """

    def __init__(self, spec: SingerSpec, root: Path, *, now: Callable[[], float] = time.time) -> None:
        self.spec = spec
        self.root = root
        self._now = now
        self._clean: Callable[[], object] = lambda: None

    def produce(self, state: str | None) -> Iterator[Block | Checkpoint]:
        """Everything that the tap gives when it begins from `state`.

        A tap that fails gives what its last state covers, and then raises.
        Raises: RefusedError, OutsideError with what the tap said last; ProjectError, NotFoundError for a
        tap that is not there or a selection that makes no sense.
        """
        before = self._begin(state)
        tap = prepare(self.spec, self.root)
        folder, batches = self._folder()
        sync = Sync(self.spec, folder, before, self._now, batches, fresh=state is None)
        with private_folder() as private:
            command = tap.command(private, before)
            with start(command, env=tap.env, cwd=self.root, on_stderr=tap.heard) as running:
                try:
                    yield from _read(tap, running, sync)
                except PenstockError as error:
                    running.stop()
                    yield from sync.rescue()
                    raise blotted(tap, error) from None
        yield from sync.finish()

    def restart(self, state: str | None) -> str | None:  # noqa: ARG002 - all of it is about what is made
        """The state without anything: a tap's own state is opaque, and about all of its streams."""
        return None

    def _begin(self, state: str | None) -> TapState:
        start_file = self.spec.state.start
        if state is not None or start_file is None:
            return load(state)
        path = self.root / start_file
        read_json(path, "the state to begin with")
        return load(path.read_text("utf-8"))

    def _folder(self) -> tuple[Path, list[Path]]:
        """A folder for files, and a list of files of others.

        Each goes when it lands, which may be after the last block was given; what is left of them goes
        when nobody needs this source any more.
        """
        self._clean()
        folder, batches = TemporaryFolder(self._now()), list[Path]()
        self._clean = weakref.finalize(self, _remove, folder, batches)
        return folder.path, batches


def _read(tap: Tap, running: Running, sync: Sync) -> Iterator[Block | Checkpoint]:
    """Take in all that a tap says. Raises: RefusedError, OutsideError, also when it fails."""
    assert running.stdout is not None
    splitter = Splitter(tap.name, timed=sync.added.timed)
    blocks = Blocks(running.stdout, lambda: running.exit_code is not None)
    for block in blocks:
        for message in splitter.split(block):
            yield from sync.take(message)
    code = running.wait()
    if code:
        raise _failure(tap, code, running.last_lines)
    if blocks.rest:
        for message in splitter.split(blocks.rest):
            yield from sync.take(message)


def _failure(tap: Tap, code: int, last_lines: tuple[str, ...]) -> PenstockError:
    """The error for a tap that ended badly; one that was killed, or met the network, may be run again."""
    error = failed(tap.installed, "failed", code, last_lines)
    if code < 0 or any(map(_LATER.search, last_lines)):
        return OutsideError(error.what, where=error.where, found=error.found, hint="run it again later")
    return error


def blotted(tap: Tap, error: PenstockError) -> PenstockError:
    """An error without the secrets of a tap's configuration."""
    if not isinstance(error, RefusedError | OutsideError):
        return error
    facts = {name: getattr(error, name) for name in ("where", "found", "expected", "hint")}
    told = {name: None if text is None else tap.blotted(text) for name, text in facts.items()}
    return type(error)(tap.blotted(error.what), **told)


def _remove(folder: TemporaryFolder, batches: list[Path]) -> None:
    folder.close()
    for file in batches:
        with suppress(OSError):  # whoever wrote it may have taken it away, or not let us
            file.unlink(missing_ok=True)
