"""A tap made with the Singer SDK, installed from the package index into an environment of its own."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from singer_stage import Stage

from penstock.errors import ProjectError

ROWS = 25_000
TAP = f"""
from datetime import datetime, timezone
from decimal import Decimal

from singer_sdk import Stream, Tap
from singer_sdk import typing as th


class Readings(Stream):
    name = "plant-readings"
    primary_keys = ("id",)
    replication_key = "id"
    is_sorted = True
    schema = th.PropertiesList(
        th.Property("id", th.IntegerType),
        th.Property("at", th.DateTimeType),
        th.Property("price", th.CustomType({{"type": ["null", "number"], "multipleOf": 0.01}})),
        th.Property("note", th.StringType),
        th.Property("tags", th.ArrayType(th.StringType)),
    ).to_dict()

    def get_records(self, context):
        first = self.get_starting_replication_key_value(context) or 0
        for i in range(first, {ROWS} + self.config.get("more", 0)):
            yield {{
                "id": i,
                "at": datetime(2024, 1, 1, tzinfo=timezone.utc),
                "price": Decimal(i) / 100,
                "note": "n\\u00e9 " + str(i),
                "tags": ["a", "b"],
            }}


class Letters(Stream):
    name = "letters"
    schema = th.PropertiesList(th.Property("letter", th.StringType)).to_dict()

    def get_records(self, context):
        yield from ({{"letter": letter}} for letter in "abc")


class TapPlant(Tap):
    name = "tap-plant"
    config_jsonschema = th.PropertiesList(
        th.Property("more", th.IntegerType), th.Property("api_token", th.StringType, secret=True)
    ).to_dict()

    def discover_streams(self):
        return [Readings(self), Letters(self)]
"""
PROJECT = """
[project]
name = "tap-plant"
version = "0.1.0"
dependencies = ["singer-sdk~=0.54", "pyarrow"]

[project.scripts]
tap-plant = "tap_plant:TapPlant.cli"

[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[tool.hatch.build.targets.wheel]
include = ["tap_plant.py"]
"""


@pytest.fixture
def plant(tmp_path: Path) -> Stage:
    """A project with the tap's source beside it."""
    stage = Stage(tmp_path)
    (tmp_path / "tap-plant").mkdir()
    (tmp_path / "tap-plant" / "tap_plant.py").write_text(TAP)
    (tmp_path / "tap-plant" / "pyproject.toml").write_text(PROJECT)
    stage.source |= {"tap": "tap-plant", "pip_url": "./tap-plant", "discover": True, "config": {}}
    return stage


def run(plant: Stage, **config: Any) -> None:
    plant.source["config"] = config
    result = plant.bed.run()
    assert result.error is None, result.error


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_tap_of_the_sdk(plant: Stage) -> None:
    table = "plant-readings"
    run(plant)
    assert plant.rows(table, "count(*) AS n, count(DISTINCT id) AS ids") == [{"n": ROWS, "ids": ROWS}]
    [row] = plant.bed.sql(f'SELECT "at", price, note, tags FROM "{table}" WHERE id = 157')
    assert row == (datetime(2024, 1, 1, tzinfo=UTC), Decimal("1.57"), "né 157", ["a", "b"])
    assert plant.rows("letters") == [{"letter": letter} for letter in "abc"]
    bookmark = plant.state()["singer_state"]["bookmarks"][table]
    assert bookmark["replication_key_value"] == ROWS - 1

    # the row at the boundary comes again and is not there twice; what is new is
    run(plant, more=10, api_token="swordfish")
    assert plant.rows(table, "count(*) AS n, count(DISTINCT id) AS ids") == [
        {"n": ROWS + 10, "ids": ROWS + 10}
    ]

    # batches: files in place of messages, whatever stands before them
    for format_, extension in (("jsonl", "jsonl.gz"), ("parquet", "parquet")):
        place = plant.root / f"batches-{format_}"
        place.mkdir()
        plant.source["select"] = ["plant-readings.*"]
        plant.source["names"] = {table: f"from_{format_}"}
        plant.bed.pipeline["dataset"] = f"p_{format_}"
        batch = {
            "encoding": {"format": format_, "compression": "gzip"},
            "storage": {"root": place.as_uri()},
            "batch_size": 10_000,
        }
        run(plant, batch_config=batch)
        counted = plant.rows(f"from_{format_}", "count(*) AS n, count(DISTINCT id) AS ids, sum(price) AS p")
        assert counted == [{"n": ROWS, "ids": ROWS, "p": Decimal(ROWS * (ROWS - 1) // 2) / 100}]
        landed = [path.name for path in (plant.root / "data/raw_hist" / f"p_{format_}").rglob("*.*")]
        assert any(name.endswith(f"_0.{extension}") for name in landed), landed
        assert not [path for path in place.rglob("*") if path.is_file()], "whoever gets them takes them away"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_what_it_can_read_is_told_when_nothing_is_selected(plant: Stage) -> None:
    plant.source["select"] = ["plant-readngs.*"]
    result = plant.bed.run()
    assert isinstance(result.cause, ProjectError)
    assert "letters, plant-readings" in str(result.cause)
    lock = plant.root / "plugins/extractors/tap-plant.lock.txt"
    assert "singer-sdk==" in lock.read_text()
