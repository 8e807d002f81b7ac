"""`ConfigurableDltResource`: a resource, and what is said of it for Dagster.

    # definitions.py
    from .data import api_generator

    ConfigurableDltResource.config(
        dlt.resource(api_generator, name="schema.table", primary_key="id", write_disposition="merge"),
        kinds={"api"},
        meta={"dagster": {"automation_condition": "on_schedule",
                          "automation_condition_config": {"cron_schedule": "@daily"}}},
    )

The name of the resource says where its rows go: `schema.table`. `factory` makes assets of all that there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from penstock.dagster.meta import automation_of, freshness_of
from penstock.errors import ProjectError
from penstock.sources.dlt import is_dlt
from penstock.sources.python.resource import Resource

# Any throughout: resources of dlt have no type here

_collected: ContextVar[list[ConfigurableDltResource] | None] = ContextVar("_collected", default=None)


@dataclass(frozen=True, slots=True, eq=False)
class ConfigurableDltResource:
    """A resource of Penstock or of dlt, with its kinds, tags and metadata. Made by `config`."""

    resource: Any
    kinds: frozenset[str] = frozenset()
    tags: Mapping[str, str] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)

    @staticmethod
    def config(
        resource: Any,
        meta: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | Iterable[str] | None = None,
        kinds: Iterable[str] | None = None,
    ) -> ConfigurableDltResource:
        """The resource with what Dagster is to know of it.

        `meta` is `{"dagster": {...}}` with the keys of `penstock.dagster.meta`; `tags` are names, or names
        with values; `kinds` are the badges of the asset.
        Raises: ProjectError for what is no resource, and for what `meta` says that nothing here reads.
        """
        if not (isinstance(resource, Resource) or (is_dlt(resource) and hasattr(resource, "table_name"))):
            raise ProjectError(
                "a resource is expected",
                where="ConfigurableDltResource.config",
                found=f"a {type(resource).__name__}",
                hint='wrap the function: dlt.resource(function, name="schema.table")',
            )
        named = dict(tags) if isinstance(tags, Mapping) else dict.fromkeys(tags or (), "")
        badges = [kinds] if isinstance(kinds, str) else (kinds or ())
        made = ConfigurableDltResource(_in_a_table(resource), frozenset(badges), named, dict(meta or {}))
        automation_of(made.meta, made.where)
        freshness_of(made.meta, made.where)
        if (found := _collected.get()) is not None:
            found.append(made)
        return made

    @property
    def name(self) -> str:
        """The resource's name, `schema.table`."""
        return str(self.resource.name)

    @property
    def where(self) -> str:
        """How messages name it."""
        return f"resource `{self.name}`"

    @property
    def key(self) -> tuple[str, ...]:
        """What the asset is known by: the parts of the name."""
        return tuple(self.name.split("."))

    @property
    def schema(self) -> str | None:
        """The schema that holds the table; None if the name has no dot."""
        return "_".join(self.key[:-1]) or None

    @property
    def table(self) -> str:
        """The table that rows go to: what the resource says, else the last part of the name."""
        said = self.resource.table_name
        return said if isinstance(said, str) else self.key[-1]


def _in_a_table(resource: Any) -> Any:
    """The resource, or one like it whose rows go to the table that the last part of its name says."""
    name = resource.name
    if resource.table_name != name or "." not in name:
        return resource
    named = resource.with_name(name)
    named.apply_hints(table_name=name.rpartition(".")[2])
    return named


@contextmanager
def collecting() -> Iterator[list[ConfigurableDltResource]]:
    """A list of all that is configured while the block runs, in order."""
    found: list[ConfigurableDltResource] = []
    token = _collected.set(found)
    try:
        yield found
    finally:
        _collected.reset(token)
