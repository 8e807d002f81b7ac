"""What a producer gave, taken apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from penstock.ports import Block, Checkpoint
from penstock.schema.hints import Hints
from penstock.sources.dlt import dlt_source


@dataclass
class Pieces:
    """The rows of each table, its hints, its blocks, and the state at the end."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    hints: dict[str, Hints] = field(default_factory=dict)
    blocks: dict[str, list[Block]] = field(default_factory=dict)
    state: str | None = None


def take(what: Any, state: str | None = None, **options: Any) -> Pieces:
    """Run a source of dlt from a state and take apart what it gives."""
    found = Pieces()
    for piece in dlt_source(what, **options).produce(state):
        if isinstance(piece, Checkpoint):
            found.state = piece.state
            continue
        found.blocks.setdefault(piece.table, []).append(piece)
        if piece.hints is not None:
            found.hints[piece.table] = piece.hints
        if isinstance(piece.data, pa.Table | pa.RecordBatch):
            found.rows.setdefault(piece.table, []).extend(piece.data.to_pylist())
        elif not isinstance(piece.data, Path):
            found.rows.setdefault(piece.table, []).extend(dict(row) for row in piece.data)
    assert found.state is not None, "the last piece is a checkpoint"
    return found
