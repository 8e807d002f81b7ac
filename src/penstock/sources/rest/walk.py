"""One pass over all tables: pages in a fixed order, and at each of them the place where it goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any

import msgspec
from msgspec import Raw
from pydantic import Field, TypeAdapter

from penstock.errors import PenstockError, RefusedError
from penstock.project.rest_pages import AutoPagesSpec, PagesSpec, SinglePageSpec
from penstock.schema.jsonpath import JsonPath, parse_path
from penstock.sources.rest import detect
from penstock.sources.rest.ahead import Crew
from penstock.sources.rest.answer import Answer, kind, walk
from penstock.sources.rest.client import Client
from penstock.sources.rest.newer import Newer
from penstock.sources.rest.pages import Pages, pages_of
from penstock.sources.rest.question import Question
from penstock.sources.rest.tables import Plan, frame

# Any throughout: frames are JSON

_SPECS: TypeAdapter[Any] = TypeAdapter(Annotated[PagesSpec, Field(discriminator="type")])
Frame = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """The new records of one page, as lines."""

    table: Plan
    lines: bytes
    rows: int


@dataclass(slots=True)
class Chain:
    """The pages that one question begins.

    `place` is where they go on, after `taken` pages. `added` are fields of the parent's row to put into each
    record, `before` the records of the last page. `path` and `spec` are found out if they are not said.
    """

    number: int
    question: Question
    place: Any
    taken: int
    pages: Pages | None = None
    added: bytes = b""
    path: JsonPath | None = None
    spec: PagesSpec | None = None
    before: bytes | None = None


class Walk:
    """A pass. `newer` has the cursors by table; `tell` is told what was found out."""

    def __init__(
        self, client: Client, crew: Crew, newer: dict[str, Newer], tell: Callable[[str], None]
    ) -> None:
        self._client, self._crew, self._newer, self._tell = client, crew, newer, tell
        self._told: set[str] = set()
        self._found: dict[str, JsonPath] = {}

    def pages(self, plan: Plan, at: Frame) -> Iterator[Page]:
        """The pages of a table and of its children, from the place that `at` is.

        Before a page is given `at` is moved behind it.
        """
        yield from self._children(plan, at)
        chains = self._chains(plan, at)
        left = len(at.get("bound", [[]])) * plan.spec.repeat - at["at"]
        limit = min(left, self._crew.size)
        for chain, answer in self._crew.ahead(chains, lambda c: self._ask(plan, c, c.question), limit):
            yield from self._chain(plan, chain, answer, at)

    # --------------------------------------------------------------------------------- chains

    def _chains(self, plan: Plan, at: Frame) -> Iterator[Chain]:
        """What is left of the questions of a table, each as its first page or where it was left."""
        bound: list[list[str]] = at.get("bound", [[]])
        repeat = plan.spec.repeat
        begun = at["at"]
        for number in range(begun, len(bound) * repeat):
            yield self._begin(plan, number, bound[number // repeat], at if number == begun else {})

    def _begin(self, plan: Plan, number: int, bound: list[str], at: Frame) -> Chain:
        values: dict[str, bytes | None] = {
            f"resources.{plan.parent}.{field}": text.encode()
            for field, text in zip(plan.needs, bound, strict=True)
        }
        newer = self._newer.get(plan.name)
        question = plan.template.fill(values | (newer.values if newer else {}), self._client.private)
        chain = Chain(number, question, at.get("page"), at.get("taken", 0), path=plan.records)
        by_field = dict(zip(plan.needs, bound, strict=True))
        for column, field in plan.included:
            chain.added += msgspec.json.encode(column) + b":" + by_field[field].encode() + b","
        known = at.get("found", {})
        if known and chain.path is None:
            chain.path = parse_path(known["records"])
        spec = _spec(known["pages"]) if known.get("pages") else plan.paginator
        if not isinstance(spec, AutoPagesSpec):
            chain.spec = spec
            chain.pages = pages_of(spec, question, chain.place)
            chain.question = next(iter(chain.pages.questions()), question)
        return chain

    def _chain(self, plan: Plan, chain: Chain, answer: Answer, at: Frame) -> Iterator[Page]:
        """The pages of a chain, the first of which is there."""
        yield from self._page(plan, chain, answer, at)
        pages = chain.pages
        assert pages is not None
        while not self._over(plan, chain):
            ahead = pages.ahead
            limit = self._crew.size if ahead else 1
            most = plan.spec.max_pages
            questions = islice(pages.questions(), None if most is None else most - chain.taken)
            answers = self._crew.ahead(questions, lambda q: self._ask(plan, chain, q), limit)
            for _, further in answers:
                yield from self._page(plan, chain, further, at)
                if self._over(plan, chain) or pages.ahead != ahead:
                    break
            answers.close()  # type: ignore[attr-defined]  # it is a generator

    def _over(self, plan: Plan, chain: Chain) -> bool:
        """Whether nothing more is to be asked for in a chain."""
        assert chain.pages is not None
        full = plan.spec.max_pages is not None and chain.taken >= plan.spec.max_pages
        newer = self._newer.get(plan.name)
        return chain.pages.done or full or (newer is not None and newer.stop)

    # ---------------------------------------------------------------------------------- pages

    def _ask(self, plan: Plan, chain: Chain, question: Question) -> Answer:
        """The answer to a question, its records looked up where it is known where they are."""
        path = chain.path

        def read(answer: Answer) -> None:
            if path is None:
                answer.check()
            else:
                answer.found = answer.records(path)

        return self._client.ask(question, plan.spec.responses, read)

    def _page(self, plan: Plan, chain: Chain, answer: Answer, at: Frame) -> Iterator[Page]:
        try:
            records = self._records(plan, chain, answer)
            pages = self._paged(plan, chain, answer, len(records))
            if answer.ignored:
                pages.end()
            else:
                pages.take(answer, len(records))
            self._check_repeated(chain, records)
            newer = self._newer.get(plan.name)
            fresh = newer.admit(records) if newer is not None else records
        except PenstockError as error:
            error.where = error.where or plan.template.where
            raise
        below = {child.name: frame(self._bound(child, fresh)) for child in plan.children if fresh}
        chain.taken += 1
        self._move(plan, chain, at)
        if below:
            at["below"] = below
        yield Page(plan, _lines(fresh, chain.added), len(fresh))
        yield from self._children(plan, at)

    def _records(self, plan: Plan, chain: Chain, answer: Answer) -> list[Raw]:
        if answer.ignored:
            return []
        if chain.path is None:
            chain.path = self._path(plan, answer)
        records = answer.found if answer.found is not None else answer.records(chain.path)
        if records is None and plan.spec.missing_records == "fail":
            raise RefusedError(
                f"there is nothing at `{chain.path.text}` in the answer",
                where=f"{plan.template.where}, {self._client.shown(chain.question)}",
                found=self._client.excerpt(answer),
                hint="see `records`; `missing_records: ignore` takes it for no records",
            )
        return records or []

    def _path(self, plan: Plan, answer: Answer) -> JsonPath:
        """Where the records of a table are; the same in all of its chains, once a list of them was seen."""
        if plan.name in self._found:
            return self._found[plan.name]
        path = parse_path(detect.records_path(answer))
        if path.steps:
            self._found[plan.name] = path
        self._say(plan, f"records are at `{path.text}`")
        return path

    def _paged(self, plan: Plan, chain: Chain, answer: Answer, rows: int) -> Pages:
        """The paging of a chain, found out from its first page if it is not said."""
        if chain.pages is None:
            spec = plan.paginator
            assert isinstance(spec, AutoPagesSpec)
            if chain.path is None or answer.ignored:
                chain.spec = SinglePageSpec(type="single_page")
            else:
                chain.spec = detect.pages(spec, answer, rows, chain.path)
            chain.pages = pages_of(chain.spec, chain.question, None)
            self._say(plan, f"the paginator is `{chain.spec.type}`")
        return chain.pages

    def _say(self, plan: Plan, text: str) -> None:
        said = f"{plan.name}: {text}, by the first answer"
        if said not in self._told:
            self._told.add(said)
            self._tell(said)

    def _move(self, plan: Plan, chain: Chain, at: Frame) -> None:
        """Move the place behind a page."""
        at.pop("below", None)
        if self._over(plan, chain):
            for name in ("page", "taken", "found"):
                at.pop(name, None)
            at["at"] = chain.number + 1
            return
        assert chain.pages is not None
        assert chain.path is not None
        assert chain.spec is not None
        at["at"], at["page"], at["taken"] = chain.number, chain.pages.place(), chain.taken
        at["found"] = {"records": chain.path.text}
        if isinstance(plan.paginator, AutoPagesSpec):
            at["found"]["pages"] = chain.spec.model_dump(mode="json")

    def _check_repeated(self, chain: Chain, records: list[Raw]) -> None:
        """Do as the project says if a page has the very records of the page before."""
        same = getattr(chain.spec, "same_page", "keep")
        if same == "keep" or not records:
            chain.before = None
            return
        joined = b",".join(records)
        repeated, chain.before = joined == chain.before, joined
        if repeated and same == "stop":
            records.clear()
            assert chain.pages is not None
            chain.pages.end()
        elif repeated:
            raise RefusedError(
                "the API gave the same page twice",
                found=f"{len(records):,} records, all as on the page before",
                hint="see `paginator`, whose parameters the API may not know; or its `same_page`",
            )

    # ------------------------------------------------------------------------------- children

    def _children(self, plan: Plan, at: Frame) -> Iterator[Page]:
        """The pages of children, for the rows of the page that was given last."""
        below = at.get("below", {})
        for child in plan.children:
            if child.name in below:
                yield from self.pages(child, below[child.name])
                del below[child.name]
        at.pop("below", None)

    def _bound(self, child: Plan, records: list[Raw]) -> list[list[str]]:
        """The values of each row that a child asks with, as JSON texts."""
        paths = [parse_path(field) for field in child.needs]
        return [[self._value(child, path, raw) for path in paths] for raw in records]

    def _value(self, child: Plan, path: JsonPath, raw: Raw) -> str:
        value = next(walk(raw, path.steps), None)
        text = b"null" if value is None else bytes(value)
        if text == b"null" or text[:1] in b"[{":
            raise RefusedError(
                f"a row of `{child.parent}` cannot be asked for: its `{path.text}` is no value",
                where=child.template.where,
                found=(bytes(raw) if value is None else text).decode("utf-8", "replace")[:200],
                expected="text, a number, true or false",
            )
        return text.decode()


def _lines(records: list[Raw], added: bytes) -> bytes:
    """Records as JSON lines; what is no object becomes one, with the field `value`."""
    if not records:
        return b""
    if any(kind(raw) != ord("{") for raw in records):
        records = [raw if kind(raw) == ord("{") else Raw(b'{"value":' + bytes(raw) + b"}") for raw in records]
    if not added:
        return b"\n".join(records) + b"\n"
    first = b"{" + added
    bare = first[:-1] + b"}"
    return b"".join(
        (first + body[1:] if body[1:-1].strip() else bare) + b"\n" for body in (bytes(r) for r in records)
    )


def _spec(said: dict[str, Any]) -> PagesSpec:
    found: PagesSpec = _SPECS.validate_python(said)
    return found
