"""Settings of plugins: how values are read, which layer wins, where they are written, what is hidden."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.errors import ProjectError
from penstock.singer.definition import Option, Plugin, PluginKind, Setting, SettingKind
from penstock.singer.settings import (
    Layers,
    Origin,
    Place,
    cast,
    env_name,
    env_names,
    expand,
    flatten,
    nest,
    place_for,
    redacted,
    resolve,
)

K = SettingKind
TAP = Plugin(
    "tap-x",
    PluginKind.EXTRACTORS,
    "tap_space",
    settings=(
        Setting("token", K.PASSWORD, aliases=("key",), sensitive=True),
        Setting("repositories", K.ARRAY),
        Setting("port", K.INTEGER, value=5432),
        Setting("on", K.BOOLEAN),
        Setting("maps", K.OBJECT),
        Setting("metrics.level"),
        Setting("mode", K.OPTIONS, options=(Option("fast"), Option("slow"))),
        Setting("since", K.DATE, env="SINCE"),
    ),
)


def one(**layers: Any) -> dict[str, Any]:
    return resolve(TAP, Layers(**layers)).config()


# -------------------------------------------------------------------------------------- casting


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (K.INTEGER, "12", 12),
        (K.INTEGER, " -3 ", -3),
        (K.INTEGER, 4.0, 4),
        (K.DECIMAL, "1.5", 1.5),
        (K.DECIMAL, "7", 7),
        (K.BOOLEAN, "true", True),
        (K.BOOLEAN, "No", False),
        (K.BOOLEAN, "0", False),
        (K.BOOLEAN, 1, True),
        (K.ARRAY, '["a/b", "c"]', ["a/b", "c"]),
        (K.ARRAY, "['public']", ["public"]),
        (K.ARRAY, "a/b, c", ["a/b", "c"]),
        (K.ARRAY, "", []),
        (K.ARRAY, ("a",), ["a"]),
        (K.ARRAY, 5, [5]),
        (K.OBJECT, '{"a": [1]}', {"a": [1]}),
        (K.OBJECT, {"a": 1}, {"a": 1}),
        (K.DATE, "2020-01-01", "2020-01-01"),
        (K.DATE, "2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z"),
        (K.DATE, date(2020, 1, 1), "2020-01-01"),
        (K.DATE, datetime(2020, 1, 1, tzinfo=UTC), "2020-01-01T00:00:00+00:00"),
        (K.STRING, 5432, "5432"),
        (K.STRING, True, "true"),
        (K.STRING, ["a"], '["a"]'),
        (K.PASSWORD, 12345, "12345"),
        (K.OPTIONS, "true", True),
        (K.OPTIONS, '["a"]', ["a"]),
        (K.OPTIONS, "batch_job", "batch_job"),
        (K.FILE, "x.json", "x.json"),
        (K.INTEGER, None, None),
    ],
)
def test_values_are_cast_by_kind(kind: SettingKind, value: Any, expected: Any) -> None:
    found = cast(Setting("s", kind), value)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (K.INTEGER, "twelve"),
        (K.INTEGER, 1.5),
        (K.DECIMAL, "much"),
        (K.BOOLEAN, "perhaps"),
        (K.BOOLEAN, 2),
        (K.ARRAY, "[1, "),
        (K.OBJECT, "[1]"),
        (K.OBJECT, "a=b"),
        (K.DATE, "yesterday"),
    ],
)
def test_values_of_another_kind_are_refused(kind: SettingKind, value: Any) -> None:
    with pytest.raises(ProjectError, match="the setting `s`") as caught:
        cast(Setting("s", kind), value, "tap-x")
    assert repr(value) in str(caught.value)
    with pytest.raises(ProjectError) as caught:
        cast(Setting("s", kind, sensitive=True), value, "tap-x")
    assert repr(value) not in str(caught.value)


# --------------------------------------------------------------------------------------- layers


def test_stronger_layers_win() -> None:
    layers: dict[str, Any] = {
        "inherited": {"port": 1},
        "root": {"port": "2"},
        "environment": {"port": 3},
        "dotenv": {"TAP_X_PORT": "4"},
        "process": {"TAP_X_PORT": "5"},
        "override": {"port": "6"},
    }
    assert one() == {"port": 5432}
    given: dict[str, Any] = {}
    origins = (
        Origin.INHERITED,
        Origin.ROOT,
        Origin.ENVIRONMENT,
        Origin.DOTENV,
        Origin.PROCESS,
        Origin.OVERRIDE,
    )
    for number, (name, origin) in enumerate(zip(layers, origins, strict=True), 1):
        given[name] = layers[name]
        found = resolve(TAP, Layers(**given)).values["port"]
        assert (found.value, found.origin) == (number, origin)


def test_names_of_variables() -> None:
    assert env_name("tap-github", "auth_token") == "TAP_GITHUB_AUTH_TOKEN"
    assert env_name("tap-github", "_select") == "TAP_GITHUB__SELECT"
    assert env_name("tap-x", "metrics.level") == "TAP_X_METRICS_LEVEL"
    token, since = TAP.settings[0], TAP.settings[-1]
    assert env_names(TAP, token) == (
        "TAP_X_TOKEN", "TAP_X_KEY", "TAP_SPACE_TOKEN", "TAP_SPACE_KEY",
    )  # fmt: skip
    assert env_names(TAP, since)[0] == "SINCE"


def test_variables_are_found_by_every_name() -> None:
    for name in ("TAP_X_TOKEN", "TAP_X_KEY", "TAP_SPACE_TOKEN"):
        assert one(process={name: "t"})["token"] == "t"
    assert one(dotenv={"SINCE": "2020-01-01"})["since"] == "2020-01-01"
    assert one(process={"TAP_X_KEY": "t", "TAP_X_TOKEN": "t"})["token"] == "t"
    with pytest.raises(ProjectError, match="two values in the environment") as caught:
        one(process={"TAP_X_KEY": "aaaa", "TAP_X_TOKEN": "bbbb"})
    assert "bbbb" not in str(caught.value)


def test_references_are_filled_in() -> None:
    env = {"A": "1", "B": "2"}
    assert expand("$A-${B}-\\$A-$C", env) == "1-2-$A-"
    assert expand({"x": ["$A", 5]}, env) == {"x": ["1", 5]}
    found = one(
        root={"token": "$SECRET", "maps": {"a": "${B}"}}, dotenv={"SECRET": "s", "B": "x"}, process={"B": "y"}
    )
    assert (found["token"], found["maps"]) == ("s", {"a": "y"})
    assert (
        one(process={"TAP_X_TOKEN": "pa$$word"})["token"] == "pa$$word"
    )  # values of the environment are whole


def test_unknown_settings_pass_with_a_warning() -> None:
    resolved = resolve(TAP, Layers(root={"api_url_base": "http://x", "prt": 1}))
    assert resolved.config() == {"port": 5432, "api_url_base": "http://x", "prt": 1}
    assert len(resolved.warnings) == 2
    assert "did you mean 'port'?" in resolved.warnings[1]
    assert resolve(Plugin("tap-y", PluginKind.EXTRACTORS), Layers(root={"a": 1})).warnings == ()


def test_values_that_are_no_option_pass_with_a_warning() -> None:
    resolved = resolve(TAP, Layers(root={"mode": "fst"}))
    assert resolved.config()["mode"] == "fst"
    assert "did you mean 'fast'?" in resolved.warnings[0]


def test_extras_are_kept_apart() -> None:
    extra = Setting("_select", K.ARRAY)
    resolved = resolve(TAP, Layers(root={"_select": ["a.*"]}, process={"TAP_X__SELECT": '["b.*"]'}), [extra])
    assert resolved.extras() == {"select": ["b.*"]}
    assert "_select" not in resolved.config()


def test_aliases_are_stored_under_the_settings_name() -> None:
    assert one(root={"key": "t"}) == {"port": 5432, "token": "t"}


# ----------------------------------------------------------------------------------- nested keys


def test_dotted_keys_become_objects() -> None:
    assert one(root={"metrics.level": "a", "other": {"deep": {"x": 1}}}) == {
        "port": 5432,
        "metrics": {"level": "a"},
        "other": {"deep": {"x": 1}},
    }
    assert one(root={"other": {"a": 1, "b": 2}}, override={"other.a": 3})["other"] == {"a": 3, "b": 2}
    assert one(root={"other.a": 1}, override={"other": 5})["other"] == 5


def test_objects_keep_the_dots_in_their_keys() -> None:
    """The keys of a map of streams are names of streams, which may have dots."""
    assert one(root={"maps": {"public.users": {"id": "x"}}})["maps"] == {"public.users": {"id": "x"}}
    assert one(root={"maps": {"a": 1}}, environment={"maps": {"b": 2}})["maps"] == {"b": 2}
    assert one(root={"maps": {"a": 1}}, override={"maps.c": 3})["maps"] == {"a": 1, "c": 3}


names = st.text("abc", min_size=1, max_size=2)
trees = st.recursive(
    st.integers() | st.text(max_size=3), lambda inner: st.dictionaries(names, inner, min_size=1), max_leaves=8
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(names, trees))
def test_nesting_undoes_flattening(values: dict[str, Any]) -> None:
    flat = flatten(values)
    assert nest(flat) == values
    assert not any(isinstance(v, dict) for v in flat.values())


# --------------------------------------------------------------------------- writing and showing


def test_where_values_are_written() -> None:
    assert place_for(TAP.setting("token"), "token") is Place.DOTENV
    assert place_for(TAP.setting("port"), "port") is Place.PROJECT
    assert place_for(None, "ssh.private_key") is Place.DOTENV
    assert place_for(None, "api_url_base") is Place.PROJECT


def test_secrets_are_not_shown() -> None:
    resolved = resolve(
        TAP, Layers(root={"token": "hush!", "other": {"password": "quiet"}, "metrics": {"level": "a"}})
    )
    assert resolved.shown() == {
        "port": 5432, "token": "***", "other": {"password": "***"}, "metrics": {"level": "a"},
    }  # fmt: skip
    assert resolved.secrets() == {"hush!", "quiet"}
    assert redacted(TAP, resolved.config()) == resolved.shown()
    keys = Plugin("t", PluginKind.LOADERS, settings=(Setting("keys", K.OBJECT, sensitive=True),))
    shown = resolve(keys, Layers(root={"keys": {"a": "quiet"}}))
    assert shown.shown() == {"keys": "***"}
    assert shown.secrets() == {"quiet"}
    assert redacted(keys, {"keys": {"a": "quiet"}}) == {"keys": {"a": "***"}}
