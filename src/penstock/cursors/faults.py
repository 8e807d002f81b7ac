"""What can be wrong with cursors, as errors that say where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.errors import RefusedError

if TYPE_CHECKING:
    from penstock.cursors.cursor import Cursor


def place(cursor: Cursor[Any], at: int | None = None) -> str:
    """Where a row is, for messages. `at` counts from 0 in the present page."""
    row = "" if at is None else f", row {cursor.rows + at + 1:,}"
    return f"`{cursor.table}`, cursor `{cursor.path}`{row}"


def refuse_missing(cursor: Cursor[Any], at: int, absent: bool) -> RefusedError:
    """The error for a row without a cursor."""
    return RefusedError(
        f"a row of `{cursor.table}` has no cursor `{cursor.path}`",
        where=place(cursor, at),
        found="no such field" if absent else "null",
        hint='set `on_cursor_value_missing` to "include" or "exclude"; a name with a dot in it is '
        "written ['like.this']",
    )


def refuse_mixed(cursor: Cursor[Any], found: object) -> RefusedError:
    """The error for cursor values that cannot be compared with each other or with a bound."""
    bounds = {"start": cursor.start, "end": cursor.end, "last": cursor.last}
    said = ", ".join(f"{name} {_shown(value)}" for name, value in bounds.items() if value is not None)
    return RefusedError(
        f"cursors of `{cursor.table}` cannot be compared with each other",
        where=place(cursor),
        found=f"{_shown(found)}" + (f"; {said}" if said else ""),
        expected="one type for all rows, the initial value and the end value; instants all with or "
        "all without a time zone",
        hint="map the rows to one type, or give `initial_value` and `end_value` as the rows have them",
    )


def refuse_nan(cursor: Cursor[Any], at: int) -> RefusedError:
    """The error for a cursor that is not a number, which has no place in any order."""
    return RefusedError(
        f"a cursor of `{cursor.table}` is NaN",
        where=place(cursor, at),
        found="NaN",
        hint="filter such rows out first",
    )


def refuse_order(cursor: Cursor[Any], found: object) -> RefusedError:
    """The error for a row that comes after one that is beyond it, although the order was promised."""
    return RefusedError(
        f"rows of `{cursor.table}` are not in ascending order, although row_order='asc' says so",
        where=place(cursor),
        found=f"{_shown(found)} after {_shown(cursor.saved)}",
        hint="sort them at the source, or leave `row_order` out",
    )


def refuse_overflow(cursor: Cursor[Any]) -> RefusedError:
    """The error for more rows at the last value than are remembered."""
    return RefusedError(
        f"more than {cursor.limit:,} rows of `{cursor.table}` have the same last cursor",
        where=place(cursor),
        found=f"{_shown(cursor.last)} in all of them",
        expected=f"at most {cursor.limit:,}, which the next run must know to tell new rows from old",
        hint="if no row comes late with a value that was seen, set range_start='open'; if the table is "
        "merged by key, set primary_key=() and let the merge drop what is read twice; or choose a "
        "finer cursor",
    )


def _shown(value: object) -> str:
    text = repr(value)
    return f"{text if len(text) <= 80 else text[:77] + '...'} ({type(value).__qualname__})"
