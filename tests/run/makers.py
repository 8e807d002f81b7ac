"""A pipeline whose data a test makes, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import penstock
from penstock.app.flows import flow_of
from penstock.ledger import Refresh
from penstock.ports import Block, Checkpoint
from penstock.report.facts import PipelineResult
from penstock.run.pipeline import run_pipeline
from penstock.run.quiet import Quiet

PROJECT = "name: bed\ndestination: {destination}\npipelines:\n  p:\n    source: {{type: land}}\n{rest}"
Script = Callable[[str | None], Iterator[Block | Checkpoint]]


class Maker:
    """A producer that does what a function says."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.states: list[str | None] = []

    def produce(self, state: str | None) -> Iterator[Block | Checkpoint]:
        """What the function yields."""
        self.states.append(state)
        yield from self.script(state)

    def restart(self, state: str | None) -> str | None:
        """The state of what was made so far is forgotten."""
        return None if state is None else "restarted"


class Mill:
    """A project in a folder, one pipeline `p`, and its warehouse."""

    def __init__(self, root: Path, rest: str = "", destination: str = "duckdb:///w.duckdb") -> None:
        self.root = root
        (root / "penstock.yml").write_text(PROJECT.format(destination=destination, rest=rest))

    def run(self, *script: Block | Checkpoint | Exception, **flow: Any) -> PipelineResult:
        """Run with a producer that yields these, and raises what is an exception."""

        def play(_: str | None) -> Iterator[Block | Checkpoint]:
            for item in script:
                if isinstance(item, Exception):
                    raise item
                yield item

        return self.run_with(Maker(play), **flow)

    def run_with(self, maker: Maker, refresh: Refresh | None = None, **flow: Any) -> PipelineResult:
        """Run with this producer."""
        session = penstock.open_session(self.root)
        plain = flow_of(session.loaded, "p", penstock.ignore)
        return run_pipeline(
            replace(plain, source=None, producer=maker, **flow),
            Quiet(self.root / "quiet", "p", "x"),
            refresh=refresh,
        )

    def sql(self, sql: str) -> list[Any]:
        """Rows of a query; the value alone where there is one column."""
        rows = penstock.open_session(self.root).show(None, sql=sql).to_pylist()
        return [next(iter(r.values())) if len(r) == 1 else tuple(r.values()) for r in rows]

    def files(self, layer: str, private: bool = False) -> list[str]:
        """The names of the files of a layer."""
        root = self.root / "data" / layer
        found = (p for p in root.rglob("*") if p.is_file())
        return sorted(p.name for p in found if private == ("_penstock" in p.parts))
