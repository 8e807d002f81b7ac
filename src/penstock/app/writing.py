"""Files of a project, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from penstock.errors import StoreError


def write_whole(path: Path, said: str | bytes, *, private: bool = False) -> None:
    """Write a file, all of it or nothing; a private one is its owner's alone. Raises: StoreError."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = path.stat().st_mode & 0o777 if path.exists() else (0o600 if private else None)
        part.write_bytes(b"")
        if mode is not None:
            part.chmod(mode)
        part.write_bytes(said.encode() if isinstance(said, str) else said)
        part.replace(path)
    except OSError as error:
        raise StoreError("a file cannot be written", where=str(path), found=error.strerror) from error
