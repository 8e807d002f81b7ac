"""Projects of Meltano's users: begun as theirs are, taken over, and asked about plugins that nobody knows."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from scripted import Outcome
from singer_programs import shop

Penstock = Callable[..., Outcome]
Same = Callable[[str, str], None]
HEAD = """\
version: 1  # of the format
project_id: 1234
default_environment: dev
# where it runs
environments:
- name: dev
- name: prod
  config:
    plugins:
      extractors:
      - name: tap-shop
        config: {shops: [$TOWN]}
  state_id_suffix: x
"""


def test_a_name_alone_is_a_folder(tmp_path: Path, penstock: Penstock, same: Same) -> None:
    told = penstock("init", "meltano-ingestion")
    assert (told.code, told.err) == (0, "")
    same("meltano_init", told.out)
    assert (tmp_path / "meltano-ingestion/penstock.yml").is_file()
    assert penstock("--cwd", "meltano-ingestion", "check").code == 0
    told = penstock("init", "postcods")  # a template that was misspelt makes no folder
    assert (told.code, "did you mean 'postcodes'?" in told.err) == (2, True)
    assert not (tmp_path / "postcods").exists()


def test_a_new_project_takes_plugins_where_it_says(tmp_path: Path, penstock: Penstock) -> None:
    penstock("init", "new")
    file = tmp_path / "new/penstock.yml"
    before = file.read_text()
    penstock("add", "extractor", "tap-github", "--no-install", "-p", "new")
    added = (
        "  extractors:\n  - name: tap-github\n    variant: meltanolabs\n    pip_url: meltanolabs-tap-github\n"
    )
    assert file.read_text() == before.replace("  extractors: []\n", added)


def test_a_project_is_adopted(
    tmp_path: Path, penstock: Penstock, same: Same, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shop(tmp_path / "shop", "meltano.yml", HEAD)
    monkeypatch.chdir(folder)
    (folder / ".meltano").mkdir()
    told = penstock("adopt", "meltano.yml")
    assert (told.code, told.err) == (0, "")
    same("meltano_adopt", told.out)
    same("meltano_adopted", (folder / "penstock.yml").read_text())
    assert penstock("adopt", ".").code == 1
    assert json.loads(penstock("adopt", ".", "--force", "--json").out)["variables"] == ["TOWN"]
    monkeypatch.setenv("TOWN", "york")
    assert json.loads(penstock("config", "tap-shop", "--env", "prod").out)["shops"] == ["york"]
    assert penstock("run", "tap-shop", "target-lines", "-q").code == 0


def test_what_is_no_project_is_not_adopted(tmp_path: Path, penstock: Penstock) -> None:
    assert penstock("adopt", "meltano.yml").code == 2
    (tmp_path / "meltano.yml").write_text("version: 1\nplugins: {extractors: [{name: 3}]}\n")
    assert penstock("adopt", "meltano.yml").code == 1
    assert not (tmp_path / "penstock.yml").exists()


def test_a_state_is_asked_for_by_environment(
    tmp_path: Path, penstock: Penstock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shop(tmp_path / "shop", "meltano.yml", HEAD))
    monkeypatch.setenv("TOWN", "york")
    penstock("--environment=prod", "run", "tap-shop", "target-lines", "-q")
    said = json.loads(penstock("state", "get", "prod:tap-shop-to-target-lines").out)
    assert said == {"singer_state": {"bookmarks": {"orders": 3}}}
    assert json.loads(penstock("state", "get", "dev:tap-shop-to-target-lines").out) == {}


def test_a_plugin_that_nobody_knows_is_described(
    tmp_path: Path, penstock: Penstock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shop(tmp_path / "shop"))
    monkeypatch.setattr(
        sys, "stdin", io.StringIO("\n-\ntap_shop.py\ncatalog,discover,state\nshops:array,rows:integer\n")
    )
    assert penstock("add", "extractor", "tap-own", "--custom").code == 0
    penstock("config", "tap-own", "set", "rows", "2")
    penstock("config", "tap-own", "set", "shops", "a,b")
    assert json.loads(penstock("config", "tap-own").out) == {"shops": ["a", "b"], "rows": 2}
    text = (tmp_path / "shop/penstock.yml").read_text()
    assert "pip_url" not in text
    assert "  - name: tap-own\n    executable: tap_shop.py\n    capabilities:\n    - catalog\n" in text


def test_files_that_are_included_are_changed_where_they_are(
    tmp_path: Path, penstock: Penstock, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shop(
        tmp_path / "shop", "meltano.yml", "version: 1\ninclude_paths: ['./more/*.yml']\n", entries=""
    )
    monkeypatch.chdir(folder)
    shop(folder / "more", "plugins.yml", "")
    (folder / "meltano.yml").write_text("version: 1\ninclude_paths: [more/*.yml]\n")
    before = (folder / "meltano.yml").read_text()
    assert penstock("config", "tap-shop", "set", "rows", "2").err.startswith(
        "set rows of tap-shop: more/plugins.yml"
    )
    assert (folder / "meltano.yml").read_text() == before
    penstock("remove", "tap-shop")
    assert "tap-shop" not in (folder / "more/plugins.yml").read_text()
