"""Singer targets as destinations: which program to run, and what to hand it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from penstock.project.base import Names, Seconds, Spec

# Any throughout: what a target is configured with is its own business.
_FREE = {"minProperties": 0}
LEDGERS = ".penstock/targets"


class SingerTargetSpec(Spec):
    """A Singer target, run in a virtual environment of its own if it is to be installed.

    Units: `stall_s` in seconds. What was loaded is remembered in a file of the project, because a target
    remembers nothing.
    """

    type: Literal["singer_target"] = "singer_target"
    target: Annotated[str, Field(min_length=1)]
    """The target's name, such as `target-postgres`, or a program of the project."""
    pip_url: str | None = None
    """What to install: requirements as pip reads them, parted by spaces. Known targets have one."""
    executable: str | None = None
    """The program to start, where it is not called as the target."""
    variant: str | None = None
    """Which of several known targets of that name: who maintains it."""
    python: str | None = None
    """The Python to install the target with."""
    config: Annotated[dict[str, Any], Field(json_schema_extra=_FREE)] = Field(default_factory=dict)
    """The target's settings; secrets as `${NAME}`."""
    env: Annotated[dict[str, str], Field(json_schema_extra=_FREE)] = Field(default_factory=dict)
    """Variables that the target is started with."""
    writes: Names = ()
    """What the target can do with rows: `append`, `merge` (it updates by key) and `replace` (it activates
    versions); known targets, and those that can be asked, need not say."""
    without_merge: Literal["refuse", "append"] = "refuse"
    """What becomes of a merge where the target cannot update by key: `append` sends the rows all the same."""
    streams: Annotated[dict[str, str], Field(json_schema_extra=_FREE)] = Field(default_factory=dict)
    """The streams of tables that are not to be called as the table: `orders: shop-orders`."""
    stall_s: Seconds = 3600.0
    """How long a target may neither read nor say anything before it is ended."""
    path: str = ""
    """The file that remembers what was loaded: `.penstock/targets/<target>.duckdb` if not given."""

    @model_validator(mode="before")
    @classmethod
    def _name_the_ledger(cls, data: Any) -> Any:
        if not isinstance(data, dict) or data.get("path") or not isinstance(data.get("target"), str):
            return data
        name = data["target"].rstrip("/").rpartition("/")[2] or data["target"]
        return data | {"path": f"{LEDGERS}/{name}.duckdb"}
