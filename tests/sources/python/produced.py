"""What a Python source gives, in forms that tests can compare."""

from __future__ import annotations

from typing import Any

from penstock.ports import Block, Checkpoint
from penstock.sources.python.source import PythonSource


def produce(what: Any, state: str | None = None, **hints: Any) -> list[Block | Checkpoint]:
    """All blocks and checkpoints of a run."""
    return list(PythonSource(what, **hints).produce(state))


def blocks(what: Any, **hints: Any) -> list[Block]:
    """The blocks of a run with empty state."""
    return [b for b in produce(what, **hints) if isinstance(b, Block)]


def tables(what: Any, **hints: Any) -> dict[str, list[Any]]:
    """The rows of a run with empty state, by table; Arrow data as rows."""
    found: dict[str, list[Any]] = {}
    for block in blocks(what, **hints):
        rows = block.data if isinstance(block.data, list) else block.data.to_pylist()  # type: ignore[union-attr]
        found.setdefault(block.table, []).extend(rows)
    return found


def last_state(what: Any, state: str | None = None, **hints: Any) -> str | None:
    """The state of the last checkpoint of a run."""
    return [c.state for c in produce(what, state, **hints) if isinstance(c, Checkpoint)][-1]
