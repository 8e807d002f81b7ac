"""What the models of a project have in its quarantine."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.app.building import Building
from penstock.app.opened import MODELS
from penstock.app.parts import open_store
from penstock.ports import Store


@dataclass(frozen=True)
class KeptModels:
    """What models have in the quarantine, as `run.quarantine` looks at it."""

    building: Building
    quarantine: Store
    pipeline: str = MODELS
    dataset: str = MODELS

    def hides(self, table: str) -> bool:
        """Whether rows of a model hold what not everybody may see; those of a model that is gone may."""
        try:
            columns = self.building.promised(table).declared.columns
        except KeyError:
            return True
        return any(c.sensitive for c in columns)


def kept_models(building: Building) -> KeptModels:
    """The quarantine of a project's models."""
    loaded = building.loaded
    return KeptModels(building, open_store(loaded, loaded.project.layers.quarantine))
