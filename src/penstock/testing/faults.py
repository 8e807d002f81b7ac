"""A run that dies, fails or is disturbed at one chosen call of a store, source or destination.

    python -m penstock.testing.faults --count -- run -p PATH
    python -m penstock.testing.faults --kill-at 12 --when after -- run -p PATH
    python -m penstock.testing.faults --fail-at 12 --error full -- run -p PATH
    python -m penstock.testing.faults --do-at 12 'rm data/orders.jsonl' -- run -p PATH

What follows `--` is a `penstock` command. Every adapter that it joins is wrapped from the outside,
so nothing in the product knows of faults, and adapters of your own are wrapped as well. Calls are
counted from 1 in the order in which they begin. To see that an adapter loses nothing: count the
calls of a run, kill one run at each of them, and run once more after each kill.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import io
import os
import runpy
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, cast

from penstock.app import parts
from penstock.errors import StoreError
from penstock.ledger import Commit, Facts, RunRecord
from penstock.ports import (
    Batches,
    Block,
    Checkpoint,
    Destination,
    Offer,
    Producer,
    Put,
    Source,
    Stat,
    Store,
    Transaction,
)
from penstock.registry import Part
from penstock.schema.disposition import Disposition
from penstock.schema.table import Table
from penstock.testing.build_faults import FaultyBuilder

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")


class Port(StrEnum):
    """The ports whose calls are counted. Calls of a transaction are calls of its destination, and those of a
    build of what builds models."""

    STORE = "store"
    SOURCE = "source"
    DESTINATION = "destination"
    BUILDER = "builder of models"


class When(StrEnum):
    """Just before the call begins, or just after it is done and before anyone knows."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a port. `number` counts from 1; `where` is the adapter's URL, `about` a key.

    `inside` says that another call is under way on the same thread: its number is printed with a `+`.
    """

    number: int
    port: Port
    name: str
    where: str = ""
    about: str = ""
    inside: bool = False

    def __str__(self) -> str:
        number = f"{self.number}{'+' if self.inside else ''}"
        return " ".join(text for text in (number, self.name, self.where, self.about) if text)


def kill() -> None:
    """End this process at once, as a lost machine does."""
    os.kill(os.getpid(), signal.SIGKILL)


def fail_full() -> None:
    """Raise what the system raises on a full disk. Raises: OSError."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def fail_store() -> None:
    """Raise what a store raises that cannot be reached. Raises: StoreError."""
    raise StoreError("the store is out of order", hint="this fault was asked for")


def pass_by() -> None:
    """Do nothing: calls are only counted."""


class Faults:
    """Counts port calls, and does `act` just before or just after call number `at`.

    `ports` are those that count. `hear` is told of each call before it begins.
    """

    def __init__(
        self,
        at: int = 0,
        act: Callable[[], None] = pass_by,
        when: When = When.BEFORE,
        ports: Sequence[Port] = tuple(Port),
        hear: Callable[[Call], None] | None = None,
    ) -> None:
        self.at = at
        self.act = act
        self.when = when
        self.ports = frozenset(ports)
        self.hear = hear
        self.count = 0
        self._lock = threading.Lock()
        self._under_way = threading.local()

    def call(self, port: Port, name: str, where: str, about: str, work: Callable[[], T]) -> T:
        """Make one call of a port, and the fault if it is this call's turn."""
        with self._lock:
            self.count += 1
            number = self.count
            if self.hear is not None:
                self.hear(Call(number, port, name, where, about, self._depth() > 0))
        if number == self.at and self.when is When.BEFORE:
            self.act()
        self._under_way.depth = self._depth() + 1
        try:
            result = work()
        finally:
            self._under_way.depth -= 1
        if number == self.at and self.when is When.AFTER:
            with _let_go_of(result):
                self.act()
        return result

    def _depth(self) -> int:
        return getattr(self._under_way, "depth", 0)


@contextmanager
def _let_go_of(result: object) -> Iterator[None]:
    """A stream that nobody gets, because of the fault, is closed."""
    try:
        yield
    except BaseException:
        if isinstance(result, io.IOBase):
            result.close()
        raise


