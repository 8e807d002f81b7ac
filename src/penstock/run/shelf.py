"""The files of a pipeline in land and raw history: what lies there, and how a file moves on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace

import msgspec

from penstock.errors import ConflictError, NotFoundError, StoreError
from penstock.layers import PRIVATE, open_key, open_landing, parse_key, quarantined_file_key, slip_key
from penstock.ledger import Slip, Waiting, landing_order
from penstock.ports import Stat, Store
from penstock.run.flow import Flow
from penstock.schema.hints import Hints, hints_from_json


class Shelf:
    """What lay in the layers of a pipeline at one moment, and moves from there.

    `arriving` counts files that others are perhaps still writing; `unfinished` are the files of
    landings that are being made, or were when their maker was killed, by landing time.
    """

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.arriving = 0
        self.found: dict[str, Waiting] = {}
        self._digest = hashlib.sha256()
        self._lone_slips: set[str] = set()
        self._slips: dict[str, Slip | None] = {}
        self.unfinished: dict[int, list[str]] = {}
        self._look()

    def _look(self) -> None:
        flow = self.flow
        now = flow.now()
        ours = frozenset(stat.key for stat in flow.land.list(f"{PRIVATE}{flow.dataset}/"))
        marks = {key: at for key in ours if (at := open_landing(key, flow.dataset)) is not None}
        self.unfinished = {at: [] for at in marks.values()}
        self._lone_slips.update(ours - marks.keys())
        for stat in self._listed(flow.land):
            self._lone_slips.discard(slip_key(stat.key))
            parts = parse_key(stat.key, flow.dataset)
            if parts and parts.landed_at in self.unfinished and slip_key(stat.key) in ours:
                self.unfinished[parts.landed_at].append(stat.key)
                continue
            if slip_key(stat.key) not in ours and now - stat.modified_at < flow.min_age_s:
                self.arriving += 1
                continue
            self._add(stat, in_land=True)
        for stat in self._listed(flow.raw_hist):
            if (known := self.found.get(stat.key)) is not None:
                self.found[stat.key] = replace(known, in_raw_hist=True)
            else:
                self._add(stat, in_land=False)

    def _listed(self, store: Store) -> Iterator[Stat]:
        stats = sorted(store.list(f"{self.flow.dataset}/"), key=lambda s: s.key)
        self._digest.update(store.url.encode())
        for stat in stats:
            self._digest.update(f"\0{stat.key}\0{stat.size_bytes}\0{stat.etag}".encode())
            yield stat

    def _add(self, stat: Stat, *, in_land: bool) -> None:
        parts = parse_key(stat.key, self.flow.dataset)
        if parts is None:
            return
        landed_at = parts.landed_at if parts.landed_at is not None else int(stat.modified_at)
        self.found[stat.key] = Waiting(
            stat.key, parts.table, landed_at, stat.size_bytes, in_land, not in_land, stat.modified_at
        )

    @property
    def fingerprint(self) -> str | None:
        """A digest of everything that lies there; None while something is still arriving."""
        return None if self.arriving else self._digest.hexdigest()

    def slip(self, waiting: Waiting) -> Slip | None:
        """The slip of a file, or None for a file that others put there."""
        if waiting.key not in self._slips:
            self._slips[waiting.key] = self._read_slip(waiting)
        return self._slips[waiting.key]

    def hints(self, files: Iterable[Waiting]) -> dict[str, Hints]:
        """What the newest file of each table says of it; tables whose files say nothing are left out."""
        found: dict[str, Hints] = {}
        for waiting in sorted(files, key=landing_order):
            slip = self.slip(waiting)
            if slip is not None and slip.hints is not None:
                found[waiting.table] = hints_from_json(slip.hints)
        return found

    def _read_slip(self, waiting: Waiting) -> Slip | None:
        store = self.flow.land if waiting.in_land else self.flow.raw_hist
        try:
            with store.open(slip_key(waiting.key)) as stream:
                return msgspec.json.decode(stream.read(), type=Slip)
        except NotFoundError:
            return None

    # ------------------------------------------------------------------------------------ moves

    def keep(self, key: str, slip: Slip) -> None:
        """Move a file from land to raw history: same key, same bytes, checked, then removed from land.

        Raises: ConflictError when raw history holds other bytes at that key; StoreError when the
        bytes read back are not those that were judged.
        """
        self._adopt(self.flow.raw_hist, key, key, slip.sha256)
        self.flow.raw_hist.replace(slip_key(key), slip_bytes(slip))
        self.clear(key)

    def tidy(self) -> None:
        """Remove slips from land whose file never came or has gone on; a killed run leaves them.

        Called with the pipeline's lock held, because an extract writes the slip before its file.
        """
        for key in sorted(self._lone_slips):
            self.flow.land.delete(key)
        self._lone_slips.clear()

    def abandon(self) -> int:
        """Remove what unfinished landings have left, and their marks; returns how many files went.

        Called with the pipeline's lock held, so whoever made them is gone. The state that they
        would have carried was never kept: what they held is asked for again.
        """
        gone = 0
        for landed_at, keys in self.unfinished.items():
            for key in keys:
                self.flow.land.delete(key)
                self.flow.land.delete(slip_key(key))
                gone += 1
            self.flow.land.delete(open_key(self.flow.dataset, landed_at))
        self.unfinished = {}
        return gone

    def set_aside(self, key: str, slip: Slip) -> None:
        """Copy a refused file to the quarantine, whole. It leaves land when the ledger knows."""
        target = quarantined_file_key(key)
        self._adopt(self.flow.quarantine, key, target, slip.sha256)
        self.flow.quarantine.replace(slip_key(target), slip_bytes(slip))

    def clear(self, key: str) -> None:
        """Remove a file and its slip from land."""
        self.flow.land.delete(key)
        self.flow.land.delete(slip_key(key))

    def _adopt(self, store: Store, key: str, target: str, sha256: str) -> None:
        try:
            found = store.adopt(self.flow.land, key, target).sha256
        except ConflictError:
            found = store.digest(target)
            if found != sha256:
                raise other_bytes(store, target, found, sha256) from None
        except NotFoundError as error:
            raise StoreError(
                "a file left the landing area while it was judged",
                where=f"{self.flow.land.url}/{key}",
                hint="nothing was loaded; run again",
            ) from error
        if found != sha256:
            store.delete(target)  # it came a moment ago, and nothing refers to it
            raise StoreError(
                "the bytes read back are not the bytes that were judged",
                where=f"{store.url}/{target}",
                found=f"SHA-256 {found}",
                expected=f"SHA-256 {sha256}",
                hint="nothing was loaded; check the disk and who writes to the landing area, then run again",
            )


def other_bytes(store: Store, key: str, found: str, expected: str) -> ConflictError:
    """The error for a key of an immutable layer that holds different bytes."""
    return ConflictError(
        "this key holds other bytes already, and what is kept is never changed",
        where=f"{store.url}/{key}",
        found=f"SHA-256 {found}",
        expected=f"SHA-256 {expected}",
        hint="land the file under another name or another file_land_timestamp",
    )


def slip_bytes(slip: Slip) -> bytes:
    """A slip as it is stored."""
    return msgspec.json.format(msgspec.json.encode(asdict(slip)), indent=1) + b"\n"
