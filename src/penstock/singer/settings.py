"""The settings of a plugin: how values are read, which layer wins, and where a new one is written.

From the strongest to the weakest: given for this call; a variable of the process; a variable of `.env`;
the active environment in the project file; the plugin's own entry there; the plugin it inherits from; the
definition's default. Layers come in as mappings: nothing here reads a file or the environment.
"""

from __future__ import annotations

import json
import re
from ast import literal_eval
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from penstock.errors import ProjectError, suggest
from penstock.singer.definition import Plugin, Setting, SettingKind

# Any throughout: the values of settings

MASK = "***"
_NOT_ENV = re.compile(r"[^A-Za-z0-9]")
_REFERENCE = re.compile(r"\\\$|\$\{(?P<braced>[A-Za-z_]\w*)\}|\$(?P<bare>[A-Za-z_]\w*)")
_TRUE = frozenset({"true", "t", "yes", "y", "on", "1"})
_FALSE = frozenset({"false", "f", "no", "n", "off", "0", ""})


class Origin(StrEnum):
    """Which layer a value came from, strongest first."""

    OVERRIDE = "override"
    PROCESS = "process environment"
    DOTENV = "dotenv"
    ENVIRONMENT = "project environment"
    ROOT = "project"
    INHERITED = "inherited"
    DEFAULT = "default"


class Place(StrEnum):
    """Where `config set` writes: the `.env` file, or the project file."""

    DOTENV = "dotenv"
    PROJECT = "project"


@dataclass(frozen=True, slots=True)
class Layers:
    """What each layer says. `process` and `dotenv` hold variables, the others settings by name.

    Settings may be nested mappings or dotted keys. Keys that begin with `_` are the extras of a project
    entry, such as `_select`.
    """

    override: Mapping[str, Any] = field(default_factory=dict)
    process: Mapping[str, str] = field(default_factory=dict)
    dotenv: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    root: Mapping[str, Any] = field(default_factory=dict)
    inherited: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Value:
    """The value of one setting, cast to its kind, and the layer that it came from."""

    name: str
    value: Any
    origin: Origin
    setting: Setting | None = None

    @property
    def secret(self) -> bool:
        """Whether the value must not be shown."""
        return secret_name(self.name) if self.setting is None else self.setting.secret


@dataclass(frozen=True, slots=True)
class Resolved:
    """The values that hold, by name, and what is worth saying about them."""

    values: Mapping[str, Value]
    warnings: tuple[str, ...] = ()

    def config(self) -> dict[str, Any]:
        """The configuration as a plugin reads it: nested, without extras and without what is not set."""
        plain = {n: v.value for n, v in self.values.items() if not n.startswith("_")}
        return nest({n: v for n, v in plain.items() if v is not None})

    def extras(self) -> dict[str, Any]:
        """The extras, without the underscore in front of their names."""
        return {n[1:]: v.value for n, v in self.values.items() if n.startswith("_")}

    def shown(self) -> dict[str, Any]:
        """The configuration for people: what is secret is `***`."""
        plain = {n: v for n, v in self.values.items() if not n.startswith("_") and v.value is not None}
        return nest({n: MASK if v.secret else v.value for n, v in plain.items()})

    def secrets(self) -> frozenset[str]:
        """The texts that must never be shown."""
        return frozenset(t for v in self.values.values() if v.secret for t in _texts(v.value))


# --------------------------------------------------------------------------------- resolution


def resolve(plugin: Plugin, layers: Layers, extras: Iterable[Setting] = ()) -> Resolved:
    """The value of every setting that has one in some layer, or a default.

    Raises: ProjectError for a value that is not of its setting's kind, and for two names of one setting
    that are both set in the environment.
    """
    known = (*plugin.settings, *extras)
    whole = {s.name for s in known if s.kind is SettingKind.OBJECT}
    expand_with = {**layers.dotenv, **layers.process}
    named = (
        (Origin.OVERRIDE, flatten(layers.override, whole)),
        (Origin.PROCESS, _from_env(plugin, known, layers.process)),
        (Origin.DOTENV, _from_env(plugin, known, layers.dotenv)),
        (Origin.ENVIRONMENT, expand(flatten(layers.environment, whole), expand_with)),
        (Origin.ROOT, expand(flatten(layers.root, whole), expand_with)),
        (Origin.INHERITED, flatten(layers.inherited, whole)),
        (Origin.DEFAULT, expand({s.name: s.value for s in known if s.value is not None}, expand_with)),
    )
    found: dict[str, Value] = {}
    for origin, values in reversed(named):
        for said, value in values.items():
            setting = _setting(known, said)
            name = setting.name if setting else said
            _clear_below(found, name)
            found[name] = Value(name, cast(setting, value, plugin.name), origin, setting)
    return Resolved(found, tuple(_warnings(plugin, found.values())))


