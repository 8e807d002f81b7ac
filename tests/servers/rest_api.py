"""A real HTTP server on the loopback that answers as a test says, badly if need be, and keeps a diary."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Request:
    """What was asked."""

    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Reply:
    """What to answer. `cut` closes the connection after so many bytes of the body."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    chunked: bool = False
    delay_s: float = 0

    @property
    def data(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


class Api:
    """The server: `answers` has a function for each path, `asked` all requests in the order of arrival."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[Request], Any]] = {}
        self.asked: list[Request] = []
        self.at_once = self.most_at_once = 0
        self._lock = threading.Lock()
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def answer(self) -> None:
                api._serve(self)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_: Any) -> None:
                pass  # clients that are killed leave in the middle of things

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def paths(self) -> list[str]:
        """Path and parameters of all requests, as one text each."""
        return [
            r.path + ("?" + "&".join(f"{k}={v}" for k, v in r.params.items()) if r.params else "")
            for r in self.asked
        ]

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        size = int(handler.headers.get("Content-Length") or 0)
        request = Request(
            handler.command,
            parts.path,
            dict(parse_qsl(parts.query, keep_blank_values=True)),
            {k.lower(): v for k, v in handler.headers.items()},
            handler.rfile.read(size),
        )
        with self._lock:
            self.asked.append(request)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            answer = self.answers.get(parts.path, lambda _: Reply({"error": "not found"}, 404))
            reply = answer(request)
            reply = reply if isinstance(reply, Reply) else Reply(reply)
            time.sleep(reply.delay_s)
        finally:
            with self._lock:
                self.at_once -= 1
        self._reply(handler, reply)

    def _reply(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        data = reply.data
        handler.send_response(reply.status)
        headers = {"Content-Type": "application/json", **reply.headers}
        if reply.status != 204 and not reply.chunked:
            headers["Content-Length"] = str(len(data))
        if reply.cut is not None or reply.chunked:
            headers["Connection"] = "close"
            handler.close_connection = True
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        if reply.status != 204:
            handler.wfile.write(data if reply.cut is None else data[: reply.cut])


def paged(total: int, size: int = 10, **extra: Any) -> Callable[[Request], Any]:
    """Answers `?page=1..` (or `?offset=&limit=`) of numbered records."""

    def answer(request: Request) -> Any:
        if "offset" in request.params:
            first, count = int(request.params["offset"]), int(request.params.get("limit", size))
        else:
            first, count = (int(request.params.get("page", 1)) - 1) * size, size
        rows = [{"id": n} for n in range(first, min(first + count, total))]
        return {"items": rows, "total": total, "pages": -(-total // size), **extra}

    return answer
