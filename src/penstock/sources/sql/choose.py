"""Which tables to read and how: the project's words against what the database has. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from penstock.errors import NotFoundError, RefusedError, suggest
from penstock.project.sql import SqlDatabaseSpec, SqlTableSpec
from penstock.schema.disposition import Disposition, WriteMode
from penstock.schema.faults import either
from penstock.schema.hints import Hints
from penstock.schema.table import Column, Table
from penstock.schema.types import parse_type
from penstock.sources.sql.relation import Found, How, Relation, Server

_WILD = "*?["


@dataclass(frozen=True, slots=True)
class Job:
    """One table to read: under which name it lands, what of it, and as what."""

    name: str
    relation: Relation
    spec: SqlTableSpec
    hints: Hints

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that tell rows apart; empty if none do."""
        return self.hints.declared.primary_key

    @property
    def by_position(self) -> bool:
        """Whether a killed run can go on behind the key of the last row that was landed."""
        assert self.hints.disposition is not None
        if self.hints.disposition.mode is WriteMode.REPLACE or self.spec.incremental or self.spec.query:
            return False
        known = (self.relation.field(name) for name in self.relation.primary_key)
        return bool(self.relation.primary_key) and all(f is not None and not f.nullable for f in known)

    @property
    def is_whole(self) -> bool:
        """Whether what is read takes the place of all that was there."""
        return self.hints.disposition is not None and self.hints.disposition.mode is WriteMode.REPLACE


def choose(spec: SqlDatabaseSpec, server: Server) -> list[Job]:
    """What to read, tables that can be read in parts first.

    Raises: NotFoundError for a table that is not there; RefusedError for two of one name.
    """
    queries = {name: said for name, said in spec.tables.items() if said.query is not None}
    named = {name: said for name, said in spec.tables.items() if said.query is None}
    picked: dict[str, tuple[Relation, SqlTableSpec]] = {}
    if named or not spec.tables:
        found = server.relations(_schemas(spec))
        for name, relation, said in _picked(spec, named, found):
            if name in picked and picked[name][0] != relation:
                raise _twins(name, picked[name][0], relation)
            picked.setdefault(name, (relation, said))
    for name, said in queries.items():
        assert said.query is not None
        picked[name] = (server.describe(name, said.query.strip().rstrip(";")), said)
    jobs = [_job(name, relation, said, server) for name, (relation, said) in picked.items()]
    return sorted(jobs, key=lambda job: job.is_whole)


def _schemas(spec: SqlDatabaseSpec) -> tuple[str, ...]:
    """The schemas to look in, those that single tables name among them."""
    names = [said.table or name for name, said in spec.tables.items()]
    named = [n.rpartition(".")[0] for n in names if "." in n]
    return tuple(dict.fromkeys((*spec.schemas, *(("",) if named and not spec.schemas else ()), *named)))


def _picked(
    spec: SqlDatabaseSpec, named: dict[str, SqlTableSpec], found: Found
) -> Iterable[tuple[str, Relation, SqlTableSpec]]:
    """Relations in the order of the database, each with the first words that mean it; names before globs."""
    ways = sorted((named or {"*": SqlTableSpec()}).items(), key=lambda way: _is_glob(way[0]))
    used = set()
    for relation in found.relations:
        for name, said in ways:
            pattern = said.table or name
            exact = not _is_glob(pattern)
            if not _means(pattern, relation, found.current, spec.schemas):
                continue
            if not exact and (relation.is_view and not spec.include_views):
                continue
            if any(_means(glob, relation, found.current, spec.schemas) for glob in spec.exclude):
                used.add(name)
                break
            used.add(name)
            yield (name if said.table else relation.name), relation, said
            if not said.table:
                break
    missing = [said.table or name for name, said in ways if name not in used and named]
    if missing:
        known = [r.name for r in found.relations]
        raise NotFoundError(
            f"the database has no table `{missing[0]}`",
            expected=either(known[:12]) or "a table, but it has none that can be seen",
            hint=suggest(missing[0], known)
            or ("views count for a glob with `include_views: true`" if _is_glob(missing[0]) else None),
        )


def _is_glob(name: str) -> bool:
    return any(mark in name for mark in _WILD)


def _means(pattern: str, relation: Relation, current: str, schemas: Sequence[str]) -> bool:
    full = f"{relation.schema}.{relation.name}"
    if pattern == full or fnmatchcase(full, pattern):
        return True
    is_near = relation.schema in (schemas or (current,))
    return is_near and (pattern == relation.name or fnmatchcase(relation.name, pattern))


def _twins(name: str, one: Relation, other: Relation) -> RefusedError:
    return RefusedError(
        f"two tables are called `{name}`",
        found=f"`{one.schema}.{one.name}` and `{other.schema}.{other.name}`",
        hint=f"give one of them another name: `tables: {{{other.schema}_{name}: "
        f"{{table: {other.schema}.{name}}}}}`",
    )


# --------------------------------------------------------------------------------------- one table


def _job(name: str, relation: Relation, said: SqlTableSpec, server: Server) -> Job:
    relation = _narrowed(name, relation, said)
    fields = []
    for field in relation.fields:
        text = said.types.get(field.name)
        fields.append(server.read_as(field, parse_type(text)) if text else field)
    relation = replace(relation, fields=tuple(fields))
    return Job(name, relation, said, _hints(name, relation, said))


def _narrowed(name: str, relation: Relation, said: SqlTableSpec) -> Relation:
    names = [f.name for f in relation.fields]
    cursor = (said.incremental.cursor,) if said.incremental else ()
    for wanted in (*said.columns, *said.exclude_columns, *said.types, *said.primary_key, *cursor):
        if not any(fnmatchcase(column, wanted) for column in names):
            raise NotFoundError(
                f"`{name}` has no column `{wanted}`", expected=either(names), hint=suggest(wanted, names)
            )
    kept = [
        f
        for f in relation.fields
        if (not said.columns or any(fnmatchcase(f.name, glob) for glob in said.columns))
        and not any(fnmatchcase(f.name, glob) for glob in said.exclude_columns)
    ]
    left = {f.name for f in kept}
    needed = [n for n in (*said.primary_key, *cursor) if n not in left]
    if needed or not kept:
        raise RefusedError(
            f"`{name}` needs the column `{needed[0]}`, and it is left out"
            if needed
            else f"no column of `{name}` is left",
            where="`columns` and `exclude_columns` of its source",
            expected=either(names),
        )
    key = relation.primary_key if set(relation.primary_key) <= left else ()
    references = tuple(r for r in relation.references if set(r.columns) <= left)
    return replace(relation, fields=tuple(kept), primary_key=key, references=references)


def _hints(name: str, relation: Relation, said: SqlTableSpec) -> Hints:
    key = said.primary_key or relation.primary_key
    columns = tuple(
        Column(f.name, f.kind, f.nullable, f.comment, declared=f.how is not How.SEEN) for f in relation.fields
    )
    mode = WriteMode(said.write or (("merge" if key else "append") if said.incremental else "replace"))
    if mode is WriteMode.MERGE and not key:
        raise RefusedError(
            f"`{name}` is merged, but nothing tells one row from another",
            expected="a primary key in the database, or `primary_key` in the source",
        )
    extra = {"references": [r.remark for r in relation.references]} if relation.references else {}
    declared = Table(name, columns, primary_key=key, description=relation.comment, extra=extra)
    return Hints(declared, disposition=Disposition(mode, key))