@contextmanager
def injected(faults: Faults) -> Iterator[Faults]:
    """Every adapter that `penstock.app` joins inside the block makes its calls through `faults`."""
    wrappers: dict[str, Callable[[Any, Faults], object]] = {
        Port.STORE: FaultyStore,
        Port.SOURCE: _faulty_source,
        Port.DESTINATION: FaultyDestination,
    }
    plain = parts.load_part

    def load_part(known: Mapping[str, Part], name: str, what: str, /) -> Any:  # Any: as its original
        factory = plain(known, name, what)
        if what == Port.BUILDER:
            return lambda destination: _faulty_builder(factory, destination, faults)
        if what not in faults.ports:
            return factory
        return lambda *args, **options: wrappers[what](factory(*args, **options), faults)

    parts.load_part = load_part  # type: ignore[assignment]  # its parameters are given by position
    try:
        yield faults
    finally:
        parts.load_part = plain


# -------------------------------------------------------------------------------------- wrappers


class FaultyStore:
    """A store whose calls go through `Faults`. Listings are made whole, as one call."""

    def __init__(self, inner: Store, faults: Faults) -> None:
        self.inner = inner
        self.url = inner.url
        self._faults = faults

    def _call(self, name: str, key: str, work: Callable[[], T]) -> T:
        return self._faults.call(Port.STORE, f"store.{name}", self.url, key, work)

    def list(self, prefix: str = "") -> Iterator[Stat]:
        """As the store's own."""
        return iter(self._call("list", prefix, lambda: [*self.inner.list(prefix)]))

    def stat(self, key: str) -> Stat | None:
        """As the store's own."""
        return self._call("stat", key, lambda: self.inner.stat(key))

    def open(self, key: str) -> BinaryIO:
        """As the store's own; reading the stream is no call."""
        return self._call("open", key, lambda: self.inner.open(key))

    def create(self, key: str, data: BinaryIO | bytes) -> Put:
        """As the store's own."""
        return self._call("create", key, lambda: self.inner.create(key, data))

    def replace(self, key: str, data: bytes) -> Put:
        """As the store's own."""
        return self._call("replace", key, lambda: self.inner.replace(key, data))

    def adopt(self, source: Store, source_key: str, key: str) -> Put:
        """As the store's own, which meets the other store itself and not its wrapper."""
        origin = source.inner if isinstance(source, FaultyStore) else source
        return self._call("adopt", key, lambda: self.inner.adopt(origin, source_key, key))

    def delete(self, key: str) -> None:
        """As the store's own."""
        return self._call("delete", key, lambda: self.inner.delete(key))

    def digest(self, key: str) -> str:
        """As the store's own."""
        return self._call("digest", key, lambda: self.inner.digest(key))


class FaultySource:
    """A source whose calls go through `Faults`."""

    def __init__(self, inner: Source, faults: Faults) -> None:
        self.inner = inner
        self._faults = faults

    def _call(self, name: str, about: str, work: Callable[[], T]) -> T:
        return self._faults.call(Port.SOURCE, f"source.{name}", "", about, work)

    def offers(self, taken: frozenset[str], state: str | None) -> Sequence[Offer]:
        """As the source's own."""
        return self._call("offers", "", lambda: self.inner.offers(taken, state))

    def open(self, offer: Offer) -> BinaryIO:
        """As the source's own; reading the stream is no call."""
        return self._call("open", offer.origin, lambda: self.inner.open(offer))

    def state(self, taken: Sequence[Offer], state: str | None) -> str | None:
        """As the source's own."""
        return self._call("state", "", lambda: self.inner.state(taken, state))

    def fingerprint(self) -> str | None:
        """As the source's own."""
        return self._call("fingerprint", "", self.inner.fingerprint)


