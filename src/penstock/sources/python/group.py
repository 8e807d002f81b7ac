"""A source: resources that belong together, share state, and are chosen from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from penstock.errors import NotFoundError, RefusedError, suggest
from penstock.schema.table import Table
from penstock.sources.python.resource import Resource, as_resource
from penstock.sources.python.template import Template

# Any throughout: functions and hints are users'

FIFO, ROUND_ROBIN = "fifo", "round_robin"
_ELSEWHERE = {
    "run": "no pipeline is active by itself, say pipeline(...).run(source)",
    "state": "ask current.source_state() inside of a resource, or pipeline.state",
    "schema": "discover_schema() gives what is declared, pipeline.dataset() what was loaded",
    "exhausted": "an iterator that was read is refused when it runs",
}


class Resources(Mapping[str, Resource]):
    """The resources of a source by name, and as attributes."""

    def __init__(self) -> None:
        self._by_name: dict[str, Resource] = {}

    def __setitem__(self, name: str, resource: Resource) -> None:
        """Take a resource in, under a name that is its own from then on."""
        self._by_name.pop(name, None)
        self.add(resource if resource.name == name else resource.with_name(name))

    def add(self, *resources: Resource) -> None:
        """Take resources in; one whose name is taken gets a name of its own, not a table of its own."""
        for resource in resources:
            if any(resource is known for known in self._by_name.values()):
                continue
            name, count = resource.name, 2
            while name in self._by_name:
                name, count = f"{resource.name}_{count}", count + 1
            if name != resource.name:
                resource = resource.clone()  # the caller's own keeps its name
                if resource.template.table_name is None:
                    resource.apply_hints(table_name=resource.name)
                resource.name = name
            self._by_name[name] = resource

    @property
    def selected(self) -> dict[str, Resource]:
        """Those that a run loads."""
        return {name: r for name, r in self._by_name.items() if r.selected}

    def __getitem__(self, name: str) -> Resource:
        if name not in self._by_name:
            raise KeyError(
                f"no resource `{name}`: {suggest(name, self._by_name) or ', '.join(self._by_name)}"
            )
        return self._by_name[name]

    def __getattr__(self, name: str) -> Resource:
        if name.startswith("_") or name not in self._by_name:
            raise AttributeError(f"no resource `{name}`")
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def __repr__(self) -> str:
        return f"{{{', '.join(self._by_name)}}}"


class Source:
    """Resources that share a name, state and defaults. Made by a function decorated with `source`.

    Iterating over it runs the selected resources with empty state, and gives their rows.
    """

    def __init__(
        self,
        name: str,
        resources: Iterable[Resource],
        *,
        max_table_nesting: int | None = None,
        contract: Any = None,
        root_key: bool = False,
        next_item_mode: str = FIFO,
    ) -> None:
        if next_item_mode not in (FIFO, ROUND_ROBIN):
            raise RefusedError(
                f"`{next_item_mode}` is no order of resources", expected=f"{FIFO} or {ROUND_ROBIN}"
            )
        self.name = name
        self.next_item_mode = next_item_mode
        self.max_table_nesting = max_table_nesting
        self.contract = contract
        self.root_key = root_key
        self.resources = Resources()
        self.resources.add(*resources)

    @property
    def defaults(self) -> Template:
        """What holds for every resource that says nothing else."""
        return Template(max_table_nesting=self.max_table_nesting, contract=self.contract)

    @property
    def schema_contract(self) -> Any:
        """The contract of resources that say nothing else."""
        return self.contract

    @schema_contract.setter
    def schema_contract(self, said: Any) -> None:
        """For resources that say nothing else."""
        self.contract = said

    @property
    def selected_resources(self) -> dict[str, Resource]:
        """The resources that a run loads."""
        return self.resources.selected

    def with_resources(self, *names: str) -> Source:
        """A copy in which only these are selected. Raises: NotFoundError."""
        made = self.clone()
        for name in names:
            if name not in made.resources:
                raise NotFoundError(
                    f"the source `{self.name}` has no resource `{name}`",
                    expected=", ".join(made.resources),
                    hint=suggest(name, made.resources),
                )
        for name, resource in made.resources.items():
            resource.selected = name in names
        return made

    def add_limit(
        self, max_items: int | None = None, max_time: float | None = None, count_rows: bool = False
    ) -> Source:
        """Limit every resource that is not fed by another, and those that feed."""
        heads = {id(head): head for head in map(_head, self.resources.values())}
        for head in heads.values():
            head.add_limit(max_items, max_time, count_rows)
        return self

    def parallelize(self) -> Source:
        """Run all resources that can in parallel."""
        for resource in self.resources.values():
            if resource.call is not None:
                resource.parallelize()
        return self

    def decompose(self, strategy: str) -> list[Source]:
        """Parts that can run one by one: `none` is one part, `scc` one for the resources that hang together.

        Raises: RefusedError for another word.
        """
        if strategy not in ("none", "scc"):
            raise RefusedError(f"`{strategy}` is no way to take a source apart", expected="none or scc")
        if strategy == "none":
            return [self]
        heads: dict[int, list[str]] = {}
        for name, resource in self.selected_resources.items():
            heads.setdefault(id(_head(resource)), []).append(name)
        return [self.with_resources(*names) for names in heads.values()]

    def discover_schema(self, item: Any = None) -> dict[str, Table]:
        """The tables that the hints of the selected resources declare, by name; `item` as a row, if given.

        Hints that are functions of a row need one: resources whose table is such a function are left out
        without. Raises: RefusedError.
        """
        found = [
            resource.compute_table_schema(item)
            for resource in self.selected_resources.values()
            if item is not None or not resource.template.dynamic
        ]
        return {table.name: table for table in found}

    def clone(self, name: str | None = None) -> Source:
        """A copy that can be changed on its own."""
        return Source(
            name or self.name,
            clones(self.resources.values()),
            max_table_nesting=self.max_table_nesting,
            contract=self.contract,
            root_key=self.root_key,
            next_item_mode=self.next_item_mode,
        )

    def with_name(self, name: str) -> Source:
        """A copy with another name."""
        return self.clone(name)

    def __getattr__(self, name: str) -> Resource:
        if name.startswith("_") or name == "resources":
            raise AttributeError(name)
        if name in _ELSEWHERE and name not in self.resources:
            raise AttributeError(f"a source has no `{name}`: {_ELSEWHERE[name]}")
        return getattr(self.resources, name)  # type: ignore[no-any-return]  # a resource, by its name

    def __iter__(self) -> Iterator[Any]:
        from penstock.sources.python.flow import items

        return items(list(self.selected_resources.values()), self)

    def __repr__(self) -> str:
        return f"source({self.name!r}, {self.resources})"


class SourceFunction:
    """A function that makes a source, as `source` decorates it. Call it to get the source."""

    def __init__(self, function: Callable[..., Any], name: str | None, options: dict[str, Any]) -> None:
        self.function = function
        self.name = name or function.__name__
        self.options = options
        self.__name__ = self.name
        self.__doc__ = function.__doc__
        self.__wrapped__ = function

    def __call__(self, *args: Any, **kwargs: Any) -> Source:
        """The source with the resources that the function gives. Raises: RefusedError if it gives none."""
        options = dict(self.options)
        parallelized = options.pop("parallelized", False)
        found = list(_resources_in(self.function(*args, **kwargs), self.name))
        if not found:
            raise RefusedError(
                f"the source `{self.name}` has no resources",
                hint="yield them, or return one or a list of them",
            )
        made = Source(self.name, clones(found), **options)
        return made.parallelize() if parallelized else made

    def clone(self, name: str | None = None, **options: Any) -> SourceFunction:
        """The same function with another name or other options."""
        return SourceFunction(self.function, name or self.name, {**self.options, **options})


def _resources_in(made: Any, name: str) -> Iterator[Resource]:
    """The resources in what a source's function gave: one, several, or rows of data."""
    if made is None:
        return
    if isinstance(made, Resource):
        yield made
    elif isinstance(made, Source):
        yield from made.resources.values()
    elif isinstance(made, list | tuple) or (hasattr(made, "__next__") and not hasattr(made, "schema")):
        parts = list(made)
        if parts and isinstance(parts[0], dict):
            yield as_resource(parts, name)
            return
        for part in parts:
            yield from _resources_in(part, name)
    elif isinstance(made, dict):
        yield as_resource([made], name)
    else:
        yield as_resource(made, getattr(made, "__name__", None) or name)


def _head(resource: Resource) -> Resource:
    while resource.parent is not None:
        resource = resource.parent
    return resource


def state_names(resources: Iterable[Resource]) -> dict[int, str]:
    """The name in the state, by identity, of resources and of those that feed them.

    A feeder whose name is taken gets one of its own. It is the same whichever of them are selected.
    """
    own = list(resources)
    names = {id(r): r.name for r in own}
    taken = set(names.values())
    for resource in own:
        feeder = resource.parent
        while feeder is not None and id(feeder) not in names:
            name, count = feeder.name, 2
            while name in taken:
                name, count = f"{feeder.name}_{count}", count + 1
            names[id(feeder)] = name
            taken.add(name)
            feeder = feeder.parent
    return names


def clones(resources: Iterable[Resource]) -> list[Resource]:
    """Copies of resources, and of those that feed them, that hang together as the originals do."""
    made: dict[int, Resource] = {}

    def copied(resource: Resource) -> Resource:
        if id(resource) not in made:
            made[id(resource)] = resource.clone()
            if resource.parent is not None:
                made[id(resource)].parent = copied(resource.parent)
        return made[id(resource)]

    return [copied(r) for r in resources]
