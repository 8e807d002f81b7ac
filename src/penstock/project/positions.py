"""From a typed value of the project back to the file and line that say it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from penstock.project.nodes import Node, Path, Position, where

_WRITE = ("write", "write_disposition")


@dataclass(frozen=True, slots=True)
class Positions:
    """Where each value of a project stands: the tree of its files, environment applied."""

    tree: Node = field(repr=False)

    def of(self, path: Path) -> Position:
        """The line that says the value at `path`; if no line does, that of the nearest value around it."""
        return locate(self.tree, path)[1].at

    def where(self, path: Path) -> str:
        """The same for people: `penstock.yml:31 (pipelines.open_data)`."""
        found, node = locate(self.tree, path)
        return where(node.at, found)


def locate(tree: Node, steps: Sequence[str | int], *, missing: bool = False) -> tuple[Path, Node]:
    """The path as the file has it, and the node nearest to it, for a path as the models have it.

    The models know aliases, tags of unions and spread-out mappings that the file does not have;
    the last step of something `missing` is kept.
    """
    path: list[str | int] = []
    node = tree
    for position, step in enumerate(steps):
        for names in _spellings(step):
            below: Node | None = node
            for name in names:
                below = below.child(name) if below else None
            if below is not None:
                path += [_key(node, n) for n in names]
                node = below
                break
        else:
            if missing and position == len(steps) - 1:
                path.append(step)
    if path and path[-1] in _WRITE and (mode := node.child("mode")):
        return (*path, "mode"), mode
    return tuple(path), node


def _spellings(step: str | int) -> Iterator[tuple[str | int, ...]]:
    """The ways in which a file may lead to what the models call `step`."""
    yield (step,)
    if isinstance(step, int):
        return
    name = step.removeprefix("write.")
    twins = {
        "write": "write_disposition", "schema_name": "schema", "url": "path",
        "min_length": "minLength", "max_length": "maxLength", "primary_key": "unique_key",
        "strategy": "incremental_strategy",
    }  # fmt: skip
    for one, other in twins.items():
        if step in (one, other):
            yield (other if step == one else one,)
    for key in _WRITE:
        yield (key, name)


def _key(node: Node, step: str | int) -> str | int:
    if isinstance(node.value, dict) and isinstance(step, int):
        return list(node.value)[step]
    return step
