"""What a dlt source finds around it, and what it leaves behind: configuration, and nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("dlt", reason="dlt is not installed: pip install 'penstock[dlt]'")

CODE = """
import dlt

@dlt.resource
def rows(token: str = dlt.secrets.value, size: int = dlt.config.value):
    yield {"token": token, "size": size}

@dlt.source(name="shop", section="shop")
def shop():
    return rows
"""
RUN = """
import os
if "EARLIER" in os.environ:
    from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
    from dlt.common.configuration.container import Container
    import dlt.common.runtime.anon_tracker as tracker
    Container()[PluggableRunContext].context.runtime_config
    assert tracker._ANON_TRACKER_ENDPOINT == "http://127.0.0.1:9"
from pathlib import Path
from made import shop
from penstock.errors import ProjectError
from penstock.sources.dlt import dlt_source
try:
    folder = Path(os.environ["FOLDER"]) if "FOLDER" in os.environ else None
    print(next(dlt_source(shop, pipeline="daily", folder=folder).produce(None)).data)
except ProjectError as error:
    print(error)
import dlt.common.runtime.anon_tracker as tracker
from dlt.common.configuration import resolve_configuration
from dlt.common.configuration.specs import RuntimeConfiguration
print(tracker._ANON_TRACKER_ENDPOINT, resolve_configuration(RuntimeConfiguration()).dlthub_telemetry)
"""


def run(folder: Path, **variables: str) -> list[str]:
    home = folder.parent / "home"
    home.mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "PYTHONPATH", "LANG")}
    environment = {**kept, "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1", **variables}
    done = subprocess.run(
        [sys.executable, "-c", RUN], cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert list(home.rglob("*")) == [], "nothing is left in the home folder"
    return done.stdout.splitlines()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "work"
    made.mkdir()
    (made / "made.py").write_text(CODE)
    return made


def test_configuration_comes_from_dlts_own_places(folder: Path) -> None:
    (folder / ".dlt").mkdir()
    (folder / ".dlt" / "secrets.toml").write_text('[sources.shop]\ntoken = "very secret"\n')
    before = sorted(folder.rglob("*"))
    said = run(folder, SOURCES__SHOP__SIZE="3")
    assert said == ["[{'token': 'very secret', 'size': 3}]", "None False"]
    assert sorted(folder.rglob("*")) == before, "nothing is left in the project"


def test_configuration_comes_from_the_projects_folder_and_for_a_pipeline_alone(folder: Path) -> None:
    project = folder.parent / "project"
    for place, token, size in ((project, "ours", 4), (folder, "another's", 5)):
        (place / ".dlt").mkdir(parents=True)
        (place / ".dlt" / "secrets.toml").write_text(f'[sources.shop]\ntoken = "{token}"\n')
        (place / ".dlt" / "config.toml").write_text(
            f"[sources.shop]\nsize = 1\n[daily.sources.shop]\nsize = {size}"
        )
    assert run(folder)[0] == "[{'token': \"another's\", 'size': 5}]"
    assert run(folder, FOLDER=str(project))[0] == "[{'token': 'ours', 'size': 4}]"
    assert run(folder, FOLDER=str(folder.parent))[0] == "[{'token': \"another's\", 'size': 5}]"


def test_configuration_that_is_missing_says_where_to_put_it(folder: Path) -> None:
    said = "\n".join(run(folder, SOURCES__SHOP__SIZE="3"))
    assert "a source of dlt lacks its configuration: token" in said
    assert "SOURCES__SHOP__ROWS__TOKEN" in said
    assert ".dlt/secrets.toml" in said


def test_usage_is_not_reported_even_if_the_configuration_asks_for_it(folder: Path) -> None:
    (folder / ".dlt").mkdir()
    (folder / ".dlt" / "config.toml").write_text(
        "[runtime]\ndlthub_telemetry = true\n[sources.shop]\nsize = 1\n"
    )
    assert run(folder, SOURCES__SHOP__TOKEN="t")[-1] == "None False"
    assert run(folder, SOURCES__SHOP__TOKEN="t", RUNTIME__DLTHUB_TELEMETRY="true")[-1] == "None False"


def test_usage_that_is_reported_already_is_not_any_more(folder: Path) -> None:
    endpoint = {"RUNTIME__DLTHUB_TELEMETRY_ENDPOINT": "http://127.0.0.1:9"}
    said = run(folder, SOURCES__SHOP__TOKEN="t", SOURCES__SHOP__SIZE="1", EARLIER="1", **endpoint)
    assert said[-1] == "None False"
