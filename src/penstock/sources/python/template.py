"""What a resource says of its tables, before it is known which table and which row it is about."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from penstock.errors import RefusedError
from penstock.schema.hints import Hints
from penstock.schema.inside import gathered
from penstock.schema.table import Table
from penstock.sources.python.columns import MARKS, column, columns_of, merged
from penstock.sources.python.writing import contract, disposition, names, nesting

# Any throughout: a hint is a value of many forms, or a function of a row that gives one


@dataclass(frozen=True, slots=True)
class Template:
    """Hints as the user gave them; None where nothing was said.

    Every field may be a function of a row, as long as `table_name` is one. `columns` are the
    things that were said of columns, oldest first.
    """

    table_name: Any = None
    write: Any = None
    columns: tuple[Any, ...] = ()
    primary_key: Any = None
    merge_key: Any = None
    contract: Any = None
    nesting: Any = None
    max_table_nesting: Any = None
    nested_hints: Any = None
    references: Any = None
    description: Any = None
    table_hints: Mapping[str, Any] | None = None

    def over(self, later: Template) -> Template:
        """These hints with `later` ones on top; an empty value there takes away what was said."""
        changed: dict[str, Any] = {}
        for field in fields(later):
            value = getattr(later, field.name)
            if field.name == "columns":
                if value:
                    cleared = isinstance(value[-1], dict | list) and not value[-1]
                    changed["columns"] = () if cleared else (*self.columns, *value)
            elif value is not None:
                empty = (
                    isinstance(value, str | list | tuple | dict)
                    and not value
                    and field.name not in ("primary_key", "merge_key")
                )
                changed[field.name] = None if empty else value
        return replace(self, **changed)

    @property
    def dynamic(self) -> bool:
        """Whether the table depends on the row."""
        return is_function(self.table_name)

    def static(self) -> Template:
        """These hints without those that depend on a row."""
        kept: dict[str, Any] = {f.name: None for f in fields(self) if is_function(getattr(self, f.name))}
        columns = tuple(c for c in self.columns if not is_function(c))
        return replace(self, **(kept | {"columns": columns}))

    def check(self, where: str) -> None:
        """Look at everything that does not depend on a row. Raises: RefusedError."""
        functions = [f.name for f in fields(self) if is_function(getattr(self, f.name))]
        functions += ["columns"] * any(is_function(c) for c in self.columns)
        if functions and not self.dynamic:
            raise RefusedError(
                f"`{functions[0]}` is a function of the row, but the table's name is not",
                where=where,
                hint="make `table_name` a function too, so that each table has hints of its own",
            )
        if not functions:
            self.hints("table", where)

    def hints(self, table: str, where: str, row: Any = None) -> Hints | None:
        """The hints of a table, with its first row for those that depend on one; None for `skip`."""
        said = self._of_row(row)
        facts: dict[str, dict[str, Any]] = {}
        for layer in said.columns:
            facts = merged(facts, columns_of(layer, where, _keys(row)))
        marks = _marks(said, facts, where)
        made = (column(name, f, where) for name, f in facts.items())
        columns = gathered((c for c in made if c is not None), row)
        declared = Table(
            table,
            columns,
            primary_key=marks["primary_key"],
            description=said.description,
            extra=_extra(said, where),
        )
        written = disposition(said.write, marks, where)
        if written is None:
            return None
        return Hints(
            declared,
            disposition=written,
            contract=contract(said.contract, where),
            nesting=nesting(said.nesting, said.max_table_nesting, where),
        )

    def _of_row(self, row: Any) -> Template:
        def resolved(value: Any) -> Any:
            return value(row) if is_function(value) else value

        values: dict[str, Any] = {
            f.name: resolved(getattr(self, f.name))
            for f in fields(self)
            if f.name not in ("table_name", "columns")
        }
        return Template(columns=tuple(resolved(c) for c in self.columns), **values)


def is_function(value: Any) -> bool:
    """Whether a hint is to be called with the row; classes are schemas, not functions."""
    return callable(value) and not isinstance(value, type)


def _keys(row: Any) -> Collection[str]:
    """The names that a row, or Arrow data, has."""
    if isinstance(row, Mapping):
        return row.keys()
    names_of: list[str] = getattr(getattr(row, "schema", None), "names", [])
    return names_of


def _marks(said: Template, facts: Mapping[str, Mapping[str, Any]], where: str) -> dict[str, Any]:
    """What concerns the table as a whole; what was said of the table wins over its columns."""
    marked = {m: tuple(n for n, f in facts.items() if f.get(m)) for m in MARKS}
    sort = marked["dedup_sort"][0] if marked["dedup_sort"] else None
    for key in ("primary_key", "merge_key"):
        value = getattr(said, key)
        if value is not None:
            marked[key] = names(value, key, where)
    return {
        "primary_key": marked["primary_key"],
        "merge_key": marked["merge_key"],
        "hard_delete": marked["hard_delete"][0] if marked["hard_delete"] else None,
        "dedup_sort": sort,
        "dedup_order": facts[sort]["dedup_sort"] if sort else None,
    }


def _extra(said: Template, where: str) -> dict[str, Any]:
    """What is kept beside the table's definition: references, hints of child tables, further keys."""
    extra: dict[str, Any] = dict(said.table_hints or {})
    if said.references:
        extra["references"] = [_reference(r, where) for r in said.references]
    if said.nested_hints:
        extra["nested_hints"] = {_path(k): _child(k, v, where) for k, v in said.nested_hints.items()}
    return extra


