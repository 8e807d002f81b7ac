"""What is compared: jobs (one command of one tool) and the cases that set them against their bars."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Job:
    """One tool loading one set of data into one kind of target; the tool is the name's first word.

    `again` jobs are second runs over what is loaded already. `once` jobs are slow: first round only.
    `script` is what a pipeline written in Python makes its data of, `rows` or `tables`. A job that
    `prints` says its own rows per CPU second.
    """

    name: str
    data: str | None = None
    target: str = "duckdb"
    flags: tuple[str, ...] = ()
    again: bool = False
    once: bool = False
    repeat: int = 1
    script: str | None = None
    prints: bool = False

    @property
    def tool(self) -> str:
        """Whose command this is."""
        return self.name.partition("-")[0]


JOBS = {
    job.name: job
    for job in (
        Job("penstock-table", "clean"),
        Job("duckdb-table", "clean"),
        Job("dlt-table", "clean", once=True),
        Job("ingestr-table", "joined", once=True),
        Job("sling-table", "clean", once=True),
        Job("penstock-parquet", "clean", "parquet"),
        Job("duckdb-parquet", "clean", "parquet"),
        Job("dlt-parquet", "clean", "parquet", once=True),
        Job("sling-parquet", "clean", "parquet", once=True),
        Job("penstock-flat", "flat"),
        Job("duckdb-flat", "flat"),
        Job("dlt-flat", "flat"),
        Job("ingestr-flat", "flat"),
        Job("sling-flat", "flat", once=True),
        Job("penstock-bad", "bad"),
        Job("penstock-five", "five", once=True),
        Job("penstock-again", "clean", again=True, repeat=5),
        Job("dlt-again", "flat", flags=("--new-only",), again=True, repeat=3),
        Job("sling-again", "flat", flags=("--mode", "incremental", "--update-key", "_sling_loaded_at"),
            again=True, repeat=3),
        Job("penstock-rows", "made", script="rows"),
        Job("penstock-rows-flat", "made", flags=("flatten",), script="rows"),
        Job("dlt-rows", "made_fifth", script="rows", once=True),
        Job("penstock-tables", "nested", script="tables"),
        Job("dlt-tables", "nested", script="tables"),
        Job("penstock-flatten", prints=True),
        Job("penstock-postgres", "resale"),
        Job("ingestr-postgres", "resale"),
        Job("penstock-rest", flags=("penstock",), prints=True),
        Job("httpx-rest", flags=("httpx",), prints=True),
        Job("penstock-singer", flags=("recorded",), prints=True),
        Job("live-singer", flags=("live",), prints=True, once=True),
        Job("tap-singer", flags=("tap",), prints=True, once=True),
        *(
            Job(f"{tool}-{name}{size}", target="merge", flags=(strategy, times))
            for name, strategy, tools in (
                ("upsert", "upsert", ("penstock", "duckdb")),
                ("scd2", "scd2", ("penstock", "duckdb")),
                ("fixed", "none", ("penstock",)),
            )
            for tool in tools
            for size, times in (("", "1"), ("-x10", "10"))
        ),
        Job("penstock-models", target="models"),
        Job("hand-models", target="models"),
        Job("dbt-models", target="models", once=True),
        Job("penstock-models-again", target="models", again=True, repeat=5),
        Job("python-start", repeat=5),
        Job("penstock-import", repeat=5),
        Job("penstock-help", repeat=5),
    )
}  # fmt: skip

NOT_RUN = {
    "ingestr-again": "its file sources keep no note of what was loaded: a second run loads everything again",
}

NOTES = {
    "dlt-table": "its parquet loader; its default one was stopped after 556 CPU s and 9 GB, and is left out",
    "ingestr-table": "takes one JSON-lines file, so it gets the files joined; nested values stay JSON",
    "sling-table": "each record as one untyped JSON value",
    "sling-parquet": "each record as one untyped JSON value",
    "duckdb-table": "`CREATE TABLE AS SELECT * FROM read_json`: no copy kept, nothing checked",
    "dlt-again": "over the parquet files",
    "dlt-rows": "a fifth of the rows, so compare by row; the object is columns, the list a child table",
    "penstock-rows": "the object is a struct, the list a list",
    "penstock-rows-flat": '`nesting="flatten"`: the object is columns, the list a child table',
    "penstock-postgres": "landed as parquet, checked by four rules, kept in raw history",
    "ingestr-postgres": "straight into the table",
    "penstock-rest": "a run, less one that loads the same records from a file",
    "httpx-rest": "a loop that asks for the pages and reads them, no more",
    "penstock-singer": "1,000,000 recorded messages: landed, checked, kept, and merged by their key",
    "live-singer": "a run with a live tap, discovery included, less the tap alone",
    "tap-singer": "a tap of the Singer SDK that reads 500,000 rows of SQLite, into a file",
    "penstock-flatten": "flattening alone; the process does two further depths, and joins all back",
    "hand-models": "the same SQL in one DuckDB process, in an order that is known before",
    "penstock-models-again": "`penstock run`, with nothing new to load and nothing to build",
    "sling-again": "over the parquet files",
}


@dataclass(frozen=True, slots=True)
class Bar:
    """`metric` of `job`, divided by that of `against` if there is one, is at most (or least) `limit`.

    Metrics: `cpu_s`, `wall_s`, `peak_mb`; `row_cpu_us`, the CPU time a row of the job's data took, start
    included; and `printed`, what a job said of itself. What `beyond` takes, a job that does only what
    every run does, is taken off `job` first.
    """

    job: str
    metric: str
    limit: float
    against: str | None = None
    at_least: bool = False
    beyond: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A row of the table of goals: its jobs, and the bars they have to pass."""

    name: str
    title: str
    jobs: tuple[str, ...]
    bars: tuple[Bar, ...]


