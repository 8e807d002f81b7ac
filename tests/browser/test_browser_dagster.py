"""Dagster's UI in a real browser: the asset graph, a run, a check that failed, and plots.

PENSTOCK_SCREENSHOTS names a folder to keep pictures of the pages in; those of the documentation are made so.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
WAIT_MS = 180_000
_LAUNCH = """
mutation ($params: ExecutionParams!) {
  launchRun(executionParams: $params) { __typename ... on LaunchRunSuccess { run { runId } } } }
"""
_STATUS = "query ($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
RELEASES = "/assets/github/warehouse/releases"
# Any: pages of playwright, answers of GraphQL


@dataclass
class Ui:
    """`penstock dev` on a project, after a few runs."""

    url: str
    runs: list[str] = field(default_factory=list)

    def ask(self, query: str, **variables: Any) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=60) as answer:
            return json.load(answer)["data"]

    def run(self, job: str) -> str:
        """Launch a job and wait for its end. Returns: how it ended."""
        selector = {"repositoryLocationName": "rel", "repositoryName": "__repository__", "jobName": job}
        launched = self.ask(_LAUNCH, params={"selector": selector, "runConfigData": {}})["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess"
        self.runs.append(launched["run"]["runId"])
        ends = time.monotonic() + WAIT_MS / 1000
        while time.monotonic() < ends:
            status: str = self.ask(_STATUS, id=self.runs[-1])["runOrError"]["status"]
            if status in ("SUCCESS", "FAILURE", "CANCELED"):
                return status
            time.sleep(0.5)  # between two questions
        raise AssertionError(f"the run did not end, it is {status}")


@pytest.fixture(scope="module")
def ui(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    """The UI of the project that `penstock init dagster-releases` makes; there is a browser to look at it."""
    pytest.importorskip("dagster_webserver")
    folder = tmp_path_factory.mktemp("ui") / "rel"
    command = [sys.executable, "-m", "penstock"]
    own = ("PENSTOCK_", "DAGSTER_", "GITHUB_", "RELEASES_")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    made = [*command, "init", "dagster-releases", str(folder), "--no-input"]
    subprocess.run(made, check=True, capture_output=True, env=environ)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = subprocess.Popen(
        [*command, "dev", "--port", str(port), "--project", str(folder)],
        stderr=subprocess.PIPE,
        text=True,
        env=environ,
        start_new_session=True,
    )
    assert started.stderr is not None
    said = []
    for line in started.stderr:
        said.append(line)
        if "Ctrl-C stops it" in line:
            break
    try:
        assert "Ctrl-C stops it" in said[-1], "".join(said)
        ui = Ui(f"http://127.0.0.1:{port}")
        ui.ask("mutation { setNuxSeen }")  # the modal of the community, which covers the first page
        assert [ui.run("pandas_job") for _ in range(2)] == ["SUCCESS"] * 2
        yield ui
    finally:
        started.send_signal(signal.SIGINT)
        started.stderr.read()
        started.wait(timeout=60)
        started.stderr.close()


@pytest.fixture
def look(page: Any, ui: Ui) -> Any:
    """Opens a place of the UI, and waits until it shows some texts."""
    page.set_default_timeout(WAIT_MS)

    def open_(place: str, *texts: str) -> Any:
        page.goto(ui.url + place)
        for text in texts:
            page.get_by_text(text, exact=True).first.wait_for()
        return page

    return open_


def shot(page: Any, name: str) -> None:
    """Keep a picture of the page, if pictures are asked for."""
    if folder := os.environ.get("PENSTOCK_SCREENSHOTS"):
        page.wait_for_timeout(4000)  # colours and plots come later than texts
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"dagster-{name}.png")


def test_the_graph_leads_from_the_source_to_what_is_made_of_it(look: Any) -> None:
    place = "/assets/summary_statistics?view=lineage&lineageScope=upstream&lineageDepth=6"
    nodes = ("releases_source", "releases_land", "releases_raw_hist", "releases", "pandas_releases")
    page = look(place, *nodes, "summary_statistics")
    shot(page, "graph")


def test_the_log_of_a_run_tells_what_was_done(look: Any, ui: Ui) -> None:
    page = look(f"/runs/{ui.runs[-1]}?logs=judge", "Success")
    page.get_by_text(re.compile(r"judge done in .*, 120 rows")).first.wait_for()


def test_a_check_that_failed_says_how_many_rows_and_where_they_are(look: Any) -> None:
    page = look(f"{RELEASES}?view=checks&checkDetail=is_published", "is_published", "Failed", "failing_rows")
    page.get_by_text(re.compile(r"quarantine show|published_at IS NOT NULL")).first.wait_for()
    shot(page, "failed-check")


def test_counts_of_rows_are_plotted_over_runs(look: Any) -> None:
    page = look(RELEASES, "rows_loaded")
    page.get_by_text("Plots", exact=True).first.click()
    page.get_by_text("rows_quarantined", exact=True).first.wait_for()
    page.wait_for_selector("canvas")
    shot(page, "table")


def test_the_chart_of_the_users_own_asset_is_drawn(look: Any) -> None:
    page = look("/assets/summary_statistics", "plot")
    chart = page.locator("img[src^='data:image/svg']").first
    chart.wait_for()
    box = chart.bounding_box()
    assert box is not None
    assert box["width"] > 200
    shot(page, "chart")
