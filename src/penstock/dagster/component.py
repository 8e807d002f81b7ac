"""A project as a component of Dagster: a few lines of YAML in a folder of `dg`.

type: penstock.dagster.PenstockComponent
attributes:
  project: ../../warehouse
  environment: prod
  translation:
    group_name: finance
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from dagster import AssetSpec, Component, ComponentLoadContext, Definitions, Model, Resolvable
from dagster.components.utils.translation import TranslationFn, TranslationFnResolver
from pydantic import Field

from penstock.catalogue import Node
from penstock.dagster.definitions import definitions
from penstock.dagster.reading import Options
from penstock.dagster.translator import PenstockTranslator


def _variables(node: Node) -> dict[str, object]:
    return {"node": node}


class PenstockComponent(Component, Model, Resolvable):
    """The assets, checks, jobs, schedules and sensors of a Penstock project."""

    project: Annotated[str, Field(description="The project's folder or file, relative to this one.")] = "."
    environment: Annotated[str | None, Field(description="The environment to apply.")] = None
    pipelines: Annotated[
        Sequence[str] | None, Field(description="The pipelines to take in; all if not given.")
    ] = None
    models: Annotated[bool, Field(description="Whether the project's models are taken in.")] = True
    schedules: Annotated[bool, Field(description="Whether schedules are on from the start.")] = True
    preview_rows: Annotated[int, Field(description="Rows of a table to keep with each run; 0 for none.")] = 5
    translation: Annotated[
        TranslationFn[Node] | None, TranslationFnResolver[Node](template_vars_for_translation_fn=_variables)
    ] = None

    def build_defs(self, context: ComponentLoadContext) -> Definitions:
        """The definitions of the project. Raises: ProjectError; NotFoundError."""
        options = Options(
            pipelines=None if self.pipelines is None else tuple(self.pipelines),
            models=self.models,
            schedules=self.schedules,
            preview_rows=self.preview_rows,
        )
        return definitions(self._place(context.path), self.environment, self.translator(), options)

    def translator(self) -> PenstockTranslator:
        """What decides how assets look; `translation` is laid over it."""
        if self.translation is None:
            return PenstockTranslator()
        return _Translated(self.translation)

    def _place(self, folder: Path) -> Path:
        """The project; `folder` is that of the component's YAML."""
        return folder / self.project


class _Translated(PenstockTranslator):
    """What the YAML says, on top."""

    def __init__(self, translation: TranslationFn[Node]) -> None:
        self._translation = translation

    def get_asset_spec(self, node: Node) -> AssetSpec:
        return self._translation(super().get_asset_spec(node), node)
