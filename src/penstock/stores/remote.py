"""A connection to a bucket: made from a URL and the environment, its faults named without secrets."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    InvalidPathError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import MemoryStore, from_url
from obstore.store import ObjectStore as Remote

from penstock.errors import NotFoundError, ProjectError, RefusedError, StoreError

if TYPE_CHECKING:
    from obstore.store import ClientConfig, S3Config

_TOKENS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_TRUE = frozenset({"1", "true", "yes", "on"})

# S3's answers are XML, Azure's too; what a person needs is in two of its elements
_CODE = re.compile(r"<Code>(.*?)</Code>", re.DOTALL)
_MESSAGE = re.compile(r"<Message>(.*?)</Message>", re.DOTALL)
_USERINFO = re.compile(r"(?<=://)[^/\s@]+@")
_QUERY = re.compile(r"(://[^\s?\"']+)\?[^\s\"')>]*")


def connect(url: str, retry_s: float) -> Remote:
    """The bucket (and prefix) of a URL; credentials, region and endpoint come from the environment.

    Raises: ProjectError for a URL that names no bucket or carries credentials.
    """
    scheme = _check(url)
    if scheme == "memory":
        return _memory(url)
    config: S3Config = {}
    if scheme in ("s3", "s3a") and "AWS_COPY_IF_NOT_EXISTS" not in os.environ:
        config["copy_if_not_exists"] = "multipart"
    # copying gigabytes inside a bucket is one request, which answers when it is done
    client: ClientConfig = {"allow_http": _plain_http(), "timeout": "15m", "read_timeout": "3m"}
    try:
        return from_url(
            url,
            config=config,
            client_options=client,
            retry_config={"retry_timeout": timedelta(seconds=retry_s)},
        )
    except BaseError as error:
        raise ProjectError(
            "this URL leads to no bucket",
            where=url,
            found=describe(error),
            expected="s3://bucket/prefix, gs://bucket/prefix or az://container/prefix",
            hint=_credentials(scheme),
        ) from None


@cache
def _memory(url: str) -> MemoryStore:  # noqa: ARG001  # the name under which it is cached
    return MemoryStore()


def _check(url: str) -> str:
    """The scheme of a URL that carries no secrets."""
    parts = urlsplit(url)
    # abfss://container@account: what stands before the @ is no user there
    named = parts.username is not None and not parts.scheme.startswith("abfs")
    if parts.password is not None or named or parts.query or parts.fragment:
        raise ProjectError(
            "a bucket's URL holds no credentials and no options",
            where=describe(url.partition("#")[0]),
            expected="only scheme, bucket and prefix (write `?` as %3F and `#` as %23)",
            hint=_credentials(parts.scheme),
        )
    return parts.scheme


def _plain_http() -> bool:
    """Whether unencrypted requests are allowed: for an endpoint on this machine, or as the user says."""
    endpoints = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT", "AZURE_STORAGE_ENDPOINT")
    told = ("AWS_ALLOW_HTTP", "AZURE_ALLOW_HTTP", "GOOGLE_ALLOW_HTTP")
    return any(urlsplit(os.environ.get(name, "")).hostname in _LOOPBACK for name in endpoints) or any(
        os.environ.get(name, "").lower() in _TRUE for name in told
    )


@contextmanager
def faults(doing: str, key: str, url: str) -> Iterator[None]:
    """Turn a failed request into the error that says what to do about it.

    Conflicts (`AlreadyExistsError`) pass through: what they mean is for the caller to say.
    Raises: NotFoundError; RefusedError for a key that a bucket cannot hold; StoreError.
    """
    what = f"cannot {doing} `{key}`" if key else f"cannot {doing}"
    try:
        yield
    except FileNotFoundError as error:
        if doing == "write" or _no_bucket(error):
            raise StoreError(what, where=url, found=describe(error), hint=_NO_BUCKET) from None
        raise NotFoundError(f"there is no object `{key}`", where=url) from None
    except ValueError as error:
        raise RefusedError(
            f"{key!r} cannot be the key of an object",
            where=url,
            found=describe(error),
            hint="rename the file: no control characters, no empty parts",
        ) from None
    except AlreadyExistsError:
        raise
    except BaseError as error:
        raise StoreError(what, where=url, found=describe(error), hint=_hint(error, url)) from None


def describe(error: Exception | str) -> str:
    """What a driver says, in one line, without queries (they carry signatures) and passwords."""
    text = str(error).partition("\n\nDebug source:")[0]
    code, message = _CODE.search(text), _MESSAGE.search(text)
    if code and message:
        text = f"{code[1]}: {message[1]}"
    return " ".join(_QUERY.sub(r"\1", _USERINFO.sub("***@", text)).split())


_NO_BUCKET = "create the bucket, or correct its name in the URL"


def _no_bucket(error: Exception) -> bool:
    return any(code in str(error) for code in ("NoSuchBucket", "ContainerNotFound"))


def _hint(error: BaseError, url: str) -> str:
    text = str(error)
    if isinstance(error, (PermissionDeniedError, UnauthenticatedError)) or "169.254.169.254" in text:
        return _credentials(urlsplit(url).scheme)
    if isinstance(error, PreconditionError):
        return "the object was replaced while it was read; run again"
    if isinstance(error, InvalidPathError):
        return "the bucket holds a key with an empty part (`a//b`); rename or remove that object"
    if _no_bucket(error):
        return _NO_BUCKET
    if "builder error" in text:
        return "the endpoint is not https; set AWS_ALLOW_HTTP=true if you trust the network"
    return "check the network and the endpoint, and run again"


def _credentials(scheme: str) -> str:
    names = _TOKENS.get(scheme.replace("s3a", "s3"))
    return (
        f"set {names} in the environment, or run where a role grants access"
        if names
        else "put credentials into the environment"
    )
