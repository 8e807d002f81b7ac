"""A SQL database as a `ports.Producer`: its tables as Arrow blocks, in order, to be gone on with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from importlib import import_module
from pathlib import Path

from penstock.errors import MissingPartError
from penstock.ports import Block, Checkpoint
from penstock.project.sql import SqlDatabaseSpec
from penstock.sources.sql.address import Address, parse
from penstock.sources.sql.choose import choose
from penstock.sources.sql.progress import Progress
from penstock.sources.sql.reading import Reading
from penstock.sources.sql.relation import Server

_SERVERS = {
    "postgres": ("penstock.sources.sql.postgres:PostgresServer", "postgres"),
    "mysql": ("penstock.sources.sql.mysql:MySQLServer", "mysql"),
    "sqlite": ("penstock.sources.sql.sqlite:SQLiteServer", None),
    "duckdb": ("penstock.sources.sql.duck:DuckServer", None),
    "sqlalchemy": ("penstock.sources.sql.alchemy:AlchemyServer", "sql"),
}


class SqlSource:
    """The chosen tables of a database. `root` is where relative paths of embedded ones begin."""

    def __init__(self, spec: SqlDatabaseSpec, root: Path) -> None:
        self.spec = spec
        self.root = root
        self.address = parse(spec.url)
        self._rows = 0

    def produce(self, state: str | None) -> Iterator[Block | Checkpoint]:
        """Everything that is new since `state`, table after table.

        Checkpoints come after some `checkpoint_rows` rows and at the end.
        Raises: RefusedError for what must be mended; OutsideError for what may be tried again.
        """
        progress, self._rows, gave = Progress(state), 0, state is not None
        with closing(connect(self.spec, self.address, self.root)) as server:
            for job in choose(self.spec, server):
                for item in Reading(server, job, progress, self.spec.chunk_rows, self._due).items():
                    if isinstance(item, Checkpoint):
                        self._rows, gave = 0, True
                    yield item
        if progress.tables or gave:
            yield Checkpoint(progress.dump(through=True))

    def restart(self, state: str | None) -> str | None:  # noqa: ARG002 - the tables are all that is kept
        """The state without how far any table was read: none."""
        return None

    def _due(self, rows: int) -> bool:
        """Whether enough was read, these rows included, to land it for good."""
        self._rows += rows
        return self._rows >= self.spec.checkpoint_rows


def connect(spec: SqlDatabaseSpec, address: Address, root: Path) -> Server:
    """A connection to the database. Raises: MissingPartError; RefusedError or OutsideError from it."""
    path, extra = _SERVERS[address.kind]
    module, _, name = path.partition(":")
    try:
        kind = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "penstock":
            raise
        raise MissingPartError(
            f"reading `{address.shown.partition(':')[0]}` needs a package",
            found=str(error),
            hint=f"pip install 'penstock[{extra}]'",
        ) from error
    server: Server = kind(address, root, snapshot=spec.snapshot)
    return server
