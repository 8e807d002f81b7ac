"""What a pipeline, a table or a model says for people and for other programs, and for no row."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from penstock.project import short, words
from penstock.project.base import Names, Spec

Duration = Annotated[str, AfterValidator(words.duration)]


class FreshnessSpec(Spec):
    """How old the newest data may be: `30h`, or with a warning before.

    Units: a whole number and `s`, `m`, `h`, `d` or `w`.
    """

    fail_after: Duration
    """From which age on the data is too old, such as `30h`."""
    warn_after: Duration | None = None
    """From which age on a warning is given, such as `24h`."""

    @model_validator(mode="after")
    def _warns_first(self) -> FreshnessSpec:
        if self.warn_after is not None and words.seconds(self.warn_after) >= words.seconds(self.fail_after):
            raise words.refuse(
                "`warn_after` is not before `fail_after`, so it would never warn",
                expected=f"less than {self.fail_after}",
                at=("warn_after",),
            )
        return self


class Labels(Spec):
    """What is said for people and for other programs."""

    group: Annotated[str | None, Field(min_length=1)] = None
    """What it belongs to, in catalogues and orchestrators."""
    owners: Names = ()
    """Who looks after it: e-mail addresses, or `team:name`."""
    tags: Names = ()
    """Words to select it by."""
    freshness: Annotated[
        FreshnessSpec | None,
        BeforeValidator(short.freshness, json_schema_input_type=str | FreshnessSpec | None),
    ] = None
    """How old the newest data may be: `30h`, or `{fail_after: 30h, warn_after: 24h}`."""
    meta: Annotated[dict[str, Any], Field(json_schema_extra={"minProperties": 0})] = Field(
        default_factory=dict
    )  # Any: what other programs understand
    """What other programs are to know, by program: `{dagster: {kinds: [api]}}`."""
