"""Models over parquet files: each is one commit of the log, which makes its rows and its ledger row true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from shutil import rmtree
from tempfile import gettempdir
from threading import Lock
from typing import TYPE_CHECKING
from uuid import uuid4

from penstock.destinations.parquet_log import BUILDS
from penstock.destinations.parquet_models import builds_of, model_build, versions_of
from penstock.errors import RefusedError, StoreError
from penstock.ledger import Built, Commit

if TYPE_CHECKING:
    from penstock.destinations.parquet import ParquetDestination
    from penstock.destinations.parquet_build import ParquetBuild

FOLDER = "penstock-build-"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ParquetBuilder:
    """What builds models in the folder or bucket of a destination."""

    dialect = "duckdb"

    def __init__(self, destination: ParquetDestination) -> None:
        self._destination = destination
        self._turn = Lock()
        self._tidy = False

    def built(self) -> Mapping[str, Built]:
        """The last build of every model."""
        return {built.model: built for built in builds_of(self._destination.current())}

    def versions(self) -> Mapping[str, str | None]:
        """Every table, and the load or build that wrote it last."""
        return dict(versions_of(self._destination.current()))

    def begin(self, model: str, build_id: str) -> ParquetBuild:
        """Begin to build a model. Raises: RefusedError for a name that something else has."""
        from penstock.destinations.columns import check_table_name
        from penstock.destinations.parquet_build import ParquetBuild, Workshop

        scratch = self._destination.scratch
        with self._turn:
            newest = self._destination.current().newest()
            check_table_name(model, newest)
            if model in newest and newest[model].pipeline != BUILDS:
                raise RefusedError(
                    f"`{model}` is a table that a pipeline loads",
                    where=self._destination.url,
                    hint="give the model's file another name",
                )
            self._make_room(scratch)
        folder = (scratch or Path(gettempdir())) / f"{FOLDER}{uuid4().hex}"
        return ParquetBuild(Workshop(self._destination, self._turn, folder), model, build_id)

    def _make_room(self, scratch: Path | None) -> None:
        """Have the scratch folder, once, without what killed builds spilled into it.

        Raises: StoreError.
        """
        if scratch is None or self._tidy:
            return
        try:
            scratch.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError("a folder cannot be made", where=str(scratch), found=str(error)) from error
        for left in scratch.glob(f"{FOLDER}*"):
            rmtree(left, ignore_errors=True)
        self._tidy = True

    def record(self, built: Sequence[Built]) -> None:
        """Keep that models were built by somebody else's program."""
        if built:
            self._commit(built, ())

    def drop(self, models: Sequence[str]) -> None:
        """Drop what was built for models, and what is remembered of it."""
        if models:
            self._commit((), models)

    def _commit(self, built: Sequence[Built], dropped: Sequence[str]) -> None:
        from penstock.destinations.parquet_build import load_of

        with self._turn:
            sequence = self._destination.current().sequence + 1
            at = max((b.built_at for b in built), default=_EPOCH)
            one = Built("", f"models-{sequence}", "", "", "", at, at)
            load = self._destination.begin(BUILDS, one.build_id)
            try:
                if dropped:
                    load.forget(list(dropped))
                load.built = tuple(map(model_build, built))
                load.unbuilt = tuple(dropped)
                load.commit(Commit(load_of(one), ()))
            except BaseException:
                load.rollback()
                raise
