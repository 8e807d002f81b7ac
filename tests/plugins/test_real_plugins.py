"""Plugins from the package index: installed, asked, and compared with what the catalogue says of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.errors import OutsideError, RefusedError
from penstock.plugins import ask
from penstock.plugins.environment import install, lock_file
from penstock.singer.bundled import known
from penstock.singer.definition import Plugin, PluginKind, definition_from_about
from singer_plugins import plugin_home  # noqa: F401

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("tap-github", "1."),
        ("tap-postgres", "0."),
        ("tap-rest-api-msdk", "1."),  # needs pkg_resources, which new environments do not have
        ("target-postgres", "0."),
        ("target-bigquery", "0."),  # so does this one
    ],
)
def test_sdk_plugins_say_what_the_catalogue_knows(
    tmp_path: Path,
    plugin_home: Path,  # noqa: F811
    name: str,
    version: str,
) -> None:
    found = install(known(name), plugin_home, tmp_path)
    assert found.executable.name == name
    assert (ask.version(found) or "").startswith(version)
    assert int(found.packages["setuptools"].split(".")[0]) < 81
    said = ask.about(found)
    assert said is not None
    told = definition_from_about(said, found.plugin.kind)
    assert told.name == name
    bundled = {s.name: s for s in known(name).settings}
    for setting in told.settings:
        same = bundled.get(setting.name)
        if same is not None:  # a newer version may have settings that the catalogue does not
            assert (same.kind, same.secret) == (setting.kind, setting.secret), setting.name
    assert len(set(bundled) & {s.name for s in told.settings}) >= len(told.settings) * 0.8


def test_old_plugins_cannot_be_asked(tmp_path: Path, plugin_home: Path) -> None:  # noqa: F811
    found = install(known("target-jsonl"), plugin_home, tmp_path)
    assert ask.about(found) is None
    assert found.version == "0.1.4"
    assert ask.version(found) == "0.1.4"


def test_tap_that_cannot_work_says_why(tmp_path: Path, plugin_home: Path) -> None:  # noqa: F811
    """Nobody listens at port 1."""
    found = install(known("tap-postgres"), plugin_home, tmp_path)
    config = {"host": "127.0.0.1", "port": 1, "user": "u", "password": "p", "database": "d"}
    with pytest.raises(RefusedError, match="could not say what it can read") as caught:
        ask.discover(found, config)
    assert "Connection refused" in str(caught.value)


def test_package_that_is_not_there(tmp_path: Path) -> None:
    home = tmp_path / ".penstock" / "plugins"
    plugin = Plugin("tap-x", PluginKind.EXTRACTORS, pip_url="penstock-has-no-such-plugin-anywhere")
    with pytest.raises(OutsideError, match="`tap-x` could not be installed") as caught:
        install(plugin, home)
    assert "penstock-has-no-such-plugin-anywhere" in (caught.value.found or "")
    assert not lock_file(plugin, tmp_path).exists()
