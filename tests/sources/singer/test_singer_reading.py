"""What a tap says becomes tables: types, keys, versions of schemas, files and columns."""

from __future__ import annotations

import gzip
import json
import tempfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from singer_stage import Stage, record, schema, state

from penstock.errors import NotFoundError, RefusedError

ID = {"id": {"type": "integer"}}


def test_records_are_merged_by_their_key(stage: Stage) -> None:
    columns = {**ID, "v": {"type": ["null", "string"]}}
    stage.loads(
        schema("t", columns),
        record("t", {"id": 1, "v": "a"}),
        record("t", {"id": 2, "v": None}),
        state({"bookmarks": {"t": 2}}),
    )
    stage.loads(schema("t", columns), record("t", {"id": 2, "v": "b"}), state({"bookmarks": {"t": 3}}))
    assert stage.rows() == [{"id": 1, "v": "a"}, {"id": 2, "v": "b"}]
    assert stage.state() == {"singer_state": {"bookmarks": {"t": 3}}}


@pytest.mark.parametrize("keys", [(), None])
def test_records_without_a_key_are_added(stage: Stage, keys: Any) -> None:
    for _ in range(2):
        stage.loads(schema("t", ID, keys), record("t", {"id": 1}))
    assert stage.rows() == [{"id": 1}, {"id": 1}]


def test_the_project_says_how_rows_are_written(stage: Stage) -> None:
    for n in (1, 2):
        stage.loads(schema("t", ID), record("t", {"id": n}), tables={"t": {"write": "replace"}})
    assert stage.rows() == [{"id": 2}]


def test_types_are_those_of_the_schema(stage: Stage) -> None:
    stage.loads(
        schema(
            "t",
            {
                "at": {"type": ["null", "string"], "format": "date-time"},
                "on": {"type": "string", "format": "date"},
                "n": {"type": ["integer", "null"]},
                "price": {"type": ["null", "number"], "multipleOf": 0.01},
                "exact": {"type": "string", "format": "singer.decimal"},
                "f": {"type": "number"},
                "o": {"type": "object", "properties": {"a": {"type": "integer"}}},
                "free": {"type": "object"},
                "any": {},
            },
            None,
        ),
        '{"type":"RECORD","stream":"t","record":{"at":"2024-01-01T08:00:00+08:00","on":"2024-02-29","n":5,'
        '"price":157919.50,"exact":"0.100000001","f":1,"o":{"a":1,"b":"x"},"free":{"k":[1]},"any":7}}',
    )
    [row] = stage.rows()
    assert row == {
        "at": datetime(2024, 1, 1, tzinfo=UTC),
        "on": datetime(2024, 2, 29).date(),  # noqa: DTZ001 a date alone
        "n": 5,
        "price": Decimal("157919.50"),
        "exact": Decimal("0.100000001"),
        "f": 1.0,
        "o": {"a": 1, "b": "x"},
        "free": '{"k":[1]}',
        "any": 7,
    }


def test_numbers_keep_their_digits_on_the_way(stage: Stage) -> None:
    text = '{"id": 1, "n": 12345678901234567890.1234567890, "e": "\\u00e9 \\" {\\"type\\":\\"STATE\\"}"}'
    stage.source["land_as"] = "jsonl"
    stage.loads(schema("t", ID), '{"record": ' + text + ' , "stream":"t",  "type" : "RECORD"}')
    [landed] = (p for p in (stage.root / "data/raw_hist/p").rglob("*.jsonl"))
    assert landed.read_text() == text + "\n"


@pytest.mark.parametrize("land_as", ["jsonl", "jsonl.gz", "jsonl.zst"])
def test_files_land_as_the_project_wants(stage: Stage, land_as: str) -> None:
    stage.source["land_as"] = land_as
    rows = [record("t", {"id": n}) for n in range(100)]
    stage.loads(schema("t", ID), *rows[:50], state({"n": 1}), *rows[50:])
    assert [r["id"] for r in stage.rows()] == list(range(100))
    assert all(name.endswith("." + land_as) for name in stage.bed.files("raw_hist"))


def test_a_schema_that_is_said_again_changes_nothing_and_another_one_grows_the_table(stage: Stage) -> None:
    stage.loads(
        schema("t", ID),
        record("t", {"id": 1}),
        schema("t", ID),
        record("t", {"id": 2}),
        schema("t", {**ID, "at": {"type": "string", "format": "date-time"}}),
        record("t", {"id": 3, "at": "2024-01-01T00:00:00Z"}),
    )
    assert stage.rows() == [
        {"id": 1, "at": None},
        {"id": 2, "at": None},
        {"id": 3, "at": datetime(2024, 1, 1, tzinfo=UTC)},
    ]


