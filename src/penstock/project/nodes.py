"""YAML text as a tree whose every value remembers its file and line.

Only what a project file needs: mappings, lists, text, numbers, booleans and nothing. Keys are
always text. Dates stay text, because the column that they belong to gives them their type.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from penstock.errors import ProjectError

Path: TypeAlias = tuple[str | int, ...]
Scalar: TypeAlias = str | int | float | bool | None

MAX_NODES = 500_000
_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Position:
    """A line of a file. Units: lines count from 1; 0 for what stands in no file."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Node:
    """A value and where it stands; for the value of a key that is the key's line.

    `written` is the text of a scalar as the file has it, before variables were filled in.
    `unset` names the variables in it that have no value.
    """

    value: Scalar | dict[str, Node] | list[Node] = field(repr=False)
    at: Position
    written: str | None = None
    unset: tuple[str, ...] = ()

    def plain(self) -> Any:  # Any: whatever the file holds
        """The value without its positions."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def child(self, step: str | int) -> Node | None:
        """The node one step down: by key, by index, or by the index of a key."""
        if isinstance(self.value, dict):
            if isinstance(step, int):
                step = list(self.value)[step] if step < len(self.value) else ""
            return self.value.get(step)
        if isinstance(self.value, list) and isinstance(step, int):
            return self.value[step] if step < len(self.value) else None
        return None

    def scalars(self, path: Path = ()) -> Iterator[tuple[Path, Node]]:
        """Every node without children, with the path that leads to it."""
        if isinstance(self.value, dict):
            for key, node in self.value.items():
                yield from node.scalars((*path, key))
        elif isinstance(self.value, list):
            for index, node in enumerate(self.value):
                yield from node.scalars((*path, index))
        else:
            yield path, self


Reader: TypeAlias = Callable[[str, str], tuple[Node, list[ProjectError]]]
"""Reads a text as the tree of a file of that name, and tells what is wrong with it: `read_yaml`."""


def frozen(node: Node) -> list[Any]:  # Any: values of every kind
    """A tree as plain lists and mappings, without the name of its file."""
    if isinstance(node.value, dict):
        return [node.at.line, {key: frozen(below) for key, below in node.value.items()}]
    if isinstance(node.value, list):
        return [node.at.line, [frozen(below) for below in node.value]]
    return [node.at.line, node.value, node.written]


def thawed(said: list[Any], file: str) -> Node:
    """The tree that `frozen` made lists of, as that of a file."""
    value, at = said[1], Position(file, said[0])
    if len(said) == 3:
        return Node(value, at, said[2])
    if isinstance(value, dict):
        return Node({key: thawed(below, file) for key, below in value.items()}, at)
    return Node([thawed(below, file) for below in value], at)


def grow(value: Any, at: Position) -> Node:  # Any: plain values, as a program gives them
    """Plain values as a tree, all of which stands at one place."""
    if isinstance(value, Mapping):
        return Node({str(k): grow(v, at) for k, v in value.items()}, at)
    if isinstance(value, list | tuple):
        return Node([grow(v, at) for v in value], at)
    return Node(value, at, None if value is None else str(value))


def dotted(path: Path) -> str:
    """A path as people write it: `pipelines.open_data.tables.x`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif "." in step or not step:
            text += f"['{step}']"
        else:
            text += f".{step}" if text else step
    return text


def where(at: Position, path: Path = ()) -> str:
    """A place for people: `penstock.yml:31 (pipelines.open_data)`."""
    return f"{at} ({dotted(path)})" if path else str(at)


def overlay(base: Node, over: Node) -> Node:
    """`over` laid on `base`: mappings merge, everything else replaces.

    Mappings of two different `type`s replace too, because the keys of one mean nothing to the other.
    """
    if not (isinstance(base.value, dict) and isinstance(over.value, dict)):
        return over
    kinds = [n.value["type"].value for n in (base, over) if isinstance(n.value, dict) and "type" in n.value]
    if len(set(map(str, kinds))) > 1:
        return over
    merged = dict(base.value)
    for key, node in over.value.items():
        merged[key] = overlay(merged[key], node) if key in merged else node
    return Node(merged, over.at)


# -------------------------------------------------------------------------------------- reading


