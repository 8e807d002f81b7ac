"""The lesson on Meltano, as written but for the first word of each line, with the plugins that it names.

The plugins come from a package index; where there is none, these tests are skipped and say so.
"""

from __future__ import annotations

import json
import os
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
from servers.postgres import postgres as postgres
from servers.postgres import postgres_url as postgres_url
from servers.resale import TABLE, fill, rows

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


class Shell:
    """A person who types the lesson's lines."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def type(self, line: str, answers: str = "") -> str:
        """Run a line with `penstock` in place of `meltano`; returns what it printed on either stream."""
        first, *words = shlex.split(line)
        assert first == "meltano"
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

    def cd(self, folder: str) -> None:
        """Go into a folder."""
        self.folder /= folder


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell in an empty folder."""
    return Shell(tmp_path)


V3 = {
    "add extractor": "meltano add extractor {}",
    "add loader": "meltano add loader {}",
    "ask": "meltano config {} set --interactive",
    "set": "meltano config {} set {} {}",
    "test": "meltano config {} test",
}
V4 = {
    "add extractor": "meltano add {}",
    "add loader": "meltano add {}",
    "ask": "meltano config set {} --interactive",
    "set": "meltano config set {} {} {}",
    "test": "meltano config test {}",
}


@pytest.mark.parametrize("said", [V3, V4], ids=["v3", "v4"])
def test_releases_of_pandas_come_into_a_json_file(said: dict[str, str], shell: Shell, github: GitHub) -> None:
    shell.type("meltano init meltano-ingestion")
    shell.cd("meltano-ingestion")
    shell.type(said["add extractor"].format("tap-github"))
    answers = 'repositories\n["pandas-dev/pandas"]\ne\n'
    assert "set repositories: penstock.yml" in shell.type(said["ask"].format("tap-github"), answers)
    shell.type(
        said["set"].format("tap-github", "api_url_base", github.url)
    )  # no token: it would be tried out
    assert "[automatic  ] releases.id" in shell.type("meltano select tap-github --list --all")
    for name in ("tag_name", "body", "published_at"):
        shell.type(f"meltano select tap-github releases {name}")
    shell.type(said["test"].format("tap-github"))
    shell.type(said["add loader"].format("target-jsonl --variant=andyh1203"))
    assert "all 5 rows loaded" in shell.type("meltano run tap-github target-jsonl")
    written = (shell.folder / "output/releases.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)["tag_name"] for line in written) == [f"v2.{n}.0" for n in range(1, 6)]
    assert set(json.loads(written[0])) >= {"tag_name", "body", "published_at"}
    state = json.loads(shell.type("meltano state get dev:tap-github-to-target-jsonl"))
    [partition] = state["singer_state"]["bookmarks"]["releases"]["partitions"]
    assert partition["replication_key_value"] == "2024-05-01T10:00:00Z"


def test_resale_prices_come_from_postgres_into_duckdb(shell: Shell, postgres_url: Callable[..., str]) -> None:
    url = postgres_url()
    fill(url, 1_000)
    place = urlsplit(url)
    shell.type("meltano init meltano-resale")
    shell.cd("meltano-resale")
    shell.type("meltano add extractor tap-postgres")
    values = {
        "database": place.path.removeprefix("/"),
        "filter_schemas": "['public']",
        "host": place.hostname,
        "password": place.password,
        "port": place.port,
        "user": place.username,
    }
    answers = "".join(f"{name}\n{value}\n" for name, value in values.items()) + "e\n"
    told = shell.type("meltano config tap-postgres set --interactive", answers)
    assert str(place.password) not in told + (shell.folder / "penstock.yml").read_text()
    assert str(place.password) in (shell.folder / ".env").read_text()
    shell.type(f"meltano select tap-postgres public-{TABLE}")
    assert "works" in shell.type("meltano config tap-postgres test")
    assert "all 1,000 rows loaded" in shell.type("meltano run tap-postgres duckdb")
    listed = json.loads(shell.type("meltano show --json"))
    [table] = [row["table"] for row in listed["rows"]]
    # the tap calls numeric columns numbers, which may be anything; their text is exact to the cent
    total = "sum(CAST(resale_price AS DECIMAL(12, 2)))"
    summed = shell.type(f'meltano show --sql "SELECT count(*) AS n, {total} AS s FROM \\"{table}\\"" --json')
    [found] = json.loads(summed)["rows"]
    assert (found["n"], str(found["s"])) == (1_000, str(sum(row[-1] for row in rows(1_000))))
