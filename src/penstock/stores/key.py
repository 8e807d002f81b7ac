"""What may be a key: relative, with `/` between its parts, and never in a store's scratch folder."""

from __future__ import annotations

from penstock.errors import RefusedError
from penstock.layers import PRIVATE

SCRATCH = f"{PRIVATE}.tmp/"
"""Where a store keeps what it is still writing; never listed."""


def check_key(key: str) -> str:
    """The key itself. Raises: RefusedError for text that cannot be a key."""
    wrong = _wrong(key)
    if wrong:
        raise RefusedError(
            f"`{key}` cannot be the key of a file" if key.isprintable() else f"{key!r} cannot be a key",
            found=wrong,
            expected="a relative path such as `orders/part-0.jsonl`",
        )
    return key


def check_prefix(prefix: str) -> str:
    """A folder's prefix with exactly one `/` at its end, or the empty text for everything.

    Raises: RefusedError for text that cannot be a folder.
    """
    folder = prefix.removesuffix("/")
    return f"{check_key(folder)}/" if folder else ""


def is_scratch(key: str) -> bool:
    """Whether `key` lies in this store's scratch folder, or in that of a store below it."""
    return f"/{SCRATCH}" in f"/{key}"


def _wrong(key: str) -> str | None:
    if not key:
        return "an empty key"
    if "\0" in key:
        return "a NUL character"
    if key.startswith("/"):
        return "a path from the root of the disk"
    parts = key.split("/")
    if "" in parts:
        return "an empty part"
    if "." in parts or ".." in parts:
        return "a part that is `.` or `..`"
    return "a place in the scratch folder of a store" if is_scratch(f"{key}/") else None
