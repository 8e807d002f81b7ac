"""`python -m benchmarks.rest`: what it costs to get 1,000 pages of 100 records, in rows per CPU second.

`httpx` is a loop that asks for the pages and reads them, no more. `penstock` is a run of a project that
asks for the same pages, lands, checks, keeps and loads them, less a run that does all but ask: it loads the
same records from a file. The server is a process of its own, and counts in neither.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from urllib.parse import parse_qs, urlsplit

PAGES, SIZE, ROUNDS = 1000, 100, 3
ROWS = PAGES * SIZE
LOOP = """
import httpx
total = 0
with httpx.Client(base_url="{url}") as client:
    for page in range(1, {pages} + 1):
        total += len(client.get("/events", params={{"page": page}}).read())
print(total)
"""
PROJECT = """
name: bench
destination: duckdb:///w.duckdb
pipelines: {{bench: {{source: {source}}}}}
"""
API = """
    {{type: rest_api, base_url: '{url}',
      tables: {{events: {{path: events, paginator: {{type: page_number, maximum_page: {pages}}}}}}}}}
"""
FILE = "{type: filesystem, path: in, tables: {events: '*.jsonl.gz'}, min_age_s: 0}"


def page_of(number: int) -> bytes:
    """The body of a page: a list of records like those of `penstock generate`."""
    rng = random.Random(number)
    rows = [
        {
            "id": (number - 1) * SIZE + n,
            "uuid": f"{rng.getrandbits(128):032x}",
            "name": f"Ana Brown {n}",
            "email": f"ana.brown{n}@example.com",
            "created_at": f"2024-01-{n % 28 + 1:02}T00:00:07.{rng.randrange(10**6):06}Z",
            "amount": rng.randrange(10**6) / 100,
            "quantity": rng.randrange(1, 101),
            "is_active": n % 2 == 0,
            "country": rng.choice(["US", "DE", "FR"]),
            "address": {"street": f"{rng.randrange(999)} Brown St", "city": "Rome", "postcode": "64733"},
            "tags": ["us", "vip"][: n % 3],
        }
        for n in range(SIZE)
    ]
    return json.dumps(rows, separators=(",", ":")).encode()


def serve() -> None:
    """Answer until the standard input ends; the address is on the standard output."""
    pages = [page_of(number) for number in range(1, PAGES + 1)]

    class Handler(BaseHTTPRequestHandler):
        """Gives a page by its number."""

        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            """A page."""
            body = pages[int(parse_qs(urlsplit(self.path).query)["page"][0]) - 1]
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()


@contextlib.contextmanager
def served() -> Iterator[str]:
    """The address of a server in a process of its own."""
    argv = [sys.executable, "-m", "benchmarks.rest", "serve"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def cpu_s(argv: list[str], folder: Path) -> float:
    """The CPU seconds of a command as a cold process."""
    env = os.environ | {"NO_PROXY": "127.0.0.1"}
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(argv, cwd=folder, env=env, stdout=log, stderr=log)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit((folder / "log.txt").read_text())
    return used.ru_utime + used.ru_stime


def run_s(source: str, kept: Path | None = None) -> float:
    """The CPU seconds of a run in an empty folder; `kept` is a file to read, or where to put what landed."""
    penstock = str(Path(sys.executable).parent / "penstock")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "penstock.yml").write_text(PROJECT.format(source=source))
        (folder / "in").mkdir()
        if kept is not None and kept.exists():
            os.link(kept, folder / "in" / kept.name)
        found = cpu_s([penstock, "run"], folder)
        if kept is not None and not kept.exists():
            [landed] = (folder / "data" / "raw_hist").rglob("*.jsonl.gz")
            os.link(landed, kept)
        return found


def measure(url: str, what: str) -> tuple[float, str]:
    """The CPU seconds of getting all pages, and how they come about."""
    loop = LOOP.format(url=url, pages=PAGES)
    bare = median(cpu_s([sys.executable, "-c", loop], Path(tempfile.gettempdir())) for _ in range(ROUNDS))
    if what == "httpx":
        return bare, ""
    with tempfile.TemporaryDirectory() as name:
        kept = Path(name) / "events.jsonl.gz"
        whole = median(run_s(API.format(url=url, pages=PAGES), kept) for _ in range(ROUNDS))
        load = median(run_s(FILE, kept) for _ in range(ROUNDS))
    more = f"{(whole - load) / bare:.2f} times the loop ({bare:.2f} CPU s), {whole / bare:.2f} with the load"
    return whole - load, f"run {whole:.2f} CPU s, load alone {load:.2f}: {more}"


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    else:
        with served() as address:
            used_s, told = measure(address, sys.argv[1])
        print(f"{ROWS / used_s:,.0f} rows per CPU second")
        print(told)
