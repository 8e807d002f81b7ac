"""From the blocks of `penstock run tap-github target-jsonl` to pipelines of the project.

An extractor and what follows it become a pipeline called `<extractor>-to-<loader>` (in another environment
than the default one `<environment>.<extractor>-to-<loader>`), which the one engine runs like any other. What
follows may be a loader, a kind of destination such as `duckdb`, the URL of one, or `destination`, which is
the project's own. A job stands for its blocks.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from penstock.app.plugins import Entry, Plugins
from penstock.app.writing import write_whole
from penstock.errors import ProjectError, UsageError, suggest
from penstock.project.loaded import LoadedProject
from penstock.project.spec import PipelineSpec
from penstock.registry import DESTINATIONS
from penstock.schema.faults import either
from penstock.singer.definition import PluginKind

# Any throughout: what a pipeline says, before it is checked

OWN = "destination"
PAIRS = Path(".penstock") / "pairs.json"
_BETWEEN = "-to-"
_DEFAULT_PATHS = {"duckdb": "warehouse.duckdb", "parquet": "warehouse"}


@dataclass(frozen=True, slots=True)
class BlockOptions:
    """What a run of blocks may be told of state and catalogs.

    `full_refresh` asks taps for everything again: in place of what was loaded where the destination is one
    of ours, and beside it where it is a Singer target, as Meltano has it. `install` installs plugins that
    are not, so that their settings are known; `keep` notes the pairs for commands that look at them later.
    """

    install: bool = False
    keep: bool = False
    full_refresh: bool = False
    state_id_suffix: str | None = None
    state_strategy: str | None = None
    refresh_catalog: bool = False


@dataclass(frozen=True, slots=True)
class Pair:
    """An extractor, the name of where its data goes, and what tells its state from that of its like."""

    extractor: str
    sink: str
    suffix: str | None = None

    @property
    def name(self) -> str:
        """The name of the pipeline."""
        kind, url, place = self.sink.partition("://")
        slug = re.sub(r"\W+", "-", place).strip("-") if url else ""
        end = f".{self.suffix}" if self.suffix else ""
        return f"{self.extractor}{_BETWEEN}{kind}{'-' + slug if slug else ''}{end}"


@dataclass(frozen=True, slots=True)
class Command:
    """A utility of the project as a block, with the command of it that is to run."""

    plugin: str
    command: str | None = None

    @property
    def name(self) -> str:
        """How it was named."""
        return self.plugin + (f":{self.command}" if self.command else "")


def parts(loaded: LoadedProject, words: Sequence[str]) -> list[tuple[str, ...] | Command]:
    """Blocks in the order in which they run: words for pipelines, and commands between them."""
    found: list[tuple[str, ...] | Command] = []
    for item in _items(loaded, list(words)):
        if isinstance(item, Command):
            found.append(item)
            continue
        if isinstance(item, Pair):
            said = (_prefix(loaded) + item.name,) if item.suffix else (item.extractor, item.sink)
        else:
            said = (item,)
        before = found[-1] if found else None
        if isinstance(before, tuple):
            found[-1] = (*before, *said)
        else:
            found.append(said)
    return found


def with_pairs(
    loaded: LoadedProject, words: Sequence[str], options: BlockOptions | None = None
) -> tuple[LoadedProject, list[str]]:
    """The project with a pipeline for each pair that the words name, and the names to run in order.

    Names of pipelines stay as they are. Raises: ProjectError for a word that is nothing the project has;
    UsageError for blocks that make no pair.
    """
    options = options or BlockOptions()
    plugins = Plugins(loaded)
    names: list[str] = []
    pairs: dict[str, Pair] = {}
    made: dict[str, PipelineSpec] = {}
    secrets: set[str] = set()
    for item in _items(loaded, list(words)):
        if isinstance(item, Command):
            continue
        if isinstance(item, str):
            names.append(item)
            continue
        item = replace(item, suffix=item.suffix or options.state_id_suffix)
        name = _prefix(loaded) + item.name
        pairs[name] = item
        if name not in loaded.project.pipelines and name not in made:
            made[name], hidden = _pipeline(plugins, item, name, options)
            secrets |= hidden
        names.append(name)
    if options.keep:
        _keep(loaded, pairs)
    if not made:
        return loaded, names
    project = loaded.project.model_copy(update={"pipelines": {**loaded.project.pipelines, **made}})
    said = loaded.digest + "".join(f"{name}{spec.model_dump_json()}" for name, spec in made.items())
    digest = hashlib.sha256(said.encode()).hexdigest()
    found = replace(loaded, project=project, digest=digest, secrets=loaded.secrets | secrets)
    return found, list(dict.fromkeys(names))


def check_blocks(loaded: LoadedProject, words: Sequence[str]) -> None:
    """Whether words make blocks of this project. Raises: as `with_pairs`."""
    for _ in _items(loaded, list(words)):
        pass


def _prefix(loaded: LoadedProject) -> str:
    """What tells the pipelines of an environment from those of the default one."""
    environment = loaded.project.environment
    return f"{environment}." if environment not in (None, loaded.project.default_environment) else ""


def remembered(loaded: LoadedProject) -> list[str]:
    """The pipelines of pairs that were run in this project and environment, while their plugins are there."""
    extractors = {p.name for p in loaded.project.plugins.of(PluginKind.EXTRACTORS)}
    loaders = {p.name for p in loaded.project.plugins.of(PluginKind.LOADERS)}
    return [
        name
        for name, pair in _kept(loaded).items()
        if name not in loaded.project.pipelines
        and name == _prefix(loaded) + pair.name
        and pair.extractor in extractors
        and (pair.sink in loaders or _is_destination(pair.sink))
    ]


def _kept(loaded: LoadedProject) -> dict[str, Pair]:
    """The pairs that were run, by the name of their pipeline."""
    path = Path(loaded.project.root) / PAIRS
    found = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return {name: Pair(**said) for name, said in found.items()}


def _keep(loaded: LoadedProject, pairs: Mapping[str, Pair]) -> None:
    """Note pairs that are run, for the commands that look at what was."""
    kept = _kept(loaded)
    if not pairs.items() <= kept.items():
        said = {name: asdict(pair) for name, pair in sorted({**kept, **pairs}.items())}
        write_whole(Path(loaded.project.root) / PAIRS, json.dumps(said, indent=1) + "\n")


# ---------------------------------------------------------------------------------- what is named


def _items(loaded: LoadedProject, words: list[str]) -> Iterator[str | Pair | Command]:
    """Pipelines by name, pairs and commands, in order; jobs as their blocks."""
    jobs = {job.name: job for job in loaded.project.jobs}
    kinds = {spec.name: kind for kind, spec in loaded.project.plugins.all()}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word in loaded.project.pipelines:
            yield word
        elif kinds.get(word) is PluginKind.EXTRACTORS:
            yield Pair(word, _sink(loaded, word, rest, kinds))
        elif word in jobs:
            yield from _items(loaded, list(jobs[word].blocks()))
        elif kinds.get(word.partition(":")[0]) is PluginKind.UTILITIES:
            plugin, _, command = word.partition(":")
            yield Command(plugin, command or None)
        elif (pair := _pair_named(loaded, word)) is not None:
            yield pair
        else:
            raise _no_block(word, kinds, [*loaded.project.pipelines, *jobs])


def _sink(loaded: LoadedProject, extractor: str, rest: list[str], kinds: Mapping[str, PluginKind]) -> str:
    """Where an extractor's data goes: the next block."""
    following = rest.pop(0) if rest else None
    kind = kinds.get(following or "")
    if kind is PluginKind.MAPPERS:
        raise UsageError(
            f"`{following}` is a mapper, and mappers are not run",
            hint="models of the project can change what was loaded; so can `stream_maps` in a tap's settings",
        )
    if following is not None and (kind is PluginKind.LOADERS or _is_destination(following)):
        return following
    loaders = [p.name for p in loaded.project.plugins.of(PluginKind.LOADERS)]
    raise UsageError(
        f"it is not said where the data of `{extractor}` goes",
        found=f"`{following}` after it" if following else "nothing after it",
        expected="a loader, or a destination: " + either([*loaders, *_DEFAULT_PATHS]),
        hint=suggest(following or "", [*loaders, *_DEFAULT_PATHS]),
    )


