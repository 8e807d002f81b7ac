"""Patterns that are searched for, as in JSON Schema, as ours, which the whole value must match; and back."""

from __future__ import annotations


def whole(pattern: str) -> str:
    """A pattern that is searched for as one that the whole value must match."""
    inner = unanchored(pattern)
    return inner if inner != pattern or _anchored(pattern) else f"(?s:.*)(?:{pattern})(?s:.*)"


def searched(pattern: str) -> str:
    """A pattern that the whole value must match as one that is searched for; the reverse of `whole`."""
    inner = pattern.removeprefix("(?s:.*)(?:").removesuffix(")(?s:.*)")
    return inner if pattern == f"(?s:.*)(?:{inner})(?s:.*)" else anchored(pattern)


def anchored(pattern: str) -> str:
    """A pattern that the whole value must match, so that it says so itself."""
    return pattern if _anchored(pattern) and unanchored(pattern) == pattern else f"^(?:{pattern})$"


def unanchored(pattern: str) -> str:
    """The reverse of `anchored`."""
    if pattern.startswith("^(?:") and pattern.endswith(")$") and _balanced(pattern[4:-2]):
        return pattern[4:-2]
    return pattern


def _anchored(pattern: str) -> bool:
    """Whether a pattern says on its face that it is about the whole value."""
    return (
        pattern.startswith("^")
        and pattern.endswith("$")
        and not pattern.endswith("\\$")
        and "|" not in pattern
    )


def _balanced(pattern: str) -> bool:
    """Whether no parenthesis of `pattern` closes a group that was opened before it."""
    depth, inside, skip = 0, False, False
    for letter in pattern:
        if skip:
            skip = False
        elif letter == "\\":
            skip = True
        elif inside:
            inside = letter != "]"
        elif letter == "[":
            inside = True
        else:
            depth += (letter == "(") - (letter == ")")
        if depth < 0:
            return False
    return depth == 0 and not inside and not skip
