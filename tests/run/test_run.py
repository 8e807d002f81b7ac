"""The path of a row through a real run: landed, judged, kept, loaded once."""

from __future__ import annotations

import gzip
import hashlib
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import penstock
from penstock.report.facts import Status

Bed = Any


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_files_are_loaded_once_and_kept_byte_for_byte(bed: Bed) -> None:
    one = bed.drop("a.jsonl", {"v": 1}, {"v": 2})
    two = bed.drop("b.jsonl.gz", {"v": 3})
    result = bed.loads()
    assert (result.status, result.files_landed, result.tables[0].loaded) == (Status.LOADED, 2, 3)
    assert bed.values() == [1, 2, 3]
    assert sorted(bed.files("raw_hist").values()) == sorted([sha(one), sha(two)])
    assert bed.files("land") == {}
    assert bed.run().status is Status.NOTHING_NEW
    (bed.root / ".penstock").rename(bed.root / "gone")
    assert bed.run().status is Status.NOTHING_NEW, "the facts alone must tell, without the note"
    bed.drop("c.jsonl", {"v": 4})
    assert bed.loads().tables[0].loaded == 1
    assert bed.values() == [1, 2, 3, 4]


def test_the_ledger_is_there_to_query(bed: Bed) -> None:
    bed.drop("a.jsonl", {"v": 1}, b"oops\n")
    load_id = bed.loads().load_ids[0]
    assert bed.sql("SELECT rows, loaded, dropped, quarantined, outcome, load_id FROM _penstock_files") == [
        (2, 1, 0, 1, "loaded", load_id)
    ]
    assert bed.sql("SELECT load_id, files, rows, loaded, status FROM _penstock_loads") == [
        (load_id, 1, 2, 1, "done")
    ]
    assert bed.sql("SELECT _penstock_load_id FROM t") == [(load_id,)]
    assert bed.sql("SELECT count(*) FROM _penstock_schema WHERE table_name = 't'") == [(1,)]


def test_a_touched_file_is_not_loaded_twice_and_a_changed_one_is(bed: Bed) -> None:
    path = bed.drop("a.jsonl", {"v": 1})
    bed.loads()
    os.utime(path, (1, 1))
    result = bed.loads()
    assert result.tables[0].dropped == 1
    assert result.findings[0].finding.rule == "same_file"
    assert bed.values() == [1]
    assert bed.run().status is Status.NOTHING_NEW
    bed.drop("a.jsonl", {"v": 1}, {"v": 2})
    assert bed.loads().tables[0].loaded == 2


def test_equal_content_of_another_file_is_told(bed: Bed) -> None:
    bed.drop("a.jsonl", {"v": 1})
    bed.loads()
    bed.drop("b.jsonl", {"v": 1})
    result = bed.loads()
    assert [f.finding.rule for f in result.findings] == ["duplicate_content"]
    assert bed.values() == [1, 1]


def test_a_file_still_being_written_is_left_for_later(bed: Bed) -> None:
    bed.pipeline["source"]["min_age_s"] = 0.3
    bed.drop("a.jsonl", {"v": 1})
    path = bed.drop("b.jsonl", {"v": 2})
    os.utime(path, (time.time() + 9999, time.time() + 9999))
    result = bed.loads()
    assert result.tables[0].loaded == 2, "both rest, whatever their clocks say"


def test_what_others_drop_into_land(bed: Bed) -> None:
    bed.pipeline["source"] = {"type": "land", "min_age_s": 0}
    bed.drop("t_1534978800.jsonl", {"v": 1}, folder="data/land/p/t/file_land_timestamp=1534978800")
    bed.drop("any name.jsonl", {"v": 2}, folder="data/land/p/t")
    assert bed.loads().files_drained == 2
    assert bed.values() == [1, 2]
    assert bed.sql("SELECT landed_at FROM _penstock_files WHERE key LIKE '%1534978800%'") == [
        (datetime.fromtimestamp(1534978800, UTC),)
    ]
    assert set(bed.files("raw_hist")) == {"t_1534978800.jsonl", "any name.jsonl"}


def test_a_young_file_in_land_waits(bed: Bed) -> None:
    bed.pipeline["source"] = {"type": "land", "min_age_s": 60}
    bed.drop("x.jsonl", {"v": 1}, folder="data/land/p/t")
    assert bed.run().status is Status.NOTHING_NEW
    assert set(bed.files("land")) == {"x.jsonl"}