def _setting(known: Iterable[Setting], name: str) -> Setting | None:
    candidates = list(known)
    exact = next((s for s in candidates if s.name == name), None)
    return exact or next((s for s in candidates if name in s.aliases), None)


def _clear_below(found: dict[str, Value], name: str) -> None:
    """Take away what a stronger value of `name` replaces: its own parts, or the whole that it is in."""
    for other in [n for n in found if n.startswith(f"{name}.") or name.startswith(f"{n}.")]:
        if found[other].setting is None or other.startswith(f"{name}."):
            del found[other]


def _from_env(plugin: Plugin, known: Iterable[Setting], env: Mapping[str, str]) -> dict[str, Any]:
    if not env:
        return {}
    values: dict[str, Any] = {}
    for setting in known:
        names = [n for n in env_names(plugin, setting) if n in env]
        if len({env[n] for n in names}) > 1:
            raise ProjectError(
                f"the setting `{setting.name}` of `{plugin.name}` has two values in the environment",
                found=", ".join(f"`{n}`" for n in names),
                expected="one of them",
            )
        if names:
            values[setting.name] = env[names[0]]
    return values


def _warnings(plugin: Plugin, values: Iterable[Value]) -> Iterator[str]:
    names = [s.name for s in plugin.settings]
    heads = {n.split(".")[0] for n in names}
    for value in values:
        setting, close = value.setting, None
        if setting is None and names and value.name.split(".")[0] not in heads and value.name[0] != "_":
            text = f"`{plugin.name}` does not declare the setting `{value.name}`; it is passed on"
            close = suggest(value.name, names)
        elif setting and setting.options and value.value is not None:
            options = [o.value for o in setting.options]
            if str(value.value) in options:
                continue
            text = f"`{plugin.name}`: `{setting.name}` is none of {', '.join(options)}"
            close = suggest(str(value.value), options)
        else:
            continue
        yield f"{text} ({close})" if close else text


# ------------------------------------------------------------------------------------ variables


def env_name(plugin: str, setting: str) -> str:
    """`TAP_GITHUB_AUTH_TOKEN` for `tap-github` and `auth_token`."""
    return _NOT_ENV.sub("_", f"{plugin}_{setting}").upper()


def env_names(plugin: Plugin, setting: Setting) -> tuple[str, ...]:
    """Every variable that may hold a setting: its own, then by the plugin's name and namespace."""
    named = [
        env_name(prefix, name)
        for prefix in (plugin.name, plugin.namespace)
        for name in (setting.name, *(a for a in setting.aliases if not a.startswith("!")))
    ]
    return tuple(dict.fromkeys([setting.env, *named] if setting.env else named))


def expand(value: Any, env: Mapping[str, str]) -> Any:
    """`value` with `$NAME` and `${NAME}` in its texts replaced; `\\$` is a dollar sign.

    A variable that is not set becomes nothing, as in a shell.
    """
    if isinstance(value, str):
        return _REFERENCE.sub(
            lambda m: "$" if m[0] == "\\$" else env.get(m["braced"] or m["bare"], ""), value
        )
    if isinstance(value, Mapping):
        return {k: expand(v, env) for k, v in value.items()}
    return [expand(v, env) for v in value] if isinstance(value, list) else value


# ---------------------------------------------------------------------------------- nested keys


def flatten(values: Mapping[str, Any], whole: Collection[str] = ()) -> dict[str, Any]:
    """Nested mappings as dotted keys; an empty mapping, an extra and those in `whole` stay values."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value and key not in whole and not key.startswith("_"):
            flat |= {f"{key}.{inner}": v for inner, v in flatten(value).items()}
        else:
            flat[str(key)] = value
    return flat


def nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted keys as nested mappings; `nest(flatten(x)) == x` where no key of `x` has a dot."""
    nested: dict[str, Any] = {}
    for key, value in flat.items():
        *path, last = key.split(".")
        at = nested
        for part in path:
            inner = at.get(part)
            if not isinstance(inner, dict):
                inner = at[part] = {}
            at = inner
        at[last] = dict(value) if isinstance(value, dict) else value
    return nested


# -------------------------------------------------------------------------------------- casting


