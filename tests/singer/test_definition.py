"""Definitions of plugins: read, written, joined, and those that come with the package."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

import pytest

from penstock.errors import NotFoundError, ProjectError
from penstock.singer.bundled import catalogue, known, variants
from penstock.singer.definition import (
    Plugin,
    PluginKind,
    Setting,
    SettingKind,
    definition_from_about,
    joined,
    missing,
    plugin_from_mapping,
    plugin_to_mapping,
)

E, L = PluginKind.EXTRACTORS, PluginKind.LOADERS
ENTRY = {
    "name": "tap-x",
    "namespace": "tap_y",
    "variant": "mine",
    "pip_url": "tap-x==1.0 other",
    "executable": "tap-xx",
    "capabilities": ["catalog", "state"],
    "settings": [
        {"name": "token", "kind": "password", "sensitive": True, "aliases": ["key"]},
        {"name": "mode", "kind": "options", "options": [{"value": "a", "label": "A"}], "value": "a"},
        {"name": "plain"},
    ],
    "settings_group_validation": [["token"], ["plain", "mode"]],
    "commands": {"build": {"args": "build --all", "executable": "dbt"}},
    "env": {"A": "1"},
    "select": ["*.*"],
    "config": {"plain": "x"},
}


def test_kinds_have_two_names_each() -> None:
    for kind in PluginKind:
        assert PluginKind.of(kind.value) is PluginKind.of(kind.singular) is kind
    assert PluginKind.of("tap-github") is None
    assert [PluginKind.guess(n) for n in ("tap-a", "meltanolabs-target-b", "dbt-duckdb")] == [
        E, L, PluginKind.UTILITIES,
    ]  # fmt: skip
    assert PluginKind.guess("meltano-map-transformer") is PluginKind.MAPPERS


def test_entry_of_a_project_is_read_and_written_back() -> None:
    plugin = plugin_from_mapping(ENTRY, E)
    assert plugin.command == "tap-xx"
    assert plugin.can("catalog")
    assert not plugin.can("batch")
    assert plugin.extras == {"select": ["*.*"], "config": {"plain": "x"}}
    assert plugin.required_groups == (("token",), ("plain", "mode"))
    assert plugin.setting("key") == plugin.setting("token")
    assert plugin.setting("other") is None
    assert [s.secret for s in plugin.settings] == [True, False, False]
    assert plugin_from_mapping(plugin_to_mapping(plugin), E) == plugin
    assert set(plugin_to_mapping(plugin)) == set(ENTRY)


def test_little_is_enough() -> None:
    plugin = plugin_from_mapping({"name": "tap-x", "settings": ["a"], "commands": {"go": "run"}}, E)
    assert (plugin.namespace, plugin.command) == ("tap_x", "tap-x")
    assert plugin.settings == (Setting("a"),)
    assert plugin.commands["go"].args == "run"


@pytest.mark.parametrize(
    ("entry", "word"),
    [
        ({"variant": "x"}, "no name"),
        ({"name": "tap-x", "settings": [{"kind": "string"}]}, "has no name"),
        ({"name": "tap-x", "settings": [{"name": "a", "kind": "strng"}]}, "did you mean 'string'"),
    ],
)
def test_entries_that_cannot_be_read(entry: Mapping[str, Any], word: str) -> None:
    with pytest.raises(ProjectError) as caught:
        plugin_from_mapping(entry, E)
    assert word in str(caught.value)


# ------------------------------------------------------------------------ what plugins say


def about(**properties: Any) -> dict[str, Any]:
    return {"name": "tap-x", "capabilities": ["catalog"], "settings": {"properties": properties}}


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": ["string", "null"]}, SettingKind.STRING),
        ({"type": "string", "format": "date-time"}, SettingKind.DATE),
        ({"type": ["integer", "null"]}, SettingKind.INTEGER),
        ({"type": "number"}, SettingKind.DECIMAL),
        ({"type": ["null", "boolean"]}, SettingKind.BOOLEAN),
        ({"type": "array"}, SettingKind.ARRAY),
        ({"type": "object"}, SettingKind.OBJECT),
        ({"type": "string", "enum": ["a", "b"]}, SettingKind.OPTIONS),
        ({"type": "string", "secret": True}, SettingKind.PASSWORD),
        ({"type": "string", "writeOnly": True}, SettingKind.PASSWORD),
        ({}, SettingKind.OPTIONS),
        ({"type": ["boolean", "array"]}, SettingKind.OPTIONS),
        ({"anyOf": ["boolean", {"type": "array"}]}, SettingKind.OPTIONS),
        ({"oneOf": [{"type": "string", "const": "a", "title": "A"}]}, SettingKind.OPTIONS),
    ],
)
def test_kinds_of_settings_that_a_plugin_tells(schema: Mapping[str, Any], kind: SettingKind) -> None:
    [setting] = definition_from_about(about(one=schema), E).settings
    assert setting.kind is kind


def test_definition_from_what_a_plugin_tells() -> None:
    said = about(
        auth_token={"type": "string", "description": "A token."},
        auth_tokens={"type": "array"},
        n={"type": "integer", "default": 5},
        way={"type": "string", "enum": ["a", "b"]},
    )
    said["settings"]["required"] = ["n"]
    plugin = definition_from_about(said)
    assert (plugin.kind, plugin.capabilities, plugin.required_groups) == (E, ("catalog",), (("n",),))
    token, tokens, n, way = plugin.settings
    assert (token.secret, token.description, tokens.secret) == (True, "A token.", True)
    assert (n.value, n.required) == (5, True)
    assert [o.value for o in way.options] == ["a", "b"]
    assert definition_from_about({"name": "tap-x"}).settings == ()
    with pytest.raises(ProjectError, match="no name"):
        definition_from_about({})


def test_joined_definitions_keep_what_is_said_first() -> None:
    first = plugin_from_mapping({"name": "tap-x--two", "settings": [{"name": "a", "value": 1}]}, E)
    second = plugin_from_mapping(
        {"name": "tap-x", "pip_url": "p", "settings": ["a", "b"], "env": {"E": "1"}}, E
    )
    found = joined(first, second)
    assert (found.name, found.pip_url, found.env) == ("tap-x--two", "p", {"E": "1"})
    assert [(s.name, s.value) for s in found.settings] == [("a", 1), ("b", None)]


def test_missing_settings() -> None:
    plugin = plugin_from_mapping(ENTRY, E)
    assert missing(plugin, []) == ["token"]
    assert missing(plugin, ["plain"]) == []  # `mode` has a default
    assert missing(Plugin("tap-x", E, settings=(Setting("a", required=True),)), []) == ["a"]


# ------------------------------------------------------------------------------- the catalogue


def test_catalogue_needs_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "socket", refuse)
    catalogue.cache_clear()
    assert len(catalogue()) >= 15


def test_names_on_the_index_are_right() -> None:
    """A plugin's package is often not called as the plugin is, and its namesake is another plugin."""
    urls = {(p.name, p.variant): p.pip_url for p in catalogue()}
    assert urls["tap-github", "meltanolabs"] == "meltanolabs-tap-github"
    assert urls["tap-github", "singer-io"] == "tap-github"
    assert urls["tap-postgres", "meltanolabs"] == "meltanolabs-tap-postgres"
    assert urls["target-postgres", "meltanolabs"] == "meltanolabs-target-postgres"
    assert urls["target-bigquery", "z3z1ma"] == "z3-target-bigquery"
    assert urls["target-jsonl", "andyh1203"] == "target-jsonl"


