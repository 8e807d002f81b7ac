"""From judged files to one commit: who stays behind, who is set aside, what the ledger says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import BinaryIO

from penstock.errors import RefusedError
from penstock.gate.arrival import DUPLICATE, ArrivalRules
from penstock.gate.verdict import Action, Finding
from penstock.ledger import Commit, Facts, LedgerFile, LedgerLoad, Slip, Waiting, landing_order, reconcile
from penstock.report.facts import FileDone, FileFinding, Phase, PhaseDone, PhaseStarted, TableResult
from penstock.run.fates import Fates
from penstock.run.flow import Flow, TableFlow, last_landing
from penstock.run.load import Draft, Job, Pass, look_at_head, open_landed
from penstock.run.shape import Shape, with_children
from penstock.run.shelf import Shelf
from penstock.run.staged import put_in_place, stage
from penstock.run.stream import Bench, Tally
from penstock.schema.contract import Contract
from penstock.schema.disposition import Strategy
from penstock.schema.hints import hints_from_json
from penstock.schema.table import EMPTY, Change, Table

LOADED = "loaded"
REFUSED = "refused"


@dataclass(slots=True)
class Outcome:
    """What one load did. `load_id` is None when nothing was committed.

    `error` is there when files failed; they stay where they are.
    """

    load_id: str | None = None
    tables: list[TableResult] = field(default_factory=list)
    findings: list[FileFinding] = field(default_factory=list)
    error: RefusedError | None = None


class Loader:
    """Loads files of one pipeline. Called with the pipeline's lock held.

    `landed` has the SHA-256 of files that this run landed, by key, as their source gave them.
    """

    def __init__(
        self, flow: Flow, shelf: Shelf, facts: Facts, bench: Bench, landed: Mapping[str, str]
    ) -> None:
        self.flow = flow
        self.shelf = shelf
        self.facts = facts
        self.bench = bench
        self.landed = landed
        self._slips: dict[str, Slip | None] = {}
        self._staged: list[str] = []
        self._keep_shapes = self._keep_state = False

    def load(
        self,
        files: Sequence[Waiting],
        forget: Sequence[str] | None = None,
        again: Sequence[LedgerFile] = (),
        *,
        keep_shapes: bool = False,
        keep_state: bool = False,
    ) -> Outcome:
        """Judge files, keep those that pass, load their rows, and commit it all.

        `forget` (for a rebuild) names tables that are dropped in the same commit, and `again` the
        ledger rows of theirs that stay true. With `keep_shapes` they come back with all their columns;
        with `keep_state` the state of the source, if there is one, stays as it is.
        Raises: whatever stops the load as a whole; nothing is committed then.
        """
        started_at = datetime.fromtimestamp(self.flow.now(), UTC)
        load_id = self.flow.new_id()
        self._keep_shapes, self._keep_state = keep_shapes, keep_state
        jobs = jobs_of(self.flow, self.shelf, files)
        self._slips = {job.key: self.shelf.slip(job.waiting) for job in jobs}
        try:
            fates, draft = self._judge(jobs, load_id, forget)
            if draft is None:
                return self._outcome(None, fates, (), {})
            try:
                rows = self._settle(fates, load_id)
                self._stage(fates, load_id, replaces=forget is not None)
                reconcile(rows, draft.written)
                commit = self._commit(load_id, started_at, draft, rows, again)
                draft.transaction.commit(commit)
            except BaseException:
                draft.transaction.rollback()
                raise
        finally:
            for job in jobs:
                job.close()
        for key in self._staged:
            put_in_place(self.flow, load_id, key)
        for job in fates.refused:
            self.shelf.clear(job.key)
        return self._outcome(load_id, fates, rows, draft.shapes, draft.spread)

    # -------------------------------------------------------------------------------- judge

    def _judge(
        self, jobs: list[Job], load_id: str, forget: Sequence[str] | None
    ) -> tuple[Fates, Draft | None]:
        """Passes over the files that go on, until a pass takes away nothing that it wrote."""
        for job in jobs:
            look_at_head(job, self._opened)
        fates = Fates.of(self.flow.policy, jobs)
        draft = None
        while draft is None and _has_work(fates, forget):
            draft = self._pass(fates, load_id, forget)
        return fates, draft

    def _pass(self, fates: Fates, load_id: str, forget: Sequence[str] | None) -> Draft | None:
        """One pass; None if it found out that some of what it wrote must not be there."""
        flow = self.flow
        size = sum(job.waiting.size_bytes for job in fates.going)
        flow.observe(PhaseStarted(flow.pipeline, Phase.JUDGE, len(fates.going), size))
        began = flow.now()
        transaction = flow.destination.begin(flow.pipeline, load_id)
        facts = without(
            self.facts, with_children(forget or (), self.facts.tables), keep_shapes=self._keep_shapes
        )
        try:
            if forget is not None:
                transaction.forget(forget)
            draft = Pass(flow, facts, self.bench, load_id, self._opened).run(transaction, fates.going)
            flow.observe(PhaseDone(flow.pipeline, Phase.JUDGE, flow.now() - began))
            for job in fates.going:
                self._compare(job)
            self._know_again(fates.going, facts)
            if fates.settle() or draft.repeats:
                transaction.rollback()
                return None
        except BaseException:
            transaction.rollback()
            raise
        return draft

    def _opened(self, job: Job) -> BinaryIO:
        return open_landed(self.flow, job)

    def _compare(self, job: Job) -> None:
        """The bytes that were judged must be those that the source gave, or that were kept."""
        slip = self._slips[job.key]
        expected = self.landed.get(job.key) or (slip.sha256 if slip and not job.waiting.in_land else "")
        if expected and expected != job.tally.sha256:
            message = f"the file's bytes changed since they were written: SHA-256 was {expected}"
            job.tally.findings.append(Finding("damaged", Action.FAIL, message))

    def _know_again(self, jobs: Sequence[Job], facts: Facts) -> None:
        """A source file that was touched but not changed is kept, and its rows are not loaded twice."""
        known = {(f.origin, f.sha256): f.key for f in facts.files if f.origin and f.loaded + f.quarantined}
        for job in jobs:
            slip = self._slips[job.key]
            others = [f for f in job.tally.findings if f.rule != DUPLICATE]
            if slip is None or slip.origin is None or any(f.action is not Action.ALLOW for f in others):
                continue
            first = known.setdefault((slip.origin, job.tally.sha256), job.key)
            if first != job.key:
                message = f"the source file was loaded before with these very bytes, as {first}"
                job.tally.findings = [*others, Finding("same_file", Action.DROP, message)]

    # ------------------------------------------------------------------------ keep and commit

    def _settle(self, fates: Fates, load_id: str) -> list[LedgerFile]:
        """Keep or set aside each file, and say what the ledger says of it."""
        flow = self.flow
        kept = [*fates.going, *fates.dropped]
        size = sum(job.tally.size_bytes for job in kept)
        flow.observe(PhaseStarted(flow.pipeline, Phase.KEEP, len(kept), size))
        began = flow.now()
        for job in kept:
            if job.waiting.in_land:
                self.shelf.keep(job.key, self._slip(job))
            flow.observe(FileDone(flow.pipeline, Phase.KEEP, job.waiting.table, job.key))
        for job in fates.refused:
            if not job.tally.sha256:  # refused at first sight: it was never read
                store = flow.land if job.waiting.in_land else flow.raw_hist
                job.tally.sha256, job.tally.size_bytes = store.digest(job.key), job.waiting.size_bytes
            if job.waiting.in_land:
                reason = "; ".join(f.message for f in job.tally.findings if f.action is Action.QUARANTINE)
                self.shelf.set_aside(job.key, replace(self._slip(job), reason=reason))
        flow.observe(PhaseDone(flow.pipeline, Phase.KEEP, flow.now() - began))
        rows = [self._row(job, load_id, LOADED, job.tally) for job in fates.going]
        rows += [self._row(j, load_id, LOADED, Tally(dropped=j.tally.rows)) for j in fates.dropped]
        rows += [self._row(j, load_id, REFUSED, Tally(quarantined=j.tally.rows)) for j in fates.refused]
        return rows

    def _stage(self, fates: Fates, load_id: str, *, replaces: bool) -> None:
        """Stage the quarantined rows of files that go on; the others have none in quarantine."""
        rejects = {job.key: job.rejects for job in fates.going}
        keys = [job.key for job in (*fates.going, *fates.dropped, *fates.refused)]
        self._staged = [k for k in keys if stage(self.flow, load_id, k, rejects.get(k), replaces=replaces)]

    def _slip(self, job: Job) -> Slip:
        tally, waiting = job.tally, job.waiting
        slip = self._slips[job.key] or Slip(
            job.key, "", 0, waiting.landed_at, modified_at=waiting.modified_at
        )
        return replace(slip, sha256=tally.sha256, size_bytes=tally.size_bytes)

    def _row(self, job: Job, load_id: str, outcome: str, fate: Tally) -> LedgerFile:
        slip, tally = self._slip(job), job.tally
        return LedgerFile(
            pipeline=self.flow.pipeline,
            table=job.waiting.table,
            key=job.key,
            sha256=tally.sha256,
            size_bytes=tally.size_bytes,
            landed_at=slip.landed_at,
            load_id=load_id,
            outcome=outcome,
            rows=tally.rows,
            loaded=fate.accepted,
            dropped=fate.dropped,
            quarantined=fate.quarantined,
            origin=slip.origin,
            identity=slip.identity,
            modified_at=slip.modified_at,
        )

    def _commit(
        self,
        load_id: str,
        started_at: datetime,
        draft: Draft,
        rows: Sequence[LedgerFile],
        again: Sequence[LedgerFile],
    ) -> Commit:
        schemas, changes = changed(draft.shapes)
        load = load_row(self.flow, load_id, started_at, rows)
        return Commit(load, (*again, *rows), schemas, changes, self._state(rows))

    def _state(self, rows: Sequence[LedgerFile]) -> dict[str, str]:
        """The newest state that the files carry, by its dataset; none if a newer landing is in already."""
        dataset = self.flow.dataset
        if self._keep_state and dataset in self.facts.state:
            return {}
        last = last_landing(self.flow, self.facts)
        ordered = sorted((r for r in rows if r.landed_at >= last), key=landing_order)
        states = [slip.state for r in ordered if (slip := self._slips.get(r.key)) and slip.state]
        return {dataset: states[-1]} if states else {}

    # ------------------------------------------------------------------------------- report

    def _outcome(
        self,
        load_id: str | None,
        fates: Fates,
        rows: Sequence[LedgerFile],
        shapes: Mapping[str, Shape],
        spread: Mapping[str, int] = EMPTY,
    ) -> Outcome:
        done = [*fates.going, *fates.dropped, *fates.refused]
        outcome = Outcome(load_id, tables_of(rows, done, shapes))
        roots = {t.name: root for root, s in shapes.items() for t in s.tables}
        outcome.tables += [
            TableResult(name, rows=count, loaded=count, part_of=roots[name]) for name, count in spread.items()
        ]
        for job in fates.everyone:
            outcome.findings.extend(FileFinding(job.waiting.table, job.key, f) for f in job.tally.findings)
        outcome.error = fates.error(self.flow)
        return outcome


def jobs_of(flow: Flow, shelf: Shelf, files: Sequence[Waiting]) -> list[Job]:
    """The files of a load, each with its table as the project and its newest file describe it.

    A load of a landing that stands for the whole table holds from the time of that landing.
    """
    hints = shelf.hints(files)
    tables = {name: flow.table(name, hints.get(name)) for name in {w.table for w in files}}
    at = datetime.fromtimestamp(max((w.landed_at for w in files), default=0), UTC)
    for name, table in tables.items():
        if table.disposition.strategy is Strategy.SCD2:
            tables[name] = replace(table, disposition=replace(table.disposition, at=at))
    return [_job(w, tables[w.table], shelf.slip(w)) for w in files]


def _job(file: Waiting, table: TableFlow, slip: Slip | None) -> Job:
    if slip is not None and slip.gone:
        return Job(file, replace(table, contract=Contract(), arrival=ArrivalRules(), volume=None), gone=True)
    seen = hints_from_json(slip.hints).seen if slip is not None and slip.hints is not None else {}
    return Job(file, table, seen)


def _has_work(fates: Fates, forget: Sequence[str] | None) -> bool:
    """Whether there is anything to commit; a rebuild drops nothing while files fail."""
    if forget is not None:
        return not fates.held
    return bool(fates.going or fates.refused or fates.dropped)


def without(facts: Facts, tables: Sequence[str], *, keep_shapes: bool = False) -> Facts:
    """The facts as they will be when some tables are forgotten, or their rows alone."""
    files = tuple(f for f in facts.files if f.table not in tables)
    if keep_shapes:
        return replace(facts, files=files)
    return replace(facts, files=files, tables={n: t for n, t in facts.tables.items() if n not in tables})


def load_row(flow: Flow, load_id: str, started_at: datetime, rows: Sequence[LedgerFile]) -> LedgerLoad:
    """The ledger's row of a load that commits now."""
    return LedgerLoad(
        load_id=load_id,
        pipeline=flow.pipeline,
        started_at=started_at,
        committed_at=datetime.fromtimestamp(flow.now(), UTC),
        status="done",
        files=len(rows),
        rows=sum(row.rows for row in rows),
        loaded=sum(row.loaded for row in rows),
        dropped=sum(row.dropped for row in rows),
        quarantined=sum(row.quarantined for row in rows),
        version=flow.version,
    )


def changed(shapes: Mapping[str, Shape]) -> tuple[tuple[Table, ...], tuple[Change, ...]]:
    """The tables that a load changed, whole, and how."""
    found = [(s, t) for s in shapes.values() for t in s.tables]
    grown = [t for s, t in found if t != s.known.get(t.name)]
    return tuple(grown), tuple(c for s in shapes.values() for c in s.changes)


def tables_of(
    rows: Sequence[LedgerFile], jobs: Sequence[Job], shapes: Mapping[str, Shape]
) -> list[TableResult]:
    """The result by table."""
    results = []
    for table in dict.fromkeys(row.table for row in rows):
        own = [row for row in rows if row.table == table]
        broken, discarded = Counter[str](), Counter[str]()
        for job in jobs:
            if job.waiting.table == table:
                broken.update(job.tally.broken)
                discarded.update(job.tally.discarded)
        results.append(
            TableResult(
                table=table,
                files=len(own),
                rows=sum(row.rows for row in own),
                loaded=sum(row.loaded for row in own),
                dropped=sum(row.dropped for row in own),
                quarantined=sum(row.quarantined for row in own),
                broken=broken,
                changes=shapes[table].changes if table in shapes else (),
                discarded=discarded,
            )
        )
    return results
