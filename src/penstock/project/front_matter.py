"""The words at the head of a SQL file: a leading comment `/*--- … ---*/` whose text is YAML.

    /*---
    materialized: incremental
    primary_key: id
    ---*/
    SELECT * FROM orders

Lines are those of the file. A file without such a comment has no words, which is fine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from penstock.errors import ProjectError
from penstock.project.nodes import Node, Position, frozen, read_yaml, thawed, where

BEGIN = "/*---"
END = "---*/"
_HEAD = re.compile(r"\s*(?:--[^\n]*\n\s*)*/\*---(?P<rest>[^\n]*)")
_VARIABLE = re.compile(r"\$\{[A-Za-z_]\w*(:-[^}]*)?\}")


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """The words of a file as a tree, and the file without them; its lines keep their numbers."""

    words: Node
    body: str


def front_matter(text: str, file: str) -> FrontMatter:
    """The words at the head of a SQL file, which errors call `file`.

    Lines of `--` comments may come before. Raises: ProjectError for a comment that has no end, and for
    text that is not YAML, with the file's line.
    """
    text = text.removeprefix("\ufeff")
    head = _HEAD.match(text)
    if head is None:
        return FrontMatter(Node({}, Position(file, 1)), text)
    begin = head.start("rest") - len(BEGIN)
    line = text.count("\n", 0, begin) + 1
    end = text.find(END, head.start("rest"))
    if end < 0:
        raise ProjectError(
            "the words of this file have no end", where=f"{file}:{line}", expected=f"`{END}` in a line below"
        )
    stop = end + len(END)
    tree = _tree("\n" * (line - 1) + " " * len(BEGIN) + text[head.start("rest") : end], file)
    if not isinstance(tree.value, dict):
        raise ProjectError(
            "the words of this file are no mapping",
            where=f"{file}:{line}",
            expected="such as `materialized: view`",
        )
    _no_variables(tree)
    blank = "\n" * text.count("\n", begin, stop)
    return FrontMatter(tree, text[:begin] + blank + text[stop:])


def _tree(text: str, file: str) -> Node:
    """The tree of a head; many files have the very same. Raises: ProjectError for the first fault."""
    known = _known(text)
    if known is not None:
        return thawed(known, file)
    _, faults = read_yaml(text, file)
    raise faults[0]


@lru_cache(maxsize=512)
def _known(text: str) -> list[Any] | None:  # Any: values of every kind
    """A head without the name of its file; None if something is wrong with it."""
    tree, faults = read_yaml(text, "")
    return None if faults else frozen(tree)


def _no_variables(tree: Node) -> None:
    """Refuse `${NAME}`, which is filled in in the project file alone and would be taken as it stands."""
    for path, node in tree.scalars():
        if isinstance(node.value, str) and (found := _VARIABLE.search(node.value)):
            raise ProjectError(
                f"`{found[0]}` is not filled in here",
                where=where(node.at, path),
                hint="variables stand in the project file; below `models` it says what holds for all models",
            )
