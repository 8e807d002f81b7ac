"""What a run will do, as a list of plain values. `penstock plan` prints it and `run` walks it.

Pure: the facts of the destination, the files that lie in the layers and the files on offer come
in as arguments, and so does the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from penstock import layers
from penstock.ledger import Facts, Waiting, waiting


@dataclass(frozen=True, slots=True)
class Offer:
    """A file that a source can hand over.

    `identity` tells this version of this file from every other; `extension` has no first dot
    (`jsonl.gz`); `modified_at` in Unix seconds.
    """

    table: str
    origin: str
    identity: str
    extension: str
    size_bytes: int
    modified_at: float


@dataclass(frozen=True, slots=True)
class Land:
    """Copy an offered file to the landing area, byte for byte."""

    pipeline: str
    table: str
    offer: Offer
    key: str
    landed_at: int


@dataclass(frozen=True, slots=True)
class Judge:
    """Check a landed file: arrival, then rows."""

    pipeline: str
    table: str
    key: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Keep:
    """Move a file that passed from the landing area to raw history."""

    pipeline: str
    table: str
    key: str


@dataclass(frozen=True, slots=True)
class Load:
    """Write the accepted rows of files to their tables, in one commit with the ledger."""

    pipeline: str
    tables: tuple[str, ...]
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Clear:
    """Remove from the landing area a file that the ledger and raw history have already."""

    pipeline: str
    table: str
    key: str


Step: TypeAlias = Land | Judge | Keep | Load | Clear


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of one pipeline, in order. No steps: nothing to do."""

    pipeline: str
    steps: tuple[Step, ...] = ()


def plan_drain(pipeline: str, facts: Facts, found: Sequence[Waiting]) -> Plan:
    """Load whatever the layers hold that the ledger does not.

    Every file is judged before the first is kept, and every file is kept before the load that has
    its rows. What a failing verdict reaches is decided when the verdicts are known.
    """
    todo = waiting(facts, found)
    clear = [Clear(pipeline, w.table, w.key) for w in todo if w.key in facts.done]
    fresh = [w for w in todo if w.key not in facts.done]
    judge = [Judge(pipeline, w.table, w.key, w.size_bytes) for w in fresh]
    keep = [Keep(pipeline, w.table, w.key) for w in fresh if w.in_land]
    tables = tuple(sorted({w.table for w in fresh}))
    load = [Load(pipeline, tables, tuple(w.key for w in fresh))] if fresh else []
    return Plan(pipeline, (*clear, *judge, *keep, *load))


def plan_extract(
    pipeline: str, dataset: str, offers: Sequence[Offer], landed_at: int, taken_keys: frozenset[str]
) -> Plan:
    """Land every offered file under this run's landing time.

    `landed_at` in Unix seconds. A table with one new file gets `<table>_<ts>.<ext>`, with several
    `<table>_<ts>_<part>.<ext>`; keys in `taken_keys` are never used again.
    """
    by_table: dict[str, list[Offer]] = {}
    for offer in offers:
        by_table.setdefault(offer.table, []).append(offer)
    steps: list[Step] = []
    for table, files in by_table.items():
        part = None if len(files) == 1 else 0
        for offer in files:
            key = layers.land_key(dataset, table, landed_at, offer.extension, part)
            while key in taken_keys:
                part = 0 if part is None else part + 1
                key = layers.land_key(dataset, table, landed_at, offer.extension, part)
            steps.append(Land(pipeline, table, offer, key, landed_at))
            part = None if part is None else part + 1
    return Plan(pipeline, tuple(steps))


def plan_after(pipeline: str, extract: Plan) -> Plan:
    """What follows an extract: the drain of everything that it lands."""
    landed = [
        Waiting(s.key, s.table, s.landed_at, s.offer.size_bytes, True, False, s.offer.modified_at)
        for s in extract.steps
        if isinstance(s, Land)
    ]
    return plan_drain(pipeline, Facts(), landed)
