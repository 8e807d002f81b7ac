"""What a run would do, found out by judging the files without moving or writing anything.

The plan is the very list of steps that the run walks; the counts, the drift and the findings come
from the same pass over the files, into a transaction that swallows the rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from penstock.errors import NotFoundError
from penstock.gate.rules import identifier
from penstock.ledger import Commit, Facts, Waiting
from penstock.plan import Judge, Land, Plan, plan_after, plan_drain, plan_extract
from penstock.ports import Batches, Destination, Offer
from penstock.report.facts import FileFinding, PlannedPipeline, PlannedTable
from penstock.run.commit import jobs_of
from penstock.run.extract import taken_before
from penstock.run.fates import Fates
from penstock.run.flow import Flow
from penstock.run.load import Draft, Job, Pass, look_at_head, open_landed
from penstock.run.shelf import Shelf
from penstock.run.stream import Bench
from penstock.schema.disposition import Disposition
from penstock.schema.table import Table


@dataclass(frozen=True, slots=True)
class Outlook:
    """The steps of the next run, and where the bytes of its files are now."""

    plan: Plan
    files: tuple[Waiting, ...]
    offers: dict[str, Offer]


def look_ahead(flow: Flow, shelf: Shelf, facts: Facts) -> Outlook:
    """The steps that a run would walk now: drain, extract, and the drain of what it extracts."""
    found = list(shelf.found.values())
    drain = plan_drain(flow.pipeline, facts, found)
    left = [w for w in found if w.key not in facts.done]
    taken = facts.identities | taken_before([shelf.slip(w) for w in left])
    offers = flow.source.offers(taken, facts.state.get(flow.dataset)) if flow.source is not None else ()
    keys = frozenset(shelf.found) | facts.done
    extract = plan_extract(flow.pipeline, flow.dataset, offers, int(flow.now()), keys)
    after = plan_after(flow.pipeline, extract)
    lands = {s.key: s for s in extract.steps if isinstance(s, Land)}
    waiting = [shelf.found[s.key] for s in drain.steps if isinstance(s, Judge)]
    waiting += [
        Waiting(s.key, s.table, s.landed_at, s.offer.size_bytes, False, False, s.offer.modified_at)
        for s in lands.values()
    ]
    steps = (*drain.steps, *extract.steps, *after.steps)
    return Outlook(
        Plan(flow.pipeline, steps), tuple(waiting), {key: step.offer for key, step in lands.items()}
    )


def preview(flow: Flow, *, quick: bool) -> PlannedPipeline:
    """What a run of a pipeline would do; `quick` does not read the files."""
    shelf = Shelf(flow)
    facts = flow.destination.facts(flow.pipeline)
    outlook = look_ahead(flow, shelf, facts)
    tables = _places(outlook)
    if quick or not outlook.files:
        asks = flow.producer is not None
        return PlannedPipeline(flow.pipeline, outlook.plan.steps, tuple(tables.values()), asks=asks)
    fates, draft = _judge(flow, shelf, facts, outlook)
    for name, table in tables.items():
        tables[name] = _judged(table, fates, draft)
    error = fates.error(flow)
    return PlannedPipeline(
        flow.pipeline,
        outlook.plan.steps,
        tuple(tables.values()),
        error=None if error is None else str(error),
        exit_code=0 if error is None else int(error.exit_code),
        asks=flow.producer is not None,
    )


def _judge(flow: Flow, shelf: Shelf, facts: Facts, outlook: Outlook) -> tuple[Fates, Draft | None]:
    def opened(job: Job) -> BinaryIO:
        offer = outlook.offers.get(job.key)
        if offer is None or flow.source is None:
            return open_landed(flow, job)
        return flow.source.open(offer)

    jobs = jobs_of(flow, shelf, outlook.files)
    bench = Bench(flow.threads)
    try:
        for job in jobs:
            look_at_head(job, opened)
        fates = Fates.of(flow.policy, jobs)
        draft = None
        while fates.going:
            passing = Pass(flow, facts, bench, "", opened)
            draft = passing.run(Rehearsal(flow.destination), fates.going)
            if not fates.settle() and not draft.repeats:
                break
        return fates, draft
    finally:
        bench.close()
        for job in jobs:
            job.close()


def _places(outlook: Outlook) -> dict[str, PlannedTable]:
    tables: dict[str, PlannedTable] = {}
    for w in outlook.files:
        t = tables.get(w.table, PlannedTable(w.table))
        tables[w.table] = replace(
            t,
            in_land=t.in_land + w.in_land,
            in_raw_hist=t.in_raw_hist + (w.in_raw_hist and not w.in_land),
            on_offer=t.on_offer + (w.key in outlook.offers),
            size_bytes=t.size_bytes + w.size_bytes,
        )
    return tables


def _judged(table: PlannedTable, fates: Fates, draft: Draft | None) -> PlannedTable:
    jobs = [job for job in fates.everyone if job.waiting.table == table.table]
    going = [job for job in jobs if job in fates.going]
    broken, discarded = Counter[str](), Counter[str]()
    for job in jobs:
        broken.update(job.tally.broken)
        discarded.update(job.tally.discarded)
    shape = draft.shapes.get(table.table) if draft is not None else None
    return replace(
        table,
        rows=sum(job.tally.rows for job in jobs),
        accepted=sum(job.tally.accepted for job in going),
        dropped=sum(job.tally.dropped for job in going),
        quarantined=sum(job.tally.quarantined for job in going),
        broken=broken,
        discarded=discarded,
        changes=shape.changes if shape is not None else (),
        findings=tuple(FileFinding(table.table, j.key, f) for j in jobs for f in j.tally.findings),
    )


class Rehearsal:
    """A transaction that counts rows and keeps none."""

    def __init__(self, destination: Destination) -> None:
        self._destination = destination

    def shape(self, table: Table, disposition: Disposition) -> None:
        """Nothing."""

    def write(self, table: Table, disposition: Disposition, data: Batches) -> int:  # noqa: ARG002
        """Count the rows."""
        return sum(batch.num_rows for batch in data.batches)

    def keys(self, table: str, columns: Sequence[str]) -> Any:  # Any: pyarrow is untyped
        """The values that are in the warehouse now."""
        cells = ", ".join(identifier(c) for c in columns)
        try:
            return self._destination.query(f"SELECT DISTINCT {cells} FROM {identifier(table)}")
        except NotFoundError:
            return None

    def clashes(self, table: str, columns: Sequence[str], keys: Any) -> Any:  # Any: pyarrow is untyped
        """Those of some keys that the warehouse has now."""
        texts = ", ".join(f"CAST({identifier(c)} AS VARCHAR) AS {identifier(c)}" for c in columns)
        try:
            held = self._destination.query(f"SELECT DISTINCT {texts} FROM {identifier(table)}")
        except NotFoundError:
            return keys.schema.empty_table()
        return keys.read_all().join(held, list(columns), join_type="left semi")

    def forget(self, tables: Sequence[str] | None) -> None:
        """Nothing."""

    def commit(self, commit: Commit) -> None:
        """Nothing."""

    def rollback(self) -> None:
        """Nothing."""
