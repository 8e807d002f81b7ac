"""A stand-in for the GitHub API: as much of it as `tap-github` asks for the releases of a repository.

A suite imports the fixture into its `conftest.py`:

    from servers.github import github
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

REPOSITORY = "pandas-dev/pandas"
PAGE = 2


def release(number: int) -> dict[str, Any]:
    """A release as the API gives it, newer with every number."""
    at = f"2024-{number:02d}-01T10:00:00Z"
    return {
        "id": 1000 + number,
        "tag_name": f"v2.{number}.0",
        "name": f"Pandas 2.{number}.0",
        "body": f"New features and bug fixes, the {number}th.\nSee the notes.",
        "draft": False,
        "prerelease": False,
        "created_at": at,
        "published_at": at,
        "url": f"https://api.github.com/repos/{REPOSITORY}/releases/{1000 + number}",
        "node_id": f"RE_{number}",
        "assets": [],
    }


@dataclass
class GitHub:
    """The running server: where it is, what it holds, and what it was asked for."""

    url: str = ""
    releases: list[dict[str, Any]] = field(default_factory=lambda: [release(n) for n in range(1, 6)])
    asked: list[str] = field(default_factory=list)

    def publish(self) -> None:
        """One release more."""
        self.releases.append(release(len(self.releases) + 1))

    def answer(self, method: str, target: str) -> tuple[Any, dict[str, str]] | None:
        """What a request gets: a document and headers, or None for what is not there."""
        url = urlsplit(target)
        if method == "POST" and url.path == "/graphql":
            found = {"repo0": {"nameWithOwner": REPOSITORY, "databaseId": 858127}, "rateLimit": {"cost": 1}}
            return {"data": found}, {}
        if url.path == f"/repos/{REPOSITORY}":
            return self._repository(), {}
        if url.path == f"/repos/{REPOSITORY}/releases":
            page = int(parse_qs(url.query).get("page", ["1"])[0])
            newest = self.releases[::-1]
            more = len(newest) > page * PAGE
            link = f'<{self.url}{url.path}?per_page={PAGE}&page={page + 1}>; rel="next"'
            return newest[(page - 1) * PAGE : page * PAGE], {"Link": link} if more else {}
        return None

    def _repository(self) -> dict[str, Any]:
        return {
            "id": 858127,
            "name": "pandas",
            "full_name": REPOSITORY,
            "owner": {"login": "pandas-dev", "id": 1},
            "created_at": "2010-08-24T01:37:33Z",
            "updated_at": self.releases[-1]["created_at"],
        }


@pytest.fixture
def github() -> Iterator[GitHub]:
    """A server of its own for one test."""
    hub = GitHub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            hub.asked.append(f"{self.command} {re.sub(r'[?].*', '', self.path)}")
            found = hub.answer(self.command, self.path)
            body = json.dumps({"message": "Not Found"} if found is None else found[0]).encode()
            self.send_response(404 if found is None else 200)
            headers = {} if found is None else found[1]
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _answer  # noqa: N815 - the names are http.server's

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as above
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield hub
    server.shutdown()
    server.server_close()
    thread.join()
