"""Variables: `${NAME}` in a project file, the `.env` file beside it, and keeping values out of sight.

Every value that comes from the environment counts as a secret, because nothing tells a secret
from a setting. `redact` masks them in any text that is shown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote, quote_plus

from penstock.errors import ProjectError, suggest
from penstock.project.nodes import Node, Path, where

MASK = "***"
SHORTEST_SECRET = 4
_PUBLIC = frozenset({"true", "false", "null", "none"})
_VARIABLE = re.compile(
    r"\$\$|\$\{(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^{}]*))?\}|(?P<bad>[^}]*\}?))"
)
_ASSIGNMENT = re.compile(r"\s*(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=[ \t]*")
_QUOTED = {
    '"': re.compile(r'"((?:[^"\\]|\\.)*)"[ \t]*(?:#[^\n]*)?(?:\n|\Z)', re.DOTALL),
    "'": re.compile(r"'([^']*)'[ \t]*(?:#[^\n]*)?(?:\n|\Z)"),
}
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$"}


# -------------------------------------------------------------------------------------- filling in


@dataclass(frozen=True, slots=True)
class Filled:
    """A tree without variables, the values that went into it, and the variables that have none."""

    node: Node
    secrets: frozenset[str]
    errors: tuple[ProjectError, ...]


def fill(node: Node, env: Mapping[str, str]) -> Filled:
    """`node` with every `${NAME}` and `${NAME:-default}` in its text replaced; `$$` is a dollar sign."""
    filler = _Filler(env)
    filled = filler.fill(node, ())
    return Filled(filled, frozenset(filler.secrets), tuple(filler.errors))


class _Filler:
    """Replaces variables in a tree and remembers what it met."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.env = env
        self.secrets: set[str] = set()
        self.errors: list[ProjectError] = []

    def fill(self, node: Node, path: Path) -> Node:
        value = node.value
        if isinstance(value, dict):
            return replace(node, value={k: self.fill(n, (*path, k)) for k, n in value.items()})
        if isinstance(value, list):
            return replace(node, value=[self.fill(n, (*path, i)) for i, n in enumerate(value)])
        if not isinstance(value, str) or "$" not in value:
            return node
        unset: list[str] = []
        text = _VARIABLE.sub(lambda m: self.one(m, unset, node, path), value)
        return replace(node, value=text, unset=tuple(unset))

    def one(self, match: re.Match[str], unset: list[str], node: Node, path: Path) -> str:
        name, default = match["name"], match["default"]
        if match[0] == "$$":
            return "$"
        if name is None:
            unset.append(match[0])
            self.errors.append(
                ProjectError(
                    f"`{match[0]}` is not a variable",
                    where=where(node.at, path),
                    expected="`${NAME}` or `${NAME:-default}`",
                    hint="for a dollar sign write `$$`",
                )
            )
        elif self.env.get(name) or (name in self.env and default is None):
            self.secrets.add(self.env[name])
            return self.env[name]
        elif default is not None:
            return default
        else:
            unset.append(name)
            self.errors.append(
                ProjectError(
                    f"the variable `{name}` is not set",
                    where=where(node.at, path),
                    expected=f"`{name}` in the environment or in the `.env` file",
                    hint=suggest(name, self.env) or f"a default is written `${{{name}:-value}}`",
                )
            )
        return match[0]


# ------------------------------------------------------------------------------------ out of sight


def redact(text: str, secrets: Iterable[str]) -> str:
    """`text` with every secret in it replaced by `***`.

    Also masked are the forms that a secret takes in a URL, in JSON and line by line. Values
    shorter than four characters and the words true, false, null and none stay: masking them would
    hide everything and protect nothing. Mask text before it is put into JSON, not after.
    """
    for form in sorted({f for s in secrets for f in _forms(s)}, key=len, reverse=True):
        text = text.replace(form, MASK)
    return text


def _forms(secret: str) -> Iterable[str]:
    lines = [secret, *secret.splitlines()]
    forms = {f for line in lines for f in (line, quote(line, safe=""), quote(line), quote_plus(line))}
    forms |= {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    return (f for f in forms if len(f) >= SHORTEST_SECRET and f.lower() not in _PUBLIC)


# ----------------------------------------------------------------------------------- the .env file


def parse_dotenv(text: str, file: str = ".env") -> dict[str, str]:
    """The variables of a `.env` file: `NAME=value`, `export`, quotes, comments.

    Single quotes keep everything as it is, double quotes know `\\n`, `\\t`, `\\"`, `\\\\` and `\\$`;
    both may span lines. A comment after a bare value needs a space before its `#`.
    Raises: ProjectError naming the line, never its value.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        line = text[at:end].strip()
        if not line or line.startswith("#"):
            at = end + 1
            continue
        match = _ASSIGNMENT.match(text, at, end)
        place = f"{file}:{text.count(chr(10), 0, at) + 1}"
        if not match:
            raise ProjectError("this line sets no variable", where=place, expected="`NAME=value`")
        if (mark := text[match.end() : match.end() + 1]) in _QUOTED:
            quoted = _QUOTED[mark].match(text, match.end())
            if not quoted:
                raise ProjectError(
                    f"the value of `{match['name']}` does not end with its quote",
                    where=place,
                    expected=f"a second {mark} and nothing but a comment after it",
                )
            found[match["name"]] = _unescape(quoted[1]) if mark == '"' else quoted[1]
            at = quoted.end()
        else:
            found[match["name"]] = re.split(r"(?:^|\s)#", text[match.end() : end], maxsplit=1)[0].strip()
            at = end + 1
    return found


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[0]), text, flags=re.DOTALL)
