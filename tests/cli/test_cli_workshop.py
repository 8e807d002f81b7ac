"""The commands on a real project, in the order of the tutorial."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scripted import Outcome

Penstock = Callable[..., Outcome]


@pytest.fixture
def ask(penstock: Penstock) -> Callable[..., Any]:
    """Run a command that must succeed, and read its JSON document."""

    def run(*arguments: str) -> Any:
        told = penstock(*arguments, "--json")
        assert (told.code, told.err) == (0, "")
        return json.loads(told.out)

    return run


@pytest.fixture
def project(penstock: Penstock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A new project of the first template, and the folder to work in."""
    assert penstock("init", "files", "shop", "--no-input").code == 0
    monkeypatch.chdir(tmp_path / "shop")
    return tmp_path / "shop"


def totals(document: Any) -> tuple[int, int, int]:
    """Rows, loaded and quarantined of the only table of a run, a plan or a status."""
    table = document["pipelines"][0]["tables"][0]
    return table["rows"], table.get("loaded", table.get("accepted")), table["quarantined"]


def test_from_nothing_to_a_warehouse(penstock: Penstock, ask: Callable[..., Any], project: Path) -> None:
    assert penstock("check").out == "ok: shop, 1 pipeline, 1 table\n"
    assert "nothing new" in penstock("plan").out
    penstock("generate")

    planned = ask("plan")
    assert totals(planned) == (1000, 1000, 0)
    assert [step["step"] for step in planned["pipelines"][0]["steps"]] == ["land", "judge", "keep", "load"]
    assert not (project / "warehouse.duckdb").exists()
    assert ask("status")["pipelines"][0]["on_offer"] == 1

    told = penstock("run")
    assert told.code == 0
    assert told.out.endswith("all 1,000 rows loaded, see: penstock show synthetic_data\n")
    assert told.err.startswith("synthetic: land: 1 file, ")
    assert ask("run")["pipelines"][0]["status"] == "nothing_new"

    penstock("generate", "--new-data", "--bad", "2%")
    assert totals(ask("plan")) == (1000, 980, 20)
    second = ask("run")
    assert totals(second) == (1000, 980, 20)
    assert second["needs_a_look"] == [
        {
            "what": "20 rows of `synthetic_data` quarantined",
            "command": "penstock quarantine show synthetic_data",
        }
    ]
    assert totals(ask("status")) == (2000, 1980, 20)

    found = ask("show", "--sql", "SELECT count(*) AS n, max(id) AS last FROM synthetic_data")
    assert found["rows"] == [{"n": 1980, "last": 2000}]
    assert len(ask("show", "synthetic_data", "--limit", "3")["rows"]) == 3
    assert ask("show")["rows"] == [{"pipeline": "synthetic", "table": "synthetic_data", "rows": 1980}]


def test_what_was_set_aside(penstock: Penstock, ask: Callable[..., Any], project: Path) -> None:
    penstock("generate", "--rows", "100", "--bad", "enum=0.02", "--bad", "malformed=0.01")
    penstock("run")
    (entry,) = ask("quarantine", "list")["entries"]
    assert (entry["table"], entry["kept"], entry["rows"]) == ("synthetic_data", "rows", 3)
    rows = ask("quarantine", "show", "synthetic_data")["rows"]
    assert sorted(row["broken"][0]["rule"] for row in rows) == ["enum", "enum", "unparsable"]
    lines = (project / "raw_data/synthetic_data_0.jsonl").read_text().splitlines()
    assert all('"ZZ"' in lines[row["row"] - 1] for row in rows if row["broken"][0]["rule"] == "enum")
    assert len(ask("quarantine", "show", entry["key"], "--limit", "1")["rows"]) == 1

    (written,) = ask("quarantine", "export", "--out", "aside")["files"]
    assert sorted(Path(written).read_text().splitlines()) == sorted(lines[row["row"] - 1] for row in rows)

    metadata = project / "metadata/synthetic_data.yml"
    metadata.write_text(metadata.read_text().replace("enum: [US,", "enum: [ZZ, US,"))
    assert totals(ask("quarantine", "replay")) == (3, 2, 1)
    assert ask("show", "--sql", "SELECT count(*) AS n FROM synthetic_data")["rows"] == [{"n": 99}]


def test_rebuild(penstock: Penstock, ask: Callable[..., Any], project: Path) -> None:
    penstock("generate", "--rows", "50", "--files", "2")
    penstock("run")
    before = ask("show", "--sql", "SELECT * EXCLUDE _penstock_load_id FROM synthetic_data ORDER BY id")
    assert totals(ask("rebuild", "--table", "synthetic_data")) == (100, 100, 0)
    after = ask("show", "--sql", "SELECT * EXCLUDE _penstock_load_id FROM synthetic_data ORDER BY id")
    assert (before["found"], before) == (100, after)


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("run", "sinthetic"), "did you mean 'synthetic'?"),
        (("show", "sinthetic_data"), "did you mean 'synthetic_data'?"),
        (("rebuild", "--table", "synthetic_dat"), "did you mean 'synthetic_data'?"),
        (("check", "--env", "prd"), "did you mean 'prod'?"),
    ],
)
def test_names_that_are_not_there(
    arguments: tuple[str, ...], hint: str, penstock: Penstock, project: Path
) -> None:
    told = penstock(*arguments)
    assert (told.code, told.out) == (1, "")
    assert hint in told.err


def test_the_schema_for_editors(ask: Callable[..., Any]) -> None:
    schema = ask("check", "--json-schema")
    assert "pipelines" in schema["properties"]
