"""What a REST source remembers: cursors from pass to pass, and in between how far a pass has come.

{"rest_api": 1,
 "cursors": {table: {…}},          as the last whole pass left them
 "pass": {"marks": {root: "…"},    of the tables that it is a pass over
          "done": [root, …], "at": {root: frame},
          "cursors": {table: {…}}}}  what the pass has seen of them

A frame is the place of a table: `at` is the number of its chain of pages, `page` the place within that
chain, `taken` how many pages of it were taken. `bound` are the values of the parent's rows that the
chains are for, and `below` the frames of children that rows of the last page still have to be asked for.
"""

from __future__ import annotations

import json
from typing import Any

from penstock.errors import RefusedError

VERSION = 1
State = dict[str, Any]  # Any: JSON


def load(text: str | None) -> State:
    """The state of a text; a new one if there is none or it is of another kind of source."""
    said = json.loads(text) if text else {}
    if not isinstance(said, dict) or "rest_api" not in said:
        return {"rest_api": VERSION, "cursors": {}}
    if said["rest_api"] != VERSION:
        raise RefusedError(
            "the state was written by another version of Penstock",
            found=f"version {said['rest_api']} of it",
            expected=f"version {VERSION}",
            hint="run with that version, or once with `--refresh`",
        )
    return said


def dump(state: State) -> str:
    """The text of a state."""
    return json.dumps(state, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
