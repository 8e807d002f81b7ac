"""The postcodes project: calls of an API land, are checked, kept, loaded, and counted day by day."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from scripted import Outcome

import penstock as ps
from penstock.app.files import load_project

Penstock = Callable[..., Outcome]
CALLS = 150
BAD = 10
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def project(penstock: Penstock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project with fewer calls, and the folder to work in."""
    assert penstock("init", "postcodes", "post", "--no-input").code == 0
    folder = tmp_path / "post"
    for name in ("GITHUB_TAG", "SNAPSHOT_DATE", "POSTCODES_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(folder)
    edit(folder, "repeat: 1000", f"repeat: {CALLS}")
    return folder


@pytest.fixture
def stand_in(project: Path) -> ModuleType:
    """The project's own `server.py`."""
    return imported(project / "server.py")


@pytest.fixture
def serve(stand_in: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Start the server of the project, in place of the one that served before."""
    running: list[Any] = []

    def start(seed: int = 1, bad: int = BAD) -> Any:  # Any: a class of the project
        server = stand_in.Server(0, seed, bad)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running.append(server)
        monkeypatch.setenv("POSTCODES_URL", server.url)
        return server

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


def imported(path: Path) -> ModuleType:
    """A file of the project as a module."""
    spec = spec_from_file_location(f"post_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def edit(folder: Path, before: str, after: str) -> None:
    """Change the one place of the project file that says `before`."""
    text = (folder / "penstock.yml").read_text()
    assert text.count(before) == 1
    (folder / "penstock.yml").write_text(text.replace(before, after))


def ran(penstock: Penstock, code: int = 0) -> dict[str, Any]:
    """What a run says of each pipeline."""
    told = penstock("run", "--json", "-q")
    assert told.code == code, told.err
    return {pipeline["pipeline"]: pipeline for pipeline in json.loads(told.out)["pipelines"]}


def asked(pipeline: str, query: str) -> list[tuple[Any, ...]]:
    """The answer of a query, from a pipeline's destination."""
    return ps.open_session().dataset(pipeline).sql(query).fetchall()


def landed(folder: Path, layer: str) -> list[str]:
    """The files of postcodes that lie in a layer."""
    below = folder / "data" / layer
    files = below.glob("open_data/random_postcodes/**/*")
    return sorted(str(path.relative_to(below)) for path in files if path.is_file())


# ------------------------------------------------------------------------------------ the project


def test_what_is_made(penstock: Penstock, same: Callable[[str, str], None]) -> None:
    told = penstock("init", "postcodes", "post")
    assert (told.code, told.err) == (0, "")
    same("init_postcodes", told.out)
    assert penstock("check", "-p", "post").out == "ok: post, 2 pipelines, 2 tables\n"


def test_the_metadata_is_that_of_etl_manager(project: Path) -> None:
    loaded = load_project(project, env={})
    raw = loaded.table("open_data", "random_postcodes")
    assert len(raw.names) == 24
    assert all(column.declared for column in raw.columns)
    assert [c.name for c in raw.columns if c.pattern] == ["postcode", "incode", "outcode"]
    assert [c.name for c in raw.columns if not c.nullable] == ["postcode", "quality", "country"]
    counted = loaded.table("calculated", "calculated")
    assert counted.partitions == ("dea_snapshot_date",)


def test_the_real_api_takes_one_setting(project: Path) -> None:
    said = load_project(project, env={"POSTCODES_URL": "https://api.postcodes.io"}).project
    assert said.pipelines["open_data"].source.base_url == "https://api.postcodes.io"
    prod = load_project(project, "prod", {"BUCKET": "b"}).project
    assert prod.pipelines["open_data"].source.base_url == "https://api.postcodes.io"
    assert prod.pipelines["calculated"].source.arguments["environment"] == "prod"


# ------------------------------------------------------------------------------------- the server


def test_the_same_seed_gives_the_same_postcodes(stand_in: ModuleType) -> None:
    def first(seed: int) -> list[Any]:
        return [stand_in.postcode(seed, number, BAD) for number in range(200)]

    assert first(1) == first(1)
    assert [row for row, _ in first(1)] != [row for row, _ in first(2)]
    assert Counter(fault for _, fault in first(1)) == {None: 180, **dict.fromkeys(stand_in.FAULTS, 4)}


def test_good_answers_keep_what_the_metadata_promises(project: Path, stand_in: ModuleType) -> None:
    table = load_project(project, env={}).table("open_data", "random_postcodes")
    rows = [stand_in.postcode(7, number)[0] for number in range(500)]
    for column in table.columns:
        values = [row[column.name] for row in rows]
        assert column.nullable or None not in values
        assert not column.enum or set(values) <= set(column.enum)
        assert not column.pattern or all(re.fullmatch(column.pattern, value) for value in values)
    assert {row["country"] for row in rows} >= {"England", "Wales", "Scotland", "Northern Ireland"}
    assert any(row["parish"] is None for row in rows)
    assert all(row["postcode"] == f"{row['outcode']} {row['incode']}" for row in rows)
    inland = [row for row in rows if row["latitude"] is not None]
    assert all(49 < row["latitude"] < 61 and -9 < row["longitude"] < 2 for row in inland)


def test_the_api_has_drifted_from_the_metadata(project: Path, stand_in: ModuleType) -> None:
    promised = json.loads((project / "metadata/raw/random_postcodes.json").read_text())["columns"]
    row, _ = stand_in.postcode(1, 0)
    assert set(row) - {column["name"] for column in promised} >= {"pfa", "icb", "lsoa21"}
    assert not {column["name"] for column in promised} - set(row)
    assert "parliamentary_constituency" in promised[-1]["type"]
    assert "parliamentary_constituency" not in row["codes"]  # today there is only that of 2024


def test_calls_are_answered_and_counted(serve: Callable[..., Any]) -> None:
    server = serve(bad=2)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(4):
        with opener.open(f"{server.url}/random/postcodes?a=1", timeout=30) as answer:
            document = json.load(answer)
            assert (document["status"], "postcode" in document["result"]) == (200, True)
    with pytest.raises(urllib.error.HTTPError) as caught:
        opener.open(f"{server.url}/postcodes/SN96DZ", timeout=30)
    with caught.value as refused:
        assert json.load(refused) == {"status": 404, "error": "Resource not found"}
    assert server.summary() == "4 calls answered, 2 of them bad: pattern 1, null 1"


def test_it_serves_while_a_command_runs(project: Path) -> None:
    asks = (
        "import os, sys, urllib.request as u; url = os.environ['POSTCODES_URL']; print(url);"
        "u.build_opener(u.ProxyHandler({})).open(url + '/random/postcodes').read(); sys.exit(3)"
    )
    command = [sys.executable, "server.py", sys.executable, "-c", asks]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 3  # the command's own
    assert done.stderr == "server: 1 call answered, 0 of them bad\n"
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(done.stdout.strip(), timeout=5)


def test_it_ends_with_the_command_when_it_is_told_to(project: Path) -> None:
    waits = "import os, time; print(os.getpid(), os.environ['POSTCODES_URL'], flush=True); time.sleep(60)"
    command = [sys.executable, "server.py", sys.executable, "-c", waits]
    with subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as server:
        assert server.stdout is not None
        child, url = server.stdout.readline().decode().split()
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=30) == 128 + signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(int(child), 0)
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(url, timeout=5)


def test_it_serves_until_it_is_told_to_stop(project: Path) -> None:
    command = [sys.executable, "server.py", "--port", "0"]
    with subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as server:
        assert server.stdout is not None
        assert server.stderr is not None
        url = server.stdout.readline().decode().strip().removeprefix("POSTCODES_URL=")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        opener.open(f"{url}/random/postcodes", timeout=30).close()
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=30) == 0
        assert server.stderr.read() == b"server: 1 call answered, 0 of them bad\n"


