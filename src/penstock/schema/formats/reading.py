"""Reading a metadata file: a place in it, and everything that is wrong with it or not understood."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from penstock.errors import ProjectError
from penstock.schema.constraint import check_column
from penstock.schema.faults import combine
from penstock.schema.formats.form import Notes
from penstock.schema.table import Column
from penstock.schema.types import NULL

# Any throughout: metadata files hold values of every type.
Locate: TypeAlias = Callable[[tuple[str | int, ...]], str]

RESERVED = "_penstock"


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a metadata file: the keys that lead there, and its name for people."""

    path: tuple[str | int, ...] = ()
    label: str = ""

    def key(self, key: str | int) -> Spot:
        """The place one step down."""
        step = f"[{key}]" if isinstance(key, int) else f".{key}" if self.label else str(key)
        return Spot((*self.path, key), self.label + step)

    def named(self, label: str) -> Spot:
        """The same place under another name."""
        return Spot(self.path, label)


@dataclass(slots=True)
class Page:
    """A file that is being read. `where` names it in errors; `locate` tells the line of a path of keys."""

    where: str
    locate: Locate | None = None
    faults: list[ProjectError] = field(default_factory=list)
    notes: Notes = field(default_factory=Notes)

    def fault(self, spot: Spot, what: str, **facts: str | None) -> None:
        """Note that something is wrong at a place."""
        place = self.locate(spot.path) if self.locate else self.where
        where = f"{place} ({spot.label})" if spot.label else place
        self.faults.append(ProjectError(what, where=where, **facts))

    def end(self) -> None:
        """Nothing more is read. Raises: ProjectError telling everything that is wrong."""
        if self.faults:
            raise combine(self.faults, f"`{self.where}`")

    def value(self, raw: Mapping[str, Any], key: str, kind: type, words: str, spot: Spot) -> Any:
        """The value under `key`, None if there is none or it is of a wrong kind."""
        value = raw.get(key)
        if value is None or (isinstance(value, kind) and not (kind is int and isinstance(value, bool))):
            return value
        what = f"`{key}` has a wrong kind of value"
        self.fault(spot.key(key), what, found=repr(value), expected=words)
        return None

    def checked(self, column: Column, spot: Spot) -> Column:
        """`column`, marked as declared if it has a type, after telling what contradicts itself in it."""
        if column.name.casefold().startswith(RESERVED):
            what = f"`{column.name}` cannot name a column"
            self.fault(spot, what, expected=f"a name without `{RESERVED}`")
        for f in check_column(column):
            self.fault(spot.key(f.key), f.what, found=f.found, expected=f.expected, hint=f.hint)
        return replace(column, declared=column.type != NULL)


def inclusive(raw: Mapping[str, Any], key: str, integer: bool, page: Page, column: str) -> Any:
    """`minimum` or `maximum` of a column, its exclusive form included: the next whole number.

    The exclusive bound of other numbers, and of dates, is read as it is, and noted.
    """
    beyond, bound = raw.get(f"exclusive{key.title()}"), raw.get(key)
    if beyond is None:
        return bound
    if integer and isinstance(beyond, int | float) and float(beyond).is_integer():
        moved = int(beyond) + (1 if key == "minimum" else -1)
        return moved if bound is None else (max if key == "minimum" else min)(moved, bound)
    page.notes.add(f"`exclusive{key.title()}` is read as `{key}`, which lets the bound itself pass", column)
    return beyond if bound is None else bound