def test_modified_date_keeps_a_cursor_with_the_rows(bed: Bed) -> None:
    bed.pipeline["source"]["incremental"] = "modified_date"
    os.utime(bed.drop("a.jsonl", {"v": 1}), (1000, 1000))
    bed.loads()
    os.utime(bed.drop("older.jsonl", {"v": 2}), (900, 900))
    os.utime(bed.drop("newer.jsonl", {"v": 3}), (1100, 1100))
    bed.loads()
    assert bed.values() == [1, 3]
    assert '"modified_date": 1100' in bed.sql("SELECT state FROM _penstock_state")[0][0]


# --------------------------------------------------------------------------------------- verdicts


def failing(bed: Bed, policy: str) -> Any:
    bed.pipeline["policy"] = policy
    bed.pipeline["source"]["tables"] = {"t": "t*", "u": "u*"}
    bed.pipeline["tables"]["u"] = {}
    bed.table["columns"] = [{"name": "v", "type": "int64", "minimum": 0}]
    bed.table["gate"] = {"actions": {"v.minimum": "fail"}}
    bed.drop("t_bad.jsonl", {"v": 1}, {"v": -1})
    bed.drop("t_good.jsonl", {"v": 2})
    bed.drop("u.jsonl", {"v": 3})
    return bed.run()


@pytest.mark.parametrize(
    ("policy", "loaded", "held"),
    [("all", [], 3), ("per_table", [("u", 3)], 2), ("per_file", [("t", 2), ("u", 3)], 1)],
)
def test_how_far_a_failure_reaches(bed: Bed, policy: str, loaded: list[Any], held: int) -> None:
    result = failing(bed, policy)
    assert (result.status, result.exit_code) == (Status.REFUSED, 1)
    assert "row 2 breaks a rule" in result.error
    assert len(bed.files("land")) == held
    assert len(bed.files("raw_hist")) == 3 - held
    known = {t for t, _ in loaded}
    assert [(t, v) for t in ("t", "u") if t in known for v in bed.values(table=t)] == loaded
    again = bed.run()
    assert (again.status, again.files_landed) == (Status.REFUSED, 0), "a held file is not landed again"
    bed.table["gate"] = {"actions": {"v.minimum": "quarantine"}}
    bed.loads()
    assert bed.values() == [1, 2]
    assert bed.values(table="u") == [3]
    assert bed.files("land") == {}


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        ("a.jsonl", b"", "zero_bytes"),
        ("a.jsonl.gz", b"", "zero_bytes"),
        ("a.jsonl", b"PK\x03\x04....", "magic"),
        ("a.parquet", b'{"v": 1}\n', "magic"),
        ("a.xyz", b"v\n1\n", "extension"),
        ("a.jsonl", b'[{"v": 1}]', "magic"),
    ],
)
def test_a_file_that_is_not_what_it_says_is_set_aside_whole(
    bed: Bed, name: str, content: bytes, rule: str
) -> None:
    path = bed.root / "in" / name
    path.write_bytes(content)
    bed.drop("good.jsonl", {"v": 7})
    result = bed.loads()
    assert [f.finding.rule for f in result.findings] == [rule]
    assert bed.values() == [7]
    aside = bed.root / "data/quarantine/_files"
    kept = [p for p in aside.rglob("*") if p.is_file()]
    assert [sha(p) for p in kept] == [sha(path)]
    assert bed.files("land") == {}
    assert bed.run().status is Status.NOTHING_NEW
    assert bed.sql("SELECT outcome FROM _penstock_files ORDER BY 1") == [("loaded",), ("refused",)]


def test_a_truncated_gzip_loads_nothing_and_loses_nothing(bed: Bed) -> None:
    path = bed.drop("a.jsonl.gz", *[{"v": n, "pad": os.urandom(20).hex()} for n in range(5000)])
    path.write_bytes(path.read_bytes()[:-300])
    bed.drop("b.jsonl", {"v": -1})
    result = bed.loads()
    assert [f.finding.rule for f in result.findings] == ["unreadable"]
    assert bed.values() == [-1]
    kept = [p for p in (bed.root / "data/quarantine/_files").rglob("*.gz") if p.is_file()]
    assert [sha(p) for p in kept] == [sha(path)]


