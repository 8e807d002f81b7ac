"""The names that tables and columns get in a destination.

Names are kept unless a convention is asked for (`direct`). `snake_case` and `sql_ci` are the
conventions of those names in dlt, so that its tables keep their names here; a custom one is any
`package.module:attribute` that is a `Naming`, a class of one, or a function from text to text.

A convention can give two columns one name. `names_of` refuses that, or tells them apart by a number
that does not depend on which came first.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from typing import Protocol

from penstock.errors import RefusedError, suggest
from penstock.schema.nesting import SEPARATOR

EMPTY_NAME = "_empty"
"""What a convention calls a column whose name is blank."""
_DIGEST = 10


class Naming(Protocol):
    """A naming convention. Shape: `name(name(text)) == name(text)`."""

    def name(self, text: str) -> str:
        """The name of a column, or of a table, that the source calls `text`."""
        ...


class Collide(StrEnum):
    """What becomes of two columns that would get one name: an error, or a number after the later one."""

    REFUSE = "refuse"
    SUFFIX = "suffix"


@dataclass(frozen=True, slots=True)
class Direct:
    """Names as the source has them."""

    def name(self, text: str) -> str:
        """`text` itself."""
        return text


@dataclass(frozen=True, slots=True)
class SnakeCase:
    """`lower_case_words`: ASCII letters, digits and single underscores.

    Source: dlt's `snake_case`. A hyphen and whatever is no letter or digit becomes `_`; `+` and `*`
    become `x`, `@` becomes `a`, `|` becomes `l`; capitals begin a word; a digit in front gets a `_`;
    each `_` at the end becomes `x`.
    """

    def name(self, text: str) -> str:
        """The name in snake case; `_empty` for a blank one."""
        plain = _UNSAFE.sub("_", text.strip().translate(_ALIKE))
        words = _WORD_AFTER_LOWER.sub(r"\1_\2", _WORD_BEFORE_LOWER.sub(r"\1_\2", plain)).lower()
        bare = _prefixed(words).rstrip("_")
        tail = "x" * (len(_prefixed(words)) - len(bare))
        return _UNDERSCORES.sub("_", bare + tail) or EMPTY_NAME


@dataclass(frozen=True, slots=True)
class SqlCi:
    """Lower case, otherwise as near to the source as SQL without quotes allows.

    Source: dlt's `sql_ci_v1`. Whatever is no ASCII letter or digit becomes `_`, a digit in front
    gets a `_`, underscores at the end go, several become one.
    """

    def name(self, text: str) -> str:
        """The name in lower case; `_empty` for a blank one."""
        stripped = text.strip()
        if not stripped:
            return EMPTY_NAME
        plain = _prefixed(_UNSAFE.sub("_", stripped)).rstrip("_") or "_"
        return _UNDERSCORES.sub("_", plain).lower()


DIRECT = Direct()
SNAKE_CASE = SnakeCase()
SQL_CI = SqlCi()
NAMINGS: Mapping[str, Naming] = {"direct": DIRECT, "snake_case": SNAKE_CASE, "sql_ci": SQL_CI}
"""The conventions that have a name."""

_ALIKE = str.maketrans("+-*@|", "x_xal")
_UNSAFE = re.compile(r"[^a-zA-Z\d_]+")
_WORD_BEFORE_LOWER = re.compile(r"([^_])([A-Z][a-z]+)")
_WORD_AFTER_LOWER = re.compile(r"([a-z0-9])([A-Z])")
_UNDERSCORES = re.compile(r"__+")


def _prefixed(name: str) -> str:
    return f"_{name}" if name[:1].isdecimal() else name


def naming_of(text: str) -> Naming:
    """The convention that `text` names: one of `NAMINGS`, or a custom `package.module:attribute`.

    Raises: RefusedError when there is none; mend the name, or make the module importable.
    """
    if text in NAMINGS:
        return NAMINGS[text]
    module, colon, attribute = text.partition(":")
    if not colon:
        raise RefusedError(
            f"`{text}` is not a naming convention",
            expected=", ".join([*NAMINGS, "or package.module:attribute"]),
            hint=suggest(text, NAMINGS),
        )
    try:
        found: object = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as problem:
        raise RefusedError(
            f"the naming convention `{text}` cannot be imported", found=str(problem)
        ) from problem
    return _custom(text, found() if isinstance(found, type) else found)


@dataclass(frozen=True, slots=True)
class _Custom:
    """A convention of the user's own, whose answers are checked."""

    ref: str
    call: object

    def name(self, text: str) -> str:
        answer: object = self.call(text) if callable(self.call) else None
        if isinstance(answer, str) and answer:
            return answer
        raise RefusedError(
            f"the naming convention `{self.ref}` gives no name for `{text}`",
            found=repr(answer),
            expected="a text of at least one character",
        )


