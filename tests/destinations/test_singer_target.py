"""Singer targets as destinations: what is sent, what is believed, and targets that misbehave."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal as Exact
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from penstock.destinations.singer_target import transaction as sending_loads
from penstock.destinations.singer_target.destination import SingerTargetDestination
from penstock.destinations.singer_target.target import plugin_of, resolved_for
from penstock.errors import NotFoundError, OutsideError, ProjectError, RefusedError, UncertainError
from penstock.ledger import LOAD_ID, Facts
from penstock.ports import Batches
from penstock.project.load import make_project
from penstock.project.singer_target import SingerTargetSpec
from penstock.schema import types as t
from penstock.schema.arrow import arrow_schema
from penstock.schema.disposition import EVERY_ROW, Disposition, Strategy, WriteMode
from penstock.schema.types import Decimal, List, Struct
from penstock.testing.destination import APPEND, MERGE, NEWEST, REPLACE, batches, commit_of, file_of, table

MIRROR = Path(__file__).with_name("mirror_target.py")
ALL = ("append", "merge", "replace")
OF = table("t", id=t.INT64, name=t.TEXT)
ROWS = [{"id": 1, "name": "a"}, {"id": 2, "name": None}, {"id": 3, "name": "c"}]
Make = Callable[..., SingerTargetDestination]


@pytest.fixture
def target(tmp_path: Path) -> Make:
    """Makes the destination of the mirror target, which behaves as it is told."""

    def make(behave: str = "well", **given: Any) -> SingerTargetDestination:
        config = {"folder": str(tmp_path / "out"), "behave": behave, **given.pop("config", {})}
        given = {"writes": ALL, "executable": f"{sys.executable} {MIRROR}"} | given
        return SingerTargetDestination(SingerTargetSpec(target="mirror", config=config, **given), tmp_path)

    return make


def load(destination: SingerTargetDestination, load_id: str, *writes: Any, **given: Any) -> None:
    """One load of (table, disposition, rows), committed."""
    with destination.lock("p", "test"):
        transaction = destination.begin("p", load_id)
        try:
            for of, disposition, rows in writes:
                transaction.shape(of, disposition)
                data = rows if isinstance(rows, Batches) else batches(of, rows)
                transaction.write(of, disposition, data)
            transaction.commit(commit_of(load_id, schemas=tuple(w[0] for w in writes), **given))
        finally:
            transaction.rollback()


def kept(tmp_path: Path, stream: str = "t") -> list[dict[str, Any]]:
    """The records that the mirror has, without the load's id."""
    found = json.loads((tmp_path / "out" / f"{stream}.json").read_text())["rows"]
    return [{k: v for k, v in r["record"].items() if k != LOAD_ID} for r in found]


# ---------------------------------------------------------------------------------- what is sent


def test_rows_and_ledger_agree(target: Make, tmp_path: Path) -> None:
    destination = target()
    file = file_of("L1", "k1", 3)
    load(destination, "L1", (OF, APPEND, ROWS), files=(file,), state={"s": '{"at": 1}'})
    assert kept(tmp_path) == ROWS
    facts = target().facts("p")
    assert facts.files == (file,)
    assert facts.state == {"s": '{"at": 1}'}
    assert [*facts.tables] == ["t"]


