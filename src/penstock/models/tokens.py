"""The words of a SQL text: enough of its grammar to tell names, strings and comments apart, in any dialect.

A lexer of our own, because it is some twenty times as fast as a parser, keeps every character's place,
and cannot object to syntax that it has not heard of. Pure.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from penstock.errors import ProjectError


class Kind(StrEnum):
    """What a token is. `quoted` is a name in quotes; `jinja` is `{{ ref(…) }}` or `{{ source(…) }}`."""

    WORD = "word"
    QUOTED = "quoted"
    STRING = "string"
    NUMBER = "number"
    JINJA = "jinja"
    OPEN = "open"
    CLOSE = "close"
    MARK = "mark"


class Token(NamedTuple):
    """One token as it is written, and where it starts. Units: characters."""

    kind: Kind
    text: str
    start: int

    @property
    def end(self) -> int:
        """Where the token ends."""
        return self.start + len(self.text)

    @property
    def name(self) -> str:
        """The name that a word or a quoted name means."""
        if self.kind is Kind.QUOTED:
            quote = self.text[0]
            return self.text[1:-1].replace(quote * 2, quote)
        return self.text

    @property
    def upper(self) -> str:
        """The word in capitals; empty for what is no word, a name in quotes included."""
        return self.text.upper() if self.kind is Kind.WORD else ""


ARGUMENTS = r"""(?:'[^'\n]*'|"[^"\n]*")(?:\s*,\s*(?:'[^'\n]*'|"[^"\n]*"))?"""
"""One or two names in quotes, as `ref` and `source` take them."""

_BACKSLASHES = frozenset({"bigquery", "mysql", "spark", "databricks", "hive", "snowflake", "clickhouse"})
_STRING = r"'(?:[^']|'')*'"
_ESCAPED = r"'(?:[^'\\]|\\.|'')*'"
# whatever is not ASCII begins a word, but for the white space among it
_FIRST = (
    "A-Za-z_\x80-\x84\x86-\x9f\xa1-\u167f\u1681-\u1fff\u200b-\u2027\u202a-\u202e"
    "\u2030-\u205e\u2060-\u2fff\u3001-\ufefe\uff00-\U0010ffff"
)
_MARK = r"(?:(?!--|/\*)[-+*/<>=:~!@\#%^&|?])"
_OPERATORS = rf"""
    (?=[-+*/<>=:]*[~!@\#%^&|?]){_MARK}+        # an operator of the engine's own may end with a sign
  | {_MARK}*(?!--|/\*)[*/<>=:] | [-+]          # in `a=-1` the sign is the number's
"""
_REST = rf"""
    (?P<space>[\s\ufeff]+)
  | (?P<line>--[^\n]*)
  | (?P<block>/\*)
  | (?P<jinja>\{{\{{-?\s*(?:ref|source)\s*\(\s*{ARGUMENTS}\s*\)\s*-?\}}\}})
  | (?P<foreign>\{{\{{(?!\s*'[^']*'\s*:)|\{{%|\{{\#)
  | (?P<string>[eE]{_ESCAPED}|[xXbB]?@STRING@|\$(?P<tag>(?:[{_FIRST}][{_FIRST}0-9]*)?)\$.*?\$(?P=tag)\$)
  | (?P<quoted>"(?:[^"]|"")*"|`(?:[^`]|``)*`)
  | (?P<word>[{_FIRST}][{_FIRST}0-9$]*)
  | (?P<number>\d[\d_]*(?:\.\d[\d_]*)?(?:[eE][+-]?\d+)?\w*)
  | (?P<open>[(\[{{])
  | (?P<close>[)\]}}])
  | (?P<mark>[,;.]|\$\w+\b(?!\$)|{_OPERATORS})
  | (?P<quote>['"`$])
  | (?P<other>.)
"""
_PLAIN_LEXER = re.compile(_REST.replace("@STRING@", _STRING), re.VERBOSE | re.DOTALL)
_BACKSLASH_LEXER = re.compile(_REST.replace("@STRING@", _ESCAPED), re.VERBOSE | re.DOTALL)
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_TEMPLATE = re.compile(r"\{\{-?\s*(?:ref|source|var|env_var|config|this)\b")
_PAIRS = {"(": ")", "[": "]", "{": "}"}
_KINDS = {kind.value: kind for kind in Kind}
_BY_DBT = "a whole dbt project runs as `models: {dbt: path/to/project}`"


