"""A file's rows and bytes against its table's own history, by a measure that outliers do not bend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from penstock.gate.verdict import Action, Finding

_MAD_TO_SIGMA = 1.4826
_FLOOR = 0.01


@dataclass(frozen=True, slots=True)
class VolumeRules:
    """Units: `tolerance` in robust standard deviations; judged once `min_history` files are known."""

    tolerance: float = 6.0
    min_history: int = 8
    action: Action = Action.ALLOW


def judge_volume(
    rows: int, size_bytes: int, past_rows: Sequence[int], past_bytes: Sequence[int], rules: VolumeRules
) -> tuple[Finding, ...]:
    """What is unusual about a file's rows and bytes; nothing while there is little history."""
    found = []
    for unit, now, past in (("rows", rows, past_rows), ("bytes", size_bytes, past_bytes)):
        if not past or len(past) < rules.min_history:
            continue
        score = robust_score(now, past)
        if abs(score) > rules.tolerance:
            usual = median(past)
            message = f"{now:,} {unit}, usual are {usual:,.0f} ({score:+.1f} robust standard deviations)"
            found.append(Finding(f"volume_{unit}", rules.action, message))
    return tuple(found)


def robust_score(now: float, past: Sequence[float]) -> float:
    """How far `now` is from the median of `past`, in standard deviations estimated from the MAD.

    The deviation is at least one in a hundred of the median, so that a steady history does not
    make every change a sensation.
    """
    middle = median(past)
    spread = _MAD_TO_SIGMA * median(abs(p - middle) for p in past)
    return (now - middle) / max(spread, _FLOOR * abs(middle), 1.0)
