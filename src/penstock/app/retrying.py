"""The project's `retry` of a pipeline, with a real clock and real chance."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from penstock.project.loaded import LoadedProject
from penstock.project.tables import pipeline_of
from penstock.report.facts import Observer, PipelineResult


def retried(
    loaded: LoadedProject, pipeline: str, observe: Observer, work: Callable[[int], PipelineResult]
) -> PipelineResult:
    """What `work` comes to when it is tried as often as the project says; it is given the try's number."""
    said = pipeline_of(loaded.project, pipeline).retry
    if said.attempts == 1:
        return work(1)
    from penstock.run.retry import Patience, try_again

    chance = secrets.SystemRandom().random
    patience = Patience(said.attempts, said.wait_s, said.max_wait_s, time.sleep, chance)
    return try_again(pipeline, patience, observe, work)
