"""What plugins answer: SDK plugins, old ones, slow ones and broken ones, each a small script."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from penstock.errors import OutsideError, RefusedError
from penstock.plugins import ask
from penstock.plugins.environment import Installed
from penstock.plugins.handed import hand, private_folder
from penstock.singer.definition import Plugin, PluginKind

HEAD = """
import json, os, sys, time
words = sys.argv[1:]
def given(option):
    with open(words[words.index(option) + 1]) as file:
        return json.load(file)
"""
TAP = Plugin("tap-x", PluginKind.EXTRACTORS)


def tap(tmp_path: Path, code: str, plugin: Plugin = TAP) -> Installed:
    script = tmp_path / "tap_x.py"
    script.write_text(HEAD + code)
    return Installed(plugin, (sys.executable, str(script)))


def test_about_is_what_the_plugin_says(tmp_path: Path) -> None:
    code = "print('warming up'); print(json.dumps({'name': 'tap-x', 'said': words}, indent=1))"
    assert ask.about(tap(tmp_path, code)) == {"name": "tap-x", "said": ["--about", "--format=json"]}


@pytest.mark.parametrize("code", ["sys.exit(2)", "print('usage: tap-x')", "print('[1]')"])
def test_old_plugins_cannot_be_asked(tmp_path: Path, code: str) -> None:
    assert ask.about(tap(tmp_path, code)) is None


def test_version_is_that_of_the_package_or_is_asked_for(tmp_path: Path) -> None:
    assert ask.version(Installed(TAP, ("nothing",), version="1.2")) == "1.2"
    assert ask.version(tap(tmp_path, "print('tap-x v3.4.5, Singer SDK')")) == "3.4.5"
    assert ask.version(tap(tmp_path, "sys.exit(2)")) is None


def test_discovery(tmp_path: Path) -> None:
    code = """
assert words[-1] == "--discover"
print("reading " + given("--config")["place"], file=sys.stderr)
print(json.dumps({"streams": [{"tap_stream_id": "a"}], "config": given("--config")}))
"""
    heard: list[str] = []
    found = ask.discover(tap(tmp_path, code), {"place": "here"}, say=heard.append)
    assert found["streams"] == [{"tap_stream_id": "a"}]
    assert heard == ["reading here"]


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("print('no such host', file=sys.stderr); sys.exit(1)", "no such host"),
        ("print('hello')", "it said nothing"),
        ("print('{}')", "it said nothing"),
        ("print('{\"streams\": []}'); sys.exit(3)", "exit code 3"),
    ],
)
def test_discovery_that_fails(tmp_path: Path, code: str, word: str) -> None:
    with pytest.raises(RefusedError, match="could not say what it can read") as caught:
        ask.discover(tap(tmp_path, code), {})
    assert word in str(caught.value)


def test_answers_may_take_too_long(tmp_path: Path) -> None:
    slow = tap(tmp_path, "print('still here', file=sys.stderr, flush=True); time.sleep(600)")
    with pytest.raises(OutsideError, match=r"did not answer within 0\.5 s"):
        ask.discover(slow, {}, timeout_s=0.5)
    with pytest.raises(OutsideError, match="did not answer"):
        ask.test(slow, {}, timeout_s=0.5)


@pytest.mark.parametrize("kind", ["RECORD", "BATCH"])
def test_a_test_ends_at_the_first_record(tmp_path: Path, kind: str) -> None:
    code = f"""
print(json.dumps({{"type": "SCHEMA", "stream": given("--catalog")["streams"][0]}}))
print("not a message")
print()
print(json.dumps({{"type": "{kind}", "stream": "a"}}), flush=True)
time.sleep(600)
"""
    ask.test(tap(tmp_path, code), {}, catalog={"streams": ["a"]}, timeout_s=60)


def test_a_test_without_a_record_fails(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="gave no record") as caught:
        ask.test(tap(tmp_path, "print(json.dumps({'type': 'STATE', 'value': {}}))"), {})
    assert "is a stream selected" in str(caught.value)
    with pytest.raises(RefusedError, match="does not work with this configuration") as caught:
        ask.test(tap(tmp_path, "print('401: bad token', file=sys.stderr); sys.exit(1)"), {})
    assert "401: bad token" in str(caught.value)


def test_files_handed_over_are_private_and_go() -> None:
    plugin = Plugin("tap-old", PluginKind.EXTRACTORS, capabilities=("properties", "discover"))
    with private_folder() as folder:
        words = hand(folder, {"password": "x"}, plugin=plugin, catalog={"streams": []}, state={})
        assert words[::2] == ["--config", "--properties", "--state"]
        for path in map(Path, words[1::2]):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not folder.exists()