def test_values_travel_exactly(target: Make, tmp_path: Path) -> None:
    of = table(
        "t",
        n=Decimal(38, 10),
        whole=Decimal(30, 0),
        f=t.FLOAT64,
        at=t.TIMESTAMP_TZ,
        clock=t.TIMESTAMP,
        day=t.DATE,
        blob=t.BINARY,
        doc=t.JSON,
        text=t.TEXT,
        many=List(t.INT64),
        inner=Struct((("x", t.INT64), ("y", List(t.TEXT)))),
    )
    row = {
        "n": Exact("1234567890123456789012345678.0123456789"),
        "whole": Exact(10) ** 29,
        "f": 1e300,
        "at": datetime(2024, 1, 1, 12, 30, 0, 123456, UTC),
        "clock": datetime(1999, 12, 31, 23, 59, 59),  # noqa: DTZ001 - a wall clock has no zone
        "day": date(2024, 2, 29),
        "blob": b"\x00\xff",
        "doc": '{"a": [1, 1.50]}',
        "text": 'a "quote", a \\ and\nlines, é, 😀, \x01',
        "many": [1, None, 3],
        "inner": {"x": 1, "y": ["p", 'q"']},
    }
    load(target(), "L1", (of, APPEND, [row, dict.fromkeys(row)]))
    first, second = kept(tmp_path)
    assert first == row | {
        "n": "1234567890123456789012345678.0123456789",
        "whole": 10**29,
        "f": "1e+300",
        "at": "2024-01-01T12:30:00.123456Z",
        "clock": "1999-12-31T23:59:59",
        "day": "2024-02-29",
        "blob": "AP8=",
    }
    assert set(second.values()) == {None}


def test_schema_says_what_the_values_are(target: Make, tmp_path: Path) -> None:
    of = table("t", id=t.INT64, n=Decimal(10, 2), at=t.TIMESTAMP_TZ, o=Struct((("x", t.BOOL),)))
    load(target(), "L1", (of, MERGE, [{"id": 1}]))
    schema = json.loads((tmp_path / "out/t.json").read_text())["schema"]
    assert schema["key_properties"] == ["id"]
    properties = schema["schema"]["properties"]
    assert properties["n"] == {"type": ["number", "null"]}
    assert properties["at"] == {"type": ["string", "null"], "format": "date-time"}
    assert properties["o"]["properties"] == {"x": {"type": ["boolean", "null"]}}
    assert properties[LOAD_ID] == {"type": ["string", "null"]}


def test_one_shape_for_a_table_that_grew_in_the_load(target: Make, tmp_path: Path) -> None:
    narrow, wide = table("t", id=t.INT64), table("t", id=t.TEXT, new=t.JSON)
    load(target(), "L1", (narrow, APPEND, [{"id": 1}]), (wide, APPEND, [{"id": "x", "new": '"y"'}]))
    assert kept(tmp_path) == [{"id": "1"}, {"id": "x", "new": '"y"'}]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_without_a_word_are_refused(target: Make, tmp_path: Path, value: float) -> None:
    of = table("t", f=t.FLOAT64)
    with pytest.raises(RefusedError, match=r"t\.f.*NaN or infinity"):
        load(target(), "L1", (of, APPEND, [{"f": value}]))
    assert not (tmp_path / "out").exists()


def test_merge_updates_by_key(target: Make, tmp_path: Path) -> None:
    load(target(), "L1", (OF, MERGE, ROWS))
    load(target(), "L2", (OF, MERGE, [{"id": 2, "name": "B"}]))
    assert kept(tmp_path) == [ROWS[0], {"id": 2, "name": "B"}, ROWS[2]]


def test_replace_takes_earlier_rows_away(target: Make, tmp_path: Path) -> None:
    load(target(), "L1", (OF, REPLACE, ROWS))
    time.sleep(0.002)  # versions are milliseconds
    load(target(), "L2", (OF, REPLACE, ROWS[:1]), (OF, REPLACE, ROWS[1:2]))
    assert kept(tmp_path) == ROWS[:2]
    time.sleep(0.002)
    load(target(), "L3", (OF, REPLACE, []))
    assert kept(tmp_path) == []


def test_streams_may_have_names_of_their_own(target: Make, tmp_path: Path) -> None:
    load(target(streams={"t": "shop-t"}), "L1", (OF, APPEND, ROWS))
    assert kept(tmp_path, "shop-t") == ROWS


