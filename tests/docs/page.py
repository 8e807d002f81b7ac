"""A page of the documentation as a session that can be run: what it types, writes and says comes out.

What a fence means is decided by its language and title:

- `console`: lines that begin with `$ ` are typed into one shell for the whole page, lines that begin
  with `> ` go on with the command above them. The lines after a command are what it prints, standard
  output and error alike; if there are none, its output is not compared. `...` within a line stands for
  any text, and where it does, the width of gaps does not matter for that command; `...` alone on a line
  stands for any lines.
  A command must succeed, unless `$ echo $?` follows it and states its exit code. The progress of
  `penstock run` (`pipeline: land: ...`, `build  model ...`) is not compared: on a terminal it is a bar.
- any language with `title="path"`: the file is written there, in the folder that the shell is in.
- `yaml` with `title="penstock.yml: a.b.c"`: the block is laid over that part of the file.
- `python` without a title: run in that folder; it must not fail.
- `text`: for reading only.

`<!-- not run: reason -->` before a fence leaves it out. `<!-- needs: s3 -->` anywhere on a page gives it
an S3 server with the buckets that the comment names after it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w+)(?P<attributes>[^\n]*)\n(?P<body>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
TITLE = re.compile(r'title="([^"]+)"')
NOT_RUN = re.compile(r"<!-- not run: (.+?) -->\s*$")
NEEDS = re.compile(r"<!-- needs: s3 (.+?) -->")


@dataclass(frozen=True, slots=True)
class Command:
    """Something typed into the shell, and what the page says it prints (None: nothing is said)."""

    line: int
    text: str
    output: tuple[str, ...] | None
    exit_code: int | None


@dataclass(frozen=True, slots=True)
class Written:
    """A file, or a part of one, that the reader writes; `part` is a dotted path of keys."""

    line: int
    path: str
    text: str
    part: str | None = None


@dataclass(frozen=True, slots=True)
class Script:
    """Python that the reader runs."""

    line: int
    text: str


Step = Command | Written | Script


class PageError(Exception):
    """A fence that the convention does not allow."""


def pages() -> list[Path]:
    """Every page that has something to run, below the root of the checkout."""
    found = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [page.relative_to(ROOT) for page in found if list(steps(page.read_text("utf-8")))]


def buckets(text: str) -> list[str]:
    """The S3 buckets that a page needs."""
    found = NEEDS.search(text)
    return found[1].split() if found else []


def steps(text: str) -> Iterator[Step]:
    """What a reader does, in order. Raises: PageError."""
    for fence in FENCE.finditer(text):
        line = text.count("\n", 0, fence.start()) + 1
        if NOT_RUN.search(text, 0, fence.start()):
            continue
        body = re.sub(rf"^{fence['indent']}", "", fence["body"], flags=re.MULTILINE)
        title = TITLE.search(fence["attributes"])
        if fence["language"] == "console":
            yield from _commands(body, line + 1)
        elif title:
            path, _, part = title[1].partition(": ")
            yield Written(line, path, body, part or None)
        elif fence["language"] == "python":
            yield Script(line, body)
        elif fence["language"] != "text":
            what = f"a `{fence['language']}` fence needs a title, or a reason not to be run"
            raise PageError(f"line {line}: {what}")


def _commands(body: str, first_line: int) -> Iterator[Command]:
    blocks: list[tuple[int, list[str], list[str]]] = []
    for number, row in enumerate(body.splitlines(), first_line):
        if row.startswith("$ "):
            blocks.append((number, [row[2:]], []))
        elif not blocks:
            raise PageError(f"line {number}: a session begins with a command")
        elif row.startswith("> ") and not blocks[-1][2]:
            blocks[-1][1].append(row[2:])
        else:
            blocks[-1][2].append(row)
    for index, (number, typed, printed) in enumerate(blocks):
        after = blocks[index + 1] if index + 1 < len(blocks) else None
        states = after is not None and after[1] == ["echo $?"]
        output = tuple(_trimmed(printed)) or None
        yield Command(number, "\n".join(typed), output, int(after[2][0]) if after and states else None)


def _trimmed(rows: list[str]) -> list[str]:
    """The rows without empty ones at the end, which only part one command from the next."""
    while rows and not rows[-1].strip():
        rows = rows[:-1]
    return rows


def agrees(stated: tuple[str, ...], printed: str) -> bool:
    """Whether what was printed is what the page states."""
    rows = [row.rstrip() for row in printed.rstrip("\n").split("\n")]
    if any("..." in row and row != "..." for row in stated):
        rows, stated = [_narrow(row) for row in rows], tuple(_narrow(row) for row in stated)
    return _agree([row.rstrip() for row in stated], rows)


def _narrow(row: str) -> str:
    return re.sub(" +", " ", row)


def _agree(stated: list[str], rows: list[str]) -> bool:
    if not stated:
        return not rows
    if stated[0] == "...":
        return any(_agree(stated[1:], rows[i:]) for i in range(len(rows) + 1))
    return bool(rows) and _same(stated[0], rows[0]) and _agree(stated[1:], rows[1:])


def _same(stated: str, row: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, stated.split("..."))), row) is not None
