"""Quarantine files that change when a load commits: staged before it, put in place after it.

A staged file lies under the load that made it. After a kill in between, the next run asks the
ledger: what a committed load staged takes its place, all else is removed. So the quarantine always
comes to agree with the tables. An empty staged file says that no row of its file is set aside now.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from penstock.layers import PRIVATE, quarantined_rows_key
from penstock.ledger import Facts
from penstock.ports import Store
from penstock.run.flow import Flow
from penstock.run.rejects import RejectFile

STAGED = f"{PRIVATE}staged/"


class Quarantining(Protocol):
    """What sets rows aside: its folder in the quarantine."""

    @property
    def dataset(self) -> str:
        """The folder below which its rows lie."""
        ...

    @property
    def quarantine(self) -> Store:
        """Where they lie."""
        ...


def stage(flow: Quarantining, load_id: str, key: str, rejects: RejectFile | None, *, replaces: bool) -> bool:
    """Stage the quarantined rows of a file; whether anything is to be put in place.

    `replaces` says that rows of the file may be in quarantine already.
    """
    staged = _staged_key(load_id, key)
    if rejects is not None and rejects.rows:
        rejects.publish(flow.quarantine, staged)
        return True
    if replaces and flow.quarantine.stat(quarantined_rows_key(key)) is not None:
        flow.quarantine.create(staged, b"")
        return True
    return False


def put_in_place(flow: Quarantining, load_id: str, key: str) -> None:
    """Put what a committed load staged in place of what was there; nothing happens if it is gone."""
    staged, name = _staged_key(load_id, key), quarantined_rows_key(key)
    stat = flow.quarantine.stat(staged)
    if stat is None:
        return
    flow.quarantine.delete(name)
    if stat.size_bytes:
        flow.quarantine.adopt(flow.quarantine, staged, name)
    flow.quarantine.delete(staged)


def recover(flow: Flow, facts: Facts) -> None:
    """Finish what a killed run had staged. Called with the pipeline's lock held."""
    finish(flow, {(f.load_id, f.key) for f in facts.files})


def finish(flow: Quarantining, committed: Collection[tuple[str, str]]) -> None:
    """Put in place what was staged for `committed` loads and keys, and remove all else."""
    for stat in list(flow.quarantine.list(f"{STAGED}{flow.dataset}/")):
        name, _, load_id = stat.key.removeprefix(STAGED).rpartition("/")
        key = name.removesuffix(quarantined_rows_key(""))
        if (load_id, key) in committed:
            put_in_place(flow, load_id, key)
        else:
            flow.quarantine.delete(stat.key)


def _staged_key(load_id: str, key: str) -> str:
    return f"{STAGED}{quarantined_rows_key(key)}/{load_id}"
