"""What is compared: jobs (one command of one tool) and the cases that set them against their bars."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Job:
    """One tool loading one set of data into one kind of target; the tool is the name's first word.

    `again` jobs are second runs over what is loaded already. `once` jobs are slow: first round only.
    """

    name: str
    data: str | None = None
    target: str = "duckdb"
    flags: tuple[str, ...] = ()
    again: bool = False
    once: bool = False
    repeat: int = 1

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
    "sling-again": "over the parquet files",
}


@dataclass(frozen=True, slots=True)
class Bar:
    """`metric` of `job`, divided by that of `against` if there is one, is at most (or least) `limit`."""

    job: str
    metric: str
    limit: float
    against: str | None = None
    at_least: bool = False


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
        "start",
        "`import penstock` and `penstock --help`, neither loading a driver or an extra",
        ("python-start", "penstock-import", "penstock-help"),
        (
            Bar("penstock-import", "wall_s", 0.15),
            Bar("penstock-help", "wall_s", 0.25),
        ),
    ),
)