def _is_destination(word: str) -> bool:
    return word == OWN or word in _DEFAULT_PATHS or word.partition("://")[0] in DESTINATIONS


def _pair_named(loaded: LoadedProject, name: str) -> Pair | None:
    """The pair whose pipeline is called so, or None."""
    loaders = {p.name for p in loaded.project.plugins.of(PluginKind.LOADERS)}
    prefix = _prefix(loaded)
    name = name.removeprefix(prefix)
    if prefix + name in (kept := _kept(loaded)):
        return kept[prefix + name]
    for plugin in loaded.project.plugins.of(PluginKind.EXTRACTORS):
        rest = name.removeprefix(plugin.name + _BETWEEN)
        for sink in (*loaders, OWN, *_DEFAULT_PATHS) if rest != name else ():
            if rest == sink or rest.startswith(f"{sink}."):
                return Pair(plugin.name, sink, rest[len(sink) + 1 :] or None)
    return None


def _no_block(word: str, kinds: Mapping[str, PluginKind], names: list[str]) -> ProjectError:
    kind = kinds.get(word)
    if kind is PluginKind.LOADERS:
        raise UsageError(f"no extractor stands before the loader `{word}`", expected=f"`TAP {word}`")
    if kind is not None:
        raise UsageError(
            f"`{word}` is a {kind.singular}, which is no block of a run",
            hint=f"`penstock invoke {word}` runs it",
        )
    known = [*names, *kinds]
    return ProjectError(
        f"there is no pipeline, job or plugin `{word}`",
        expected=either(known) if known else None,
        hint=suggest(word, known) or f"`penstock add {word}` adds a plugin",
    )


