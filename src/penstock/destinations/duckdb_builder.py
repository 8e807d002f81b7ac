"""Models in a DuckDB file: each is built in a transaction of its own, several at once if need be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from penstock.errors import PenstockError, RefusedError, UncertainError
from penstock.ledger import Built

if TYPE_CHECKING:
    from penstock.destinations.duckdb import DuckDBDestination
    from penstock.destinations.duckdb_build import DuckDBBuild


class DuckDBBuilder:
    """What builds models in the file of a destination."""

    dialect = "duckdb"

    def __init__(self, destination: DuckDBDestination) -> None:
        self._destination = destination
        self._guard = Lock()
        self._known: tuple[Any, int] | None = None  # Any: DuckDB's connection is untyped
        self._relations: dict[str, str] = {}
        self._built: dict[str, Built] = {}
        self._loaded: frozenset[str] = frozenset()
        self._building = 0

    # ------------------------------------------------------------------------------ what there is

    def built(self) -> Mapping[str, Built]:
        """The last build of every model."""
        found: Mapping[str, Built] = self._asked("newest")
        return found

    def versions(self) -> Mapping[str, str | None]:
        """Every relation of the file, and the load or build that wrote it last."""
        found: Mapping[str, str | None] = self._asked("versions")
        return found

    def _asked(self, question: str) -> Any:  # Any: whatever the question answers
        """The answer of a function of `duckdb_models`; no driver is loaded for a file that is not there."""
        if not self._path.exists():
            return {}
        from penstock.destinations import duckdb_models as models
        from penstock.destinations.engine import explained

        with self._destination.reading(bare=True) as con, explained(str(self._path)):
            return getattr(models, question)(con)

    @property
    def _path(self) -> Path:
        return self._destination.path

    # ------------------------------------------------------------------------------------ building

    def begin(self, model: str, build_id: str) -> DuckDBBuild:
        """Begin to build a model. Raises: RefusedError for a name that something else has."""
        from penstock.destinations.duckdb_build import DuckDBBuild, Site
        from penstock.destinations.engine import explained

        with self._guard, explained(str(self._path)):
            self._ready()
            self._refuse_taken(model)
            con = self._destination.cursor()
            before = self._built.get(model)
            site = Site(con, str(self._path), self._relations, before, self._outcome, self._ended)
            self._building += 1
        return DuckDBBuild(site, model, build_id)

    def _ready(self) -> None:
        """Know what is in the file, and make the ledger's table; once, unless something was loaded since."""
        writer = self._destination.writing()
        if self._known == (writer, self._destination.loads):
            return
        from penstock.destinations import duckdb_models as models

        limits = self._destination.limits
        writer.execute(f"SET threads = {limits.all_threads}")
        writer.execute(f"SET memory_limit = '{limits.memory_for_queries()}'")
        models.create(writer)
        self._built = models.newest(writer)
        self._loaded = models.loaded(writer)
        self._relations.clear()
        self._relations.update(models.kinds(writer))
        self._known = (writer, self._destination.loads)

    def _refuse_taken(self, model: str) -> None:
        from penstock.destinations.columns import check_table_name

        if model in self._built and model in self._relations:
            return
        check_table_name(model, {*self._relations, *self._loaded})
        if model in self._loaded:
            raise RefusedError(
                f"`{model}` is a table that a pipeline loads",
                where=str(self._path),
                hint="give the model's file another name",
            )
        if model in self._relations and model not in self._built:
            raise RefusedError(
                f"there is a {self._relations[model].lower()} `{model}` already that no model made",
                where=str(self._path),
                hint="drop or rename it, or give the model's file another name",
            )

    def _ended(self, con: Any, made: Mapping[str, str], built: Built | None) -> None:
        """Take back the connection of a build, and note what it left."""
        con.close()
        with self._guard:
            self._building -= 1
            self._relations.update(made)
            if built is not None:
                self._built[built.model] = built

    def _outcome(self, con: Any, model: str, build_id: str) -> bool:
        """Whether a build is in the file, asked of the file after its COMMIT failed.

        Raises: UncertainError while it cannot be asked, as when others hold what failed open.
        """
        from penstock.destinations import duckdb_models as models
        from penstock.destinations.engine import explained

        con.close()
        try:
            with explained(str(self._path)), self._guard:
                if self._building == 1:
                    self._destination.close()
                con = self._destination.cursor()
                try:
                    return models.has_build(con, model, build_id)
                finally:
                    con.close()
        except PenstockError as error:
            raise UncertainError(
                f"the build of `{model}` may or may not have been committed",
                where=str(self._path),
                found=error.what,
                hint="run again when the disk can be read; the ledger will tell",
            ) from error

    # --------------------------------------------------------------------------------- the ledger

    def record(self, built: Sequence[Built]) -> None:
        """Keep that models were built by somebody else's program."""
        from penstock.destinations import duckdb_models as models

        def write(con: Any) -> None:
            for one in built:
                models.record(con, one)

        self._write(write)

    def drop(self, models: Sequence[str]) -> None:
        """Drop what was built for models, and their rows in the ledger."""
        from penstock.destinations import duckdb_models as ledger
        from penstock.destinations.convert import quote
        from penstock.destinations.merging.upsert import graves_of

        def write(con: Any) -> None:
            for name in models:
                for relation in (name, graves_of(name)) if name in self._built else ():
                    if relation in self._relations:
                        con.execute(f"DROP {self._relations[relation]} IF EXISTS {quote(relation)}")
            ledger.forget(con, models)

        self._write(write)

    def _write(self, write: Any) -> None:
        from penstock.destinations.engine import explained

        with self._guard, explained(str(self._path)):
            self._ready()
            con = self._destination.cursor()
            try:
                con.execute("BEGIN TRANSACTION")
                write(con)
                con.execute("COMMIT")
            except BaseException:
                with suppress(Exception):
                    con.execute("ROLLBACK")
                raise
            finally:
                con.close()
            self._known = None  # what there is has changed
