"""What a metadata format is made of, and how a file is written back as it was read.

A table that was read from a foreign format keeps, in `extra`, the keys that mean nothing here, and,
under `SOURCE`, the name of the format and whatever part of the file our own spelling would not give
again. Writing prefers that part wherever it still says what the table says: a table that did not
change comes back key for key, one that did change keeps everything that the change does not touch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from penstock.errors import ProjectError
from penstock.schema.table import Column, Table

# Any throughout: metadata files hold values of every type.
Raw: TypeAlias = dict[str, Any]
Parts: TypeAlias = tuple[Raw, list[tuple[str, Any]]]
"""A table of a file without its columns, and the columns by the name that they have here."""

SOURCE = "$$source"
DATETIME_FORMAT = "datetime_format"
"""The key of `Column.extra` that tells how dates are written in text, in the words of `strptime`."""


@dataclass(slots=True)
class Notes:
    """What a format cannot say, by the column or key that it is about; each is told once."""

    found: dict[str, list[str]] = field(default_factory=dict)

    def add(self, what: str, place: str = "") -> None:
        """Note `what` of a column; the places of one note are told together."""
        places = self.found.setdefault(what, [])
        if place and place not in places:
            places.append(place)

    def told(self) -> tuple[str, ...]:
        """The notes as lines: `no place for \\`unique\\`: id, code`."""
        return tuple(
            f"{what}: {', '.join(places)}" if places else what for what, places in self.found.items()
        )


@dataclass(frozen=True, slots=True)
class Written:
    """A metadata file as plain values (or text, where the format is source code), and its notes."""

    document: Any
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Form:
    """How one table is spelt in a format.

    `canonical` spells a table without its extra keys; `split` and `join` take a table of a file
    apart and together; `read` reads what `join` made. `head_keys` and `column_keys` are the keys
    with a meaning here, `type_keys` those of them that say a column's type; `translated` are keys of
    other formats that `canonical` writes in its own words.
    """

    name: str
    canonical: Callable[[Table, Notes], Parts]
    split: Callable[[Mapping[str, Any]], Parts]
    join: Callable[[Raw, list[tuple[str, Any]]], Raw]
    read: Callable[[Raw, str], Table]
    head_keys: frozenset[str]
    column_keys: frozenset[str]
    type_keys: frozenset[str]
    translated: frozenset[str] = frozenset()


def alike(a: Any, b: Any) -> bool:
    """Whether two values are the same in a file: `1` is not `true`, and the order of keys is nothing."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(alike(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(alike, a, b))
    return type(a) is type(b) and (a == b or (a != a and b != b))


def extra_of(value: Table | Column) -> Raw:
    """The keys of a file that mean nothing here."""
    return {k: v for k, v in value.extra.items() if not k.startswith("$$")}


def remember(table: Table, raw: Mapping[str, Any], form: Form) -> Table:
    """`table` with what `form` needs to write `raw` again."""
    raw_head, raw_columns = form.split(raw)
    head, columns = form.canonical(table, Notes())
    unknown = {k: v for k, v in raw_head.items() if k not in form.head_keys}
    source: Raw = {"format": form.name}
    if not alike({**unknown, **head}, raw_head):
        source["head"] = raw_head
    spelt, own = dict(columns), dict(raw_columns)
    kept = []
    for column in table.columns:
        extra, was = extra_of(column), own.get(column.name)
        if isinstance(was, Mapping):
            extra = {**extra, **{k: v for k, v in was.items() if k not in form.column_keys}}
        if was is not None and not _reproduced(spelt[column.name], was, form):
            extra[SOURCE] = {"format": form.name, "column": was}
        kept.append(replace(column, extra=extra) if extra else column)
    extra = {**table.extra, **unknown, SOURCE: source}
    return replace(table, columns=tuple(kept), extra=extra)


def _reproduced(spelt: Any, was: Any, form: Form) -> bool:
    if not isinstance(was, Mapping):
        return alike(spelt, was)
    return alike({**{k: v for k, v in was.items() if k not in form.column_keys}, **spelt}, was)


def write_table(table: Table, form: Form, notes: Notes) -> Raw:
    """One table as `form` spells it. What was read from the same format comes back as it was."""
    own = Notes()
    head, columns = form.canonical(table, own)
    source = table.extra.get(SOURCE)
    if not isinstance(source, Mapping) or source.get("format") != form.name:
        note_foreign(table, form.name, form.translated, notes)
        _add(notes, own)
        return form.join(head, columns)
    unknown = {k: v for k, v in extra_of(table).items() if k not in form.head_keys}
    plain_head = {**unknown, **head}
    plain = [(name, _with_extra(table, name, raw, form)) for name, raw in columns]
    was = [(name, _as_it_was(table, name, form, raw)) for name, raw in plain]
    mixed = _retyped(table, plain_head, was, plain, form)
    whole = dict(source.get("head", plain_head))
    for first, second in ((whole, was), (plain_head, was), (plain_head, mixed)):
        document = form.join(first, second)
        if _says(document, table, form):
            return document
    _add(notes, own)  # the format cannot say all of it
    document = form.join(plain_head, mixed)
    return document if _keys_hold(document, table, form) else form.join(plain_head, plain)


