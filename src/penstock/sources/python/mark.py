"""What a resource may say of a single item that it yields: its table, its hints, that it is a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.errors import RefusedError
from penstock.sources.python.template import Template, from_words

# Any throughout: items and hints have many forms

FORMATS = ("parquet", "jsonl", "csv")
_COMPRESSED = (".gz", ".zst", ".bz2", ".xz")


@dataclass(frozen=True, slots=True)
class Mark:
    """What is said of an item: the table it goes to, or hints for its table."""

    table: str | None = None
    hints: Template | None = None
    variant: bool = False


@dataclass(frozen=True, slots=True)
class Marked:
    """An item and what is said of it."""

    item: Any
    mark: Mark


@dataclass(frozen=True, slots=True)
class FileImport:
    """A file that is taken as it is."""

    path: Path
    rows: int | None = None


class Whole:
    """Everything that was yielded so far is whole: it may be landed, with the state as it is now."""


def with_table_name(item: Any, table_name: str) -> Marked:
    """An item (a row, a page, a table) that goes to another table than its resource's."""
    return Marked(item, Mark(table=table_name))


def with_hints(item: Any, hints: Template, create_table_variant: bool = False) -> Marked:
    """An item that changes the hints of its resource from here on; None as item changes only those.

    With `create_table_variant` the hints are those of their `table_name` alone, and the item goes
    there. Raises: RefusedError for a variant without a name.
    """
    name = hints.table_name if isinstance(hints.table_name, str) else None
    if create_table_variant and name is None:
        raise RefusedError(
            "hints for a variant name no table",
            hint='such as mark.make_hints(table_name="events_login", …)',
        )
    return Marked(item, Mark(name if create_table_variant else None, hints, create_table_variant))


def make_hints(**hints: Any) -> Template:
    """Hints for `with_hints`, by the same words as those of `resource`. Raises: RefusedError."""
    return from_words(hints, "make_hints")


def make_nested_hints(**hints: Any) -> Template:
    """Hints of a child table, for `nested_hints`. Raises: RefusedError."""
    return from_words(hints, "make_nested_hints")


def with_file_import(
    file_path: str | Path,
    file_format: str | None = None,
    items_count: int | None = None,
    hints: Template | None = None,
) -> Marked:
    """A file that is taken as it is, without reading it here. Its extension says its format.

    Raises: RefusedError for a format that is not known or is not that of the extension.
    """
    path = Path(file_path)
    suffixes = [s for s in path.suffixes if s not in _COMPRESSED]
    found = suffixes[-1][1:] if suffixes else ""
    if found not in FORMATS or (file_format is not None and file_format != found):
        raise RefusedError(
            "the file's extension does not say its format" if found not in FORMATS else "the formats differ",
            where=str(path),
            found=f"format {file_format!r}" if file_format else None,
            expected=", ".join(f".{f}" for f in FORMATS),
            hint="give the file the extension of what it holds",
        )
    return Marked(FileImport(path, items_count or None), Mark(hints=hints))


def checkpoint() -> Whole:
    """Yield this to say that everything so far is whole and may be landed with the state of now."""
    return Whole()
