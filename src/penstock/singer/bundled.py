"""The plugins that Penstock knows by name: definitions that come with the package and need no network.

The data is `bundled.json` beside this module, in the words of Meltano's definitions. It says what a plugin
cannot say of itself before it is installed: where it comes from, and under which variants.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from penstock.errors import NotFoundError, suggest
from penstock.singer.definition import Plugin, PluginKind, plugin_from_mapping


@cache
def catalogue() -> tuple[Plugin, ...]:
    """Every definition, the default variant of a plugin before its others."""
    text = files("penstock.singer").joinpath("bundled.json").read_text("utf-8")
    listed = json.loads(text)
    return tuple(plugin_from_mapping(raw, PluginKind(kind)) for kind, raws in listed.items() for raw in raws)


def variants(name: str, kind: PluginKind | None = None) -> Sequence[Plugin]:
    """The definitions of one plugin, its default variant first; none for one that is not known."""
    return [p for p in catalogue() if p.name == name and kind in (None, p.kind)]


def known(name: str, kind: PluginKind | None = None, variant: str | None = None) -> Plugin:
    """The definition of a plugin.

    Raises: NotFoundError with what is close, for a name or variant that the catalogue does not have.
    """
    found = variants(name, kind)
    if not found:
        names = sorted({p.name for p in catalogue() if kind in (None, p.kind)})
        raise NotFoundError(
            f"the plugin `{name}` is not in the catalogue",
            expected="a known name, or a `pip_url` that says where to install it from",
            hint=suggest(name, names) or f"known are {', '.join(names)}",
        )
    for plugin in found:
        if variant is None or plugin.variant == variant:
            return plugin
    named = [p.variant or "" for p in found]
    raise NotFoundError(
        f"`{name}` has no variant `{variant}` in the catalogue",
        expected=", ".join(named),
        hint=suggest(variant or "", named),
    )
