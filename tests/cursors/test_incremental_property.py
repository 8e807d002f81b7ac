"""Incremental loading held against small oracles: no row lost, none twice, dicts and Arrow agree."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.cursors.incremental import Incremental

STEADY = settings(derandomize=True, deadline=None, max_examples=100, database=None)
Row = dict[str, Any]
START = datetime(2026, 1, 1, tzinfo=UTC)
KINDS: dict[str, Callable[[int], Any]] = {
    "int": lambda n: n,
    "float": lambda n: n / 2,
    "decimal": lambda n: Decimal(n) / 4,
    "text": lambda n: f"{n:04}",
    "instant": lambda n: START + timedelta(microseconds=n),
    "date": lambda n: date(2026, 1, 1) + timedelta(days=n),
}
SCHEMAS = {
    "int": pa.int32(), "float": pa.float32(), "decimal": pa.decimal128(9, 2), "text": pa.string(),
    "instant": pa.timestamp("us", "UTC"), "date": pa.date32(),
}  # fmt: skip


def table(rows: Sequence[Row], kind: str) -> pa.Table:
    """The rows as a table, whose cursors have the type of `kind`."""
    schema = pa.schema([("id", pa.int64()), ("at", SCHEMAS[kind]), ("note", pa.string())])
    return pa.Table.from_pylist(list(rows), schema)


def run(
    made: Incremental[Any], state: Row, pages: Sequence[Sequence[Row]], form: str, kind: str
) -> list[Row]:
    """What a run gives of the pages, each as a list, a table or a batch; the state goes through JSON."""
    saved = json.loads(json.dumps(state))
    bound = made.bind("t", saved, ("id",) if form != "keyless" else ())
    given: list[Row] = []
    for at, page in enumerate(pages):
        arrow = form == "arrow" or (form == "mixed" and at % 2)
        data: Any = table(page, kind) if arrow else list(page)
        if arrow and at % 3 == 0 and page:
            data = data.combine_chunks().to_batches()[0]
        kept = bound.apply(data)
        assert type(kept) is type(data)
        given += kept.to_pylist() if arrow else kept
    bound.finish()
    state.clear()
    state.update(saved)
    return given


@st.composite
def growing(draw: st.DrawFn) -> list[list[list[tuple[int, int]]]]:
    """Runs of pages of (id, cursor): each run has all rows so far and new ones, none before the last."""
    rows: list[tuple[int, int]] = []
    runs = []
    for _ in range(draw(st.integers(1, 4))):
        top = max((cursor for _, cursor in rows), default=0)
        for step in draw(st.lists(st.integers(0, 2), max_size=6)):
            rows.append((len(rows), top + step))
        mixed = draw(st.permutations(rows))
        cut = draw(st.integers(1, 4))
        runs.append([mixed[i : i + cut] for i in range(0, len(mixed), cut)])
    return runs


@STEADY
@given(
    growing(),
    st.sampled_from(sorted(KINDS)),
    st.sampled_from(["rows", "arrow", "mixed", "keyless"]),
    st.booleans(),
    st.booleans(),
)
def test_every_row_is_given_exactly_once(
    runs: list[list[list[tuple[int, int]]]], kind: str, form: str, falling: bool, pushed: bool
) -> None:
    value = (lambda n: KINDS[kind](500 - n)) if falling else KINDS[kind]
    made: Incremental[Any] = Incremental("at", last_value_func="min" if falling else "max")
    state: Row = {}
    given: list[Row] = []
    for pages in runs:
        rows = [[{"id": i, "at": value(n), "note": "x"} for i, n in page] for page in pages]
        if pushed:  # the source gives only what it was asked for
            asked = made.bind("t", dict(state)).predicate()
            low, high = asked.start, asked.end
            rows = [
                [r for r in page if (low is None or r["at"] >= low) and (high is None or r["at"] <= high)]
                for page in rows
            ]
        given += run(made, state, rows, form, kind)
    everything = {i for page in runs[-1] for i, _ in page}
    assert sorted(row["id"] for row in given) == sorted(everything)


def oracle(rows: list[Row], state: Row, made: Incremental[Any]) -> list[Row]:
    """What one run should give: one that knows ids for ever, and looks at every row."""
    start, end = state.get("last", made.initial_value), made.end_value
    given = []
    for row in rows:
        value = row["at"]
        if value is None:
            keep = made.on_cursor_value_missing == "include"
        else:
            keep = start is None or value > start or (value == start and made.range_start == "closed")
            keep = keep and (end is None or value < end or (value == end and made.range_end == "closed"))
            keep = keep and not (end is None and value == start and row["id"] in state.get("ids", ()))
        given += [row] if keep else []
    if end is None:
        found = [row["at"] for row in given if row["at"] is not None]
        state["last"] = max([*found, *([start] if start is not None else [])], default=None)
        state.setdefault("ids", set()).update(row["id"] for row in given if row["at"] is not None)
    return given


def highest(values: Sequence[Any]) -> Any:
    """`max`, as a function that nobody knows."""
    return max(values)


LOOSE = st.lists(st.lists(st.one_of(st.none(), st.integers(0, 6)), max_size=5), max_size=4)


@STEADY
@given(
    st.lists(LOOSE, max_size=3),
    st.sampled_from(sorted(KINDS)),
    st.sampled_from(["rows", "arrow", "mixed"]),
    st.one_of(st.none(), st.integers(0, 3)),
    st.one_of(st.none(), st.integers(3, 7)),
    st.tuples(*map(st.sampled_from, [["open", "closed"], ["open", "closed"], ["include", "exclude"]])),
    st.sampled_from([max, highest]),
)
def test_each_run_gives_what_the_oracle_gives(
    runs: list[list[list[int | None]]], kind: str, form: str, initial: Any, end: Any, words: Any, func: Any
) -> None:
    value = KINDS[kind]
    made: Incremental[Any] = Incremental(
        "at",
        None if initial is None else value(initial),
        end_value=None if end is None else value(end),
        range_start=words[0],
        range_end=words[1],
        on_cursor_value_missing=words[2],
        last_value_func=func,
    )
    state: Row = {}
    known: Row = {}
    for pages in runs:  # ids come again with the same cursor, so that there is something to tell apart
        rows = [
            [
                {"id": 10 * (cursor or 0) + i, "at": None if cursor is None else value(cursor), "note": None}
                for i, cursor in enumerate(page)
            ]
            for page in pages
        ]
        expected = oracle([row for page in rows for row in page], known, made)
        assert run(made, state, rows, form, kind) == expected
        assert made.bind("t", state).last_value == known.get("last", made.initial_value)
    assert made.end_value is None or state == {}


@pytest.mark.parametrize("forms", [("rows", "arrow"), ("arrow", "rows")])
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_one_form_knows_the_rows_of_the_other(forms: tuple[str, str], kind: str) -> None:
    rows = [{"id": i, "at": KINDS[kind](5), "note": None if i % 2 else "é"} for i in range(4)]
    for key in (None, "id", ("note", "id")):
        made: Incremental[Any] = Incremental("at", primary_key=key)
        state: Row = {}
        assert run(made, state, [rows[:3]], forms[0], kind) == rows[:3]
        assert run(made, state, [rows], forms[1], kind) == rows[3:]
        assert run(made, state, [rows], forms[0], kind) == []


@STEADY
@given(
    growing(),
    st.sampled_from(["rows", "arrow", "mixed"]),
    st.booleans(),
    st.lists(st.tuples(st.booleans(), st.booleans()), max_size=12),
)
def test_a_run_that_dies_between_checkpoints_is_taken_up(
    runs: list[list[list[tuple[int, int]]]], form: str, falling: bool, fates: list[tuple[bool, bool]]
) -> None:
    made: Incremental[int] = Incremental("at", last_value_func="min" if falling else "max", row_order="asc")
    fate = iter(fates)
    landed: list[int] = []
    state: Row = {}
    for number, pages in enumerate([*runs, runs[-1]]):  # the last one again, to take up what died
        flat = sorted((n, i) for page in pages for i, n in page)
        rows = [{"id": i, "at": -n if falling else n, "note": "x"} for n, i in flat]
        saved = json.loads(json.dumps(state))
        bound = made.bind("t", saved, ("id",))
        waiting: list[int] = []
        for at in range(0, len(rows), 2):
            page = rows[at : at + 2]
            arrow = form == "arrow" or (form == "mixed" and at % 4)
            kept = bound.apply(table(page, "int") if arrow else page)
            waiting += [row["id"] for row in (kept.to_pylist() if arrow else kept)]
            checkpoint, dies = next(fate, (True, False))
            if dies and number < len(runs):
                break
            if checkpoint or at + 2 >= len(rows):
                bound.finish()
                state, landed, waiting = json.loads(json.dumps(saved)), landed + waiting, []
    assert sorted(landed) == sorted({i for page in runs[-1] for i, _ in page})
