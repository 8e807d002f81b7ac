"""Where a run stands: which cursor values are of interest, which rows were seen, what to remember.

Two things never happen: a row is lost, or it is given twice without a word. A range is closed at its
start, because rows may have come late with the very value where the last run stopped; those that it
saw are told by digests, of rows that have the last value and no others. More than `limit` of these
are not kept: the run is refused, and its state stays where it was.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, Protocol, TypeVar

from penstock.cursors.faults import refuse_order

BOUNDARY_LIMIT = 10_000
Missing = Literal["raise", "include", "exclude"]
Compare = Callable[[Any, Any], Any]  # Any: a cursor value has whatever type the user's rows have
M = TypeVar("M")


class Values(Protocol[M]):
    """The cursor values of one page of rows, none of them null. `M` is its kind of mask over the rows."""

    def extremes(self, mask: M | None = None) -> tuple[Any, Any] | None:
        """The smallest and largest value, or None if there are no rows."""
        ...

    def mask(self, compare: Compare, bound: Any) -> M:
        """Which rows compare so with `bound`."""
        ...

    def both(self, one: M | None, other: M) -> M:
        """The rows of both masks."""
        ...

    def at(self, value: Any, mask: M | None) -> Sequence[int]:
        """The positions of the rows in the mask that have this value."""
        ...

    def digests(self, positions: Sequence[int]) -> list[bytes]:
        """The digests of the rows at these positions."""
        ...

    def without(self, mask: M | None, positions: Sequence[int]) -> M:
        """The mask less these positions."""
        ...


@dataclass(slots=True)
class Boundary:
    """The rows that have the last value: their digests, as long as they are not too many."""

    limit: int
    digests: set[bytes] = field(default_factory=set)
    over: bool = False

    def add(self, values: Values[M], positions: Sequence[int]) -> None:
        """Remember rows. Past the limit none are looked at any more."""
        for start in range(0, len(positions), self.limit + 1):
            if self.over:
                return
            self.digests.update(values.digests(positions[start : start + self.limit + 1]))
            if len(self.digests) > self.limit:
                self.over = True
                self.digests.clear()


@dataclass(slots=True)
class Cursor(Generic[M]):
    """A run's range, and where it has come to. `rows` counts those it was asked about.

    `saved` is the last value that was written down before the end, on the promise that no row behind
    it is still to come.
    """

    table: str
    path: str
    func: Callable[[Sequence[Any]], Any]  # Any: cursor values, here and below
    start: Any
    end: Any
    last: Any
    seen: frozenset[bytes]
    start_closed: bool = True
    end_closed: bool = False
    dedup: bool = True
    key: tuple[str, ...] | None = None
    missing: Missing = "raise"
    limit: int = BOUNDARY_LIMIT
    saved: Any = None
    rows: int = 0
    moved: bool = False
    passed_end: bool = False
    before_start: bool = False
    boundary: Boundary = field(init=False)

    def __post_init__(self) -> None:
        self.boundary = Boundary(self.limit, set(self.seen))

    def admit(self, values: Values[M]) -> M | None:
        """Which rows are inside of the range and new; None: all of them.

        The function is `max` or `min`. Raises: TypeError if values cannot be compared; RefusedError if
        one is behind what was saved.
        """
        falling = self.func is min
        found = values.extremes()
        if found is None:
            return None
        low, high = found
        first, best = (high, low) if falling else (low, high)
        ahead = operator.lt if falling else operator.gt
        mask: M | None = None
        if self.end is not None and (ahead(best, self.end) or (best == self.end and not self.end_closed)):
            self.passed_end = True
            closed, strict = (operator.ge, operator.gt) if falling else (operator.le, operator.lt)
            mask = values.mask(closed if self.end_closed else strict, self.end)
        if self.start is not None and not ahead(first, self.start):
            mask = self._after_start(values, mask, first)
        self._move(values, mask, first, best)
        return mask

    def _after_start(self, values: Values[M], mask: M | None, first: Any) -> M | None:
        falling = self.func is min
        if first != self.start or not self.start_closed:
            self.before_start = True
            closed, strict = (operator.le, operator.lt) if falling else (operator.ge, operator.gt)
            mask = values.both(mask, values.mask(closed if self.start_closed else strict, self.start))
        if self.dedup and self.seen:
            again = values.at(self.start, mask)
            known = [p for p, d in zip(again, values.digests(again), strict=True) if d in self.seen]
            if known:
                mask = values.without(mask, known)
        return mask

    def _move(self, values: Values[M], mask: M | None, first: Any, best: Any) -> None:
        falling = self.func is min
        if mask is not None:
            found = values.extremes(mask)
            if found is None:
                return
            best, first = found if falling else found[::-1]
        ahead = operator.lt if falling else operator.gt
        if self.saved is not None and ahead(self.saved, first):
            raise refuse_order(self, first)
        if self.last is None or ahead(best, self.last):
            self.last, self.moved = best, True
            self.boundary = Boundary(self.limit)
        elif best != self.last:
            return
        if self.dedup:
            self.moved = True
            self.boundary.add(values, values.at(best, mask))

    def admit_each(self, found: Sequence[Any], values: Values[M]) -> list[bool]:
        """The same for any function, asked value by value in the order of the rows.

        Source: dlt, whose functions get `(value,)` or `(value, last)` and may give back another kind
        of value, such as the last one of each group.
        """
        return [self._admit_one(value, at, values) for at, value in enumerate(found)]

    def _admit_one(self, value: Any, at: int, values: Values[M]) -> bool:
        func, own = self.func, self.func((value,))
        if self.end is not None and (
            func((value, self.end)) != self.end or (own == self.end and not self.end_closed)
        ):
            self.passed_end = True
            return False
        new = own if self.last is None else func((value, self.last))
        if self.last is None or new != self.last:
            self.last, self.moved = new, True
            self.boundary = Boundary(self.limit)
            if self.dedup:
                self.boundary.add(values, [at])
            return True
        if self.start is not None and func((value, self.start)) == self.start:
            if own != self.start or not self.start_closed:
                self.before_start = True
                return False
            if self.dedup and self.seen and values.digests([at])[0] in self.seen:
                return False
        if self.dedup and own == self.last:
            self.moved = True
            self.boundary.add(values, [at])
        return True
