"""What a tap can read, what of it is selected, and whether it works with its configuration."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from penstock.app.plugins import Entry, Plugins
from penstock.app.writing import write_whole
from penstock.errors import RefusedError
from penstock.singer.catalog import Catalog, parse
from penstock.singer.definition import Plugin, PluginKind
from penstock.singer.selection import EVERYTHING, is_selected, select

# Any throughout: JSON


def catalog_of(
    plugins: Plugins, entry: Entry, *, refresh: bool = False, say: Callable[[str], None] | None = None
) -> dict[str, Any]:
    """What a tap can read: from the file that its entry names, or asked of the tap.

    What it answered is kept until its settings or its version change, or `refresh` asks again.
    """
    from penstock.plugins.ask import discover

    resolved = plugins.resolved(entry)
    if given := resolved.extras().get("catalog"):
        return dict(json.loads((plugins.root / str(given)).read_text("utf-8")))
    tap = plugins.install(entry)
    asked = json.dumps([resolved.config(), tap.version], sort_keys=True, default=str)
    mark = hashlib.sha256(asked.encode()).hexdigest()
    path = plugins.home / entry.kind.value / f"{entry.name}.catalog.json"
    kept = json.loads(path.read_text("utf-8")) if path.is_file() and not refresh else {}
    if kept.get("asked") == mark:
        return dict(kept["catalog"])
    env = plugins.process_env(entry, resolved)
    found = discover(tap, resolved.config(), env=env, cwd=plugins.root, say=say)
    write_whole(path, json.dumps({"asked": mark, "catalog": found}))
    return found


def selected_catalog(
    plugins: Plugins, entry: Entry, *, refresh: bool = False, say: Callable[[str], None] | None = None
) -> Catalog:
    """The catalog of a tap with the project's selection written into it."""
    extras = plugins.resolved(entry).extras()
    found = parse(catalog_of(plugins, entry, refresh=refresh, say=say), f"`{entry.name}`")
    return select(
        found,
        tuple(extras.get("select") or (EVERYTHING,)),
        extras.get("metadata"),
        extras.get("schema"),
        tuple(extras.get("select_filter") or ()),
    )


def takes_catalog(plugin: Plugin) -> bool:
    """Whether a tap can be handed a catalog; one that says nothing of itself is taken for one that can."""
    return not plugin.capabilities or any(map(plugin.can, ("discover", "catalog", "properties")))


def try_plugin(plugins: Plugins, entry: Entry, say: Callable[[str], None] | None = None) -> None:
    """Start an extractor as a run would, until its first record. It succeeds or raises.

    Raises: RefusedError with the last words of the plugin, or for one that is no extractor.
    """
    if entry.kind is not PluginKind.EXTRACTORS:
        raise RefusedError(
            f"`{entry.name}` is a {entry.kind.singular}, and cannot be tried by itself",
            expected="an extractor",
            hint=f"`penstock run` with `{entry.name}` tries it",
        )
    from penstock.plugins.ask import test

    tap = plugins.install(entry)
    entry = plugins.entry(entry.name, entry.kind)  # it may have said more of itself
    resolved = plugins.resolved(entry)
    catalog: dict[str, Any] | None = None
    if takes_catalog(tap.plugin):
        chosen = selected_catalog(plugins, entry, say=say)
        if not any(is_selected(stream) for stream in chosen.streams):
            raise RefusedError(
                f"no stream of `{entry.name}` is selected",
                found=", ".join(map(str, resolved.extras().get("select") or ())) or None,
                hint=f"`penstock select {entry.name} --list --all` shows what there is",
            )
        catalog = chosen.document()
    given = resolved.extras().get("state")
    state = json.loads((plugins.root / str(given)).read_text("utf-8")) if given else None
    env = plugins.process_env(entry, resolved)
    test(tap, resolved.config(), catalog=catalog, state=state, env=env, cwd=plugins.root, say=say)
