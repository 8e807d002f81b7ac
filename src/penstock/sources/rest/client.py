"""Questions become answers: sent at the right pace, with credentials, again where that may help.

Requests go straight to httpx's transport. Its client would cost as much again as a transfer, and what
it adds (redirects, cookies, credentials for redirects) must be decided here anyway.
"""

from __future__ import annotations

import random
import threading
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

import httpx
import msgspec

from penstock.errors import MissingPartError, OutsideError, PenstockError, RefusedError
from penstock.project.rest import ResponseSpec, RestApiSpec
from penstock.sources.rest.answer import Answer, tidy
from penstock.sources.rest.auth import auth_of
from penstock.sources.rest.pace import Pace, asked_for
from penstock.sources.rest.question import Question, origin
from penstock.sources.rest.secrecy import Secrets
from penstock.version import __version__

REDIRECTS = frozenset({301, 302, 303, 307, 308})
MOST_REDIRECTS = 10
SHOWN, READ_BYTES = 300, 1 << 13  # of a body in a message, in characters; and what is looked at for it
HINTS = {
    400: "see what the body says about the parameters",
    401: "the credentials were not accepted: see `auth` of the source",
    403: "the credentials do not allow this: see `auth` of the source",
    404: "see `base_url` and `path`; `responses: [{status: 404, action: ignore}]` takes it for no records",
    405: "see `method`",
    429: "set `rate_limit`, or more `retry.attempts`",
}


@dataclass(frozen=True, slots=True)
class _Fault:
    """Why an answer, or the lack of one, was not taken. Units: `asked_s` as the server wishes."""

    what: str
    found: str | None = None
    asked_s: float | None = None
    hint: str | None = None


