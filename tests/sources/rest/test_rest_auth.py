"""Who asks, and that nobody else learns of it."""

from __future__ import annotations

import base64
import json
import logging
from typing import Any

import pytest
from rest_runs import fetch, get

from penstock.errors import OutsideError, RefusedError
from servers.rest_api import Api, Reply, Request

ONE = [{"id": 1}]
SECRET = "s3cr3t/+value"


def guarded(api: Api, is_known: Any) -> None:
    """An API that answers to those who it knows."""
    api.answers["/t"] = lambda r: ONE if is_known(r) else Reply({"error": "who are you"}, 401)


@pytest.mark.parametrize(
    ("auth", "is_known"),
    [
        ({"type": "bearer", "token": SECRET}, lambda r: r.headers["authorization"] == f"Bearer {SECRET}"),
        ({"type": "api_key", "name": "X-Key", "api_key": SECRET}, lambda r: r.headers["x-key"] == SECRET),
        (
            {"type": "api_key", "name": "apikey", "api_key": SECRET, "location": "query"},
            lambda r: r.params == {"q": "1", "apikey": SECRET},
        ),
        (
            {"type": "basic", "username": "ada", "password": SECRET},
            lambda r: base64.b64decode(r.headers["authorization"][6:]).decode() == f"ada:{SECRET}",
        ),
    ],
    ids=["bearer", "header", "query", "basic"],
)
def test_credentials(api: Api, auth: Any, is_known: Any) -> None:
    guarded(api, is_known)
    assert fetch(api.url, tables={"t": {"path": "t", "params": {"q": 1}}}, auth=auth).ids() == [1]
    guarded(api, lambda r: False)
    got = get(api.url, tables={"t": "t"}, auth=auth)
    assert isinstance(got.error, RefusedError)
    assert "the credentials were not accepted" in str(got.error)


# ----------------------------------------------------------------------------------------- OAuth


class Issuer:
    """Gives tokens, of which only the last one is good, for `uses` requests each."""

    def __init__(self, api: Api, uses: int = 10**6, expires_in: Any = 3600) -> None:
        self.asked: list[Request] = []
        self.uses, self.left, self.expires_in = uses, 0, expires_in
        api.answers["/token"] = self.token
        api.answers["/t"] = self.guard

    def token(self, request: Request) -> Any:
        self.asked.append(request)
        self.left = self.uses
        return {"access_token": f"token-{len(self.asked)}", "expires_in": self.expires_in}

    def guard(self, request: Request) -> Any:
        good = request.headers.get("authorization") == f"Bearer token-{len(self.asked)}" and self.left > 0
        self.left -= good
        number = int(request.params["page"])
        return ([{"id": number}] if number < 10 else []) if good else Reply({"error": "expired"}, 401)


def oauth(api: Api, **more: Any) -> dict[str, Any]:
    auth = {
        "type": "oauth2_client_credentials",
        "access_token_url": f"{api.url}/token",
        "client_id": "me",
        "client_secret": SECRET,
        **more,
    }
    return {"auth": auth, "tables": {"t": {"path": "t", "paginator": "page_number"}}}


def test_a_token_is_asked_for_once(api: Api) -> None:
    issuer = Issuer(api)
    assert fetch(api.url, **oauth(api, scope="read", fields={"audience": "x"})).ids() == [*range(1, 10)]
    [asked] = issuer.asked
    assert asked.method == "POST"
    assert b"grant_type=client_credentials" in asked.body
    assert b"scope=read" in asked.body
    assert b"audience=x" in asked.body
    assert b"client_secret=s3cr3t%2F%2Bvalue" in asked.body


def test_the_client_may_be_named_in_the_header(api: Api) -> None:
    issuer = Issuer(api)
    fetch(api.url, **oauth(api, client_in="header"))
    assert b"client_secret" not in issuer.asked[0].body
    assert base64.b64decode(issuer.asked[0].headers["authorization"][6:]).decode() == f"me:{SECRET}"


def test_a_token_that_expires_in_the_middle(api: Api) -> None:
    issuer = Issuer(api, uses=4)
    assert fetch(api.url, **oauth(api)).ids() == [*range(1, 10)]
    assert len(issuer.asked) == 3


def test_a_token_is_renewed_before_it_ends(api: Api) -> None:
    issuer = Issuer(api, expires_in="0.000001")
    assert fetch(api.url, **oauth(api)).ids() == [*range(1, 10)]
    assert len(issuer.asked) == 10
    assert all(r.headers["authorization"] for r in api.asked if r.path == "/t")


def test_several_threads_renew_a_token_once(api: Api) -> None:
    issuer = Issuer(api)
    api.answers["/t"] = lambda r: (
        {"id": 1} if r.headers["authorization"] == "Bearer token-2" else Reply({}, 401, delay_s=0.1)
    )
    said = {**oauth(api), "tables": {"t": {"path": "t", "repeat": 8, "paginator": "single_page"}}}
    assert fetch(api.url, **said, concurrency=4).ids() == [1] * 8
    assert len(issuer.asked) == 2


