"""Where dlt looks for configuration and secrets: in the project's folder, wherever a run is started."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import penstock.sources.dlt.quiet  # noqa: F401  # isort: skip - before anything of dlt

from dlt.common.configuration.container import Container
from dlt.common.configuration.specs.config_providers_context import ConfigProvidersContainer
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
from dlt.common.runtime.run_context import DOT_DLT, RunContext


class Settings:
    """The `.dlt` of a folder, if it has one. Otherwise dlt looks where it does by itself."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._providers: Any = None  # Any: of dlt, whose types say no more

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Inside, dlt finds what this folder says."""
        if self.folder is None or not (self.folder / DOT_DLT).is_dir():
            yield
            return
        place = Container()[PluggableRunContext]
        before = place.providers
        try:
            if self._providers is None:
                found = ConfigProvidersContainer(RunContext(str(self.folder)).initial_providers())
                place.providers = found
                found.add_extras()  # vaults that the configuration names
                self._providers = found
            place.providers = self._providers
            yield
        finally:
            place.providers = before
