"""Buckets: S3 as moto's server plays it, and memory."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import textwrap
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO, ClassVar
from urllib.parse import quote, urlsplit

import obstore as obs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from obstore.store import from_url

from penstock.errors import ConflictError, ProjectError, RefusedError, StoreError
from penstock.ports import Put, Store
from penstock.stores import object as module
from penstock.stores.key import SCRATCH
from penstock.stores.local import LocalStore
from penstock.stores.object import ObjectStore
from penstock.testing.store import MB, BrokenStreamError, Flow, StoreSuite, held, race, sha256

LARGE = 9 * MB


class TestS3(StoreSuite):
    """On S3, adopting from a folder of this machine."""

    large_bytes: ClassVar[int] = 20 * MB
    slack_bytes: ClassVar[int] = 36 * MB

    @pytest.fixture
    def store(self, s3_url: Callable[..., str]) -> Store:
        return ObjectStore(s3_url())


class TestMemory(StoreSuite):
    """In memory, adopting from memory."""

    gaps: ClassVar = {"test_memory_stays_bounded": "objects are kept in memory"}
    large_bytes: ClassVar[int] = 20 * MB

    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return ObjectStore(f"memory://{tmp_path.name}/store")

    @pytest.fixture
    def other_store(self, tmp_path: Path) -> Store:
        return ObjectStore(f"memory://{tmp_path.name}/other")


@pytest.fixture
def url(s3_url: Callable[..., str]) -> str:
    return s3_url()


@pytest.fixture
def store(url: str) -> ObjectStore:
    return ObjectStore(url)


def ask(endpoint: str, url: str, path: str = "", data: bytes | None = None, method: str = "GET") -> str:
    """A bare request about the bucket of `url`; `path` is what comes after the bucket's name."""
    request = urllib.request.Request(
        f"{endpoint}/{urlsplit(url).netloc}{path}",
        data=data,
        headers={"Content-Type": "application/octet-stream"},
        method=method,
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as answer:
        return str(answer.read().decode())


def keys_in_bucket(url: str) -> list[str]:
    """Every key of the bucket, also private ones."""
    bucket = from_url(f"s3://{urlsplit(url).netloc}", client_options={"allow_http": True})
    return sorted(meta["path"] for page in obs.list(bucket) for meta in page)


# --------------------------------------------------------------------------------- large objects


def test_one_of_many_large_creators_wins(store: ObjectStore, url: str) -> None:
    won, lost = race(4, lambda n: store.create("k", Flow(LARGE + n).stream()))
    assert len(won) == 1
    assert [type(error) for error in lost] == [ConflictError] * 3
    assert store.digest("k") == won[0].sha256
    assert keys_in_bucket(url) == ["prefix/k"]


def test_no_part_of_an_upload_is_left(store: ObjectStore, url: str, s3_endpoint: str) -> None:
    store.create("k", Flow(LARGE).stream())
    with pytest.raises(ConflictError):
        store.create("k", Flow(LARGE).stream())
    for breaks_at in (LARGE - 1, 8 * MB):
        with pytest.raises(BrokenStreamError):
            store.create("broken", Flow(2 * LARGE, breaks_at=breaks_at).stream())
    assert keys_in_bucket(url) == ["prefix/k"]
    assert "<Upload>" not in ask(s3_endpoint, url, "?uploads")


def test_large_keys_are_checked_before_the_upload(store: ObjectStore) -> None:
    store.create("k", b"x")
    reads: list[int] = []
    with pytest.raises(ConflictError):
        store.create("k", Flow(10 * LARGE, each=reads.append).stream())
    assert max(reads) < LARGE


def test_limit_of_s3(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "S3_COPY_LIMIT_BYTES", 10 * MB)
    store = ObjectStore(url)
    with pytest.raises(RefusedError, match="split the file"):
        store.create("k", Flow(20 * MB).stream())
    assert keys_in_bucket(url) == []
    assert store.create("k", Flow(10 * MB).stream()).size_bytes == 10 * MB


def test_killed_in_the_middle(store: ObjectStore, url: str) -> None:
    """A killed upload shows nothing, and its key is free."""
    code = """
        import sys
        from penstock.stores.object import ObjectStore
        def told(piece):
            print(len(piece), flush=True)
            return piece
        class Stream:
            def read(self, size):
                return told(sys.stdin.buffer.read(min(size, 1 << 20)))
        ObjectStore(sys.argv[1]).create("k", Stream())
    """
    writer = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    )
    assert writer.stdin is not None
    assert writer.stdout is not None
    writer.stdin.write(b"x" * 18 * MB)
    for _piece in range(18):
        assert writer.stdout.readline() == b"%d\n" % MB
    writer.send_signal(signal.SIGKILL)
    writer.wait(timeout=30)
    writer.stdin.close()
    writer.stdout.close()
    assert held(store) == {}
    assert store.stat("k") is None
    assert store.create("k", Flow(LARGE).stream()).size_bytes == LARGE


