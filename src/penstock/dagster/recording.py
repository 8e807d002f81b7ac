"""What a step tells Dagster: the outputs that it was asked for, and beside them all the rest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, TypeAlias

from dagster import (
    AssetCheckEvaluation,
    AssetCheckKey,
    AssetCheckResult,
    AssetKey,
    AssetMaterialization,
    MaterializeResult,
)

Result: TypeAlias = MaterializeResult | AssetCheckResult
Made: TypeAlias = Iterator[Result]


class Context(Protocol):
    """What is asked of the context of an asset."""

    log: Any  # Any: Dagster's own logger
    selected_asset_keys: Any
    selected_asset_check_keys: Any

    def log_event(self, event: Any) -> None:
        """Record something that is no output."""
        ...


def recorded(context: Context, made: Made) -> Made:
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
