"""What a file must be before its rows count: size, content that fits its name, rows enough, news.

Pure: the first bytes, the sizes and the counts come in as arguments.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from penstock.errors import ContractError, RefusedError
from penstock.gate.verdict import Action, Finding
from penstock.records.compression import logical_extension
from penstock.records.formats import FORMATS, sniff

_PACKED = {"gz": "gzip", "zst": "zstd"}
_BOM = b"\xef\xbb\xbf"
_WIDE = (b"\xff\xfe", b"\xfe\xff")
_UTF8 = ("utf-8", "utf8", "utf-8-sig")
_GZIP = 31  # zlib's word for a gzip header, of any window size
_LOOK = 4096

DUPLICATE = "duplicate_content"


@dataclass(frozen=True, slots=True)
class ArrivalRules:
    """What is asked of whole files. Units: bytes as the file lies, rows by count, a share from 0 to 1.

    `action` is what becomes of a file that breaks a rule, `duplicate_content` of one whose bytes
    were loaded before under another name. `stated` is the format if the project states it,
    `encoding` that of text.
    """

    min_rows: int | None = None
    max_rows: int | None = None
    min_bytes: int | None = None
    max_bytes: int | None = None
    max_quarantined_share: float | None = None
    action: Action = Action.QUARANTINE
    duplicate_content: Action = Action.ALLOW
    stated: str | None = None
    encoding: str = "utf-8"


def judge_arrival(
    head: bytes, size_bytes: int, name: str, rules: ArrivalRules, tail: bytes | None = None
) -> tuple[Finding, ...]:
    """What is wrong with a file as far as its size, its name and its first (and last) bytes tell."""
    if not size_bytes:
        return (Finding("zero_bytes", rules.action, "the file is empty"),)
    found = [
        _outside("bytes", size_bytes, rules.min_bytes, rules.max_bytes, rules),
        _magic(head, name, rules) or _tail(tail, name, rules),
    ]
    return tuple(f for f in found if f is not None)


def judge_counts(rows: int, quarantined: int, rules: ArrivalRules) -> tuple[Finding, ...]:
    """What is wrong with a file once its rows are counted."""
    found = [_outside("rows", rows, rules.min_rows, rules.max_rows, rules)]
    limit = rules.max_quarantined_share
    if limit is not None and rows and quarantined > limit * rows:
        message = f"{quarantined:,} of {rows:,} rows break rules, at most a share of {limit:g} may"
        found.append(Finding("max_quarantined_share", rules.action, message))
    return tuple(f for f in found if f is not None)


def judge_content(sha256: str, known: Mapping[str, str], rules: ArrivalRules) -> tuple[Finding, ...]:
    """Whether these very bytes were loaded before; `known` maps SHA-256 to key."""
    if sha256 not in known:
        return ()
    message = f"the same bytes were loaded before, as {known[sha256]}"
    return (Finding(DUPLICATE, rules.duplicate_content, message),)


def unreadable(error: RefusedError, rules: ArrivalRules) -> Finding:
    """What follows from a file that could not be read to its end.

    A broken contract fails the file; damage is an arrival rule like any other.
    """
    action = Action.FAIL if isinstance(error, ContractError) else rules.action
    told = ", ".join(fact for fact in (error.where, error.found) if fact)
    said = f"{error.what} ({told})" if told else error.what
    return Finding("contract" if isinstance(error, ContractError) else "unreadable", action, said)


def _outside(unit: str, count: int, low: int | None, high: int | None, rules: ArrivalRules) -> Finding | None:
    if low is not None and count < low:
        return Finding(f"min_{unit}", rules.action, f"{_counted(count, unit)}, at least {low:,} are expected")
    if high is not None and count > high:
        return Finding(f"max_{unit}", rules.action, f"{_counted(count, unit)}, at most {high:,} are expected")
    return None


def _counted(count: int, unit: str) -> str:
    return f"{count:,} {unit}" if count != 1 else f"1 {unit.removesuffix('s')}"


def _magic(head: bytes, name: str, rules: ArrivalRules) -> Finding | None:
    """Whether the first bytes are those of what the name says."""
    kind, packed = logical_extension(name)
    kind = rules.stated or kind
    if kind not in FORMATS:
        known = ", ".join(FORMATS)
        return Finding("extension", rules.action, f"`{name}` has no extension that can be read ({known})")
    if packed and sniff(head) != _PACKED[packed]:
        return _other(_PACKED[packed], sniff(head), rules)
    inner = _unpacked(head, packed) if packed else head
    if inner is None:  # nothing can be told of it before it is read
        return None
    content = sniff(inner)
    if kind == "parquet":
        wrong = content != kind
    else:
        content = content or _not_text(inner, kind, rules.encoding)
        wrong = content is not None
    within = f" in {_PACKED[packed]}" if packed else ""
    return _other(kind + within, (content or "something else") + within, rules) if wrong else None


def _other(expected: str, content: str | None, rules: ArrivalRules) -> Finding:
    said = f"the name says {expected}, the content is {content or 'something else'}"
    return Finding("magic", rules.action, said)


def _tail(tail: bytes | None, name: str, rules: ArrivalRules) -> Finding | None:
    kind, packed = logical_extension(name)
    if tail is None or packed or (rules.stated or kind) != "parquet" or tail.endswith(b"PAR1"):
        return None
    return Finding("truncated", rules.action, "the last bytes are not the PAR1 that ends a parquet file")


def _unpacked(head: bytes, packed: str) -> bytes | None:
    """The first bytes of what is packed in a file that begins with `head`; None if that is not known."""
    if packed != "gz":
        return None
    try:
        return zlib.decompressobj(_GZIP).decompress(head, _LOOK) or None
    except zlib.error:  # damaged: reading tells where
        return None


def _not_text(head: bytes, kind: str, encoding: str) -> str | None:
    """What a text file's first bytes are instead of lines of text."""
    if encoding.lower().replace("_", "-") in _UTF8 and b"\0" in head[:_LOOK] and not head.startswith(_WIDE):
        return "binary"
    start = head.removeprefix(_BOM).lstrip()
    if start.startswith(b"<?xml"):
        return "xml"
    if kind != "jsonl" or not start:
        return None
    lines = [line.strip() for line in start.split(b"\n") if line.strip()]
    if lines[0] == b"[" or lines[0].startswith(b"[{"):
        return "a JSON array, not one object a line"
    if lines[0] == b"{":
        return "a JSON document over several lines, not one object a line"
    if not any(line.startswith(b"{") for line in lines):
        return "not one JSON object a line"
    return None