def read_yaml(text: str, file: str) -> tuple[Node, list[ProjectError]]:
    """The tree of one YAML (or JSON) document and what is wrong with it; an empty one is a mapping."""
    yaml = YAML(typ="safe", pure=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an anchor that is used twice is legal YAML
            root = yaml.compose(text.removeprefix("\ufeff"))
    except YAMLError as error:
        return Node({}, Position(file, 1)), [_syntax(error, text, file)]
    except RecursionError:
        return Node({}, Position(file, 1)), [ProjectError("this is nested too deeply", where=file)]
    if root is None:
        return Node({}, Position(file, 1)), []
    builder = _Builder(file)
    return builder.build(root, (), root.start_mark.line + 1), builder.errors


def _syntax(error: YAMLError, text: str, file: str) -> ProjectError:
    """What the YAML reader could not read, in our own terms."""
    if not isinstance(error, MarkedYAMLError):
        line = text.count("\n", 0, getattr(error, "position", 0)) + 1
        return ProjectError("this is not YAML", where=f"{file}:{line}", found=str(error).splitlines()[0])
    problem, began = str(error.problem), error.context_mark
    lines = text.splitlines() or [""]
    mark = error.problem_mark or began
    line = min(mark.line + 1, len(lines)) if mark else 1
    if "another document" in problem:
        problem, began = "a second document begins", None
    hint = next((advice for sign, advice in _ADVICE.items() if sign in problem), None)
    if hint is None and began and began.line + 1 < line:
        hint = f"{error.context} that began in line {began.line + 1}"
    return ProjectError(
        f"this is not YAML: {problem}",
        where=f"{file}:{line}",
        found=lines[line - 1].strip() or None,
        hint=hint,
    )


_ADVICE = {
    "\\t": "YAML is indented with spaces: put spaces in place of the tab",
    "mapping values": "a value that holds `: ` needs quotes; or the indentation is off",
    "undefined alias": "a value that begins with `*` needs quotes",
    "cannot start any token": "a value that begins with this character needs quotes",
}


class _Builder:
    """Turns composed YAML into nodes, and notes what a project file may not hold."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.errors: list[ProjectError] = []
        self.count = 0
        self.open: list[int] = []

    def build(self, raw: Any, path: Path, line: int) -> Node:  # Any: ruamel's nodes have no common type
        """The node of `raw`; `line` is that of its key."""
        at = Position(self.file, line)
        self.count += 1
        if id(raw) in self.open or self.count > MAX_NODES:
            if self.count <= MAX_NODES + 1:
                self.refuse("an alias leads to itself, or to too much", at, path)
            return Node(None, at)
        if isinstance(raw, ScalarNode):
            return Node(self.scalar(raw, at, path), at, raw.value)
        self.open.append(id(raw))
        try:
            if isinstance(raw, SequenceNode):
                items = enumerate(raw.value)
                return Node([self.build(n, (*path, i), n.start_mark.line + 1) for i, n in items], at)
            assert isinstance(raw, MappingNode)
            return Node(self.mapping(raw, path), at)
        finally:
            self.open.pop()

    def mapping(self, raw: MappingNode, path: Path) -> dict[str, Node]:
        """Keys and values in order; `<<` adds the keys of another mapping that are not here."""
        found: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        for key, value in raw.value:
            at = Position(self.file, key.start_mark.line + 1)
            if not isinstance(key, ScalarNode):
                self.refuse("a key must be text", at, path)
            elif key.tag == _TAG + "merge":
                for node in value.value if isinstance(value, SequenceNode) else [value]:
                    inner = self.build(node, path, at.line).value
                    merged = {**inner, **merged} if isinstance(inner, dict) else merged
            elif key.value in found:
                first = found[key.value].at.line
                self.refuse(
                    f"the key `{key.value}` is there twice", at, path, f"it is in line {first} already"
                )
            else:
                found[key.value] = self.build(value, (*path, key.value), at.line)
        return {**merged, **found}

    def scalar(self, raw: ScalarNode, at: Position, path: Path) -> Scalar:
        """The value that a plain text stands for."""
        kind, text = str(raw.tag).removeprefix(_TAG), str(raw.value)
        try:
            if kind == "null":
                return None
            if kind == "bool":
                return text.lower() in ("true", "yes", "on")
            if kind == "int":
                return _integer(text)
            if kind == "float":
                return _float(text)
        except ValueError:
            self.refuse(f"'{text}' is not a number", at, path)
            return None
        if kind in ("str", "timestamp", "value"):
            return text
        self.refuse(f"the tag `{kind}` means nothing here", at, path, "leave it out; secrets are `${NAME}`")
        return None

    def refuse(self, what: str, at: Position, path: Path, hint: str | None = None) -> None:
        self.errors.append(ProjectError(what, where=where(at, path), hint=hint))


def _integer(text: str) -> int:
    digits = text.replace("_", "")
    return int(digits, 0 if digits.lstrip("+-")[:2].lower() in ("0x", "0o", "0b") else 10)


def _float(text: str) -> float:
    digits = text.replace("_", "").lower()
    if digits.endswith(".nan"):
        return math.nan
    return math.inf * (-1 if digits[0] == "-" else 1) if digits.endswith(".inf") else float(digits)
