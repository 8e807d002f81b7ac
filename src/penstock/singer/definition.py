"""What a plugin is: its kind, what it is installed from, what it can do and which settings it has.

The words are Meltano's, so that its project files and lock files read as they are. A definition comes
from four places: the project, the plugin's own `--about`, a file that somebody hands over, and the
bundled catalogue (`singer.bundled`). This module reads and joins them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from penstock.errors import ProjectError, suggest

# Any throughout: values as a project file or a plugin gave them


class PluginKind(StrEnum):
    """What a plugin does in a pipeline, by the name of its list in `meltano.yml`."""

    EXTRACTORS = "extractors"
    LOADERS = "loaders"
    MAPPERS = "mappers"
    UTILITIES = "utilities"
    FILES = "files"
    ORCHESTRATORS = "orchestrators"
    TRANSFORMERS = "transformers"
    TRANSFORMS = "transforms"

    @property
    def singular(self) -> str:
        """`extractor` for `extractors`, as commands say it."""
        return {"utilities": "utility", "files": "file"}.get(self.value, self.value[:-1])

    @classmethod
    def of(cls, word: str) -> PluginKind | None:
        """The kind that a word names, singular or plural, or None."""
        return next((k for k in cls if word in (k.value, k.singular)), None)

    @classmethod
    def guess(cls, name: str) -> PluginKind:
        """What a plugin of that name is likely to be: `tap-` extracts, `target-` loads."""
        for prefix, kind in (("tap-", cls.EXTRACTORS), ("target-", cls.LOADERS)):
            if prefix in name:
                return kind
        return cls.MAPPERS if "mapper" in name or "map-transform" in name else cls.UTILITIES


class SettingKind(StrEnum):
    """How the value of a setting is written and read."""

    STRING = "string"
    INTEGER = "integer"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    DATE = "date_iso8601"
    EMAIL = "email"
    PASSWORD = "password"  # noqa: S105 a word, not a password
    OAUTH = "oauth"
    OPTIONS = "options"
    FILE = "file"
    ARRAY = "array"
    OBJECT = "object"
    HIDDEN = "hidden"


SECRET_KINDS = frozenset({SettingKind.PASSWORD, SettingKind.OAUTH})


@dataclass(frozen=True, slots=True)
class Option:
    """One of the values that a setting of kind `options` may have."""

    value: str
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a plugin; `value` is its default, `env` a variable of its own that holds it."""

    name: str
    kind: SettingKind = SettingKind.STRING
    aliases: tuple[str, ...] = ()
    sensitive: bool = False
    value: Any = None
    label: str | None = None
    description: str | None = None
    options: tuple[Option, ...] = ()
    env: str | None = None
    required: bool = False

    @property
    def secret(self) -> bool:
        """Whether the value must not be shown, nor be written into the project file."""
        return self.sensitive or self.kind in SECRET_KINDS


@dataclass(frozen=True, slots=True)
class Command:
    """A named command of a plugin: the arguments, and a program other than the plugin's own."""

    args: str
    executable: str | None = None
    description: str | None = None


@dataclass(frozen=True)
class Plugin:
    """A plugin's definition. `required_groups`: each is a set of settings that suffice together.

    `pip_url` is what the installer is given, several packages parted by spaces; None for a plugin that is
    a command already. `extras` are the keys of a project's entry that are not about the definition
    (`select`, `metadata`, `mappings`, `config` and the like), as they were found.
    """

    name: str
    kind: PluginKind
    namespace: str = ""
    variant: str | None = None
    label: str | None = None
    description: str | None = None
    pip_url: str | None = None
    executable: str | None = None
    python: str | None = None
    capabilities: tuple[str, ...] = ()
    settings: tuple[Setting, ...] = ()
    required_groups: tuple[tuple[str, ...], ...] = ()
    commands: Mapping[str, Command] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    inherit_from: str | None = None
    docs: str | None = None
    extras: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.namespace:
            object.__setattr__(self, "namespace", self.name.replace("-", "_"))

    @property
    def command(self) -> str:
        """The program to start: `executable`, or one called as the plugin."""
        return self.executable or self.name

    def can(self, capability: str) -> bool:
        """Whether the plugin says that it has a capability, such as `catalog` or `batch`."""
        return capability in self.capabilities

    def setting(self, name: str) -> Setting | None:
        """The setting of that name or alias, or None for one that the definition does not have."""
        exact = next((s for s in self.settings if s.name == name), None)
        return exact or next((s for s in self.settings if name in s.aliases), None)


# ------------------------------------------------------------------------- Meltano's vocabulary


_TEXTS = (
    "namespace", "variant", "label", "description", "pip_url", "executable", "python", "inherit_from",
    "docs",
)  # fmt: skip
_OTHERS = ("name", "capabilities", "settings", "settings_group_validation", "commands", "env")
_OLD_KINDS = {"url": SettingKind.STRING, "tel": SettingKind.STRING, "number": SettingKind.DECIMAL}