class FaultyProducer:
    """A producer whose calls go through `Faults`. Each block and each checkpoint is a call: it begins
    when the item is made, and is done when the item is about to be given away."""

    def __init__(self, inner: Producer, faults: Faults) -> None:
        self.inner = inner
        self._faults = faults

    def _call(self, name: str, about: str, work: Callable[[], T]) -> T:
        return self._faults.call(Port.SOURCE, f"source.{name}", "", about, work)

    def produce(self, state: str | None) -> Iterator[Block | Checkpoint]:
        """As the producer's own."""
        items = self._call("produce", "", lambda: self.inner.produce(state))
        for item in items:
            name, about = ("block", item.table) if isinstance(item, Block) else ("checkpoint", "")
            yield self._call(name, about, lambda item=item: item)  # type: ignore[misc]  # a bound item

    def restart(self, state: str | None) -> str | None:
        """As the producer's own."""
        return self._call("restart", "", lambda: self.inner.restart(state))


def _faulty_source(inner: Source | Producer, faults: Faults) -> FaultySource | FaultyProducer:
    """What makes its rows itself has `produce`; what has files does not."""
    if hasattr(inner, "produce"):
        return FaultyProducer(cast(Producer, inner), faults)
    return FaultySource(inner, faults)


def _faulty_builder(factory: Callable[[Any], Any], destination: Any, faults: Faults) -> Any:
    """A builder is made with a destination as it is, whatever is around that. Any: adapters of any kind."""
    inner = factory(getattr(destination, "inner", destination))
    if Port.BUILDER not in faults.ports:
        return inner

    def call(name: str, about: str, work: Callable[[], object]) -> object:
        return faults.call(Port.BUILDER, name, destination.url, about, work)

    return FaultyBuilder(inner, call)


class FaultyTransaction:
    """A transaction whose calls go through `Faults`."""

    def __init__(self, inner: Transaction, url: str, faults: Faults) -> None:
        self.inner = inner
        self.url = url
        self._faults = faults

    def _call(self, name: str, about: str, work: Callable[[], T]) -> T:
        return self._faults.call(Port.DESTINATION, f"transaction.{name}", self.url, about, work)

    def shape(self, table: Table, disposition: Disposition) -> None:
        """As the transaction's own."""
        return self._call("shape", table.name, lambda: self.inner.shape(table, disposition))

    def write(self, table: Table, disposition: Disposition, data: Batches) -> int:
        """As the transaction's own; calls that making the rows needs are made within it."""
        return self._call("write", table.name, lambda: self.inner.write(table, disposition, data))

    def keys(self, table: str, columns: Sequence[str]) -> pa.Table | None:
        """As the transaction's own."""
        return self._call("keys", table, lambda: self.inner.keys(table, columns))

    def clashes(self, table: str, columns: Sequence[str], keys: pa.RecordBatchReader) -> pa.Table:
        """As the transaction's own."""
        return self._call("clashes", table, lambda: self.inner.clashes(table, columns, keys))

    def forget(self, tables: Sequence[str] | None) -> None:
        """As the transaction's own."""
        return self._call("forget", "", lambda: self.inner.forget(tables))

    def commit(self, commit: Commit) -> None:
        """As the transaction's own."""
        return self._call("commit", commit.load.load_id, lambda: self.inner.commit(commit))

    def rollback(self) -> None:
        """As the transaction's own."""
        return self._call("rollback", "", self.inner.rollback)