CASES = (
    Case(
        "jsonl-duckdb",
        "JSONL → land → gate with ten rules → raw_hist → DuckDB table",
        ("penstock-table", "duckdb-table", "dlt-table", "ingestr-table", "sling-table"),
        (
            Bar("penstock-table", "cpu_s", 2.8, "duckdb-table"),
            Bar("dlt-table", "cpu_s", 8, "penstock-table", at_least=True),
            Bar("ingestr-table", "cpu_s", 4, "penstock-table", at_least=True),
            Bar("sling-table", "cpu_s", 3, "penstock-table", at_least=True),
        ),
    ),
    Case(
        "jsonl-parquet",
        "The same to parquet files",
        ("penstock-parquet", "duckdb-parquet", "dlt-parquet", "sling-parquet"),
        (
            Bar("dlt-parquet", "cpu_s", 9, "penstock-parquet", at_least=True),
            Bar("sling-parquet", "cpu_s", 3, "penstock-parquet", at_least=True),
        ),
    ),
    Case(
        "parquet-duckdb",
        "Flat parquet → DuckDB table, gate and raw_hist included",
        ("penstock-flat", "duckdb-flat", "dlt-flat", "ingestr-flat", "sling-flat"),
        (Bar("penstock-flat", "cpu_s", 1.0, "ingestr-flat"),),
    ),
    Case(
        "bad-rows",
        "JSONL with 1 % bad rows → DuckDB table and quarantine",
        ("penstock-bad", "penstock-table"),
        (Bar("penstock-bad", "cpu_s", 3.0, "penstock-table"),),
    ),
    Case(
        "memory",
        "Peak memory, and at five times the rows",
        ("penstock-table", "penstock-five"),
        (
            Bar("penstock-table", "peak_mb", 400),
            Bar("penstock-five", "peak_mb", 1.2, "penstock-table"),
        ),
    ),
    Case(
        "nothing-new",
        "A run with nothing new",
        ("penstock-again", "dlt-again", "ingestr-again", "sling-again"),
        (Bar("penstock-again", "wall_s", 0.4),),
    ),
    Case(
        "python-rows",
        "A generator of dicts (12 fields, one nested object, one list) → DuckDB",
        ("penstock-rows", "penstock-rows-flat", "dlt-rows"),
        (Bar("dlt-rows", "row_cpu_us", 6, "penstock-rows", at_least=True),),
    ),
    Case(
        "python-tables",
        "A generator of Arrow record batches (the same 12 fields, nested) → DuckDB",
        ("penstock-tables", "dlt-tables"),
        (
            Bar("dlt-tables", "cpu_s", 1.5, "penstock-tables", at_least=True),
            Bar("penstock-tables", "peak_mb", 0.6, "dlt-tables"),
        ),
    ),
    Case(
        "flatten",
        "Nested rows, two lists and one of them nested, → flat tables",
        ("penstock-flatten",),
        (Bar("penstock-flatten", "printed", 100_000, at_least=True),),
    ),
    Case(
        "postgres",
        "A PostgreSQL table of resale prices → land → gate → raw_hist → DuckDB table",
        ("penstock-postgres", "ingestr-postgres"),
        (
            Bar("penstock-postgres", "cpu_s", 1.0, "ingestr-postgres"),
            Bar("penstock-postgres", "peak_mb", 400),
        ),
    ),
    Case(
        "rest",
        "1,000 pages of 100 records from an HTTP server on this machine → DuckDB",
        ("penstock-rest", "httpx-rest"),
        (Bar("penstock-rest", "printed", 1 / 1.5, "httpx-rest", at_least=True),),
    ),
    Case(
        "singer",
        "Messages of Singer taps → DuckDB: recorded ones, and what is added to a live tap",
        ("penstock-singer", "live-singer", "tap-singer"),
        (
            Bar("penstock-singer", "printed", 80_000, at_least=True),
            Bar("live-singer", "printed", 4, "tap-singer", at_least=True),
        ),
    ),
    Case(
        "merge",
        "A tenth as many changed rows into a DuckDB table, and into one of ten times the rows",
        (
            *("penstock-upsert", "duckdb-upsert", "penstock-upsert-x10", "duckdb-upsert-x10"),
            *("penstock-scd2", "duckdb-scd2", "penstock-scd2-x10", "duckdb-scd2-x10"),
            *("penstock-fixed", "penstock-fixed-x10"),
        ),
        (
            Bar("penstock-upsert", "cpu_s", 1.3, "duckdb-upsert", beyond="penstock-fixed"),
            Bar("penstock-upsert-x10", "cpu_s", 1.3, "duckdb-upsert-x10", beyond="penstock-fixed-x10"),
            Bar("penstock-scd2", "cpu_s", 2.0, "duckdb-scd2", beyond="penstock-fixed"),
            Bar("penstock-scd2-x10", "cpu_s", 2.0, "duckdb-scd2-x10", beyond="penstock-fixed-x10"),
        ),
    ),
    Case(
        "models",
        "200 SQL models in layers, 60 views and 140 tables, over one DuckDB table",
        ("penstock-models", "hand-models", "dbt-models", "penstock-models-again"),
        (
            Bar("penstock-models", "wall_s", 1.0, beyond="hand-models"),
            Bar("penstock-models-again", "wall_s", 1.0),
        ),
    ),
    Case(
        "start",
        "`import penstock` and `penstock --help`, neither loading a driver or an extra",
        ("python-start", "penstock-import", "penstock-help"),
        (
            Bar("penstock-import", "wall_s", 0.15),
            Bar("penstock-help", "wall_s", 0.25),
        ),
    ),
)
