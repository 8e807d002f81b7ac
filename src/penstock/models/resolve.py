"""The columns of one query and what each is made of, told from sqlglot's tree of it in one walk.

Imported when lineage is asked for and never before: sqlglot is slow to load. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from sqlglot import exp, parse_one
from sqlglot.errors import ErrorLevel, SqlglotError

from penstock.models.lineage import NOTHING, Origins, Shape, base
from penstock.models.scope import Frame, Node, Source

_LEFT_ALONE = frozenset({"SEMI", "ANTI"})


def columns_of(sql: str, dialect: str, relations: Mapping[str, Shape]) -> Shape | None:
    """The shape of a query's result; None if sqlglot cannot follow it. `relations` by folded name."""
    try:
        return _Resolver(dialect, relations).query(parse_one(sql, dialect=dialect), {}, None)
    except (SqlglotError, RecursionError):  # a syntax of the engine's own, or one nested beyond measure
        return None


class _Resolver:
    def __init__(self, dialect: str, relations: Mapping[str, Shape]) -> None:
        self.dialect, self.relations = dialect, relations

    def query(self, node: Node, ctes: Mapping[str, Shape], outer: Frame | None) -> Shape:
        """The shape of any kind of query."""
        ctes = self.with_clause(node, ctes, outer)
        if isinstance(node, exp.SetOperation):
            return self.set_operation(node, ctes, outer)
        if isinstance(node, exp.Select):
            return self.select(node, Frame(ctes, outer))
        frame = Frame(ctes, outer)
        shape = Shape()
        for source in self.relation(node, frame):
            for name, origins in source.shape.columns.values():
                shape.add(name, origins)
            shape.open, shape.rest = shape.open + source.shape.open, source.shape.rest
        return shape

    def with_clause(self, node: Node, ctes: Mapping[str, Shape], outer: Frame | None) -> Mapping[str, Shape]:
        clause = _clause(node, "with")
        if clause is None:
            return ctes
        found = dict(ctes)
        for cte in clause.expressions:
            names, body, alias = cte.alias_column_names, cte.this, cte.alias.casefold()
            if clause.args.get("recursive") and isinstance(body, exp.SetOperation):
                shape = self.query(body.this, found, outer).renamed(names)
                for _ in range(2):  # what a column is made of in the second round may come from another
                    shape = self.query(body, {**found, alias: shape}, outer).renamed(names)
            else:
                shape = self.query(body, found, outer).renamed(names)
            found[alias] = shape
        return found

    def set_operation(self, node: exp.SetOperation, ctes: Mapping[str, Shape], outer: Frame | None) -> Shape:
        """UNION takes from each side; EXCEPT and INTERSECT take from the first."""
        rights: list[exp.SetOperation] = []
        left: Node = node
        while isinstance(left, exp.SetOperation) and (left is node or not _clause(left, "with")):
            rights.append(left)
            left = left.this
        found = self.query(left, ctes, outer)
        for each in reversed(rights):
            if not isinstance(each, exp.Union):
                continue
            right = self.query(each.expression, ctes, outer)
            found = _by_name(found, right) if each.args.get("by_name") else _by_place(found, right)
        return found

    def select(self, node: exp.Select, frame: Frame) -> Shape:
        """The shape of a SELECT, whose CTEs the frame has."""
        if from_ := _clause(node, "from"):
            frame.sources += self.relation(from_.this, frame)
        for join in node.args.get("joins") or ():
            self.join(join, frame)
        for lateral in node.args.get("laterals") or ():
            frame.sources += self.relation(lateral, frame)
        frame.windows = {w.name.casefold(): w for w in node.args.get("windows") or ()}
        shape = Shape()
        for projection in node.expressions:
            for name, origins in self.projection(projection, frame, shape):
                shape.add(name, origins)
                frame.named.setdefault(name.casefold(), origins)
        return shape

    def join(self, join: exp.Join, frame: Frame) -> None:
        """Add the relations of a join, and merge the columns that both sides have by USING or NATURAL."""
        before = list(frame.sources)
        fresh = self.relation(join.this, frame)
        names = [i.name for i in join.args.get("using") or ()]
        if (join.method or "").upper() == "NATURAL" and fresh:
            names = [n for n, _ in fresh[0].shape.columns.values() if any(s.shape.has(n) for s in before)]
        merged = {name.casefold(): self.merge(name, join.side, fresh, frame) for name in names}
        hidden = join.kind.upper() in _LEFT_ALONE
        frame.sources += [replace(s, merged=frozenset(merged), hidden=hidden or s.hidden) for s in fresh]
        frame.merged |= merged

    def merge(self, name: str, side: str, fresh: Sequence[Source], frame: Frame) -> Origins:
        left = frame.bare(name)
        right = next((o for s in fresh if (o := s.shape.origins(name)) is not None), NOTHING)
        if side.upper() == "FULL":
            return left | right
        return right if side.upper() == "RIGHT" else left

    # ------------------------------------------------------------------------------- relations

    def relation(self, node: Node, frame: Frame) -> list[Source]:
        """What stands in a FROM: a relation, a subquery, a function, or joins in parentheses."""
        alias, names = node.alias_or_name.casefold(), getattr(node, "alias_column_names", [])
        if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Table):
            inner = Frame(frame.ctes, frame, self.relation(node.this, frame))
            for join in node.args.get("joins") or ():
                self.join(join, inner)
            return [replace(s, alias=alias or s.alias) for s in inner.sources]
        if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
            shape = self.table(node, frame)
        elif isinstance(node, exp.Subquery | exp.Query) and not isinstance(node, exp.Table):
            body = node.this if isinstance(node, exp.Subquery) else node
            ctes = self.with_clause(node, frame.ctes, frame) if body is not node else frame.ctes
            shape = self.query(body, ctes, frame)
        elif isinstance(node, exp.Lateral) and isinstance(node.this, exp.Subquery | exp.Query):
            shape = self.relation(node.this, frame)[0].shape
        elif isinstance(node, exp.Pivot):
            shape = self.relation(node.this, frame)[0].shape
            shape = self.pivot(node, shape, frame)
        elif isinstance(node, exp.Values):
            width = len(node.expressions[0].expressions) if node.expressions else 0
            shape = Shape({f"col{i}": (f"col{i}", NOTHING) for i in range(width)})
        else:
            shape = self.named_by_text(node) or Shape(rest=self.origins(node, frame))
        for pivot in node.args.get("pivots") or ():
            shape = self.pivot(pivot, shape, frame)
            alias, names = pivot.alias.casefold() or alias, pivot.alias_column_names or names
        inner = Frame(frame.ctes, frame.outer, [Source(alias, shape.renamed(names))])
        for join in node.args.get("joins") or ():
            self.join(join, inner)
        return inner.sources

    def table(self, node: exp.Table, frame: Frame) -> Shape:
        """A relation by name: a CTE, or what the warehouse calls so."""
        schema = node.db.casefold()
        if not schema and (cte := frame.ctes.get(node.name.casefold())):
            return cte
        whole = node.name if schema in ("", "main") else f"{node.db}.{node.name}"
        for name in (whole, node.name):
            if known := self.relations.get(name.casefold()):
                return known
        return base(whole, ())

    def named_by_text(self, node: Node) -> Shape | None:
        """The relation that `query_table('x')` is."""
        call = node.this if isinstance(node, exp.Table) else None
        if not isinstance(call, exp.Anonymous) or call.name.casefold() != "query_table":
            return None
        if len(call.expressions) != 1 or not call.expressions[0].is_string:
            return None
        name = call.expressions[0].name
        return self.relations.get(name.casefold()) or base(name, ())

    def pivot(self, node: exp.Pivot, shape: Shape, frame: Frame) -> Shape:
        """PIVOT makes columns of values, UNPIVOT values of columns."""
        inner = Frame(frame.ctes, frame.outer, [Source("", shape)])
        if node.args.get("unpivot"):
            return self.unpivot(node, shape, inner)
        using = node.args.get("using") or node.expressions
        made = NOTHING.union(*(self.origins(e, inner) for e in using if e is not True))
        spread = [*(f.this for f in node.args.get("fields") or ())]
        spread += node.expressions if node.args.get("using") else []
        used = {c.name.casefold() for part in (*using, *spread) for c in part.find_all(exp.Column)}
        group = node.args.get("group")
        kept = [c.name for e in group.expressions for c in e.find_all(exp.Column)] if group else None
        found = Shape(open=shape.open)
        for key, (name, origins) in shape.columns.items():
            if key not in used and (kept is None or name.casefold() in {k.casefold() for k in kept}):
                found.add(name, origins)
        for column in node.args.get("columns") or ():
            found.add(column.name, made)
        if not node.args.get("columns"):
            found.rest, found.open = made, ()
        return found

    def unpivot(self, node: exp.Pivot, shape: Shape, inner: Frame) -> Shape:
        fields = node.args.get("fields") or ()
        into = node.args.get("into")
        sides = [e for f in fields for e in f.expressions] or node.expressions
        taken = {c.name.casefold(): self.origins(c, inner) for e in sides for c in e.find_all(exp.Column)}
        found = Shape(open=shape.open)
        for key, (name, origins) in shape.columns.items():
            if key not in taken:
                found.add(name, origins)
        labels = [into.this.name] if into else [f.this.name for f in fields]
        values = [e.name for e in (into.expressions if into else node.expressions)]
        for label in labels or ["name"]:
            found.add(label, NOTHING)
        for value in values or ["value"]:
            found.add(value, NOTHING.union(*taken.values()))
        return found

    # ----------------------------------------------------------------------------- expressions

    def projection(self, node: Node, frame: Frame, so_far: Shape) -> Iterator[tuple[str, Origins]]:
        """The columns that one item of a SELECT gives: many for a star."""
        if isinstance(node, exp.Star):
            yield from self.star(node, [s for s in frame.sources if not s.hidden], frame, so_far)
        elif isinstance(node, exp.Column) and isinstance(node.this, exp.Star):
            source = frame.source(node.table)
            yield from self.star(node.this, [source] if source else [], frame, so_far)
        elif columns := node.find(exp.Columns):
            yield from self.dynamic(node, columns, frame, so_far)
        elif isinstance(node, exp.Aliases):
            yield from ((str(name), self.origins(node.this, frame)) for name in node.aliases)
        else:
            yield self.called(node), self.origins(node, frame)

    def star(
        self, star: Node, sources: Sequence[Source], frame: Frame, so_far: Shape
    ) -> Iterator[tuple[str, Origins]]:
        """`*` and `x.*`, with EXCLUDE, REPLACE and RENAME. Notes in `so_far` what the star leaves open."""
        args = star.args
        left_out = {e.name.casefold() for e in _clause(star, "except") or ()}
        swapped = {e.alias.casefold(): e.this for e in args.get("replace") or ()}
        called = {e.this.name.casefold(): e.alias for e in args.get("rename") or ()}
        single = len(sources) == 1 and frame.sources != list(sources)
        for source in sources:
            for key, (name, origins) in source.shape.columns.items():
                if key in left_out or (key in source.merged and not single):
                    continue
                if key in swapped:
                    origins = self.origins(swapped[key], frame)
                elif key in frame.merged and not single:
                    origins = frame.merged[key]
                yield called.get(key, name), origins
            so_far.open += source.shape.open
            if source.shape.rest is not None:
                so_far.rest = (so_far.rest or NOTHING) | source.shape.rest

    def dynamic(
        self, node: Node, columns: exp.Columns, frame: Frame, so_far: Shape
    ) -> Iterator[tuple[str, Origins]]:
        """`COLUMNS(…)` of DuckDB: the expression once for each column that is meant."""
        star = columns.find(exp.Star) or exp.Star()
        matches = _pattern(columns.this) if columns.this.is_string else None
        sources = [s for s in frame.sources if not s.hidden]
        around = self.origins(node, frame)
        for name, origins in self.star(star, sources, frame, so_far):
            if matches is None or matches(name):
                yield name, origins | around

    def origins(self, node: Node, frame: Frame) -> Origins:
        """The columns that a value is made of."""
        found: Origins = NOTHING
        todo: list[Node] = [node]
        while todo:
            each = todo.pop()
            if isinstance(each, exp.Column):
                if not isinstance(each.this, exp.Star):
                    found |= frame.column([part.name for part in each.parts])
            elif isinstance(each, exp.Query):
                found |= self.query(each, frame.ctes, frame).whole
            elif isinstance(each, exp.Exists) and isinstance(each.this, exp.Query):
                continue  # whether there are rows, not what is in them
            elif isinstance(each, exp.Comprehension):
                found |= self.comprehension(each, frame)
            elif not isinstance(each, exp.Columns):
                todo += each.iter_expressions()
                if isinstance(each, exp.Window) and each.alias.casefold() in frame.windows:
                    todo.append(frame.windows[each.alias.casefold()])
        return found

    def comprehension(self, node: exp.Comprehension, frame: Frame) -> Origins:
        """`[x + 1 for x in xs if x]`: the name that it binds is no column."""
        names = {i.name.casefold() for i in node.expression.find_all(exp.Identifier)}
        inner = replace(frame, bound=frame.bound | names)
        parts = (node.this, node.args.get("iterator"), node.args.get("condition"))
        return NOTHING.union(*(self.origins(p, inner) for p in parts if p is not None))

    def called(self, node: Node) -> str:
        """What the engine calls a column; near enough where it has no name and the engine shows its text."""
        while isinstance(node, exp.Paren):
            node = node.this
        if isinstance(node, exp.Alias):
            return str(node.alias)
        if isinstance(node, exp.Column):
            return str(node.name)
        if isinstance(node, exp.Dot):
            return str(node.expression.name)
        if isinstance(node, exp.Count) and isinstance(node.this, exp.Star):
            return "count_star()"
        told = {"normalize_functions": "lower", "comments": False, "unsupported_level": ErrorLevel.IGNORE}
        return str(node.sql(dialect=self.dialect, **told))


