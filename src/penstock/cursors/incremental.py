"""Incremental loading: read what is new since the last run, each row once.

@ps.resource(primary_key="id")
def releases(published_at=ps.incremental("published_at", initial_value="2024-01-01")):
    yield from pages(since=published_at.last_value)
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Self, TypeVar, get_args

from penstock.cursors.bounds import End, LastValueFunc, Order, check, follow, function, upward
from penstock.cursors.cursor import BOUNDARY_LIMIT, Cursor, Missing
from penstock.cursors.faults import place, refuse_overflow
from penstock.cursors.lag import Lag, step_back
from penstock.cursors.range import Range
from penstock.cursors.rows import filter_rows
from penstock.cursors.value import decode, decode_digests, encode, encode_digests
from penstock.errors import RefusedError
from penstock.schema.jsonpath import JsonPath, parse_path

T = TypeVar("T")
KEPT: ContextVar[Callable[[str, str], Mapping[str, Any]]] = ContextVar(
    "penstock_cursors", default=lambda _resource, _path: {}
)
"""The state of a cursor of the source that runs, by its resource and path; empty if there is none."""
PARAMETERS = (
    "cursor_path",
    "initial_value",
    "last_value_func",
    "primary_key",
    "end_value",
    "row_order",
    "allow_external_schedulers",
    "on_cursor_value_missing",
    "lag",
    "range_start",
    "range_end",
)


@dataclass(slots=True)
class _Run:
    """What a bound copy has of its run."""

    cursor: Cursor[Any]
    path: JsonPath
    state: dict[str, Any] | None  # None: the run keeps no state


class Incremental(Generic[T]):
    """A cursor: which rows are new, and what to remember of them.

    Rows from the last value on are read again and again (`range_start="closed"`), because more may
    have come with that value; those that were given before are dropped: told by `primary_key`, or
    without one (None, and the resource has none) by the whole row. `primary_key=()` gives them
    again. Digests of at most `boundary_limit` rows are kept: `finish` refuses more, rather than lose
    a row or give one twice. `range_start="open"` reads what is strictly beyond and keeps none.

    - `cursor_path` is a path into the row (`$.meta.ts`, `items[0].at`), for Arrow a column or field.
    - `last_value_func` is `max`, `min` or any function of `(value,)` and `(value, last)`.
    - `end_value` makes the range fixed and the run stateless: state is neither read nor written.
    - `row_order` is a promise about the rows, in the order of the function ("asc": towards the last
      value); `stop` tells when no more of interest can come.
    - `lag` begins so far before the last value, not before `initial_value`. Rows of that window are
      given again by design, so load them with a merge; none is dropped as seen.
      Units: seconds for instants, days for dates, else the number itself; or a timedelta.
    - `on_cursor_value_missing` says what becomes of rows whose cursor is null or not there.
    - `allow_external_schedulers` takes a fixed range from PENSTOCK_INTERVAL_START and _END, or from
      Airflow's data interval, cut to `initial_value` and `end_value`; without either, as usual.

    Values are compared as they are, never converted. If keys change between runs, or an open range
    becomes closed, what was given at the last value cannot be told, and is given once more.
    """

    boundary_limit: ClassVar[int] = BOUNDARY_LIMIT
    _given: frozenset[str] = frozenset()
    _run: _Run | None = None

    def __new__(cls, *args: Any, **parameters: Any) -> Self:
        """An object that knows which parameters were given, for `merge`."""
        made = super().__new__(cls)
        named = {**dict(zip(PARAMETERS, args, strict=False)), **parameters}
        made._given = frozenset(name for name, value in named.items() if value is not None)
        return made

    def __init__(
        self,
        cursor_path: str = "",
        initial_value: T | None = None,
        last_value_func: LastValueFunc | str | None = max,
        primary_key: str | Sequence[str] | None = None,
        end_value: T | None = None,
        row_order: Order | None = None,
        allow_external_schedulers: bool = False,
        on_cursor_value_missing: Missing = "raise",
        lag: Lag | None = None,
        range_start: End = "closed",
        range_end: End = "open",
    ) -> None:
        self.cursor_path = cursor_path
        self.initial_value = initial_value
        self.last_value_func: LastValueFunc = function(last_value_func)
        self.primary_key = (primary_key,) if isinstance(primary_key, str) else _tuple(primary_key)
        self.end_value = end_value
        self.row_order = row_order
        self.allow_external_schedulers = allow_external_schedulers
        self.on_cursor_value_missing: Missing = on_cursor_value_missing
        self.lag = lag
        self.range_start = range_start
        self.range_end = range_end
        check(self)

    @classmethod
    def from_existing_state(cls, resource_name: str, cursor_path: str) -> Self:
        """The cursor of another resource of the source that runs now, as the last run or this one left it.

        It reads: what it is asked for moves nothing. Raises: RefusedError if there is no such state.
        """
        kept = KEPT.get()(resource_name, cursor_path)
        if "last_value" not in kept:
            raise RefusedError(
                f"the resource `{resource_name}` has no state of a cursor `{cursor_path}`",
                hint="ask inside of the function of a resource of the same source, when that one has run",
            )
        made = cls(cursor_path, decode(kept["initial_value"]))
        made._run = made.bind(resource_name, dict(kept))._run
        return made

    # ------------------------------------------------------------------------------ before a run

    def merge(self, other: Incremental[T]) -> Incremental[T]:
        """A new one with the parameters of this and, where they were given, those of `other`."""
        merged = self._unbound()
        for name in other._given:
            setattr(merged, name, getattr(other, name))
        merged._given = self._given | other._given
        if hasattr(other, "__orig_class__"):
            merged.__dict__["__orig_class__"] = other.__dict__["__orig_class__"]
        check(merged)
        return merged

    def window(self, start: T, end: T) -> Incremental[T]:
        """A stateless copy over [start, end), for a backfill; with `min` too, `start` is the lower."""
        made = self._unbound()
        upward(made)
        made.initial_value, made.end_value = start, end
        made.range_start, made.range_end = "closed", "open"
        made.lag, made.allow_external_schedulers = None, False
        made._given = frozenset(PARAMETERS)
        check(made)
        return made

    def bind(
        self,
        name: str,
        state: dict[str, Any],
        primary_key: tuple[str, ...] = (),
        environ: Mapping[str, str] | None = None,
    ) -> Incremental[T]:
        """A run's own copy, which begins where `state` says the last run ended.

        `name` is the resource's, for messages. `state` belongs to this cursor alone and is written by
        `finish`. `primary_key` is the resource's, used if this has none. `environ` is the environment
        (default: the process's). Raises: RefusedError; ProjectError for a bad interval.
        """
        if not self.cursor_path:
            raise RefusedError(f"the incremental of `{name}` has no `cursor_path`")
        bound = self._unbound()
        if self.allow_external_schedulers:
            follow(bound, name, bound._type(), os.environ if environ is None else environ)
        key = bound.primary_key if bound.primary_key is not None else primary_key or None
        stateless = bound.end_value is not None
        said = {} if stateless else state
        last = decode(said["last_value"]) if "last_value" in said else bound.initial_value
        start, lagged = last, bool(bound.lag) and not stateless and last is not None
        if lagged:
            start = bound._lagged(last)
        known = said.get("key", None) == (list(key) if key else None)
        cursor: Cursor[Any] = Cursor(
            table=name,
            path=self.cursor_path,
            func=bound.last_value_func,
            start=start,
            end=bound.end_value,
            last=last,
            seen=decode_digests(said.get("seen", "")) if known else frozenset(),
            start_closed=self.range_start == "closed",
            end_closed=self.range_end == "closed",
            dedup=not (stateless or bound.lag or self.range_start == "open" or key == ()),
            key=key,
            missing=self.on_cursor_value_missing,
            limit=self.boundary_limit,
        )
        bound._run = _Run(cursor, parse_path(self.cursor_path), None if stateless else state)
        return bound

    # ------------------------------------------------------------------------------- during a run

    @property
    def start_value(self) -> T | None:
        """Where this run begins, less the lag; the same until it ends."""
        return self._run.cursor.start if self._run else self.initial_value

    @property
    def last_value(self) -> T | None:
        """Where this run has come to, less the lag; `start_value` before the first row."""
        if self._run is None:
            return self.initial_value
        cursor = self._run.cursor
        if not cursor.moved:
            return self.start_value
        lagged: T = self._lagged(cursor.last) if self.lag and self.end_value is None else cursor.last
        return lagged

    @property
    def stop(self) -> bool:
        """Whether `row_order` says that nothing more of interest can come."""
        if self.row_order is None:
            return False
        return self.end_out_of_range if self.row_order == "asc" else self.start_out_of_range

    @property
    def start_out_of_range(self) -> bool:
        """Whether a row came that is before the start."""
        return self._run is not None and self._run.cursor.before_start

    @property
    def end_out_of_range(self) -> bool:
        """Whether a row came that is past the end."""
        return self._run is not None and self._run.cursor.passed_end

    @property
    def resumable(self) -> bool:
        """Whether `finish` may be called before the end: only if the rows come in ascending order."""
        ordered = self.row_order == "asc" and self.last_value_func in (max, min)
        return ordered and self._run is not None and self._run.state is not None

    def apply(self, data: Any) -> Any:
        """The rows of a page that are in the range and new: a list of mappings, a table or a batch.

        The kind of data and the order of rows stay. Pages of many rows are much cheaper than single
        rows. Not for several threads at once.
        Raises: RefusedError for rows without a cursor, and for cursors that cannot be compared.
        """
        # Any: pyarrow is not imported for those who have no Arrow data
        run = self._bound()
        if type(data).__module__.partition(".")[0] == "pyarrow":
            from penstock.cursors.arrow import filter_arrow

            return filter_arrow(run.cursor, run.path, data)
        if not isinstance(data, list | tuple):
            raise RefusedError(
                f"`{run.cursor.table}` gave what has no cursors",
                where=place(run.cursor),
                found=type(data).__qualname__,
                expected="a list of mappings, an Arrow table or record batch",
            )
        return filter_rows(run.cursor, run.path, data)

    def finish(self) -> None:
        """Write where this run has come to into its state.

        Every row up to here must have been given: call it at the end, or in between if `resumable`
        (a later row that is behind is then refused), and not if the source was left before its end.
        Raises: RefusedError if more rows have the last value than can be remembered; the state is
        then as it was.
        """
        run = self._bound()
        cursor = run.cursor
        if run.state is None or not cursor.moved:
            return
        if cursor.boundary.over:
            raise refuse_overflow(cursor)
        run.state.update(
            initial_value=encode(self.initial_value),
            last_value=encode(cursor.last),
            seen=encode_digests(cursor.boundary.digests) if cursor.dedup else "",
            key=list(cursor.key) if cursor.key else None,
        )
        cursor.saved = cursor.last if self.resumable else None

    def predicate(self) -> Range:
        """What to ask the source for, in the terms of its own columns."""
        func = self.last_value_func
        start, end = self.start_value, self.end_value
        bounds: tuple[Any, Any, bool, bool] = (
            start, end, self.range_start == "closed", self.range_end == "closed"
        )  # fmt: skip
        if func is min:
            bounds = (bounds[1], bounds[0], bounds[3], bounds[2])
        elif func is not max:
            bounds = (None, None, False, False)
        column = parse_path(self.cursor_path).name if self.cursor_path else None
        return Range(*bounds, column=column, nulls=self.on_cursor_value_missing != "exclude")

    # ------------------------------------------------------------------------------------- inside

    def _type(self) -> type | None:
        """The type that was said, as in `incremental[datetime](...)`."""
        said = get_args(self.__dict__.get("__orig_class__"))
        return said[0] if said and isinstance(said[0], type) else None

    def _lagged(self, last: Any) -> Any:
        falling, initial = self.last_value_func is min, self.initial_value
        try:
            return step_back(last, self.lag or 0, falling=falling, initial=initial, declared=self._type())
        except TypeError as error:
            raise RefusedError(
                f"the last value of `{self.cursor_path}` cannot be compared with its initial value",
                found=f"{last!r} and {initial!r}",
                hint="give `initial_value` in the type that the rows have",
            ) from error

    def _unbound(self) -> Self:
        made = copy.copy(self)
        made._run = None
        return made

    def _bound(self) -> _Run:
        if self._run is None:
            raise RefusedError(
                f"the incremental on `{self.cursor_path}` belongs to no run",
                hint="use the one that the resource's function gets, inside of a run",
            )
        return self._run


def _tuple(said: Sequence[str] | None) -> tuple[str, ...] | None:
    if callable(said):
        raise RefusedError(
            "the `primary_key` of an incremental is a function",
            expected="names of columns, the same for all rows",
            hint="leave it out: without a key, rows are told apart by all of their values",
        )
    return None if said is None else tuple(said)


incremental = Incremental
