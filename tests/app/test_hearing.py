"""What a source says while it runs is told by the run."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import penstock
from penstock.app.hearing import HEARD
from penstock.report.facts import Event, Notice, Phase, Progress

TAP = """\
import json, sys
print("INFO reading with the key s3cret-s3cret", file=sys.stderr)
print(json.dumps({"type": "SCHEMA", "stream": "t", "schema": {"properties": {"n": {"type": "integer"}}}}))
for n in range(3):
    print(json.dumps({"type": "RECORD", "stream": "t", "record": {"n": n}}))
"""


def test_a_run_tells_what_a_tap_says(tmp_path: Path) -> None:
    (tmp_path / "tap.py").write_text(TAP)
    (tmp_path / ".env").write_text("KEY=s3cret-s3cret\n")
    (tmp_path / "penstock.yml").write_text(
        "name: p\npipelines:\n  p:\n    source:\n      type: singer\n"
        f"      tap: {json.dumps([sys.executable, 'tap.py'])}\n      config: {{key: '${{KEY}}'}}\n"
        "      discover: false\n"
    )
    events: list[Event] = []
    assert penstock.open_session(tmp_path).run([], events.append).exit_code == 0
    told = [e for e in events if isinstance(e, Notice)]
    assert [e.message for e in told if "reading" in e.message] == ["tap: INFO reading with the key ***"]
    landed = [e for e in events if isinstance(e, Progress) and e.phase is Phase.LAND]
    assert sum(e.size_bytes for e in landed) > 0
    assert [(of.handlers, of.level) for of in HEARD] == [([], logging.NOTSET)] * 2
