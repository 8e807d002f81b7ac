"""One request as a value, and what pagination makes of it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

import msgspec

from penstock.errors import RefusedError
from penstock.schema.jsonpath import parse_path
from penstock.sources.rest.secrecy import is_secret_name

# Any throughout: bodies are JSON of any depth

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for. `params` come on top of those that `url` has; `private` are names of
    parameters that are never kept: they are put in again whenever a link is followed."""

    method: str
    url: str
    params: Pairs = ()
    headers: Pairs = ()
    body: Any = None
    private: frozenset[str] = frozenset()

    @property
    def address(self) -> str:
        """The URL with all parameters."""
        if not self.params:
            return self.url
        return f"{self.url}{'&' if '?' in self.url else '?'}{urlencode(self.params)}"

    @property
    def content(self) -> bytes | None:
        """The body as it is sent."""
        return None if self.body is None else msgspec.json.encode(self.body)

    def with_param(self, name: str, value: str) -> Question:
        """With one parameter set, whether it was there or not."""
        kept = tuple(pair for pair in self.params if pair[0] != name)
        return replace(self, url=without(self.url, {name}), params=(*kept, (name, value)))

    def with_body(self, path: str, value: Any) -> Question:
        """With one value of the body set. Raises: RefusedError for a path that is no list of names."""
        names = parse_path(path).names
        if names is None:
            raise RefusedError(f"`{path}` is no place in a body", expected="names with dots between them")
        body = copy.deepcopy(self.body) if isinstance(self.body, dict) else {}
        inner = body
        for name in names[:-1]:
            inner = inner.setdefault(name, {})
        inner[names[-1]] = value
        return replace(self, body=body)

    def to(self, link: str) -> Question:
        """The same for another address, which may be relative to this one. Raises: RefusedError."""
        names = {name for name, _ in self.params if is_secret_name(name)} | self.private
        kept = tuple(pair for pair in self.params if pair[0] in names)
        try:
            return replace(self, url=without(urljoin(self.url, link), names), params=kept)
        except ValueError as error:
            raise RefusedError("a link of the API leads nowhere", found=str(error)) from error


def without(url: str, names: frozenset[str] | set[str]) -> str:
    """A URL less some of its parameters; as it is if it has none of them."""
    parts = urlsplit(url)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    kept = [pair for pair in pairs if pair[0] not in names]
    return url if len(kept) == len(pairs) else urlunsplit(parts._replace(query=urlencode(kept)))


def origin(url: str) -> tuple[str, str]:
    """Scheme and host (with its port) of a URL, as comparable texts."""
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    return parts.scheme, f"{parts.hostname}:{port}"


def texts(value: Any) -> Sequence[str]:
    """A parameter's value as it stands in a URL, once for each element of a list."""
    if isinstance(value, list | tuple):
        return [text for item in value for text in texts(item)]
    if isinstance(value, bool):
        return ["true" if value else "false"]
    return [str(value)]
