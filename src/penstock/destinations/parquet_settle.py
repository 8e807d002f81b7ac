"""Bringing files to where the commit log says they are, whatever a killed run left undone.

All of it may be done any number of times. Called with the lock held.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable

from penstock.destinations.parquet_log import STAGING, Entry, Part, Snapshot, write_entry
from penstock.errors import ConflictError, LockHeldError, StoreError
from penstock.ports import Store

_REMOVED = "removed.json"
_log = logging.getLogger(__name__)


def note_removed(store: Store, load_id: str, keys: Iterable[str]) -> None:
    """Write down which parts a load takes away, before it is committed."""
    store.replace(f"{STAGING}{load_id}/{_REMOVED}", json.dumps(list(keys)).encode())


def move_in(store: Store, parts: Iterable[Part]) -> None:
    """Move staged parts to their final place. Raises: StoreError; ConflictError for foreign bytes."""
    for part in parts:
        try:
            digest = store.adopt(store, part.staged, part.key).sha256
        except ConflictError:
            digest = store.digest(part.key)  # a killed run had moved it already
        if digest != part.sha256:
            raise StoreError(
                "a part is not what was written",
                where=f"{store.url}/{part.key}",
                found=f"SHA-256 {digest}",
                expected=f"SHA-256 {part.sha256}",
                hint="rebuild the table from raw history: penstock rebuild",
            )
        store.delete(part.staged)


def clear_removed(store: Store, load_id: str) -> None:
    """Delete the parts that a committed load took away, then the note about them."""
    note = f"{STAGING}{load_id}/{_REMOVED}"
    if store.stat(note) is None:
        return
    with store.open(note) as stream:
        keys = json.loads(stream.read())
    for key in keys:
        store.delete(key)
    store.delete(note)


def settle(store: Store, snapshot: Snapshot) -> None:
    """Finish what committed loads left undone, and sweep what uncommitted ones left behind.

    Before anything is swept, a fence goes into the log: a writer that is believed dead and is not
    can then no longer commit what was swept.
    """
    staged = [stat.key for stat in store.list(STAGING)]
    if not staged:
        return
    parts = {part.staged: part for part in snapshot.parts.values()}
    committed = {load.load_id for load in snapshot.loads}
    move_in(store, [parts[key] for key in staged if key in parts])
    orphans = []
    for key in staged:
        load_id, _, name = key.removeprefix(STAGING).partition("/")
        if load_id not in committed:
            orphans.append(key)
        elif name == _REMOVED:
            clear_removed(store, load_id)
        elif key not in parts:
            store.delete(key)
    if orphans:
        _log.info("sweeping %d files of loads that never ended", len(orphans))
        _fence(store, snapshot)
        for key in orphans:
            store.delete(key)


def _fence(store: Store, snapshot: Snapshot) -> None:
    fence = Entry(snapshot.sequence + 1)
    try:
        write_entry(store, fence)
    except ConflictError:
        raise LockHeldError(
            "another run committed while this one began",
            where=store.url,
            hint="nothing was lost; run again",
        ) from None
    snapshot.apply(fence)
