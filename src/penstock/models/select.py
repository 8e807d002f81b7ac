"""Which models somebody means: names, globs, tags, folders, and what is above or below them. Pure.

    orders          the model of that name            tag:daily      every model with the tag
    stg_*           every model whose name matches    path:marts/eu  every model in the folder; `marts/eu` too
    +orders         it, and all that it reads         source:raw     what reads that table, one step down
    orders+         it, and all that read it          raw+           the same of a table, all the way down
    2+orders+1      two steps up, one step down       a,b            what is in both
    @orders         it, all that read it, and all     a b            what is in either
                    that those read

Source: the node selection syntax of dbt, of which these words mean the same here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from penstock.errors import NotFoundError, UsageError, suggest
from penstock.models.graph import downstream, upstream
from penstock.models.model import Model

METHODS = ("tag", "path", "source", "name", "file")
_TERM = re.compile(r"(?P<at>@)?(?:(?P<ups>\d*)(?P<up>\+))?(?P<what>[^+@]+?)(?:(?P<down>\+)(?P<downs>\d*))?")
_WILD = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class _Term:
    """One term: what it names, and how many steps up and down; None is none, -1 all the way."""

    text: str
    method: str
    value: str
    up: int | None
    down: int | None
    around: bool


def select(models: Sequence[Model], chosen: Sequence[str], excluded: Sequence[str] = ()) -> frozenset[str]:
    """The names of the models that are chosen and not excluded; nothing chosen is everything.

    Raises: NotFoundError for a term that names nothing, with a suggestion; UsageError for one that cannot
    be read.
    """
    everything = frozenset(m.name for m in models)
    named = _union(models, chosen) if _words(chosen) else everything
    return named - _union(models, excluded)


def _words(texts: Iterable[str]) -> list[str]:
    return [word for text in texts for word in re.sub(r"\s*,\s*", ",", text).split()]


def _union(models: Sequence[Model], texts: Iterable[str]) -> frozenset[str]:
    found: frozenset[str] = frozenset()
    for word in _words(texts):
        parts = [_meant(models, _term(part)) for part in word.split(",") if part]
        found |= frozenset.intersection(*parts) if parts else frozenset()
    return found


def _term(text: str) -> _Term:
    match = _TERM.fullmatch(text)
    if not match or (match["at"] and (match["up"] or match["down"])):
        raise UsageError(
            f"the selection `{text}` cannot be read",
            expected="`name`, `+name`, `name+`, `2+name+1` or `@name`",
        )
    method, colon, value = match["what"].partition(":")
    if colon and method not in METHODS:
        hint = suggest(method, METHODS) or f"what can be said before a colon: {', '.join(METHODS)}"
        raise UsageError(f"the selection `{text}` cannot be read", found=f"`{method}:`", hint=hint)
    if not colon:
        method, value = "", match["what"]
    return _Term(text, method, value, _steps(match, "up"), _steps(match, "down"), bool(match["at"]))


def _steps(match: re.Match[str], way: str) -> int | None:
    if not match[way]:
        return None
    return int(match[f"{way}s"]) if match[f"{way}s"] else -1


def _meant(models: Sequence[Model], term: _Term) -> frozenset[str]:
    own = _named(models, term)
    tables = frozenset() if own and term.method != "source" else _tables(models, term)
    if not own and not tables:
        raise _nothing(models, term)
    found = frozenset(own)
    if tables and term.down is None and not term.around:
        found |= downstream(models, tables, 1)
    if term.down is not None or term.around:
        found |= downstream(models, own | tables, None if term.down in (None, -1) else term.down)
    if term.around:
        found |= upstream(models, found)
    if term.up is not None:
        found |= upstream(models, own, None if term.up == -1 else term.up)
    return found


def _named(models: Sequence[Model], term: _Term) -> frozenset[str]:
    """The models that the term names, without their neighbours."""
    value = term.value.casefold()
    if term.method == "tag":
        return frozenset(m.name for m in models if any(fnmatchcase(t.casefold(), value) for t in m.tags))
    if term.method == "source":
        return frozenset()
    found = frozenset(m.name for m in models if fnmatchcase(m.name.casefold(), value))
    if term.method == "name" or (found and not term.method):
        return found
    file = value.removeprefix("./").rstrip("/")
    if term.method == "file" and "/" not in file:
        return frozenset(m.name for m in models if fnmatchcase(m.path.casefold().rpartition("/")[2], file))
    return frozenset(m.name for m in models if _in(m, file))


def _in(model: Model, place: str) -> bool:
    """Whether a model is that file or in that folder, from the project's or the models' folder."""
    path, folder = model.path.casefold(), model.folder.casefold()
    below = f"{folder}/{path.rpartition('/')[2]}" if folder else path.rpartition("/")[2]
    for whole in (path, below):
        parts = whole.split("/")
        if any(fnmatchcase("/".join(parts[: n + 1]), place) for n in range(len(parts))):
            return True
    return False


def _tables(models: Sequence[Model], term: _Term) -> frozenset[str]:
    """The warehouse's tables that the term names: what models read and no model makes."""
    if term.method not in ("", "source"):
        return frozenset()
    value = term.value.casefold()
    value = value.rpartition(".")[2] if term.method == "source" else value
    own = {m.name.casefold() for m in models}
    read = {r.casefold() for m in models for r in m.reads} - own
    return frozenset(r for r in read if fnmatchcase(r, value) or fnmatchcase(r.rpartition(".")[2], value))


def _nothing(models: Sequence[Model], term: _Term) -> NotFoundError:
    own = {m.name for m in models}
    folded = {name.casefold() for name in own}
    read = {r for m in models for r in m.reads if r.casefold() not in folded}
    tags = {t for m in models for t in m.tags}
    folders = {m.folder for m in models if m.folder}
    of = {"tag": tags, "source": read, "name": own, "path": folders, "file": {m.path for m in models}}
    known = sorted(of.get(term.method, own | read | folders))
    what = {"tag": "no model has the tag", "source": "no model reads the table", "path": "no model is in"}
    hint = None if _WILD.search(term.value) else suggest(term.value, known)
    if hint is None and known:
        hint = "there are " + ", ".join(f"`{k}`" for k in known[:8]) + (" …" if len(known) > 8 else "")
    return NotFoundError(
        f"{what.get(term.method, 'no model is called')} `{term.value}`",
        found=None if term.text == term.value else f"`{term.text}`",
        hint=hint,
    )
