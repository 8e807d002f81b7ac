"""An HTTP API as a source: what to ask for, and where the records are in the answers."""

from __future__ import annotations

from typing import Literal

from penstock.project.maker import MakerSpec


class RestApiSpec(MakerSpec):
    """Records of an HTTP API that answers with JSON."""

    type: Literal["rest_api"] = "rest_api"
    base_url: str
    """What the paths of the tables are relative to."""
