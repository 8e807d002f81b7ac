"""What goes wrong inside of a dlt source, told by whether it may be run again.

dlt wraps what its generators and steps raise; the reason is the end of the chain of causes. What
follows the `?` of a URL, and who is named in front of its `@`, is not told: keys are sent there.
"""

from __future__ import annotations

import errno
import re
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import penstock.sources.dlt.quiet  # noqa: F401  # isort: skip - before anything of dlt

import dlt
from dlt.common.configuration.exceptions import ConfigFieldMissingException

from penstock.errors import OutsideError, PenstockError, ProjectError, RefusedError

_LATER = (408, 423, 425, 429)
_BROKEN = 500
_SHOWN = 3
_AWAY = {
    "requests.exceptions": ("ConnectionError", "Timeout", "ChunkedEncodingError"),
    "urllib3.exceptions": ("HTTPError",),
    "httpx": ("TransportError",),
    "botocore.exceptions": ("HTTPClientError", "ConnectionError"),
    "sqlalchemy.exc": ("OperationalError", "TimeoutError"),
}
_SYSTEM = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EMFILE,
    errno.ENFILE,
    errno.EIO,
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
}
_FOREIGN = (str(Path(dlt.__file__).parent), str(Path(__file__).parent))
_QUERY = re.compile(r"(\?)[^\s'\"<>]*=[^\s'\"<>]*")
_USER = re.compile(r"(://)[^\s/@'\"]+@")


@contextmanager
def told() -> Iterator[None]:
    """Inside, whatever is raised is one of our errors, with what was raised as its cause.

    OutsideError for the network, a server or a database that does not answer; ProjectError for
    configuration that is missing; an error of ours as it is; RefusedError for everything else.
    """
    try:
        yield
    except PenstockError:
        raise
    except Exception as error:
        raise _ours(error, list(_causes(error))) from error


def _ours(error: Exception, chain: list[BaseException]) -> PenstockError:
    for cause in chain:
        if isinstance(cause, PenstockError):  # raised by the code of the source: it has said what it is
            return cause
        if isinstance(cause, ConfigFieldMissingException):
            return _missing(cause)
    away = any(_is_away(cause) for cause in chain)
    resource = getattr(error, "pipe_name", None) or getattr(error, "resource_name", None)
    what = f"the resource `{resource}` of dlt failed" if resource else "a source of dlt failed"
    reason = chain[-1]
    found = f"{type(reason).__name__}: {_first_line(reason)}".rstrip(": ")
    where, hint = _line(reason), "run again later" if away else None
    return (OutsideError if away else RefusedError)(what, where=where, found=found, hint=hint)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what it was raised from, the first reason last."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__


def _is_away(error: BaseException) -> bool:
    """Whether an error tells that something outside did not answer, or not now."""
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    if isinstance(error, OSError) and error.errno in _SYSTEM:
        return True
    for kind in type(error).__mro__:
        if kind.__name__ in _AWAY.get(kind.__module__, ()):
            return True
    answer: Any = getattr(error, "response", None)  # Any: of whichever HTTP library
    status = getattr(answer, "status_code", None)
    return isinstance(status, int) and (status in _LATER or status >= _BROKEN)


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


def _line(error: BaseException) -> str | None:
    """The innermost line that is neither dlt's nor ours nor a library's that it calls."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if not f.filename.startswith(_FOREIGN) and "site-packages" not in f.filename]
    return f"{own[-1].filename}:{own[-1].lineno}, in {own[-1].name}" if own else None


def _first_line(error: BaseException) -> str:
    text = str(error).strip().partition("\n")[0]
    if callable(faults := getattr(error, "errors", None)) and hasattr(error, "error_count"):  # pydantic's
        text += "".join(f"; {'.'.join(map(str, f['loc']))}: {f['msg']}" for f in faults()[:_SHOWN])
    return _USER.sub(r"\1***@", _QUERY.sub(r"\1***", text))
