"""Blocks of plugins as pipelines: what runs, what is selected, and how far sources have come."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from scripted import Outcome
from singer_programs import ENTRIES, shop

Penstock = Callable[..., Outcome]
PAIR = "tap-shop-to-target-lines"
MELTANO = "version: 1\ndefault_environment: dev\nenvironments:\n- name: dev\n- name: prod\n"


@pytest.fixture(params=["penstock.yml", "meltano.yml"])
def project(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    heads = {
        "penstock.yml": "name: shop\ndefault_environment: dev\nenvironments: {dev: {}, prod: {}}\n",
        "meltano.yml": MELTANO,
    }
    folder = shop(tmp_path / "shop", request.param, heads[request.param])
    monkeypatch.chdir(folder)
    return folder


def lines(project: Path, stream: str = "orders") -> list[dict[str, object]]:
    path = project / "output" / f"{stream}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def test_a_tap_runs_into_a_target(project: Path, penstock: Penstock) -> None:
    told = penstock("run", "tap-shop", "target-lines", "--quiet")
    assert told.code == 0, told.err
    assert [row["id"] for row in lines(project)] == [1, 2, 3]
    assert [row["name"] for row in lines(project, "people")] == ["n1", "n2", "n3"]
    assert list((project / "data/raw_hist" / PAIR).rglob("*.jsonl.gz"))
    assert penstock("run", "tap-shop", "target-lines", "-q").code == 0
    assert len(lines(project)) == 3  # the state kept it from coming again
    assert PAIR in penstock("status").out


def test_a_tap_runs_into_a_destination_of_ours(project: Path, penstock: Penstock) -> None:
    assert penstock("run", "tap-shop", "duckdb", "--quiet").code == 0
    shown = json.loads(penstock("show", "orders", "--json").out)
    assert [row["amount"] for row in shown["rows"]] == [1.5, 3.0, 4.5]
    assert penstock("run", "tap-shop", "parquet://lake", "--quiet").code == 0
    assert list((project / "lake").rglob("*.parquet"))


def test_only_what_is_selected_comes(project: Path, penstock: Penstock) -> None:
    assert penstock("select", "tap-shop", "orders", "amount").code == 0
    penstock("run", "tap-shop", "target-lines", "-q")
    assert set(lines(project)[0]) - {"_penstock_load_id"} == {"id", "amount"}
    assert lines(project, "people") == []


def test_a_full_refresh_sends_everything_to_a_target_again(project: Path, penstock: Penstock) -> None:
    penstock("run", "tap-shop", "target-lines", "-q")
    assert penstock("run", "tap-shop", "target-lines", "-q", "--full-refresh").code == 0
    assert [row["id"] for row in lines(project)] == [1, 2, 3, 1, 2, 3]


def test_a_full_refresh_takes_the_place_of_what_is_in_the_warehouse(
    project: Path, penstock: Penstock
) -> None:
    penstock("run", "tap-shop", "duckdb", "-q")
    assert penstock("run", "tap-shop", "duckdb", "-q", "--full-refresh").code == 0
    assert len(json.loads(penstock("show", "orders", "--json").out)["rows"]) == 3


def test_a_suffix_and_an_environment_keep_states_of_their_own(project: Path, penstock: Penstock) -> None:
    penstock("run", "tap-shop", "target-lines", "-q")
    penstock("run", "tap-shop", "target-lines", "-q", "--state-id-suffix", "two")
    penstock("--environment=prod", "run", "tap-shop", "target-lines", "-q")
    penstock("el", "tap-shop", "target-lines", "-q", "--state-id", "three")
    assert len(lines(project)) == 12
    assert penstock("state", "list").out.split() == [PAIR, f"{PAIR}.three", f"{PAIR}.two"]
    assert penstock("state", "list", "--env", "prod").out.split() == [f"prod.{PAIR}"]


def test_a_dry_run_does_nothing(project: Path, penstock: Penstock) -> None:
    told = penstock("run", "--dry-run", "tap-shop", "target-lines")
    assert told.code == 0
    assert PAIR in told.out
    assert lines(project) == []


def test_what_makes_no_pipeline_is_said(project: Path, penstock: Penstock) -> None:
    told = penstock("run")
    assert (told.code, "it is not said what to run" in told.err) == (2, True)
    told = penstock("run", "tap-shop")
    assert (told.code, "nothing after it" in told.err) == (2, True)
    told = penstock("run", "target-lines")
    assert (told.code, "no extractor stands before" in told.err) == (2, True)
    told = penstock("run", "tap-shop", "target-line")
    assert (told.code, "did you mean 'target-lines'?" in told.err) == (2, True)
    told = penstock("run", "tap-shp", "target-lines")
    assert (told.code, "did you mean 'tap-shop'?" in told.err) == (1, True)


def test_a_setting_may_refer_to_the_extractor(project: Path, penstock: Penstock) -> None:
    penstock("config", "target-lines", "set", "prefix", "$MELTANO_EXTRACTOR_NAMESPACE-")
    penstock("run", "tap-shop", "target-lines", "-q")
    assert (project / "output/tap_shop-orders.jsonl").is_file()


def test_an_heir_has_the_settings_of_its_parent(project: Path, penstock: Penstock) -> None:
    penstock("config", "tap-shop", "set", "rows", "2")
    assert penstock("add", "tap-mall", "--inherit-from", "tap-shop", "--no-install").code == 0
    penstock("config", "tap-mall", "set", "shops", '["mall"]')
    config = json.loads(penstock("config", "tap-mall").out)
    assert config == {"rows": 2, "shops": ["mall"]}
    penstock("run", "tap-mall", "target-lines", "-q")
    assert [row["note"] for row in lines(project)] == ["mall", "mall"]


def test_a_utility_runs_between_pipelines_and_what_fails_ends_it(project: Path, penstock: Penstock) -> None:
    file = next(project.glob("*.yml"))
    utility = """\
  utilities:
  - name: count
    executable: count.py
    commands:
      orders: orders
      nothing: {args: nothing}
