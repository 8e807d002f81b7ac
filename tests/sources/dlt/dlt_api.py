"""A small web API."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

PAGE = 2


class Api(ThreadingHTTPServer):
    """Issues with their comments, page by page; remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.issues = [{"id": n, "updated": f"2024-01-0{n}T00:00:00Z"} for n in range(1, 6)]
        self.asked: list[str] = []
        self.status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Answers(BaseHTTPRequestHandler):
    server: Api

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        page = int(query.get("page", ["1"])[0])
        if path == "/issues":
            since = query.get("since", [""])[0]
            found = [i for i in self.server.issues if i["updated"] >= since]
            body: Any = {"data": found[PAGE * (page - 1) : PAGE * page], "pages": -(-len(found) // PAGE)}
        else:
            body = [{"text": f"on {path.split('/')[2]}"}]
        text = json.dumps(body).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
        """Say nothing."""
