"""`penstock schema`: what is known of tables, in the words of other tools, over time, and compared."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli import options
from penstock.cli.terminal import Terminal

if TYPE_CHECKING:
    from penstock.app.session import Session
    from penstock.schema.table import Table

schema = typer.Typer(
    help="Write, read, compare and trace the schemas of tables.",
    invoke_without_command=True,
    rich_markup_mode=None,
)

_FORMATS = "own, etl_manager, mojap, odcs (or odcs-3.0, odcs-3.1, odcs-3.2), json_schema, pydantic or dlt."


@schema.callback()
def _help(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@schema.command()
def export(
    context: typer.Context,
    table: Annotated[
        str | None,
        typer.Argument(metavar="TABLE", help="A table; else all that the project names.", show_default=False),
    ] = None,
    format_: Annotated[str, typer.Option("--format", "-f", metavar="FORMAT", help=_FORMATS)] = "own",
    stored: Annotated[
        bool, typer.Option("--stored", help="As the table is in the warehouse, not as it is declared.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to a file instead.")
    ] = None,
    project: options.Project = None,
    environment: options.Environment = None,
    json: options.Json = False,
) -> None:
    """Write tables as metadata of some format."""
    from penstock.cli.opening import opened
    from penstock.cli.schema_files import format_of, put
    from penstock.schema.metadata import write_metadata

    terminal: Terminal = context.obj
    terminal.json = json
    chosen = format_of(format_)
    with opened(terminal, project, environment) as session:
        tables = _stored_tables(session, table) if stored else _declared(session, table)
    written = write_metadata(_one_if_need_be(tables, chosen), chosen)
    put(terminal, chosen, [t.name for t in tables], written, output)


def _declared(session: Session, table: str | None) -> list[Table]:
    return [session.declared(name) for name in ([table] if table else _names(session))]


def _stored_tables(session: Session, table: str | None) -> list[Table]:
    return [session.versions(name)[-1].table for name in ([table] if table else _names(session))]


def _names(session: Session) -> list[str]:
    """Every table that the project names, as `pipeline.table`."""
    from penstock.errors import NotFoundError
    from penstock.project.tables import tables_of

    found = [f"{p}.{name}" for p, spec in session.project.pipelines.items() for name in tables_of(spec)]
    if not found:
        raise NotFoundError("the project names no table", where=f"project `{session.project.name}`")
    return found


def _one_if_need_be(tables: list[Table], format_: str) -> list[Table]:
    """The tables, if a file of the format holds as many. Raises: UsageError."""
    from penstock.cli.schema_files import holds_many
    from penstock.errors import UsageError

    if len(tables) > 1 and not holds_many(format_):
        raise UsageError(
            f"a file of `{format_}` holds one table",
            found=", ".join(t.name for t in tables),
            hint="name one of them, or choose odcs, pydantic or dlt, which hold several",
        )
    return tables


@schema.command("import")
def import_(
    context: typer.Context,
    source: Annotated[
        str, typer.Argument(metavar="FILE", help="A metadata file, or package.module:Model of pydantic.")
    ],
    table: Annotated[
        str | None, typer.Option("--table", "-t", metavar="NAME", help="Which of the file's tables.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to a file instead.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Read metadata of any format; print it as ours."""
    from penstock.cli.schema_files import put, read_source
    from penstock.schema.formats.form import Written
    from penstock.schema.metadata import write_metadata

    terminal: Terminal = context.obj
    terminal.json = json
    reading, tables = read_source(source, table)
    written = write_metadata(_one_of(tables, source), "own")
    notes = dict.fromkeys((*reading.notes, *written.notes))
    put(terminal, "own", [t.name for t in tables], Written(written.document, tuple(notes)), output)


def _one_of(tables: list[Table], source: str) -> list[Table]:
    from penstock.errors import UsageError

    if len(tables) != 1:
        raise UsageError(
            f"the file describes {len(tables)} tables",
            where=source,
            found=", ".join(t.name for t in tables) or None,
            hint=f"name one: `--table {tables[0].name}`" if tables else None,
        )
    return tables


@schema.command()
def history(
    context: typer.Context,
    table: Annotated[str, typer.Argument(metavar="TABLE", help="A table of the warehouse.")],
    project: options.Project = None,
    environment: options.Environment = None,
    json: options.Json = False,
) -> None:
    """Show the versions of a table and what changed."""
    from penstock.cli.opening import opened
    from penstock.cli.schema_lines import history_document, history_lines

    terminal: Terminal = context.obj
    terminal.json = json
    with opened(terminal, project, environment) as session:
        versions = session.versions(table)
    terminal.answer(lambda: history_document(table, versions), lambda: history_lines(table, versions))


@schema.command()
def diff(
    context: typer.Context,
    before: Annotated[
        str,
        typer.Argument(
            metavar="A",
            help="A metadata file (file#table for one of several), a table as it is declared, or "
            "one of its versions: TABLE@2, TABLE@stored.",
        ),
    ],
    after: Annotated[
        str | None,
        typer.Argument(
            metavar="B", help="What to compare it with; by default TABLE@stored.", show_default=False
        ),
    ] = None,
    project: options.Project = None,
    environment: options.Environment = None,
    json: options.Json = False,
) -> None:
    """Show what differs between two tables."""
    from penstock.cli.schema_files import Pair
    from penstock.cli.schema_lines import diff_document, diff_lines
    from penstock.schema.comparison import compare

    terminal: Terminal = context.obj
    terminal.json = json
    with Pair(terminal, project, environment) as pair:
        first = pair.side(before)
        second = pair.side(after if after is not None else f"{before.partition('@')[0]}@stored")
    found = compare(first.table, second.table)
    terminal.answer(
        lambda: diff_document(first.name, second.name, found),
        lambda: diff_lines(first.name, second.name, found),
    )


@schema.command()
def align(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A parquet file, or a CSV file with a header.")
    ],
    table: Annotated[
        str,
        typer.Option("--table", "-t", metavar="TABLE", help="A table as it is declared, or a metadata file."),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write aligned rows as parquet.")
    ] = None,
    missing: Annotated[
        str,
        typer.Option("--missing", metavar="WHAT", help="Columns that are not there: refuse, add or leave."),
    ] = "refuse",
    extra: Annotated[
        str, typer.Option("--extra", metavar="WHAT", help="Unknown columns: refuse, drop or keep.")
    ] = "refuse",
    project: options.Project = None,
    environment: options.Environment = None,
    json: options.Json = False,
) -> None:
    """Check that a file fits its metadata exactly."""
    from penstock.cli.schema_data import aligned
    from penstock.cli.schema_files import Pair
    from penstock.report.text import counted, good, line

    terminal: Terminal = context.obj
    terminal.json = json
    with Pair(terminal, project, environment) as pair:
        side = pair.side(table)
    rows = aligned(file, side.table, output, missing, extra)
    document = {
        "file": str(file),
        "table": side.name,
        "rows": rows,
        "output": str(output) if output else None,
    }
    words = f"{counted(rows, 'row')} fit {side.name}" + (
        f", written to {output.as_posix()}" if output else ""
    )
    terminal.answer(lambda: document, lambda: [line(good("ok: "), words)])
