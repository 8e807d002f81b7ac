"""A lock in an object store, where nothing is released when a process dies.

The lock is an object with an expiry that its holder renews; one that was not renewed in time may be
taken over. Clocks may be wrong and a holder may only have been asleep, so the lock saves work and
explains; what keeps two writers apart is the commit log, where one of them loses.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from penstock.destinations.flock import describe
from penstock.errors import ConflictError, LockHeldError, NotFoundError, OutsideError, StoreError
from penstock.ports import Store

LOCK = "_penstock/lock.json"
LEASE_S = 60.0
_log = logging.getLogger(__name__)


class Lease:
    """A lock that is held. Units: `lease_s` in seconds; it is renewed four times in that span."""

    def __init__(self, store: Store, holder: str, lease_s: float) -> None:
        since = datetime.now(UTC).isoformat(timespec="seconds")
        self._store = store
        self._lease_s = lease_s
        self._who = {
            "holder": holder,
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": since,
            "token": secrets.token_hex(16),
        }
        self._good_until = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="penstock-lease", daemon=True)

    def check(self) -> None:
        """Raises: LockHeldError when the lock was lost to another run."""
        if time.monotonic() > self._good_until:
            raise LockHeldError(
                "this run was stopped for so long that its lock expired",
                where=holder_of(self._store) or "nobody holds it now",
                hint="nothing of this load was kept; run again",
            )

    def take(self) -> None:
        """Take the lock. Raises: LockHeldError, naming who has it."""
        for _ in range(3):
            started = time.monotonic()
            try:
                self._store.create(LOCK, self._text())
            except ConflictError:
                who = _read(self._store)
                if who is not None and not _expired(who):
                    raise LockHeldError(
                        f"`{self._store.url}` is in use by another run",
                        where=describe(who),
                        hint=f"wait for it; if it was killed, its lock expires in {self._lease_s:.0f} s",
                    ) from None
                self._store.delete(LOCK)
            else:
                self._good_until = started + self._lease_s
                self._thread.start()
                return
        raise LockHeldError(f"`{self._store.url}` is in use by other runs", where="several at once")

    def release(self) -> None:
        """Let go of the lock, if it is still ours."""
        self._stop.set()
        self._thread.join()
        if self._mine():
            self._store.delete(LOCK)

    def _keep(self) -> None:
        while not self._stop.wait(self._lease_s / 4):
            started = time.monotonic()
            try:
                if not self._mine():
                    self._good_until = 0.0
                    return
                self._store.replace(LOCK, self._text())
                self._good_until = started + self._lease_s
            except OutsideError:
                continue  # it is good for a while yet; `check` tells when it is not

    def _mine(self) -> bool:
        who = _read(self._store)
        return who is not None and who.get("token") == self._who["token"]

    def _text(self) -> bytes:
        return json.dumps(self._who | {"expires_at": time.time() + self._lease_s}).encode()


@contextmanager
def hold(store: Store, holder: str, lease_s: float = LEASE_S) -> Iterator[Lease]:
    """Hold the lock of a store while the block runs. Raises: LockHeldError, naming who has it."""
    lease = Lease(store, holder, lease_s)
    lease.take()
    try:
        yield lease
    finally:
        try:
            lease.release()
        except OutsideError as error:
            _log.warning("the lock could not be removed; it expires by itself: %s", error.what)


def holder_of(store: Store) -> str | None:
    """Who holds the lock of a store, or None."""
    who = _read(store)
    return None if who is None or _expired(who) else describe(who)


def _read(store: Store, tries: int = 3) -> dict[str, object] | None:
    """Who is written in the lock: None if there is none, empty if it says nothing of use."""
    try:
        with store.open(LOCK) as stream:
            who = json.loads(stream.read())
    except NotFoundError:
        return None
    except ValueError:
        return {}
    except StoreError:
        if tries == 0:
            raise
        return _read(store, tries - 1)  # it was renewed while it was read
    return who if isinstance(who, dict) and "expires_at" in who else {}


def _expired(who: dict[str, object]) -> bool:
    expires = who.get("expires_at")
    return not isinstance(expires, int | float) or expires < time.time()