def test_keys_outside_of_the_schema_and_missing_keys(stage: Stage) -> None:
    required = {
        "type": "object",
        "required": ["id", "gone"],
        "properties": {**ID, "gone": {"type": "string"}},
    }
    said = {"type": "SCHEMA", "stream": "t", "schema": required, "key_properties": ["id"]}
    stage.loads(json.dumps(said), record("t", {"id": 1, "more": True}), record("t", {"id": 2}))
    assert stage.rows() == [{"id": 1, "gone": None, "more": True}, {"id": 2, "gone": None, "more": None}]


def test_a_value_of_another_type_is_set_aside_and_the_run_goes_on(stage: Stage) -> None:
    stage.loads(schema("t", ID), record("t", {"id": 1}), record("t", {"id": "x"}), record("t", {"id": 3}))
    assert stage.rows() == [{"id": 1}, {"id": 3}]
    assert [rules for _, rules, _ in stage.bed.quarantined()] == [["id.type"]]


def test_not_a_number_is_set_aside_and_the_run_goes_on(stage: Stage) -> None:
    columns = {**ID, "f": {"type": "number"}}
    stage.loads(
        schema("t", columns),
        '{"type":"RECORD","stream":"t","record":{"id":1,"f":NaN}}',
        record("t", {"id": 2}),
    )
    assert stage.rows() == [{"id": 2, "f": None}]
    assert [raw for _, _, raw in stage.bed.quarantined()] == [b'{"id":1,"f":NaN}']


def test_records_before_their_schema(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.loads(record("t", {"id": 1}), schema("t", ID), record("t", {"id": 2}))
    assert stage.rows() == [{"id": 1}, {"id": 2}]
    assert "records before its SCHEMA" in caplog.text


def test_very_long_lines(stage: Stage) -> None:
    text = "x" * (5 << 20)
    stage.loads(schema("t", ID), record("t", {"id": 1, "text": text}), record("t", {"id": 2, "text": "y"}))
    assert stage.rows(columns="id, length(text) AS n") == [{"id": 1, "n": 5 << 20}, {"id": 2, "n": 1}]


def test_a_last_line_without_its_end(stage: Stage) -> None:
    stage.loads(schema("t", ID), {"raw": record("t", {"id": 1})})
    assert stage.rows() == [{"id": 1}]


def test_empty_lines_and_windows_line_ends(stage: Stage) -> None:
    stage.loads("", schema("t", ID) + "\r", "", record("t", {"id": 1}) + "\r", "  ", record("t", {"id": 2}))
    assert stage.rows() == [{"id": 1}, {"id": 2}]


def test_several_streams_and_their_names(stage: Stage) -> None:
    stage.source["names"] = {"public-orders": "orders"}
    stage.loads(
        schema("public-orders", ID),
        schema("public-lines", ID),
        record("public-orders", {"id": 1}),
        record("public-lines", {"id": 2}),
        record("public-orders", {"id": 3}),
    )
    assert stage.rows("orders") == [{"id": 1}, {"id": 3}]
    assert stage.rows("public-lines") == [{"id": 2}]


def test_unknown_messages_are_left_out(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.loads(
        schema("t", ID), '{"type": "WEATHER", "sun": 1}', record("t", {"id": 1}), '{"type": "WEATHER"}'
    )
    assert stage.rows() == [{"id": 1}]
    assert [m for m in caplog.messages if "WEATHER" in m] == [
        "messages of the type `WEATHER` are left out, the first in line 2"
    ]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("Downloading 3 files...", "no message"),
        ('"text"', "no message"),
        ('{"type": "RECORD", "stream": "t", "record": {"id": 2}', "no message"),
        ('{"type": "RECORD", "stream": "t"}', "RECORD is not whole"),
        ('{"type": "SCHEMA", "stream": "t"}', "SCHEMA message is not whole"),
        ('{"stream": "t"}', "no `type`"),
    ],
)
def test_what_is_no_message_is_refused_by_its_line(stage: Stage, line: str, what: str) -> None:
    result = stage.run(schema("t", ID), record("t", {"id": 1}), state({"n": 1}), line, record("t", {"id": 3}))
    assert isinstance(result.cause, RefusedError)
    assert what in str(result.cause)
    assert "line 4 " in str(result.cause)
    stage.loads()
    assert stage.rows() == [{"id": 1}]


