"""The project of `penstock init dagster-releases`: releases, and assets of Dagster that are made of them."""

from __future__ import annotations

import base64
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pytest
from scripted import Outcome

import penstock as ps

Penstock = Callable[..., Outcome]
PUBLISHED = "SELECT count(*) AS n, count(DISTINCT tag_name) AS versions FROM releases"


@pytest.fixture
def project(penstock: Penstock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("GITHUB_API", "GITHUB_TOKEN", "RELEASES_OF"):
        monkeypatch.delenv(name, raising=False)
    assert penstock("init", "dagster-releases", "rel", "--no-input").code == 0
    monkeypatch.chdir(tmp_path / "rel")
    return tmp_path / "rel"


def imported(path: Path) -> ModuleType:
    spec = spec_from_file_location(f"rel_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows(project: Path, sql: str) -> list[dict[str, Any]]:
    return ps.open_session(project).dataset("github").sql(sql).arrow().to_pylist()


def test_it_is_scaffolded(project: Path, penstock: Penstock, same: Callable[[str, str], None]) -> None:
    told = penstock("init", "dagster-releases", "../again", "--no-input")
    same("init_dagster_releases", told.out)
    assert "{{" not in "".join(p.read_text() for p in project.iterdir() if p.is_file())


def test_a_run_needs_no_network_and_no_dagster(project: Path, penstock: Penstock) -> None:
    done = penstock("run")
    assert done.code == 0
    assert rows(project, PUBLISHED) == [{"n": 119, "versions": 119}]
    assert "1 row of `releases` quarantined" in done.out


def test_a_second_run_merges(project: Path, penstock: Penstock) -> None:
    assert [penstock("run", "-q").code for _ in range(2)] == [0, 0]
    assert rows(project, PUBLISHED) == [{"n": 119, "versions": 119}]


@pytest.fixture
def real(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str | None]]:
    """The stand-in at an address of its own, as the real API; and what it was told of who asks."""
    stand_in = imported(project / "stand_in.py")
    seen: list[str | None] = []

    class Handler(stand_in.Handler):  # type: ignore[misc, name-defined]  # a class of the project
        def do_GET(self) -> None:  # noqa: N802 - the name is http.server's
            seen.append(self.headers.get("Authorization"))
            super().do_GET()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("GITHUB_API", f"http://127.0.0.1:{server.server_port}")
    yield seen
    server.shutdown()
    server.server_close()
    thread.join()


def test_one_setting_leads_to_the_real_api_and_another_says_who_asks(
    project: Path, penstock: Penstock, real: list[str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "a-secret-token")
    done = penstock("run")
    assert done.code == 0
    assert real == ["Bearer a-secret-token"] * 2  # two pages
    assert "a-secret-token" not in done.out + done.err
    assert rows(project, PUBLISHED) == [{"n": 119, "versions": 119}]


def test_the_stand_in_answers_as_the_api_does(project: Path) -> None:
    stand_in = imported(project / "stand_in.py")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with stand_in.serving() as url:
        with opener.open(f"{url}/repos/a/b/releases", timeout=30) as answer:
            assert 'page=2>; rel="next"' in answer.headers["Link"]
        with opener.open(f"{url}/repos/a/b/releases?per_page=100&page=2", timeout=30) as answer:
            assert answer.headers["Link"] is None
        with pytest.raises(urllib.error.HTTPError, match="404"):
            opener.open(f"{url}/rate_limit", timeout=30)


@pytest.fixture
def defs(project: Path) -> Any:
    pytest.importorskip("dagster")
    return imported(project / "definitions.py").defs


def test_the_job_makes_everything_with_a_preview_and_a_chart(project: Path, defs: Any) -> None:
    import dagster as dg

    with dg.DagsterInstance.ephemeral() as instance:
        result = defs.resolve_job_def("pandas_job").execute_in_process(instance=instance)
        events = result.get_asset_materialization_events()
        checks = {check.check_name: check.passed for check in result.get_asset_check_evaluations()}
    made = {event.asset_key.to_user_string(): event.materialization.metadata for event in events}
    assert result.success
    assert list(made)[-2:] == ["pandas_releases", "summary_statistics"]
    assert checks["is_published"] is False
    assert made["pandas_releases"]["num_records"].value == 119
    preview = made["pandas_releases"]["preview"].value
    assert preview.splitlines()[0] == "| version | published_at | summary |"
    assert len(preview.splitlines()) == 7
    counted = {row["type"]: row["count"] for row in rows(project, "SELECT * FROM summary_statistics")}
    words = {"new_features": "feature", "bug_fixes": "bug", "performance_improvements": "performance"}
    for kind, word in words.items():
        found = rows(project, f"SELECT count(*) AS n FROM releases WHERE body ILIKE '%{word}%'")
        assert counted[kind] == found[0]["n"] > 0
    plot = re.fullmatch(
        r"!\[.*\]\(data:image/svg\+xml;base64,(.*)\)", made["summary_statistics"]["plot"].value
    )
    assert plot is not None
    drawn = ElementTree.fromstring(base64.b64decode(plot[1]))
    texts = [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == [f"{kind.replace('_', ' ')}: {counted[kind]}" for kind in words]
    widths = [int(bar.attrib["width"]) for bar in drawn.iter("{http://www.w3.org/2000/svg}rect")]
    assert sorted(widths) == [widths[list(words).index(k)] for k in sorted(words, key=counted.__getitem__)]


def test_the_schedule_is_on_at_midnight(defs: Any) -> None:
    (schedule,) = defs.schedules
    assert (schedule.name, schedule.cron_schedule, schedule.job_name) == (
        "pandas_schedule",
        "0 0 * * *",
        "pandas_job",
    )
    assert schedule.default_status.value == "RUNNING"
