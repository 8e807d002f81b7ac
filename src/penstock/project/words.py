"""The rules that single values of a project file obey. Each returns its value or refuses it."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable

from pydantic_core import PydanticCustomError

from penstock.errors import suggest
from penstock.registry import STORES

RESERVED = "_penstock"
NAME = re.compile(r"[^\W_]([\w. -]*[\w.-])?")
_SEGMENT = re.compile(r"[^\W_][\w.=%-]*")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_MEMORY = re.compile(r"\d+(\.\d+)?\s*([KMGT]i?B|%)", re.IGNORECASE)
_CRON_FIELD = re.compile(r"[\dA-Za-z*?/,#-]+")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"[1-9]\d*[smhdw]", re.ASCII)
NAMINGS = ("direct", "snake_case", "sql_ci")
_CRON_WORDS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")


def refuse(
    message: str,
    *,
    expected: str | None = None,
    hint: str | None = None,
    at: tuple[str | int, ...] = (),
) -> PydanticCustomError:
    """An error for a validator to raise; `at` leads from the value judged to the part at fault."""
    facts = {"message": message, "expected": expected, "hint": hint, "at": at}
    return PydanticCustomError("refused", "{message}", {k: v for k, v in facts.items() if v})


def name(value: str) -> str:
    """The name of a project or a pipeline."""
    if not NAME.fullmatch(value):
        raise refuse(
            f"{value!r} cannot be a name",
            expected="letters, digits, `_`, `-` and `.`, a letter or digit first",
        )
    return value


def table(value: str) -> str:
    """The name of a table."""
    if not value.strip() or value.casefold().startswith(RESERVED):
        raise refuse(
            f"{value!r} cannot name a table", expected=f"a name that does not begin with {RESERVED!r}"
        )
    return value


def dataset(value: str | None) -> str | None:
    """The folder of a pipeline in every layer."""
    if value is not None and not all(_SEGMENT.fullmatch(part) for part in value.split("/")):
        raise refuse(
            f"{value!r} cannot be a dataset",
            expected="folder names parted by `/`, of letters, digits, `_`, `-` and `.`",
            hint="it is the same folder below every layer, such as `open_data/postcodes`",
        )
    return value


def place(value: str) -> str:
    """A folder, or the URL of an object store."""
    if not value.strip():
        raise refuse("an empty path leads nowhere", expected="a folder or a URL")
    scheme = _SCHEME.match(value)
    if scheme and scheme[1].lower() not in STORES:
        known = [f"{s}://" for s in STORES]
        raise refuse(
            f"'{scheme[1]}://' is not a store",
            expected="a folder, or a URL with " + ", ".join(known),
            hint=suggest(scheme[0], known),
        )
    return value


def database(value: str) -> str:
    """The path of an embedded database."""
    if not value.strip():
        raise refuse("the path of the database is missing", expected="such as `duckdb:///warehouse.duckdb`")
    if value == ":memory:":
        raise refuse(
            "a database in memory forgets what was loaded",
            expected="a file, such as `duckdb:///warehouse.duckdb`",
        )
    if scheme := _SCHEME.match(value):
        raise refuse(f"a database cannot be written at '{scheme[0]}'", expected="a path on a disk")
    return value


def memory(value: str | None) -> str | None:
    """An amount of memory as DuckDB writes it."""
    if value is not None and not _MEMORY.fullmatch(value):
        raise refuse(f"{value!r} is not an amount of memory", expected="such as `512MB`, `2GB` or `50%`")
    return value


def character(value: str | None) -> str | None:
    """One ASCII character."""
    if value is not None and (len(value) != 1 or not value.isascii()):
        raise refuse(f"{value!r} is not one character", expected="one ASCII character")
    return value


def encoding(value: str) -> str:
    """A character encoding that Python knows."""
    try:
        codecs.lookup(value)
    except LookupError:
        raise refuse(
            f"{value!r} is not an encoding",
            expected="such as utf-8, utf-16, latin-1 or cp1252",
            hint=suggest(value, ("utf-8", "utf-16", "latin-1", "cp1252", "ascii")),
        ) from None
    return value


def cron(value: str | None) -> str | None:
    """A schedule in five cron fields, or one of cron's words."""
    if value is None or value in _CRON_WORDS:
        return value
    fields = value.split()
    if len(fields) != 5 or not all(_CRON_FIELD.fullmatch(f) for f in fields):
        raise refuse(
            f"{value!r} is not a schedule",
            expected='five cron fields (minute, hour, day, month, weekday), such as "30 13 * * 0"',
            hint=suggest(value, _CRON_WORDS),
        )
    return value


def duration(value: str) -> str:
    """A length of time: a whole number and its unit."""
    if not _DURATION.fullmatch(value):
        raise refuse(
            f"{value!r} is not a length of time",
            expected="a whole number and `s`, `m`, `h`, `d` or `w`, such as `30h`",
            hint=f"write `{value.strip()}s` for seconds" if value.strip().isdecimal() else None,
        )
    return value


def seconds(length: str) -> float:
    """A length of time, such as `30h`, in seconds."""
    return float(length[:-1]) * _SECONDS[length[-1]]


def folder(value: str) -> str:
    """A folder of the project, on a disk."""
    if not value.strip():
        raise refuse("an empty path leads nowhere", expected="a folder")
    if scheme := _SCHEME.match(value):
        raise refuse(f"code cannot be read at '{scheme[0]}'", expected="a folder beside the project file")
    return value


def reference(value: str) -> str:
    """Where some Python is: `package.module:name` or `file.py:name`."""
    place, colon, attribute = value.rpartition(":")
    if not colon or not place or not all(part.isidentifier() for part in attribute.split(".")):
        raise refuse(
            f"{value!r} does not say where some Python is",
            expected="`package.module:name`, or `path/to/file.py:name`",
        )
    return value


def naming(value: str) -> str:
    """A naming convention that is there, or where one's own is."""
    if ":" in value:
        return reference(value)
    if value not in NAMINGS:
        raise refuse(
            f"{value!r} is not a naming convention",
            expected=", ".join(NAMINGS) + ", or `package.module:name`",
            hint=suggest(value, NAMINGS),
        )
    return value


def in_order(low: str, least: int | None, high: str, most: int | None) -> None:
    """Refuse a lower bound above its upper bound."""
    if least is not None and most is not None and least > most:
        raise refuse(
            f"`{low}` is above `{high}`, so nothing can pass",
            expected=f"`{low}` at most {most}",
            at=(low,),
        )


def distinct(what: str, names: Iterable[str], at: tuple[str, ...]) -> None:
    """Refuse a name that is there twice."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise refuse(f"the {what} `{name}` is there twice", expected="each name once", at=at)
        seen.add(name)