def test_nothing_is_sent_before_the_commit(target: Make, tmp_path: Path) -> None:
    destination = target()
    with destination.lock("p", "test"):
        transaction = destination.begin("p", "L1")
        transaction.shape(OF, APPEND)
        assert transaction.write(OF, APPEND, batches(OF, ROWS)) == 3
        transaction.rollback()
    assert not (tmp_path / "out").exists()
    assert destination.facts("p") == Facts()
    assert [p.name for p in destination.path.parent.iterdir() if "spool" in p.name] == []


def test_memory_is_that_of_a_batch(target: Make, tmp_path: Path) -> None:
    of = table("t", id=t.INT64, text=t.TEXT)
    alive: list[int] = []

    def stream() -> Any:
        for i in range(60):
            alive.append(pa.total_allocated_bytes())
            columns = [pa.arange(i * 1000, i * 1000 + 1000), pa.repeat("x" * 1000, 1000)]
            yield pa.RecordBatch.from_arrays(columns, schema=arrow_schema(of))

    load(target(), "L1", (of, APPEND, Batches(arrow_schema(of), stream())))
    assert max(alive) - alive[0] < 20_000_000  # the whole stream is 60 MB
    assert len(kept(tmp_path)) == 60_000


# -------------------------------------------------------------------------- what cannot be sent


@pytest.mark.parametrize(
    ("disposition", "reason"),
    [
        (NEWEST, "dedup_sort"),
        (Disposition(WriteMode.MERGE, ("id",), hard_delete="name"), "hard_delete"),
        (Disposition(WriteMode.MERGE, ("id",), strategy=Strategy.SCD2), "scd2"),
        (Disposition(WriteMode.MERGE, ("id",), strategy=Strategy.INSERT_ONLY), "insert-only"),
        (
            Disposition(
                WriteMode.MERGE, ("id",), strategy=Strategy.DELETE_INSERT, destination_scope="name = 'a'"
            ),
            "delete-insert",
        ),
        (Disposition(WriteMode.MERGE, ("id",), skip_unchanged_rows=True), "skip_unchanged_rows"),
        (Disposition(WriteMode.MERGE, root="parent"), "child tables"),
        (Disposition(WriteMode.REPLACE, overwrite=("name",)), "overwrite"),
    ],
)
def test_ways_of_writing_without_a_message_are_refused(
    target: Make, disposition: Disposition, reason: str
) -> None:
    of = table("t", id=t.INT64, name=t.TEXT, at=t.INT64)
    with pytest.raises(RefusedError, match="cannot write like this") as caught:
        load(target(), "L1", (of, disposition, []))
    assert reason in (caught.value.found or "")


def test_what_this_target_cannot_do_is_refused(target: Make, tmp_path: Path) -> None:
    for disposition, word in ((MERGE, "updates by key"), (REPLACE, "activates versions")):
        with pytest.raises(RefusedError, match=word):
            load(target(writes=("append",)), "L1", (OF, disposition, ROWS))
    load(target(writes=("append",), without_merge="append"), "L1", (OF, MERGE, ROWS))
    assert kept(tmp_path) == ROWS
    with pytest.raises(ProjectError, match="upsert"):
        load(target(writes=("upsert",)), "L2", (OF, APPEND, ROWS))


ANEW = Disposition(WriteMode.MERGE, ("id",), strategy=Strategy.DELETE_INSERT, destination_scope=EVERY_ROW)


def test_a_new_version_takes_the_place_of_the_old_one(target: Make, tmp_path: Path) -> None:
    by_key = Disposition(WriteMode.MERGE, ("id",), strategy=Strategy.DELETE_INSERT)
    load(target(), "L1", (OF, by_key, ROWS))
    load(target(), "L2", (OF, ANEW, [{"id": 3, "name": "z"}, {"id": 4, "name": "d"}, {"id": 4, "name": "e"}]))
    assert kept(tmp_path) == [{"id": 3, "name": "z"}, {"id": 4, "name": "e"}]
    load(target(), "L3", (OF, ANEW, []))
    assert kept(tmp_path) == []


