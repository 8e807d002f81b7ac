"""`penstock generate`: files of synthetic rows, to try things with."""

from __future__ import annotations

import filecmp
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli import options, recipe
from penstock.cli.recipe import Bad, Format, Recipe
from penstock.cli.terminal import Terminal
from penstock.errors import ConflictError, StoreError

if TYPE_CHECKING:
    import duckdb

    from penstock.report.text import Line

HELP = f"""Write files of synthetic rows, the same for the same options.

The files are called {recipe.STEM}_0.jsonl, {recipe.STEM}_1.jsonl and so on; their ids run on from file
to file. A file that is there with the same bytes is left alone, one with other bytes is an error.

Kinds of bad rows for --bad KIND=SHARE:

\b
{chr(10).join(f"  {kind:<10} {words}" for kind, words in recipe.MEANING.items())}
"""


@dataclass(frozen=True, slots=True)
class Generated:
    """One file that was written; `unchanged` if it was there already. `bad` by kind."""

    path: str
    rows: int
    size_bytes: int
    first_id: int
    last_id: int
    bad: Mapping[Bad, int]
    unchanged: bool


def generate(
    context: typer.Context,
    rows: Annotated[
        int, typer.Option("--rows", "-r", metavar="N", min=1, max=recipe.MAX_ROWS, help="Rows in each file.")
    ] = 1000,
    files: Annotated[int, typer.Option("--files", metavar="N", min=1, help="How many files.")] = 1,
    seed: Annotated[int, typer.Option("--seed", "-s", metavar="N", help="Another seed, other rows.")] = 42,
    file_format: Annotated[
        Format | None,
        typer.Option(
            "--format",
            help="The format; by default jsonl, and with --new-data that of the last file.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="The folder to write to.")] = Path(
        "raw_data"
    ),
    bad: Annotated[
        list[str] | None,
        typer.Option(
            "--bad",
            "-b",
            metavar="[KIND=]SHARE",
            help="The share of bad rows, such as 0.01 or 1%, of one kind or spread over all. Repeatable.",
            show_default=False,
        ),
    ] = None,
    new_data: Annotated[
        bool,
        typer.Option("--new-data", help="Go on after the last file: one further file, or --files of them."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over files that are there.")] = False,
    json: options.Json = False,
) -> None:
    """Write files of synthetic rows."""
    terminal: Terminal = context.obj
    terminal.json = json
    last = recipe.latest(path.name for path in out.glob(f"{recipe.STEM}_*")) if new_data else None
    chosen = file_format or (last[1] if last else Format.JSONL)
    plan = Recipe(rows, seed, chosen, recipe.read_shares(bad or (), chosen))
    plan.counts()
    written = list(_write(plan, out, files, last, force=force))
    terminal.answer(lambda: _document(plan, written), lambda: _lines(written))


def _write(
    plan: Recipe, out: Path, files: int, last: tuple[int, Format] | None, *, force: bool
) -> Iterator[Generated]:
    import duckdb

    quiet = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    try:
        out.mkdir(parents=True, exist_ok=True)
        with duckdb.connect(config={"memory_limit": "1GB", **quiet}) as connection:
            connection.execute("SET enable_progress_bar = false")
            first = last[0] + 1 if last else 0
            first_id = first * plan.rows + 1
            if last:
                first_id = max(first_id, _last_id(connection, out, last) + 1)
            for index in range(first, first + files):
                yield _write_file(connection, plan, out, index, first_id, force=force)
                first_id += plan.rows
    except (OSError, duckdb.Error) as error:
        raise StoreError("the files could not be written", where=str(out), found=str(error)) from error


def _last_id(connection: duckdb.DuckDBPyConnection, out: Path, last: tuple[int, Format]) -> int:
    from penstock.cli.synthetic import last_id_sql

    path = out / recipe.file_name(*last)
    found = connection.execute(last_id_sql(str(path), last[1])).fetchone()
    return (found and found[0]) or 0


def _write_file(
    connection: duckdb.DuckDBPyConnection, plan: Recipe, out: Path, index: int, first_id: int, *, force: bool
) -> Generated:
    from penstock.cli.synthetic import copy_sql

    path = out / recipe.file_name(index, plan.format)
    with _temporary(path) as written:
        connection.execute(copy_sql(plan, index, first_id, str(written)))
        unchanged = path.exists() and filecmp.cmp(written, path, shallow=False)
        if path.exists() and not (unchanged or force):
            raise ConflictError(
                f"{path.name} is there already, with other rows",
                where=str(path),
                hint="--new-data goes on with a further file, --force writes over it",
            )
        if not unchanged:
            _publish(written, path)
    return Generated(
        path.as_posix(),
        plan.rows,
        path.stat().st_size,
        first_id,
        first_id + plan.rows - 1,
        plan.counts(),
        unchanged,
    )


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    # Hidden and with an extension of its own, so that no glob for data takes it.
    temporary = path.with_name(f".{os.getpid()}.{path.name}.tmp")
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _publish(written: Path, path: Path) -> None:
    with written.open("rb") as stream:
        os.fsync(stream.fileno())
    written.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _total(written: list[Generated]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for file in written:
        total.update({kind.value: number for kind, number in file.bad.items()})
    return dict(total)


def _document(plan: Recipe, written: list[Generated]) -> dict[str, object]:
    from penstock.report.document import json_value

    return {
        "format": plan.format.value,
        "seed": plan.seed,
        "rows": sum(file.rows for file in written),
        "bad": _total(written),
        "files": json_value(written),
    }


def _lines(written: list[Generated]) -> list[Line]:
    from penstock.report.text import Span, count, counted, faint, good, grid, line, size, warn

    cells: list[list[str | Span]] = [
        [
            file.path,
            f"{count(file.rows)} rows",
            f"ids {count(file.first_id)} to {count(file.last_id)}",
            size(file.size_bytes),
            faint("was there already") if file.unchanged else "",
        ]
        for file in written
    ]
    total = _total(written)
    end = line(good(counted(sum(file.rows for file in written), "row")), ", all of them good")
    if total:
        kinds = ", ".join(f"{kind} {count(number)}" for kind, number in total.items())
        end = line(end[0], ", ", warn(f"{count(sum(total.values()))} of them bad"), f": {kinds}")
    return [*grid(cells, "lrlrl"), end]
