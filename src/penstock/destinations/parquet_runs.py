"""Records of runs beside a folder of parquet files: one small JSON a run.

    _penstock/runs/<pipeline>/<run_id>.json

A record says nothing about what counts, so the commit log knows nothing of it. The oldest are
removed when there are too many.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from penstock.errors import NotFoundError, StoreError
from penstock.layers import quote
from penstock.ledger import RUNS_TABLE, STEPS_TABLE, RunRecord
from penstock.ports import Store

if TYPE_CHECKING:
    import pyarrow as pa

RUNS = "_penstock/runs/"
KEPT = 200
"""So many records of each pipeline are kept."""


def note(store: Store, run: RunRecord) -> None:
    """Write the record of a run. Raises: StoreError."""
    folder = f"{RUNS}{quote(run.pipeline)}/"
    store.create(f"{folder}{quote(run.run_id)}.json", msgspec.json.encode(run))
    for key in sorted((stat.key for stat in store.list(folder)), reverse=True)[KEPT:]:
        store.delete(key)


def runs_in(store: Store) -> Callable[[str], Mapping[str, pa.Table]]:
    """Tables of runs for a query: empty ones for a query that does not speak of them, which is cheaper."""

    def told(sql: str) -> Mapping[str, Any]:
        from penstock.destinations.run_rows import rows_of_runs

        text = sql.lower()
        return rows_of_runs(_read(store) if RUNS_TABLE in text or STEPS_TABLE in text else [])

    return told


def _read(store: Store) -> list[RunRecord]:
    """Every record, oldest first; one that was removed meanwhile is left out."""
    found = []
    for key in sorted(stat.key for stat in store.list(RUNS)):
        try:
            with store.open(key) as stream:
                found.append(msgspec.json.decode(stream.read(), type=RunRecord))
        except NotFoundError:
            continue
        except msgspec.DecodeError as error:
            raise StoreError(
                "the record of a run cannot be read", where=f"{store.url}/{key}", found=str(error)
            ) from error
    return sorted(found, key=lambda run: (run.started_at, run.run_id))
