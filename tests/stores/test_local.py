"""A folder of this machine: the suite, and what only a disk can do wrong."""

from __future__ import annotations

import hashlib
import io
import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, ClassVar

import pytest

from penstock.errors import ConflictError, NotFoundError, ProjectError, StoreError
from penstock.ports import Put, Store
from penstock.stores.key import SCRATCH
from penstock.stores.local import LocalStore
from penstock.stores.object import ObjectStore
from penstock.testing.store import MB, BrokenStreamError, Flow, StoreSuite, held, sha256

HELLO = hashlib.sha256(b"hello").hexdigest()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(root: Path) -> LocalStore:
    return LocalStore(str(root))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount(folder, "-t", "tmpfs", "-o", "size=4m", "tmpfs")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def mount(folder: Path, *options: str) -> None:
    """Mount something, or skip the test and say why."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a file system")
    try:
        done = subprocess.run(["mount", *options, str(folder)], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no `mount` here")
    if done.returncode:
        pytest.skip(f"mounting is refused here: {done.stderr.strip()}")


def leftovers(root: Path) -> list[Path]:
    return list((root / SCRATCH).glob("*"))


def files(root: Path) -> list[str]:
    return sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())


class TestLocal(StoreSuite):
    """Among folders of one file system."""

    racers: ClassVar[int] = 32

    @pytest.fixture
    def store(self, store: LocalStore) -> Store:
        return store


# -------------------------------------------------------------------------------------- addresses


def test_path_and_url_are_the_same_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    LocalStore("data/with space").create("k", b"x")
    url = (tmp_path / "data/with space").as_uri()
    for address in (str(tmp_path / "data/with space"), url, url.replace("file://", "file://localhost")):
        again = LocalStore(address)
        assert held(again) == {"k": 1}
        assert again.url == str(tmp_path / "data/with space")
    monkeypatch.chdir("/")
    assert held(again) == {"k": 1}


@pytest.mark.parametrize("url", ["file://server/share", "file:relative"])
def test_url_of_another_machine_is_refused(url: str) -> None:
    with pytest.raises(ProjectError, match="file:///path"):
        LocalStore(url)


def test_nothing_heavy_is_imported() -> None:
    code = "import sys, penstock.stores.local; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "penstock.stores.local" in loaded
    assert not loaded & {"obstore", "pyarrow", "duckdb", "asyncio", "tempfile"}


# -------------------------------------------------------------------------------------- durability


class Diary:
    """The order of syncs and of names given, by path, as the system was asked for them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lines: list[tuple[str, str]] = []
        fsync, link, replace = os.fsync, os.link, os.replace

        def note_fsync(fd: int) -> None:
            fsync(fd)
            self.lines.append(("sync", str(Path(f"/proc/self/fd/{fd}").readlink())))

        def note_link(src: Path, dst: Path, **options: object) -> None:
            link(src, dst)
            self.lines.append(("name", str(dst)))

        def note_replace(src: Path, dst: Path) -> None:
            replace(src, dst)
            self.lines.append(("name", str(dst)))

        monkeypatch.setattr(os, "fsync", note_fsync)
        monkeypatch.setattr(os, "link", note_link)
        monkeypatch.setattr(os, "replace", note_replace)


@pytest.fixture
def diary(monkeypatch: pytest.MonkeyPatch) -> Diary:
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("no /proc here, so what is synced cannot be watched")
    return Diary(monkeypatch)


def assert_durable(diary: Diary, path: Path, top: Path) -> None:
    """The bytes were synced, then named, then every folder from there up to `top` was synced."""
    (first, data), *rest = diary.lines
    assert first == "sync"
    folders = [path.parent]
    while folders[-1] != top:
        folders.append(folders[-1].parent)
    assert rest == [("name", str(path)), *(("sync", str(folder)) for folder in folders)]
    assert data != str(path)


def test_create_syncs_bytes_then_name_then_folders(store: LocalStore, root: Path, diary: Diary) -> None:
    store.create("a/b/c", b"hello")
    # the store's folder is new too, so the folder that now names it is synced as well
    assert_durable(diary, root / "a/b/c", root.parent)
    diary.lines.clear()
    store.create("a/b/d", io.BytesIO(b"more"))
    assert_durable(diary, root / "a/b/d", root)


def test_replace_syncs_as_create_does(store: LocalStore, root: Path, diary: Diary) -> None:
    for _turn in range(2):
        store.replace("_penstock/k.json", b"{}")
        assert_durable(diary, root / "_penstock/k.json", root if _turn else root.parent)
        diary.lines.clear()