def _keys_hold(document: Raw, table: Table, form: Form) -> bool:
    """Whether a document that cannot say all of a table says its keys at least."""
    told = _told(document, table.name, form)
    return told is not None and (told.primary_key, told.partitions) == (table.primary_key, table.partitions)


def _add(notes: Notes, more: Notes) -> None:
    for what, places in more.found.items():
        for place in places or [""]:
            notes.add(what, place)


def _with_extra(table: Table, name: str, raw: Any, form: Form) -> Any:
    column = table.column(name)
    if column is None or not isinstance(raw, Mapping) or _foreign(column, form):
        return raw
    extra = {k: v for k, v in extra_of(column).items() if k != DATETIME_FORMAT or k not in form.column_keys}
    return {**extra, **raw}


def _foreign(column: Column, form: Form) -> bool:
    source = column.extra.get(SOURCE)
    return isinstance(source, Mapping) and source.get("format") != form.name


def _as_it_was(table: Table, name: str, form: Form, otherwise: Any) -> Any:
    column = table.column(name)
    source = column.extra.get(SOURCE) if column else None
    if isinstance(source, Mapping) and source.get("format") == form.name and "column" in source:
        return source["column"]
    return otherwise


def _retyped(
    table: Table, head: Raw, was: list[tuple[str, Any]], plain: list[tuple[str, Any]], form: Form
) -> list[tuple[str, Any]]:
    """Columns as they were where they say the same; elsewhere spelt anew, but for types that stayed."""
    found: list[tuple[str, Any]] = []
    together = _told(form.join(head, was), table.name, form)
    for (name, old), (_, new) in zip(was, plain, strict=True):
        column = table.column(name)
        among = together or _told(form.join(head, [(name, old)]), table.name, form)
        told = among.column(name) if among is not None else None
        if told is None or column is None:
            found.append((name, new))
        elif _bare(told) == _bare(column):
            found.append((name, old))
        elif told.type == column.type and isinstance(old, Mapping):
            kept = {k: v for k, v in old.items() if k in form.type_keys}
            found.append((name, {**{k: v for k, v in new.items() if k not in form.type_keys}, **kept}))
        else:
            found.append((name, new))
    return found


def _told(document: Raw, name: str, form: Form) -> Table | None:
    """What a document says; None if it says nothing that can be used."""
    try:
        return form.read(document, name)
    except ProjectError:
        return None


def _says(document: Raw, table: Table, form: Form) -> bool:
    """Whether a document says exactly what the table says."""
    told = _told(document, table.name, form)
    return told is not None and _stripped(told) == _stripped(table)


def _stripped(table: Table) -> Table:
    columns = tuple(map(_bare, table.columns))
    return replace(table, columns=columns, description=table.description or None)


def _bare(column: Column) -> Column:
    return replace(column, declared=False, description=column.description or None)


def note_foreign(table: Table, format_: str, translated: frozenset[str], notes: Notes) -> None:
    """Note the keys of another format that this one has no words for, but for `translated`."""
    title = _TITLES.get(format_, format_)
    for key in extra_of(table):
        if key not in translated:
            notes.add(f"{title} has no place for `{key}`", f"the table `{table.name}`")
    for column in table.columns:
        understood = {DATETIME_FORMAT, "type_category", *translated}
        understood |= {key for key, fact in _FACTS.items() if getattr(column, fact) is not None}
        for key in extra_of(column):
            if key == "enum" and any(isinstance(e, Mapping) and len(e) > 1 for e in column.extra[key]):
                notes.add(f"{title} has no place for the labels of `enum`", column.name)
            elif key not in understood:
                notes.add(f"{title} has no place for `{key}`", column.name)


_TITLES = {"penstock": "our own form", "odcs": "ODCS", "json_schema": "JSON Schema"}
_FACTS = {"enum": "enum", "relationships": "foreign_key"}
"""Keys that are kept for what they say besides, and the fact of a column that they are about."""


def mappings(value: Any) -> list[Mapping[str, Any]]:
    """The mappings of what should be a list of them; whatever else is there is left out."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list | tuple) else []


def listed(raw: Mapping[str, Any], key: str, names: Iterable[str]) -> Parts:
    """A table whose columns are a list under `key`, taken apart; `names` are theirs."""
    head = dict(raw)
    columns = raw.get(key)
    head[key] = None
    return head, list(zip(names, columns, strict=False)) if isinstance(columns, Sequence) else []