def place(where: str, text: str, offset: int, first_line: int = 1) -> str:
    """`file:line:column` of an offset in a text whose first line is that line of the file."""
    before = text[:offset]
    return f"{where}:{first_line + before.count(chr(10))}:{offset - before.rfind(chr(10))}"


def tokens(text: str, dialect: str, where: str, first_line: int = 1) -> list[Token]:
    """The tokens of a text, without white space and comments.

    Raises: ProjectError for quotes, comments and brackets that are not closed, and for Jinja beyond `ref`
    and `source`.
    """
    found = []
    for token, what, hint in _lex(text, _BACKSLASH_LEXER if dialect in _BACKSLASHES else _PLAIN_LEXER):
        if what:
            raise ProjectError(what, where=place(where, text, token.start, first_line), hint=hint)
        found.append(token)
    return found


def _lex(text: str, lexer: re.Pattern[str]) -> Iterator[tuple[Token, str, str | None]]:
    at = 0
    while match := lexer.match(text, at):
        group, start, at = match.lastgroup or "", match.start(), match.end()
        if group == "block":
            at = _comment_end(text, start)
            if at < 0:
                yield Token(Kind.MARK, "/*", start), "a comment is not closed", "it ends with `*/`"
                return
        elif kind := _KINDS.get(group):
            token = Token(kind, match.group(), start)
            if kind is Kind.STRING and _TEMPLATE.search(token.text):
                yield token, f"Jinja in a string means nothing here: {token.text}", _BY_DBT
            yield token, "", None
        elif group == "foreign":
            yield Token(Kind.MARK, match.group(), start), *_jinja_fault(text, start)
        elif group == "quote":
            hint = "double it where it is part of the text"
            yield Token(Kind.MARK, match.group(), start), f"a quote is not closed: {match.group()}", hint
        elif group == "other":  # the engine may know what it means
            yield Token(Kind.MARK, match.group(), start), "", None


def _comment_end(text: str, start: int) -> int:
    depth, at = 0, start
    while edge := _COMMENT_EDGE.search(text, at):
        depth, at = depth + (1 if edge.group() == "/*" else -1), edge.end()
        if depth == 0:
            return at
    return -1


def _jinja_fault(text: str, start: int) -> tuple[str, str]:
    line = text[start:].partition("\n")[0].strip()
    hint = _BY_DBT
    if re.match(r"\{\{-?\s*config\b", line):
        hint = f"write `materialized: …` in the front matter, `/*--- … ---*/`; {_BY_DBT}"
    return f"only `ref()` and `source()` of Jinja are understood, not `{line}`", hint


def brackets(found: Sequence[Token], text: str, where: str, first_line: int = 1) -> dict[int, int]:
    """The index of the closing token for that of every opening one. Raises: ProjectError."""
    pairs: dict[int, int] = {}
    open_: list[int] = []
    for index, token in enumerate(found):
        if token.kind is Kind.OPEN:
            open_.append(index)
        elif token.kind is Kind.CLOSE:
            if not open_ or _PAIRS[found[open_[-1]].text] != token.text:
                what = f"`{token.text}` closes nothing"
                raise ProjectError(what, where=place(where, text, token.start, first_line))
            pairs[open_.pop()] = index
    if open_:
        token = found[open_[-1]]
        raise ProjectError(f"`{token.text}` is not closed", where=place(where, text, token.start, first_line))
    return pairs


def digest(found: Sequence[Token]) -> str:
    """What changes whenever the text's tokens do; white space and comments between them do not matter."""
    return hashlib.sha256("\0".join(t.text for t in found).encode()).hexdigest()
