"""What every store promises, as a suite of tests that an adapter's own test inherits.

    class TestMyStore(StoreSuite):
        gaps = {"test_memory_stays_bounded": "objects are kept in memory"}

        @pytest.fixture
        def store(self, tmp_path):
            return MyStore(f"my://{tmp_path}")

Needs pytest. The suite runs under threads, so a store's calls must be safe to make at once.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import io
import os
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, ClassVar, cast

import pytest

from penstock.errors import ConflictError, NotFoundError, PenstockError, RefusedError
from penstock.ports import Put, Store
from penstock.stores.local import LocalStore

MB = 1 << 20
HARD_KEYS = (
    "orders/file_land_timestamp=1767225600/orders_1767225600_0.jsonl.gz",
    "with space/and  two/ leading and trailing ",
    "percent/%41%2F%25%zz",
    'quotes/it\'s "quoted" `so`',
    "sql/'; DROP TABLE x; --",
    "symbols/#?*[]{}~^|<>&+,@!$();:=\\",
    "ünïcode/日本語/e\u0301.json",
    "dots/..hidden/.profile/a..b/...",
    "_penstock/slips/a.json",
)
WRONG_KEYS = ("", "/", "/absolute", "a/", "a//b", ".", "..", "a/../b", "a/./b", "nul\0", "_penstock/.tmp/x")


class BrokenStreamError(Exception):
    """What a stream of these tests raises when it breaks."""


class Flow(io.RawIOBase):
    """A stream of `size_bytes` that no two 64 KiB blocks of are the same, made while it is read.

    `each` is called at every read with the bytes handed over so far; at `breaks_at` it raises.
    """

    _BLOCK = 1 << 16

    def __init__(
        self, size_bytes: int, each: Callable[[int], None] | None = None, breaks_at: int | None = None
    ) -> None:
        self.size_bytes = size_bytes
        self._each = each
        self._breaks_at = breaks_at
        self._done = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # Buffer is new in 3.12
        """At most one block at a time, as sockets do."""
        if self._each is not None:
            self._each(self._done)
        if self._breaks_at is not None and self._done >= self._breaks_at:
            raise BrokenStreamError(f"after {self._done} bytes")
        number, offset = divmod(self._done, self._BLOCK)
        count = min(self._BLOCK - offset, len(buffer), self.size_bytes - self._done)
        block = number.to_bytes(8, "big") * (self._BLOCK // 8)
        buffer[:count] = block[offset : offset + count]
        self._done += count
        return count

    def stream(self) -> BinaryIO:
        """Itself, as the type that stores take."""
        return cast(BinaryIO, self)


def sha256(data: bytes) -> str:
    """The SHA-256 (hex) of some bytes."""
    return hashlib.sha256(data).hexdigest()


@functools.cache
def sha256_of_flow(size_bytes: int) -> str:
    """The SHA-256 (hex) of a `Flow` of this size."""
    sha, flow = hashlib.sha256(), Flow(size_bytes)
    while block := flow.read(MB):
        sha.update(block)
    return sha.hexdigest()


def held(store: Store, prefix: str = "") -> dict[str, int]:
    """Key and size of everything that a store lists, each key once."""
    found = [(item.key, item.size_bytes) for item in store.list(prefix)]
    assert len(found) == len(dict(found)), "a key was listed twice"
    return dict(found)


def race(count: int, act: Callable[[int], Put]) -> tuple[list[Put], list[BaseException]]:
    """Call `act` from `count` threads at one instant; what they returned, and what they raised."""
    gate = threading.Barrier(count)

    def run(number: int) -> Put | BaseException:
        gate.wait(timeout=30)
        try:
            return act(number)
        except Exception as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        ends = list(pool.map(run, range(count)))
    return [e for e in ends if isinstance(e, Put)], [e for e in ends if isinstance(e, BaseException)]


def resident_bytes() -> int:
    """The memory this process holds now; skips the test where that cannot be told."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        pytest.skip("no /proc/self/statm here, so memory cannot be watched")
    return pages * os.sysconf("SC_PAGE_SIZE")


