"""From what is said of a model to what a build does with it."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from penstock.errors import PenstockError, RefusedError
from penstock.gate.rules import identifier
from penstock.models.model import Materialization
from penstock.ports import Batches
from penstock.project.rules import arrival_rules_of, row_rules_of
from penstock.project.tables import contract_of
from penstock.project.words import seconds
from penstock.run.build_flow import ModelFlow

if TYPE_CHECKING:
    from penstock.app.models import LoadedModel
    from penstock.run.build_flow import Make


def model_flow(loaded: LoadedModel) -> ModelFlow:
    """What a build does with a model, from what is said of it."""
    spec = loaded.spec
    snapshot = loaded.model.materialized is Materialization.SNAPSHOT
    return ModelFlow(
        model=loaded.model,
        declared=loaded.table,
        disposition=loaded.disposition,
        contract=contract_of(spec),
        rules=row_rules_of(spec, loaded.table, loaded.disposition),
        limits=arrival_rules_of(spec),
        cursor=spec.cursor,
        lookback=_lookback(spec.lookback),
        snapshot_column=spec.snapshot_column if snapshot else None,
        version_column=spec.version_column,
        make=None if loaded.load is None else _make(loaded),
    )


def _lookback(said: float | str | None) -> str | None:
    """What is subtracted from the greatest cursor, as SQL."""
    return (
        f"INTERVAL {round(seconds(said))} SECOND"
        if isinstance(said, str)
        else None
        if said is None
        else str(said)
    )


def _make(loaded: LoadedModel) -> Make:
    """What runs the function of a Python model."""
    return partial(_made, loaded)


def _made(loaded: LoadedModel, ask: Callable[[str], object]) -> Batches:

    from penstock.ledger import LOAD_ID
    from penstock.ports import Batches

    function = loaded.function
    assert function is not None

    def read(relation: str) -> object:
        return ask(f"SELECT * FROM {'.'.join(map(identifier, relation.split('.')))}")

    try:
        table = function.make(read)
    except PenstockError:
        raise
    except Exception as error:  # whatever the user's function raises
        path = function.function.__code__.co_filename
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == path]
        raise RefusedError(
            f"the function of `{loaded.model.name}` failed",
            where=f"{loaded.model.path}:{lines[-1]}" if lines else loaded.model.path,
            found=f"{type(error).__name__}: {error}",
        ) from error
    if LOAD_ID in table.column_names:  # the rows that it read are of other loads
        table = table.drop_columns([LOAD_ID])
    return Batches(table.schema, table.to_batches())
