"""What builds models, with a fault in it: its calls, and those of its builds, go through `faults.Faults`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from penstock.ledger import Built
from penstock.ports import Batches, Build, Builder
from penstock.schema.disposition import Disposition
from penstock.schema.table import Table

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")
Call = Callable[[str, str, Callable[[], object]], object]
"""Makes a call of that name, about something."""


class FaultyBuild:
    """A build whose calls go through `Faults`."""

    def __init__(self, inner: Build, model: str, call: Call) -> None:
        self.inner = inner
        self._model = model
        self._through = call

    def _call(self, name: str, work: Callable[[], T]) -> T:
        return self._through(f"build.{name}", self._model, work)  # type: ignore[return-value]  # it is work's

    def stage(self, table: str, sql: str) -> Table:
        """As the build's own."""
        return self._call("stage", lambda: self.inner.stage(table, sql))

    def stage_rows(self, table: str, data: Batches) -> Table:
        """As the build's own."""
        return self._call("stage_rows", lambda: self.inner.stage_rows(table, data))

    def query(self, sql: str) -> pa.Table:
        """As the build's own."""
        return self._call("query", lambda: self.inner.query(sql))

    def remove(self, condition: str) -> int:
        """As the build's own."""
        return self._call("remove", lambda: self.inner.remove(condition))

    def put(self, table: Table, disposition: Disposition, *, anew: bool = False) -> int:
        """As the build's own."""
        return self._call("put", lambda: self.inner.put(table, disposition, anew=anew))

    def view(self, table: str, sql: str) -> Table:
        """As the build's own."""
        return self._call("view", lambda: self.inner.view(table, sql))

    def commit(self, built: Built) -> None:
        """As the build's own."""
        return self._call("commit", lambda: self.inner.commit(built))

    def rollback(self) -> None:
        """As the build's own."""
        return self._call("rollback", self.inner.rollback)


class FaultyBuilder:
    """A builder whose calls, and those of its builds, go through `Faults`."""

    def __init__(self, inner: Builder, call: Call) -> None:
        self.inner = inner
        self.dialect = inner.dialect
        self._through = call

    def _call(self, name: str, about: str, work: Callable[[], T]) -> T:
        return self._through(f"builder.{name}", about, work)  # type: ignore[return-value]  # it is work's

    def built(self) -> Mapping[str, Built]:
        """As the builder's own."""
        return self._call("built", "", self.inner.built)

    def versions(self) -> Mapping[str, str | None]:
        """As the builder's own."""
        return self._call("versions", "", self.inner.versions)

    def begin(self, model: str, build_id: str) -> Build:
        """As the builder's own."""
        inner = self._call("begin", model, lambda: self.inner.begin(model, build_id))
        return FaultyBuild(inner, model, self._through)

    def record(self, built: Sequence[Built]) -> None:
        """As the builder's own."""
        return self._call("record", "", lambda: self.inner.record(built))

    def drop(self, models: Sequence[str]) -> None:
        """As the builder's own."""
        return self._call("drop", "", lambda: self.inner.drop(models))
