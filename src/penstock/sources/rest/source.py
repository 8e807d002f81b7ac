"""An HTTP API as a producer: pages of records as files, and checkpoints between them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

from penstock.errors import PenstockError, RefusedError
from penstock.ports import Block, Checkpoint
from penstock.project.rest import RestApiSpec
from penstock.sources.rest.ahead import Crew
from penstock.sources.rest.client import Client
from penstock.sources.rest.files import Files
from penstock.sources.rest.memory import State, dump, load
from penstock.sources.rest.newer import Newer
from penstock.sources.rest.secrecy import Secrets, is_secret_name
from penstock.sources.rest.tables import Plan, every, forest, frame
from penstock.sources.rest.walk import Walk

_log = logging.getLogger(__name__)


class RestSource:
    """The tables of an HTTP API, as a `ports.Producer`.

    `root` is the project's folder. `tell` is told what was found out by the first answers. A checkpoint
    is given after `checkpoint_s` seconds or `checkpoint_bytes` of records, at the end, and when asking
    fails: pages that were landed are not asked for again.
    Raises: ProjectError for tables that make no sense together.
    """

    def __init__(
        self,
        spec: RestApiSpec,
        root: Path,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], object] | None = None,
        transport: httpx.BaseTransport | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        self.spec, self.root = spec, root
        self._clock, self._sleep, self._transport = clock, sleep, transport
        self._tell = tell or _log.info
        self._files: Files | None = None  # the last ones may land after `produce` has ended
        self._roots = forest(spec)
        self._plans = every(self._roots)

    def produce(self, state: str | None) -> Iterator[Block | Checkpoint]:
        """Everything that is new since `state`, or what is left of a pass that was not finished.

        Raises: RefusedError, OutsideError, after what was read before has been given.
        """
        memory = load(state)
        if self._files is not None:
            self._files.remove()
        crew = Crew(self.spec.concurrency)
        files = self._files = Files(self.spec.land_as, self.spec.file_bytes, self._clock())
        client = Client(
            self.spec,
            _secrets(self.spec),
            clock=self._clock,
            sleep=self._sleep,
            transport=self._transport,
        )
        try:
            yield from _Pass(self, memory, client, crew, files).run()
        finally:
            client.stop()
            crew.close()
            client.close()
            files.close()

    def restart(self, state: str | None) -> str | None:  # noqa: ARG002 - all of it is this producer's
        """Nothing: all state is about how far these tables were read."""
        return None


class _Pass:
    """One pass over all tables, or the rest of one."""

    def __init__(self, source: RestSource, memory: State, client: Client, crew: Crew, files: Files) -> None:
        self._spec, self._clock = source.spec, source._clock
        self._roots, self._plans = source._roots, source._plans
        self._memory, self._files = memory, files
        self._begun = _begun(memory, self._roots)
        self._newer = {plan.name: self._cursor(plan) for plan in self._plans if plan.spec.incremental}
        self._walk = Walk(client, crew, self._newer, source._tell)
        self._empty = {plan.name for plan in self._plans}
        self._last = self._clock()

    def _cursor(self, plan: Plan) -> Newer:
        assert plan.spec.incremental is not None
        return Newer(
            plan.name,
            plan.spec.incremental,
            plan.spec.primary_key,
            self._memory["cursors"].get(plan.name, {}),
            self._begun["cursors"].get(plan.name),
            one_way=plan.one_way,
        )

    def run(self) -> Iterator[Block | Checkpoint]:
        """Blocks and checkpoints of the pass. Raises: as `RestSource.produce`."""
        for root in self._roots:
            if root.name not in self._begun["done"]:
                yield from self._table(root)
        yield from self._files.flush()
        for plan in self._plans:
            if plan.name in self._empty:
                yield Block(plan.name, [], plan.hints)
        yield Checkpoint(self._ended())

    def _table(self, root: Plan) -> Iterator[Block | Checkpoint]:
        at = self._begun["at"].setdefault(root.name, frame())
        pages = self._walk.pages(root, at)
        while True:
            try:
                page = next(pages, None)
            except PenstockError:  # of asking: what was read before is whole
                yield from self._checkpoint()
                raise
            if page is None:
                break
            if page.rows:
                self._empty.discard(page.table.name)
                yield from self._files.add(page.table.name, page.lines, page.table.hints)
            if self._is_due():
                yield from self._checkpoint()
        self._begun["done"].append(root.name)
        del self._begun["at"][root.name]

    def _is_due(self) -> bool:
        aged = self._clock() - self._last >= self._spec.checkpoint_s
        return aged or self._files.waiting_bytes >= self._spec.checkpoint_bytes

    def _checkpoint(self) -> Iterator[Block | Checkpoint]:
        """All that was read so far, and how far that is; nothing if a cursor cannot be kept just here."""
        try:
            self._begun["cursors"] = {name: newer.finish() for name, newer in self._newer.items()}
        except RefusedError:
            return  # too many rows share the last value so far; the end of the pass judges that
        self._last = self._clock()
        yield from self._files.flush()
        yield Checkpoint(dump(self._memory))

    def _ended(self) -> str:
        """The state after a whole pass. Raises: RefusedError if a cursor cannot be kept."""
        del self._memory["pass"]
        for name, newer in self._newer.items():
            if found := newer.finish():
                self._memory["cursors"][name] = found
        return dump(self._memory)


def _begun(memory: State, roots: list[Plan]) -> dict[str, Any]:  # Any: JSON
    """The pass that is under way, less what it has of tables that are asked for in another way now."""
    marks = {root.name: ".".join(plan.mark for plan in every([root])) for root in roots}
    said = memory.get("pass", {"marks": {}, "done": [], "at": {}, "cursors": {}})
    same = [name for name, mark in marks.items() if said["marks"].get(name) == mark]
    tables = {plan.name for root in roots if root.name in same for plan in every([root])}
    memory["pass"] = {
        "marks": marks,
        "done": [name for name in said["done"] if name in same],
        "at": {name: at for name, at in said["at"].items() if name in same},
        "cursors": {name: cursor for name, cursor in said["cursors"].items() if name in tables},
    }
    begun: dict[str, Any] = memory["pass"]
    return begun


def _secrets(spec: RestApiSpec) -> Secrets:
    """What the project's headers and parameters have that is not to be seen."""
    secrets = Secrets()
    for params in (spec.params, *(table.params for table in spec.tables.values())):
        secrets.add(*(str(value) for name, value in params.items() if is_secret_name(name)))
    for headers in (spec.headers, *(table.headers for table in spec.tables.values())):
        secrets.add(*(value for name, value in headers.items() if is_secret_name(name) or name == "Cookie"))
    return secrets