def plugin_from_mapping(raw: Mapping[str, Any], kind: PluginKind) -> Plugin:
    """The definition in an entry of `meltano.yml`, a lock file or a file handed over.

    Raises: ProjectError for an entry without a name, or a setting that cannot be understood.
    """
    name = raw.get("name")
    if not isinstance(name, str) or not name:
        raise ProjectError("a plugin has no name", found=", ".join(map(str, raw)), expected="`name`")
    texts = {k: str(raw[k]) for k in _TEXTS if raw.get(k) not in (None, "")}
    return Plugin(
        name=name,
        kind=kind,
        capabilities=tuple(map(str, raw.get("capabilities") or ())),
        settings=tuple(setting_from_mapping(s, name) for s in raw.get("settings") or ()),
        required_groups=tuple(tuple(g) for g in raw.get("settings_group_validation") or ()),
        commands={k: _command(v) for k, v in (raw.get("commands") or {}).items()},
        env={k: str(v) for k, v in (raw.get("env") or {}).items()},
        extras={k: v for k, v in raw.items() if k not in _TEXTS and k not in _OTHERS},
        **texts,
    )


def setting_from_mapping(raw: Any, plugin: str) -> Setting:
    """A setting as a definition has it: a mapping, or its name alone. Raises: ProjectError."""
    if isinstance(raw, str):
        return Setting(raw)
    if not isinstance(raw, Mapping) or not isinstance(raw.get("name"), str):
        raise ProjectError(f"a setting of `{plugin}` has no name", expected="a mapping with `name`")
    said = raw.get("kind") or ("options" if raw.get("options") else "string")
    kind = _OLD_KINDS.get(said) or next((k for k in SettingKind if k == said), None)
    if kind is None:
        kinds = [k.value for k in SettingKind]
        raise ProjectError(
            f"`{said}` is not a kind of setting",
            where=f"`{plugin}`, setting `{raw['name']}`",
            expected=", ".join(kinds),
            hint=suggest(str(said), kinds),
        )
    return Setting(
        name=raw["name"],
        kind=kind,
        aliases=tuple(map(str, raw.get("aliases") or ())),
        sensitive=bool(raw.get("sensitive", False)),
        value=raw.get("value"),
        label=raw.get("label"),
        description=raw.get("description"),
        options=tuple(_option(o) for o in raw.get("options") or ()),
        env=raw.get("env"),
        required=bool(raw.get("required", False)),
    )


def _option(raw: Any) -> Option:
    if isinstance(raw, Mapping):
        return Option(str(raw.get("value")), raw.get("label"))
    return Option(str(raw))


def _command(raw: Any) -> Command:
    if isinstance(raw, Mapping):
        return Command(str(raw.get("args", "")), raw.get("executable"), raw.get("description"))
    return Command(str(raw))


def plugin_to_mapping(plugin: Plugin) -> dict[str, Any]:
    """The definition in Meltano's words; `plugin_from_mapping` reads it back equal."""
    said: dict[str, Any] = {"name": plugin.name}
    said |= {k: getattr(plugin, k) for k in _TEXTS if getattr(plugin, k)}
    if said["namespace"] == plugin.name.replace("-", "_"):
        del said["namespace"]
    if plugin.capabilities:
        said["capabilities"] = list(plugin.capabilities)
    if plugin.settings:
        said["settings"] = [setting_to_mapping(s) for s in plugin.settings]
    if plugin.required_groups:
        said["settings_group_validation"] = [list(g) for g in plugin.required_groups]
    if plugin.commands:
        said["commands"] = {
            k: {n: t for n, t in (("args", c.args), ("executable", c.executable),
                                  ("description", c.description)) if t is not None}
            for k, c in plugin.commands.items()
        }  # fmt: skip
    if plugin.env:
        said["env"] = dict(plugin.env)
    return said | dict(plugin.extras)


def setting_to_mapping(setting: Setting) -> dict[str, Any]:
    """A setting in Meltano's words, without what it does not say."""
    said: dict[str, Any] = {"name": setting.name}
    if setting.kind is not SettingKind.STRING:
        said["kind"] = setting.kind.value
    for key in ("value", "label", "description", "env"):
        if getattr(setting, key) is not None:
            said[key] = getattr(setting, key)
    if setting.aliases:
        said["aliases"] = list(setting.aliases)
    if setting.options:
        said["options"] = [
            {"value": o.value} | ({"label": o.label} if o.label else {}) for o in setting.options
        ]
    said |= {key: True for key in ("sensitive", "required") if getattr(setting, key)}
    return said


# -------------------------------------------------------------------------- what a plugin says


