"""Compressed content comes out whole, or is refused: a truncated file never looks like a short one."""

from __future__ import annotations

import gzip
import io
import random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import RefusedError
from penstock.records.compression import Limits, logical_extension, open_decompressed

TEXT = b"".join(b'{"id": %d}\n' % i for i in range(20_000))
NOISE = random.Random(1).randbytes(300_000)


def _zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as packer:
        packer.write(data)
    return sink.getvalue().to_pybytes()


PACK = {"gz": gzip.compress, "zst": _zstd}


class Trickle(io.RawIOBase):
    """A stream that is not seekable and gives a few bytes at a time, as a network does."""

    def __init__(self, data: bytes, step: int = 7) -> None:
        self.data, self.step = io.BytesIO(data), step

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self.data.read(min(size, self.step) if size >= 0 else self.step)


def unpack(data: bytes, extension: str, limits: Limits | None = None) -> bytes:
    with open_decompressed(io.BytesIO(data), extension, limits) as stream:
        parts = []
        while part := stream.read(100_000):
            parts.append(part)
        return b"".join(parts)


@pytest.mark.parametrize(
    ("extension", "expected"),
    [
        ("jsonl.gz", ("jsonl", "gz")), ("jsonl", ("jsonl", None)), ("ndjson", ("jsonl", None)),
        ("json.zst", ("jsonl", "zst")), ("JSONL.GZ", ("jsonl", "gz")), (".csv.gz", ("csv", "gz")),
        ("tsv", ("tsv", None)), ("tsv.gzip", ("tsv", "gz")), ("parquet", ("parquet", None)),
        ("snappy.parquet", ("parquet", None)), ("orders_1.2024.csv.zstd", ("csv", "zst")),
        ("xlsx", ("xlsx", None)), ("gz", ("gz", "gz")), ("", ("", None)),
    ],
)  # fmt: skip
def test_extensions_stand_for_a_format_and_a_compression(extension, expected):
    assert logical_extension(extension) == expected


def test_plain_streams_are_not_wrapped():
    stream = io.BytesIO(TEXT)
    assert open_decompressed(stream, "jsonl") is stream


@pytest.mark.parametrize("kind", PACK)
@pytest.mark.parametrize("content", [TEXT, NOISE, b"", b"x"], ids=["text", "noise", "empty", "byte"])
def test_content_comes_out_whole(kind, content):
    assert unpack(PACK[kind](content), f"jsonl.{kind}") == content


@pytest.mark.parametrize("kind", PACK)
def test_every_member_counts(kind):
    pack = PACK[kind]
    assert unpack(pack(TEXT) + pack(b"") + pack(NOISE), f"jsonl.{kind}") == TEXT + NOISE


@pytest.mark.parametrize("kind", PACK)
def test_a_slow_stream_is_read_to_its_end(kind):
    packed = PACK[kind](TEXT[:50_000]) + PACK[kind](b"tail")
    assert open_decompressed(Trickle(packed), f"x.{kind}").read() == TEXT[:50_000] + b"tail"


def test_zero_padding_after_gzip_is_allowed():
    assert unpack(gzip.compress(TEXT) + bytes(1024), "jsonl.gz") == TEXT


@pytest.mark.parametrize("kind", PACK)
@pytest.mark.parametrize("kept", [1, 5, 11, 0.3, 0.9, -9, -8, -4, -1])
def test_truncation_is_refused_wherever_it_happens(kind, kept):
    packed = PACK[kind](NOISE)
    packed = packed[: int(len(packed) * kept)] if isinstance(kept, float) else packed[:kept]
    with pytest.raises(RefusedError, match="truncated"):
        unpack(packed, f"jsonl.{kind}")


@pytest.mark.parametrize("kind", PACK)
def test_truncation_in_a_later_member_is_refused(kind):
    with pytest.raises(RefusedError, match="truncated"):
        unpack(PACK[kind](TEXT) + PACK[kind](NOISE)[:-3], f"jsonl.{kind}")


def test_a_wrong_checksum_or_length_is_refused():
    packed = bytearray(gzip.compress(TEXT))
    packed[-6] ^= 1
    with pytest.raises(RefusedError, match="damaged"):
        unpack(bytes(packed), "jsonl.gz")
    packed = bytearray(gzip.compress(TEXT))
    packed[-1] ^= 1
    with pytest.raises(RefusedError, match="damaged"):
        unpack(bytes(packed), "jsonl.gz")


@pytest.mark.parametrize("kind", PACK)
def test_garbage_behind_or_instead_is_refused(kind):
    with pytest.raises(RefusedError, match="damaged"):
        unpack(PACK[kind](TEXT) + b"garbage after the end", f"jsonl.{kind}")
    with pytest.raises(RefusedError, match="damaged"):
        unpack(b'{"id": 1}\n' * 10, f"jsonl.{kind}")


def test_an_error_says_where_and_what_to_do():
    packed = gzip.compress(NOISE)
    with pytest.raises(RefusedError) as refused:
        unpack(packed[:-8], "jsonl.gz")
    assert f"after {len(packed) - 8:,} compressed bytes" in str(refused.value)
    assert "send the file again" in str(refused.value)


@pytest.mark.parametrize("kind", PACK)
def test_a_bomb_is_refused_by_ratio_and_by_size(kind):
    packed = PACK[kind](bytes(5_000_000))
    with pytest.raises(RefusedError, match="out of proportion"):
        unpack(packed, f"jsonl.{kind}", Limits(max_ratio=100, harmless_bytes=1_000_000))
    with pytest.raises(RefusedError, match="too large"):
        unpack(packed, f"jsonl.{kind}", Limits(max_bytes=2_000_000))
    assert len(unpack(packed, f"jsonl.{kind}")) == 5_000_000


@pytest.mark.parametrize("kind", PACK)
def test_closing_closes_the_stream_below(kind):
    below = io.BytesIO(PACK[kind](TEXT))
    open_decompressed(below, f"jsonl.{kind}").close()
    assert below.closed


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.lists(st.binary(max_size=300), max_size=4), st.integers(1, 50), st.integers(1, 9))
def test_any_members_in_any_steps(members, step, level):
    packed = b"".join(gzip.compress(m, level) for m in members)
    assert open_decompressed(Trickle(packed, step), "x.gz").read() == b"".join(members)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.binary(min_size=1, max_size=300), st.data())
def test_no_cut_of_a_gzip_file_reads_as_whole(content, data):
    packed = gzip.compress(content)
    cut = data.draw(st.integers(1, len(packed) - 1))
    with pytest.raises(RefusedError):
        unpack(packed[:cut], "x.gz")