"""
    script = (
        "import sys\nprint(len(open(f'output/{sys.argv[1]}.jsonl').readlines()), file=open('counted', 'a'))\n"
    )
    (project / "count.py").write_text(script)
    file.write_text(file.read_text() + utility)
    penstock("job", "add", "both", "--tasks", "[tap-shop target-lines, count:orders]")
    assert penstock("run", "both", "-q").code == 0
    assert (project / "counted").read_text() == "3\n"
    told = penstock("run", "count:nothing", "tap-shop", "duckdb", "-q")
    assert (told.code, "`count:nothing` ended with exit code 1" in told.err) == (1, True)
    assert not (project / "warehouse.duckdb").exists()
    assert penstock("run", "count:other", "-q").code == 1


# -------------------------------------------------------------------------------------- states


def test_a_state_is_read_set_and_cleared(project: Path, penstock: Penstock) -> None:
    penstock("run", "tap-shop", "target-lines", "-q")
    said = json.loads(penstock("state", "get", PAIR).out)
    assert said == {"singer_state": {"bookmarks": {"orders": 3}}}
    assert json.loads(penstock("state", "get", f"dev:{PAIR}").out) == said
    assert penstock("state", "set", PAIR, '{"singer_state": {"bookmarks": {"orders": 1}}}').code == 0
    penstock("run", "tap-shop", "target-lines", "-q")
    assert [row["id"] for row in lines(project)] == [1, 2, 3, 2, 3]
    assert penstock("state", "clear", PAIR, "--force").code == 0
    assert json.loads(penstock("state", "get", PAIR).out) == {}
    penstock("run", "tap-shop", "target-lines", "-q")
    assert len(lines(project)) == 8


def test_states_are_carried_elsewhere(project: Path, penstock: Penstock) -> None:
    penstock("run", "tap-shop", "target-lines", "-q")
    other = f"{PAIR}.two"
    assert penstock("state", "copy", PAIR, f"dev:{PAIR}:two").code == 0
    carried = json.loads(penstock("state", "get", other).out)
    assert carried == json.loads(penstock("state", "get", PAIR).out)
    assert penstock("state", "export", "--output", "states.json").code == 0
    assert set(json.loads((project / "states.json").read_text())) == {PAIR, other}
    penstock("state", "clear", "--all")
    assert penstock("state", "import", "states.json").code == 0
    assert json.loads(penstock("state", "get", other).out)["singer_state"]["bookmarks"] == {"orders": 3}
    penstock("state", "merge", other, '{"singer_state": {"bookmarks": {"people": 1}}}')
    merged = json.loads(penstock("state", "get", other).out)["singer_state"]["bookmarks"]
    assert merged == {"orders": 3, "people": 1}
    assert penstock("state", "move", other, PAIR).code == 0
    assert json.loads(penstock("state", "get", other).out) == {}
    assert penstock("state", "set", PAIR, "[1]").code == 1
    assert penstock("state", "get", "nobody").code == 1


# ---------------------------------------------------------------------------- jobs and schedules


def test_a_job_is_added_run_scheduled_and_removed(project: Path, penstock: Penstock) -> None:
    file = next(project.glob("*.yml"))
    assert penstock("job", "add", "daily", "--tasks", "[tap-shop target-lines]").code == 0
    assert penstock("job", "add", "daily", "--tasks", "tap-shop duckdb").code == 2
    assert penstock("job", "add", "odd", "--tasks", "tap-shop").code == 2
    assert penstock("schedule", "add", "morning", "--job", "daily", "--interval", "@daily").code == 0
    assert penstock("schedule", "add", "odd", "--job", "daily", "--interval", "often").code == 2
    [found] = json.loads(penstock("schedule", "list", "--format=json").out)["schedules"]["job"]
    assert (found["cron_interval"], found["job"]["tasks"]) == ("0 0 * * *", ["tap-shop target-lines"])
    penstock("schedule", "set", "morning", "--interval", "5 4 * * *")
    assert penstock("schedule", "list").out == "morning: 5 4 * * *, daily\n"
    assert penstock("job", "list").out == "daily: tap-shop target-lines\n"
    assert penstock("run", "daily", "-q").code == 0
    penstock("schedule", "run", "morning", "-q")
    assert len(lines(project)) == 3
    assert penstock("job", "remove", "daily").code == 1
    assert penstock("schedule", "remove", "morning").code == 0
    assert penstock("job", "remove", "daily").code == 0
    assert "daily" not in file.read_text()


# ---------------------------------------------------------------------------- selecting, invoking


def test_patterns_are_listed_and_taken_back(
    project: Path, penstock: Penstock, same: Callable[[str, str], None]
) -> None:
    file = next(project.glob("*.yml"))
    before = file.read_text()
    penstock("select", "tap-shop", "orders")
    penstock("select", "tap-shop", "orders", "note", "--exclude")
    same("meltano_select", penstock("select", "tap-shop", "--list", "--all").out)
    marks = {
        (m["stream"], m["property"]): m["selection"]
        for m in json.loads(penstock("select", "tap-shop", "--list", "--all", "--json").out)["found"]
    }
    assert marks["orders", "id"] == "automatic"
    assert marks["orders", "amount"] == "selected"
    assert marks["orders", "note"] == marks["people", "name"] == "excluded"
    assert penstock("select", "tap-shop", "orders", "note", "--exclude", "--rm").code == 0
    assert penstock("select", "tap-shop", "orders", "nothing", "--rm").code == 2
    penstock("select", "tap-shop", "--clear")
    assert file.read_text() == before


def test_a_plugin_is_run_by_itself(project: Path, penstock: Penstock) -> None:
    def invoked(*words: str) -> str:
        command = [sys.executable, "-m", "penstock", "invoke", "tap-shop", *words]
        return subprocess.run(command, cwd=project, check=True, capture_output=True, text=True).stdout

    kinds = [json.loads(line)["type"] for line in invoked().splitlines()]
    assert kinds.count("RECORD") == 6
    assert '"tap_stream_id": "orders"' in invoked("--discover")
    catalog = json.loads(penstock("invoke", "--dump=catalog", "tap-shop").out)
    assert [s["selected"] for s in catalog["streams"]] == [True, True]
    assert penstock("invoke", "tap-shop:nothing").code == 1


# ------------------------------------------------------------------------------ adding, removing


def test_plugins_are_added_and_removed(project: Path, penstock: Penstock) -> None:
    file = next(project.glob("*.yml"))
    before = file.read_text()
    told = penstock("add", "extractor", "tap-github", "--no-install")
    assert told.err == f"added extractor tap-github to {file.name}, variant meltanolabs\n"
    assert penstock("add", "loader", "target-jsonl", "--variant=andyh1203", "--no-install").code == 0
    assert "  - name: target-jsonl\n    variant: andyh1203\n    pip_url: target-jsonl\n" in file.read_text()
    assert penstock("add", "tap-github", "--no-install").err == "`tap-github` is in the project already\n"
    told = penstock("add", "tap-githb", "--no-install")
    assert (told.code, "did you mean 'tap-github'?" in told.err) == (1, True)
    assert penstock("remove", "loader", "target-jsonl").code == 0
    assert penstock("remove", "tap-github").code == 0
    assert file.read_text() == before


def test_a_plugin_is_added_from_a_definition(project: Path, penstock: Penstock) -> None:
    definition = {
        "name": "tap-odd",
        "executable": "tap_shop.py",
        "settings": [{"name": "rows", "kind": "integer"}],
    }
    (project / "odd.json").write_text(json.dumps(definition))
    assert penstock("add", "tap-odd", "--from-ref", "odd.json").code == 0
    penstock("config", "tap-odd", "set", "rows", "4")
    assert json.loads(penstock("config", "tap-odd").out) == {"rows": 4}


def test_entries_are_as_they_were_written(project: Path) -> None:
    assert ENTRIES in next(project.glob("*.yml")).read_text()