_ABOUT_KINDS = {
    "string": SettingKind.STRING,
    "integer": SettingKind.INTEGER,
    "number": SettingKind.DECIMAL,
    "boolean": SettingKind.BOOLEAN,
    "array": SettingKind.ARRAY,
    "object": SettingKind.OBJECT,
}
_SECRET_ENDINGS = (
    "password", "secret", "secrets", "token", "tokens", "api_key", "app_keys", "access_key", "private_key",
    "passphrase", "credentials", "credentials_json", "sqlalchemy_url",
)  # fmt: skip
_SDK_OWN = frozenset({"stream_maps", "stream_map_config", "faker_config", "batch_config"})


def definition_from_about(about: Mapping[str, Any], kind: PluginKind | None = None) -> Plugin:
    """The definition in what an SDK plugin answers to `--about --format=json`.

    A definition from here has no `pip_url`: a plugin does not know where it came from.
    Raises: ProjectError when the answer has no name.
    """
    name = about.get("name")
    if not isinstance(name, str) or not name:
        raise ProjectError("a plugin's own description has no name", expected="`name` in the answer")
    schema = about.get("settings") or {}
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    required = schema.get("required") or () if isinstance(schema, Mapping) else ()
    found = _settings_of(properties if isinstance(properties, Mapping) else {}, required)
    must = tuple(n for n in required)
    return Plugin(
        name=name,
        kind=kind or PluginKind.guess(name),
        description=about.get("description"),
        capabilities=tuple(map(str, about.get("capabilities") or ())),
        settings=tuple(found),
        required_groups=(must,) if must else (),
    )


def _settings_of(properties: Mapping[str, Any], required: Iterable[str]) -> list[Setting]:
    must = set(required)
    return [_setting_of(n, s if isinstance(s, Mapping) else {}, n in must) for n, s in properties.items()]


def _setting_of(name: str, schema: Mapping[str, Any], required: bool) -> Setting:
    sensitive = bool(schema.get("secret") or schema.get("writeOnly"))
    sensitive = sensitive or (name not in _SDK_OWN and name.lower().endswith(_SECRET_ENDINGS))
    options = _options_of(schema)
    kind = _kind_of(schema)
    if kind is SettingKind.STRING and sensitive:
        kind = SettingKind.PASSWORD
    elif kind is SettingKind.STRING and options:
        kind = SettingKind.OPTIONS
    return Setting(
        name=name,
        kind=kind,
        sensitive=sensitive,
        value=schema.get("default"),
        label=schema.get("title"),
        description=schema.get("description"),
        options=options,
        required=required,
    )


def _kind_of(schema: Mapping[str, Any]) -> SettingKind:
    """The kind behind a JSON Schema; `options` for what may be of several types, or of any."""
    said = schema.get("type")
    types = {said} if isinstance(said, str) else set(said or ())
    for branch in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        inner = branch.get("type") if isinstance(branch, Mapping) else branch  # some list types bare
        types |= {inner} if isinstance(inner, str) else set(inner or ())
    if "string" in types and schema.get("format") in ("date-time", "date"):
        return SettingKind.DATE
    types -= {"null"}
    return _ABOUT_KINDS.get(types.pop(), SettingKind.OPTIONS) if len(types) == 1 else SettingKind.OPTIONS


def _has_const(branch: Any) -> bool:
    return isinstance(branch, Mapping) and "const" in branch


def _options_of(schema: Mapping[str, Any]) -> tuple[Option, ...]:
    consts = [(b.get("const"), b.get("title")) for b in schema.get("oneOf", ()) if _has_const(b)]
    values = [(v, None) for v in schema.get("enum", ())]
    return tuple(Option(str(v), label) for v, label in (consts or values) if v is not None)


# ------------------------------------------------------------------------------- joining them


def joined(plugin: Plugin, base: Plugin) -> Plugin:
    """`plugin` with what it does not say taken from `base`: another definition of it, or its parent.

    Settings are joined by name; where both have one, that of `plugin` holds.
    """
    own = {s.name for s in plugin.settings}
    kept: dict[str, Any] = {
        k: getattr(base, k)
        for k in ("variant", "label", "description", "pip_url", "executable", "python", "docs",
                  "capabilities", "required_groups")
        if not getattr(plugin, k)
    }  # fmt: skip
    return replace(
        plugin,
        settings=(*plugin.settings, *(s for s in base.settings if s.name not in own)),
        commands={**base.commands, **plugin.commands},
        env={**base.env, **plugin.env},
        **kept,
    )


def missing(plugin: Plugin, given: Iterable[str]) -> Sequence[str]:
    """The settings that are still needed: of several groups that would do, the one that lacks least."""
    have = set(given) | {s.name for s in plugin.settings if s.value is not None}
    groups = plugin.required_groups or (tuple(s.name for s in plugin.settings if s.required),)
    return min(([n for n in group if n not in have] for group in groups), key=len)
