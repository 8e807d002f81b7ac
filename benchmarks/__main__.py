"""`python -m benchmarks`: make the data, install the peers, run every job in turn, write RESULTS.md."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks import measure, merge, models, peers
from benchmarks.cases import CASES, JOBS, NOT_RUN, Case
from benchmarks.data import Data
from benchmarks.report import Outcome, Setting, judge, render
from benchmarks.tools import Command, command

HERE = Path(__file__).resolve().parent
WORK = HERE / ".work"
TIMEOUT_S = 900.0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the clean set (%(default)s)")
    parser.add_argument("--files", type=int, default=4, help="files of the clean set (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds over all jobs (%(default)s)")
    parser.add_argument("--only", action="append", choices=[c.name for c in CASES], help="repeatable")
    parser.add_argument("--skip-peers", choices=["slow", "all"], help="leave peers out")
    parser.add_argument("--output", type=Path, default=HERE / "RESULTS.md", help="the report (%(default)s)")
    return parser.parse_args()


def _warm(folder: Path) -> None:
    for file in folder.iterdir():
        with file.open("rb") as stream:
            while stream.read(1 << 22):
                pass


def _ready(
    cases: list[Case], data: Data, skip: str | None, versions: dict[str, str]
) -> tuple[list[Command], dict[str, Outcome]]:
    """The commands that can be run, and an outcome for every job of the cases."""
    outcomes = {name: Outcome() for case in cases for name in case.jobs}
    installed: dict[str, peers.Installed] = {}
    commands: list[Command] = []
    for name, outcome in outcomes.items():
        job = JOBS.get(name)
        tool = name.partition("-")[0]
        if job is None:
            outcome.not_run = NOT_RUN[name]
            continue
        if job.target == "merge":
            commands.append(merge.command(job, WORK, data.rows))
            continue
        if job.target == "models" and tool not in peers.PEERS:
            commands.append(models.command(job, WORK, data.rows, None))
            continue
        if tool in peers.PEERS:
            if skip == "all" or (skip == "slow" and job.once):
                outcome.not_run = f"left out by --skip-peers {skip}"
                continue
            if tool not in versions:
                print(f"preparing {tool}", file=sys.stderr)
                try:
                    installed[tool] = peers.install(peers.PEERS[tool], WORK)
                    versions[tool] = installed[tool].versions
                except peers.UnavailableError as error:
                    versions[tool] = f"not run: {error}"
            if tool not in installed:
                outcome.not_run = versions[tool].removeprefix("not run: ")
                continue
        if job.target == "models":
            commands.append(models.command(job, WORK, data.rows, installed[tool]))
            continue
        source = data[job.data] if job.data else None
        commands.append(command(job, source, WORK / "runs" / name, installed.get(tool)))
    return commands, outcomes


def _measure(made: Command, outcome: Outcome) -> None:
    """One job in one round; its folder goes afterwards unless a later round builds on it."""
    made.prepare()
    log = WORK / "logs" / f"{made.job.name}.txt"
    outcome.rows = made.data.truth.rows + made.data.truth.bad if made.data else 0
    for _ in range(made.job.repeat):
        usage = measure.run(made.argv, cwd=made.folder, env=made.env, log=log, timeout_s=TIMEOUT_S)
        outcome.usages.append(usage)
        if usage.exit_code:
            lines = log.read_text(errors="replace").strip().splitlines() or ["no output"]
            words = next((line for line in lines if line.lower().startswith(("error", "fatal"))), lines[-1])
            outcome.faults.append(f"exit {usage.exit_code}: {words[:200]}")
            return
    if made.job.prints:
        outcome.printed.append(made.printed(log))
    fault = made.fault()
    if fault:
        outcome.faults.append(fault)
    figures = f"{usage.cpu_s:8.2f} CPU s {usage.wall_s:8.2f} s {usage.peak_mb:6.0f} MB"
    print(f"{made.job.name:18} {figures}  {fault}")
    if not made.job.again:
        shutil.rmtree(made.folder)


def _run(commands: list[Command], outcomes: Mapping[str, Outcome], rounds: int) -> None:
    for turn in range(rounds):
        print(f"round {turn + 1} of {rounds}")
        for made in commands:
            outcome = outcomes[made.job.name]
            if not outcome.faults and not (made.job.once and turn):
                if made.data:
                    _warm(made.data.folder)
                _measure(made, outcome)
                if outcome.faults:
                    print(f"{made.job.name:18} {outcome.faults[-1]}")


def main() -> int:
    """Run it all; 1 if a bar was missed or has no figure."""
    given = _arguments()
    load = os.getloadavg()[0]
    cases = [case for case in CASES if not given.only or case.name in given.only]
    data, versions = Data(WORK, given.rows, given.files), dict[str, str]()
    commands, outcomes = _ready(cases, data, given.skip_peers, versions)
    (WORK / "logs").mkdir(parents=True, exist_ok=True)
    shutil.rmtree(WORK / "runs", ignore_errors=True)
    measure.adopt_orphans()
    _run(commands, outcomes, given.rounds)
    size_bytes = sum(file.stat().st_size for file in data["clean"].files)
    setting = Setting(sys.argv[1:], given.rows, size_bytes, given.rounds, versions, load)
    given.output.write_text(render(setting, cases, outcomes))
    verdicts = [judge(bar, outcomes) for case in cases for bar in case.bars]
    for words, found, verdict in verdicts:
        print(f"{verdict:9} {words}: {found}")
    print(f"written: {given.output}")
    return int(any(verdict != "pass" for _, _, verdict in verdicts))


if __name__ == "__main__":
    sys.exit(main())
