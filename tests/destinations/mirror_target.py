"""A Singer target for tests: it keeps each stream in a JSON file, and misbehaves as its configuration says.

Decimals and other fractions are kept as the text that they came as. `behave` is one of the words below.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote


def mute() -> NoReturn:
    while True:
        time.sleep(1)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Streams:
    """What was loaded, by stream, in memory until `keep`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.schemas: dict[str, Any] = {}
        self.rows: dict[str, list[dict[str, Any]]] = {}

    def open(self, message: dict[str, Any]) -> None:
        stream = message["stream"]
        self.schemas[stream] = message
        path = self.folder / f"{quote(stream, safe='')}.json"
        if stream not in self.rows:
            self.rows[stream] = json.loads(path.read_text())["rows"] if path.exists() else []

    def add(self, message: dict[str, Any]) -> None:
        stream, record = message["stream"], message["record"]
        keys = self.schemas[stream]["key_properties"]
        entry = {"record": record, "version": message.get("version")}
        rows = self.rows[stream]
        for i, old in enumerate(rows if keys else []):
            if all(old["record"].get(k) == record.get(k) for k in keys):
                rows[i] = {"record": old["record"] | record, "version": message.get("version")}
                return
        rows.append(entry)

    def activate(self, message: dict[str, Any]) -> None:
        rows = self.rows[message["stream"]]
        rows[:] = [r for r in rows if (r["version"] or 0) >= message["version"]]

    def keep(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for stream, rows in self.rows.items():
            said = {"schema": self.schemas[stream], "rows": rows}
            (self.folder / f"{quote(stream, safe='')}.json").write_text(json.dumps(said))


def read(streams: Streams, behave: str, after: int) -> list[str]:
    """Take every message; returns the states, in order."""
    states, seen = [], 0
    for line in sys.stdin.buffer:
        message = json.loads(line, parse_float=str)
        kind = message["type"]
        if kind == "SCHEMA":
            streams.open(message)
        elif kind == "RECORD":
            streams.add(message)
            seen += 1
            if behave == "die" and seen == after:
                say("the disk is full: s3cret-w0rd")
                sys.exit(3)
            if behave == "leave" and seen == after:
                sys.exit(0)
        elif kind == "ACTIVATE_VERSION":
            streams.activate(message)
        elif kind == "STATE":
            states.append(json.dumps(message["value"]))
            if behave == "eager":
                print(states[-1], flush=True)
    return states


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", required=True)
    config = json.loads(Path(parser.parse_args().config).read_text())
    behave, after = config.get("behave", "well"), config.get("after", 1)
    if config.get("pid"):
        Path(config["pid"]).write_text(str(os.getpid()))
    if behave == "deaf":
        say("I am not listening")
        mute()
    if behave == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        mute()
    if behave == "hang up":
        os.close(0)
        mute()
    if behave == "flood":
        for number in range(40_000):
            say(f"line {number} " + "x" * 80)
    if behave == "gone":
        sys.exit(0)
    streams = Streams(Path(config["folder"]))
    time.sleep(config.get("slow_s", 0))
    states = read(streams, behave, after)
    streams.keep()
    if behave == "murder":  # whoever started it dies before it can note what was kept
        os.kill(os.getppid(), signal.SIGKILL)
    if behave == "chatty":
        print("loading is done, thank you")
    if behave == "silent":
        return
    if behave == "older":
        print(states[0])
        return
    if behave == "foreign":
        print(json.dumps({"bookmarks": {}, "penstock": {"load_id": "another", "whole": True}}))
        return
    if behave not in ("eager",):
        print(states[-1], flush=True)
    if behave == "regret":
        say("could not close the connection")
        sys.exit(1)


if __name__ == "__main__":
    main()