# -------------------------------------------------------------------------------------- batches


def batch(stream: str, format_: str, compression: str | None, *files: Path) -> str:
    encoding = {"format": format_, **({"compression": compression} if compression else {})}
    said = {"type": "BATCH", "stream": stream, "encoding": encoding, "manifest": [f.as_uri() for f in files]}
    return json.dumps(said)


def test_batches_of_json_lines(stage: Stage, tmp_path: Path) -> None:
    packed, plain = tmp_path / "tap--t-1.json.gz", tmp_path / "a b.json"
    packed.write_bytes(gzip.compress(b'{"id": 2}\n'))
    plain.write_bytes(b'{"id": 3}\n{"id": 1}\n')
    stage.loads(
        schema("t", ID),
        record("t", {"id": 1}),
        batch("t", "jsonl", "gzip", packed),
        batch("t", "jsonl", None, plain),
        state({"n": 1}),
        record("t", {"id": 4}),
    )
    assert [r["id"] for r in stage.rows()] == [1, 2, 3, 4]


def test_batches_of_parquet_are_taken_as_they_are(stage: Stage, tmp_path: Path) -> None:
    file = tmp_path / "tap--t-1.parquet.gz"
    pq.write_table(pa.table({"id": [1, 2], "n": pa.array([Decimal("1.50"), None])}), file, compression="gzip")
    stage.loads(
        schema("t", {**ID, "n": {"type": "number", "multipleOf": 0.01}}), batch("t", "parquet", "gzip", file)
    )
    assert stage.rows() == [{"id": 1, "n": Decimal("1.50")}, {"id": 2, "n": None}]


@pytest.mark.parametrize(
    ("format_", "uri", "kind", "what"),
    [
        ("arrow", "file:///x", RefusedError, "unknown format"),
        ("jsonl", "s3://bucket/x", RefusedError, "not on this machine"),
        ("jsonl", "file:///not/there", NotFoundError, "not there"),
    ],
)
def test_batches_that_cannot_be_read(stage: Stage, format_: str, uri: str, kind: type, what: str) -> None:
    said = {"type": "BATCH", "stream": "t", "encoding": {"format": format_}, "manifest": [uri]}
    result = stage.run(schema("t", ID), json.dumps(said))
    assert isinstance(result.cause, kind)
    assert what in str(result.cause)


# ------------------------------------------------------------------------------ added columns


def test_columns_that_say_where_a_row_came_from(stage: Stage) -> None:
    stage.source["record_metadata"] = True
    stage.loads(
        schema("t", ID, ()),
        record("t", {"id": 1}, time_extracted="2024-01-01T00:00:00.000001Z", version=7),
        record("t", {"id": 2}),
        record("t", {}),
    )
    first, second, third = sorted(stage.rows(), key=lambda r: (r["id"] is None, r["id"]))
    assert first["_sdc_extracted_at"] == datetime(2024, 1, 1, microsecond=1, tzinfo=UTC)
    assert first["_sdc_table_version"] == 7
    assert second["_sdc_table_version"] is None
    assert first["_sdc_deleted_at"] is None
    for row in (first, second, third):
        assert abs((datetime.now(UTC) - row["_sdc_received_at"]).total_seconds()) < 120
        assert row["_sdc_sequence"] >= row["_sdc_sync_started_at"] > 0


def test_some_of_these_columns(stage: Stage) -> None:
    stage.source["record_metadata"] = ["_sdc_table_version"]
    stage.loads(schema("t", ID), record("t", {"id": 1}, version=3))
    assert stage.rows() == [{"id": 1, "_sdc_table_version": 3}]


@pytest.mark.parametrize("write", ["append", "replace"])
def test_no_file_is_left_over(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: str
) -> None:
    """Each goes when it lands, also where all of a run is one landing."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    packed = tmp_path / "tap--t-1.json.gz"
    packed.write_bytes(gzip.compress(b'{"id": 2}\n'))
    stage.loads(
        schema("t", ID),
        record("t", {"id": 1}),
        batch("t", "jsonl", "gzip", packed),
        tables={"t": {"write": write}},
    )
    assert stage.rows() == [{"id": 1}, {"id": 2}]
    assert not packed.exists()
    assert [p.name for p in temporary.rglob("*") if not p.is_dir()] in ([], ["lock"])
