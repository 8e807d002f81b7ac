"""The project's `retry` of a pipeline, with a real clock and real chance."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from penstock.errors import ExitCode
from penstock.ports import Block, Checkpoint, Producer
from penstock.project.loaded import LoadedProject
from penstock.project.tables import pipeline_of
from penstock.report.facts import Event, Observer, Phase, PhaseDone, PipelineResult

_LATER = (ExitCode.OUTSIDE, ExitCode.UNCERTAIN)


class Once:
    """A producer that gives what it has a single time, such as one around an iterator.

    It is asked by the first try that comes so far. Once all of it has landed, further tries load
    that, and are given nothing more; before, there is no further try.
    """

    def __init__(self, producer: Producer) -> None:
        self.producer = producer
        self.asked = False
        self.landed = False

    @property
    def is_lost(self) -> bool:
        """Whether it was asked, and what it gave is not there."""
        return self.asked and not self.landed

    def produce(self, state: str | None) -> Iterator[Block | Checkpoint]:
        """Everything, and nothing from then on."""
        if not self.asked:
            self.asked = True
            yield from self.producer.produce(state)

    def restart(self, state: str | None) -> str | None:
        """As the producer."""
        return self.producer.restart(state)

    def watched(self, observe: Observer) -> Observer:
        """An observer that notes, and passes on, when everything has landed."""

        def see(event: Event) -> None:
            if self.asked and isinstance(event, PhaseDone) and event.phase is Phase.LAND:
                self.landed = True
            observe(event)

        return see


class _Lost(Exception):  # noqa: N818 - a signal, caught below
    """There is no use in trying again."""

    def __init__(self, result: PipelineResult) -> None:
        super().__init__()
        self.result = result


def retried(
    loaded: LoadedProject,
    pipeline: str,
    observe: Observer,
    work: Callable[[int], PipelineResult],
    once: Once | None = None,
) -> PipelineResult:
    """What `work` comes to when it is tried as often as the project says; it is given the try's number.

    `once` is the producer that it asks, if that cannot be asked a second time.
    """
    said = pipeline_of(loaded.project, pipeline).retry
    if said.attempts == 1:
        return work(1)
    from penstock.run.retry import Patience, try_again

    def unless_lost(attempt: int) -> PipelineResult:
        result = work(attempt)
        if once is not None and once.is_lost and result.exit_code in _LATER:
            raise _Lost(result)
        return result

    chance = secrets.SystemRandom().random
    patience = Patience(said.attempts, said.wait_s, said.max_wait_s, time.sleep, chance)
    try:
        return try_again(pipeline, patience, observe, unless_lost)
    except _Lost as lost:
        return _told(lost.result)


def _told(result: PipelineResult) -> PipelineResult:
    """A result whose error says why it was not tried again."""
    error = result.cause
    if error is None:
        return result
    error.hint = (
        "it was not tried again, because an iterator gives its rows once: "
        "hand over the function that makes it"
    )
    return replace(result, error=str(error))
