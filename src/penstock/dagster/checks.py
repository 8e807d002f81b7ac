"""The rules of the gate as checks of Dagster. The gate acts by itself; Dagster reports what it found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dagster import AssetCheckResult, AssetCheckSeverity, AssetCheckSpec, AssetKey, MetadataValue

from penstock.catalogue import Check, Node
from penstock.dagster.keys import identifier
from penstock.dagster.markdown import table_text
from penstock.gate.verdict import Action
from penstock.report.facts import ModelResult, PipelineResult, QuarantinedRow, TableResult

_RED = (Action.FAIL, Action.QUARANTINE)


@dataclass(frozen=True, slots=True)
class NodeChecks:
    """The checks of one asset, each with the rule that it reports."""

    node: Node
    asset: AssetKey
    checks: tuple[tuple[Check, AssetCheckSpec], ...]

    @property
    def specs(self) -> tuple[AssetCheckSpec, ...]:
        """What Dagster is told of them."""
        return tuple(spec for _, spec in self.checks)


def checks_of(node: Node, asset: AssetKey) -> NodeChecks:
    """A check for each rule of a node; only a rule that stops a load blocks what is downstream."""
    taken: set[str] = set()
    found = []
    for check in node.checks:
        name = _distinct(identifier(check.rule), taken)
        spec = AssetCheckSpec(
            name=name,
            asset=asset,
            description=check.description,
            blocking=check.action == Action.FAIL,
            metadata={"rule": check.rule, "action": str(check.action)},
        )
        found.append((check, spec))
    return NodeChecks(node, asset, tuple(found))


def _distinct(name: str, taken: set[str]) -> str:
    number, found = 2, name
    while found in taken:
        found = f"{name}_{number}"
        number += 1
    taken.add(found)
    return found


@dataclass(frozen=True, slots=True)
class Breach:
    """What was found of one rule. Units: counts; `samples` are a few of the rows that were set aside.

    `files` counts whatever else broke it as a whole; `status` is how a test of dbt ended.
    """

    rows: int = 0
    files: int = 0
    messages: tuple[str, ...] = ()
    samples: tuple[QuarantinedRow, ...] = ()
    status: str | None = None


def results(checks: NodeChecks, breaches: Mapping[str, Breach]) -> Iterator[AssetCheckResult]:
    """What each check of an asset came to; a rule without a breach held."""
    for check, spec in checks.checks:
        breach = breaches.get(check.rule, Breach())
        failed = bool(breach.rows or breach.files)
        red = check.action in _RED
        yield AssetCheckResult(
            passed=not failed,
            asset_key=checks.asset,
            check_name=spec.name,
            severity=AssetCheckSeverity.ERROR if red else AssetCheckSeverity.WARN,
            description="; ".join(breach.messages)[:1000] or check.description,
            metadata=dict(_metadata(checks.node, check, breach)),
        )


def _metadata(node: Node, check: Check, breach: Breach) -> Iterator[tuple[str, Any]]:
    yield "rule", check.rule
    yield "action", str(check.action)
    yield "failing_rows", breach.rows
    if breach.files and node.pipeline:
        yield "failing_files", breach.files
    if breach.status:
        yield "status", breach.status
    if breach.rows and check.action == Action.QUARANTINE:
        called = f"{node.pipeline}.{node.name}" if node.pipeline else node.name
        yield "show", MetadataValue.md(f"`penstock quarantine show {called}`")
    if breach.samples:
        keys = list(dict.fromkeys(row.key for row in breach.samples))
        yield "quarantine", MetadataValue.path("\n".join(keys))
        yield "rows", MetadataValue.md(_sampled(breach.samples))


def _sampled(rows: Sequence[QuarantinedRow]) -> str:
    heads = ("row", "broken", "found", "as it came")
    body = [
        (
            row.row,
            ", ".join(_rule(b.rule, b.column) for b in row.broken),
            ", ".join(str(b.value) for b in row.broken if b.value is not None),
            row.raw,
        )
        for row in rows
    ]
    return table_text(heads, body)


def _rule(rule: str, column: str | None) -> str:
    return rule if column is None else f"{column}.{rule}"


def breaches_of(
    result: PipelineResult, table: str, samples: Iterable[QuarantinedRow] = ()
) -> dict[str, Breach]:
    """What a run found of the rules of one table: rows by rule, and findings about whole files.

    Of a file that was refused for a row, only the first such row is known.
    """
    found: dict[str, Breach] = {}
    own = next((t for t in result.tables if t.table == table), TableResult(table))
    rows = tuple(samples)
    for rule, count in own.broken.items():
        found[rule] = Breach(rows=count, samples=_of(rule, rows))
    for finding in (f.finding for f in result.findings if f.table == table):
        for rule in finding.broken or (finding.rule,):
            before = found.get(rule, Breach())
            found[rule] = Breach(
                rows=max(before.rows, 1) if finding.broken else before.rows,
                files=before.files + 1,
                messages=(*before.messages, finding.message),
                samples=before.samples,
            )
    return found


def model_breaches(result: ModelResult, samples: Iterable[QuarantinedRow] = ()) -> dict[str, Breach]:
    """What a build found of the rules and tests of a model."""
    rows = tuple(samples)
    found = {
        rule: Breach(rows=count, samples=_of(rule, rows)) for rule, count in result.broken.items() if count
    }
    for test in result.tests:
        if test.status != "pass":
            found[test.name] = Breach(
                rows=test.rows or 0,
                files=0 if test.rows else 1,
                messages=(test.message,) if test.message else (),
                status=test.status,
            )
    return found


def _of(rule: str, rows: Iterable[QuarantinedRow]) -> tuple[QuarantinedRow, ...]:
    """The rows that broke a rule."""
    return tuple(r for r in rows if any(_rule(b.rule, b.column) == rule for b in r.broken))