# --------------------------------------------------------------------------------------- the runs


def test_from_calls_to_counts(
    project: Path, penstock: Penstock, stand_in: ModuleType, serve: Callable[..., Any]
) -> None:
    server = serve()
    began = int(time.time())
    done = ran(penstock)
    assert server.answered.total() == CALLS

    assert landed(project, "land") == []
    [kept] = landed(project, "raw_hist")
    name = r"open_data/random_postcodes/file_land_timestamp=(\d+)/random_postcodes_(\d+)\.jsonl\.gz"
    found = re.fullmatch(name, kept)
    assert found is not None
    assert found[1] == found[2]
    assert began <= int(found[1]) <= time.time()
    lines = gzip.decompress((project / "data/raw_hist" / kept).read_bytes()).splitlines()
    answers = [stand_in.postcode(1, number, BAD)[0] for number in range(CALLS)]
    assert sorted(map(json.loads, lines), key=str) == sorted(answers, key=str)

    [table] = done["open_data"]["tables"]
    assert (table["rows"], table["loaded"], table["quarantined"]) == (CALLS, 135, 15)
    assert table["broken"] == {
        "country.enum": 3,
        "eastings.type": 3,
        "incode.pattern": 3,
        "parts_make_the_whole": 3,
        "postcode.pattern": 3,
        "quality.nullable": 3,
    }
    assert {"pfa", "icb", "codes"} <= set(table["discarded"])

    loaded = asked("open_data", "SELECT count(*), count(DISTINCT postcode) FROM random_postcodes")
    assert loaded[0][0] == 135
    counts = dict(asked("calculated", "SELECT european_electoral_region, n FROM calculated"))
    good = [answer for number, answer in enumerate(answers) if number % BAD != BAD - 1]
    assert counts == Counter((a["european_electoral_region"] or "").lower() or None for a in good)


