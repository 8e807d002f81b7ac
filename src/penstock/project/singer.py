"""Singer plugins: taps as sources, targets as destinations."""

from __future__ import annotations

from typing import Literal

from penstock.project.maker import MakerSpec


class SingerSpec(MakerSpec):
    """A Singer tap, run in a virtual environment of its own."""

    type: Literal["singer"] = "singer"
    tap: str
    """The tap's name, such as `tap-github`."""