def _custom(ref: str, found: object) -> Naming:
    call = getattr(found, "name", None) or found
    if not callable(call):
        raise RefusedError(
            f"`{ref}` is not a naming convention",
            found=type(found).__name__,
            expected="an object with a method `name(text)`, or a function from text to text",
        )
    return _Custom(ref, call)


def joined(naming: Naming, parts: Iterable[str]) -> str:
    """The name of a nested column or table: the names of its `parts` with the separator between."""
    return SEPARATOR.join(naming.name(part) for part in parts)


def fitted(name: str, longest: int | None) -> str:
    """`name`, or where it is longer than a destination takes, its start and a digest of all of it.

    Units: `longest` in bytes of UTF-8, at least 16.
    """
    raw = name.encode()
    if longest is None or len(raw) <= longest:
        return name
    digest = hashlib.sha256(raw).hexdigest()[:_DIGEST]
    return f"{raw[: longest - _DIGEST - 1].decode(errors='ignore')}_{digest}"


# -------------------------------------------------------------------------------------- collisions


def names_of(
    columns: Iterable[str],
    naming: Naming = DIRECT,
    *,
    collide: Collide = Collide.REFUSE,
    earlier: Mapping[str, str] | None = None,
    fold: bool = False,
    longest: int | None = None,
) -> dict[str, str]:
    """The name of every source column, in the order of `columns`; no two have one name.

    `earlier` are names that were given before: they stay, and are given to no other column. `fold`:
    names that differ in case alone are one (DuckDB, and most databases without quotes). A column
    whose own name is the name asked for has it before others; then the shorter, then the lesser.
    Raises: RefusedError when two columns would have one name; rename one, or ask for `suffix`.
    """
    columns = list(dict.fromkeys(columns))
    wanted = {column: fitted(naming.name(column), longest) for column in columns}
    order = sorted(columns, key=lambda c: (wanted[c] != c, len(c), c))
    names = allotted([(c, wanted[c]) for c in order], earlier=earlier, fold=fold, longest=longest)
    if collide is Collide.REFUSE:
        _refuse_twins(wanted, names, earlier or {}, fold)
    return {column: names[column] for column in columns}


def allotted(
    wanted: Iterable[tuple[str, str]],
    *,
    earlier: Mapping[str, str] | None = None,
    reserved: Collection[str] = (),
    fold: bool = True,
    longest: int | None = None,
) -> dict[str, str]:
    """A name for each source: the one it wants, or, where that is taken, the same with `__2`, `__3`, …

    Shape: `wanted` has sources with the names that they want, those first that come first to them.
    """
    earlier = earlier or {}
    asked = dict(wanted)
    taken = {_key(name, fold) for name in (*reserved, *earlier.values())}
    names = {source: earlier[source] for source in asked if source in earlier}
    for source, name in asked.items():
        if source not in names and _key(name, fold) not in taken:
            names[source] = name
            taken.add(_key(name, fold))
    for source, name in asked.items():
        if source not in names:
            names[source] = _numbered(name, taken, fold, longest)
            taken.add(_key(names[source], fold))
    return names


def _numbered(name: str, taken: Collection[str], fold: bool, longest: int | None) -> str:
    number = 2
    while True:
        suffix = f"{SEPARATOR}{number}"
        found = fitted(name, longest - len(suffix) if longest else None) + suffix
        if _key(found, fold) not in taken:
            return found
        number += 1


def _key(name: str, fold: bool) -> str:
    return name.casefold() if fold else name


def _refuse_twins(
    wanted: Mapping[str, str], names: Mapping[str, str], earlier: Mapping[str, str], fold: bool
) -> None:
    owners = {_key(name, fold): source for source, name in (*earlier.items(), *names.items())}
    for column, name in wanted.items():
        if column in earlier or names[column] == name:
            continue
        raise RefusedError(
            f"the columns `{owners[_key(name, fold)]}` and `{column}` would both be called `{name}`",
            expected="a name of its own for each column",
            hint="rename one of them, choose `direct`, or let collisions get a number (`suffix`)",
        )
