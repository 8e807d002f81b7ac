"""The lesson on Meltano as the tutorial has it, in both spellings, with the plugins that it names.

The plugins come from a package index; where there is none, these tests are skipped and say so.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from penstock.errors import ExitCode
from servers.github import GitHub
from servers.github import github as github
from servers.postgres import PASSWORD
from servers.postgres import postgres as postgres
from servers.postgres import postgres_url as postgres_url
from servers.resale import TABLE, fill, rows

PAGE = Path(__file__).parent.parent.parent / "docs/tutorial/meltano-lesson.md"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


class Shell:
    """A person who types the lesson's lines."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def type(self, line: str, answers: str = "") -> str:
        """Run a line of the tutorial; returns what it printed on either stream. `cd` is done here."""
        first, *words = shlex.split(line)
        if first == "cd":
            self.folder /= words[0]
        if first != "penstock":
            return ""
        env = {k: v for k, v in os.environ.items() if not k.startswith(("TAP_", "PENSTOCK_", "MELTANO_"))}
        done = subprocess.run(
            [sys.executable, "-m", "penstock", *words],
            cwd=self.folder,
            input=answers,
            env={**env, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        if words[0] == "add" and done.returncode == ExitCode.OUTSIDE:
            pytest.skip(f"the package index is out of reach: {done.stderr.strip().splitlines()[-1]}")
        assert done.returncode == 0, f"$ {line}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell in an empty folder."""
    return Shell(tmp_path)


V4 = {
    "penstock add extractor ": "penstock add ",
    "penstock add loader ": "penstock add ",
    "penstock config tap-github set ": "penstock config set tap-github ",
    "penstock config tap-postgres set ": "penstock config set tap-postgres ",
    "penstock config tap-postgres test": "penstock config test tap-postgres",
}


def lines(heading: str, version: int) -> list[str]:
    """What the tutorial types in its chapters up to `heading`, in the spelling of a version of Meltano."""
    page, _, _ = PAGE.read_text("utf-8").partition(f"## {heading}")
    start = {"Into BigQuery": "## A project", "By name": "## From PostgreSQL"}[heading]
    typed = re.findall(r"^\$ (.+)$", page[page.index(start) :], re.MULTILINE)
    assert typed, heading
    for third, fourth in V4.items() if version == 4 else ():
        typed = [line.replace(third, fourth) for line in typed]
    return typed


@pytest.mark.parametrize("version", [3, 4])
def test_releases_of_pandas_come_into_a_json_file(version: int, shell: Shell, github: GitHub) -> None:
    said = {}
    for line in lines("Into BigQuery", version):
        answers = ""
        if line.endswith("--interactive"):  # no token: the tap would try it out elsewhere
            answers = f'repositories\n["pandas-dev/pandas"]\napi_url_base\n{github.url}\ne\n'
        said[line] = shell.type(line, answers)
    assert "[automatic  ] releases.id" in said["penstock select tap-github --list --all"]
    assert "all 5 rows loaded" in said["penstock run tap-github target-jsonl"]
    assert "all 5 rows loaded" in said["penstock run tap-github duckdb"]
    assert "v2.5.0" in said["penstock show releases"]
    written = (shell.folder / "output/releases.jsonl").read_text().splitlines()
    assert sorted(json.loads(row)["tag_name"] for row in written) == [f"v2.{n}.0" for n in range(1, 6)]
    assert set(json.loads(written[0])) >= {"tag_name", "body", "published_at"}
    state = json.loads(said["penstock state get dev:tap-github-to-duckdb"])
    [partition] = state["singer_state"]["bookmarks"]["releases"]["partitions"]
    assert partition["replication_key_value"] == "2024-05-01T10:00:00Z"


def answers_for(url: str) -> str:
    """What a person types when asked for the settings of `tap-postgres`."""
    place = urlsplit(url)
    values = {
        "database": place.path.removeprefix("/"),
        "filter_schemas": "['public']",
        "host": place.hostname,
        "password": place.password,
        "port": place.port,
        "user": place.username,
    }
    return "".join(f"{name}\n{value}\n" for name, value in values.items()) + "e\n"


@pytest.mark.parametrize("version", [3, 4])
def test_resale_prices_come_from_postgres_into_duckdb(
    version: int, shell: Shell, postgres_url: Callable[..., str]
) -> None:
    url = postgres_url()
    fill(url, 1_000)
    said = {}
    for line in lines("By name", version):
        said[line] = shell.type(line, answers_for(url) if line.endswith("--interactive") else "")
    assert PASSWORD not in "".join(said.values()) + (shell.folder / "penstock.yml").read_text()
    assert PASSWORD in (shell.folder / ".env").read_text()
    assert "all 1,000 rows loaded" in said["penstock run tap-postgres duckdb"]
    [table] = [row["table"] for row in json.loads(shell.type("penstock show --json"))["rows"]]
    assert table.endswith(TABLE)
    # the tap calls numeric columns numbers, which may be anything; they are exact to the cent
    total = "sum(CAST(resale_price AS DECIMAL(12, 2)))"
    summed = shell.type(f'penstock show --sql "SELECT count(*) AS n, {total} AS s FROM \\"{table}\\"" --json')
    [found] = json.loads(summed)["rows"]
    assert (found["n"], str(found["s"])) == (1_000, str(sum(row[-1] for row in rows(1_000))))