def test_counts_of_rows_decide_too(bed: Bed) -> None:
    bed.table["gate"] = {"min_rows": 2, "max_quarantined_share": 0.4, "arrival": "fail"}
    bed.pipeline["policy"] = "per_file"
    bed.drop("few.jsonl", {"v": 1})
    bed.drop("junk.jsonl", {"v": 2}, b"x\n", b"y\n")
    bed.drop("good.jsonl", {"v": 3}, {"v": 4}, b"x\n")
    result = bed.run()
    assert {f.finding.rule for f in result.findings} == {"min_rows", "max_quarantined_share"}
    assert bed.values() == [3, 4]


def test_volume_is_judged_against_history(bed: Bed) -> None:
    bed.table["gate"] = {"volume": {"min_history": 3, "action": "quarantine"}}
    for n in range(4):
        bed.drop(f"{n}.jsonl", *[{"v": n, "k": i} for i in range(50 + n)])
        assert bed.loads().findings == ()
    bed.drop("tiny.jsonl", {"v": 99, "k": 0})
    result = bed.loads()
    assert {f.finding.rule for f in result.findings} == {"volume_rows", "volume_bytes"}
    assert 99 not in bed.values()


def test_rows_by_action(bed: Bed) -> None:
    bed.table["columns"] = [
        {"name": "v", "type": "int64", "minimum": 0, "maximum": 9},
        {"name": "w", "type": "text", "enum": ["a", "b"], "sensitive": True},
    ]
    bed.table["gate"] = {"actions": {"v.minimum": "drop", "w.enum": "quarantine", "v.maximum": "allow"}}
    bed.drop("a.jsonl", {"v": 1, "w": "a"}, {"v": -1, "w": "a"}, {"v": 2, "w": "zz"}, {"v": 10, "w": "b"})
    table = bed.loads().tables[0]
    assert (table.rows, table.loaded, table.dropped, table.quarantined) == (4, 2, 1, 1)
    assert table.broken == {"v.minimum": 1, "w.enum": 1, "v.maximum": 1}
    assert bed.values() == [1, 10]
    assert bed.quarantined() == [(3, ["w.enum"], b'{"v": 2, "w": "zz"}')]
    assert bed.session().quarantine_show("t", 5)[0].raw == "***"


def test_repeated_keys_in_one_load_and_against_what_is_there(bed: Bed) -> None:
    bed.table["primary_key"] = "v"
    bed.drop("a.jsonl", {"v": 1}, {"v": 2}, {"v": 1})
    bed.drop("b.jsonl", {"v": 2}, {"v": 3})
    table = bed.loads().tables[0]
    assert (table.loaded, table.quarantined, table.broken) == (3, 2, {"v.unique": 2})
    bed.drop("c.jsonl", {"v": 3}, {"v": 4})
    table = bed.loads().tables[0]
    assert (table.loaded, table.quarantined) == (1, 1)
    assert bed.values() == [1, 2, 3, 4]


def test_foreign_keys_see_this_load_and_earlier_ones(bed: Bed) -> None:
    bed.pipeline["source"]["tables"] = {"t": "t*", "parent": "p*"}
    bed.pipeline["tables"]["parent"] = {}
    bed.table["columns"] = {"v": {"type": "int64", "foreign_key": "parent.id"}}
    bed.drop("p1.jsonl", {"id": 1})
    bed.drop("t1.jsonl", {"v": 1}, {"v": 2}, {"v": None})
    assert bed.loads().tables[0].table in ("t", "parent")
    assert bed.values() == [1, None]
    bed.drop("t2.jsonl", {"v": 1}, {"v": 3})
    bed.drop("p2.jsonl", {"id": 3})
    bed.loads()
    assert bed.values() == [1, 1, 3, None]


# ----------------------------------------------------------------------------------- dispositions


def test_merge_newest_wins(bed: Bed) -> None:
    bed.table.update(primary_key="k", write={"mode": "merge", "dedup_sort": "at"})
    bed.drop("a.jsonl", {"k": 1, "v": "a", "at": 5}, {"k": 2, "v": "b", "at": 5}, {"k": 1, "v": "c", "at": 4})
    bed.loads()
    assert bed.values("k, v") == [(1, "a"), (2, "b")]
    bed.drop(
        "b.jsonl", {"k": 1, "v": "late", "at": 1}, {"k": 2, "v": "new", "at": 9}, {"k": 3, "v": "x", "at": 1}
    )
    table = bed.loads().tables[0]
    assert (table.rows, table.loaded) == (3, 3)
    assert bed.values("k, v") == [(1, "a"), (2, "new"), (3, "x")]


