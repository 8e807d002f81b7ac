"""A REST source without a project around it: what it gives, in forms that tests can compare."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from penstock.ports import Block, Checkpoint
from penstock.project.rest import RestApiSpec
from penstock.schema.hints import Hints
from penstock.sources.rest import RestSource

QUICK = {"attempts": 4, "wait_s": 0.01, "max_wait_s": 0.02}


@dataclass
class Got:
    """The lines of each table in order, the states of the checkpoints, hints, and what was told."""

    lines: dict[str, list[str]] = field(default_factory=dict)
    states: list[str | None] = field(default_factory=list)
    hints: dict[str, Hints | None] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    error: BaseException | None = None

    def rows(self, table: str = "t") -> list[Any]:
        return [json.loads(line) for line in self.lines.get(table, [])]

    def ids(self, table: str = "t") -> list[int]:
        return [row["id"] for row in self.rows(table)]

    @property
    def state(self) -> Any:
        return json.loads(self.states[-1] or "null")


def source(url: str, told: Callable[[str], None] | None = None, sleep: Any = None, **said: Any) -> RestSource:
    """A source for a server, quick to try again."""
    spec = RestApiSpec.model_validate({"base_url": url, "retry": QUICK, **said})
    return RestSource(spec, Path(), tell=told, sleep=sleep)


def get(url: str, state: str | None = None, *, stop_after: int | None = None, **said: Any) -> Got:
    """All that a source gives; the first `stop_after` checkpoints of it, as if it were killed there.

    Lines after the last checkpoint are left out, as they would not have landed.
    """
    got = Got()
    waiting: list[tuple[str, list[str]]] = []
    producing = source(url, got.told.append, **said).produce(state)
    try:
        for item in producing:
            if isinstance(item, Block):
                waiting.append((item.table, _lines(item)))
                got.hints[item.table] = item.hints
                continue
            assert isinstance(item, Checkpoint)
            for table, lines in waiting:
                got.lines.setdefault(table, []).extend(lines)
            waiting.clear()
            got.states.append(item.state)
            if len(got.states) == stop_after:
                break
    except Exception as error:
        got.error = error
    finally:
        producing.close()  # type: ignore[attr-defined]
    return got


def fetch(url: str, **said: Any) -> Got:
    """All that a source gives, which must go well."""
    got = get(url, **said)
    if got.error is not None:
        raise got.error
    return got


def _lines(block: Block) -> list[str]:
    if not isinstance(block.data, Path):
        assert not len(block.data)
        return []
    data = block.data.read_bytes()
    return (gzip.decompress(data) if block.data.suffix == ".gz" else data).decode().splitlines()