def _reference(said: Any, where: str) -> dict[str, Any]:
    found = dict(said) if isinstance(said, Mapping) else {}
    columns, theirs = names(found.get("columns")), names(found.get("referenced_columns"))
    if not found.get("referenced_table") or not columns or len(columns) != len(theirs):
        raise RefusedError(
            "a reference does not say which columns refer to which",
            where=where,
            found=repr(said),
            expected='{"columns": […], "referenced_table": …, "referenced_columns": […]}, as many of each',
        )
    return {**found, "columns": list(columns), "referenced_columns": list(theirs)}


def _path(said: str | tuple[str, ...]) -> str:
    return said if isinstance(said, str) else "__".join(said)


def _child(path: Any, said: Any, where: str) -> dict[str, Any]:
    """The hints of a child table as plain values."""
    import json

    from penstock.schema.hints import hints_to_json

    template = said if isinstance(said, Template) else from_words(said, f"{where}, nested `{_path(path)}`")
    hints = template.hints(_path(path), where)
    plain: dict[str, Any] = json.loads(hints_to_json(hints)) if hints is not None else {"skip": True}
    if template.write is None and not template.primary_key and not template.merge_key:
        plain.pop("disposition", None)
    return plain


_TWINS = {
    "write_disposition": "write",
    "schema_contract": "contract",
    "additional_table_hints": "table_hints",
}
_WITHOUT_MEANING = ("table_format", "file_format", "parent_table_name")


def from_words(said: Mapping[str, Any], where: str) -> Template:
    """The template that keyword arguments make, under our names or dlt's.

    Raises: RefusedError for a hint that has no meaning here, and for one that is said twice.
    """
    known = {f.name for f in fields(Template)}
    values: dict[str, Any] = {}
    for word, value in said.items():
        name = _TWINS.get(word, word)
        if value is None:
            continue
        if name in _WITHOUT_MEANING:
            raise RefusedError(
                f"`{name}` has no meaning here",
                where=where,
                found=repr(value),
                hint="the destination decides how tables are stored, and parents come from nested data",
            )
        if name not in known or name in values:
            twice = name in values
            raise RefusedError(
                f"`{name}` is said twice" if twice else f"`{word}` is no hint",
                where=where,
                hint=f"keep one of `{word}` and `{name}`" if twice else None,
                expected=None if twice else ", ".join(sorted(known)),
            )
        values[name] = (value,) if name == "columns" else value
    return Template(**values)
