"""Tables in a bucket, read and shown as those on a disk are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb

from bed import Bed


def test_a_bucket_of_parquet(tmp_path: Path, s3_url: Callable[[], str]) -> None:
    bed = Bed(tmp_path, destination={"type": "parquet", "path": s3_url()})
    bed.drop("a.jsonl", {"id": 1, "place": "DE"}, {"id": 2, "place": None})
    bed.loads()
    dataset = bed.session().dataset()
    assert dataset["t"].where("place", "=", None).select("id").fetchall() == [(2,)]
    with duckdb.connect() as con:
        assert dataset.views(con) == ("t",)
        assert con.execute("SELECT id FROM t ORDER BY id").fetchall() == [(1,), (2,)]
        bed.drop("b.jsonl", {"id": 3, "place": "FR"})
        bed.loads()
        assert con.execute("SELECT count(*) FROM t").fetchall() == [(2,)]
        dataset.views(con)
        assert con.execute("SELECT count(*), count(DISTINCT place) FROM t").fetchall() == [(3, 2)]
    assert [r.status for r in bed.session().last_runs([], 5)] == ["loaded", "loaded"]
    assert bed.sql("SELECT count(*) FROM _penstock_runs") == [(2,)]
