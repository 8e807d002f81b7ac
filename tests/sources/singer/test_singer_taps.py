"""Which program a project means by its tap, and what it is configured with."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from penstock.errors import NotFoundError, ProjectError
from penstock.project.singer import SingerSpec
from penstock.singer.bundled import variants
from penstock.sources.singer.tap import plugin_of, prepare


def spec(**said: Any) -> SingerSpec:
    return SingerSpec.model_validate(said)


@pytest.mark.parametrize(
    ("said", "name", "pip_url", "command"),
    [
        ({"tap": "./taps/weather.py"}, "weather", None, "./taps/weather.py"),
        ({"tap": ["docker", "run", "my tap"]}, "docker", None, "docker run 'my tap'"),
        ({"tap": [sys.executable, "x/tap_own.py"]}, "tap_own", None, f"{sys.executable} x/tap_own.py"),
        ({"tap": "tap-own", "pip_url": "./own"}, "tap-own", "./own", "tap-own"),
        ({"tap": "tap-own", "variant": "me", "pip_url": "a b"}, "tap-own", "a b", "tap-own"),
        ({"tap": "tap-own", "pip_url": "own", "executable": "run-own"}, "tap-own", "own", "run-own"),
        ({"tap": "tap-own==1.2"}, "tap-own", "tap-own==1.2", "tap-own"),
        ({"tap": "meltano-tap[s3]>=1"}, "meltano-tap", "meltano-tap[s3]>=1", "meltano-tap"),
        ({"tap": "git+https://host/me/tap-own.git"}, "tap-own", "git+https://host/me/tap-own.git", "tap-own"),
        ({"tap": "tap-on-the-path"}, "tap-on-the-path", None, "tap-on-the-path"),
    ],
)
def test_programs(tmp_path: Path, said: Any, name: str, pip_url: str | None, command: str) -> None:
    found = plugin_of(spec(**said), tmp_path)
    assert (found.name, found.pip_url, found.command) == (name, pip_url, command)


def test_known_taps(tmp_path: Path) -> None:
    default = variants("tap-github")[0]
    assert plugin_of(spec(tap="tap-github"), tmp_path) == default
    assert plugin_of(spec(tap="tap-github", pip_url=default.pip_url), tmp_path) == default
    other = plugin_of(spec(tap="tap-github", pip_url="./fork"), tmp_path)
    assert (other.pip_url, other.settings) == ("./fork", ())
    with pytest.raises(NotFoundError, match="variant"):
        plugin_of(spec(tap="tap-github", variant="nobody"), tmp_path)


def test_a_file_without_the_right_to_run_is_run_by_our_python(tmp_path: Path) -> None:
    (tmp_path / "tap.py").write_text("")
    tap = prepare(spec(tap="tap.py", config={"a": {"b.c": 1}, "d": [1]}), tmp_path)
    assert tap.installed.command == (sys.executable, str(tmp_path / "tap.py"))
    assert tap.config == {"a": {"b.c": 1}, "d": [1]}


def test_secrets_are_blotted_out_also_as_json_writes_them(tmp_path: Path) -> None:
    (tmp_path / "tap.py").write_text("")
    config = {
        "password": 'a"quote',
        "client_secret": "abcd",
        "pin_token": "12",
        "user": "ann",
        "nested": {"api_key": 12345},
    }
    tap = prepare(spec(tap="tap.py", config=config), tmp_path)
    said = 'ann: a"quote, "a\\"quote", abcd, 12, 12345'
    assert tap.blotted(said) == 'ann: ***, "***", ***, 12, ***'


def test_a_command_takes_no_package(tmp_path: Path) -> None:
    (tmp_path / "penstock.yml").write_text(
        "name: x\npipelines: {p: {source: {type: singer, tap: [a], pip_url: b}}}\n"
    )
    import penstock

    with pytest.raises(ProjectError, match="a command already"):
        penstock.open_session(tmp_path)


def test_a_catalog_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "tap.py").write_text("")
    with pytest.raises(NotFoundError, match="a catalog is not there"):
        prepare(spec(tap="tap.py", catalog="none.json"), tmp_path).catalog()
    (tmp_path / "none.json").write_text("{")
    with pytest.raises(ProjectError, match="not JSON"):
        prepare(spec(tap="tap.py", catalog="none.json"), tmp_path).catalog()
