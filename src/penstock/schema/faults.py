"""Many faults told at once: whoever mends a file wants all of them, not one a try."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from penstock.errors import ProjectError


class ManyFaultsError(ProjectError):
    """Several errors in one; `faults` holds them."""

    faults: tuple[ProjectError, ...] = ()


def combine(faults: Sequence[ProjectError], subject: str) -> ProjectError:
    """One error that tells all of `faults`; a single one is returned as it is.

    `subject` is the file or the thing that has them: `penstock.yml has 3 errors`.
    """
    flat = flatten(faults)
    if len(flat) == 1:
        return flat[0]
    blocks = [str(fault).replace("\n", "\n   ") for fault in flat]
    numbered = [f"{n:>2} {block}" for n, block in enumerate(blocks, start=1)]
    error = ManyFaultsError("\n".join([f"{subject} has {len(flat)} errors", *numbered]))
    error.faults = tuple(flat)
    return error


def flatten(faults: Iterable[ProjectError]) -> list[ProjectError]:
    """The single errors in a row of errors."""
    return [one for f in faults for one in (f.faults if isinstance(f, ManyFaultsError) else (f,))]


def either(words: Iterable[str]) -> str:
    """Words as a choice: `a, b or c`."""
    *most, last = [*words] or [""]
    return f"{', '.join(most)} or {last}" if most else last
