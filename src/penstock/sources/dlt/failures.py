"""What goes wrong inside of a dlt source, told by whether it may be run again.

dlt wraps what its generators and steps raise; the reason is in the chain of causes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import penstock.sources.dlt.quiet  # noqa: F401  # isort: skip - before anything of dlt

from dlt.common.configuration.exceptions import ConfigFieldMissingException
from dlt.common.exceptions import DltException

from penstock.errors import OutsideError, PenstockError, ProjectError

_BUSY = 429
_BROKEN = 500
_AWAY = {
    "requests.exceptions": ("ConnectionError", "Timeout", "ChunkedEncodingError"),
    "sqlalchemy.exc": ("OperationalError", "TimeoutError"),
}


@contextmanager
def told() -> Iterator[None]:
    """Inside, failures of the network, of a server or of a database are raised as OutsideError.

    Missing configuration is raised as ProjectError; everything else passes as it is.
    """
    try:
        yield
    except PenstockError:
        raise
    except ConfigFieldMissingException as error:
        raise _missing(error) from error
    except Exception as error:
        chain = list(_causes(error))
        own = next((cause for cause in chain if isinstance(cause, PenstockError)), None)
        if own is not None:  # raised by the code of the source: it has said what it is
            raise own from error
        missing = next((cause for cause in chain if isinstance(cause, ConfigFieldMissingException)), None)
        if missing is not None:
            raise _missing(missing) from error
        if any(_is_away(cause) for cause in chain):
            where = getattr(error, "pipe_name", None)
            raise OutsideError(
                "a source of dlt could not read",
                where=f"resource `{where}`" if where else None,
                found=f"{type(chain[-1]).__name__}: {_first_line(chain[-1])}",
                hint="run again later",
            ) from error
        raise


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what it was raised from, the first reason last."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__


def _is_away(error: BaseException) -> bool:
    """Whether an error tells that something outside did not answer."""
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    for kind in type(error).__mro__:
        if kind.__name__ in _AWAY.get(kind.__module__, ()):
            return True
    if isinstance(error, DltException):
        return False
    answer: Any = getattr(error, "response", None)  # Any: of whichever HTTP library
    status = getattr(answer, "status_code", None)
    return isinstance(status, int) and (status == _BUSY or status >= _BROKEN)


def _missing(error: Any) -> ProjectError:
    """What was looked for and where; values are not told, dlt does not keep them."""
    tried = dict.fromkeys(_tried(error.traces))
    return ProjectError(
        f"a source of dlt lacks its configuration: {', '.join(error.fields)}",
        expected="one of " + ", ".join(tried) if tried else None,
        hint="set one of these in the environment, in `.dlt/secrets.toml` or in `.dlt/config.toml`, "
        "or give it under `with`",
    )


def _tried(traces: Mapping[str, Any]) -> Iterator[str]:  # Any: traces of dlt, nested at will
    """The names that dlt looked for, those of nested configuration among them."""
    for found in traces.values():
        for trace in found:
            if hasattr(trace, "key"):
                yield str(trace.key)
            else:
                yield from _tried(trace.traces)


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