def test_a_day_is_replaced_and_other_days_stay(
    project: Path, penstock: Penstock, serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def partitions() -> dict[str, list[Path]]:
        days = (project / "curated/calculated").iterdir()
        return {day.name: sorted(day.glob("*.parquet")) for day in days}

    monkeypatch.setenv("SNAPSHOT_DATE", "2030-01-30")
    serve(seed=1)
    ran(penstock)
    first = partitions()
    assert list(first) == ["dea_snapshot_date=2030-01-30"]
    monkeypatch.setenv("SNAPSHOT_DATE", "2030-01-31")
    for seed in (2, 3):
        serve(seed=seed)
        ran(penstock)
    last = partitions()
    assert sorted(last) == ["dea_snapshot_date=2030-01-30", "dea_snapshot_date=2030-01-31"]
    assert last["dea_snapshot_date=2030-01-30"] == first["dea_snapshot_date=2030-01-30"]
    assert all(len(files) == 1 for files in last.values())
    query = "SELECT CAST(dea_snapshot_date AS VARCHAR), sum(n)::INT FROM calculated GROUP BY 1 ORDER BY 1"
    assert asked("calculated", query) == [("2030-01-30", 135), ("2030-01-31", 3 * 135)]
    assert asked("open_data", "SELECT count(*) FROM random_postcodes") == [(3 * 135,)]


def test_the_day_is_today_unless_it_is_said(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = imported(project / "calculated.py")
    before = time.gmtime()
    assert module.snapshot_date().isoformat() in {
        time.strftime("%Y-%m-%d", moment) for moment in (before, time.gmtime())
    }
    monkeypatch.setenv("SNAPSHOT_DATE", "2019-03-07")
    assert module.snapshot_date().isoformat() == "2019-03-07"


def test_what_is_counted_is_what_the_environment_has(
    project: Path, penstock: Penstock, serve: Callable[..., Any]
) -> None:
    text = (project / "penstock.yml").read_text()
    other = """
  other:
    destination: duckdb:///other.duckdb
    pipelines:
      calculated: {destination: parquet://other, source: {with: {environment: other}}}
"""
    (project / "penstock.yml").write_text(text + other)
    serve()
    ran(penstock)
    serve(bad=0)
    assert penstock("run", "-q", "-e", "other").code == 0
    query = "SELECT sum(n)::INT FROM calculated"
    assert asked("calculated", query) == [(135,)]
    both = [(135 + CALLS,)]  # a warehouse without what raw history has begins with that
    assert ps.open_session(None, "other").dataset("calculated").sql(query).fetchall() == both


def test_counting_before_anything_is_loaded(project: Path, penstock: Penstock) -> None:
    told = penstock("run", "calculated", "--json", "-q")
    assert told.code == 0
    assert json.loads(told.out)["pipelines"][0]["status"] == "nothing_new"


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_the_version_is_the_tag(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = imported(project / "calculated.py")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(project.parent))
    assert module.tag("v0") == "v0"
    who = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    for words in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "first"], ["tag", "v1.2.0"]):
        subprocess.run(["git", "-C", str(project), *words], check=True)
    assert module.tag("v0") == "v1.2.0"
    (project / "README.md").write_text("changed")
    assert module.tag("v0") == "v1.2.0-dirty"
    monkeypatch.setenv("GITHUB_TAG", "v2.0.0")
    assert module.tag("v0") == "v2.0.0"