def test_a_target_that_knows_no_versions_is_told_of_what_stays(
    target: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(RefusedError, match="cannot write like this"):
        load(target(writes=("append", "merge")), "L1", (OF, ANEW, ROWS))
    adding = target(writes=("append", "merge"), without_merge="append")
    load(adding, "L1", (OF, ANEW, ROWS))
    load(adding, "L2", (OF, ANEW, ROWS[:1]))
    assert len(kept(tmp_path)) == 3
    assert "rows of `t` that are no longer in the source stay" in caplog.text


def test_tables_of_the_target_cannot_be_read(target: Make) -> None:
    destination = target()
    load(destination, "L1", (OF, APPEND, ROWS), files=(file_of("L1", "k", 3),))
    assert destination.query("SELECT loaded FROM _penstock_files").column(0).to_pylist() == [3]
    with pytest.raises(RefusedError, match="takes rows and gives none"):
        destination.query("SELECT * FROM t")
    with pytest.raises(NotFoundError, match="no table `other`"):
        destination.query("SELECT * FROM other")
    with destination.lock("p", "test"):
        transaction = destination.begin("p", "L2")
        assert transaction.keys("other", ("id",)) is None
        with pytest.raises(RefusedError, match="cannot be looked up"):
            transaction.keys("t", ("id",))
        transaction.rollback()


def test_rebuild_has_rows_taken_away(target: Make, tmp_path: Path) -> None:
    load(target(), "L1", (OF, APPEND, ROWS), files=(file_of("L1", "k", 3),))
    time.sleep(0.002)
    destination = target()
    with destination.lock("p", "test"):
        transaction = destination.begin("p", "L2")
        transaction.forget(None)
        transaction.shape(OF, APPEND)
        transaction.write(OF, APPEND, batches(OF, ROWS[:1]))
        transaction.commit(commit_of("L2", schemas=(OF,)))
    assert kept(tmp_path) == ROWS[:1]
    assert destination.facts("p").files == ()
    destination = target(writes=("append",))
    with destination.lock("p", "test"):
        transaction = destination.begin("p", "L3")
        with pytest.raises(RefusedError, match="cannot take rows away"):
            transaction.forget(None)
        transaction.rollback()


# ------------------------------------------------------------------------- targets that misbehave


def failing(destination: SingerTargetDestination, rows: Any = ROWS) -> Any:
    """The error of a load, after which the ledger is as it was."""
    before = destination.facts("p")
    with pytest.raises((OutsideError, UncertainError)) as caught:
        load(destination, "L9", (OF, APPEND, rows), files=(file_of("L9", "k9", 3),))
    assert destination.facts("p") == before
    assert [p.name for p in destination.path.parent.iterdir() if "spool" in p.name] == []
    return caught.value


def many(rows: int) -> Batches:
    """Rows that do not fit into a pipe."""
    columns = [pa.arange(0, 1000), pa.repeat("x" * 200, 1000)]
    batch = pa.RecordBatch.from_arrays(columns, schema=arrow_schema(OF))
    return Batches(arrow_schema(OF), [batch] * (rows // 1000))


def test_target_that_dies_is_told_with_its_last_lines(target: Make) -> None:
    destination = target("die", config={"after": 2, "password": "s3cret-w0rd"})
    error = failing(destination)
    assert type(error) is OutsideError
    assert "ended with exit code 3" in error.what
    assert "the disk is full: ***" in str(error)
    assert "s3cret-w0rd" not in str(error)
    assert "0 of 3 rows acknowledged" in str(error)


def test_target_that_dies_in_the_middle_ends_the_stream_at_once(target: Make) -> None:
    sent: list[int] = []

    def stream() -> Any:
        for batch in many(20_000).batches:
            sent.append(1)
            yield batch

    destination = target("die", config={"after": 5})
    error = failing(destination, Batches(arrow_schema(OF), stream()))
    assert "ended with exit code 3" in error.what
    assert "of 20,000 rows" not in str(error)  # it was noticed before all were sent


@pytest.mark.parametrize("behave", ["silent", "foreign", "gone"])
def test_target_that_ends_well_without_acknowledging_is_not_believed(target: Make, behave: str) -> None:
    error = failing(target(behave))
    assert type(error) is UncertainError
    assert "has not acknowledged" in error.what
    assert "0 of 3 rows acknowledged" in str(error)


def test_target_that_leaves_early_with_exit_code_0(target: Make) -> None:
    error = failing(target("leave", config={"after": 10}), many(20_000))
    assert type(error) is UncertainError
    assert "exit code 0" in error.what


def test_acknowledged_less_than_was_sent(target: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending_loads, "_MARK_ROWS", 1000)
    destination = target("older")
    with pytest.raises(UncertainError) as caught:
        load(destination, "L1", (OF, APPEND, many(3000)))
    assert "1,000 of 3,000 rows acknowledged" in str(caught.value)
    assert destination.facts("p") == Facts()


def test_target_that_fails_after_acknowledging(target: Make) -> None:
    error = failing(target("regret"))
    assert "ended with exit code 1" in error.what
    assert "could not close the connection" in str(error)
    assert "3 of 3 rows acknowledged" in str(error)


@pytest.mark.parametrize("behave", ["deaf", "stubborn", "hang up"])
def test_target_that_does_not_read_is_ended(target: Make, tmp_path: Path, behave: str) -> None:
    pid = tmp_path / "pid"
    error = failing(target(behave, stall_s=1.0, config={"pid": str(pid)}), many(20_000))
    assert type(error) is OutsideError
    assert "neither read nor said anything" in error.what or "does not read any more" in error.what
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


@pytest.mark.parametrize("behave", ["flood", "chatty", "eager"])
def test_noise_does_no_harm(target: Make, tmp_path: Path, behave: str) -> None:
    load(target(behave), "L1", (OF, APPEND, ROWS))
    assert kept(tmp_path) == ROWS


def test_next_run_sends_again_what_was_not_noted(target: Make, tmp_path: Path) -> None:
    failing(target("regret"))  # the mirror has the rows
    load(target(), "L2", (OF, MERGE, ROWS))
    assert kept(tmp_path) == ROWS


def test_program_that_is_not_there(target: Make) -> None:
    with pytest.raises(NotFoundError, match="not there"):
        load(target(executable="no-such-target-anywhere"), "L1", (OF, APPEND, ROWS))


def test_settings_come_from_the_environment_too(
    target: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("TARGET_JSONL_CUSTOM_NAME=mine\n")
    monkeypatch.setenv("TARGET_JSONL_DO_TIMESTAMP_FILE", "true")
    spec = SingerTargetSpec(target="target-jsonl")
    found: Mapping[str, Any] = resolved_for(plugin_of(spec, tmp_path), spec, tmp_path).config()
    assert found == {"destination_path": "output", "do_timestamp_file": True, "custom_name": "mine"}


@pytest.mark.parametrize(
    "destination",
    [
        "singer_target://target-jsonl",
        {"singer_target": "target-jsonl"},
        {"type": "singer_target", "target": "target-jsonl"},
    ],
)
def test_ways_to_name_a_target(tmp_path: Path, destination: object) -> None:
    said = {"name": "p", "destination": destination}
    spec = make_project(said, tmp_path, "here").project.destination
    assert isinstance(spec, SingerTargetSpec)
    assert (spec.target, spec.path) == ("target-jsonl", ".penstock/targets/target-jsonl.duckdb")


def test_ledgers_are_called_after_their_targets() -> None:
    assert SingerTargetSpec(target="./targets/mine.py").path == ".penstock/targets/mine.py.duckdb"
    assert SingerTargetSpec(target="target-jsonl", path="x.duckdb").path == "x.duckdb"
