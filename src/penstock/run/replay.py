"""Rows that come out of quarantine again.

Replaying judges the quarantined rows of a file again, from raw history, under the rules of today.
Rows that pass are loaded in one commit with a ledger row that names the quarantine file's SHA-256;
what is still broken is staged before it and takes that file's place after it. So no row comes out
twice, whenever the process is killed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from penstock.errors import NotFoundError, RefusedError
from penstock.layers import parse_key, quarantined_rows_key
from penstock.ledger import RETIRED, Commit, Facts, LedgerFile, Waiting, reconcile
from penstock.report.facts import Notice
from penstock.run.commit import Outcome, changed, jobs_of, load_row, tables_of
from penstock.run.flow import Flow, TableFlow
from penstock.run.journal import Journal
from penstock.run.load import Job, Pass, open_landed
from penstock.run.quarantine import REPLAYED, batches_of
from penstock.run.shelf import Shelf
from penstock.run.staged import put_in_place, recover, stage
from penstock.run.stream import Bench, Selection
from penstock.schema.disposition import Disposition, Strategy, WriteMode


@dataclass(frozen=True, slots=True)
class _Aside:
    """One quarantine file as it is now."""

    key: str
    sha256: str
    rows: frozenset[int]


def replay(flow: Flow, facts: Facts, bench: Bench, journal: Journal, *, keys: Sequence[str]) -> None:
    """Judge the quarantined rows of some files again, and load those that pass.

    Called with the pipeline's lock held; a file that has no quarantined rows any more is passed over.
    Raises: NotFoundError when raw history lacks a file.
    """
    recover(flow, facts)
    there = [key for key in keys if flow.quarantine.stat(quarantined_rows_key(key)) is not None]
    asides = [_look(flow, key) for key in there if not _is_past(flow, facts, key)]
    if asides:
        journal.outcomes.append(_replay(flow, facts, bench, asides))


def _replay(flow: Flow, facts: Facts, bench: Bench, asides: list[_Aside]) -> Outcome:
    started_at = datetime.fromtimestamp(flow.now(), UTC)
    load_id = flow.new_id()
    shelf = Shelf(flow)
    jobs = [_job(flow, shelf, aside) for aside in asides]
    try:
        while True:
            transaction = flow.destination.begin(flow.pipeline, load_id)
            try:
                draft = Pass(flow, facts, bench, load_id, lambda job: open_landed(flow, job)).run(
                    transaction, jobs
                )
                failed = next((job.error for job in jobs if job.error is not None), None)
                if failed is not None:
                    raise failed
                if draft.repeats:
                    transaction.rollback()
                    continue
                rows = [_row(flow, facts, job, a, load_id) for job, a in zip(jobs, asides, strict=True)]
                reconcile(rows, draft.written)
                for job in jobs:
                    stage(flow, load_id, job.key, job.rejects, replaces=True)
                schemas, changes = changed(draft.shapes)
                load = load_row(flow, load_id, started_at, rows)
                transaction.commit(Commit(load, tuple(rows), schemas, changes))
            except BaseException:
                transaction.rollback()
                raise
            break
        for job in jobs:
            put_in_place(flow, load_id, job.key)
        return Outcome(load_id, tables_of(rows, jobs, draft.shapes))
    finally:
        for job in jobs:
            job.close()


def _look(flow: Flow, key: str) -> _Aside:
    name = quarantined_rows_key(key)
    rows = [r for b in batches_of(flow.quarantine, name, ["row"]) for r in b.column("row").to_pylist()]
    return _Aside(key, flow.quarantine.digest(name), frozenset(rows))


def _job(flow: Flow, shelf: Shelf, aside: _Aside) -> Job:
    parts = parse_key(aside.key, flow.dataset)
    stat = flow.raw_hist.stat(aside.key)
    if parts is None or stat is None:
        raise NotFoundError("raw history does not have this file", where=f"{flow.raw_hist.url}/{aside.key}")
    landed_at = parts.landed_at if parts.landed_at is not None else int(stat.modified_at)
    waiting = Waiting(
        aside.key, parts.table, landed_at, stat.size_bytes, in_land=False, in_raw_hist=True, modified_at=0.0
    )
    [job] = jobs_of(flow, shelf, [waiting])
    job.flow = replace(job.flow, disposition=_added(job.flow))
    job.selection = Selection(only=aside.rows)
    return job


def _is_past(flow: Flow, facts: Facts, key: str) -> bool:
    """Whether a later landing has taken the place of the one that a file's rows belong to."""
    if any(f.key == key and f.outcome == RETIRED for f in facts.files):
        flow.observe(Notice(flow.pipeline, f"left in quarantine: its table was dropped since: {key}"))
        return True
    parts = parse_key(key, flow.dataset)
    if parts is None or flow.table(parts.table, None).disposition.mode is not WriteMode.REPLACE:
        return False
    own = [f for f in facts.files if f.table == parts.table and f.outcome != REPLAYED]
    mine = next((f.landed_at for f in own if f.key == key), 0)
    if max((f.landed_at for f in own), default=0) <= mine:
        return False
    flow.observe(Notice(flow.pipeline, f"left in quarantine: a later landing has replaced that of {key}"))
    return True


def _added(table: TableFlow) -> Disposition:
    """How rows come back into a table that their landing was the whole of: beside the rows that are there.

    Raises: RefusedError where the rows cannot be told from those that are there.
    """
    found = table.disposition
    if found.mode is WriteMode.REPLACE:
        return Disposition(WriteMode.APPEND, found.primary_key)
    if found.mode is not WriteMode.MERGE or found.strategy is not Strategy.SCD2 or found.merge_key:
        return found
    if found.primary_key:
        return replace(found, merge_key=found.primary_key)
    raise RefusedError(
        f"`{table.declared.name}` keeps versions of whole landings, and a part of one cannot be added",
        hint="name the `primary_key` or `merge_key` of the table, or rebuild it: "
        f"penstock rebuild --table {table.declared.name}",
    )


def _row(flow: Flow, facts: Facts, job: Job, aside: _Aside, load_id: str) -> LedgerFile:
    before = next((f for f in facts.files if f.key == job.key and f.outcome != REPLAYED), None)
    tally = job.tally
    row = LedgerFile(
        pipeline=flow.pipeline,
        table=job.waiting.table,
        key=job.key,
        sha256=aside.sha256,
        size_bytes=0,
        landed_at=job.waiting.landed_at,
        load_id=load_id,
        outcome=REPLAYED,
        rows=tally.rows,
        loaded=tally.accepted,
        dropped=tally.dropped,
        quarantined=tally.quarantined,
    )
    return row if before is None else replace(row, origin=before.origin)
