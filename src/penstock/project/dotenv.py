"""Changes to the text of a `.env` file; `variables.parse_dotenv` reads it."""

from __future__ import annotations

import re

from penstock.project.variables import parse_dotenv

_BARE = re.compile(r"[A-Za-z0-9_./:@%+,=-]*")


def set_variable(text: str, name: str, value: str) -> str:
    """`text` with a variable set: in its place if it is there, else as a new last line."""
    line = f"{name}={_quoted(value)}\n"
    found = _assignment(text, name)
    if found is None:
        return (text if not text or text.endswith("\n") else f"{text}\n") + line
    begin, end = found
    return text[:begin] + line + text[end:]


def unset_variable(text: str, name: str) -> str:
    """`text` without a variable; the same text if it has none."""
    while (found := _assignment(text, name)) is not None:
        text = text[: found[0]] + text[found[1] :]
    return text


def _quoted(value: str) -> str:
    """A value as `parse_dotenv`, shells and other readers of such files take it."""
    if _BARE.fullmatch(value) and value:
        return value if value.isalnum() else f"'{value}'"
    if "'" not in value:
        return f"'{value}'"
    escaped = re.sub(r'(["\\$])', r"\\\1", value).replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def _assignment(text: str, name: str) -> tuple[int, int] | None:
    """Where a variable is set: the last place, from the start of its line to that of the next."""
    pattern = re.compile(
        rf"^[ \t]*(?:export[ \t]+)?{re.escape(name)}[ \t]*=[ \t]*"
        r"""(?:"(?:[^"\\]|\\.)*"[^\n]*|'[^']*'[^\n]*|[^\n]*)(?:\n|\Z)""",
        re.MULTILINE,
    )
    found = list(pattern.finditer(text))
    if not found or name not in parse_dotenv(text):
        return None
    return found[-1].span()
