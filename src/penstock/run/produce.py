"""From a producer to the landing area: what it makes, landing after landing, with its state."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pyarrow as pa

from penstock.ledger import Commit, Refresh
from penstock.ports import Block, Producer
from penstock.report.facts import Phase, PhaseDone, PhaseStarted
from penstock.run.commit import load_row
from penstock.run.flow import Flow
from penstock.run.landing import Making

NO_STATE = "{}"
"""The state of a source that has forgotten everything."""


@dataclass(frozen=True, slots=True)
class Made:
    """What a producer made: the SHA-256 of each landed file by key, and the state that came after the
    last of them, if it changed without any rows."""

    landed: dict[str, str] = field(default_factory=dict)
    state: str | None = None


def produce(
    flow: Flow,
    producer: Producer,
    landed_at: int,
    taken: frozenset[str],
    state: str | None,
    refresh: Refresh | None = None,
) -> Made:
    """Land everything that is new since `state`.

    At each checkpoint what was made so far is landed for good, unless it belongs to a table that takes
    each landing for the whole of something: then all of it is one landing. With `refresh` it begins
    anew, and the landing takes the place of what was there, though nothing may come.
    Raises: what the producer raises; what was landed before the last checkpoint stays.
    """
    pa.set_memory_pool(pa.system_memory_pool())  # gives back what the producer lets go of
    flow.observe(PhaseStarted(flow.pipeline, Phase.LAND, 0, 0))
    began, kept = flow.now(), state
    if refresh is not None:
        state = None if refresh is Refresh.DROP_SOURCES else producer.restart(state)
    landed: dict[str, str] = {}
    known = frozenset[str]() if refresh is None else flow.destination.facts(flow.pipeline).whole_tables
    making = Making(flow, landed_at, taken, refresh, known)
    whole = refresh is not None
    try:
        for item in producer.produce(state):
            if isinstance(item, Block):
                whole = whole or _is_whole(flow, item)
                making.add(item)
                continue
            state = item.state
            if not whole and not making.is_empty:
                landed |= making.finish(state)
                making, kept = Making(flow, making.landed_at + 1, taken), state
        if refresh is Refresh.DROP_SOURCES and making.is_empty:
            for table in sorted(known):
                making.add(Block(table, []))
        if not making.is_empty:
            landed |= making.finish(state if state is not None or refresh is None else NO_STATE)
            kept = state
    finally:
        making.drop()
    flow.observe(PhaseDone(flow.pipeline, Phase.LAND, flow.now() - began))
    if refresh is not None and not landed and state is None:
        state = NO_STATE
    return Made(landed, state if state != kept else None)


def _is_whole(flow: Flow, block: Block) -> bool:
    return flow.table(flow.name_of(block.table), block.hints).disposition.needs_whole_landings


def remember(flow: Flow, state: str) -> None:
    """Commit a state that comes with no rows. Called when the rows before it are loaded."""
    load_id = flow.new_id()
    load = load_row(flow, load_id, datetime.fromtimestamp(flow.now(), UTC), ())
    transaction = flow.destination.begin(flow.pipeline, load_id)
    try:
        transaction.commit(Commit(load, (), state={flow.dataset: state}))
    except BaseException:
        transaction.rollback()
        raise
