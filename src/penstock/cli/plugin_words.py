"""How commands about plugins are spelt: as Meltano 3 does, as Meltano 4 does, and the same for both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from penstock.errors import UsageError, suggest
from penstock.schema.faults import either
from penstock.singer.definition import PluginKind

CONFIG_VERBS = ("list", "print", "set", "unset", "reset", "test")


@dataclass(frozen=True, slots=True)
class ConfigWords:
    """What `penstock config` was asked: what to do, with which plugin, and what came after it."""

    verb: str
    plugin: str
    rest: tuple[str, ...] = ()


def kind_and_names(words: Sequence[str], stated: str | None = None) -> tuple[PluginKind | None, list[str]]:
    """`extractor tap-github` as its kind and its names.

    A word for a kind is one only when a name follows it: a plugin may be called `loader`. `stated` is
    the kind that an option gives. Raises: UsageError for a kind that is none.
    """
    if stated is not None:
        kind = PluginKind.of(stated)
        if kind is None:
            kinds = [k.singular for k in PluginKind]
            raise UsageError(
                f"`{stated}` is no kind of plugin", expected=either(kinds), hint=suggest(stated, kinds)
            )
        return kind, list(words)
    kind = PluginKind.of(words[0]) if len(words) > 1 else None
    return (kind, list(words[1:])) if kind else (None, list(words))


def config_words(words: Sequence[str]) -> ConfigWords:
    """`config tap-x set k v` and `config set tap-x k v` as the same thing; `config tap-x` prints.

    Raises: UsageError when the plugin is not named, or the verb is none.
    """
    if not words or (len(words) == 1 and words[0] in CONFIG_VERBS):
        raise UsageError(
            "it is not said which plugin",
            expected="`penstock config PLUGIN set NAME VALUE`, or `penstock config set PLUGIN NAME VALUE`",
        )
    first, *rest = words
    if first in CONFIG_VERBS and rest[0] not in CONFIG_VERBS:
        return ConfigWords(first, rest[0], tuple(rest[1:]))
    if not rest:
        return ConfigWords("print", first)
    if rest[0] not in CONFIG_VERBS:
        raise UsageError(
            f"`{rest[0]}` is nothing that can be done with settings",
            expected=either(CONFIG_VERBS),
            hint=suggest(rest[0], CONFIG_VERBS),
        )
    return ConfigWords(rest[0], first, tuple(rest[1:]))


_TAKEN = {"--environment": "--environment", "--cwd": "--project"}
_LEFT = frozenset({"--log-level", "--log-format", "--log-config", "--env-file"})
_GROUPS = frozenset({"state", "job", "schedule"})


def carried(arguments: Sequence[str]) -> list[str]:
    """Arguments with Meltano's options from before the command behind it, where ours are.

    `--environment=prod run x` is `run --environment=prod x`; what says how to log means nothing here.
    """
    rest, moved = list(arguments), list[str]()
    while rest and rest[0].partition("=")[0] in (*_TAKEN, *_LEFT, "--no-environment"):
        option, equals, value = rest.pop(0).partition("=")
        if option == "--no-environment":
            moved += ["--environment", ""]
            continue
        if not equals:
            value = rest.pop(0) if rest else ""
        if option in _TAKEN:
            moved += [_TAKEN[option], value]
    place = 2 if rest and rest[0] in _GROUPS else 1
    return [*rest[:place], *moved, *rest[place:]]
