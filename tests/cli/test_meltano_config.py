"""Settings of plugins by command: both grammars, what is secret, who asks and what is shown."""

from __future__ import annotations

import io
import json
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from scripted import Outcome
from singer_programs import ENTRIES, shop

from penstock.cli.plugin_words import ConfigWords, carried, config_words, kind_and_names
from penstock.errors import UsageError
from penstock.singer.definition import PluginKind

Penstock = Callable[..., Outcome]
SECRET = "k3y-to-the-door"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = shop(tmp_path / "shop")
    monkeypatch.chdir(folder)
    return folder


# ---------------------------------------------------------------------------------- the grammars


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("tap-x", ConfigWords("print", "tap-x")),
        ("tap-x set k v", ConfigWords("set", "tap-x", ("k", "v"))),
        ("set tap-x k v", ConfigWords("set", "tap-x", ("k", "v"))),
        ("set tap-x k set", ConfigWords("set", "tap-x", ("k", "set"))),
        ("tap-x test", ConfigWords("test", "tap-x")),
        ("test tap-x", ConfigWords("test", "tap-x")),
        ("list list", ConfigWords("list", "list")),
        ("print tap-x", ConfigWords("print", "tap-x")),
        ("tap-x unset a b", ConfigWords("unset", "tap-x", ("a", "b"))),
    ],
)
def test_both_grammars_mean_the_same(words: str, meant: ConfigWords) -> None:
    assert config_words(words.split()) == meant


@pytest.mark.parametrize("words", ["", "set", "tap-x sett k v"])
def test_what_is_neither_grammar_is_refused(words: str) -> None:
    with pytest.raises(UsageError):
        config_words(words.split())


def test_a_kind_is_one_only_before_a_name() -> None:
    assert kind_and_names(["extractor", "tap-x"]) == (PluginKind.EXTRACTORS, ["tap-x"])
    assert kind_and_names(["loaders", "a", "b"]) == (PluginKind.LOADERS, ["a", "b"])
    assert kind_and_names(["loader"]) == (None, ["loader"])
    assert kind_and_names(["tap-x", "loader"]) == (None, ["tap-x", "loader"])
    assert kind_and_names(["x"], "mapper") == (PluginKind.MAPPERS, ["x"])
    with pytest.raises(UsageError, match="no kind"):
        kind_and_names(["x"], "extractr")


def test_options_before_the_command_go_behind_it() -> None:
    assert carried(["--environment=prod", "run", "a"]) == ["run", "--environment", "prod", "a"]
    assert carried(["--environment", "prod", "state", "list"]) == ["state", "list", "--environment", "prod"]
    assert carried(["--log-level", "debug", "--no-environment", "run"]) == ["run", "--environment", ""]
    assert carried(["--cwd", "x", "config", "t"]) == ["config", "--project", "x", "t"]
    assert carried(["--version"]) == ["--version"]


# -------------------------------------------------------------------------------------- setting


@pytest.mark.parametrize("grammar", [("config", "tap-shop", "set"), ("config", "set", "tap-shop")])
def test_a_value_goes_into_the_project_file(
    grammar: tuple[str, ...], project: Path, penstock: Penstock
) -> None:
    told = penstock(*grammar, "rows", "5")
    assert (told.code, told.out) == (0, "")
    assert told.err == "set rows of tap-shop: penstock.yml, config.rows\n"
    expected = "name: shop\n" + ENTRIES.replace("shops: [corner]", "shops: [corner]\n      rows: 5")
    assert (project / "penstock.yml").read_text() == expected
    assert not (project / ".env").exists()


