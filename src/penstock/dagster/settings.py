"""Where a project leads and where its layers lie, as the words of a project file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from penstock.project.spec import Project

# Any throughout: the words of destinations


@dataclass(frozen=True, slots=True)
class Settings:
    """What a pipeline beside those of a project needs to lead to the same place. `layers` None: not said."""

    destination: Mapping[str, Any]
    layers: Mapping[str, str] | None


def settings_of(project: Project) -> Settings:
    """The settings of a project."""
    own = project.destination
    said = own.model_dump(by_alias=True, exclude_unset=True)
    layers = project.layers.model_dump() if project.layers.model_fields_set else None
    return Settings({"type": own.type, **said}, layers)
