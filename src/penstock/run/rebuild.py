"""Tables made anew from raw history, in landing order: same bytes, same rules, same result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from penstock.ledger import RETIRED, Facts, landing_order
from penstock.run.commit import REFUSED, Loader
from penstock.run.flow import Flow
from penstock.run.journal import Journal
from penstock.run.pipeline import load_groups
from penstock.run.shelf import Shelf
from penstock.run.staged import recover
from penstock.run.stream import Bench
from penstock.schema.nesting import part_of


def rebuild(
    flow: Flow,
    facts: Facts,
    bench: Bench,
    journal: Journal,
    *,
    tables: Sequence[str] | None,
    as_of: float | None,
    dropped: bool = False,
) -> None:
    """Drop tables and load their files again, in one commit. Called with the lock held.

    `tables` None means all, and one that holds parts of rows means the table of the rows. `as_of`
    (Unix seconds) leaves out files that landed later, which the next run loads. Where landings must
    not share a load, each landing is a commit of its own. Files that were dropped or refreshed away are
    left out unless they are asked for as `dropped`.
    """
    recover(flow, facts)
    shelf = Shelf(flow)
    everything = {*facts.whole_tables, *(w.table for w in shelf.found.values())}
    chosen = {_whole(facts, table) for table in tables} if tables is not None else everything
    gone = {f.key for f in facts.files if f.outcome == RETIRED and not dropped}
    files = [
        replace(w, in_land=False)
        for w in sorted(shelf.found.values(), key=landing_order)
        if w.in_raw_hist and w.table in chosen and (as_of is None or w.landed_at <= as_of)
        if w.key not in gone
    ]
    again = [
        f
        for f in facts.files
        if f.table in chosen and (f.key in gone or (f.outcome == REFUSED and shelf.found.get(f.key) is None))
    ]
    groups = load_groups(flow, shelf, files) or [[]]
    journal.drained += len(files)
    for number, group in enumerate(groups):
        first = number == 0
        loader = Loader(flow, shelf, facts if first else flow.destination.facts(flow.pipeline), bench, {})
        forget = sorted(chosen) if first else None
        outcome = loader.load(group, forget, again if first else (), keep_state=True)
        journal.outcomes.append(outcome)
        if outcome.error is not None:
            return


def _whole(facts: Facts, table: str) -> str:
    known = facts.tables.get(table)
    return (part_of(known) if known is not None else None) or table
