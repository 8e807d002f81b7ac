"""Sources and resources of dlt, run as they are: their code, hints and state, without dlt's loading.

    from penstock.sources.dlt import dlt_source

    for piece in dlt_source(my_dlt_source, {"token": "..."}, ["issues"]).produce(state=None):
        ...

dlt is imported when a source is first asked for its rows, not before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from penstock.errors import MissingPartError

if TYPE_CHECKING:
    from penstock.sources.dlt.source import DltSource


def dlt_source(
    what: Any,  # Any: whatever dlt's own `run` takes
    arguments: Mapping[str, Any] | None = None,  # Any: arguments of a function that is not ours
    resources: Sequence[str] = (),
    **options: Any,  # Any: the options of `DltSource`
) -> DltSource:
    """A producer of the rows of a dlt source, resource, or of a function that makes them.

    `arguments` are those of the function, `resources` the names of those to run (none: all that are
    selected). Raises: MissingPartError when dlt is not installed.
    """
    try:
        from penstock.sources.dlt.source import DltSource
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "penstock":
            raise
        raise MissingPartError(
            "sources of dlt need a package", found=str(error), hint="pip install 'penstock[dlt]'"
        ) from error
    return DltSource(what, arguments=arguments, resources=resources, **options)


def is_dlt(what: object) -> bool:
    """Whether an object is one of dlt's own, or a function that dlt has decorated; imports nothing."""
    kinds = (what, *what) if isinstance(what, list | tuple) else (what,)
    return any(kind.__module__.partition(".")[0] == "dlt" for value in kinds for kind in type(value).__mro__)
