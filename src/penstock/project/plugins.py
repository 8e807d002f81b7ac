"""Plugins, jobs and schedules of a project file, in the shape that `meltano.yml` gives them.

A plugin that an environment names again is laid over the one of that name: mappings merge, all else
replaces. `lineage` follows `inherit_from`; nothing here knows what a setting means.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from penstock.errors import ProjectError, suggest
from penstock.project import words
from penstock.project.base import Names, Spec
from penstock.project.nodes import Node, overlay
from penstock.schema.faults import either
from penstock.singer.definition import PluginKind

# Any throughout: what a setting holds is the plugin's own business.

_FREE = {"minProperties": 0}


KINDS = (PluginKind.EXTRACTORS, PluginKind.LOADERS, PluginKind.UTILITIES, PluginKind.MAPPERS)


class PluginSettingSpec(Spec):
    """A setting that a plugin knows."""

    name: Annotated[str, Field(min_length=1)]
    """Its name in the plugin's config; a dot leads into an object."""
    aliases: Names = ()
    """Other names that set it."""
    label: str | None = None
    """What people call it."""
    description: str | None = None
    """What it is for."""
    kind: str | None = None
    """The type of its value, such as `string`, `integer`, `boolean`, `array`, `object` or `date_iso8601`."""
    value: Any = None
    """The default."""
    sensitive: bool = False
    """Whether its value is a secret."""
    required: bool = False
    """Whether the plugin cannot do without it."""
    env: str | None = None
    """The variable that sets it, where it has a name of its own."""
    options: Annotated[tuple[Any, ...], Field(json_schema_extra=_FREE)] = ()
    """The values to choose from."""
    placeholder: str | None = None
    """A value to show as an example."""
    documentation: str | None = None
    """Where more is written about it."""
    value_processor: str | None = None
    """What becomes of the value before it is stored."""
    value_post_processor: str | None = None
    """What becomes of the value before the plugin gets it."""
    env_specific: bool = False
    """Whether its value belongs to this machine, and so into `.env`."""
    hidden: bool = False
    """Whether people are not asked for it."""


class PluginCommandSpec(Spec):
    """A command of a plugin, for `penstock invoke plugin:command`."""

    args: str = ""
    """Its arguments, as a shell would part them."""
    description: str | None = None
    """What it does."""
    executable: str | None = None
    """The program to start in place of the plugin's own."""


class MappingSpec(Spec):
    """One configuration of a mapper."""

    name: Annotated[str, Field(min_length=1)]
    """The name to run it by."""
    config: Annotated[dict[str, Any], Field(json_schema_extra=_FREE)] = Field(default_factory=dict)
    """The mapper's settings."""


class PluginSpec(Spec):
    """A Singer tap or target, or another program that belongs to the project."""

    name: Annotated[str, AfterValidator(words.name)]
    """The name that commands know it by."""
    inherit_from: str | None = None
    """Another plugin whose definition and settings this one begins with."""
    variant: str | None = None
    """Which of several plugins of that name it is: who maintains it."""
    label: str | None = None
    """What people call it."""
    description: str | None = None
    """What it is for."""
    namespace: str | None = None
    """The word that begins its variables, where it is not made of its name."""
    pip_url: str | None = None
    """What to install: requirements as pip reads them, parted by spaces."""
    executable: str | None = None
    """The program to start; the plugin's name if not given."""
    python: str | None = None
    """The Python to install it with."""
    capabilities: Names = ()
    """What it can do, such as `discover`, `catalog`, `state`, `about`, `batch`."""
    settings: tuple[PluginSettingSpec, ...] = ()
    """The settings that it knows."""
    settings_group_validation: Annotated[tuple[Any, ...], Field(json_schema_extra=_FREE)] = ()
    """Groups of settings; all of one group must be set."""
    config: Annotated[dict[str, Any], Field(json_schema_extra=_FREE)] = Field(default_factory=dict)
    """The values of its settings; secrets belong into `.env`."""
    env: Annotated[dict[str, Any], Field(json_schema_extra=_FREE)] = Field(default_factory=dict)
    """Variables that it is started with."""
    select: Names | None = None
    """Extractors: the streams and properties to take, as `stream.property`; `!` leaves out."""
    select_filter: Names | None = None
    """Extractors: the streams to take, of those that are selected."""
    metadata: Annotated[dict[str, Any], Field(json_schema_extra=_FREE)] = Field(default_factory=dict)
    """Extractors: metadata to set, by stream and property."""
    schema_: Annotated[dict[str, Any], Field(alias="schema", json_schema_extra=_FREE)] = Field(
        default_factory=dict
    )
    """Extractors: schema to set, by stream and property."""
    catalog: str | None = None
    """Extractors: a catalog file to use in place of what the tap discovers."""
    state: str | None = None
    """Extractors: a state file to begin with."""
    load_schema: str | None = None
    """Extractors: the schema that loaders put tables into."""
    use_cached_catalog: bool = False
    """Extractors: whether a catalog that was discovered once is used until `--refresh-catalog`."""
    dialect: str | None = None
    """Loaders: the SQL dialect that they speak."""
    commands: dict[
        str,
        Annotated[
            PluginCommandSpec,
            BeforeValidator(lambda v: {"args": v} if isinstance(v, str) else v),
            Field(json_schema_extra=_FREE),
        ],
    ] = Field(default_factory=dict)
    """Commands by name."""
    mappings: tuple[MappingSpec, ...] = ()
    """Mappers: their configurations."""
    requires: Annotated[dict[str, Any], Field(json_schema_extra=_FREE)] = Field(default_factory=dict)
    """Other plugins that it needs."""

    @model_validator(mode="before")
    @classmethod
    def _extras_beside_config(cls, data: Any) -> Any:
        return _spread_extras(data)