def cast(setting: Setting | None, value: Any, plugin: str = "") -> Any:
    """`value` as the kind of its setting wants it; a setting that is not declared keeps its value.

    Raises: ProjectError, without the value of a secret.
    """
    if value is None:
        return None
    if setting is None:
        return _plain(value)
    try:
        return _READERS[setting.kind](value)
    except (ValueError, TypeError) as error:
        raise ProjectError(
            f"the setting `{setting.name}` is not {_EXPECTED[setting.kind]}",
            where=f"`{plugin}`" if plugin else None,
            found=MASK if setting.secret else repr(value),
            expected=_EXPECTED[setting.kind],
        ) from error


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value)
    return str(_plain(value))


def _integer(value: Any) -> int:
    if isinstance(value, float) and not value.is_integer():
        raise ValueError(value)
    return int(value.strip() if isinstance(value, str) else value)


def _number(value: Any) -> int | float:
    text = value.strip() if isinstance(value, str) else value
    try:
        return int(text) if not isinstance(text, float) else text
    except ValueError:
        return float(text)


def _boolean(value: Any) -> bool:
    if isinstance(value, str):
        word = value.strip().lower()
        if word not in _TRUE | _FALSE:
            raise ValueError(value)
        return word in _TRUE
    if value in (0, 1):
        return bool(value)
    raise ValueError(value)


def _array(value: Any) -> list[Any]:
    if isinstance(value, str):
        text = value.strip()
        if text.startswith("["):
            return list(_literal(text))
        return [part.strip() for part in text.split(",")] if text else []
    if isinstance(value, list | tuple):
        return list(value)
    return [value]


def _literal(text: str) -> Any:
    """JSON, or the same with single quotes as Python writes it."""
    try:
        return json.loads(text)
    except ValueError:
        try:
            return literal_eval(text)
        except SyntaxError as error:
            raise ValueError(text) from error


def _any(value: Any) -> Any:
    """The value of a setting of any type: a text that is JSON is what it says."""
    if not isinstance(value, str):
        return _plain(value)
    if value.strip() not in ("true", "false") and value.strip()[:1] not in ("[", "{"):
        return value
    return _literal(value.strip())


def _object(value: Any) -> dict[str, Any]:
    found = _literal(value.strip()) if isinstance(value, str) else value
    if not isinstance(found, Mapping):
        raise TypeError(found)
    return dict(found)


def _date(value: Any) -> str:
    if isinstance(value, date):  # datetimes too
        return value.isoformat()
    text = str(value).strip()
    datetime.fromisoformat(text)
    return text


_READERS: Mapping[SettingKind, Any] = dict.fromkeys(SettingKind, _text) | {
    SettingKind.INTEGER: _integer,
    SettingKind.DECIMAL: _number,
    SettingKind.BOOLEAN: _boolean,
    SettingKind.ARRAY: _array,
    SettingKind.OBJECT: _object,
    SettingKind.DATE: _date,
    SettingKind.HIDDEN: _plain,
    SettingKind.OPTIONS: _any,
}
_EXPECTED: Mapping[SettingKind, str] = dict.fromkeys(SettingKind, "a text") | {
    SettingKind.INTEGER: "a whole number",
    SettingKind.DECIMAL: "a number",
    SettingKind.BOOLEAN: "`true` or `false`",
    SettingKind.ARRAY: "a list, as JSON or with commas",
    SettingKind.OPTIONS: "a value, or JSON",
    SettingKind.OBJECT: "a JSON object",
    SettingKind.DATE: "a date or an instant of ISO 8601, such as 2020-01-31 or 2020-01-31T00:00:00Z",
}


# -------------------------------------------------------------------------- writing and showing


def place_for(setting: Setting | None, name: str) -> Place:
    """Where a value of a setting is written: what is secret goes to `.env`, the rest to the project."""
    secret = secret_name(name) if setting is None else setting.secret
    return Place.DOTENV if secret else Place.PROJECT


def secret_name(name: str) -> bool:
    """Whether a setting that nobody declared sounds as if its value were secret."""
    word = name.rpartition(".")[2].lower()
    return word.endswith(("password", "secret", "token", "api_key", "apikey", "private_key", "passphrase"))


def redacted(plugin: Plugin, config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration for people: the values of secret settings are `***`."""
    flat = flatten(config)
    return nest({n: MASK if _hidden(plugin, n) and v is not None else v for n, v in flat.items()})


def _hidden(plugin: Plugin, name: str) -> bool:
    whole = [".".join(name.split(".")[:i]) for i in range(1, name.count(".") + 2)]
    declared = [s for s in map(plugin.setting, whole) if s is not None]
    return any(s.secret for s in declared) if declared else secret_name(name)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
    elif value not in (None, "", True, False):
        yield str(value)
