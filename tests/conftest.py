"""Servers that several suites share; each starts when the first test asks for it."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator

import pytest

# In a process of its own: it starts beside the tests, and its warnings, its memory and its threads
# are not theirs. It ends when its standard input does, so it cannot outlive a killed test run.
# S3 decides conditional writes atomically; moto looks first and writes later, hence the lock.
_S3_SERVER = """
import sys, threading
from moto.s3.responses import S3Response
from moto.server import ThreadedMotoServer

one_at_a_time = threading.RLock()

def atomic(answer):
    def locked(*args, **options):
        with one_at_a_time:
            return answer(*args, **options)
    return locked

for name in ("put_object", "_key_response_post"):
    setattr(S3Response, name, atomic(getattr(S3Response, name)))
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(*server.get_host_and_port(), flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """An S3 server for this worker, which every client of this process and its children finds.

    It is in the environment (`AWS_ENDPOINT_URL`, credentials, region) from the first test that asks
    for it until the end of the session.
    """
    server = subprocess.Popen(
        [sys.executable, "-c", _S3_SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    address = server.stdout.readline().split()
    assert len(address) == 2, "the S3 server did not start"
    endpoint = f"http://{address[0]}:{address[1]}"
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_ENDPOINT_URL", endpoint)
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing-secret")
        patch.setenv("AWS_REGION", "eu-west-1")
        patch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        for name in ("NO_PROXY", "no_proxy"):
            patch.setenv(name, ",".join(filter(None, [os.environ.get(name), "127.0.0.1,localhost"])))
        yield endpoint
    server.stdin.close()
    server.wait(timeout=30)
    server.stdout.close()


@pytest.fixture(scope="session")
def s3_url(s3_endpoint: str) -> Callable[..., str]:
    """A function that makes a new, empty bucket and returns `s3://<bucket>/<prefix>`."""
    numbers = itertools.count(1)

    def make(prefix: str = "prefix") -> str:
        bucket = f"bucket-{next(numbers)}"
        body = b"<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint>"
        request = urllib.request.Request(
            f"{s3_endpoint}/{bucket}",
            data=body + b"</CreateBucketConfiguration>",
            headers={"Content-Type": "application/xml"},
            method="PUT",
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=30) as answer:
            assert answer.status == 200
        return f"s3://{bucket}/{prefix}".rstrip("/")

    return make
