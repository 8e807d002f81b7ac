"""An HTTP API as a source: what to ask for, and where the records are in the answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from penstock.errors import RefusedError
from penstock.project import short, words
from penstock.project.base import Names, Seconds, Spec
from penstock.project.maker import MakerSpec
from penstock.project.rest_auth import AuthSpec
from penstock.project.rest_pages import AutoPagesSpec, PagesSpec, a_path, paginator
from penstock.schema.disposition import Disposition, Strategy, WriteMode
from penstock.schema.hints import Hints
from penstock.schema.table import Column, Table
from penstock.schema.types import parse_type

# Any throughout: what an API is sent is whatever JSON its users write

FREE = {"minProperties": 0}
Values = Annotated[dict[str, Any], Field(json_schema_extra=FREE)]
Texts = Annotated[dict[str, str], Field(json_schema_extra=FREE)]
DetailedPages = Annotated[PagesSpec, Field(discriminator="type")]
Pages = Annotated[
    DetailedPages,
    BeforeValidator(paginator, json_schema_input_type=str | DetailedPages),
]


def _base_url(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise words.refuse(
            f"{value!r} is not the address of an API", expected="a URL that begins with `https://`"
        )
    return value


def _type(value: str) -> str:
    try:
        parse_type(value)
    except (ValueError, RefusedError) as error:
        raise words.refuse(
            f"`{value}` is not a type", expected="such as `int64`, `text` or `timestamp_tz`"
        ) from error
    return value


def _statuses(value: Any) -> Any:
    return (value,) if isinstance(value, int | str) else value


def _table(value: Any) -> Any:
    """A path alone, as the table that it gives."""
    return {"path": value} if isinstance(value, str) else value


class ResponseSpec(Spec):
    """What to do with answers of some kind. The first that fits is taken; both conditions must hold."""

    status: Annotated[
        tuple[Annotated[int, Field(ge=100, le=599)], ...],
        BeforeValidator(_statuses, json_schema_input_type=int | tuple[int, ...]),
    ] = ()
    """The status codes it is about; any if not given."""
    content: str | None = None
    """A text that the body has in it."""
    action: Literal["ignore", "retry", "fail"]
    """`ignore`: there are no records here; `retry`: ask again later; `fail`: end the run."""

    @model_validator(mode="after")
    def _says_when(self) -> ResponseSpec:
        if not self.status and self.content is None:
            raise words.refuse(
                "it is not said which answers are meant", expected="`status`, `content` or both"
            )
        return self


class RestRetrySpec(Spec):
    """How often one request is tried, and how long to wait in between: twice as long each time, less a
    random part; as long as the server asks for in `Retry-After`, where it does.

    Units: seconds.
    """

    attempts: Annotated[int, Field(ge=1)] = 6
    """How often to try in all."""
    wait_s: Seconds = 1.0
    """How long to wait before the second try, at most."""
    max_wait_s: Seconds = 60.0
    """The longest wait between two tries."""
    max_asked_s: Seconds = 900.0
    """The longest `Retry-After` that is waited for; a longer one ends the run."""
    status: Annotated[
        tuple[int, ...], BeforeValidator(_statuses, json_schema_input_type=int | tuple[int, ...])
    ] = (408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524)
    """The status codes that are tried again."""


class RestIncrementalSpec(Spec):
    """Which rows of a table are new; see the cursors of Python sources.

    Units: `lag` in seconds for instants, days for dates, else the number itself.
    """

    cursor_path: Annotated[str, AfterValidator(a_path)]
    """Where the cursor is in a record, such as `updated_at`."""
    initial_value: str | int | float | None = None
    """Where the first run begins."""
    end_value: str | int | float | None = None
    """Where to stop: the range is fixed then, and no state is kept."""
    last_value_func: Literal["max", "min"] = "max"
    """Which of two values is the later one."""
    row_order: Literal["asc", "desc"] | None = None
    """The order in which the API gives rows; no more pages are asked for once they are out of range."""
    lag: float | None = None
    """How far before the last value to begin, for rows that come late."""
    range_start: Literal["closed", "open"] = "closed"
    """Whether rows with the start value itself are asked for again."""
    range_end: Literal["closed", "open"] = "open"
    """Whether rows with the end value itself are taken."""
    on_cursor_value_missing: Literal["raise", "include", "exclude"] = "raise"
    """What becomes of rows without a cursor."""
    allow_external_schedulers: bool = False
    """Whether a scheduler's interval is taken for the range."""
    primary_key: Names | None = None
    """What tells rows at the last value apart; the table's primary key if not given."""