class Client:
    """What asks. For several threads at once. Units: `clock` in Unix seconds."""

    def __init__(
        self,
        spec: RestApiSpec,
        secrets: Secrets,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], object] | None,
        transport: httpx.BaseTransport | None,
    ) -> None:
        self._spec, self._secrets, self._clock = spec, secrets, clock
        self._closed = threading.Event()
        self._sleep = sleep or self._closed.wait
        self._transport = transport or _transport(spec)
        self._pace = Pace(spec.rate_limit, clock, self._wait)
        self._origins = {origin(spec.base_url)}
        self._timeout = {"timeout": httpx.Timeout(spec.timeout_s).as_dict()}
        self._auth = auth_of(spec.auth, self._post, clock, secrets.add)
        self._random = random.Random()  # noqa: S311 - it spreads retries, and guards nothing

    @property
    def private(self) -> frozenset[str]:
        """The parameters that credentials go into."""
        return frozenset(self._auth.params)

    def stop(self) -> None:
        """Begin no further request, and end all waits."""
        self._closed.set()

    def close(self) -> None:
        """Let go of connections; called when no thread asks any more."""
        self._closed.set()
        self._transport.close()

    def check(self, url: str) -> None:
        """Nothing, if credentials may be sent there. Raises: RefusedError."""
        try:
            there = origin(url)
        except ValueError as error:
            raise self._no_address(url, error) from error
        if there not in self._origins and urlsplit(url).netloc not in self._spec.hosts:
            raise RefusedError(
                "a link leads to another host, which may not be sent credentials",
                where=self._secrets.url(url),
                expected=f"an address of {self._spec.base_url}",
                hint=f"if it is to be trusted, add `hosts: [{urlsplit(url).netloc}]` to the source",
            )

    def _no_address(self, url: str, error: Exception) -> RefusedError:
        return RefusedError(
            "a request cannot be made", where=self._secrets.hide(url), found=self._secrets.hide(str(error))
        )

    # -------------------------------------------------------------------------------- asking

    def ask(
        self, question: Question, responses: Sequence[ResponseSpec], read: Callable[[Answer], None]
    ) -> Answer:
        """The answer, which `read` has read without fault.

        Raises: RefusedError if asking again is of no use; OutsideError if it did not help.
        """
        rules = (*responses, *self._spec.responses)

        def once() -> Answer | _Fault:
            answer = self._send(question)
            fault = self._judge(answer, rules, question)
            if fault is None and not answer.ignored:
                fault = self._reading(answer, read)
            return fault or answer

        return self._until(once, question.address)

    def _until(self, once: Callable[[], Answer | _Fault], url: str) -> Answer:
        """Try until there is an answer, waiting in between."""
        retry = self._spec.retry
        fault = _Fault("the request was not made")
        for attempt in range(1, retry.attempts + 1):
            self._pace.wait()
            self._check_open()
            try:
                made = once()
            except httpx.HTTPError as error:
                fault = _Fault(_lost(error), f"{type(error).__name__}: {error}")
            else:
                if isinstance(made, Answer):
                    return made
                fault = made
            if attempt == retry.attempts:
                break
            if fault.asked_s is not None:
                self._check_wait(fault.asked_s, url)
                self._pace.hold(fault.asked_s)
            else:
                longest = min(retry.wait_s * 2 ** (attempt - 1), retry.max_wait_s)
                self._wait(longest * self._random.uniform(0.5, 1))
        raise self._error(OutsideError, f"{fault.what}, {retry.attempts} times", url, fault)

    def _check_wait(self, seconds: float, url: str) -> None:
        most = self._spec.retry.max_asked_s
        if seconds > most:
            raise OutsideError(
                f"the API asks to wait for {seconds:,.0f} s",
                where=self._secrets.url(url),
                expected=f"at most {most:,.0f} s",
                hint="run again later, or raise `retry.max_asked_s`",
            )

    def _wait(self, seconds: float) -> None:
        if seconds > 0:
            self._sleep(seconds)
        self._check_open()

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise OutsideError("the run has ended")

    def _send(self, question: Question) -> Answer:
        """Ask once, with fresh credentials if need be, and follow where it leads."""
        for _ in range(MOST_REDIRECTS):
            answer = self._authorised(question)
            target = answer.headers.get("location")
            if answer.status not in REDIRECTS or not target:
                return answer
            question = question.to(target)
            if answer.status == 303:
                question = Question("GET", question.url, question.params, question.headers)
        raise self._error(RefusedError, "it leads on and on", question.address, _Fault("", "redirects"))

    def _authorised(self, question: Question) -> Answer:
        self.check(question.url)
        self._auth.begin()
        credentials = self._auth.headers
        for name, value in self._auth.params.items():
            question = question.with_param(name, value)
        answer = self._exchange(question, credentials)
        if answer.status == 401 and self._auth.renew(credentials):
            answer = self._exchange(question, self._auth.headers)
        return answer

    def _exchange(self, question: Question, credentials: Mapping[str, str]) -> Answer:
        content = question.content
        headers = {**dict(question.headers), **credentials}
        if content is not None:
            headers.setdefault("Content-Type", "application/json")
        return self._transfer(question.method, question.address, headers, content)

    def _transfer(self, method: str, url: str, headers: Mapping[str, str], content: bytes | None) -> Answer:
        try:
            request = httpx.Request(
                method, url, headers=_STANDARD | dict(headers), content=content, extensions=self._timeout
            )
            response = self._transport.handle_request(request)
        except (httpx.InvalidURL, httpx.LocalProtocolError, httpx.UnsupportedProtocol, UnicodeError) as error:
            raise self._no_address(self._secrets.url(url), error) from None  # it may show a header
        response.request = request
        try:
            body = response.read()
        finally:
            response.close()
        found = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, found, body)

    def _post(self, url: str, fields: Mapping[str, str], headers: Mapping[str, str]) -> bytes:
        """Ask for a token."""
        form = urlencode(fields).encode()
        headers = {**headers, "Content-Type": "application/x-www-form-urlencoded"}
        question = Question("POST", url)

        def once() -> Answer | _Fault:
            answer = self._transfer("POST", url, headers, form)
            return self._judge(answer, (), question) or answer

        return self._until(once, url).body

    # ------------------------------------------------------------------------------- judging

    def _judge(self, answer: Answer, rules: Sequence[ResponseSpec], question: Question) -> _Fault | None:
        """Why an answer is to be asked for again; None if it is good or to be ignored.

        Raises: RefusedError for one that will not get better.
        """
        status = answer.status
        rule = next((r for r in rules if _fits(r, answer)), None)
        action = rule.action if rule is not None else None
        answer.ignored = action == "ignore" or (action is None and status == 204)
        if answer.ignored or (action is None and 200 <= status < 300):
            return None
        asked_s = asked_for(answer.headers, self._clock())
        fault = _Fault(f"the API answered with {status}", self.excerpt(answer), asked_s, HINTS.get(status))
        limited = status == 403 and asked_s is not None
        if action == "retry" or (action is None and (status in self._spec.retry.status or limited)):
            return fault
        what = f"{fault.what}, which `responses` refuses" if action == "fail" else fault.what
        raise self._error(RefusedError, what, question.address, fault)

    def _reading(self, answer: Answer, read: Callable[[Answer], None]) -> _Fault | None:
        """What keeps an answer from being read."""
        try:
            answer.body = tidy(answer.body, _charset(answer.headers.get("content-type", "")))
            read(answer)
        except (msgspec.DecodeError, UnicodeDecodeError, LookupError) as error:
            kind = answer.headers.get("content-type", "no type")
            return _Fault(
                "the API answered with what is not JSON",
                f"{kind}: {self.excerpt(answer)} ({error})",
                hint="see `base_url` and `path`: neither pages for people nor parts of answers are JSON",
            )
        return None

    def _error(self, kind: type[PenstockError], what: str, url: str, fault: _Fault) -> PenstockError:
        found = self._secrets.hide(fault.found) if fault.found else None
        return kind(what, where=self._secrets.url(url), found=found, hint=fault.hint)

    def excerpt(self, answer: Answer) -> str:
        """The beginning of an answer's body, on one line, as people may see it."""
        text = self._secrets.hide(answer.body[:READ_BYTES].decode("utf-8", "replace"))
        text = " ".join(text.split())
        return text if len(text) <= SHOWN else text[:SHOWN] + "…"

    def shown(self, question: Question) -> str:
        """The address of a question, as people may see it."""
        return self._secrets.url(question.address)


