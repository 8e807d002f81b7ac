"""Changes to a project file that leave every other line, and the comments, as they are.

Only the lines of what changes are written anew, and what is new is written after its neighbours. A file
whose lines do not allow that (flow style, anchors) is written as a whole, comments kept. `Path` steps are
keys, and `("name", value)` pairs for the item of a list that is called so.
"""

from __future__ import annotations

import copy
import io
import re
from collections.abc import Sequence
from typing import Any, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from penstock.errors import BugError, ProjectError

# Any throughout: YAML's values, and ruamel's nodes, which have no common type

Named: TypeAlias = tuple[str, str]
Step: TypeAlias = str | Named

_WIDTH = 10_000  # lines are never broken
_GONE = object()


def put(text: str, path: Sequence[Step], value: Any) -> str:
    """`text` with the value at `path` set; what is missing on the way is made.

    Raises: ProjectError when something on the way is no mapping or list.
    """
    return _changed(text, path, value)


def drop(text: str, path: Sequence[Step]) -> str:
    """`text` without the value at `path`; the same text if there is none. Mappings left empty go too."""
    if not present(text, path):
        return text
    above = path[:-1]
    if above and len(plain(text, above)) == 1 and not isinstance(above[-1], tuple):
        return drop(text, above)
    return _changed(text, path, _GONE)


def plain(text: str, path: Sequence[Step] = ()) -> Any:
    """The value at `path`, without comments; None if there is none."""
    found = YAML(typ="safe", pure=True).load(text)
    for step in path:
        found = _below(found, step)
    return found


def present(text: str, path: Sequence[Step]) -> bool:
    """Whether the file says anything at `path`."""
    *above, last = path
    parent = plain(text, above)
    if isinstance(last, tuple):
        return _below(parent, last) is not None
    return isinstance(parent, dict) and last in parent


def _below(found: Any, step: Step) -> Any:
    if isinstance(step, tuple):
        items = found if isinstance(found, list) else []
        return next((i for i in items if isinstance(i, dict) and i.get(step[0]) == step[1]), None)
    return found.get(step) if isinstance(found, dict) else None


def _changed(text: str, path: Sequence[Step], value: Any) -> str:
    expected = plain(text)
    expected = {} if expected is None else copy.deepcopy(expected)
    _apply(expected, path, value)
    for way in (_spliced, _rewritten):
        try:
            made = way(text, path, value)
            if made is not None and plain(made) == expected:
                return made
        except YAMLError:
            continue  # lines that are no YAML by themselves; the whole file is
    raise BugError("a change to the project file went wrong; nothing was written")


# ------------------------------------------------------------------------------ in the tree


def _apply(tree: Any, path: Sequence[Step], value: Any) -> None:
    """Change a tree of mappings and lists; what is missing on the way is made."""
    at = tree
    for number, step in enumerate(path[:-1]):
        below = _below(at, step)
        if below is None:
            kind: type = CommentedSeq if isinstance(path[number + 1], tuple) else CommentedMap
            _set(at, step, CommentedMap({step[0]: step[1]}) if isinstance(step, tuple) else kind(), path)
            below = _below(at, step)
        at = below
    _set(at, path[-1], value, path)


def _set(at: Any, step: Step, value: Any, path: Sequence[Step]) -> None:
    if not isinstance(at, list if isinstance(step, tuple) else dict):
        where = ".".join(s if isinstance(s, str) else s[1] for s in path)
        kind = "a list" if isinstance(step, tuple) else "a mapping"
        raise ProjectError(f"`{where}` cannot be set: what is above it is not {kind}")
    items: Any = at
    if isinstance(step, str):
        if value is _GONE:
            del items[step]
        else:
            items[step] = value
        return
    place = next((i for i, item in enumerate(items) if _below([item], step) is not None), None)
    if value is _GONE:
        assert place is not None
        del items[place]
    elif place is None:
        items.append(value)
    else:
        items[place] = value