def _clause(node: Node, name: str) -> Node:
    """A part of a node that is called as a word of Python: later releases of sqlglot add an underscore."""
    return node.args.get(f"{name}_") or node.args.get(name)


def _by_place(left: Shape, right: Shape) -> Shape:
    """UNION: columns are told by their place, and called as in the first query."""
    found = Shape(open=left.open + right.open, rest=left.rest)
    others = [origins for _, origins in right.columns.values()]
    for at, (name, origins) in enumerate(left.columns.values()):
        found.add(name, origins | others[at] if at < len(others) else origins)
    return found


def _by_name(left: Shape, right: Shape) -> Shape:
    """UNION BY NAME: columns of one name are one."""
    found = Shape(dict(left.columns), left.open + right.open, left.rest)
    for key, (name, origins) in right.columns.items():
        before = found.columns.get(key, (name, NOTHING))
        found.columns[key] = (before[0], before[1] | origins)
    return found


def _pattern(literal: Node) -> Callable[[str], bool]:
    """Whether a column's name is meant by the pattern of `COLUMNS('…')`."""
    try:
        pattern = re.compile(literal.name)
    except re.error:  # the engine's patterns are near to Python's, and not the same
        return frozenset[str]().__contains__
    return lambda name: bool(pattern.search(name))
