"""dlt's words as `penstock.dlt` has them, up to the point where a pipeline runs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("dlt", reason="dlt is not installed: pip install 'penstock[dlt]'")

import dlt as theirs
import pyarrow as pa
import pyarrow.parquet as pq
from dlt_pieces import take

import penstock.dlt as dlt
from penstock.dlt import destinations
from penstock.dlt.destinations import destination_of
from penstock.dlt.sources.filesystem import (
    FilesystemConfigurationResource,
    ReadersSource,
    _read_jsonl,
    _read_parquet,
    filesystem,
    read_csv,
    read_csv_duckdb,
    read_jsonl,
    read_parquet,
)
from penstock.errors import RefusedError


def test_what_makes_data_is_dlts_own() -> None:
    for name in ("resource", "transformer", "defer", "current", "mark", "secrets", "config", "Schema"):
        assert getattr(dlt, name) is getattr(theirs, name)
    assert issubclass(dlt.sources.incremental, theirs.sources.incremental)
    assert dlt.sources.rest_api is theirs.sources.rest_api


def test_what_is_not_there_says_so() -> None:
    with pytest.raises(AttributeError, match="did you mean 'pipeline'"):
        _ = dlt.pipelines
    with pytest.raises(AttributeError, match="no source `nothing`"):
        _ = dlt.sources.nothing
    with pytest.raises(AttributeError, match="only duckdb and filesystem"):
        _ = destinations.snowflake


# ------------------------------------------------------------------------------------------ sources


def rows(name: str, count: int) -> Any:
    return theirs.resource([{"n": n} for n in range(count)], name=name)


def test_resources_may_be_yielded_together() -> None:
    @dlt.source
    def both() -> Iterator[Any]:
        yield rows("a", 1), rows("b", 1)
        yield rows("c", 1)

    assert take(both).rows == {"a": [{"n": 0}], "b": [{"n": 0}], "c": [{"n": 0}]}


def test_resources_may_fill_one_table() -> None:
    @dlt.source(name="shared")
    def both() -> Any:
        return [rows("a", 1), rows("a", 2)]

    assert list(both().resources) == ["a", "a_2"]
    assert take(both).rows == {"a": [{"n": 0}, {"n": 0}, {"n": 1}]}


def test_a_single_resource_and_a_list_of_rows() -> None:
    assert take(dlt.source(lambda: rows("a", 1), name="one")).rows == {"a": [{"n": 0}]}


def test_no_cursor_is_no_cursor() -> None:
    assert dlt.sources.incremental(None) is None
    cursor = dlt.sources.incremental("n", initial_value=1)
    found = take(rows("a", 3).add_step(cursor))
    assert found.rows == {"a": [{"n": 1}, {"n": 2}]}
    assert take(rows("a", 4).add_step(cursor), found.state).rows == {"a": [{"n": 3}]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "one.jsonl").write_text('{"n": 1}\n')
    (tmp_path / "two.csv").write_text("n\n2\n")
    (tmp_path / "four.dat").write_text('{"n": 4}\n')
    pq.write_table(pa.table({"n": [3], "_penstock_load_id": ["x"]}), tmp_path / "three.parquet")
    return tmp_path


def test_readers_take_the_files_of_their_kind(folder: Path) -> None:
    files = filesystem(str(folder), file_glob="*.[cjp]*")
    assert take(files | read_csv()).rows == {"read_csv": [{"n": 2}]}
    assert take(files | read_jsonl()).rows == {"read_jsonl": [{"n": 1}]}
    loaded = {"n": 3, "_dlt_load_id": "x"}
    assert take(files | read_parquet()).rows == {"read_parquet": [loaded]}
    assert take(files | read_parquet(use_pyarrow=True)).rows == {"read_parquet": [loaded]}
    other = filesystem(str(folder), file_glob="*.dat") | read_jsonl()
    assert take(other).rows == {"read_jsonl": [{"n": 4}]}, "an extension that says nothing is no objection"


@pytest.mark.filterwarnings("ignore:fetch_arrow_reader:DeprecationWarning")  # dlt's own call
def test_csv_is_read_through_duckdb(folder: Path) -> None:
    files = filesystem(str(folder), file_glob="*.[cjp]*")
    assert take(files | read_csv_duckdb()).rows == {"read_csv_duckdb": [{"n": 2}]}


def test_one_list_of_files_for_two_readers(folder: Path) -> None:
    @dlt.source(_impl_cls=ReadersSource, spec=FilesystemConfigurationResource)
    def both(table_name: str, folder_name: str, cursor: str | None = None) -> Iterator[Any]:
        files = filesystem(bucket_url=folder_name, file_glob="*.[jp]*")
        files.apply_hints(incremental=dlt.sources.incremental(cursor))
        yield (
            files | dlt.transformer(name=table_name)(_read_jsonl),
            files | dlt.transformer(name=table_name)(_read_parquet),
        )

    arguments = {"table_name": "all", "folder_name": str(folder)}
    assert sorted(row["n"] for row in take(both, arguments=arguments).rows["all"]) == [1, 3]
    arguments["cursor"] = "modified_date"
    first = take(both, arguments=arguments)
    assert sorted(row["n"] for row in first.rows["all"]) == [1, 3]
    (folder / "five.jsonl").write_text(json.dumps({"n": 5}))
    later = (folder / "one.jsonl").stat().st_mtime + 100
    os.utime(folder / "five.jsonl", (later, later))
    assert take(both, first.state, arguments=arguments).rows == {"all": [{"n": 5}]}


# ------------------------------------------------------------------------------------- destinations


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (None, {"type": "duckdb", "path": "p.duckdb", "schema": "d"}),
        ("duckdb", {"type": "duckdb", "path": "p.duckdb", "schema": "d"}),
        ("dlt.destinations.duckdb", {"type": "duckdb", "path": "p.duckdb", "schema": "d"}),
        ("duckdb:///a.duckdb", {"type": "duckdb", "path": "a.duckdb", "schema": "d"}),
        (destinations.duckdb, {"type": "duckdb", "path": "p.duckdb", "schema": "d"}),
        (destinations.duckdb("a.duckdb"), {"type": "duckdb", "path": "a.duckdb", "schema": "d"}),
        (destinations.duckdb("duckdb:///a.duckdb"), {"type": "duckdb", "path": "a.duckdb", "schema": "d"}),
        (destinations.duckdb(path="a.duckdb"), {"type": "duckdb", "path": "a.duckdb", "schema": "d"}),
        (destinations.filesystem("out/"), {"type": "parquet", "path": "out/d"}),
        (destinations.filesystem("file:///out"), {"type": "parquet", "path": "/out/d"}),
        (destinations.filesystem(bucket_url="s3://bucket/x"), {"type": "parquet", "path": "s3://bucket/x/d"}),
    ],
)
def test_destinations(said: Any, expected: dict[str, str]) -> None:
    assert destination_of(said).spec("p", "d") == expected


def test_the_bucket_may_be_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RefusedError, match="needs the place"):
        destination_of("filesystem").spec("p", "d")
    monkeypatch.setenv("DESTINATION__FILESYSTEM__BUCKET_URL", "s3://bucket")
    assert destination_of("filesystem").spec("p", "d")["path"] == "s3://bucket/d"


def test_destinations_that_are_not_here_are_refused() -> None:
    with pytest.raises(RefusedError) as caught:
        dlt.pipeline("p", destination="duckdv")
    assert caught.value.hint == "did you mean 'duckdb'?"
    with pytest.raises(RefusedError, match="`snowflake` is not a destination here"):
        dlt.pipeline("p", destination=theirs.destinations.snowflake())
    with pytest.raises(RefusedError, match="the path of a file"):
        destinations.duckdb(object())  # type: ignore[arg-type]


# ---------------------------------------------------------------------------------------- pipelines


def test_names_of_pipelines_and_datasets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/some/where/chess.py"])
    assert dlt.pipeline().pipeline_name == "dlt_chess"
    assert dlt.pipeline("chess").dataset_name == "chess_dataset"
    assert repr(dlt.pipeline("a", dataset_name="b")) == "penstock.dlt.pipeline('a', dataset_name='b')"


def test_what_a_pipeline_cannot_do_is_refused() -> None:
    with pytest.raises(RefusedError, match="`dev_mode`"):
        dlt.pipeline("p", dev_mode=True)
    with pytest.raises(RefusedError, match="`flat` is no nesting"):
        dlt.pipeline("p", nesting="flat")
    with pytest.raises(RefusedError, match="not written as csv"):
        dlt.pipeline("p", destination="filesystem").run([1], loader_file_format="csv")
    with pytest.raises(RefusedError, match="files land and are kept before"):
        dlt.pipeline("p", staging="filesystem")
    with pytest.raises(RefusedError, match="`datasetname` has no meaning") as caught:
        dlt.pipeline("p", datasetname="d")
    assert "did you mean 'dataset_name'" in str(caught.value)


def test_words_that_need_nothing_are_taken() -> None:
    pipeline = dlt.attach("p", pipelines_dir="somewhere", dataset_name="d", staging=None)
    assert (pipeline.pipeline_name, pipeline.dataset_name) == ("p", "d")
    pipeline.sync_destination()


def test_words_of_a_pipeline_that_are_not_there_say_what_is() -> None:
    with pytest.raises(AttributeError, match="see `last_result`"):
        _ = dlt.pipeline("p").last_trace
    with pytest.raises(AttributeError, match=r"has no `runn`$"):
        _ = dlt.pipeline("p").runn
