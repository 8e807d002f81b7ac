"""A tap that does what its configuration says, and no more: every way in which taps misbehave.

`turns` are what it does, one after the other: a text is a line on stdout, `{"raw": …}` is written without
a line end, `{"say": …}` goes to stderr, `{"sleep": seconds}` waits, `{"exit": code}` ends, `{"deaf": true}`
takes no SIGTERM, `{"child": path}` starts a child that outlives it unless the whole group is ended. With
`by_state` the turns are those under the state's `turn`, which is 0 at first. What it was started with is
written to the file `seen`, if that is set.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser()
    for option in ("--config", "--catalog", "--properties", "--state"):
        parser.add_argument(option)
    parser.add_argument("--discover", action="store_true")
    given = parser.parse_args()
    config = json.loads(Path(given.config).read_text())
    if given.discover:
        note(config, given, "discovered")
        print(json.dumps(config["catalog"]))
        return
    note(config, given, "ran")
    turns = config["turns"]
    if config.get("by_state"):
        state = json.loads(Path(given.state).read_text()) if given.state else {}
        turns = turns[state.get("turn", 0)]
    for turn in turns:
        act(turn)
    sys.stdout.flush()


def note(config: dict, given: argparse.Namespace, what: str) -> None:
    if "seen" not in config:
        return
    files = {k: v for k, v in vars(given).items() if isinstance(v, str)}
    found = {
        "what": what,
        "arguments": sys.argv[1:],
        "modes": {k: oct(Path(v).stat().st_mode & 0o777) for k, v in files.items()},
        "files": {k: json.loads(Path(v).read_text()) for k, v in files.items()},
        "env": {k: v for k, v in os.environ.items() if k.startswith("TAP_")},
    }
    with open(config["seen"], "a") as out:
        out.write(json.dumps(found) + "\n")


def act(turn: object) -> None:
    out = sys.stdout.buffer
    if isinstance(turn, str):
        out.write(turn.encode("utf-8", "surrogateescape") + b"\n")
        return
    out.flush()
    match turn:
        case {"raw": text}:
            out.write(text.encode("utf-8", "surrogateescape"))
            out.flush()
        case {"say": text}:
            print(text, file=sys.stderr, flush=True)
        case {"sleep": seconds}:
            time.sleep(seconds)
        case {"exit": code}:
            sys.exit(code)
        case {"kill": number}:
            os.kill(os.getpid(), number)
        case {"deaf": _}:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        case {"child": path}:
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            Path(path).write_text(str(child.pid))
        case {"many": count, "stream": stream, "state_every": every}:
            for i in range(count):
                record = {"id": i, "name": f"row {i}"}
                out.write(json.dumps({"type": "RECORD", "stream": stream, "record": record}).encode() + b"\n")
                if i % every == every - 1:
                    out.write(json.dumps({"type": "STATE", "value": {"at": i}}).encode() + b"\n")


if __name__ == "__main__":
    main()