def test_a_secret_goes_into_dotenv_which_is_private(project: Path, penstock: Penstock) -> None:
    before = (project / "penstock.yml").read_text()
    told = penstock("config", "tap-shop", "set", "api_key", SECRET)
    assert told.err == "set api_key of tap-shop: .env, TAP_SHOP_API_KEY\n"
    assert (project / "penstock.yml").read_text() == before
    assert (project / ".env").read_text() == f"TAP_SHOP_API_KEY='{SECRET}'\n"
    assert stat.S_IMODE((project / ".env").stat().st_mode) == 0o600
    shown = penstock("config", "tap-shop")
    assert json.loads(shown.out) == {"shops": ["corner"], "rows": 3, "api_key": "***"}
    assert json.loads(penstock("config", "print", "tap-shop", "--unsafe").out)["api_key"] == SECRET
    assert SECRET not in penstock("config", "tap-shop", "list", "--all").out
    assert SECRET not in penstock("invoke", "--dump=config", "tap-shop").out
    assert penstock("config", "tap-shop", "unset", "api_key").err.endswith(": .env\n")
    assert (project / ".env").read_text() == ""


def test_a_secret_is_not_let_into_the_project_file(project: Path, penstock: Penstock) -> None:
    told = penstock("config", "tap-shop", "set", "api_key", SECRET, "--store", "project")
    assert told.code == 1
    assert SECRET not in told.err + (project / "penstock.yml").read_text()


def test_a_secret_that_nobody_declared_is_referred_to(project: Path, penstock: Penstock) -> None:
    penstock("config", "tap-shop", "set", "other_token", SECRET)
    assert "other_token: ${TAP_SHOP_OTHER_TOKEN}" in (project / "penstock.yml").read_text()
    assert json.loads(penstock("config", "tap-shop", "--unsafe").out)["other_token"] == SECRET
    assert json.loads(penstock("config", "tap-shop").out)["other_token"] == "***"


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [
        ("shops", '["a", "b"]', ["a", "b"]),
        ("shops", "['a', 'b']", ["a", "b"]),
        ("shops", "a,b", ["a", "b"]),
        ("deep", "true", True),
        ("rows", "-7", -7),
        ("unknown", "text", "text"),
        ("unknown", "cost $$5", "cost $$5"),
        ("unknown.inner", "x", {"inner": "x"}),
        ("unknown", "[1, 2]", [1, 2]),
    ],
)
def test_values_become_what_their_setting_is(
    name: str, typed: str, value: object, project: Path, penstock: Penstock
) -> None:
    assert penstock("config", "tap-shop", "set", name, typed).code == 0
    assert json.loads(penstock("config", "tap-shop").out)[name.split(".")[0]] == value


def test_a_value_of_the_wrong_kind_is_refused(project: Path, penstock: Penstock) -> None:
    before = (project / "penstock.yml").read_text()
    told = penstock("config", "tap-shop", "set", "rows", "many")
    assert told.code == 1
    assert "`rows` is not a whole number" in told.err
    assert (project / "penstock.yml").read_text() == before


def test_parts_of_a_name_lead_into_objects(project: Path, penstock: Penstock) -> None:
    penstock("config", "tap-shop", "set", "maps", "orders", "id")
    assert json.loads(penstock("config", "tap-shop").out)["maps"] == {"orders": "id"}
    penstock("config", "tap-shop", "unset", "maps", "orders")
    assert "maps" not in (project / "penstock.yml").read_text()


def test_a_value_can_come_from_a_file(project: Path, penstock: Penstock) -> None:
    (project / "value.json").write_text('["x"]\n')
    penstock("config", "set", "tap-shop", "shops", "--from-file", "value.json")
    assert json.loads(penstock("config", "tap-shop").out)["shops"] == ["x"]


def test_an_environment_has_values_of_its_own(project: Path, penstock: Penstock) -> None:
    shop(project, head="name: shop\ndefault_environment: dev\nenvironments: {dev: {}, prod: {}}\n")
    penstock("config", "tap-shop", "set", "rows", "5")
    penstock("--environment=prod", "config", "tap-shop", "set", "rows", "9")
    assert json.loads(penstock("config", "tap-shop").out)["rows"] == 5
    assert json.loads(penstock("config", "tap-shop", "--env", "prod").out)["rows"] == 9