def test_adopt_syncs_what_others_dropped(store: LocalStore, root: Path, tmp_path: Path, diary: Diary) -> None:
    dropped = tmp_path / "land/x/dropped.csv"
    dropped.parent.mkdir(parents=True)
    dropped.write_bytes(b"hello")
    store.adopt(LocalStore(str(tmp_path / "land")), "x/dropped.csv", "x/dropped.csv")
    assert diary.lines[0] == ("sync", str(dropped))
    assert_durable(diary, root / "x/dropped.csv", root.parent)


def test_delete_syncs_the_folder_that_stays(store: LocalStore, root: Path, diary: Diary) -> None:
    store.create("a/b/c", b"x")
    store.create("a/d", b"x")
    diary.lines.clear()
    store.delete("a/b/c")
    assert diary.lines == [("sync", str(root / "a"))]


# ------------------------------------------------------------------------------------------ links


def test_adopt_links_on_one_file_system(store: LocalStore, root: Path, tmp_path: Path) -> None:
    land = LocalStore(str(tmp_path / "land"))
    land.create("a/k", b"hello")
    assert store.adopt(land, "a/k", "b/k") == Put("b/k", 5, HELLO)
    assert (root / "b/k").samefile(tmp_path / "land/a/k")
    land.delete("a/k")
    assert (root / "b/k").stat().st_nlink == 1


def test_adopt_through_a_symbolic_link_takes_the_file(store: LocalStore, root: Path, tmp_path: Path) -> None:
    (tmp_path / "land").mkdir()
    (tmp_path / "real.csv").write_bytes(b"hello")
    (tmp_path / "land/k").symlink_to(tmp_path / "real.csv")
    assert store.adopt(LocalStore(str(tmp_path / "land")), "k", "k").sha256 == HELLO
    assert not (root / "k").is_symlink()
    assert (root / "k").read_bytes() == b"hello"


def test_adopt_copies_between_file_systems(store: LocalStore, root: Path, small_disk: Path) -> None:
    land = LocalStore(str(small_disk))
    given = land.create("k", Flow(2 * MB).stream())
    assert store.adopt(land, "k", "k") == given
    assert (root / "k").stat().st_nlink == 1
    assert leftovers(root) == []
    with pytest.raises(ConflictError):
        store.adopt(land, "k", "k")


def test_adopt_notices_other_bytes(root: Path, tmp_path: Path) -> None:
    class BadDisk(LocalStore):
        def create(self, key: str, data: BinaryIO | bytes) -> Put:
            put = super().create(key, data)
            (self.root / key).write_bytes(b"jello")
            return put

    source = ObjectStore(f"memory://{tmp_path}")  # of another kind, so that the bytes are copied
    source.create("k", b"hello")
    bad = BadDisk(str(root))
    with pytest.raises(StoreError, match="gave back other bytes"):
        bad.adopt(source, "k", "k")
    assert held(bad) == {}


# ------------------------------------------------------------------------------- what goes wrong


def test_killed_in_the_middle(store: LocalStore, root: Path) -> None:
    """A writer killed by SIGKILL leaves nothing that readers see, and the next writers clean up."""
    code = """
        import sys
        from penstock.stores.local import LocalStore
        LocalStore(sys.argv[1]).create("a/k", sys.stdin.buffer)
    """
    writer = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(root)], stdin=subprocess.PIPE, bufsize=0
    )
    assert writer.stdin is not None
    deadline = time.monotonic() + 60
    writer.stdin.write(b"x" * 3 * MB)
    while not any(p.stat().st_size == 3 * MB for p in leftovers(root)):
        assert time.monotonic() < deadline, "the writer never wrote"
        time.sleep(0.01)
    (temp,) = leftovers(root)
    os.utime(temp, (0, 0))

    # it looks an age old, yet its writer lives
    LocalStore(str(root)).create("b", b"x")
    assert leftovers(root) == [temp]

    writer.send_signal(signal.SIGKILL)
    writer.wait(timeout=30)
    writer.stdin.close()
    assert store.stat("a/k") is None
    assert held(store) == {"b": 1}
    assert leftovers(root) == [temp]

    os.utime(temp, (0, 0))
    store.create("a/k", b"whole")
    assert leftovers(root) == []
    assert held(store) == {"a/k": 5, "b": 1}


