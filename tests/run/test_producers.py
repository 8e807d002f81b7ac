"""What a producer makes lands whole or not at all, is loaded once, and keeps its types and state."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from penstock.ledger import Refresh
from penstock.ports import Block, Checkpoint
from penstock.report.facts import Status
from penstock.run import landing
from penstock.run.flow import Landing
from penstock.schema.disposition import Disposition, WriteMode
from penstock.schema.hints import Hints
from penstock.schema.table import Column, Table
from penstock.schema.types import parse_type
from run.makers import Maker, Mill

ROW = {
    "id": 7,
    "at": datetime(2024, 2, 29, 12, 30, 0, 250_000, tzinfo=UTC),
    "local": datetime(2024, 2, 29, 12, 30),  # noqa: DTZ001 - a wall-clock time
    "day": date(2024, 2, 29),
    "clock": time(23, 59, 59),
    "price": Decimal("12.50"),
    "key": UUID(int=5),
    "raw": b"\x00\xff",
    "name": "Ä",
    "share": 0.5,
    "deep": {"on": date(2024, 1, 1), "n": [1, 2]},
}
Blocks = Iterator[Block | Checkpoint]


def rows(first: int, count: int) -> list[dict[str, object]]:
    return [{"n": n, "word": f"w{n}"} for n in range(first, first + count)]


@pytest.fixture
def mill(tmp_path: Path) -> Mill:
    return Mill(tmp_path)


def test_values_keep_the_types_they_had_in_memory(mill: Mill) -> None:
    result = mill.run(Block("t", [ROW, {"id": 8}]))
    assert result.error is None
    told = mill.sql("SELECT column_name, column_type FROM (DESCRIBE t)")
    assert told[:-1] == [
        ("id", "BIGINT"), ("at", "TIMESTAMP WITH TIME ZONE"), ("local", "TIMESTAMP"), ("day", "DATE"),
        ("clock", "TIME"), ("price", "DECIMAL(4,2)"), ("key", "UUID"), ("raw", "BLOB"), ("name", "VARCHAR"),
        ("share", "DOUBLE"), ("deep", 'STRUCT("on" DATE, n BIGINT[])'),
    ]  # fmt: skip
    [back] = mill.sql("SELECT * EXCLUDE (_penstock_load_id) FROM t WHERE id = 7")
    values = dict(zip(ROW, back, strict=True))
    assert values | {"key": str(values["key"])} == ROW | {"key": str(ROW["key"])}


def test_records_land_as_compressed_lines_and_arrow_as_parquet(mill: Mill) -> None:
    table = pa.table({"n": pa.array([1, 2], pa.int32())})
    assert mill.run(Block("t", rows(0, 3)), Block("u", table)).error is None
    lines, parquet = mill.files("raw_hist")
    assert (lines.split(".", 1)[1], parquet.split(".", 1)[1]) == ("jsonl.gz", "parquet")
    [path] = (mill.root / "data/raw_hist").rglob("t_*.jsonl.gz")
    assert [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()] == rows(0, 3)
    assert mill.sql("SELECT typeof(n) FROM u LIMIT 1") == ["INTEGER"]


@pytest.mark.parametrize("extension", ["jsonl.gz", "jsonl.zst", "jsonl"])
def test_a_large_table_is_several_files_in_order(mill: Mill, extension: str) -> None:
    blocks = [Block("t", rows(n, 100)) for n in range(0, 1200, 100)]
    result = mill.run(*blocks, landing=Landing(extension, 2000))
    assert (result.error, result.files_landed) == (None, 12)
    names = mill.files("raw_hist")
    assert {name.split(".", 1)[1] for name in names} == {extension}
    assert {int(n.split("_")[2].split(".")[0]) for n in names} == set(range(12))
    assert mill.sql("SELECT count(*), sum(n) FROM t") == [(1200, 1199 * 600)]


def test_order_is_kept_when_records_and_arrow_take_turns(mill: Mill) -> None:
    keyed = Hints(Table("t", primary_key=("n",)), disposition=Disposition(WriteMode.MERGE, ("n",)))
    turns = [
        Block("t", [{"n": 1, "v": "a"}], keyed),
        Block("t", pa.table({"n": [1], "v": ["b"]}), keyed),
        Block("t", [{"n": 1, "v": "c"}], keyed),
    ]
    assert mill.run(*turns).error is None
    assert mill.sql("SELECT n, v FROM t") == [(1, "c")]
    assert mill.run(*turns[:2]).error is None
    assert mill.sql("SELECT n, v FROM t") == [(1, "b")]


def test_a_file_lands_as_it_is(mill: Mill, tmp_path: Path) -> None:
    file = tmp_path / "ready.parquet"
    pq.write_table(pa.table({"n": [1, 2, 3]}), file)
    assert mill.run(Block("t", file)).error is None
    [landed] = (mill.root / "data/raw_hist").rglob("*.parquet")
    assert landed.read_bytes() == file.read_bytes()
    assert mill.sql("SELECT sum(n) FROM t") == [6]


def test_a_missing_file_is_told(mill: Mill, tmp_path: Path) -> None:
    result = mill.run(Block("t", rows(0, 1)), Block("u", tmp_path / "nothing.csv"))
    assert "a file to import is not there" in str(result.error)
    assert mill.run(Block("t", rows(0, 1))).error is None
    assert mill.sql("SELECT count(*) FROM t") == [1]


def test_what_a_failing_producer_made_is_not_there(mill: Mill) -> None:
    """The files that had landed are removed, or they would be loaded beside those of the next try."""
    with pytest.raises(ZeroDivisionError):
        mill.run(*[Block("t", rows(n, 100)) for n in range(0, 500, 100)], ZeroDivisionError(),
                 landing=Landing(file_bytes=2000))  # fmt: skip
    assert len(mill.files("land")) == 4
    assert mill.files("raw_hist") == []
    result = mill.run(Block("t", rows(0, 500)), Checkpoint('{"at": 500}'))
    assert (result.error, result.files_drained) == (None, 0)
    assert mill.sql("SELECT count(*), count(DISTINCT n) FROM t") == [(500, 500)]
    assert mill.files("land") == mill.files("land", private=True) == []


def test_what_was_whole_before_a_failure_stays(mill: Mill) -> None:
    def play(state: str | None) -> Blocks:
        at = json.loads(state)["at"] if state else 0
        for n in range(at, 500, 100):
            yield Block("t", rows(n, 100))
            yield Checkpoint(json.dumps({"at": n + 100}))
            if n == 200 and at == 0:
                raise ZeroDivisionError

    maker = Maker(play)
    with pytest.raises(ZeroDivisionError):
        mill.run_with(maker)
    assert len(mill.files("land")) == 3
    result = mill.run_with(maker)
    assert (result.error, result.files_drained, result.files_landed) == (None, 3, 2)
    assert maker.states == [None, '{"at": 300}']
    assert mill.sql("SELECT count(*), count(DISTINCT n) FROM t") == [(500, 500)]


def test_state_is_where_the_rows_are(mill: Mill) -> None:
    maker = Maker(lambda _: iter([Block("t", rows(0, 1)), Checkpoint('{"page": 1}')]))
    for _ in range(2):
        assert mill.run_with(maker).error is None
    assert maker.states == [None, '{"page": 1}']
    assert mill.sql("SELECT state FROM _penstock_state") == ['{"page": 1}']


def test_state_without_rows_is_kept(mill: Mill) -> None:
    maker = Maker(lambda _: iter([Checkpoint('{"page": 2}')]))
    assert mill.run_with(maker).error is None
    assert mill.run_with(maker).error is None
    assert maker.states == [None, '{"page": 2}']
    assert mill.sql("SELECT count(*) FROM _penstock_loads") == [1]


def test_nothing_at_all_is_nothing_new(mill: Mill) -> None:
    result = mill.run(Block("t", []))
    assert (result.status, result.files_landed) == (Status.NOTHING_NEW, 0)
    assert mill.files("land") == mill.files("land", private=True) == []


def test_rows_that_wait_carry_the_state_on(tmp_path: Path) -> None:
    """A landing that the gate holds back stays; what comes next is asked for from its state."""
    mill = Mill(tmp_path, "    tables: {t: {gate: {min_rows: 2, arrival: fail}}}\n    policy: per_file\n")
    maker = Maker(lambda state: iter([Block("t", rows(5, 1 if state is None else 3)), Checkpoint("1")]))
    held = mill.run_with(maker)
    assert "1 row" in str(held.error), held
    second = mill.run_with(maker)
    assert second.error is not None, "the file that was held back is still there"
    assert maker.states == [None, "1"]
    assert mill.sql("SELECT count(*) FROM t") == [3]


def test_each_landing_replaces_the_whole_table(mill: Mill) -> None:
    whole = Hints(Table("t"), disposition=Disposition(WriteMode.REPLACE))
    script = []
    for n in range(3):
        script += [Block("t", rows(n * 10, 10), whole), Checkpoint(str(n))]
    assert mill.run(*script).error is None
    assert mill.sql("SELECT count(*) FROM t") == [30]
    assert mill.run(Block("t", rows(0, 2), whole)).error is None
    assert mill.sql("SELECT count(*) FROM t") == [2]


def test_the_project_has_the_last_word(tmp_path: Path) -> None:
    mill = Mill(tmp_path, "    tables: {t: {columns: {n: text}, write: append}}\n")
    column = Column("n", parse_type("int64"), declared=True)
    said = Hints(Table("t", (column,), ("n",)), disposition=Disposition(WriteMode.MERGE, ("n",)))
    for n in ("1", "2"):
        assert mill.run(Block("t", [{"n": n}], said)).error is None
    assert mill.sql("SELECT typeof(n), count(*) FROM t GROUP BY ALL") == [("VARCHAR", 2)]


def test_a_key_that_a_source_names_is_no_rule(mill: Mill) -> None:
    """Sources give rows again on purpose; what the project promises is checked."""
    said = Hints(Table("t", primary_key=("n",)))
    assert mill.run(Block("t", [{"n": 1}, {"n": 1}], said)).tables[0].quarantined == 0


def test_nothing_replaces_everything(mill: Mill) -> None:
    whole = Hints(Table("t"), disposition=Disposition(WriteMode.REPLACE))
    assert mill.run(Block("t", rows(0, 3), whole)).error is None
    assert mill.run(Block("t", [], whole)).error is None
    assert mill.sql("SELECT count(*) FROM t") == [0]
    assert mill.run(Block("u", [], Hints(Table("u")))).status is Status.NOTHING_NEW


def test_what_was_said_outlives_the_run(mill: Mill) -> None:
    """A rebuild reads raw history as the source meant it."""
    import penstock

    said = Hints(Table("t", primary_key=("n",)), disposition=Disposition(WriteMode.MERGE, ("n",)))
    for word in ("a", "b"):
        at = datetime(2024, 1, 1, tzinfo=UTC)
        assert mill.run(Block("t", [{"n": 1, "w": word, "moment": at}], said)).error is None
    before = mill.sql("SELECT n, w, moment, typeof(moment) FROM t")
    assert before == [(1, "b", datetime(2024, 1, 1, tzinfo=UTC), "TIMESTAMP WITH TIME ZONE")]
    result = penstock.open_session(mill.root).rebuild([], None, penstock.ignore)
    assert result.exit_code == 0
    assert mill.sql("SELECT n, w, moment, typeof(moment) FROM t") == before


def test_values_without_a_word_in_json_are_set_aside(mill: Mill) -> None:
    result = mill.run(Block("t", [{"n": 1, "x": 0.5}, {"n": 2, "x": float("nan")}]))
    assert result.error is None
    [table] = result.tables
    assert (table.loaded, table.quarantined) == (1, 1)


@pytest.mark.parametrize("destination", ["duckdb:///w.duckdb", "parquet:///warehouse"])
@pytest.mark.parametrize(
    ("mode", "state", "tables", "columns"),
    [
        (Refresh.DROP_SOURCES, None, ["t"], 1),
        (Refresh.DROP_RESOURCES, "restarted", ["t", "u"], 1),
        (Refresh.DROP_DATA, "restarted", ["t", "u"], 3),
    ],
)
def test_a_refresh_takes_the_place_of_what_was_there(
    tmp_path: Path, destination: str, mode: Refresh, state: str | None, tables: list[str], columns: int
) -> None:
    """In one commit, and a rebuild does not bring the rows back that it took away."""
    import penstock

    mill = Mill(tmp_path, destination=destination)
    assert mill.run(Block("t", [{"n": 1, "old": 2, "gone": True}]), Block("u", rows(0, 2))).error is None
    assert mill.run(Block("t", [{"n": 2}]), Checkpoint("7")).error is None
    maker = Maker(lambda _: iter([Block("t", [{"n": 3}]), Checkpoint("8"), Block("t", [{"n": 4}])]))
    assert mill.run_with(maker, mode).error is None
    assert maker.states == [state]

    def found() -> tuple[list[object], int, list[object]]:
        wide = len(penstock.open_session(tmp_path).show(None, sql="SELECT * FROM t").column_names) - 1
        names = "SELECT DISTINCT table_name FROM _penstock_schema ORDER BY 1"
        return mill.sql("SELECT n FROM t ORDER BY n"), wide, mill.sql(names)

    assert found() == ([3, 4], columns, tables)
    assert len(mill.files("raw_hist")) == 4, "raw history keeps what it has"
    assert penstock.open_session(tmp_path).rebuild([], None, penstock.ignore).exit_code == 0
    assert found()[0] == [3, 4]
    assert mill.run(Block("t", [{"n": 5}])).error is None
    assert found()[0] == [3, 4, 5]


@pytest.mark.parametrize("destination", ["duckdb:///w.duckdb", "parquet:///warehouse"])
def test_a_rebuild_does_with_each_landing_as_it_was_told_then(tmp_path: Path, destination: str) -> None:
    import penstock

    mill = Mill(tmp_path, destination=destination)
    for number, mode in enumerate([WriteMode.APPEND, WriteMode.REPLACE, WriteMode.APPEND]):
        hints = Hints(Table("t"), disposition=Disposition(mode))
        assert mill.run(Block("t", [{"n": number}], hints)).error is None
    assert mill.sql("SELECT n FROM t ORDER BY n") == [1, 2]
    assert penstock.open_session(tmp_path).rebuild([], None, penstock.ignore).exit_code == 0
    assert mill.sql("SELECT n FROM t ORDER BY n") == [1, 2]


@pytest.mark.parametrize("destination", ["duckdb:///w.duckdb", "parquet:///warehouse"])
def test_unique_columns_of_merged_tables(tmp_path: Path, destination: str) -> None:
    """A row may keep its own value and give it away later; another row's it may not take."""
    table = "{t: {write: merge, primary_key: id, columns: {id: int64, mail: {type: text, unique: true}}}}"
    mill = Mill(tmp_path, f"    tables: {table}\n", destination)
    first = [{"id": 1, "mail": "a", "v": 1}, {"id": 2, "mail": "b", "v": 1}, {"id": 1, "mail": "a", "v": 2}]
    assert mill.run(Block("t", first)).tables[0].quarantined == 0
    again = [{"id": 1, "mail": "a", "v": 3}, {"id": 3, "mail": "b", "v": 1}, {"id": 4, "mail": "c"},
             {"id": 5, "mail": "c"}]  # fmt: skip
    assert mill.run(Block("t", again)).tables[0].quarantined == 2
    assert mill.sql("SELECT id, mail, v FROM t ORDER BY id") == [(1, "a", 3), (2, "b", 1), (4, "c", None)]