def test_replace_holds_the_last_landing(bed: Bed) -> None:
    bed.table["write"] = "replace"
    bed.drop("a.jsonl", {"v": 1})
    bed.loads()
    time.sleep(1.1)
    bed.drop("b.jsonl", {"v": 2})
    bed.drop("c.jsonl", {"v": 3})
    bed.loads()
    assert bed.values() == [2, 3]
    bed.session().rebuild([], None, penstock.ignore)
    assert bed.values() == [2, 3]


# ----------------------------------------------------------------------------------------- growth


def test_a_table_grows_between_and_within_files(bed: Bed) -> None:
    bed.drop("a.jsonl", {"v": 1, "n": {"x": 1}})
    bed.loads()
    many = [{"v": n, "n": {"x": n}} for n in range(30000)]
    bed.drop("b.jsonl", *many, {"v": 1.5, "n": {"x": 1, "y": "new"}, "late": "2024-01-01"})
    changes = [str(c) for c in bed.loads().tables[0].changes]
    assert changes == [
        "t.v: int64 becomes float64",
        "t.n: struct<x: int64> becomes struct<x: int64, y: text>",
        "t.late: new column, date",
    ]
    assert bed.sql("SELECT count(*), sum(v), count(late), sum(n.x) FROM t") == [
        (30002, 1.0 + sum(range(30000)) + 1.5, 1, 1 + sum(range(30000)) + 1)
    ]
    bed.drop("c.jsonl", {"v": "text", "n": 5})
    bed.loads()
    assert bed.sql("SELECT v, n FROM t WHERE late IS NOT NULL") == [("1.5", '{"x":1,"y":"new"}')]
    assert bed.sql("SELECT v, n FROM t WHERE v = 'text'") == [("text", "5")]


def test_a_wider_type_never_loses_what_is_there(bed: Bed) -> None:
    big = 2**53 + 1
    bed.drop("a.jsonl", {"v": big})
    bed.loads()
    bed.drop("b.jsonl", {"v": 1.5})
    bed.loads()
    assert bed.values() == ["1.5", str(big)]


def test_declared_types_stay_and_what_does_not_fit_is_set_aside(bed: Bed) -> None:
    bed.table["columns"] = {"v": "decimal(12,2)"}
    bed.drop("a.jsonl", b'{"v": 10.10}\n', b'{"v": 12.345}\n', b'{"v": "12,50"}\n')
    bed.loads()
    assert [str(v) for v in bed.values()] == ["10.10"]
    assert [(n, rules) for n, rules, _ in bed.quarantined()] == [(2, ["v.type"]), (3, ["v.type"])]


def test_a_frozen_contract_refuses_the_file(bed: Bed) -> None:
    bed.table.update(columns={"v": "int64"}, contract="freeze")
    bed.drop("a.jsonl", {"v": 1, "new": 1})
    result = bed.run()
    assert result.status is Status.REFUSED
    assert "no column `new`" in result.error
    assert len(bed.files("land")) == 1


def test_plan_says_what_run_does_and_moves_nothing(bed: Bed) -> None:
    bed.drop("a.jsonl", {"v": 1})
    bed.loads()
    bed.drop("b.jsonl", {"v": 2, "w": 1}, b"oops\n")
    before = sorted((bed.root / "data").rglob("*"))
    plan = bed.session().plan([], penstock.ignore)
    table = plan.pipelines[0].tables[0]
    assert (table.on_offer, table.rows, table.accepted, table.quarantined) == (1, 2, 1, 1)
    assert [str(c) for c in table.changes] == ["t.w: new column, int64"]
    assert sorted((bed.root / "data").rglob("*")) == before
    assert bed.values() == [1]
    run = bed.loads().tables[0]
    assert (run.rows, run.loaded, run.quarantined, run.changes) == (2, 1, 1, table.changes)


# ------------------------------------------------------------------------- rebuild and quarantine


def test_rebuild_gives_the_same_table(bed: Bed) -> None:
    bed.drop("a.jsonl", {"v": 1}, b"oops\n")
    bed.loads()
    bed.drop("b.jsonl", {"v": "two", "w": [1]})
    bed.loads()
    before = (
        bed.values("v, w"),
        bed.sql("SELECT key, sha256, rows, loaded, origin, identity FROM _penstock_files"),
    )
    result = bed.session().rebuild(["t"], None, penstock.ignore).pipelines[0]
    assert result.error is None
    after = (
        bed.values("v, w"),
        bed.sql("SELECT key, sha256, rows, loaded, origin, identity FROM _penstock_files"),
    )
    assert [sorted(x, key=str) for x in after] == [sorted(x, key=str) for x in before]
    assert bed.run().status is Status.NOTHING_NEW


