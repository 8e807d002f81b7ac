"""The tables of a REST source as a forest: what each asks for, and whose rows it needs for that."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from penstock.errors import ProjectError, suggest
from penstock.project.rest import RestApiSpec, RestTableSpec, hints_of
from penstock.project.rest_pages import PagesSpec
from penstock.schema.disposition import WriteMode
from penstock.schema.hints import Hints
from penstock.schema.jsonpath import JsonPath, parse_path
from penstock.sources.rest.secrecy import is_secret_name
from penstock.sources.rest.template import Template


@dataclass(slots=True)
class Plan:
    """One table: its question, its paging, its parent's fields by path, and its children."""

    name: str
    spec: RestTableSpec
    template: Template
    paginator: PagesSpec
    hints: Hints
    parent: str | None = None
    needs: tuple[str, ...] = ()
    included: tuple[tuple[str, str], ...] = ()
    children: list[Plan] = field(default_factory=list)

    @property
    def records(self) -> JsonPath | None:
        """Where the records are, if it is said."""
        return parse_path(self.spec.records) if self.spec.records is not None else None

    @property
    def one_way(self) -> bool:
        """Whether all records come in one sequence of pages."""
        return self.parent is None and self.spec.repeat == 1

    @property
    def mark(self) -> str:
        """A digest of what decides which pages there are; the same as long as a place among them is."""
        said = self.spec.model_dump(mode="json", include={"path", "method", "body", "repeat", "incremental"})
        params = {name: None if is_secret_name(name) else v for name, v in self.spec.params.items()}
        pages = self.paginator.model_dump(mode="json")
        asked = [self.template.base, said, params, pages, self.needs]
        text = json.dumps(asked, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def forest(source: RestApiSpec) -> list[Plan]:
    """The tables that need no other, with those below that need them.

    Raises: ProjectError for a parent that is not there, for two parents, and for a circle.
    """
    plans = {name: _plan(name, source, spec) for name, spec in source.tables.items()}
    for plan in plans.values():
        if plan.parent is None:
            continue
        if plan.parent not in plans:
            raise ProjectError(
                f"there is no table `{plan.parent}` to take fields of",
                where=plan.template.where,
                expected=", ".join(plans),
                hint=suggest(plan.parent, plans),
            )
        plans[plan.parent].children.append(plan)
    roots = [plan for plan in plans.values() if plan.parent is None]
    reached = {plan.name for root in roots for plan in _all(root)}
    if lost := [name for name in plans if name not in reached]:
        raise ProjectError(
            "tables need each other's rows in a circle", found=", ".join(f"`{name}`" for name in lost)
        )
    return roots


def every(roots: list[Plan]) -> list[Plan]:
    """All tables, parents first."""
    return [plan for root in roots for plan in _all(root)]


def _all(plan: Plan) -> list[Plan]:
    return [plan, *(below for child in plan.children for below in _all(child))]


def _plan(name: str, source: RestApiSpec, spec: RestTableSpec) -> Plan:
    template = Template(name, source, spec)
    parents = template.parents
    if len(parents) > 1:
        raise ProjectError(
            "a table can have one parent",
            where=template.where,
            found=", ".join(f"`{parent}`" for parent in parents),
            hint="carry a field of the outer parent along with `include_from_parent`",
        )
    parent = next(iter(parents), None)
    if spec.include_from_parent and parent is None:
        raise ProjectError(
            "there is no parent to include fields from",
            where=template.where,
            expected="`{resources.<table>.<field>}` in `path`, `params`, `json` or `headers`",
        )
    included = tuple(
        (column, path) if path else (f"_{parent}_{column}", column)
        for column, path in spec.include_from_parent.items()
    )
    fields = {*(parents[parent] if parent else ()), *(path for _, path in included)}
    _check_key(name, spec)
    paginator = spec.paginator if spec.paginator is not None else source.paginator
    return Plan(
        name, spec, template, paginator, hints_of(name, spec), parent, tuple(sorted(fields)), included
    )


def _check_key(name: str, spec: RestTableSpec) -> None:
    if spec.write is WriteMode.MERGE and not (spec.primary_key or spec.merge_key):
        raise ProjectError(
            f"the table `{name}` is merged by nothing",
            where=f"table `{name}` of the REST source",
            expected="`primary_key` or `merge_key`",
        )


def frame(bound: list[list[str]] | None = None) -> dict[str, Any]:  # Any: a part of the state's JSON
    """The place of a table in a pass: at its first chain. `bound` are the values of its parent's rows."""
    return {"at": 0} if bound is None else {"at": 0, "bound": bound}