def test_the_version_without_git(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert imported(project / "calculated.py").tag("v0") == "v0"


# ------------------------------------------------------------------------------------------- drift


def test_evolve_takes_new_fields_in(project: Path, penstock: Penstock, serve: Callable[..., Any]) -> None:
    edit(project, "{columns: discard_value}", "{columns: evolve}")
    serve(bad=0)
    [table] = ran(penstock)["open_data"]["tables"]
    assert (table["loaded"], table["discarded"]) == (CALLS, {})
    [(forces, boards)] = asked(
        "open_data", "SELECT count(pfa), count(codes.icb) FROM random_postcodes WHERE country = 'England'"
    )
    assert forces == boards > 0


def test_quarantine_sets_rows_aside_until_the_contract_changes(
    project: Path, penstock: Penstock, serve: Callable[..., Any]
) -> None:
    edit(project, "{columns: discard_value}", "{columns: quarantine}")
    serve(bad=0)
    [table] = ran(penstock)["open_data"]["tables"]
    assert (table["loaded"], table["quarantined"]) == (0, CALLS)
    edit(project, "{columns: quarantine}", "{columns: evolve}")
    assert penstock("quarantine", "replay", "-q").code == 0
    assert asked("open_data", "SELECT count(*), count(date_of_introduction) FROM random_postcodes") == [
        (CALLS, CALLS)
    ]


def test_freeze_lets_nothing_through(project: Path, penstock: Penstock, serve: Callable[..., Any]) -> None:
    edit(project, "{columns: discard_value}", "{columns: freeze}")
    server = serve(bad=0)
    told = penstock("run", "-q")
    assert told.code == 1
    assert "`random_postcodes` has no column" in told.err
    assert len(landed(project, "land")) == 1
    assert landed(project, "raw_hist") == []
    edit(project, "{columns: freeze}", "{columns: discard_value}")
    ran(penstock)  # what waits in land first, then a thousand more
    assert server.answered.total() == 2 * CALLS
    assert asked("open_data", "SELECT count(*) FROM random_postcodes") == [(2 * CALLS,)]


def test_a_change_of_mind_reaches_what_is_kept(
    project: Path, penstock: Penstock, serve: Callable[..., Any]
) -> None:
    serve(bad=0)
    ran(penstock)
    edit(project, "{columns: discard_value}", "{columns: evolve}")
    assert penstock("rebuild", "--table", "random_postcodes", "--yes", "-q").code == 0
    assert asked("open_data", "SELECT count(date_of_introduction) FROM random_postcodes") == [(CALLS,)]


# ----------------------------------------------------------------------------------------- failures


def test_too_few_answers_are_set_aside_whole(
    project: Path, penstock: Penstock, serve: Callable[..., Any]
) -> None:
    edit(project, f"repeat: {CALLS}", "repeat: 99")
    serve()
    done = ran(penstock)
    [finding] = done["open_data"]["findings"]
    assert finding["finding"]["message"] == "99 rows, at least 100 are expected"
    assert done["open_data"]["tables"][0]["loaded"] == 0
    assert done["calculated"]["status"] == "nothing_new"


def test_nobody_answers(project: Path, penstock: Penstock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTCODES_URL", "http://127.0.0.1:9")
    edit(project, "checkpoint_s: 3600", "retry: {attempts: 1}")
    told = penstock("run", "open_data", "-q")
    assert told.code == 3
    assert landed(project, "land") == landed(project, "raw_hist") == []


# -------------------------------------------------------------------------------- a thousand calls


@pytest.mark.slow
def test_a_thousand_calls(project: Path) -> None:
    edit(project, f"repeat: {CALLS}", "repeat: 1000")
    command = [sys.executable, "server.py", sys.executable, "-m", "penstock", "run", "--json"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=True, timeout=120)
    assert done.stderr.endswith(
        "server: 1,000 calls answered, 10 of them bad: pattern 2, null 2, enum 2, type 2, parts 2\n"
    )
    [[table], [counted]] = [pipeline["tables"] for pipeline in json.loads(done.stdout)["pipelines"]]
    assert (table["rows"], table["loaded"], table["quarantined"]) == (1000, 990, 10)
    assert (counted["rows"], counted["loaded"]) == (10, 10)
    assert len(landed(project, "raw_hist")) == 1


@pytest.mark.slow
def test_in_a_bucket(
    project: Path,
    penstock: Penstock,
    serve: Callable[..., Any],
    s3_url: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bucket = s3_url().removeprefix("s3://").partition("/")[0]
    monkeypatch.setenv("BUCKET", bucket)
    edit(project, '{base_url: "https://api.postcodes.io"}', '{base_url: "${POSTCODES_URL}"}')
    for seed, day in ((1, "2030-01-24"), (2, "2030-01-31"), (3, "2030-01-31")):
        serve(seed)
        monkeypatch.setenv("SNAPSHOT_DATE", day)
        assert penstock("run", "-q", "-e", "prod").code == 0
    query = "SELECT CAST(dea_snapshot_date AS VARCHAR), sum(n)::INT FROM calculated GROUP BY 1 ORDER BY 1"
    counted = ps.open_session(None, "prod").dataset("calculated").sql(query).fetchall()
    assert counted == [("2030-01-24", 135), ("2030-01-31", 3 * 135)]
    assert not (project / "data").exists()
    assert not (project / "curated").exists()
    assert not (project / "warehouse.duckdb").exists()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    script = ROOT / "examples" / "demo_postcodes.sh"
    done = subprocess.run(
        ["sh", str(script), "demo"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.count("server: 1,000 calls answered, 10 of them bad") == 3
    assert "2030-01-24         v1.0.0             990" in done.stdout
    assert "2030-01-31         v1.1.0            2970" in done.stdout
