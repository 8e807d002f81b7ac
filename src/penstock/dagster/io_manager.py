"""What assets return, as tables of the project's warehouse, and back again as what assets take.

    @dg.asset(ins={"releases": dg.AssetIn(key=["github", "warehouse", "releases"])})
    def pandas_releases(releases: pa.Table) -> pa.Table: ...

    dg.Definitions(assets=[pandas_releases], resources={"io_manager": PenstockIOManager(project=".")})

A table that is returned goes the way of all rows: it lands, is kept and is loaded in one commit, in the place
of what was there. So a run that is killed leaves the old table or the new one, and who else writes waits.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from dagster import ConfigurableIOManager, InputContext, OutputContext
from pydantic import Field

from penstock.app.catalogue import catalogue_of
from penstock.app.dataset import Dataset
from penstock.app.files import load_project
from penstock.app.pipeline import Pipeline, pipeline
from penstock.app.session import Session
from penstock.catalogue import Layer
from penstock.dagster.keys import asset_key
from penstock.dagster.settings import settings_of
from penstock.errors import ProjectError
from penstock.gate.rules import identifier

# Any throughout: what assets return and take

_PARTITION = "partition_expr"


class PenstockIOManager(ConfigurableIOManager):
    """Keeps what assets return in the warehouse of a project.

    An asset's table is named after the last part of its key. What can be returned: a table of Arrow, a
    DataFrame of pandas or polars, rows. An input is what its annotation says: `pa.Table` (also without an
    annotation), `pandas.DataFrame`, `polars.DataFrame` or `polars.LazyFrame`. Inputs may be tables and
    models of the project, too. An asset with partitions says in `metadata={"partition_expr": "day"}` in
    which column they are; a run takes the place of its own.
    """

    project: str = Field(default=".", description="The project's folder or file.")
    environment: str | None = Field(default=None, description="The environment to apply.")
    wait_s: float = Field(default=600.0, description="How long to wait for another run's lock, in seconds.")

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        """Load what an asset returned. Raises: as `Pipeline.run`; ProjectError without `partition_expr`."""
        if obj is None:
            return
        key = tuple(context.asset_key.path)
        result = self._writer(key).run(
            obj, table_name=key[-1], write=_write(context, key), wait_s=self.wait_s
        )
        loaded = sum(table.loaded for table in result.tables)
        context.add_output_metadata({"dagster/row_count": loaded, "dagster/table_name": key[-1]})

    def load_input(self, context: InputContext) -> Any:
        """The table of an asset, as the input's annotation says. Raises: NotFoundError."""
        key = tuple(context.asset_key.path)
        home, name = self._home(key), key[-1]
        found = home.table(name) if name in home else home.sql(f"SELECT * FROM {identifier(name)}")
        return _as(found, context.dagster_type.typing_type, f"the input `{context.name}`")

    def _home(self, key: tuple[str, ...]) -> Dataset:
        """Where an asset's table is: with the pipeline that loads it, or with the project's own."""
        loaded = load_project(Path(self.project), self.environment)
        for node in catalogue_of(loaded).of(Layer.WAREHOUSE):
            if tuple(asset_key(node.key).path) == key and node.pipeline is not None:
                return Session(loaded).dataset(node.pipeline)
        return self._writer(key).dataset()

    def _writer(self, key: tuple[str, ...]) -> Pipeline:
        loaded = load_project(Path(self.project), self.environment)
        settings = settings_of(loaded.project)
        return pipeline(
            ".".join(key),
            destination=settings.destination,
            layers=settings.layers,
            root=loaded.project.root,
        )


def _write(context: OutputContext, key: tuple[str, ...]) -> Any:
    """All rows of the table make way, or those of the partitions that the run is for."""
    if not context.has_asset_partitions:
        return "replace"
    column = (context.definition_metadata or {}).get(_PARTITION)
    if column is None:
        raise ProjectError(
            "an asset with partitions must say which column they are in",
            where=f"asset `{'/'.join(key)}`",
            expected=f'metadata={{"{_PARTITION}": "the column"}}',
        )
    return {"disposition": "replace", "overwrite": [str(column)]}


def _as(found: Any, kind: Any, where: str) -> Any:
    """A relation as a table of that type."""
    named = inspect.isclass(kind) and kind is not Any
    name = f"{kind.__module__.partition('.')[0]}.{kind.__name__}" if named else "any"
    made = {
        "pandas.DataFrame": lambda: found.df(),
        "polars.DataFrame": lambda: found.polars(),
        "polars.LazyFrame": lambda: found.polars().lazy(),
    }
    if name in made:
        return made[name]()
    if name in ("pyarrow.Table", "any"):
        return found.arrow()
    raise ProjectError(
        f"{where} cannot be a {name}",
        expected="pa.Table, pandas.DataFrame, polars.DataFrame or polars.LazyFrame",
    )
