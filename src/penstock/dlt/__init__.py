"""dlt's words for pipelines that Penstock runs: `import penstock.dlt as dlt`, and nothing else changes.

Whatever makes data is dlt's own: resources, sources, transformers, cursors, configuration. What lands,
checks, keeps and loads it is Penstock: `pipeline`, `run` and `destinations` are here.

    import penstock.dlt as dlt

    dlt.pipeline("issues", destination="duckdb", dataset_name="tracker").run(issues())
"""

from __future__ import annotations

from typing import Any

import penstock.sources.dlt.quiet  # noqa: F401  # isort: skip - before anything of dlt

from dlt import (
    Schema,
    TCredentials,
    TSecretStrValue,
    TSecretValue,
    config,
    current,
    defer,
    mark,
    resource,
    secrets,
    transformer,
)

from penstock.dlt import destinations, sources
from penstock.dlt.decorators import source
from penstock.dlt.running import Pipeline, attach, pipeline, run
from penstock.errors import suggest

__all__ = [
    "Pipeline",
    "Schema",
    "TCredentials",
    "TSecretStrValue",
    "TSecretValue",
    "attach",
    "config",
    "current",
    "defer",
    "destinations",
    "mark",
    "pipeline",
    "resource",
    "run",
    "secrets",
    "source",
    "sources",
    "transformer",
]


def __getattr__(name: str) -> Any:  # Any: there is nothing to have a type
    said = suggest(name, __all__)
    raise AttributeError(
        f"`penstock.dlt` has no `{name}`: " + (said or "see the documentation for what stands in its place"),
        name=name,
    )