class FaultyDestination:
    """A destination whose calls, and those of its transactions, go through `Faults`."""

    def __init__(self, inner: Destination, faults: Faults) -> None:
        self.inner = inner
        self.url = inner.url
        self._faults = faults

    def _call(self, name: str, about: str, work: Callable[[], T]) -> T:
        return self._faults.call(Port.DESTINATION, f"destination.{name}", self.url, about, work)

    def fingerprint(self) -> str | None:
        """As the destination's own."""
        return self._call("fingerprint", "", self.inner.fingerprint)

    @contextmanager
    def lock(self, pipeline: str, holder: str) -> Iterator[None]:
        """As the destination's own; taking and releasing it are two calls."""
        held = self.inner.lock(pipeline, holder)
        self._call("lock", pipeline, held.__enter__)
        try:
            yield
        except BaseException as error:
            told = (type(error), error, error.__traceback__)
            if not self._call("unlock", pipeline, lambda: held.__exit__(*told)):
                raise
        else:
            self._call("unlock", pipeline, lambda: held.__exit__(None, None, None))

    def holder(self, pipeline: str) -> str | None:
        """As the destination's own."""
        return self._call("holder", pipeline, lambda: self.inner.holder(pipeline))

    def facts(self, pipeline: str) -> Facts:
        """As the destination's own."""
        return self._call("facts", pipeline, lambda: self.inner.facts(pipeline))

    def begin(self, pipeline: str, load_id: str) -> Transaction:
        """As the destination's own."""
        inner = self._call("begin", load_id, lambda: self.inner.begin(pipeline, load_id))
        return FaultyTransaction(inner, self.url, self._faults)

    def query(self, sql: str, parameters: Sequence[object] = ()) -> pa.Table:
        """As the destination's own."""
        return self._call("query", sql, lambda: self.inner.query(sql, parameters))

    def note(self, run: RunRecord) -> None:
        """As the destination's own."""
        return self._call("note", run.run_id, lambda: self.inner.note(run))

    def close(self) -> None:
        """As the destination's own."""
        return self._call("close", "", self.inner.close)


# ---------------------------------------------------------------------------------- command line

_ERRORS = {"full": fail_full, "store": fail_store}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a `penstock` command with one fault in it; returns the command's exit code.

    `argv` without the program's name; by default the process's own.
    """
    options = _parser().parse_args(argv)
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    with contextlib.ExitStack() as stack:
        faults = Faults(*_fault(options), When(options.when), options.ports)
        if options.calls is not None:
            log = stack.enter_context(options.calls.open("w", buffering=1))
            faults.hear = lambda call: print(call, file=log)
        stack.enter_context(injected(faults))
        if not options.count:
            return _run(command)
        with contextlib.redirect_stdout(sys.stderr):
            code = _run(command)
    sys.stdout.write(f"{faults.count}\n")
    return code


def _run(command: Sequence[str]) -> int:
    """The exit code of `python -m penstock`, run in this process."""
    before, sys.argv = sys.argv, ["penstock", *command]
    try:
        runpy.run_module("penstock", run_name="__main__")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.argv = before
    return 0


def _fault(options: argparse.Namespace) -> tuple[int, Callable[[], None]]:
    if options.kill_at:
        return options.kill_at, kill
    if options.fail_at:
        return options.fail_at, _ERRORS[options.error]
    if options.do_at:
        number, command = options.do_at
        return int(number), lambda: _do(command)
    return 0, pass_by


def _do(command: str) -> None:
    subprocess.run(shlex.split(command), check=True, stdout=sys.stderr)


def _ports(text: str) -> tuple[Port, ...]:
    return tuple(Port(name) for name in text.split(","))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m penstock.testing.faults",
        description="Run a penstock command with a fault at one call of a store, source or destination.",
    )
    fault = parser.add_mutually_exclusive_group()
    fault.add_argument("--count", action="store_true", help="no fault: print how many calls there are")
    fault.add_argument("--kill-at", type=int, metavar="N", help="SIGKILL at call N")
    fault.add_argument("--fail-at", type=int, metavar="N", help="an error at call N")
    fault.add_argument("--do-at", nargs=2, metavar=("N", "COMMAND"), help="run COMMAND at call N")
    parser.add_argument("--when", choices=[*When], default=When.BEFORE, help="the call's start, or its end")
    parser.add_argument("--error", choices=[*_ERRORS], default="store", help="which error --fail-at raises")
    parser.add_argument("--ports", type=_ports, default=tuple(Port), metavar="NAMES", help=",".join(Port))
    parser.add_argument("--calls", type=Path, metavar="FILE", help="write a line for each call here")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="-- and a penstock command")
    return parser


if __name__ == "__main__":
    sys.exit(main())
