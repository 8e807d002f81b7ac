"""dlt's pipeline, run by Penstock: the same words, the other engine."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.dlt.destinations import FILESYSTEM, Destination, destination_of
from penstock.errors import RefusedError, suggest
from penstock.report.facts import PipelineResult
from penstock.schema.nesting import NestingMode
from penstock.sources.dlt import dlt_source

if TYPE_CHECKING:
    from penstock.app.dataset import Dataset
    from penstock.app.pipeline import Pipeline as Engine

# Any throughout: data and hints are whatever dlt takes

_UNUSED = ("pipelines_dir", "pipeline_salt")
_REFUSED = {
    "staging": "leave it out: files land and are kept before they are loaded, whatever the destination",
    "import_schema_path": "declare columns in a project file, or give `columns=` the file",
    "export_schema_path": "`penstock schema export` writes the schemas of tables",
    "full_refresh": "run with `refresh='drop_sources'`",
}
_INSTEAD = {
    "activate": "no pipeline is active by itself",
    "default_schema": "ask `dataset()` for what was loaded",
    "drop": "run with `refresh='drop_sources'`; no folder of the pipeline's own is kept",
    "extract": "`run` is all of it",
    "get_local_state_val": "nothing is kept but at the destination, see `state`",
    "has_data": "ask `dataset().row_counts()`",
    "last_trace": "see `last_result`",
    "load": "`run` is all of it",
    "normalize": "`run` is all of it",
    "set_local_state_val": "keep it in `current.resource_state()`, which is at the destination",
    "sql_client": "ask `dataset().query(sql)`",
}
_FORMATS = {"duckdb": ("parquet", "jsonl", "insert_values"), FILESYSTEM: ("parquet",)}


def pipeline(
    pipeline_name: str | None = None,
    *,
    destination: Any = None,
    dataset_name: str | None = None,
    dev_mode: bool = False,
    refresh: str | None = None,
    progress: Any = None,
    naming: str = "direct",
    nesting: NestingMode | str = NestingMode.NATIVE,
    **others: Any,
) -> Pipeline:
    """A pipeline, named after the program if it has no name, into a DuckDB file of its name.

    `dataset_name` is the schema, or the folder, that holds the tables: `<pipeline_name>_dataset` if
    not given. `naming="snake_case"` and `nesting="flatten"` give the tables that dlt would give.
    `pipelines_dir` and `pipeline_salt` are taken and not used: nothing is kept but at the destination.
    Raises: RefusedError for a destination that is not here, and for words that have no meaning here.
    """
    _check(others)
    if dev_mode:
        raise RefusedError(
            "`dev_mode` makes a new dataset with every run, which nothing here does",
            hint="give `dataset_name` a name of its own, or run with `refresh='drop_sources'`",
        )
    name = pipeline_name or f"dlt_{Path(sys.argv[0]).stem or 'pipeline'}"
    if nesting not in list(NestingMode):
        raise RefusedError(
            f"`{nesting}` is no nesting",
            expected=" or ".join(NestingMode),
            hint=suggest(nesting, NestingMode),
        )
    shape = Shape(naming, NestingMode(nesting))
    return Pipeline(
        name, destination_of(destination), dataset_name, shape, refresh=refresh, progress=progress
    )


def attach(pipeline_name: str | None = None, **options: Any) -> Pipeline:
    """The pipeline of that name, wherever it ran: its state is at the destination. Options: as `pipeline`."""
    return pipeline(pipeline_name, **options)


def _check(others: Mapping[str, Any]) -> None:
    for word, value in others.items():
        if word in _UNUSED or (word in _REFUSED and value is None):
            continue
        raise RefusedError(
            f"`{word}` has no meaning for a pipeline here",
            found=repr(value),
            hint=_REFUSED.get(word) or suggest(word, (*_REFUSED, "destination", "dataset_name", "refresh")),
        )


def run(
    data: Any, *, destination: Any = None, dataset_name: str | None = None, **options: Any
) -> PipelineResult:
    """Run data through a pipeline that is named after the program. Options: those of `Pipeline.run`."""
    return pipeline(destination=destination, dataset_name=dataset_name).run(data, **options)


@dataclass(frozen=True, slots=True)
class Shape:
    """What tables and columns are called, and what becomes of nested data."""

    naming: str = "direct"
    nesting: NestingMode = NestingMode.NATIVE


class Pipeline:
    """A pipeline as dlt has it: what it is called, where it leads, and `run`."""

    def __init__(
        self,
        pipeline_name: str,
        destination: Destination,
        dataset_name: str | None = None,
        shape: Shape = Shape(),
        *,
        refresh: str | None = None,
        progress: Any = None,
    ) -> None:
        self.pipeline_name = pipeline_name
        self.destination = destination
        self.dataset_name = dataset_name or f"{pipeline_name}_dataset"
        self.last_result: PipelineResult | None = None
        self.shape = shape
        self._refresh = refresh
        self._progress = progress if progress == "log" or callable(progress) else None

    def __repr__(self) -> str:
        return f"penstock.dlt.pipeline({self.pipeline_name!r}, dataset_name={self.dataset_name!r})"

    def run(
        self,
        data: Any = None,
        *,
        destination: Any = None,
        dataset_name: str | None = None,
        loader_file_format: str | None = None,
        refresh: str | None = None,
        **hints: Any,
    ) -> PipelineResult:
        """Land, check, keep and load what `data` gives; without data, what waits.

        Hints: `table_name`, `write_disposition`, `columns`, `primary_key`, `schema_contract`. They hold
        for every resource, whatever it says itself.
        Raises: the error that stopped the run.
        """
        if destination is not None:
            self.destination = destination_of(destination)
        self.dataset_name = dataset_name or self.dataset_name
        self._check_format(loader_file_format)
        made = None
        if data is not None:
            name, nesting = self.pipeline_name, self.shape.nesting
            made = dlt_source(data, name=name, pipeline=name, nesting=nesting, **hints)
        engine = self._engine()
        try:
            return engine.run(made, refresh=refresh or self._refresh)
        finally:
            self.last_result = engine.last_result

    def dataset(self) -> Dataset:
        """The tables, to read."""
        return self._engine().dataset()

    def sync_destination(self) -> None:
        """Nothing: the state is nowhere but at the destination."""

    def __getattr__(self, name: str) -> Any:
        said = f": {_INSTEAD[name]}" if name in _INSTEAD else ""
        raise AttributeError(f"a pipeline here has no `{name}`{said}", name=name, obj=self)

    @property
    def state(self) -> dict[str, Any]:
        """The state of the sources as the last load left it."""
        from dlt.common.json import json

        text = self._engine().state
        found: dict[str, Any] = json.typed_loads(text) if text else {}
        return found

    def _check_format(self, said: str | None) -> None:
        known = _FORMATS[self.destination.type]
        if said is not None and said not in known:
            raise RefusedError(
                f"a {self.destination.type} destination is not written as {said}",
                expected=" or ".join(known),
                hint="leave `loader_file_format` out",
            )

    def _engine(self) -> Engine:
        from penstock.app.pipeline import pipeline as engine

        spec = self.destination.spec(self.pipeline_name, self.dataset_name)
        return engine(self.pipeline_name, destination=spec, progress=self._progress, naming=self.shape.naming)
