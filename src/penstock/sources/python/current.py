"""What runs now: the state and the names that code inside of a resource may ask for."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.errors import RefusedError
from penstock.sources.python.memory import State

if TYPE_CHECKING:
    from penstock.sources.python.resource import Resource

# Any throughout: state holds what users put there


@dataclass(frozen=True, slots=True)
class Running:
    """The resource that runs in this context. `key` is its name in the state."""

    source: str
    key: str
    resource: Resource
    state: State


RUNNING: ContextVar[Running] = ContextVar("penstock_running")


def state() -> dict[str, Any]:
    """The state of the source that runs now: a mapping that the next run finds as it was left."""
    return source_state()


def source_state() -> dict[str, Any]:
    """The state that all resources of the source that runs now share. Raises: RefusedError."""
    found: dict[str, Any] = _running().state["source"]
    return found


def resource_state(name: str | None = None) -> dict[str, Any]:
    """The state of the resource that runs now, or of the one with a name. Raises: RefusedError."""
    running = _running()
    found: dict[str, Any] = running.state["resources"].setdefault(name or running.key, {})
    return found


def source_name() -> str:
    """The name of the source that runs now. Raises: RefusedError."""
    return _running().source


def resource_name() -> str:
    """The name of the resource that runs now. Raises: RefusedError."""
    return _running().resource.name


def resource() -> Resource:
    """The resource that runs now, so that it can change its own hints. Raises: RefusedError."""
    return _running().resource


def resource_metrics() -> dict[str, Any]:
    """What the resource that runs now counts for itself: its `custom_metrics`. Raises: RefusedError."""
    return _running().resource.custom_metrics


def _running() -> Running:
    running = RUNNING.get(None)
    if running is None:
        raise RefusedError(
            "no resource runs now",
            hint="ask for state and names inside of the function of a resource or of one of its steps",
        )
    return running