_STANDARD = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
    "User-Agent": f"penstock/{__version__}",
}


def _fits(rule: ResponseSpec, answer: Answer) -> bool:
    return (not rule.status or answer.status in rule.status) and (
        rule.content is None or rule.content.encode() in answer.body
    )


def _charset(content_type: str) -> str | None:
    _, found, rest = content_type.partition("charset=")
    return rest.partition(";")[0].strip(" \"'") if found else None


def _lost(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "the API did not answer in time"
    if isinstance(error, httpx.ConnectError):
        return "the API cannot be reached"
    if isinstance(error, httpx.DecodingError | httpx.RemoteProtocolError | httpx.ReadError):
        return "the answer was cut off"
    return "the request failed"


def _transport(spec: RestApiSpec) -> httpx.HTTPTransport:
    """A connection pool, through the proxy that the environment names for the API.

    Raises: MissingPartError, OutsideError for a proxy that cannot be used.
    """
    parts = urlsplit(spec.base_url)
    bypass = urllib.request.proxy_bypass(parts.hostname or "")
    proxies = {} if bypass else urllib.request.getproxies()
    limits = httpx.Limits(
        max_connections=spec.concurrency + 1, max_keepalive_connections=spec.concurrency + 1
    )
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    try:
        return httpx.HTTPTransport(proxy=proxy, limits=limits)
    except ImportError as error:
        hint = "pip install 'httpx[socks]'"
        raise MissingPartError("a proxy for SOCKS needs a package", found=str(error), hint=hint) from error
    except ValueError as error:
        hint = f"see the environment variable `{parts.scheme}_proxy`"
        raise OutsideError("the proxy for the API has no address", hint=hint) from error
