"""Data that others put straight into the landing area: the drain takes it, nothing is extracted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

from penstock.errors import BugError
from penstock.ports import Offer


class LandSource:
    """Offers nothing of its own."""

    def offers(self, taken: frozenset[str], state: str | None) -> Sequence[Offer]:  # noqa: ARG002 - the port's
        """Nothing: what lies in land is found by the drain."""
        return ()

    def open(self, offer: Offer) -> BinaryIO:
        """Never called. Raises: BugError."""
        raise BugError("the landing area as a source offers no files", found=offer.origin)

    def state(self, taken: Sequence[Offer], state: str | None) -> str | None:  # noqa: ARG002 - the port's
        """None: the ledger is all the state there is."""
        return None

    def fingerprint(self) -> str | None:
        """Always the same: the layers' own fingerprint tells of new files."""
        return "land"
