"""Metadata files of the command line: which tables an argument means, and where an answer goes."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.cli.opening import opened
from penstock.cli.terminal import Terminal
from penstock.errors import NotFoundError, ProjectError, UsageError, suggest
from penstock.project.metadata import read_document
from penstock.schema.formats.form import Written
from penstock.schema.metadata import FORMATS, Reading, read_metadata, read_model, read_tables
from penstock.schema.table import Table

if TYPE_CHECKING:
    from penstock.app.session import Session

_MANY = ("odcs", "odcs-3.0", "odcs-3.1", "odcs-3.2", "pydantic", "dlt")
_ALIASES = {"penstock": "own", "yaml": "own", "mojap-metadata": "mojap", "jsonschema": "json_schema"}


def format_of(word: str) -> str:
    """A format that can be written. Raises: UsageError with the words that there are."""
    word = _ALIASES.get(word, word)
    if word not in FORMATS:
        hint = suggest(word, FORMATS)
        raise UsageError(f"`{word}` is no format of metadata", expected=", ".join(FORMATS), hint=hint)
    return word


def holds_many(format_: str) -> bool:
    """Whether a file of a format holds several tables."""
    return format_ in _MANY


def put(terminal: Terminal, format_: str, tables: list[str], written: Written, output: Path | None) -> None:
    """Print a metadata file or write it to `output`, and tell what it cannot say."""
    from penstock.report.text import faint, good, line

    text = text_of(written.document, format_)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, "utf-8")
    notes = list(written.notes)
    document = {"format": format_, "tables": tables, "document": written.document, "notes": notes}
    if terminal.json:
        terminal.answer(lambda: document | ({"file": str(output)} if output else {}), list)
        return
    if output is None:
        terminal.out_text(terminal.redact(text))
    else:
        terminal.answer(lambda: document, lambda: [line(good(f"wrote {output.as_posix()}"))])
    terminal.say([line(faint("note: "), note) for note in notes])


def text_of(document: Any, format_: str) -> str:  # Any: the plain values of a metadata file
    """A metadata file as text: source code, YAML or JSON, as the format is usually kept."""
    if isinstance(document, str):
        return document
    if format_ in ("etl_manager", "mojap", "json_schema"):
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    yaml.width = 100
    yaml.indent(mapping=2, sequence=4, offset=2)
    out = StringIO()
    yaml.dump(document, out)
    return out.getvalue()


def read_source(source: str, table: str | None) -> tuple[Reading, list[Table]]:
    """Everything that a metadata file or a pydantic model describes; only `table` of it if given.

    Raises: NotFoundError; ProjectError telling everything that is wrong with the file.
    """
    path, _, part = source.partition("#")
    file = Path(path)
    if ":" in path and not file.is_file():
        reading = _model(path)
    elif file.is_file():
        raw, locate = read_document(path, _text(file))
        reading = read_tables(raw, name=_stem(file), where=path, locate=locate)
        if part or (table is not None and len(reading.tables) > 1):
            wanted = part or table or ""
            found = read_metadata(raw, name=wanted, where=path, locate=locate, part=wanted)
            return reading, [found if table is None else replace(found, name=table)]
    else:
        raise NotFoundError("there is no such file", where=path, expected="a metadata file in YAML or JSON")
    if table is not None and len(reading.tables) == 1:
        return reading, [replace(reading.tables[0], name=table)]
    return reading, list(reading.tables)


def _stem(file: Path) -> str:
    return file.name.partition(".")[0] or file.name


def _model(reference: str) -> Reading:
    from penstock.app.references import look_up
    from penstock.schema.formats.pydantic_read import is_model

    model = look_up(reference, Path.cwd(), reference)
    if not is_model(model):
        raise ProjectError("this is no pydantic model", where=reference, found=type(model).__name__)
    return read_model(model, name=model.__name__, where=reference)


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except UnicodeDecodeError:
        raise ProjectError("this is not UTF-8 text", where=str(file)) from None


@dataclass(frozen=True, slots=True)
class Side:
    """One of two tables that are compared, and its name for people."""

    name: str
    table: Table


@dataclass(slots=True)
class Pair:
    """Finds the two sides of a comparison; the project is opened only if one of them needs it."""

    terminal: Terminal
    project: Path | None
    environment: str | None
    stack: ExitStack = field(default_factory=ExitStack)
    session: Session | None = None

    def __enter__(self) -> Pair:
        return self

    def __exit__(self, *error: object) -> None:
        self.stack.close()

    def side(self, said: str) -> Side:
        """The table that an argument means. Raises: NotFoundError; UsageError; ProjectError."""
        path = said.partition("#")[0]
        if Path(path).is_file() or (":" in path and "/" not in path) or "#" in said:
            _, tables = read_source(said, None)
            if len(tables) != 1:
                names = ", ".join(t.name for t in tables)
                raise UsageError(
                    "which table of the file is not said", where=said, found=names, hint=f"{said}#TABLE"
                )
            return Side(said, tables[0])
        table, _, version = said.partition("@")
        if not version or version == "declared":
            return Side(f"{table} as declared", self._open().declared(table))
        versions = self._open().versions(table)
        if version == "stored":
            return Side(f"{table} as stored, version {versions[-1].version}", versions[-1].table)
        for one in versions:
            if str(one.version) == version:
                return Side(f"{table}, version {version}", one.table)
        raise NotFoundError(
            f"`{table}` has no version `{version}`",
            expected=", ".join(str(v.version) for v in versions),
            hint=f"`penstock schema history {table}` lists them",
        )

    def _open(self) -> Session:
        if self.session is None:
            self.session = self.stack.enter_context(opened(self.terminal, self.project, self.environment))
        return self.session
