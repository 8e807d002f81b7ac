"""Who asks: credentials for each request, and tokens that are renewed."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from penstock.errors import RefusedError
from penstock.project.rest_auth import ApiKeySpec, AuthSpec, BasicSpec, BearerSpec, OAuth2Spec

EARLY_S = 30.0  # a token is renewed so long before it ends

Post = Callable[[str, Mapping[str, str], Mapping[str, str]], bytes]
"""Sends a form: the URL, its fields, headers; gives back the body."""


class Auth(Protocol):
    """Credentials of requests."""

    headers: Mapping[str, str]
    params: Mapping[str, str]

    def begin(self) -> None:
        """See to it that there are credentials."""
        ...

    def renew(self, headers: Mapping[str, str]) -> bool:
        """After a request with these was turned away: whether there are others now."""
        ...


class Fixed:
    """Credentials that stay."""

    def __init__(
        self, headers: Mapping[str, str] | None = None, params: Mapping[str, str] | None = None
    ) -> None:
        self.headers = headers or {}
        self.params = params or {}

    def begin(self) -> None:
        """Nothing: they are there."""

    def renew(self, headers: Mapping[str, str]) -> bool:  # noqa: ARG002 - there are no others
        """No."""
        return False


class ClientCredentials:
    """A token of OAuth 2.0, asked for when there is none or it is over."""

    params: Mapping[str, str] = {}

    def __init__(
        self,
        spec: OAuth2Spec,
        post: Post,
        clock: Callable[[], float],
        learn: Callable[[str], None],
    ) -> None:
        self.headers: Mapping[str, str] = {}
        self._spec, self._post, self._clock, self._learn = spec, post, clock, learn
        self._ends = 0.0
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Ask for a token unless there is one that lasts. Raises: RefusedError, OutsideError."""
        with self._lock:
            if not self.headers or self._clock() >= self._ends:
                self._ask()

    def renew(self, headers: Mapping[str, str]) -> bool:
        """Ask for another token, unless another thread has just done so."""
        with self._lock:
            if headers == self.headers:
                self._ask()
        return True

    def _ask(self) -> None:
        spec = self._spec
        fields = {"grant_type": "client_credentials", **spec.fields}
        if spec.scope:
            fields["scope"] = spec.scope
        headers = {}
        if spec.client_in == "body":
            fields |= {"client_id": spec.client_id, "client_secret": spec.client_secret}
        else:
            headers["Authorization"] = basic(spec.client_id, spec.client_secret)
        body = self._post(spec.access_token_url, fields, headers)
        try:
            said = msgspec.json.decode(body, type=dict[str, object])
            token, lasts = said["access_token"], float(str(said.get("expires_in") or spec.expires_s))
        except (msgspec.DecodeError, KeyError, ValueError) as error:
            raise RefusedError(
                "the answer of the token's address has no `access_token`",
                where=spec.access_token_url,
                hint="see `auth.access_token_url`",
            ) from error
        self._learn(str(token))
        self._ends = self._clock() + max(lasts - EARLY_S, lasts / 2)
        self.headers = {"Authorization": f"Bearer {token}"}


def basic(user: str, password: str) -> str:
    """A user and a password as the header `Authorization` has them."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def auth_of(
    spec: AuthSpec | None, post: Post, clock: Callable[[], float], learn: Callable[[str], None]
) -> Auth:
    """What a project says of credentials, ready to use; `learn` is told every secret."""
    if isinstance(spec, BearerSpec):
        learn(spec.token)
        return Fixed({"Authorization": f"Bearer {spec.token}"})
    if isinstance(spec, ApiKeySpec):
        learn(spec.api_key)
        given = {spec.name: spec.api_key}
        return Fixed(given) if spec.location == "header" else Fixed(params=given)
    if isinstance(spec, BasicSpec):
        header = basic(spec.username, spec.password)
        learn(spec.password)
        learn(header.removeprefix("Basic "))
        return Fixed({"Authorization": header})
    if isinstance(spec, OAuth2Spec):
        learn(spec.client_secret)
        learn(basic(spec.client_id, spec.client_secret).removeprefix("Basic "))
        return ClientCredentials(spec, post, clock, learn)
    return Fixed()
