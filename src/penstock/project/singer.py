"""Singer taps as sources: which program to run, what to hand it, and what becomes of what it says."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from penstock.project import words
from penstock.project.base import Names, Seconds, Spec
from penstock.project.maker import MakerSpec

# Any throughout: what a tap is configured with is its own business.
_FREE = {"minProperties": 0}
Free = Annotated[dict[str, Any], Field(json_schema_extra=_FREE)]
MetadataColumn = Literal[
    "_sdc_extracted_at",
    "_sdc_received_at",
    "_sdc_batched_at",
    "_sdc_deleted_at",
    "_sdc_sequence",
    "_sdc_table_version",
    "_sdc_sync_started_at",
]


def _command(value: Any) -> Any:
    """A command's words, however they are written."""
    if isinstance(value, list | tuple) and not value:
        raise words.refuse("a tap's command is empty", expected="the program and its arguments")
    return tuple(map(str, value)) if isinstance(value, list | tuple) else value


class StateOptions(Spec):
    """What becomes of the states that a tap says.

    Units: `every_s` in seconds.
    """

    start: str | None = None
    """A file with the state to begin with, where there is none yet: a tap's, or one that Meltano exported."""
    every_s: Seconds = 60.0
    """How long to gather records before they, and the state that covers them, are made safe."""
    strategy: Literal["auto", "merge", "overwrite"] = "auto"
    """How a state meets the one before the run: laid over it (`merge`), in its place (`overwrite`), or
    laid over it until the tap has ended well (`auto`)."""


class SingerSpec(MakerSpec):
    """A Singer tap, run as it is, in a virtual environment of its own if it is to be installed."""

    type: Literal["singer"] = "singer"
    tap: Annotated[
        str | tuple[str, ...], BeforeValidator(_command, json_schema_input_type=str | tuple[str, ...])
    ]
    """The tap: a known name such as `tap-github`, a program of the project, or a command as a list."""
    pip_url: str | None = None
    """What to install: requirements as pip reads them, parted by spaces. Known taps have one."""
    executable: str | None = None
    """The program to start, where it is not called as the tap."""
    variant: str | None = None
    """Which of several known taps of that name: who maintains it."""
    python: str | None = None
    """The Python to install the tap with."""
    capabilities: Names = ()
    """What the tap can do, such as `discover`, `catalog`, `properties`, `state`, where nothing says it."""
    config: Free = Field(default_factory=dict)
    """The tap's settings; secrets as `${NAME}`."""
    env: Annotated[dict[str, str], Field(json_schema_extra=_FREE)] = Field(default_factory=dict)
    """Variables that the tap is started with."""
    select: Names = ("*.*",)
    """The streams and properties to take, as `stream.property`; `*` stands for any, `!` leaves out."""
    select_filter: Names = ()
    """The streams to take, of those that are selected."""
    metadata: Free = Field(default_factory=dict)
    """Metadata to set in the catalog: `stream: {replication-method: FULL_TABLE}`, and below it properties."""
    schema_: Annotated[dict[str, Any], Field(alias="schema", json_schema_extra=_FREE)] = Field(
        default_factory=dict
    )
    """Schemas to set in the catalog: `stream: {property: {type: string}}`."""
    catalog: str | None = None
    """A catalog file to use in place of what the tap discovers; then `select` is not applied."""
    discover: bool = True
    """Whether to ask the tap for its catalog before each run; if not, it runs without one."""
    names: Annotated[dict[str, str], Field(json_schema_extra=_FREE)] = Field(default_factory=dict)
    """The tables of streams that are not to be called as the stream: `public-orders: orders`."""
    versions: Literal["hard", "soft", "ignore"] = "hard"
    """What becomes of rows of an older version of a stream when the tap activates a newer one: `hard` takes
    them away, `soft` keeps them with the time in `_sdc_deleted_at`, `ignore` leaves them."""
    record_metadata: bool | tuple[MetadataColumn, ...] = False
    """Columns to add that say where a row came from: all of Singer's `_sdc_` columns, or some."""
    state: StateOptions = StateOptions()
    """What becomes of the states that the tap says."""

    @model_validator(mode="after")
    def _one_program(self) -> SingerSpec:
        if not isinstance(self.tap, str) and (self.pip_url or self.executable or self.variant):
            raise PydanticCustomError(
                "refused",
                "the tap is a command already",
                {
                    "expected": "a name as `tap` beside `pip_url`, `executable` or `variant`",
                    "at": ("tap",),
                },
            )
        return self
