"""What users' code raised, as an error of ours that says whether a later run may succeed."""

from __future__ import annotations

import errno
import traceback
from pathlib import Path

from penstock.errors import OutsideError, PenstockError, RefusedError

_PACKAGE = str(Path(__file__).parent)
_NETWORK = ("requests", "urllib3", "httpx", "httpcore", "aiohttp", "botocore", "grpc", "websockets")
_LATER = (408, 423, 425, 429)
_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.EIO, errno.ETIMEDOUT}
_UNREACHABLE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ECONNREFUSED, errno.ENETDOWN}


def failure(resource: str, error: Exception) -> PenstockError:
    """An error that names the resource, and the user's line that raised `error`."""
    kind = OutsideError if is_outside(error) else RefusedError
    text = f"{type(error).__name__}: {error}".rstrip(": ")
    return kind(f"the resource `{resource}` failed", where=_line(error), found=text)


def is_outside(error: BaseException) -> bool:
    """Whether the world outside is to blame: network, quota, a full disk, a server's own fault."""
    status = _status(error)
    if status is not None:
        return status >= 500 or status in _LATER
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    if isinstance(error, OSError) and error.errno in _ERRNOS | _UNREACHABLE:
        return True
    homes = {cls.__module__.partition(".")[0] for cls in type(error).__mro__}
    names = {cls.__name__ for cls in type(error).__mro__}
    return bool(homes & set(_NETWORK)) or bool(names & {"URLError", "gaierror"})


def _status(error: BaseException) -> int | None:
    """The HTTP status that an error carries, in one of the usual places."""
    response = getattr(error, "response", None)
    for holder, name in ((response, "status_code"), (error, "status"), (error, "code")):
        found = getattr(holder, name, None)
        if isinstance(found, int) and 400 <= found < 600:
            return found
    return None


def _line(error: Exception) -> str | None:
    """The innermost line of the user's own code."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(_PACKAGE)]
    return f"{frames[-1].filename}:{frames[-1].lineno}, in {frames[-1].name}" if frames else None
