"""Files in a folder or bucket as a source: each version of each file is taken once.

A file is known by its address, size and version (`etag`), not by its clock, so a file that turns up
late or with a wrong time is taken all the same. A file that may still be written, because it is
young or changes while it is looked at, is left for the next run.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO, cast

from penstock.errors import StoreError
from penstock.ports import Offer, Stat, Store

MODIFIED_DATE = "modified_date"
_WILD = re.compile(r"[*?\[{]")
_COMPRESSED = ("gz", "zst")


@dataclass(frozen=True, slots=True)
class FilesystemOptions:
    """Which files are taken. `tables` maps a table to a glob relative to the store.

    `incremental` is `identity`, or `modified_date`: then files older than the newest one ever
    taken are passed over too. `extensions` gives the extension for files of a table that have
    none of their own. Units: `min_age_s` in seconds.
    """

    tables: Mapping[str, str]
    incremental: str = "identity"
    min_age_s: float = 1.0
    extensions: Mapping[str, str] | None = None


class FilesystemSource:
    """The files of a store that match a table's glob."""

    def __init__(
        self,
        store: Store,
        options: FilesystemOptions,
        now: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._store = store
        self._options = options
        self._now = now
        self._sleep = sleep
        self._left = False

    def offers(self, taken: frozenset[str], state: str | None) -> Sequence[Offer]:
        """The files that were not taken yet, oldest first; waits at most `min_age_s` for young ones."""
        cursor = json.loads(state).get(MODIFIED_DATE) if state else None
        if self._options.incremental != MODIFIED_DATE:
            cursor = None
        found = [
            offer
            for table, stat in self._matching()
            if (offer := self._offer(table, stat)).identity not in taken
            and (cursor is None or stat.modified_at >= cursor)
        ]
        return sorted(self._settled(found), key=lambda o: (o.modified_at, o.origin))

    def open(self, offer: Offer) -> BinaryIO:
        """The bytes of an offered file. Reading to the end raises StoreError if it is another by then."""
        key = self._key(offer)
        return cast(BinaryIO, _Watched(self._store.open(key), partial(self._check, offer, key)))

    def _check(self, offer: Offer, key: str) -> None:
        """A file that is gone by now was read whole; one that is another may be a mix of the two."""
        stat = self._store.stat(key)
        if stat is not None and self._offer(offer.table, stat).identity != offer.identity:
            raise StoreError(
                "a source file changed while it was read",
                where=offer.origin,
                hint="run again when it is complete; a greater `min_age_s` leaves young files alone longer",
            )

    def state(self, taken: Sequence[Offer], state: str | None) -> str | None:
        """The newest modification time taken so far; None unless the source goes by it."""
        if self._options.incremental != MODIFIED_DATE:
            return None
        times = [offer.modified_at for offer in taken]
        if state and (before := json.loads(state).get(MODIFIED_DATE)) is not None:
            times.append(before)
        return json.dumps({MODIFIED_DATE: max(times)}) if times else state

    def fingerprint(self) -> str | None:
        """A digest of all matching files; None while one is so young that it may still be written."""
        digest = hashlib.sha256(repr(self._options).encode())
        for table, stat in sorted(self._matching(), key=lambda found: (found[0], found[1].key)):
            if self._left or abs(self._now() - stat.modified_at) < self._options.min_age_s:
                return None
            digest.update(f"\0{table}\0{stat.key}\0{stat.size_bytes}\0{stat.etag}".encode())
        return digest.hexdigest()

    # ------------------------------------------------------------------------------- inside

    def _matching(self) -> list[tuple[str, Stat]]:
        found: list[tuple[str, Stat]] = []
        for table, glob in self._options.tables.items():
            pattern = glob_pattern(glob)
            stats = self._store.list(fixed_prefix(glob))
            found.extend((table, stat) for stat in stats if pattern.fullmatch(stat.key))
        return found

    def _settled(self, offers: list[Offer]) -> list[Offer]:
        """The offers without those that may still be written."""
        young = [o for o in offers if self._now() - o.modified_at < self._options.min_age_s]
        self._left = False
        if not young:
            return offers
        self._sleep(self._options.min_age_s)
        changed = set()
        for offer in young:
            stat = self._store.stat(self._key(offer))
            if stat is None or self._offer(offer.table, stat) != offer:
                changed.add(offer)
        self._left = bool(changed)
        return [o for o in offers if o not in changed]

    def _offer(self, table: str, stat: Stat) -> Offer:
        origin = f"{self._store.url}/{stat.key}"
        identity = f"{table}|{origin}|{stat.size_bytes}|{stat.etag}"
        return Offer(table, origin, identity, self._extension(table, stat), stat.size_bytes, stat.modified_at)

    def _extension(self, table: str, stat: Stat) -> str:
        parts = stat.key.rpartition("/")[2].split(".")[1:]
        if parts and parts[-1].lower() in _COMPRESSED and len(parts) > 1:
            return ".".join(parts[-2:])
        return parts[-1] if parts else (self._options.extensions or {}).get(table, "data")

    def _key(self, offer: Offer) -> str:
        return offer.origin.removeprefix(f"{self._store.url}/")


class _Watched(io.RawIOBase):
    """A stream that asks, when it comes to its end, whether all is well."""

    def __init__(self, inner: BinaryIO, at_end: Callable[[], None]) -> None:
        self._inner = inner
        self._at_end = at_end

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """As the inner stream."""
        count: int = self._inner.readinto(buffer)  # type: ignore[attr-defined]  # stores' streams have it
        if not count and len(buffer):
            self._at_end()
        return count

    def close(self) -> None:
        """Close the inner stream."""
        self._inner.close()
        super().close()


def fixed_prefix(glob: str) -> str:
    """The folder that every match of a glob lies in: `a/b/` of `a/b/c*/d`."""
    wild = _WILD.search(glob)
    fixed = glob[: wild.start()] if wild else glob
    return fixed[: fixed.rfind("/") + 1]


def glob_pattern(glob: str) -> re.Pattern[str]:
    """A glob as a pattern over keys: `*` and `?` stay within a folder, `**/` goes through any.

    `[abc]`, `[!abc]` and `{one,two}` mean what they mean in a shell.
    """
    out, at = "", 0
    while at < len(glob):
        c = glob[at]
        if glob.startswith("**/", at):
            out, at = out + "(?:[^/]+/)*", at + 3
        elif glob.startswith("**", at):
            out, at = out + ".*", at + 2
        elif c in "*?":
            out, at = out + ("[^/]*" if c == "*" else "[^/]"), at + 1
        elif c == "[" and (end := glob.find("]", at + 2)) > 0:
            inner = glob[at + 1 : end].replace("\\", "\\\\")
            out, at = out + "[" + ("^" + inner[1:] if inner.startswith("!") else inner) + "]", end + 1
        elif c == "{" and (end := glob.find("}", at)) > 0:
            words = glob[at + 1 : end].split(",")
            out, at = out + "(?:" + "|".join(map(re.escape, words)) + ")", end + 1
        else:
            out, at = out + re.escape(c), at + 1
    return re.compile(out, re.DOTALL)