# ---------------------------------------------------------------------------------- what they become


def _pipeline(
    plugins: Plugins, pair: Pair, name: str, options: BlockOptions
) -> tuple[PipelineSpec, frozenset[str]]:
    """The pipeline of a pair, and the secrets in it."""
    extractor = plugins.known(plugins.entry(pair.extractor, PluginKind.EXTRACTORS), install=options.install)
    source, hidden, config = _source(plugins, extractor, options)
    said: dict[str, Any] = {"source": source}
    if pair.sink in {p.name for p in plugins.loaded.project.plugins.of(PluginKind.LOADERS)}:
        loader = plugins.known(plugins.entry(pair.sink, PluginKind.LOADERS), install=options.install)
        said["destination"], more = _target(plugins, loader, name, plugins.pair_variables(extractor, config))
        hidden |= more
    elif (destination := _destination(plugins.loaded, pair.sink)) is not None:
        said["destination"] = destination
    try:
        return PipelineSpec.model_validate(said), hidden
    except ValidationError as error:
        raise ProjectError(
            f"the blocks `{pair.extractor} {pair.sink}` make no pipeline",
            found="; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()),
        ) from error


def _source(
    plugins: Plugins, entry: Entry, options: BlockOptions
) -> tuple[dict[str, Any], frozenset[str], dict[str, Any]]:
    """The extractor as a source of type `singer`, its secrets, and its settings."""
    resolved = plugins.resolved(entry)
    extras = {name: value for name, value in resolved.extras().items() if value is not None}
    state = {"start": extras.get("state"), "strategy": options.state_strategy}
    source: dict[str, Any] = {
        "type": "singer",
        "tap": plugins.home_name(entry),
        **_program(entry),
        "capabilities": entry.plugin.capabilities,
        "config": resolved.config(),
        "env": {**plugins.dotenv, **plugins.variables(entry)},
        **{
            key: extras[key]
            for key in ("select", "select_filter", "metadata", "schema", "catalog")
            if key in extras
        },
        "state": {key: value for key, value in state.items() if value is not None},
    }
    if extras.get("use_cached_catalog") and "catalog" not in extras:
        source["catalog"] = _cached_catalog(plugins, entry, refresh=options.refresh_catalog)
    return source, resolved.secrets(), resolved.config()


def _cached_catalog(plugins: Plugins, entry: Entry, *, refresh: bool) -> str:
    """A file with the catalog that was discovered once, the selection written into it."""
    from penstock.app.plugin_trying import selected_catalog

    chosen = selected_catalog(plugins, entry, refresh=refresh)
    path = plugins.home / entry.kind.value / f"{entry.name}.selected.json"
    write_whole(path, json.dumps(chosen.document()))
    return path.relative_to(plugins.root).as_posix()


def _target(
    plugins: Plugins, entry: Entry, pipeline: str, variables: Mapping[str, str]
) -> tuple[dict[str, Any], frozenset[str]]:
    """The loader as a destination of type `singer_target`, and its secrets."""
    resolved = plugins.resolved(entry, variables)
    target = {
        "type": "singer_target",
        "target": plugins.home_name(entry),
        **_program(entry),
        "config": resolved.config(),
        "env": {**plugins.dotenv, **plugins.variables(entry), **variables},
        "without_merge": "append",
        "path": f".penstock/targets/{pipeline}.duckdb",
    }
    return target, resolved.secrets()


def _program(entry: Entry) -> dict[str, Any]:
    """What to install and to start, as far as it is known."""
    plugin = entry.plugin
    said = {
        "pip_url": plugin.pip_url,
        "executable": plugin.executable,
        "variant": plugin.variant,
        "python": plugin.python,
    }
    return {key: value for key, value in said.items() if value is not None}


def _destination(loaded: LoadedProject, sink: str) -> Any:
    """A destination of ours by its kind or URL; None for the project's own."""
    if sink == OWN or sink == loaded.project.destination.type:
        return None
    if sink not in _DEFAULT_PATHS:
        return sink
    return {"type": sink, "path": _prefix(loaded) + _DEFAULT_PATHS[sink]}