class RestTableSpec(Spec):
    """One table: what to ask for, how to turn pages, where its records are.

    `path`, `params`, `json` and `headers` may have `{resources.<table>.<field>}` in them, which makes
    this a child of that table, asked for each of its rows; and `{incremental.start_value}`,
    `{incremental.last_value}` and `{incremental.end_value}`.
    """

    path: str
    """What to ask for, relative to `base_url`."""
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    """The HTTP method."""
    params: Values = Field(default_factory=dict)
    """Parameters of the URL, laid over those of the source; an empty one leaves it out."""
    body: Annotated[dict[str, Any] | None, Field(alias="json", json_schema_extra=FREE)] = None
    """The JSON body."""
    headers: Texts = Field(default_factory=dict)
    """Headers, laid over those of the source."""
    records: Annotated[str | None, AfterValidator(a_path)] = None
    """Where the records are, such as `data.items`, or `$` for the whole answer; looked for if not given."""
    missing_records: Literal["fail", "ignore"] = "fail"
    """What an answer without anything at `records` means: an error, or no records."""
    paginator: Pages | None = None
    """How to get from page to page; that of the source if not given."""
    repeat: Annotated[int, Field(ge=1)] = 1
    """How often to ask for the same, for APIs that answer by chance."""
    max_pages: Annotated[int, Field(ge=1)] | None = None
    """How many pages to take at most, for each request that the first page answers."""
    include_from_parent: Annotated[
        dict[str, str],
        BeforeValidator(short.same, json_schema_input_type=str | tuple[str, ...] | dict[str, str]),
    ] = Field(default_factory=dict)
    """Fields of the parent's row to add to each record: a list, for columns `_<parent>_<field>`, or a
    mapping of column to field."""
    responses: tuple[ResponseSpec, ...] = ()
    """What to do with answers of some kind; looked at before those of the source."""
    incremental: RestIncrementalSpec | None = None
    """Read only what is new since the last run."""
    primary_key: Names = ()
    """The columns that tell one row from another."""
    merge_key: Names = ()
    """Merge: rows that share the values of these columns belong together."""
    write: Annotated[WriteMode | None, Field(alias="write_disposition")] = None
    """How rows meet those that are in the table already; `tables` of the pipeline can say more."""
    strategy: Strategy = Strategy.UPSERT
    """Merge: how rows meet those that are there."""
    columns: dict[str, Annotated[str, AfterValidator(_type)]] = Field(default_factory=dict)
    """The types of columns, such as `{price: 'decimal(12,2)'}`; the others are found out."""

    @model_validator(mode="before")
    @classmethod
    def _name_included(cls, data: Any) -> Any:
        said = data.get("include_from_parent") if isinstance(data, dict) else None
        if not isinstance(said, str | list | tuple):
            return data
        fields = [said] if isinstance(said, str) else said
        return {**data, "include_from_parent": {f"{field}": "" for field in fields}}


def hints_of(name: str, spec: RestTableSpec) -> Hints:
    """What the project says of a table beside its source."""
    columns = tuple(
        Column(column, parse_type(kind), nullable=column not in spec.primary_key, declared=True)
        for column, kind in spec.columns.items()
    )
    disposition = None
    if spec.write is not None or spec.merge_key:
        disposition = Disposition(
            spec.write or WriteMode.MERGE,
            primary_key=spec.primary_key,
            strategy=spec.strategy,
            merge_key=spec.merge_key,
        )
    return Hints(Table(name, columns, primary_key=spec.primary_key), disposition=disposition)


class RestApiSpec(MakerSpec):
    """Records of an HTTP API that answers with JSON.

    Units: `rate_limit` in requests per second; `checkpoint_s` in seconds, `checkpoint_bytes` of
    uncompressed records.
    """

    type: Literal["rest_api"] = "rest_api"
    base_url: Annotated[str, AfterValidator(_base_url)]
    """What the paths of the tables are relative to."""
    tables: dict[
        Annotated[str, AfterValidator(words.table)],
        Annotated[RestTableSpec, BeforeValidator(_table, json_schema_input_type=str | RestTableSpec)],
    ] = Field(min_length=1)
    """What to ask for: a name for each table, and its path or more."""
    auth: Annotated[AuthSpec, Field(discriminator="type")] | None = None
    """How to say who asks."""
    headers: Texts = Field(default_factory=dict)
    """Headers of every request."""
    params: Values = Field(default_factory=dict)
    """Parameters of every request's URL."""
    paginator: Pages = AutoPagesSpec()
    """How to get from page to page, for tables that do not say so themselves."""
    responses: tuple[ResponseSpec, ...] = ()
    """What to do with answers of some kind, such as `{status: 404, action: ignore}`."""
    retry: RestRetrySpec = RestRetrySpec()
    """What to do when the API is busy or cannot be reached."""
    rate_limit: Annotated[float, Field(gt=0)] | None = None
    """How many requests a second to make at most."""
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    """How many requests may be under way at once, where it is known what to ask for next."""
    timeout_s: Annotated[float, Field(gt=0)] = 60.0
    """How long to wait for an answer, and between two parts of it."""
    hosts: Names = ()
    """Further hosts that may be sent credentials, if links lead to them."""
    checkpoint_s: Seconds = 30.0
    """After how long what was read is landed, so that it is not asked for again after a failure."""
    checkpoint_bytes: Annotated[int, Field(ge=0)] = 1 << 26
    """After how many bytes of records the same is done."""