def test_rebuild_as_of_a_moment_and_back(bed: Bed) -> None:
    bed.pipeline["source"] = {"type": "land", "min_age_s": 0}
    for stamp in (1000, 2000):
        bed.drop(f"t_{stamp}.jsonl", {"v": stamp}, folder=f"data/land/p/t/file_land_timestamp={stamp}")
    bed.loads()
    bed.session().rebuild([], datetime.fromtimestamp(1500, UTC), penstock.ignore)
    assert bed.values() == [1000]
    assert bed.loads().files_drained == 1
    assert bed.values() == [1000, 2000]


def test_replay_brings_rows_out_once(bed: Bed) -> None:
    bed.table.update(columns=[{"name": "v", "type": "int64", "maximum": 5}], primary_key="v")
    bed.drop("a.jsonl", {"v": 1}, {"v": 7}, {"v": 9}, b"oops\n", {"v": 1})
    bed.loads()
    bed.table["columns"][0]["maximum"] = 8
    result = bed.session().quarantine_replay([], penstock.ignore).pipelines[0]
    assert (result.tables[0].rows, result.tables[0].loaded, result.tables[0].quarantined) == (4, 1, 3)
    assert bed.values() == [1, 7]
    assert [(n, rules) for n, rules, _ in bed.quarantined()] == [
        (3, ["v.maximum"]), (4, ["unparsable"]), (5, ["v.unique"]),
    ]  # fmt: skip
    again = bed.session().quarantine_replay([], penstock.ignore).pipelines[0]
    assert again.tables[0].loaded == 0
    assert bed.values() == [1, 7]
    status = bed.session().status([])[0].tables[0]
    assert (status.rows, status.loaded, status.quarantined) == (5, 2, 3)


def test_pipelines_run_after_those_they_read(make_bed: Callable[..., Bed]) -> None:
    bed = make_bed()
    bed.project["pipelines"] = {
        "second": {"source": {**bed.pipeline["source"], "path": "mid", "tables": {"u": "t/**/*.parquet"}}},
        "first": {**bed.pipeline, "destination": {"type": "parquet", "path": "mid"}},
    }  # fmt: skip
    bed.drop("a.jsonl", {"v": 1})
    results = bed.session().run([], penstock.ignore).pipelines
    assert [r.pipeline for r in results] == ["first", "second"]
    assert all(r.error is None for r in results), [r.error for r in results]
    assert bed.session().show("u").column("v").to_pylist() == [1]


def test_everything_on_an_object_store(bed: Bed, s3_url: Callable[[], str]) -> None:
    from penstock.stores.object import ObjectStore

    place = s3_url()
    store = ObjectStore(place)
    store.create("in/a.jsonl", b'{"v": 1}\noops\n')
    store.create("in/b.jsonl.gz", gzip.compress(b'{"v": 2}\n', mtime=0)[:-4])
    bed.project["layers"] = {n: f"{place}/{n}" for n in ("land", "raw_hist", "quarantine")}
    bed.pipeline["source"]["path"] = f"{place}/in"
    table = bed.loads().tables[0]
    assert (table.loaded, table.quarantined) == (1, 1)
    assert bed.run().status is Status.NOTHING_NEW
    store.create("in/c.jsonl", b'{"v": 3}\n')
    assert bed.loads().tables[0].loaded == 1
    assert bed.values() == [1, 3]
    kept = {s.key.rpartition("/")[2]: store.digest(s.key) for s in store.list("raw_hist/p")}
    assert sorted(kept.values()) == sorted(store.digest(f"in/{n}.jsonl") for n in "ac")
    assert [s.key for s in store.list("land") if "_penstock" not in s.key] == []
    bed.session().rebuild([], None, penstock.ignore)
    assert bed.values() == [1, 3]


def test_what_was_set_aside_can_be_taken_out(bed: Bed, tmp_path: Path) -> None:
    bed.drop("a.jsonl", {"v": 1}, b'{"v":  oops\r\n')
    whole = bed.drop("b.parquet", b"no parquet")
    bed.loads()
    kinds = {e.kept: e for e in bed.session().quarantine_list([])}
    assert kinds["rows"].broken == {"unparsable": 1}
    assert "parquet" in kinds["file"].reason
    written = {p.suffix: p.read_bytes() for p in bed.session().quarantine_export(tmp_path / "out", None)}
    assert written == {".rows": b'{"v":  oops\n', ".parquet": whole.read_bytes()}
