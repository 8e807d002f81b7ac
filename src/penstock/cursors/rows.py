"""A page of rows as a list of mappings, held against the range of a cursor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import compress
from typing import Any

from penstock.cursors.cursor import Compare, Cursor
from penstock.cursors.faults import place, refuse_missing, refuse_mixed, refuse_nan
from penstock.cursors.value import digest
from penstock.errors import RefusedError
from penstock.schema.jsonpath import MISSING, JsonPath

Row = Mapping[str, Any]  # Any: rows are JSON-like, of any depth
_ORDERED = frozenset({int, bool, str, bytes, datetime, date})
_ABSENT = frozenset({type(None), type(MISSING)})


def filter_rows(cursor: Cursor[list[bool]], path: JsonPath, rows: Sequence[Row]) -> Sequence[Row]:
    """The rows that are inside of the range and new, in their order; `rows` itself if all are.

    Raises: RefusedError for a row without a cursor, and for cursors that have no order.
    """
    found = _cursors(path, rows)
    kinds = set(map(type, found))
    valid: list[bool] | None = None
    if not kinds.isdisjoint(_ABSENT):
        valid = [value is not None and value is not MISSING for value in found]
        if cursor.missing == "raise":
            at = valid.index(False)
            raise refuse_missing(cursor, at, absent=found[at] is MISSING)
    if not kinds <= _ORDERED:
        _check_nan(cursor, found)
    some = rows if valid is None else list(compress(rows, valid))
    values = Listed(
        found if valid is None else list(compress(found, valid)),
        lambda positions: [row_digest(cursor, some[at]) for at in positions],
    )
    mask = admit_listed(cursor, values)
    cursor.rows += len(rows)
    if valid is not None:
        mask = _spread(mask, valid, others=cursor.missing == "include")
    return rows if mask is None else list(compress(rows, mask))


def admit_listed(cursor: Cursor[list[bool]], values: Listed) -> list[bool] | None:
    """Which of the values are admitted; None: all. Raises: RefusedError if they have no order."""
    try:
        if cursor.func is max or cursor.func is min:
            return cursor.admit(values)
        return cursor.admit_each(values.found, values)
    except TypeError as error:
        bounds = [value for value in (cursor.start, cursor.end) if value is not None]
        odd = (v for v in values.found if type(v) is not type((bounds or values.found)[0]))
        raise refuse_mixed(cursor, next(odd, values.found[0])) from error


def row_digest(cursor: Cursor[Any], row: Row) -> bytes:
    """The digest of a row's key, or of all of it. Raises: RefusedError if the key is not there."""
    if not cursor.key:
        return digest(row)
    try:
        return digest([row[name] for name in cursor.key])
    except KeyError as error:
        raise RefusedError(
            f"a row of `{cursor.table}` has no `{error.args[0]}`, which is of its primary key",
            where=place(cursor),
            found=f"fields {', '.join(map(str, row))}",
            hint="primary_key=() does without telling rows apart that have the same cursor",
        ) from error


def _cursors(path: JsonPath, rows: Sequence[Row]) -> list[Any]:  # Any: cursor values
    steps = path.steps
    if len(steps) != 1 or not isinstance(name := steps[0], str):
        return [path.first(row) for row in rows]
    try:
        return [row[name] for row in rows]
    except KeyError:
        return [row.get(name, MISSING) for row in rows]


def _check_nan(cursor: Cursor[Any], found: Sequence[Any]) -> None:
    for at, value in enumerate(found):
        if value != value:
            raise refuse_nan(cursor, at)


def _spread(mask: list[bool] | None, valid: list[bool], others: bool) -> list[bool]:
    """A mask over the valid rows as one over all of them, with `others` for the rest."""
    admitted = iter(mask if mask is not None else [True] * len(valid))
    return [next(admitted) if is_valid else others for is_valid in valid]


@dataclass(slots=True)
class Listed:
    """Values in a list, with a way to the digests of their rows. Its masks are lists of bool."""

    found: Sequence[Any]
    digest_at: Callable[[Sequence[int]], list[bytes]]

    def extremes(self, mask: list[bool] | None = None) -> tuple[Any, Any] | None:
        """The smallest and largest value, or None if there are no rows."""
        found = self.found if mask is None else list(compress(self.found, mask))
        return (min(found), max(found)) if found else None

    def mask(self, compare: Compare, bound: Any) -> list[bool]:
        """Which rows compare so with `bound`."""
        return [compare(value, bound) for value in self.found]

    def both(self, one: list[bool] | None, other: list[bool]) -> list[bool]:
        """The rows of both masks."""
        return other if one is None else [a and b for a, b in zip(one, other, strict=True)]

    def at(self, value: Any, mask: list[bool] | None) -> list[int]:
        """The positions of the rows in the mask that have this value."""
        positions = [at for at, other in enumerate(self.found) if other == value]
        return positions if mask is None else [at for at in positions if mask[at]]

    def digests(self, positions: Sequence[int]) -> list[bytes]:
        """The digests of the rows at these positions."""
        return self.digest_at(positions)

    def without(self, mask: list[bool] | None, positions: Sequence[int]) -> list[bool]:
        """The mask less these positions."""
        mask = [True] * len(self.found) if mask is None else mask
        for at in positions:
            mask[at] = False
        return mask