class StoreSuite:
    """The promises of `penstock.ports.Store`. Supply the fixture `store`: new and empty each time.

    `gaps` names the tests that this adapter cannot pass, each with the reason; one that starts to
    pass fails the build. `large_bytes` is a size that the adapter treats as large, `racers` how many
    threads write at once, `slack_bytes` how much memory a stream of any size may take.
    """

    gaps: ClassVar[Mapping[str, str]] = {}
    racers: ClassVar[int] = 16
    large_bytes: ClassVar[int] = 64 * MB
    slack_bytes: ClassVar[int] = 48 * MB

    @pytest.fixture
    def other_store(self, tmp_path: Path) -> Store:
        """Another store to adopt from."""
        return LocalStore(str(tmp_path / "other_store"))

    @pytest.fixture(autouse=True)
    def _declared_gap(self, request: pytest.FixtureRequest) -> None:
        unknown = [name for name in self.gaps if not hasattr(self, name)]
        assert not unknown, f"gaps name tests that do not exist: {unknown}"
        name = getattr(request.node, "originalname", None) or request.node.name
        if name in self.gaps:
            request.applymarker(pytest.mark.xfail(reason=self.gaps[name], strict=True))

    # ------------------------------------------------------------------------------- create

    def test_create_then_read(self, store: Store) -> None:
        """What was created is what is read, and what is told of it is true."""
        before = time.time()
        put = store.create("a/b.txt", b"hello")
        assert put == Put("a/b.txt", 5, sha256(b"hello"))
        with store.open("a/b.txt") as stream:
            assert stream.read() == b"hello"
        found = store.stat("a/b.txt")
        assert found is not None
        assert (found.key, found.size_bytes) == ("a/b.txt", 5)
        assert before - 2 <= found.modified_at <= time.time() + 2  # some stores keep whole seconds
        assert found.etag
        assert list(store.list()) == [found]
        assert store.digest("a/b.txt") == sha256(b"hello")

    def test_create_from_a_stream(self, store: Store) -> None:
        """A stream that hands over little at a time, with `readinto` or with `read` alone."""

        class Dribble:
            def __init__(self) -> None:
                self.left = [b"one ", b"two ", b"three"]

            def read(self, size: int = -1) -> bytes:
                assert size > 0, "a stream must be read in pieces"
                return self.left.pop(0) if self.left else b""

        assert store.create("dribble", cast(BinaryIO, Dribble())).sha256 == sha256(b"one two three")
        assert store.create("flow", Flow(200_000).stream()).sha256 == sha256_of_flow(200_000)
        assert store.digest("dribble") == sha256(b"one two three")
        assert store.digest("flow") == sha256_of_flow(200_000)

    def test_empty_object(self, store: Store) -> None:
        """Zero bytes are an object too."""
        assert store.create("empty", b"") == Put("empty", 0, sha256(b""))
        assert store.create("empty2", io.BytesIO()) == Put("empty2", 0, sha256(b""))
        assert held(store) == {"empty": 0, "empty2": 0}
        assert store.digest("empty") == sha256(b"")
        with store.open("empty2") as stream:
            assert stream.read() == b""
            assert stream.read(10) == b""

    def test_create_refuses_an_existing_key(self, store: Store) -> None:
        """The first bytes stay, whatever comes: other bytes, the same bytes, none, many."""
        store.create("k", b"first")
        before = store.stat("k")
        for data in (b"second", b"first", b"", Flow(self.large_bytes).stream()):
            with pytest.raises(ConflictError, match="`k` exists"):
                store.create("k", data)
        assert store.stat("k") == before
        assert store.digest("k") == sha256(b"first")
        assert held(store) == {"k": 5}

    def test_one_of_many_creators_wins(self, store: Store) -> None:
        """Writers that race for one key: one wins, its bytes stay, the others are refused."""
        for turn in range(3):
            key = f"race/{turn}"
            won, lost = race(
                self.racers,
                lambda n, key=key: store.create(key, b"%d" % n * 10_000),  # type: ignore[misc]
            )
            assert len(won) == 1
            assert [type(error) for error in lost] == [ConflictError] * (self.racers - 1)
            assert store.digest(key) == won[0].sha256

    def test_many_creators_of_many_keys(self, store: Store) -> None:
        """Writers of different keys of one folder, while others empty it, do not disturb each other."""

        def act(number: int) -> Put:
            for turn in range(5):
                key = f"deep/er/{number}_{turn}"
                store.create(key, b"x")
                store.delete(key)
            return store.create(f"deep/er/{number}", b"%d" % number)

        won, lost = race(self.racers, act)
        assert lost == []
        assert held(store, "deep/") == {put.key: put.size_bytes for put in won}

    def test_a_broken_stream_leaves_nothing(self, store: Store) -> None:
        """What a stream raises comes through unchanged; nothing is visible, and the key is free."""
        for breaks_at in (0, 1000, self.large_bytes // 2):
            with pytest.raises(BrokenStreamError):
                store.create("a/broken", Flow(self.large_bytes, breaks_at=breaks_at).stream())
            assert held(store) == {}
            assert store.stat("a/broken") is None
        assert store.create("a/broken", b"mended").size_bytes == 6

    def test_nothing_is_visible_before_the_end(self, store: Store) -> None:
        """While a large object is written, readers see no part of it."""
        seen: list[object] = []

        def look(done: int) -> None:
            if done % (16 * MB) == 0:
                seen.append((store.stat("a/big"), held(store), held(store, "a")))

        put = store.create("a/big", Flow(self.large_bytes, each=look).stream())
        assert len(seen) >= self.large_bytes // (16 * MB)
        assert all(look == (None, {}, {}) for look in seen)
        assert held(store) == {"a/big": put.size_bytes} == {"a/big": self.large_bytes}

    def test_memory_stays_bounded(self, store: Store) -> None:
        """A stream of any size takes a bounded amount of memory, in and out."""
        store.create("warm/up", b"x")
        start = resident_bytes()
        peak = start

        def watch(_done: int) -> None:
            nonlocal peak
            peak = max(peak, resident_bytes())

        size = 2 * self.large_bytes
        assert self.slack_bytes < size, "a store that keeps everything would pass"
        put = store.create("big", Flow(size, each=watch).stream())
        with store.open("big") as stream:
            sha = hashlib.sha256()
            while data := stream.read(MB):
                sha.update(data)
                watch(0)
        assert sha.hexdigest() == put.sha256 == sha256_of_flow(size)
        assert peak - start < self.slack_bytes, f"grew by {(peak - start) // MB} MB"

    # ------------------------------------------------------------------------------ replace

    def test_replace(self, store: Store) -> None:
        """An object is written whether or not it exists, and its etag tells the versions apart."""
        assert store.replace("p/one.json", b"{}") == Put("p/one.json", 2, sha256(b"{}"))
        first = store.stat("p/one.json")
        assert store.replace("p/one.json", b"[1]") == Put("p/one.json", 3, sha256(b"[1]"))
        second = store.stat("p/one.json")
        assert first is not None
        assert second is not None
        assert first.etag != second.etag
        assert store.digest("p/one.json") == sha256(b"[1]")
        assert held(store) == {"p/one.json": 3}

    def test_replace_is_atomic(self, store: Store) -> None:
        """A reader sees one version or the other, never a mixture and never nothing."""
        versions = [b"a" * 50_000, b"b" * 50_000]
        store.replace("k", versions[0])
        seen = set()
        stop = threading.Event()

        def read() -> None:
            while not stop.is_set():
                with store.open("k") as stream:
                    seen.add(stream.read())

        with ThreadPoolExecutor(1) as pool:
            reader = pool.submit(read)
            for turn in range(20):
                store.replace("k", versions[turn % 2])
            stop.set()
            error = reader.exception(timeout=30)
        # a store may say that the object changed between two requests of one reader
        assert error is None or isinstance(error, PenstockError)
        assert seen <= set(versions)

    # -------------------------------------------------------------------------------- adopt

    @pytest.mark.parametrize("size", [0, 5, 300_000])
    def test_adopt(self, store: Store, other_store: Store, size: int) -> None:
        """The bytes arrive unchanged, the source keeps its own, and the digest is of what arrived."""
        given = other_store.create("from/a.bin", Flow(size).stream())
        put = store.adopt(other_store, "from/a.bin", "to/b.bin")
        assert put == Put("to/b.bin", size, given.sha256)
        assert store.digest("to/b.bin") == given.sha256 == other_store.digest("from/a.bin")
        assert held(store) == {"to/b.bin": size}

    def test_adopt_large(self, store: Store, other_store: Store) -> None:
        """So does a large one."""
        given = other_store.create("big", Flow(self.large_bytes).stream())
        assert store.adopt(other_store, "big", "big") == given

    def test_adopt_outlives_its_source(self, store: Store, other_store: Store) -> None:
        """Deleting or replacing the source does not touch what was adopted."""
        for turn in range(2):
            key = f"k{turn}"
            other_store.create(key, b"kept")
            store.adopt(other_store, key, key)
        other_store.delete("k0")
        other_store.replace("k1", b"changed")
        assert store.digest("k0") == store.digest("k1") == sha256(b"kept")

    def test_adopt_refuses_an_existing_key(self, store: Store, other_store: Store) -> None:
        """Whether its bytes are the same or not."""
        store.create("k", b"mine")
        for data in (b"yours", b"mine"):
            other_store.replace("src", data)
            with pytest.raises(ConflictError, match="`k` exists"):
                store.adopt(other_store, "src", "k")
        assert store.digest("k") == sha256(b"mine")

    def test_adopt_of_nothing(self, store: Store, other_store: Store) -> None:
        """A source that is not there is said to be so, and leaves nothing."""
        with pytest.raises(NotFoundError):
            store.adopt(other_store, "not/there", "k")
        assert held(store) == {}

    def test_one_of_many_adopters_wins(self, store: Store, other_store: Store) -> None:
        """As with creators."""
        for number in range(self.racers):
            other_store.create(f"{number}", b"%d" % number)
        won, lost = race(self.racers, lambda n: store.adopt(other_store, f"{n}", "k"))
        assert len(won) == 1
        assert [type(error) for error in lost] == [ConflictError] * (self.racers - 1)
        assert store.digest("k") == won[0].sha256

    # -------------------------------------------------------------------- list, stat, delete

    def test_list_by_folder(self, store: Store) -> None:
        """A prefix is a folder: it ends at `/`, whether or not that is written."""
        keys = ["a/1", "a/b/2", "a/b/c/3", "ab/4", "a.txt", "b/5"]
        for key in keys:
            store.create(key, b"x")
        assert sorted(held(store)) == sorted(keys)
        assert sorted(held(store, "a/")) == sorted(held(store, "a")) == ["a/1", "a/b/2", "a/b/c/3"]
        assert sorted(held(store, "a/b/")) == ["a/b/2", "a/b/c/3"]
        assert held(store, "nothing/here/") == {}
        assert held(store, "a/1") == {}
        assert held(store, "a/1/x") == {}

    def test_list_of_an_empty_store(self, store: Store) -> None:
        """A store that nothing was written to is empty, not missing."""
        assert held(store) == {}
        assert held(store, "_penstock") == {}

    def test_private_folder_is_listed(self, store: Store) -> None:
        """Slips are objects like any other; only what is being written is hidden."""
        store.create("_penstock/a/b.json", b"{}")
        assert held(store) == held(store, "_penstock/") == {"_penstock/a/b.json": 2}

    def test_stat_of_nothing(self, store: Store) -> None:
        """None for a key that is not there, for a folder, and below an object."""
        store.create("a/b", b"x")
        assert store.stat("zzz") is None
        assert store.stat("a") is None
        assert store.stat("a/b/c") is None

    def test_open_and_digest_of_nothing(self, store: Store) -> None:
        """Both say which key it is that is not there."""
        store.create("a/b", b"x")
        for key in ("zzz", "a", "a/b/c"):
            with pytest.raises(NotFoundError, match=key):
                store.open(key)
            with pytest.raises(NotFoundError, match=key):
                store.digest(key)

    def test_delete(self, store: Store) -> None:
        """Once or twice, there or not; neighbours stay, and the key is free again."""
        store.create("a/b/c", b"x")
        store.create("a/d", b"y")
        store.delete("a/b/c")
        store.delete("a/b/c")
        store.delete("never/was")
        store.delete("a")
        store.delete("a/d/x")
        assert held(store) == {"a/d": 1}
        assert store.create("a/b/c", b"again").size_bytes == 5

    # --------------------------------------------------------------------------------- keys

    @pytest.mark.parametrize("key", HARD_KEYS)
    def test_any_name_is_kept(self, store: Store, other_store: Store, key: str) -> None:
        """Names with quotes, spaces, `%`, `=`, SQL or other alphabets are nothing special."""
        store.create(key, b"x")
        assert held(store) == {key: 1}
        assert held(store, key.rpartition("/")[0]) == {key: 1}
        assert store.stat(key) is not None
        assert store.digest(key) == sha256(b"x")
        with pytest.raises(ConflictError):
            store.create(key, b"y")
        store.replace(key, b"zz")
        assert held(store) == {key: 2}
        store.delete(key)
        assert held(store) == {}
        other_store.create(key, b"q")
        assert store.adopt(other_store, key, key).sha256 == sha256(b"q")

    @pytest.mark.parametrize("key", WRONG_KEYS)
    def test_what_cannot_be_a_key(self, store: Store, other_store: Store, key: str) -> None:
        """Refused by every call, before anything happens."""
        other_store.create("src", b"x")
        calls: list[Callable[[], object]] = [
            lambda: store.create(key, b"x"),
            lambda: store.replace(key, b"x"),
            lambda: store.adopt(other_store, "src", key),
            lambda: store.stat(key),
            lambda: store.open(key),
            lambda: store.digest(key),
            lambda: store.delete(key),
        ]
        for call in calls:
            with pytest.raises(RefusedError):
                call()
        if key.strip("/"):
            with pytest.raises(RefusedError):
                held(store, key + "/")
        assert held(store) == {}

    # -------------------------------------------------------------------------------- reading

    def test_open_is_a_proper_stream(self, store: Store) -> None:
        """Readable in pieces, by line, into a buffer, from anywhere, and as the inside of gzip."""
        lines = b"".join(b"line %d\n" % n for n in range(20_000))
        store.create("plain", lines)
        store.create("packed", gzip.compress(lines))
        with store.open("plain") as stream:
            assert stream.readable()
            assert stream.readline() == b"line 0\n"
            assert stream.read(7) == b"line 1\n"
            buffer = bytearray(7)
            assert cast(io.BufferedReader, stream).readinto(buffer) == 7
            assert bytes(buffer) == b"line 2\n"
            stream.seek(-12, io.SEEK_END)
            assert stream.read() == lines[-12:]
            assert stream.read(1) == b""
            stream.seek(7)
            assert stream.tell() == 7
            assert stream.read(7) == b"line 1\n"
        assert stream.closed
        with store.open("packed") as stream, gzip.open(stream) as unpacked:
            assert unpacked.read() == lines

    def test_many_readers(self, store: Store) -> None:
        """One object, read by several threads at once, each from its own place."""
        put = store.create("k", Flow(3 * MB).stream())

        def act(_number: int) -> Put:
            return Put("k", 3 * MB, store.digest("k"))

        assert race(4, act) == ([put] * 4, [])

    def test_url_has_no_secrets(self, store: Store) -> None:
        """A store has a URL to show."""
        assert store.url
        assert store.url in repr(store)