def test_abandoned_uploads_are_swept(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = from_url(url, client_options={"allow_http": True})
    obs.put(bucket, f"{SCRATCH}abandoned", b"x")
    young = ObjectStore(url)
    young.create("a", Flow(LARGE).stream())
    assert keys_in_bucket(url) == [f"prefix/{SCRATCH}abandoned", "prefix/a"]
    assert held(young) == {"a": LARGE}
    monkeypatch.setattr(module, "ABANDONED_AFTER", timedelta(seconds=-10))
    young.create("b", Flow(LARGE).stream())  # once for each store
    assert len(keys_in_bucket(url)) == 3
    ObjectStore(url).create("c", Flow(LARGE).stream())
    assert keys_in_bucket(url) == ["prefix/a", "prefix/b", "prefix/c"]


# ----------------------------------------------------------------------------- a bad connection


@pytest.fixture
def lossy(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A proxy before the server. It delivers a request named in the list, and loses the answer."""
    losses: list[str] = []
    host = urlsplit(s3_endpoint).netloc

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            upstream = http.client.HTTPConnection(host, timeout=30)
            upstream.request(self.command, self.path, body, dict(self.headers))
            answer = upstream.getresponse()
            data = answer.read()
            upstream.close()
            if f"{self.command} {self.path.rpartition('/')[2]}" in losses:
                losses.clear()
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                    self.send_header(name, value)
            length = answer.getheader("content-length") if self.command == "HEAD" else str(len(data))
            self.send_header("content-length", length or "0")
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = pass_on  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    yield losses
    server.shutdown()
    server.server_close()


def test_lost_answer_is_no_conflict(url: str, lossy: list[str]) -> None:
    """A put that arrived and is sent again finds its own object, and knows it."""
    store = ObjectStore(url)
    lossy.append("PUT k")
    assert store.create("k", b"hello") == Put("k", 5, sha256(b"hello"))
    assert lossy == [], "nothing was lost, so nothing was tested"
    with pytest.raises(ConflictError):
        store.create("k", b"hello")


def test_lost_answer_to_a_refusal_is_a_conflict(url: str, lossy: list[str]) -> None:
    store = ObjectStore(url)
    store.create("k", b"mine")
    lossy.append("PUT k")
    with pytest.raises(ConflictError):
        store.create("k", b"mine")
    assert lossy == []


def test_dead_endpoint(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    store = ObjectStore(url, retry_s=0.2)
    started = time.monotonic()
    calls: list[Callable[[], object]] = [
        lambda: store.create("k", b"x"),
        lambda: store.replace("k", b"x"),
        lambda: store.stat("k"),
        lambda: store.open("k"),
        lambda: held(store),
        lambda: store.delete("k"),
    ]
    for call in calls:
        with pytest.raises(StoreError) as told:
            call()
        assert told.value.where == url
        assert told.value.hint == "check the network and the endpoint, and run again"
        assert "Debug" not in str(told.value)
    assert time.monotonic() - started < 20


# ------------------------------------------------------------------------------- what goes wrong


def test_missing_bucket(s3_endpoint: str) -> None:
    store = ObjectStore("s3://never-made/prefix")
    calls: list[Callable[[], object]] = [
        lambda: store.create("k", b"x"),
        lambda: store.create("k", Flow(LARGE).stream()),
        lambda: store.replace("k", b"x"),
        lambda: store.delete("k"),
        lambda: held(store),
    ]
    for call in calls:
        with pytest.raises(StoreError) as told:
            call()
        assert told.value.hint == "create the bucket, or correct its name in the URL"
        assert told.value.found is not None
        assert "NoSuchBucket" in told.value.found


def test_no_permission(store: ObjectStore, url: str, s3_endpoint: str) -> None:
    store.create("k", b"x")
    bucket = urlsplit(url).netloc
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]}).encode()
    ask(s3_endpoint, url, "?policy", policy, "PUT")
    with pytest.raises(StoreError) as told:
        store.create("k2", b"x")
    assert told.value.hint is not None
    assert "AWS_ACCESS_KEY_ID" in told.value.hint
    assert "testing-secret" not in str(told.value)
    assert held(store) == {"k": 1}


def test_plain_http_beyond_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://bucket.example:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    with pytest.raises(StoreError, match="AWS_ALLOW_HTTP=true"):
        ObjectStore("s3://b/x", retry_s=0.1).stat("k")


@pytest.mark.parametrize(
    "url",
    [
        "s3://id:hunter2@bucket/prefix",
        "s3://hunter2@bucket/prefix",
        "abfss://container:hunter2@account.dfs.core.windows.net/prefix",
        "az://container/prefix?sig=hunter2",
        "s3://bucket/prefix#hunter2",
        "https://account.blob.core.windows.net/c?sv=1&sig=hunter2",
    ],
)
def test_secrets_in_a_url_are_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ProjectError) as told:
        ObjectStore(url)
    assert "hunter2" not in str(told.value)
    assert "hunter2" not in repr(told.value)
    assert "environment" in str(told.value)


@pytest.mark.parametrize("url", ["s3://", "foo://bucket", "az://container/x"])
def test_url_that_leads_nowhere(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(ProjectError) as told:
        ObjectStore(url)
    assert told.value.where == url


def test_key_that_no_bucket_holds(store: ObjectStore) -> None:
    with pytest.raises(RefusedError, match="no control characters"):
        store.create("new\nline", b"x")
    assert held(store) == {}


def test_adopt_notices_other_bytes(url: str) -> None:
    class BadBucket(ObjectStore):
        def create(self, key: str, data: BinaryIO | bytes) -> Put:
            put = super().create(key, data)
            self.replace(key, b"jello")
            return put

    source = ObjectStore(f"memory://{url}")
    source.create("k", b"hello")
    bad = BadBucket(url)
    with pytest.raises(StoreError, match="gave back other bytes"):
        bad.adopt(source, "k", "k")
    assert held(bad) == {}


def test_object_replaced_while_it_is_read(store: ObjectStore) -> None:
    store.create("k", Flow(LARGE).stream())
    with store.open("k") as stream:
        stream.read(10)
        store.replace("k", b"y" * LARGE)
        with pytest.raises(StoreError, match="replaced while it was read"):
            stream.read()


# ------------------------------------------------------------------------------ what buckets hold


def test_local_store_adopts_from_a_bucket(store: ObjectStore, tmp_path: Path) -> None:
    local = LocalStore(str(tmp_path))
    for key, size in (("small", 5), ("large", LARGE)):
        given = store.create(key, Flow(size).stream())
        assert local.adopt(store, key, f"in/{key}") == Put(f"in/{key}", size, given.sha256)


def test_stores_of_one_bucket_do_not_meet(url: str) -> None:
    bucket = f"s3://{urlsplit(url).netloc}"
    names = ["a", "a/b", "ab", "with%20space/x%25y", "ü"]
    stores = [ObjectStore(f"{bucket}/{name}") for name in names]
    for store in stores:
        store.create("k", store.url.encode())
    for store in stores[1:]:
        assert held(store) == {"k": len(store.url.encode())}
    assert held(stores[0]) == {"k": len(stores[0].url), "b/k": len(stores[1].url)}
    for store in stores:
        assert store.digest("k") == sha256(store.url.encode())
    assert "with space/x%y/k" in keys_in_bucket(url)


def test_folder_markers_are_no_objects(store: ObjectStore, url: str, s3_endpoint: str) -> None:
    for marker in ("/prefix/", "/prefix/folder/"):
        ask(s3_endpoint, url, marker, b"", "PUT")
    store.create("folder/empty", b"")
    assert held(store) == {"folder/empty": 0}


def test_keys_with_empty_parts_are_told_of(store: ObjectStore, url: str, s3_endpoint: str) -> None:
    ask(s3_endpoint, url, "/" + quote("prefix/a//b"), b"x", "PUT")
    with pytest.raises(StoreError, match="rename or remove that object") as told:
        held(store)
    assert told.value.found is not None
    assert "a//b" in told.value.found


def test_memory_is_shared_by_name(tmp_path: Path) -> None:
    name = tmp_path.name
    ObjectStore(f"memory://{name}/a").create("k", b"x")
    assert held(ObjectStore(f"memory://{name}/a")) == {"k": 1}
    assert held(ObjectStore(f"memory://{name}/b")) == {}


def test_parquet_is_read_from_a_bucket(store: ObjectStore, tmp_path: Path) -> None:
    table = pa.table({"n": list(range(100_000)), "s": [f"text {n % 97}" for n in range(100_000)]})
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=10_000)
    store.adopt(LocalStore(str(tmp_path)), "t.parquet", "t.parquet")
    with store.open("t.parquet") as stream:
        parquet = pq.ParquetFile(stream)
        assert parquet.read_row_group(7, ["n"]).column("n")[0].as_py() == 70_000
        assert parquet.read().equals(table)
