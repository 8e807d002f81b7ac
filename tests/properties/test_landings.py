"""Landings keep their order, their borders and their state, whatever is loaded when."""

from __future__ import annotations

from pathlib import Path

import pytest

import penstock
from penstock.ledger import FILES_TABLE, STATE_TABLE
from penstock.ports import Block, Checkpoint
from penstock.schema.disposition import Disposition, Strategy, WriteMode
from penstock.schema.hints import Hints
from penstock.schema.table import Table
from penstock.testing.faults import Call, Faults, injected
from run.makers import Maker, Mill

DESTINATIONS = ["duckdb:///w.duckdb", "parquet:///warehouse"]
STATE = f"SELECT state FROM {STATE_TABLE}"
BY_DAY = Disposition(WriteMode.MERGE, strategy=Strategy.DELETE_INSERT, merge_key=("day",))


@pytest.fixture(params=DESTINATIONS)
def mill(request: pytest.FixtureRequest, place: Path) -> Mill:
    return Mill(place, destination=request.param)


def merged(disposition: Disposition) -> Hints:
    return Hints(Table("t", primary_key=disposition.primary_key), disposition=disposition)


def rebuild(mill: Mill, *tables: str) -> None:
    assert penstock.open_session(mill.root).rebuild(list(tables), None, penstock.ignore).exit_code == 0


def test_a_run_lands_after_all_checkpoints_of_the_run_before(mill: Mill) -> None:
    """Each of them is a landing of its own second, so a quick run could land among them."""
    upsert = merged(Disposition(WriteMode.MERGE, ("n",)))
    many = [item for v in range(4) for item in (Block("t", [{"n": 1, "v": v}], upsert), Checkpoint(str(v)))]
    assert mill.run(*many).error is None
    assert mill.run(Block("t", [{"n": 1, "v": 99}], upsert), Checkpoint("99")).error is None
    times = mill.sql(f"SELECT landed_at FROM {FILES_TABLE}")
    assert len(set(times)) == 5
    for _ in range(2):
        assert mill.sql("SELECT v FROM t") == [99]
        assert mill.sql(STATE) == ["99"]
        rebuild(mill)


def test_the_rebuild_of_one_table_leaves_the_state_alone(mill: Mill) -> None:
    """Its newest landing may be older than that of others."""
    assert mill.run(Block("x", [{"n": 1}]), Checkpoint("1")).error is None
    assert mill.run(Block("y", [{"n": 1}]), Checkpoint("2")).error is None
    rebuild(mill, "x")
    assert mill.sql(STATE) == ["2"]


@pytest.mark.parametrize("blocks", [0, 1])
def test_state_that_changes_after_the_last_rows_is_kept(mill: Mill, blocks: int) -> None:
    rows = [Block("t", [{"n": 1}])] * blocks
    assert mill.run(*rows, Checkpoint("1"), Checkpoint("2")).error is None
    assert mill.sql(STATE) == ["2"]
    rebuild(mill)
    assert mill.sql(STATE) == ["2"]


def test_a_file_that_is_held_back_does_not_turn_the_state_back(place: Path) -> None:
    """Neither while it waits, nor when it is let through at last."""
    rest = "    tables: {{t: {{gate: {{min_rows: {}, arrival: fail}}}}}}\n    policy: per_file\n"
    mill = Mill(place, rest.format(2))
    rows = {None: 1, "1": 3, "2": 4, "3": 5}
    maker = Maker(
        lambda state: iter(
            [Block("t", [{"n": rows[state]}] * rows[state]), Checkpoint(str(int(state or 0) + 1))]
        )
    )
    for _ in range(2):
        assert "1 row" in str(mill.run_with(maker).error)
    assert "1 row" in str(mill.run_with(maker).error)
    Mill(place, rest.format(1))
    assert mill.run_with(maker).error is None
    assert maker.states == [None, "1", "2", "3"]
    assert mill.sql("SELECT n, count(*) FROM t GROUP BY n ORDER BY n") == [(1, 1), (3, 3), (4, 4), (5, 5)]


@pytest.mark.parametrize(
    ("disposition", "expected"),
    [
        (BY_DAY, [(2, 2)]),
        (Disposition(WriteMode.MERGE, ("n",), strategy=Strategy.INSERT_ONLY), [(1, 1), (2, 2)]),
        (Disposition(WriteMode.MERGE, ("n",), "v", hard_delete="gone"), [(1, 0), (2, 2)]),
    ],
)
def test_landings_that_wait_do_not_share_a_load(
    mill: Mill, disposition: Disposition, expected: list[tuple[int, int]]
) -> None:
    """Their rows meet each other as they would have, had the first not waited."""
    said = merged(disposition)
    first, second = [{"n": 1, "v": 1, "day": 7}], [{"n": 2, "v": 2, "day": 7}]
    if disposition is not BY_DAY:
        second.append({"n": 1, "v": 0, "day": 7})
    if disposition.hard_delete:
        first.append({"n": 1, "v": 1, "day": 7, "gone": True})

    def stop(call: Call) -> None:
        if call.name == "destination.begin":
            raise ZeroDivisionError

    with injected(Faults(hear=stop)), pytest.raises(ZeroDivisionError):
        mill.run(Block("t", first, said))
    result = mill.run(Block("t", second, said))
    assert (result.error, result.files_drained, result.files_landed) == (None, 1, 1)
    for _ in range(2):
        assert mill.sql("SELECT n, v FROM t ORDER BY n") == expected
        rebuild(mill)
