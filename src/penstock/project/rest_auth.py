"""How an HTTP API is told who asks."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from penstock.project.base import Seconds, Spec


class BearerSpec(Spec):
    """A token in the header `Authorization`."""

    type: Literal["bearer"]
    token: str = Field(repr=False)
    """The token, such as `${API_TOKEN}`."""


class ApiKeySpec(Spec):
    """A key in a header or in the URL."""

    type: Literal["api_key"]
    name: str = "Authorization"
    """The name of the header or parameter."""
    api_key: str = Field(repr=False)
    """The key, such as `${API_KEY}`."""
    location: Literal["header", "query"] = "header"
    """Where it goes."""


class BasicSpec(Spec):
    """A user and a password."""

    type: Literal["basic"]
    username: str
    """The user."""
    password: str = Field(default="", repr=False)
    """The password, such as `${API_PASSWORD}`."""


class OAuth2Spec(Spec):
    """OAuth 2.0 client credentials: a token that is asked for, kept while it lasts, and renewed.

    Units: `expires_s` in seconds.
    """

    type: Literal["oauth2_client_credentials"]
    access_token_url: str
    """Where tokens are given."""
    client_id: str
    """Who asks."""
    client_secret: str = Field(repr=False)
    """The client's secret, such as `${CLIENT_SECRET}`."""
    scope: str | None = None
    """What the token is for."""
    fields: dict[str, str] = Field(default_factory=dict, json_schema_extra={"minProperties": 0})
    """Further fields of the form, such as `{audience: ...}`."""
    client_in: Literal["body", "header"] = "body"
    """Whether the client's id and secret go into the form or into the header `Authorization`."""
    expires_s: Seconds = 3600.0
    """How long a token lasts if the answer does not say."""


AuthSpec = BearerSpec | ApiKeySpec | BasicSpec | OAuth2Spec
