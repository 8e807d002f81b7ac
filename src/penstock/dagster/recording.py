"""What a step tells Dagster: the outputs that it was asked for, and beside them all the rest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from dagster import (
    AssetCheckEvaluation,
    AssetCheckKey,
    AssetCheckResult,
    AssetExecutionContext,
    AssetKey,
    AssetMaterialization,
    MaterializeResult,
)

Result: TypeAlias = MaterializeResult | AssetCheckResult
Made: TypeAlias = Iterator[Result]


def recorded(context: AssetExecutionContext, made: Made) -> Made:
    """What the context asked for; the rest is recorded all the same, but is no output of this step.

    A run is always one of a whole pipeline, whatever of it was selected.
    """
    for result in made:
        if isinstance(result, AssetCheckResult):
            key = AssetCheckKey(_asset(result), str(result.check_name))
            if key in context.selected_asset_check_keys:
                yield result
            else:
                context.log_event(_evaluation(result))
        elif _asset(result) in context.selected_asset_keys:
            yield result
        else:
            context.log_event(AssetMaterialization(asset_key=_asset(result), metadata=result.metadata))


def _asset(result: Result) -> AssetKey:
    assert result.asset_key is not None  # every one of ours says it
    return result.asset_key


def _evaluation(result: AssetCheckResult) -> AssetCheckEvaluation:
    return AssetCheckEvaluation(
        asset_key=_asset(result),
        check_name=str(result.check_name),
        passed=result.passed,
        severity=result.severity,
        description=result.description,
        metadata=result.metadata,
    )
