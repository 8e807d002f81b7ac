"""What a contract says of columns outside of them: names, references, quality rules, relationships."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from penstock.schema.formats.form import Raw, mappings
from penstock.schema.formats.reading import Page, Spot
from penstock.schema.table import ForeignKey

# Any throughout: contracts hold values of every type.
_REFERENCE = re.compile(r"/?schema/([^/'\"]+)/properties/([^/'\"]+)")


def name_of(raw: Any) -> str:
    """What data calls an object or a property: its physical name, or else its name."""
    if not isinstance(raw, Mapping):
        return ""
    physical = raw.get("physicalName")
    return str(physical if isinstance(physical, str) and physical else raw.get("name") or "")


def references(objects: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """From the references that a contract may use to `table.column`."""
    found: dict[str, str] = {}
    for raw in objects:
        for inner in mappings(raw.get("properties")):
            target = f"{name_of(raw)}.{name_of(inner)}"
            for table in (raw.get("id"), raw.get("name"), name_of(raw)):
                for column in (inner.get("id"), inner.get("name"), name_of(inner)):
                    found.setdefault(f"{table}/{column}", target)
                    found.setdefault(f"{table}.{column}", target)
    return found


def used(raw: Any, ids: Mapping[str, str]) -> dict[str, str]:
    """Those of the references that some part of an object uses."""
    text = repr(raw)
    found = {k: v for k, v in ids.items() if k in text}
    for match in _REFERENCE.finditer(text):
        key = f"{match[1]}/{match[2]}"
        found |= {key: ids[key]} if key in ids else {}
    return found


# ----------------------------------------------------------------------------------------- rules


def rules_of(raw: Mapping[str, Any], column: str, page: Page, spot: Spot) -> Raw:
    """What quality rules that must find nothing wrong promise of a column."""
    found: Raw = {}
    for rule in page.value(raw, "quality", list, "a list of rules", spot) or ():
        metric = (rule.get("metric") or rule.get("rule")) if isinstance(rule, Mapping) else None
        arguments = rule.get("arguments") if metric else None
        arguments = arguments if isinstance(arguments, Mapping) else {}
        zero = metric and rule.get("type", "library") == "library" and _must_be_nothing(rule)
        valid = arguments.get("validValues", rule.get("validValues") if metric else None)
        if zero and metric in ("nullValues", "nullCheck"):
            found["required"] = True
        elif zero and metric in ("duplicateValues", "duplicateCount", "uniqueCheck"):
            found["unique"] = True
        elif zero and metric in ("invalidValues", "validValues") and isinstance(valid, list):
            found["enum"] = valid
        elif zero and metric == "invalidValues" and isinstance(arguments.get("pattern"), str):
            found["pattern"] = arguments["pattern"]
        else:
            page.notes.add(f"the quality rule {rule_name(rule)} is kept, not enforced", column)
    return found


def _must_be_nothing(rule: Mapping[str, Any]) -> bool:
    """Whether a rule allows no row at all; 3.0's `nullCheck` and its like do so without saying it."""
    limits = {k: v for k, v in rule.items() if k.startswith("mustBe") or k == "mustNotBe"}
    if not limits:
        return rule.get("rule") in ("nullCheck", "uniqueCheck", "validValues")
    return limits in ({"mustBe": 0}, {"mustBeLessThan": 1}, {"mustBeLessOrEqualTo": 0})


def rule_name(rule: Any) -> str:
    """What a quality rule is called in notes."""
    names = ("name", "metric", "rule", "type") if isinstance(rule, Mapping) else ()
    return next((f"`{rule[n]}`" for n in names if rule.get(n)), "without a name")


# ---------------------------------------------------------------------------------- foreign keys


def foreign_key(
    raw: Mapping[str, Any], ours: Mapping[str, Any], ids: Mapping[str, str], page: Page, column: str
) -> ForeignKey | None:
    """The one column that a property's relationships point at, None if there is none."""
    said = ours.get("foreign_key")
    if isinstance(said, Mapping) and isinstance(said.get("columns"), list):
        return ForeignKey(str(said.get("table")), tuple(map(str, said["columns"])))
    links = mappings(raw.get("relationships"))
    keys = [key for r in links if (key := _target(r.get("to"), ids)) is not None]
    if len(keys) < len(links) or len(keys) > 1:
        page.notes.add("only one relationship to a single column is enforced", column)
    return keys[0] if keys else None


def foreign_keys(
    raw: Mapping[str, Any], ids: Mapping[str, str], page: Page, spot: Spot
) -> dict[str, ForeignKey]:
    """The relationships that an object lists, where they are about one column."""
    found: dict[str, ForeignKey] = {}
    page.value(raw, "relationships", list, "a list of relationships", spot)
    for link in mappings(raw.get("relationships")):
        source, target = _target(link.get("from"), ids), _target(link.get("to"), ids)
        if source is not None and target is not None and source.table == name_of(raw):
            found.setdefault(source.columns[0], target)
        else:
            what = "a relationship of several columns is kept, not enforced"
            page.notes.add(what, f"the table `{name_of(raw)}`")
    return found


def _target(reference: Any, ids: Mapping[str, str]) -> ForeignKey | None:
    """`table.column`, or `/schema/id/properties/id`, as the column that it points at."""
    if isinstance(reference, list) and len(reference) == 1:
        [reference] = reference
    if not isinstance(reference, str):
        return None
    if match := _REFERENCE.fullmatch(reference):
        reference = ids.get(f"{match[1]}/{match[2]}", "")
    reference = ids.get(reference, reference)
    table, _, column = reference.rpartition(".")
    return ForeignKey(table, (column,)) if table and column and "/" not in reference else None
