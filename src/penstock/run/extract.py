"""From a source to the landing area, byte for byte."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

from penstock.errors import ConflictError, NotFoundError, StoreError
from penstock.layers import slip_key
from penstock.ledger import Slip
from penstock.plan import Land, Plan
from penstock.ports import Put, Source
from penstock.report.facts import FileDone, Phase, PhaseDone, PhaseStarted, Progress
from penstock.run.flow import Flow
from penstock.run.shelf import slip_bytes


def extract(flow: Flow, source: Source, plan: Plan, state: str | None) -> dict[str, str]:
    """Land what the plan says. The slip goes first, so that no landed file is without its origin.

    `state` is the source's state so far. What it is after this extract travels on the last slip
    only: a run that is killed on the way must not leave a state that passes over what it missed.
    Returns: the SHA-256 of each landed file by key, as its bytes came from the source.
    """
    steps = [step for step in plan.steps if isinstance(step, Land)]
    if not steps:
        return {}
    size = sum(step.offer.size_bytes for step in steps)
    flow.observe(PhaseStarted(flow.pipeline, Phase.LAND, len(steps), size))
    began = flow.now()
    after = source.state([step.offer for step in steps], state)
    landed = {}
    for step in steps:
        last = step is steps[-1]
        put = _land(flow, source, step, after if last else None, more=not last)
        landed[step.key] = put.sha256
        flow.observe(Progress(flow.pipeline, Phase.LAND, put.size_bytes))
        flow.observe(FileDone(flow.pipeline, Phase.LAND, step.table, step.key))
    flow.observe(PhaseDone(flow.pipeline, Phase.LAND, flow.now() - began))
    return landed


def _land(flow: Flow, source: Source, step: Land, state: str | None, *, more: bool) -> Put:
    offer = step.offer
    origin = (offer.origin, offer.identity, offer.modified_at)
    slip = Slip(step.key, "", 0, step.landed_at, *origin, state=state, more=more)
    # whatever fails below, the slip stays: the file may be there although nobody told us
    flow.land.replace(slip_key(step.key), slip_bytes(slip))
    with _opened(source, step) as stream:
        try:
            put = flow.land.create(step.key, stream)
        except ConflictError as error:
            flow.land.delete(slip_key(step.key))  # it must not vouch for a file that is not ours
            raise StoreError(
                "the landing area got a file of this name while we looked",
                where=f"{flow.land.url}/{step.key}",
                hint="run again",
            ) from error
    if put.size_bytes != offer.size_bytes:
        flow.land.delete(step.key)
        flow.land.delete(slip_key(step.key))
        raise StoreError(
            "a source file changed while it was read",
            where=offer.origin,
            found=f"{put.size_bytes:,} bytes",
            expected=f"{offer.size_bytes:,} bytes",
            hint="run again when it is complete; a greater `min_age_s` leaves young files alone longer",
        )
    return put


def _opened(source: Source, step: Land) -> BinaryIO:
    try:
        return source.open(step.offer)
    except NotFoundError as error:
        raise StoreError(
            "a source file went away before it was read",
            where=step.offer.origin,
            hint="nothing of it was taken; run again",
        ) from error


def taken_before(slips: Sequence[Slip | None]) -> frozenset[str]:
    """The identities of source files that lie landed but are not in the ledger yet."""
    return frozenset(slip.identity for slip in slips if slip is not None and slip.identity)