def test_young_leftovers_are_left_alone(store: LocalStore, root: Path) -> None:
    (root / SCRATCH).mkdir(parents=True)
    (root / SCRATCH / "young").write_bytes(b"x")
    store.create("k", b"x")
    assert leftovers(root) == [root / SCRATCH / "young"]
    assert held(store) == {"k": 1}


def test_disk_full(small_disk: Path) -> None:
    """Said so with a hint; what was there stays, and no part of the new file does."""
    store = LocalStore(str(small_disk / "store"))
    store.create("a/kept", b"x" * MB)
    writes: list[Callable[[], object]] = [
        lambda: store.create("a/big", Flow(8 * MB).stream()),
        lambda: store.replace("a/kept", b"y" * 4 * MB),
    ]
    for write in writes:
        with pytest.raises(StoreError) as told:
            write()
        assert told.value.found == "No space left on device"
        assert told.value.hint is not None
        assert "free some space" in told.value.hint
        assert leftovers(store.root) == []
        assert files(store.root) == ["a/kept"]
        assert store.digest("a/kept") == sha256(b"x" * MB)
    assert store.create("a/small", b"x" * MB).size_bytes == MB


def test_file_size_limit(store: LocalStore, root: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MB + MB // 2, hard))
    try:
        with pytest.raises(StoreError, match="File too large") as told:
            store.create("big", Flow(2 * MB).stream())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert told.value.where == str(root / "big")
    assert leftovers(root) == []
    assert held(store) == {}


def test_read_only(small_disk: Path, tmp_path: Path) -> None:
    """Reading writes nothing; writing says what is wrong and how to mend it."""
    store = LocalStore(str(small_disk))
    store.create("a/k", b"hello")
    other = LocalStore(str(tmp_path / "other"))
    other.create("k", b"hello")
    mount(small_disk, "-o", "remount,ro")
    reader = LocalStore(str(small_disk))
    assert held(reader) == {"a/k": 5}
    assert reader.digest("a/k") == HELLO
    writes: list[Callable[[], object]] = [
        lambda: store.create("b/k", b"x"),
        lambda: store.replace("a/k", b"x"),
        lambda: store.adopt(other, "k", "b/k"),
        lambda: store.delete("a/k"),
    ]
    for write in writes:
        with pytest.raises(StoreError, match="Read-only file system") as told:
            write()
        assert told.value.hint is not None
        assert "mount it writable" in told.value.hint
    with pytest.raises(ConflictError):
        store.create("a/k", b"x")
    assert other.adopt(reader, "a/k", "from/read/only").sha256 == HELLO


def test_no_permission(store: LocalStore, root: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere; `test_read_only` covers the same path")
    store.create("a/k", b"x")
    (root / SCRATCH).chmod(0o500)
    with pytest.raises(StoreError, match="Permission denied"):
        store.create("b/k", b"x")
    (root / SCRATCH).chmod(0o700)


def test_fault_of_the_stream_is_not_a_fault_of_the_disk(store: LocalStore, root: Path) -> None:
    def unplug(done: int) -> None:
        if done > MB:
            raise OSError(5, "the source was unplugged")

    with pytest.raises(OSError, match="unplugged"):
        store.create("k", Flow(4 * MB, each=unplug).stream())
    assert files(root) == []


def test_no_scratch_is_left(store: LocalStore, root: Path) -> None:
    store.create("a", b"x")
    store.replace("a", b"y")
    with pytest.raises(ConflictError):
        store.create("a", b"z")
    with pytest.raises(BrokenStreamError):
        store.create("b", Flow(MB, breaks_at=1).stream())
    assert files(root) == ["a"]


def test_name_too_long(store: LocalStore) -> None:
    with pytest.raises(StoreError, match="255 bytes"):
        store.create("a/" + "x" * 300, b"x")
    assert held(store) == {}


def test_file_and_folder_of_one_name(store: LocalStore) -> None:
    store.create("a/b", b"x")
    with pytest.raises(StoreError, match="a folder has this name"):
        store.create("a", b"x")
    with pytest.raises(StoreError, match="Is a directory"):
        store.replace("a", b"x")
    for write in (store.create, store.replace):
        with pytest.raises(StoreError, match="stands where a folder is needed"):
            write("a/b/c", b"x")
    assert held(store) == {"a/b": 1}


# ------------------------------------------------------------------------------- what folders hold


def test_emptied_folders_go_and_the_root_stays(store: LocalStore, root: Path) -> None:
    store.create("a/b/c/1", b"x")
    store.create("a/2", b"x")
    store.delete("a/b/c/1")
    assert not (root / "a/b").exists()
    assert (root / "a").is_dir()
    store.delete("a/2")
    assert not (root / "a").exists()
    assert root.is_dir()


@pytest.mark.parametrize("step", ["link", "mkdir"])
def test_folder_that_a_concurrent_delete_removes(
    store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Emptied folders go at the worst moment, three times over; the new file is written all the same."""
    act = getattr(os, step)
    removed: list[Path] = []

    def too_late(*paths: Path) -> None:
        folder = Path(paths[1 if step == "link" else 0]).parent
        if len(removed) < 3 and folder.name == "b" and folder.is_dir():
            folder.rmdir()
            removed.append(folder)
        act(*paths)

    monkeypatch.setattr(os, step, too_late)
    key = "a/b/1" if step == "link" else "a/b/c/1"
    store.create(key, b"x")
    assert removed == [root / "a/b"] * 3
    assert held(store) == {key: 1}


def test_files_that_vanish_while_listed(store: LocalStore) -> None:
    for number in range(20):
        store.create(f"{number % 4}/{number}", b"x")
    listing = store.list()
    seen = {next(listing).key}
    for number in range(20):
        store.delete(f"{number % 4}/{number}")
    seen |= {item.key for item in listing}
    assert len(seen) < 20


def test_symbolic_links_are_for_reading(store: LocalStore, root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"hello")
    store.create("k", b"x")
    (root / "link").symlink_to(outside)
    (root / "dangling").symlink_to(outside / "nothing")
    assert held(store) == {"k": 1, "link/file": 5}
    assert store.digest("link/file") == HELLO
    writes: list[Callable[[], object]] = [
        lambda: store.create("link/new", b"x"),
        lambda: store.replace("link/file", b"x"),
        lambda: store.adopt(store, "k", "link/new"),
        lambda: store.delete("link/file"),
    ]
    for write in writes:
        with pytest.raises(StoreError, match="leads out of the store"):
            write()
    assert files(outside) == ["file"]
    with pytest.raises(ConflictError):
        store.create("dangling", b"x")
    assert store.stat("dangling") is None
    store.delete("link")
    assert (outside / "file").read_bytes() == b"hello"


def test_root_may_be_a_symbolic_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    LocalStore(str(tmp_path / "link")).create("a/k", b"x")
    assert files(tmp_path / "real") == ["a/k"]


def test_circles_of_links_end(store: LocalStore, root: Path) -> None:
    store.create("a/1", b"x")
    store.create("b/2", b"x")
    (root / "a/up").symlink_to("..")
    (root / "a/over").symlink_to("../b")
    (root / "b/back").symlink_to("../a")
    (root / "self").symlink_to("self")
    keys = set(held(store, "a"))
    assert {"a/1", "a/over/2"} <= keys
    assert len(keys) < 20
    with pytest.raises(StoreError, match="round in a circle"):
        store.adopt(store, "self/k", "k")
    with pytest.raises(StoreError, match="round in a circle"):
        store.stat("self")
    with pytest.raises(StoreError, match="stands where a folder is needed"):
        store.create("self/k", b"x")


def test_only_regular_files_are_objects(store: LocalStore, root: Path) -> None:
    store.create("k", b"x")
    os.mkfifo(root / "pipe")
    assert held(store) == {"k": 1}
    assert store.stat("pipe") is None
    with pytest.raises(NotFoundError):
        store.open("pipe")
    with pytest.raises(NotFoundError):
        store.adopt(LocalStore(str(root)), "pipe", "k2")


def test_names_that_are_not_unicode(store: LocalStore, root: Path) -> None:
    root.mkdir()
    (root / os.fsdecode(b"caf\xe9.csv")).write_bytes(b"hello")
    (found,) = store.list()
    assert store.digest(found.key) == HELLO
    store.delete(found.key)
    assert held(store) == {}


def test_scratch_of_an_inner_store_is_hidden(store: LocalStore, root: Path) -> None:
    inner = LocalStore(str(root / "land"))
    inner.create("k", b"x")
    (inner.root / SCRATCH / "half-written").write_bytes(b"x")
    assert held(store) == {"land/k": 1}


def test_modified_at_is_exact(store: LocalStore, root: Path) -> None:
    store.create("k", b"x")
    first = store.stat("k")
    os.utime(root / "k", ns=(0, 1_767_225_600_123_456_789))
    second = store.stat("k")
    assert first is not None
    assert second is not None
    assert second.modified_at == 1_767_225_600_123_456_789 / 1e9
    assert first.etag != second.etag