def test_variables_win_over_the_file(
    project: Path, penstock: Penstock, monkeypatch: pytest.MonkeyPatch
) -> None:
    penstock("config", "tap-shop", "set", "rows", "5")
    (project / ".env").write_text("TAP_SHOP_ROWS=6\n")
    assert json.loads(penstock("config", "tap-shop").out)["rows"] == 6
    monkeypatch.setenv("TAP_SHOP_ROWS", "7")
    assert json.loads(penstock("config", "tap-shop").out)["rows"] == 7
    assert "rows = 7 (process environment)" in penstock("config", "tap-shop", "list").out


def test_reset_forgets_all_settings_and_keeps_the_selection(project: Path, penstock: Penstock) -> None:
    penstock("config", "tap-shop", "set", "api_key", SECRET)
    penstock("select", "tap-shop", "orders", "id")
    penstock("config", "tap-shop", "reset", "--yes")
    assert json.loads(penstock("config", "tap-shop").out) == {"rows": 3}
    assert "- orders.id" in (project / "penstock.yml").read_text()


def test_settings_as_variables(project: Path, penstock: Penstock) -> None:
    told = penstock("config", "tap-shop", "--format", "env")
    assert sorted(told.out.splitlines()) == ["TAP_SHOP_ROWS=3", "TAP_SHOP_SHOPS='[\"corner\"]'"]


# ------------------------------------------------------------------------------- interactively


def typed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_values_are_asked_for_by_number_and_name(
    project: Path, penstock: Penstock, monkeypatch: pytest.MonkeyPatch, same: Callable[[str, str], None]
) -> None:
    typed(monkeypatch, f'1\n["a"]\napi_key\n{SECRET}\nnothing\ne\n')
    told = penstock("config", "tap-shop", "set", "--interactive")
    assert told.code == 0
    same("meltano_config_interactive", told.err)
    assert SECRET not in told.err
    assert json.loads(penstock("config", "tap-shop", "--unsafe").out)["api_key"] == SECRET


def test_all_values_are_asked_for_in_turn(
    project: Path, penstock: Penstock, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed(monkeypatch, "all\n\n\n12\ntrue\n")
    assert penstock("config", "set", "tap-shop", "--interactive").code == 0
    assert json.loads(penstock("config", "tap-shop").out) == {"shops": ["corner"], "rows": 12, "deep": True}


def test_a_wrong_answer_of_a_pipe_ends_it(
    project: Path, penstock: Penstock, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed(monkeypatch, "rows\nmany\n")
    assert penstock("config", "tap-shop", "set", "--interactive").code == 1


# ------------------------------------------------------------------------------------- testing


def test_a_tap_is_tried(project: Path, penstock: Penstock) -> None:
    for words in (("config", "tap-shop", "test"), ("config", "test", "tap-shop")):
        told = penstock(*words)
        assert (told.code, told.err) == (0, "tap-shop works with this configuration\n")


def test_a_tap_that_fails_says_why_and_keeps_its_secret(project: Path, penstock: Penstock) -> None:
    penstock("config", "tap-shop", "set", "api_key", SECRET)
    penstock("config", "tap-shop", "set", "shops", "[]")
    told = penstock("config", "tap-shop", "test")
    assert told.code == 1
    assert "no shops: key was ***" in told.err
    assert SECRET not in told.err


def test_nothing_selected_is_said(project: Path, penstock: Penstock) -> None:
    penstock("select", "tap-shop", "nothing", "at_all")
    told = penstock("config", "tap-shop", "test")
    assert told.code == 1
    assert "no stream of `tap-shop` is selected" in told.err


def test_a_loader_cannot_be_tried(project: Path, penstock: Penstock) -> None:
    assert "is a loader" in penstock("config", "test", "target-lines").err
