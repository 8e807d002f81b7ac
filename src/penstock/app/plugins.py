"""The plugins of a project in use: what they are, which settings hold, and where they are installed."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.app.writing import write_whole
from penstock.errors import NotFoundError, ProjectError
from penstock.project.load import DOTENV
from penstock.project.loaded import LoadedProject
from penstock.project.plugins import PluginSpec, find_plugin, lineage
from penstock.project.variables import parse_dotenv, redact
from penstock.singer.bundled import known
from penstock.singer.definition import (
    Plugin,
    PluginKind,
    Setting,
    SettingKind,
    definition_from_about,
    joined,
    plugin_from_mapping,
)
from penstock.singer.settings import Layers, Resolved, env_name, expand, flatten, resolve

if TYPE_CHECKING:
    from penstock.plugins.environment import Installed, Wish

# Any throughout: values of settings, and JSON

HOME = Path(".penstock") / "plugins"
EXTRAS = (
    Setting("_select", SettingKind.ARRAY),
    Setting("_select_filter", SettingKind.ARRAY),
    Setting("_metadata", SettingKind.OBJECT),
    Setting("_schema", SettingKind.OBJECT),
    Setting("_catalog"),
    Setting("_state"),
    Setting("_load_schema"),
    Setting("_dialect"),
    Setting("_use_cached_catalog", SettingKind.BOOLEAN),
)
_FILLED = re.compile(r"\$(?!MELTANO_)")
_EXTRA_FIELDS = {"schema": "schema_"}


@dataclass(frozen=True)
class Entry:
    """A plugin of the project: its entry, what it inherits from, and the definition that follows."""

    kind: PluginKind
    chain: tuple[PluginSpec, ...]
    plugin: Plugin

    @property
    def name(self) -> str:
        """The name that the project gives it."""
        return self.chain[0].name

    @property
    def spec(self) -> PluginSpec:
        """What the project says of it."""
        return self.chain[0]


@dataclass
class Plugins:
    """The plugins of a project, with the variables of the process that uses them."""

    loaded: LoadedProject
    process: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    @property
    def root(self) -> Path:
        """The project's folder."""
        return Path(self.loaded.project.root)

    @property
    def home(self) -> Path:
        """Where plugins are installed."""
        return self.root / HOME

    @cached_property
    def dotenv(self) -> dict[str, str]:
        """The variables of the project's `.env` file."""
        path = self.root / DOTENV
        return parse_dotenv(path.read_text("utf-8")) if path.is_file() else {}

    @property
    def expands(self) -> bool:
        """Whether settings hold `$NAME` still, as those of a `meltano.yml` do."""
        return self.loaded.late

    def redact(self, text: str) -> str:
        """`text` with the secrets of the project and of all plugins' settings masked."""
        return redact(text, self._secrets)

    @cached_property
    def _secrets(self) -> frozenset[str]:
        found = set(self.loaded.secrets)
        for entry in self.entries():
            try:
                found |= self.resolved(entry).secrets()
            except ProjectError:
                continue  # a value of the wrong kind; whoever uses the plugin says so
        return frozenset(found)

    # ---------------------------------------------------------------------------- what they are

    def entry(self, name: str, kind: PluginKind | None = None) -> Entry:
        """A plugin by name. Raises: ProjectError when the project has none of that name."""
        found, spec = find_plugin(self.loaded.project.plugins, name, kind)
        chain = tuple(lineage(self.loaded.project.plugins, found, spec))
        return Entry(found, chain, self._definition(found, chain))

    def entries(self, kind: PluginKind | None = None) -> Iterator[Entry]:
        """All plugins, by kind in the order of the project file."""
        for found, spec in self.loaded.project.plugins.all():
            if kind in (None, found):
                yield self.entry(spec.name, found)

    def _definition(self, kind: PluginKind, chain: tuple[PluginSpec, ...]) -> Plugin:
        """What the project, a lock file, the plugin itself and the catalogue say, in that order."""
        base = chain[-1].inherit_from or chain[-1].name
        variant = next((spec.variant for spec in chain if spec.variant), None)
        said = [
            *(_own_definition(spec, kind) for spec in chain),
            self._locked(kind, base, variant),
            self._told(kind, chain),
            _bundled(kind, base, variant),
        ]
        first, *rest = [plugin for plugin in said if plugin is not None]
        for plugin in rest:
            first = joined(first, plugin)
        return first

    def _locked(self, kind: PluginKind, name: str, variant: str | None) -> Plugin | None:
        """The definition that Meltano wrote into a lock file."""
        folder = self.root / "plugins" / kind.value
        stem = f"{name}--{variant}" if variant else name
        path = folder / f"{stem}.lock"
        if not path.is_file():
            return None
        return plugin_from_mapping(json.loads(path.read_text("utf-8")), kind)

    def _about_file(self, kind: PluginKind, chain: tuple[PluginSpec, ...]) -> Path:
        return self.home / kind.value / f"{_origin(chain).name}.about.json"

    def _told(self, kind: PluginKind, chain: tuple[PluginSpec, ...]) -> Plugin | None:
        """What the plugin said of itself when it was installed."""
        path = self._about_file(kind, chain)
        said = json.loads(path.read_text("utf-8")) if path.is_file() else {}
        return definition_from_about(said, kind) if said else None

    # ------------------------------------------------------------------------ which settings hold

    def resolved(self, entry: Entry, extra_env: Mapping[str, str] | None = None, **override: Any) -> Resolved:
        """The settings of a plugin, from all layers; `override` wins over everything."""
        process = {**self.process, **self.variables(entry), **(extra_env or {})}
        return resolve(
            entry.plugin,
            Layers(
                override=override,
                process=process,
                dotenv=self.dotenv,
                root=self._said(entry.spec),
                inherited=self._inherited(entry, extra_env),
            ),
            EXTRAS,
        )

    def _inherited(self, entry: Entry, extra_env: Mapping[str, str] | None) -> dict[str, Any]:
        if len(entry.chain) == 1:
            return {}
        above = self.resolved(self.entry(entry.chain[1].name, entry.kind), extra_env)
        return {name: value.value for name, value in above.values.items() if value.value is not None}

    def _said(self, spec: PluginSpec) -> dict[str, Any]:
        """What the project file says of settings and extras, ready to be expanded."""
        said: dict[str, Any] = dict(spec.config)
        for setting in EXTRAS:
            name = setting.name.removeprefix("_")
            attribute = _EXTRA_FIELDS.get(name, name)
            if attribute in spec.model_fields_set:
                value = getattr(spec, attribute)
                said[setting.name] = list(value) if isinstance(value, tuple) else value
        return said if self.expands else _escaped(said)

    def variables(self, entry: Entry) -> dict[str, str]:
        """The variables that the project sets for a plugin, and those that say what it is."""
        project = self.loaded.project
        about = {
            "MELTANO_PROJECT_ROOT": str(self.root),
            "MELTANO_ENVIRONMENT": project.environment or "",
            f"MELTANO_{entry.kind.singular.upper()}_NAME": entry.name,
            f"MELTANO_{entry.kind.singular.upper()}_NAMESPACE": entry.plugin.namespace,
        }
        outside = {**self.process, **self.dotenv, **about}
        said = {**project.env}
        for spec in reversed(entry.chain):
            said |= spec.env
        said = {**entry.plugin.env, **said}
        texts = {k: "" if v is None else str(v) for k, v in said.items()}
        return {**about, **(expand(texts, outside) if self.expands else texts)}

    def pair_variables(self, extractor: Entry, config: Mapping[str, Any]) -> dict[str, str]:
        """What a loader may refer to of the extractor that it is fed by."""
        extras = self.resolved(extractor).extras()
        schema = extras.get("load_schema") or extractor.plugin.namespace
        named = {env_name("meltano_extract_", name): _as_text(v) for name, v in flatten(config).items()}
        return {
            **named,
            "MELTANO_EXTRACTOR_NAME": extractor.name,
            "MELTANO_EXTRACTOR_NAMESPACE": extractor.plugin.namespace,
            "MELTANO_EXTRACT__LOAD_SCHEMA": str(schema),
        }

    def process_env(self, entry: Entry, resolved: Resolved) -> dict[str, str]:
        """The environment that a plugin's process gets, beside that of this one."""
        named = {
            env_name(entry.name, name): _as_text(value)
            for name, value in flatten(resolved.config()).items()
            if value is not None
        }
        return {**self.dotenv, **named, **self.variables(entry)}

    # -------------------------------------------------------------------------- where they are

    def install(self, entry: Entry, wish: Wish | None = None) -> Installed:
        """The plugin, installed if it is not yet, and asked who it is. Raises: as `plugins.install`."""
        from penstock.plugins.ask import about
        from penstock.plugins.environment import install

        ignored = self.root / ".penstock" / ".gitignore"
        if not ignored.is_file():
            write_whole(ignored, "*\n")  # a folder that was not made for us may not know of it
        fresh = self._fresh(entry)
        found = install(self._home_of(entry), self.home, self.root, wish)
        path = self._about_file(entry.kind, entry.chain)
        if fresh or not path.is_file() or (wish is not None and (wish.force or wish.upgrade)):
            said = about(found, cwd=self.root)
            knows = said is not None and isinstance(said.get("name"), str)
            write_whole(path, json.dumps(said if knows else {}))  # {}: it cannot be asked
        return replace(found, plugin=self.entry(entry.name, entry.kind).plugin)

    def known(self, entry: Entry, *, install: bool = False) -> Entry:
        """The plugin with what it says of itself, asked if nobody did yet; `install` installs it for that."""
        from penstock.plugins.environment import installed

        if self._about_file(entry.kind, entry.chain).is_file() and not install:
            return entry
        if not install and installed(self._home_of(entry), self.home, self.root) is None:
            return entry
        self.install(entry)
        return self.entry(entry.name, entry.kind)

    def _fresh(self, entry: Entry) -> bool:
        from penstock.plugins.environment import installed

        return installed(self._home_of(entry), self.home, self.root) is None

    def uninstall(self, entry: Entry) -> None:
        """Take a plugin's environment away, unless it is another plugin's."""
        from penstock.plugins.environment import lock_file, uninstall

        if _origin(entry.chain) is entry.spec:
            uninstall(entry.plugin, self.home)
            lock_file(entry.plugin, self.root).unlink(missing_ok=True)
            self._about_file(entry.kind, entry.chain).unlink(missing_ok=True)

    def home_name(self, entry: Entry) -> str:
        """The plugin whose environment this one uses: its parent if nothing is different."""
        return _origin(entry.chain).name

    def _home_of(self, entry: Entry) -> Plugin:
        return replace(entry.plugin, name=self.home_name(entry))


def _own_definition(spec: PluginSpec, kind: PluginKind) -> Plugin:
    """The definition in a plugin's own entry."""
    said = spec.model_dump(by_alias=True, include=set(spec.model_fields_set), exclude={"config", "env"})
    return plugin_from_mapping({"name": spec.name, **said}, kind)


def _bundled(kind: PluginKind, name: str, variant: str | None) -> Plugin | None:
    for wanted in (variant, None):
        try:
            return known(name, kind, wanted)
        except NotFoundError:
            continue
    return None


def _origin(chain: tuple[PluginSpec, ...]) -> PluginSpec:
    """The plugin of a line of inheritance whose installation the first one uses."""
    for spec in chain:
        if spec.pip_url is not None or spec.executable is not None or spec.python is not None:
            return spec
    return chain[-1]


def _escaped(value: Any) -> Any:
    """Texts whose variables were filled in already; only Meltano's own are known no sooner than now."""
    if isinstance(value, str):
        return _FILLED.sub(r"\\$", value)
    if isinstance(value, Mapping):
        return {k: _escaped(v) for k, v in value.items()}
    return [_escaped(v) for v in value] if isinstance(value, list) else value


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, default=str)