def test_tokens_are_refused(api: Api) -> None:
    api.answers["/token"] = lambda _: Reply({"error": "invalid_client", "sent": SECRET}, 401)
    error = get(api.url, **oauth(api)).error
    assert isinstance(error, RefusedError)
    assert f"where: {api.url}/token" in str(error)
    assert SECRET not in str(error)


def test_an_answer_without_a_token(api: Api) -> None:
    api.answers["/token"] = lambda _: {"token": "x"}
    assert "has no `access_token`" in str(get(api.url, **oauth(api)).error)


# --------------------------------------------------------------------------------------- secrecy


def everything_said(api: Api, caplog: pytest.LogCaptureFixture, **said: Any) -> str:
    caplog.set_level(logging.DEBUG)
    got = get(api.url, checkpoint_s=0, **said)
    return "\n".join([str(got.error), repr(got.error), *map(str, got.states), *got.told, caplog.text])


@pytest.mark.parametrize("status", [403, 500, 200])
def test_secrets_are_in_no_message_and_no_state(
    api: Api, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    """The API shows all it was sent, and sends links that have the key in them."""

    def answer(request: Request) -> Any:
        if request.params.get("n") == "2":
            shown = {"sent": [request.headers, request.params]}
            return Reply(shown if status != 200 else b"<" + json.dumps(shown).encode(), status)
        query = "&".join(
            f"{k}={v.replace('/', '%2F').replace('+', '%2B')}" for k, v in request.params.items()
        )
        return {"data": [{"id": 1}], "next": f"/t?{query}&n=2"}

    api.answers["/t"] = answer
    said = everything_said(
        api,
        caplog,
        auth={"type": "api_key", "name": "k", "api_key": SECRET, "location": "query"},
        headers={"X-Access-Token": "another-secret", "X-Plain": "plain"},
        params={"access_token": "third-secret"},
        tables={"t": {"path": "t", "records": "data", "headers": {"X-Api-Secret": "fourth-secret"}}},
    )
    assert "n=2" in said
    for secret in (SECRET, "s3cr3t%2F%2Bvalue", "another-secret", "third-secret", "fourth-secret"):
        assert secret not in said
    assert api.asked[-1].params == {"access_token": "third-secret", "k": SECRET, "n": "2"}
    assert api.asked[-1].headers["x-access-token"] == "another-secret"


def test_a_link_to_another_host_gets_no_credentials(api: Api) -> None:
    other = Api()
    try:
        other.answers["/t"] = lambda _: {"data": [{"id": 2}]}
        api.answers["/t"] = lambda _: {"data": [{"id": 1}], "next": f"{other.url}/t"}
        said = {
            "tables": {"t": {"path": "t", "records": "data"}},
            "auth": {"type": "bearer", "token": SECRET},
        }
        got = get(api.url, **said)
        assert isinstance(got.error, RefusedError)
        assert "leads to another host" in str(got.error)
        assert not other.asked
        host = other.url.removeprefix("http://")
        assert f"`hosts: [{host}]`" in str(got.error)
        assert fetch(api.url, **said, hosts=[host]).ids() == [1, 2]
        assert other.asked[0].headers["authorization"] == f"Bearer {SECRET}"
    finally:
        other.close()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects(api: Api, status: int) -> None:
    api.answers["/old"] = lambda _: Reply({}, status, {"Location": "/t?x=1"})
    api.answers["/t"] = lambda r: [{"id": r.method}]
    table = {"path": "old", "method": "POST", "json": {"a": 1}}
    assert fetch(api.url, tables={"t": table}).ids() == ["GET" if status == 303 else "POST"]
    assert api.asked[-1].params == {"x": "1"}


def test_redirects_to_another_host_get_no_credentials(api: Api) -> None:
    api.answers["/t"] = lambda _: Reply({}, 302, {"Location": "http://127.0.0.1:9/t"})
    got = get(api.url, tables={"t": "t"}, auth={"type": "bearer", "token": SECRET})
    assert "leads to another host" in str(got.error)


def test_redirects_without_end(api: Api) -> None:
    api.answers["/t"] = lambda _: Reply({}, 302, {"Location": "/t"})
    got = get(api.url, tables={"t": "t"})
    assert isinstance(got.error, RefusedError)
    assert not isinstance(got.error, OutsideError)
    assert len(api.asked) == 10


def test_a_secret_with_a_line_break_is_not_shown(api: Api) -> None:
    api.answers["/t"] = lambda _: ONE
    got = get(api.url, tables={"t": "t"}, auth={"type": "bearer", "token": "long-secret-token\n"})
    assert isinstance(got.error, RefusedError)
    assert "a request cannot be made" in str(got.error)
    assert "long-secret" not in str(got.error)
    assert got.error.__cause__ is None
    assert not api.asked
