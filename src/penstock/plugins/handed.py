"""What a plugin is handed in files: its configuration, catalog and state, and the words that name them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from penstock.singer.definition import Plugin
from penstock.temporary import TemporaryFolder


@contextmanager
def private_folder() -> Iterator[Path]:
    """A folder that nobody else can read, gone in the end. For configurations, which hold secrets."""
    folder = TemporaryFolder(time.time())
    try:
        yield folder.path
    finally:
        folder.close()


def hand(
    folder: Path,
    config: Mapping[str, Any],
    *,
    plugin: Plugin | None = None,
    catalog: Mapping[str, Any] | None = None,
    state: Mapping[str, Any] | None = None,
) -> list[str]:
    """Write the files into `folder`, and return the arguments that name them.

    A plugin that says it knows `properties` and not `catalog` gets its catalog as `--properties`.
    """
    old = plugin is not None and plugin.can("properties") and not plugin.can("catalog")
    given = (("--config", config), ("--properties" if old else "--catalog", catalog), ("--state", state))
    arguments = []
    for option, value in given:
        if value is not None:
            path = folder / f"{option.lstrip('-')}.json"
            path.touch(mode=0o600)
            path.write_text(json.dumps(value), "utf-8")
            arguments += [option, str(path)]
    return arguments
