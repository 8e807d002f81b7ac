"""Where dlt looks for configuration and secrets: in the project's folder, wherever a run is started."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import penstock.sources.dlt.quiet  # noqa: F401  # isort: skip - before anything of dlt

from dlt.common.configuration.container import Container
from dlt.common.configuration.plugins import manager
from dlt.common.configuration.specs.config_providers_context import ConfigProvidersContainer
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
from dlt.common.runtime.run_context import DOT_DLT


class Settings:
    """The `.dlt` of a folder, if it has one. Otherwise dlt looks where it does by itself."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._providers: Any = None  # Any: of dlt, whose types say no more

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Inside, dlt finds what this folder says."""
        place = Container()[PluggableRunContext]
        if self.folder is None or not (self.folder / DOT_DLT).is_dir() or self._is_known(place):
            yield
            return
        before = place.providers
        try:
            if self._providers is None:
                context = manager().hook.plug_run_context(run_dir=str(self.folder), runtime_kwargs=None)
                found = ConfigProvidersContainer(context.initial_providers())
                place.providers = found
                found.add_extras()  # vaults that the configuration names
                self._providers = found
            place.providers = self._providers
            yield
        finally:
            place.providers = before

    def _is_known(self, place: Any) -> bool:
        """Whether dlt looks into this folder by itself."""
        return self.folder is not None and Path(place.context.run_dir).resolve() == self.folder.resolve()