def test_any_number_of_tables_at_once(mill: Mill, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are large leave the disk early; those that are small wait in memory."""
    monkeypatch.setattr(landing, "MOST_OPEN", 4)
    large = [Block(f"t{n}", [{"n": n, "text": "x" * 70_000}]) for _ in range(2) for n in range(12)]
    small = [Block(f"s{n}", [{"n": n}]) for _ in range(3) for n in range(12)]
    result = mill.run(*(block for pair in zip(small, large, strict=False) for block in pair), *small[24:])
    assert result.error is None
    assert {t.table: t.loaded for t in result.tables} == {
        **{f"t{n}": 2 for n in range(12)}, **{f"s{n}": 3 for n in range(12)},
    }  # fmt: skip
    assert len([name for name in mill.files("raw_hist") if name.startswith("s")]) == 12


def limited(mode: str) -> str:
    columns = "{v: {type: int64, maximum: 10}}"
    return f"    tables: {{t: {{write: {mode}, primary_key: n, columns: {columns}}}}}\n"


@pytest.mark.parametrize("destination", ["duckdb:///w.duckdb", "parquet:///warehouse"])
@pytest.mark.parametrize("mode", ["replace", "{mode: merge, strategy: scd2}"])
def test_a_replay_adds_to_what_its_landing_brought(tmp_path: Path, destination: str, mode: str) -> None:
    """Rows that come out of quarantine are a part of their landing, not the whole of a new one."""
    import penstock

    mill = Mill(tmp_path, limited(mode), destination)
    assert mill.run(Block("t", [{"n": 1, "v": 5}, {"n": 2, "v": 50}])).tables[0].quarantined == 1
    Mill(tmp_path, limited(mode).replace("10", "100"), destination)
    result = penstock.open_session(tmp_path).quarantine_replay([], penstock.ignore)
    assert result.exit_code == 0
    assert mill.sql("SELECT n, v FROM t ORDER BY n") == [(1, 5), (2, 50)]


def test_rows_of_a_landing_that_was_replaced_stay_in_quarantine(tmp_path: Path) -> None:
    import penstock

    mill = Mill(tmp_path, limited("replace"))
    assert mill.run(Block("t", [{"n": 1, "v": 5}, {"n": 2, "v": 50}])).tables[0].quarantined == 1
    assert mill.run(Block("t", [{"n": 3, "v": 5}])).error is None
    Mill(tmp_path, limited("replace").replace("10", "100"))
    told: list[object] = []
    assert penstock.open_session(tmp_path).quarantine_replay([], told.append).exit_code == 0
    assert mill.sql("SELECT n FROM t") == [3]
    assert any("later landing" in str(event) for event in told)
    assert len(penstock.open_session(tmp_path).quarantine_list([])) == 1


def test_versions_of_flattened_rows_need_a_column_that_tells_them(tmp_path: Path) -> None:
    mill = Mill(tmp_path, "    tables: {t: {nesting: flatten, write: {mode: merge, strategy: scd2}}}\n")
    result = mill.run(Block("t", [{"n": 1, "tags": ["a"]}]))
    assert "row_version" in str(result.error)
    assert mill.run(Block("u", [{"n": 1}])).error is not None, "the first landing still waits"