def test_every_definition_can_be_used() -> None:
    for plugin in catalogue():
        assert plugin.pip_url
        assert plugin.variant
        assert plugin.label
        assert len({s.name for s in plugin.settings}) == len(plugin.settings)
        for group in plugin.required_groups:
            assert all(plugin.setting(name) for name in group), plugin.name
        assert plugin_from_mapping(plugin_to_mapping(plugin), plugin.kind) == plugin


def test_lessons_settings_are_known() -> None:
    """What the course types in when it is asked."""
    asked = {
        "tap-github": ["auth_token", "repositories"],
        "target-bigquery": [
            "project", "dataset", "credentials_path", "method", "denormalized", "flattening_enabled",
            "flattening_max_depth",
        ],
        "tap-postgres": ["database", "filter_schemas", "host", "password", "port", "user"],
        "target-jsonl": ["destination_path"],
    }  # fmt: skip
    for name, settings in asked.items():
        assert all(known(name).setting(s) for s in settings), name
    assert [s.name for s in known("tap-postgres").settings if s.secret][:1] == ["password"]


def test_variants() -> None:
    assert [p.variant for p in variants("tap-github")] == ["meltanolabs", "singer-io"]
    assert known("tap-github").variant == "meltanolabs"
    assert known("tap-github", E, "singer-io").pip_url == "tap-github"
    assert variants("tap-github", L) == []
    with pytest.raises(NotFoundError, match="no variant `singer`") as caught:
        known("tap-github", variant="singer")
    assert "did you mean 'singer-io'?" in str(caught.value)
    with pytest.raises(NotFoundError) as caught:
        known("tap-githb")
    assert "did you mean 'tap-github'?" in str(caught.value)