_EXTRAS = (
    "select", "select_filter", "metadata", "schema", "catalog", "state", "load_schema",
    "use_cached_catalog", "dialect",
)  # fmt: skip


def _spread_extras(data: Any) -> Any:
    """A plugin with what its `config` says of extras (`_select`) beside the config."""
    config = data.get("config") if isinstance(data, dict) else None
    if not isinstance(config, dict) or not any(f"_{name}" in config for name in _EXTRAS):
        return data
    extras = {name: config[f"_{name}"] for name in _EXTRAS if f"_{name}" in config and name not in data}
    kept = {k: v for k, v in config.items() if k.removeprefix("_") not in _EXTRAS or not k.startswith("_")}
    return {**data, "config": kept, **extras}


class PluginsSpec(Spec):
    """The plugins of a project, by what they do."""

    extractors: tuple[PluginSpec, ...] = ()
    """Taps: where data comes from."""
    loaders: tuple[PluginSpec, ...] = ()
    """Targets: where data goes."""
    utilities: tuple[PluginSpec, ...] = ()
    """Other programs."""
    mappers: tuple[PluginSpec, ...] = ()
    """Programs between a tap and a target."""

    @model_validator(mode="after")
    def _distinct(self) -> PluginsSpec:
        for kind in KINDS:
            words.distinct(kind.singular, (p.name for p in self.of(kind)), at=(kind.value,))
        return self

    def of(self, kind: PluginKind) -> tuple[PluginSpec, ...]:
        """The plugins of one kind."""
        found: tuple[PluginSpec, ...] = getattr(self, kind.value, ())
        return found

    def all(self) -> Iterator[tuple[PluginKind, PluginSpec]]:
        """Every plugin with its kind."""
        for kind in KINDS:
            yield from ((kind, plugin) for plugin in self.of(kind))


class JobSpec(Spec):
    """Blocks to run one after the other."""

    name: Annotated[str, AfterValidator(words.name)]
    """The name to run it by."""
    tasks: tuple[str | tuple[str, ...], ...] = ()
    """What to run: `tap-github target-jsonl`, or a list of such."""

    def blocks(self) -> tuple[str, ...]:
        """The names of all its tasks, in order."""
        texts = [part for task in self.tasks for part in ([task] if isinstance(task, str) else task)]
        return tuple(name for text in texts for name in text.split())


class ScheduleSpec(Spec):
    """When a job, or an extractor and a loader, is to run; an orchestrator looks after it."""

    name: Annotated[str, AfterValidator(words.name)]
    """The name to know it by."""
    interval: Annotated[str, Field(min_length=1)] = "@once"
    """Five cron fields, a word such as `@daily`, or `@once`, `@manual`, `@none`."""
    job: str | None = None
    """The job to run."""
    extractor: str | None = None
    """The extractor to run, where no job is named."""
    loader: str | None = None
    """The loader to run it with."""
    transform: Literal["skip", "only", "run"] = "skip"
    """What `meltano elt` did with transforms; only `skip` can be run."""
    start_date: str | None = None
    """The day from which on an orchestrator fills in what it missed."""
    env: Annotated[dict[str, Any], Field(json_schema_extra=_FREE)] = Field(default_factory=dict)
    """Variables to run it with."""