def _rewritten(text: str, path: Sequence[Step], value: Any) -> str:
    """The whole document written anew, with its comments."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = _WIDTH
    if re.search(r"^( *)[^\s#-][^\n]*:[ \t]*\n\1 +- ", text, re.MULTILINE):
        yaml.indent(mapping=2, sequence=4, offset=2)
    tree = yaml.load(text)
    tree = CommentedMap() if tree is None else tree
    _apply(tree, path, value)
    out = io.StringIO()
    yaml.dump(tree, out)
    return out.getvalue()


# ------------------------------------------------------------------------------ in the lines


def _spliced(text: str, path: Sequence[Step], value: Any) -> str | None:
    """The text with the fewest lines changed, or None where lines do not do."""
    root = YAML(typ="rt", pure=True).compose(text)
    lines = [line if line.endswith("\n") else f"{line}\n" for line in text.splitlines(keepends=True)]
    if root is None:
        return "".join([*lines, *_dumped(_nested(path, value), 0)])
    if not isinstance(root, MappingNode) or root.flow_style:
        return None
    node: Any = root
    for number, step in enumerate(path):
        found = _pair_below(node, step)
        if found is None:
            return None if value is _GONE else _inserted(lines, root, node, path[number:], value)
        if number == len(path) - 1:
            return _replaced(lines, node, found, step, value)
        node = found[1]
        if isinstance(node, ScalarNode) or not node.value:  # nothing, `[]` or `{}`
            if node.value or node.anchor or value is _GONE:
                return None
            return _replaced(lines, root, found, step, _nested(path[number + 1 :], value))
        if node.flow_style or node.anchor:
            return None
    return None


def _inserted(lines: list[str], root: Any, node: Any, rest: Sequence[Step], value: Any) -> str:
    """New lines after those of a mapping or list; at the end of the file for the outermost."""
    at = len(lines) if node is root else _last_line(node) + 1
    rows = _dumped(_nested(rest, value), node.start_mark.column)
    return "".join([*lines[:at], *rows, *lines[at:]])


def _replaced(lines: list[str], node: Any, found: tuple[Any, Any], step: Step, value: Any) -> str | None:
    key, old = found
    begin, end = key.start_mark.line, _last_line(old) + 1
    column = key.start_mark.column
    if isinstance(step, tuple):
        column = node.start_mark.column
    elif lines[begin][:column].strip():
        return None  # the first key of a list's item stands behind its dash
    if value is _GONE:
        return "".join([*lines[:begin], *lines[end:]])
    rows = _dumped([value] if isinstance(step, tuple) else {step: value}, column)
    if (
        end - begin == 1
        and len(rows) == 1
        and (note := re.search(r"[ \t]+#[^\n]*$", _tail(lines[begin], old)))
    ):
        rows[0] = rows[0].rstrip("\n") + note[0].rstrip() + "\n"
    return "".join([*lines[:begin], *rows, *lines[end:]])


def _tail(line: str, node: Any) -> str:
    """What stands behind a value on its line."""
    return line[node.end_mark.column - (1 if node.end_mark.column else 0) :].rstrip("\n")


def _nested(path: Sequence[Step], value: Any) -> Any:
    """A value inside the mappings and lists that lead to it."""
    for step in reversed(path):
        if isinstance(step, str):
            value = {step: value}
        else:
            value = [value if isinstance(value, dict) and step[0] in value else {step[0]: step[1], **value}]
    return value


def _dumped(value: Any, column: int) -> list[str]:
    yaml = YAML()
    yaml.width = _WIDTH
    yaml.default_flow_style = False
    out = io.StringIO()
    yaml.dump(value, out)
    return [" " * column + row if row.strip() else row for row in out.getvalue().splitlines(keepends=True)]


def _pair_below(node: Any, step: Step) -> tuple[Any, Any] | None:
    """The key and value nodes of a step; for the item of a list, the item twice."""
    if isinstance(step, tuple):
        items = node.value if isinstance(node, SequenceNode) else []
        return next(((i, i) for i in items if _scalar_below(i, step[0]) == step[1]), None)
    pairs = node.value if isinstance(node, MappingNode) else []
    return next(((k, v) for k, v in pairs if k.value == step), None)


def _scalar_below(node: Any, key: str) -> str | None:
    pairs = node.value if isinstance(node, MappingNode) else []
    return next((v.value for k, v in pairs if k.value == key and isinstance(v, ScalarNode)), None)


def _last_line(node: Any) -> int:
    """The last line that a node has anything on."""
    if isinstance(node, MappingNode) and not node.flow_style and node.value:
        return max(_last_line(part) for pair in node.value for part in pair)
    if isinstance(node, SequenceNode) and not node.flow_style and node.value:
        return max(_last_line(item) for item in node.value)
    mark = node.end_mark
    return int(mark.line - 1 if mark.column == 0 and mark.line > node.start_mark.line else mark.line)
