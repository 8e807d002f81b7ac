"""Trying a run again when something outside of it went wrong, later and later."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from penstock.errors import ExitCode, MissingPartError, OutsideError, PenstockError, UncertainError
from penstock.report.facts import Notice, Observer, Pause, PipelineResult, Status
from penstock.report.text import duration

SLICE_S = 0.2


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a run is tried in all, and how long to wait before the second try and at most.

    `sleep` waits for some seconds and `chance` gives a number from 0 to 1.
    """

    attempts: int
    wait_s: float
    max_wait_s: float
    sleep: Callable[[float], None]
    chance: Callable[[], float]

    def waits(self) -> Iterator[float]:
        """The waits between tries: each twice as long as the one before, less up to half of it.

        Runs that failed together must not come back together.
        """
        wait = self.wait_s
        for _ in range(self.attempts - 1):
            yield min(wait, self.max_wait_s) * (1 - self.chance() / 2)
            wait = min(wait * 2, self.max_wait_s)


def try_again(
    pipeline: str, patience: Patience, observe: Observer, work: Callable[[int], PipelineResult]
) -> PipelineResult:
    """What `work` comes to; it is given the number of the try, counted from 1.

    A result or error of the families outside and uncertain is followed by another try, because the
    next one reads the facts and goes on. What was refused is final, and so is a part that is missing.
    Returns: the result over all tries. Raises: what the last try raises.
    """
    waits = patience.waits()
    before: PipelineResult | None = None
    for attempt in range(1, patience.attempts + 1):
        error: PenstockError | None
        try:
            result = after(before, work(attempt))
            error = result.cause
            before = result
            if result.exit_code not in (ExitCode.OUTSIDE, ExitCode.UNCERTAIN) or _is_final(error):
                return result
        except (OutsideError, UncertainError) as raised:
            if attempt == patience.attempts or _is_final(raised):
                raise
            error = raised
        wait = next(waits, None)
        if wait is None:
            break
        what = error.what if error is not None else "it failed"
        tries = f"try {attempt + 1} of {patience.attempts}"
        observe(Notice(pipeline, f"{what}; {tries} in {duration(wait)}"))
        _wait(pipeline, wait, patience.sleep, observe)
    assert before is not None
    return before


def _is_final(error: PenstockError | None) -> bool:
    return isinstance(error, MissingPartError)


def _wait(pipeline: str, seconds: float, sleep: Callable[[float], None], observe: Observer) -> None:
    """Wait in slices, so that a run can be stopped meanwhile."""
    while seconds > 0:
        observe(Pause(pipeline))
        sleep(min(seconds, SLICE_S))
        seconds -= SLICE_S


def after(before: PipelineResult | None, result: PipelineResult) -> PipelineResult:
    """A result together with that of the tries before it."""
    if before is None:
        return result
    from penstock.run.journal import joined  # loads the engines, which takes its time

    loads = (*before.load_ids, *result.load_ids)
    idle = result.status is Status.NOTHING_NEW
    return replace(
        result,
        status=Status.LOADED if idle and loads else result.status,
        load_ids=loads,
        tables=joined([*before.tables, *result.tables]),
        findings=(*before.findings, *(f for f in result.findings if f not in before.findings)),
        files_landed=before.files_landed + result.files_landed,
        files_drained=before.files_drained + result.files_drained,
        seconds=before.seconds + result.seconds,
    )
