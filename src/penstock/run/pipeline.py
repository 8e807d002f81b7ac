"""One run of one pipeline: drain, extract, drain.

Whatever an earlier run left in the layers is loaded first, from the facts alone; then the source
is asked for what is new, from the state that the destination holds; then that is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from typing import TypeAlias

from penstock.errors import ConflictError, PenstockError
from penstock.gate.verdict import Action, Finding, Policy
from penstock.ledger import Facts, LedgerFile, Refresh, Slip, Waiting, landing_order, retired
from penstock.plan import Clear, Judge, plan_drain, plan_extract
from penstock.report.facts import FileFinding, Notice, PipelineResult
from penstock.run.commit import REFUSED, Loader, Outcome
from penstock.run.extract import extract, taken_before
from penstock.run.flow import Flow, last_landing
from penstock.run.journal import Journal
from penstock.run.locking import lock
from penstock.run.produce import Made, produce, remember
from penstock.run.quiet import Quiet
from penstock.run.recording import Recording, Runs
from penstock.run.shelf import Shelf, other_bytes
from penstock.run.staged import recover
from penstock.run.stream import Bench
from penstock.schema.hints import hints_from_json

Work: TypeAlias = Callable[[Flow, Facts, Bench, Journal], None]
"""What is done to a pipeline while its lock is held, other than a run."""


def run_pipeline(
    flow: Flow,
    quiet: Quiet,
    wait_s: float = 0,
    refresh: Refresh | None = None,
    *,
    runs: Runs | None = None,
    command: str = "run",
    attempt: int = 1,
) -> PipelineResult:
    """Run a pipeline once, and say what happened; errors of ours are in the result.

    `wait_s` (seconds) is how long to wait for a lock that another run holds. `refresh` asks a
    producer for everything once more, in place of what was loaded. `runs` keeps the run's record, under
    the name of the `command`; `attempt` is its number where a run is tried again.
    """
    steps = partial(_drain_extract_drain, refresh=refresh)
    return _run(Recording(flow, runs, command, attempt), steps, quiet, wait_s)


def work_on(flow: Flow, command: str, runs: Runs | None, work: Work) -> PipelineResult:
    """Do other work on a pipeline under its lock, and say what happened; as `run_pipeline` does."""

    def steps(flow: Flow, journal: Journal) -> None:
        with bench_of(flow, needed=True) as bench:
            assert bench is not None
            work(flow, flow.destination.facts(flow.pipeline), bench, journal)

    return _run(Recording(flow, runs, command), steps)


def _run(
    recording: Recording,
    steps: Callable[[Flow, Journal], None],
    quiet: Quiet | None = None,
    wait_s: float = 0,
) -> PipelineResult:
    """Take the steps of a run under the lock. The order in which things end is that of what they need."""
    flow, journal, began = recording.flow, Journal(), recording.flow.now()
    error: PenstockError | None = None

    def result() -> PipelineResult:
        return journal.result(flow, flow.now() - began, error)

    try:
        if quiet is not None:
            quiet.begin(flow)
        with lock(flow, wait_s):
            try:
                steps(flow, journal)
            except PenstockError as caught:
                error = caught
            recording.note(result())
        flow.destination.close()
        if quiet is not None and result().cause is None:
            quiet.note(flow)
    except PenstockError as caught:
        error = error or caught
    except BaseException as stopped:
        recording.keep_broken(stopped, result())
        raise
    finally:
        flow.destination.close()
    ended = result()
    recording.keep(ended)
    return ended


def _drain_extract_drain(flow: Flow, journal: Journal, *, refresh: Refresh | None) -> None:
    shelf = Shelf(flow)
    if gone := shelf.abandon():
        flow.observe(Notice(flow.pipeline, f"removed {gone} files of a landing that was not finished"))
    shelf.tidy()
    facts = flow.destination.facts(flow.pipeline)
    recover(flow, facts)
    begun, waits = _begun(flow, shelf, facts)
    drained = drain(flow, shelf, facts, {}, journal, without=waits)
    journal.drained += drained + len(waits)
    if drained:
        shelf, facts = Shelf(flow), flow.destination.facts(flow.pipeline)
    there = frozenset(shelf.found)
    left = [w for w in shelf.found.values() if w.key not in facts.done]
    taken = facts.identities | taken_before([shelf.slip(w) for w in left])
    keys = there | facts.done
    landed_at = begun or _next_landing(flow, facts, left)
    landed: dict[str, str] = {}
    made = Made()
    if flow.producer is not None:
        made = produce(flow, flow.producer, landed_at, keys, _state(flow, shelf, facts, left), refresh)
        landed = made.landed
    elif flow.source is not None:
        state = facts.state.get(flow.dataset)
        offers = flow.source.offers(taken, state)
        plan = plan_extract(flow.pipeline, flow.dataset, offers, landed_at, keys)
        landed = extract(flow, flow.source, plan, state)
    journal.landed += len(landed)
    if landed or waits:
        drain(flow, Shelf(flow), facts, landed, journal, without=there - waits)
    if made.state is not None and all(outcome.error is None for outcome in journal.outcomes):
        remember(flow, made.state)


def _state(flow: Flow, shelf: Shelf, facts: Facts, left: Sequence[Waiting]) -> str | None:
    """What the producer goes on from: the state of the newest landing, loaded or not."""
    last = last_landing(flow, facts)
    slips = [shelf.slip(w) for w in sorted(left, key=landing_order) if w.landed_at >= last]
    waiting = [slip.state for slip in slips if slip is not None and slip.state is not None]
    return waiting[-1] if waiting else facts.state.get(flow.dataset)


def _next_landing(flow: Flow, facts: Facts, left: Sequence[Waiting]) -> int:
    """Now, but after every landing before: the order of landings must outlive a clock that is set back."""
    last = max((w.landed_at for w in left), default=0)
    return max(int(flow.now()), max(last, last_landing(flow, facts)) + 1)


def _begun(flow: Flow, shelf: Shelf, facts: Facts) -> tuple[int | None, frozenset[str]]:
    """The landing that a killed run did not finish, and its files of tables that need it in one load.

    Those wait for the rest of it, or the rest would meet them as rows of another load.
    """
    left = [w for w in shelf.found.values() if w.in_land and w.key not in facts.done]
    hints = shelf.hints(left)
    waits = [w for w in left if flow.table(w.table, hints.get(w.table)).disposition.loads_alone]
    if not waits:
        return None, frozenset()
    begun = max(w.landed_at for w in waits)
    slips = [shelf.slip(w) for w in shelf.found.values() if w.landed_at == begun]
    if any(slip is None or not slip.more for slip in slips):
        return None, frozenset()
    return begun, frozenset(w.key for w in waits if w.landed_at == begun)


def drain(
    flow: Flow,
    shelf: Shelf,
    facts: Facts,
    landed: Mapping[str, str],
    journal: Journal,
    without: frozenset[str] = frozenset(),
) -> int:
    """Load what lies in the layers and is not in the ledger; returns how many files were looked at.

    `without` are files that were looked at a moment ago.
    """
    plan = plan_drain(flow.pipeline, facts, list(shelf.found.values()))
    clears = [s for s in plan.steps if isinstance(s, Clear) and s.key not in without]
    held = _clear_all(flow, shelf, facts, clears, journal)
    judges = [s for s in plan.steps if isinstance(s, Judge) and s.key not in without]
    todo = [shelf.found[s.key] for s in judges if s.table not in held]
    with bench_of(flow, bool(todo)) as bench:
        for group in load_groups(flow, shelf, todo):
            if bench is not None:
                mode = refresh_of(shelf, group)
                forget = refreshed(facts, group, mode) if mode is not None else None
                again = retired(facts, forget) if forget is not None else ()
                loader = Loader(flow, shelf, facts, bench, landed)
                outcome = loader.load(group, forget, again, keep_shapes=mode is Refresh.DROP_DATA)
                journal.outcomes.append(outcome)
                facts = flow.destination.facts(flow.pipeline)
                _tell(flow, outcome)
    return len(todo)


def _clear_all(
    flow: Flow, shelf: Shelf, facts: Facts, steps: Sequence[Clear], journal: Journal
) -> frozenset[str]:
    """Finish moves; the tables that a file under a name already taken holds back, by the policy."""
    held = set()
    for step in steps:
        try:
            clear(flow, shelf, facts, step.key)
        except ConflictError as error:
            if flow.policy is Policy.ALL:
                raise
            finding = FileFinding(step.table, step.key, Finding("conflict", Action.FAIL, error.what))
            journal.outcomes.append(Outcome(findings=[finding], error=error))
            held.add(step.table)
    return frozenset(held if flow.policy is Policy.PER_TABLE else ())


@contextmanager
def bench_of(flow: Flow, needed: bool) -> Iterator[Bench | None]:
    """The workers of a run, if there is work."""
    if not needed:
        yield None
        return
    bench = Bench(flow.threads)
    try:
        yield bench
    finally:
        bench.close()


def load_groups(flow: Flow, shelf: Shelf, files: Sequence[Waiting]) -> list[list[Waiting]]:
    """The files that share a load: all of them, unless each landing must be a load of its own."""
    slips = [shelf.slip(w) for w in files]
    said = {(w.table, slip.hints if slip else None) for w, slip in zip(files, slips, strict=True)}
    alone = any(slip is not None and slip.refresh is not None for slip in slips) or any(
        flow.table(table, hints_from_json(hints) if hints else None).disposition.loads_alone
        for table, hints in said
    )
    if not alone:
        return [list(files)] if files else []
    return [list(group) for _, group in groupby(files, key=lambda w: w.landed_at)]


def refresh_of(shelf: Shelf, group: Sequence[Waiting]) -> Refresh | None:
    """What a landing takes the place of; None if it adds to what is there."""
    slips = [shelf.slip(w) for w in group]
    return next((slip.refresh for slip in slips if slip is not None and slip.refresh is not None), None)


def refreshed(facts: Facts, group: Sequence[Waiting], mode: Refresh) -> list[str]:
    """The tables whose rows a landing takes the place of."""
    tables = {w.table for w in group}
    return sorted(tables | facts.whole_tables if mode is Refresh.DROP_SOURCES else tables)


def clear(flow: Flow, shelf: Shelf, facts: Facts, key: str) -> None:
    """Finish the move of a file that is in the ledger and still in land.

    Raises: ConflictError when it is another file under the same name.
    """
    row = next(f for f in facts.files if f.key == key and f.outcome != "replayed")
    found = flow.land.digest(key)
    if found != row.sha256:
        raise other_bytes(flow.land, key, found, row.sha256)
    if row.outcome != REFUSED and not shelf.found[key].in_raw_hist:
        shelf.keep(key, _slip_of(row))
    shelf.clear(key)


def _slip_of(row: LedgerFile) -> Slip:
    return Slip(row.key, row.sha256, row.size_bytes, row.landed_at, row.origin, row.identity, row.modified_at)


def _tell(flow: Flow, outcome: Outcome) -> None:
    for table in outcome.tables:
        for change in table.changes:
            flow.observe(Notice(flow.pipeline, f"schema: {change}"))
