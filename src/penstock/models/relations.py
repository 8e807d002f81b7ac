"""The relations that a query reads, told from its tokens: what follows FROM, JOIN and their like, less CTEs.

It follows the scopes of the query and no other grammar, so that syntax which only the engine knows does not
hinder it. A place that it cannot follow makes it say so (`Found.sure`). Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from penstock.models.tokens import Kind, Token

QUERIES = frozenset({"SELECT", "WITH", "FROM", "VALUES", "TABLE", "PIVOT", "UNPIVOT"})
"""The words with which a query begins."""

_ABOUT = frozenset({"DESCRIBE", "SUMMARIZE", "SHOW"})
_ALONE = frozenset({"TABLE", "PIVOT", "UNPIVOT", "PIVOT_WIDER", "PIVOT_LONGER"})
_STARTS = QUERIES | _ABOUT | _ALONE
_SETS = frozenset({"UNION", "EXCEPT", "INTERSECT"})
_AFTER_SETS = frozenset({"ALL", "DISTINCT", "BY", "NAME"})
_ENDS = frozenset({"WHERE", "GROUP", "HAVING", "QUALIFY", "WINDOW", "ORDER", "LIMIT", "OFFSET", "FETCH"})
_CLAUSES = _ENDS | _SETS | {"SELECT", "FROM", "ON", "USING", "JOIN", "AS", "LEFT", "RIGHT", "INNER", "FULL"}
_SHOWN = frozenset({"TABLES", "ALL", "DATABASES", "SCHEMAS", "VARIABLES"})
_SYSTEM = frozenset({"information_schema", "pg_catalog", "system", "temp"})
_FILES = (".csv", ".tsv", ".parquet", ".json", ".jsonl", ".ndjson", ".gz", ".zst", ".xlsx", ".db", ".duckdb")
_DBT = {"ref", "source"}
_PURE_FUNCTIONS = frozenset(
    {"unnest", "generate_series", "range", "repeat", "repeat_row", "generate_subscripts", "json_each"}
    | {"json_tree", "regexp_split_to_table", "query_table", "flatten", "explode", "posexplode", "stack"}
)
_CLOCKS = frozenset({"CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP"})
_FICKLE = _CLOCKS | frozenset(
    {"NOW", "TODAY", "GET_CURRENT_TIMESTAMP", "GET_CURRENT_TIME", "CURRENT_LOCALTIMESTAMP", "GETDATE"}
    | {"CURRENT_LOCALTIME", "TRANSACTION_TIMESTAMP", "CLOCK_TIMESTAMP", "STATEMENT_TIMESTAMP", "SYSDATE"}
    | {"RANDOM", "RAND", "UUID", "GEN_RANDOM_UUID", "GENERATE_UUID", "UUIDV4", "UUIDV7", "NEXTVAL", "CURRVAL"}
    | {"GETVARIABLE", "GETENV", "TXID_CURRENT"}
)
_DEFAULT_SCHEMA = "main"


class Read(NamedTuple):
    """A relation as the query names it, and the token at which it does."""

    name: str
    token: int


class Call(NamedTuple):
    """A `ref(…)` or `source(…)` that stands for a relation: its tokens from `first` to `last`."""

    word: str
    names: tuple[str, ...]
    first: int
    last: int


@dataclass(slots=True)
class Found:
    """What a query reads. `outside` are files and functions whose answer may be another each time. `sure` is
    False where the walk met what it does not know; `begins` is the token with which the query proper begins,
    after its CTEs.
    """

    reads: list[Read] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    sure: bool = True
    begins: int = 0


@dataclass(slots=True)
class _Level:
    """Where the walk is between two brackets: `expects` a relation next, `lists` them with commas."""

    query: bool
    expects: bool = False
    lists: bool = False
    fresh: bool = True


def relations(tokens: Sequence[Token], pairs: Mapping[int, int], database: str | None = None) -> Found:
    """The relations that a query reads, in order, each as often as it is named.

    `pairs` are its brackets. `main.x` is `x`, and so is `database.x`; names in other schemas keep them.
    Files, table functions, CTEs and the system's own tables are none.
    """
    walk = _Walk(tokens, pairs, (database or "").casefold())
    walk.level(0, len(tokens), frozenset(), _Level(query=True))
    walk.found.outside += _fickle(tokens)
    return walk.found


def _fickle(tokens: Sequence[Token]) -> list[str]:
    """The functions whose answer is another each time, as the query calls them."""
    found = []
    for at, token in enumerate(tokens):
        if token.upper in _FICKLE and (at == 0 or tokens[at - 1].text != "."):
            called = at + 1 < len(tokens) and tokens[at + 1].text == "("
            found += [token.text] if called or token.upper in _CLOCKS else []
    return found


class _Walk:
    def __init__(self, tokens: Sequence[Token], pairs: Mapping[int, int], database: str) -> None:
        self.tokens, self.pairs, self.database = tokens, pairs, database
        self.found = Found()

    def level(self, at: int, end: int, scope: frozenset[str], level: _Level) -> None:
        """Walk the tokens between two brackets."""
        if at < end and self.tokens[at].upper == "WITH":
            outermost = at == 0
            at, scope = self.with_clause(at + 1, end, scope)
            self.found.begins = at if outermost else self.found.begins
        while at < end:
            token = self.tokens[at]
            if token.kind is Kind.OPEN:
                at = self.bracket(at, scope, level)
            elif level.expects:
                at = self.relation(at, end, scope, level)
            else:
                at = self.word(at, end, level)

    def word(self, at: int, end: int, level: _Level) -> int:
        """Take one token that is no bracket, where no relation is expected."""
        token = self.tokens[at]
        word = "" if at and self.tokens[at - 1].text == "." else token.upper
        fresh, level.fresh = level.fresh, False
        if token.text == ",":
            level.expects = level.lists
        elif not word:
            return at + 1
        elif word == "JOIN":
            level.expects = True
        elif word == "FROM" and level.query and not self.compares(at):
            level.expects = level.lists = True
        elif word in _SETS:
            level.query, level.lists, level.fresh = True, False, True
        elif fresh and (word in _ALONE or word in _ABOUT):
            self.alone(at, end, level)
        elif fresh and word in _AFTER_SETS:
            level.fresh = True
        elif word in _ENDS or word == "SELECT":
            level.lists = False
        return at + 1

    def alone(self, at: int, end: int, level: _Level) -> None:
        """`TABLE x`, `PIVOT x ON …`, `DESCRIBE x`: one relation, and no list of them."""
        after = self.tokens[at + 1] if at + 1 < end else None
        if after and self.tokens[at].upper in _ABOUT and after.upper in _STARTS:
            level.fresh = True
        elif not (after and self.tokens[at].upper == "SHOW" and after.upper in _SHOWN):
            level.expects = True

    def compares(self, at: int) -> bool:
        """Whether this FROM is that of `IS DISTINCT FROM`."""
        before = self.tokens[max(at - 2, 0) : at]
        return len(before) == 2 and before[1].upper == "DISTINCT" and before[0].upper in {"IS", "NOT"}

    def bracket(self, at: int, scope: frozenset[str], level: _Level) -> int:
        """Walk what is in brackets: a subquery, joins in parentheses, or an expression."""
        end = self.pairs[at]
        round_ = self.tokens[at].text == "("
        query = round_ and self.tokens[at + 1].upper in _STARTS and not self.trims(at)
        inner = _Level(query=query)
        if round_ and level.expects and not query:
            first = next((t for t in self.tokens[at + 1 : end] if t.text != "("), None)
            inner.expects = first is not None and first.upper not in _STARTS and first.kind is not Kind.NUMBER
        level.expects = level.fresh = False
        self.level(at + 1, end, scope, inner)
        return end + 1

    def trims(self, at: int) -> bool:
        """Whether these brackets are those of `trim(FROM x)`."""
        return at > 0 and self.tokens[at - 1].upper == "TRIM"

    def relation(self, at: int, end: int, scope: frozenset[str], level: _Level) -> int:
        """Take the relation that is expected; returns what comes after it."""
        token = self.tokens[at]
        word = token.upper
        if word == "LATERAL" or (token.kind is Kind.MARK and token.text == ":"):
            return at + 1
        level.expects = level.fresh = False
        if token.kind in (Kind.STRING, Kind.JINJA, Kind.NUMBER) or word == "VALUES":
            level.lists = level.lists and word != "VALUES"
            self.found.outside += [_unquoted(token.text)] if token.kind is Kind.STRING else []
            return at + 1
        if token.kind not in (Kind.WORD, Kind.QUOTED) or word in _CLAUSES:
            self.found.sure = False
            return at if word in _CLAUSES else at + 1
        parts, at_end = self.path(at, end)
        after = self.tokens[at_end] if at_end < end else None
        if after and after.text == "(":
            return self.function(at, at_end, parts, scope)
        if after and after.text == ":" and len(parts) == 1:
            level.expects = True  # DuckDB's `FROM alias: relation`
            return at_end + 1
        self.name(parts, at, scope)
        return at_end

    def path(self, at: int, end: int) -> tuple[list[str], int]:
        """A name with dots, and where it ends."""
        parts = [self.tokens[at].name]
        at += 1
        while at + 1 < end and self.tokens[at].text == "." and self.tokens[at + 1].kind in _NAMES:
            parts.append(self.tokens[at + 1].name)
            at += 2
        return parts, at

    def function(self, first: int, at: int, parts: list[str], scope: frozenset[str]) -> int:
        """A table function: no relation itself, but `ref('x')` and `query_table('x')` name some."""
        end = self.pairs[at]
        word = parts[-1].casefold()
        inner = [t for t in self.tokens[at + 1 : end] if t.text not in (",", "[", "]")]
        names = tuple(_unquoted(t.text) for t in inner if t.kind is Kind.STRING)
        if names and len(names) == len(inner):
            if word in _DBT and len(parts) == 1 and len(names) <= 2:
                self.found.calls.append(Call(word, names, first, end))
            elif word == "query_table":
                self.found.reads += [Read(name, first) for name in names]
        if word not in _PURE_FUNCTIONS and not (self.found.calls and self.found.calls[-1].first == first):
            self.found.outside.append(parts[-1])
        self.level(at + 1, end, scope, _Level(query=False))
        return end + 1

    def name(self, parts: list[str], at: int, scope: frozenset[str]) -> None:
        """Note a relation, if the name is that of one."""
        folded = [p.casefold() for p in parts]
        if len(parts) == 1:
            if folded[0] in scope:
                return
            if self.tokens[at].kind is Kind.QUOTED and ("/" in folded[0] or folded[0].endswith(_FILES)):
                self.found.outside.append(parts[0])
                return
        elif _SYSTEM.intersection(folded[:-1]):
            self.found.outside.append(".".join(parts))
            return
        elif self.is_here(folded[:-1]):
            parts = parts[-1:]
        self.found.reads.append(Read(".".join(parts), at))

    def is_here(self, before: list[str]) -> bool:
        """Whether what stands before a relation's name is the destination itself."""
        *database, schema = before
        if not database:
            return schema in (_DEFAULT_SCHEMA, self.database)
        return schema == _DEFAULT_SCHEMA and self.database in ("", database[-1])

    def with_clause(self, at: int, end: int, scope: frozenset[str]) -> tuple[int, frozenset[str]]:
        """Walk the CTEs; returns where the query proper begins and the names that it sees."""
        recursive = at < end and self.tokens[at].upper == "RECURSIVE"
        at += recursive
        while at < end:
            token = self.tokens[at]
            name = (_unquoted(token.text) if token.kind is Kind.STRING else token.name).casefold()
            while at < end and self.tokens[at].upper != "AS":
                at = self.pairs.get(at, at) + 1
            while at < end and self.tokens[at].upper in {"AS", "NOT", "MATERIALIZED"}:
                at += 1
            if at >= end or self.tokens[at].text != "(":
                self.found.sure = False
                return at, scope
            self.bracket(at, scope | {name} if recursive else scope, _Level(query=False))
            scope |= {name}
            at = self.pairs[at] + 1
            if at >= end or self.tokens[at].text != ",":
                return at, scope
            at += 1
        return at, scope


_NAMES = (Kind.WORD, Kind.QUOTED)


def _unquoted(text: str) -> str:
    return text[text.find("'") + 1 : -1].replace("''", "'")
