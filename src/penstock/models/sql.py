"""A model's SQL: checked to be one query, with what it reads, and the text that runs.

The text that runs is the user's own, in which only `ref()` and `source()` are replaced. What a query reads
is told from its tokens (`penstock.models.relations`), some twenty times as fast as by parsing it; sqlglot is
asked where that walk is not sure. Whether the syntax is right is for the engine to say, because no other
parser takes all that it takes. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from penstock.errors import ProjectError
from penstock.models.relations import QUERIES, Found, relations
from penstock.models.tokens import ARGUMENTS, Kind, Token, brackets, digest, place, tokens


@dataclass(frozen=True, slots=True)
class Reference:
    """A `ref()` or `source()` of dbt: the relation that it means, and its line in the file.

    `word` is `ref` or `source`; `within` is the package or the source that was named, or None.
    """

    name: str
    word: str
    line: int
    within: str | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """What an engine's parser has against a text, and the byte at which it stopped, or None."""

    message: str
    at_byte: int | None = None


Judge: TypeAlias = Callable[[str], Fault | None]
"""An engine's own parser: its objection to a query, or None."""


@dataclass(frozen=True, slots=True)
class Query:
    """One query. `sql` is the text to run; `reads` are relations, each once, in the order they are named.

    `digest` changes with every token of the text and with nothing else: not with white space or comments.
    `outside` are files and functions on which its rows depend, and which may give something else each time.
    """

    sql: str
    reads: tuple[str, ...]
    digest: str
    references: tuple[Reference, ...] = ()
    outside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Edit:
    """A piece of the text that something else takes the place of."""

    start: int
    end: int
    text: str


_JINJA = re.compile(rf"\{{\{{-?\s*(ref|source)\s*\(\s*({ARGUMENTS})")
_POINTED = re.compile(r"^(?P<head>LINE (?P<line>\d+): )(?P<code>.*)\n(?P<pad>[ \t]*)\^", re.MULTILINE)
_BYTE_ORDER_MARK = "\ufeff"
_ARGUMENT = re.compile(r"""'([^'\n]*)'|"([^"\n]*)\"""")


def analyse(
    text: str,
    dialect: str,
    where: str,
    *,
    first_line: int = 1,
    database: str | None = None,
    judge: Judge | None = None,
) -> Query:
    """What a model's text is made of.

    `where` names the file, and `first_line` is the line of it with which the text begins. `database` is the
    name under which the engine knows the destination itself, so that `database.main.x` is `x`.

    Raises: ProjectError with `file:line:column`: no SQL, more than one statement, something that is not a
    query, Jinja beyond `ref` and `source`, and whatever `judge` objects to.
    """
    found = _one_statement(tokens(text, dialect, where, first_line), text, where, first_line)
    pairs = brackets(found, text, where, first_line)
    try:
        walked = relations(found, pairs, database)
    except RecursionError:
        raise ProjectError("this SQL is nested too deeply", where=where, hint="CTEs keep it flat") from None
    _check_query(found, walked.begins, text, where, first_line)
    references, edits = _references(found, walked, text, first_line)
    sql = _edited(text, edits)
    if judge and (fault := judge(sql)):
        offset = _origin(edits, len(sql.encode()[: fault.at_byte].decode(errors="ignore")))
        raise ProjectError(fault.message, where=place(where, text, offset, first_line))
    reads = [read.name for read in walked.reads]
    if not walked.sure:
        reads = _second_opinion(sql, dialect, reads, None if judge else (where, first_line))
    names = _once([*reads, *(r.name for r in references)])
    return Query(sql, names, digest(found), references, _once(walked.outside))


def pointed(found: str | None, sql: str, where: str) -> str:
    """`file:line:column` of what an engine points at; the file alone if that cannot be told.

    `found` are the engine's words, with `LINE n: …` and a caret below it as PostgreSQL and DuckDB write them;
    `sql` is a model's text, whose lines are those of its file. The engine may have been given it without the
    empty lines at its head.
    """
    if not (mark := _POINTED.search(found or "")):
        return where
    code = mark["code"].strip()
    cut = 3 if code.startswith("...") else 0
    code = code.removeprefix("...").removesuffix("...")
    lines = sql.split("\n")
    line = int(mark["line"]) + next((n for n, text in enumerate(lines) if text.strip()), 0)
    places = [n for n, text in enumerate(lines, 1) if code and code in text]
    if line not in places:
        if len(places) != 1:
            return where
        line = places[0]
    indent = len(mark["code"]) - len(mark["code"].lstrip())
    column = lines[line - 1].index(code) + max(len(mark["pad"]) - len(mark["head"]) - indent - cut, 0)
    return f"{where}:{line}:{column + 1}"