# ------------------------------------------------------------------------------------ looking up


def find_plugin(
    plugins: PluginsSpec, name: str, kind: PluginKind | None = None
) -> tuple[PluginKind, PluginSpec]:
    """The plugin of that name. Raises: ProjectError when there is none."""
    known = [(k, p) for k, p in plugins.all() if kind in (None, k)]
    for found, plugin in known:
        if plugin.name == name:
            return found, plugin
    names = [p.name for _, p in known]
    raise ProjectError(
        f"the project has no {kind.singular if kind else 'plugin'} `{name}`",
        expected=either(names) if names else None,
        hint=suggest(name, names) or f"`penstock add {name}` adds it",
    )


def lineage(plugins: PluginsSpec, kind: PluginKind, plugin: PluginSpec) -> list[PluginSpec]:
    """The plugin, the one that it inherits from, and so on, as far as the project has them.

    The last may inherit from a plugin that is not in the project: a definition from elsewhere.
    Raises: ProjectError when plugins inherit from each other.
    """
    chain = [plugin]
    known = {p.name: p for p in plugins.of(kind)}
    while (above := chain[-1].inherit_from) is not None and above in known:
        if known[above] in chain:
            names = " from ".join(f"`{p.name}`" for p in [*chain, known[above]])
            raise ProjectError("plugins inherit from each other", found=names)
        chain.append(known[above])
    return chain


# -------------------------------------------------------------------------------- environments


def overlaid(base: Node, over: Node) -> Node:
    """An environment laid on a project, its plugins, jobs and schedules matched by name."""
    laid = overlay(base, over)
    if not (isinstance(laid.value, dict) and isinstance(base.value, dict) and isinstance(over.value, dict)):
        return laid
    keys = dict(laid.value)
    for key in ("jobs", "schedules"):
        if key in base.value and key in over.value:
            keys[key] = _by_name(base.value[key], over.value[key])
    one, other = base.value.get("plugins"), over.value.get("plugins")
    if one and other and isinstance(one.value, dict) and isinstance(other.value, dict):
        lists = {
            kind: _by_name(one.value[kind], node) if kind in one.value else node
            for kind, node in other.value.items()
        }
        keys["plugins"] = Node({**one.value, **lists}, other.at)
    if "plugins" in keys and (names := _keys(over.value.get("env"))):
        keys["plugins"] = _without_env(keys["plugins"], names, other)
    return Node(keys, laid.at)


def _keys(node: Node | None) -> set[str]:
    return set(node.value) if node is not None and isinstance(node.value, dict) else set()


def _without_env(plugins: Node, names: set[str], over: Node | None) -> Node:
    """Plugins without the variables that the environment sets for all; what it sets for one of them stays."""
    if not isinstance(plugins.value, dict):
        return plugins
    lists = {}
    for kind, listed in plugins.value.items():
        mine = over.child(kind) if over is not None else None
        own = {_name(n): _keys(n.child("env")) for n in _items(mine)}
        items = [_dropping(n, names - own.get(_name(n), set())) for n in _items(listed)]
        lists[kind] = Node(list(items), listed.at) if isinstance(listed.value, list) else listed
    return Node(lists, plugins.at)


def _items(node: Node | None) -> list[Node]:
    return node.value if node is not None and isinstance(node.value, list) else []


def _dropping(plugin: Node, names: set[str]) -> Node:
    """A plugin without some of its variables."""
    env = plugin.child("env")
    if env is None or not isinstance(env.value, dict) or not isinstance(plugin.value, dict):
        return plugin
    kept = Node({k: v for k, v in env.value.items() if k not in names}, env.at)
    return Node({**plugin.value, "env": kept}, plugin.at)


def _by_name(base: Node, over: Node) -> Node:
    """A list of named mappings laid on another."""
    if not (isinstance(base.value, list) and isinstance(over.value, list)):
        return over
    merged = list(base.value)
    places = {name: index for index, node in enumerate(merged) if (name := _name(node)) is not None}
    for node in over.value:
        index = places.get(_name(node) or "")
        if index is None:
            merged.append(node)
        else:
            merged[index] = overlay(merged[index], node)
    return Node(merged, over.at)


def _name(node: Node) -> str | None:
    named = node.value.get("name") if isinstance(node.value, dict) else None
    return named.value if named and isinstance(named.value, str) else None