def _one_statement(found: list[Token], text: str, where: str, first_line: int) -> list[Token]:
    end = next((i for i, t in enumerate(found) if t.text == ";"), len(found))
    second = next((t for t in found[end:] if t.text != ";"), None)
    if second is not None:
        raise ProjectError(
            "a model is one SELECT, and here begins another statement",
            where=place(where, text, second.start, first_line),
            found=f"`{second.text}` after a semicolon",
            hint="make a model of its own of each, in a file of its own",
        )
    if end == 0:
        raise ProjectError("there is no SQL in this file", where=where, expected="one SELECT")
    return found[:end]


def _check_query(found: Sequence[Token], begins: int, text: str, where: str, first_line: int) -> None:
    first = next((t for t in found[begins:] if t.text != "("), found[-1])
    if first.upper not in QUERIES:
        raise ProjectError(
            "a model is one SELECT, and this is something else",
            where=place(where, text, first.start, first_line),
            found=f"`{first.text}`",
            expected="SELECT, WITH, FROM, VALUES, TABLE, PIVOT or UNPIVOT",
            hint="Penstock makes the table of it; `materialized:` in the front matter says how",
        )


def _references(
    found: Sequence[Token], walked: Found, text: str, first_line: int
) -> tuple[tuple[Reference, ...], list[_Edit]]:
    """`ref()` and `source()`, and the edits that put the relations in their place."""
    spans: list[tuple[int, int, str, tuple[str, ...]]] = []
    for token in found:
        if token.kind is Kind.JINJA and (match := _JINJA.match(token.text)):
            names = tuple(a or b for a, b in _ARGUMENT.findall(match[2]))
            spans.append((token.start, token.end, match[1], names))
    spans += [(found[c.first].start, found[c.last].end, c.word, c.names) for c in walked.calls]
    references, edits = [], [_Edit(0, 1, "")] if text.startswith(_BYTE_ORDER_MARK) else []
    for start, end, word, names in sorted(spans):
        line = first_line + text.count("\n", 0, start)
        references.append(Reference(names[-1], word, line, names[0] if len(names) == 2 else None))
        lines = "\n" * text.count("\n", start, end)  # so that the engine counts lines as the user does
        quoted = names[-1].replace('"', '""')
        edits.append(_Edit(start, end, f'"{quoted}"{lines}'))
    last = found[-1].end
    edits += [_Edit(i, i + 1, " ") for i in range(last, len(text)) if text[i] == ";" and _bare(text, last, i)]
    return tuple(references), edits


def _bare(text: str, start: int, at: int) -> bool:
    """Whether a semicolon after the last token is in no comment."""
    return at in {t.start + start for t in tokens(text[start:], "", "") if t.text == ";"}


def _edited(text: str, edits: Sequence[_Edit]) -> str:
    parts, at = [], 0
    for edit in edits:
        parts += [text[at : edit.start], edit.text]
        at = edit.end
    return "".join([*parts, text[at:]])


def _origin(edits: Sequence[_Edit], offset: int) -> int:
    """The offset in the user's text of an offset in the edited one."""
    shift = 0
    for edit in edits:
        if edit.start + shift > offset:
            break
        if offset < edit.start + shift + len(edit.text):
            return edit.start
        shift += len(edit.text) - (edit.end - edit.start)
    return offset - shift


def _second_opinion(sql: str, dialect: str, reads: list[str], refuse: tuple[str, int] | None) -> list[str]:
    """What sqlglot finds beyond the walk. Where neither understands, and no engine was asked, refuse."""
    from sqlglot import exp, parse_one
    from sqlglot.errors import SqlglotError

    try:
        tree = parse_one(sql, dialect=dialect)
    except SqlglotError as error:
        if refuse is None:
            return reads
        raise _unreadable(error, *refuse) from None
    named = {cte.alias_or_name.casefold() for cte in tree.find_all(exp.CTE)}
    tables = [t.name for t in tree.find_all(exp.Table) if isinstance(t.this, exp.Identifier)]
    return [*reads, *(name for name in tables if name.casefold() not in named)]


def _unreadable(error: Exception, where: str, first_line: int) -> ProjectError:
    """What sqlglot says, and where."""
    found: dict[str, Any] = next(iter(getattr(error, "errors", None) or ()), {})  # Any: as sqlglot has it
    line, column = found.get("line") or 1, found.get("col") or 1
    column = max(column - len(found.get("highlight") or "x") + 1, 1)  # it tells where the word ends
    said = str(found.get("description") or error).partition(" but got <")[0]
    return ProjectError(
        "this cannot be read as SQL",
        where=f"{where}:{first_line + line - 1}:{column}",
        found=found.get("highlight"),
        expected=said,
    )


def _once(names: Sequence[str]) -> tuple[str, ...]:
    """Each name once, however it is spelt in capitals; as it is written first."""
    seen: dict[str, str] = {}
    for name in names:
        seen.setdefault(name.casefold(), name)
    return tuple(seen.values())
