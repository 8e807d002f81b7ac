"""Merging changed rows into a large DuckDB table: Penstock's destination against SQL written by hand.

`python -m benchmarks.merge <tool> <strategy> <warehouse> <changes>` is one merge as one cold process;
the table and the changes are made once. Both tools merge the same parquet file into copies of the
same table. As many changes come as a tenth of the smaller table: nine of ten known rows, one new.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.cases import Job
from benchmarks.data import ask
from benchmarks.tools import Command

AT = datetime(2026, 1, 4, tzinfo=UTC)
NAMES = ("id", "uuid", "name", "email", "created_at", "updated_at", "amount", "quantity", "is_active",
         "country", "street", "city", "postcode")  # fmt: skip
ROWS = """SELECT i AS id, md5('{salt}' || i) AS uuid, 'Ana Garcia ' || i % 1000 AS name,
    'ana.garcia' || i || '@example.com' AS email,
    TIMESTAMPTZ '2024-01-01' + INTERVAL (i * 7) SECOND AS created_at,
    TIMESTAMPTZ '{since}' + INTERVAL (i * 7) SECOND AS updated_at,
    (i * 7919 % 500000) / 100.0::DOUBLE AS amount, (i * 31 % 100)::BIGINT AS quantity,
    i % 10 < 7 AS is_active,
    ['US', 'DE', 'FR', 'GB', 'ES', 'IT', 'NL', 'SE'][1 + i % 8] AS country,
    i % 998 || ' Garcia St' AS street, ['Berlin', 'Paris', 'Rome', 'Lund'][1 + i % 4] AS city,
    (10000 + i % 89999)::VARCHAR AS postcode FROM ({ids}) AS ids(i)"""
WAREHOUSE = "w.duckdb"
BATCH_ROWS = 65_536
CHECK = """SELECT count(*), count(DISTINCT id), sum(hash(id, uuid, updated_at, amount) % 1000003)::BIGINT
    FROM {rows}"""


@dataclass(frozen=True, slots=True)
class MergeCommand(Command):
    """A merge into a copy of a table that was made before."""

    table: Path = Path()
    changes: Path = Path()

    def prepare(self) -> None:
        """A folder with a copy of the table."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        shutil.copyfile(self.table, self.folder / WAREHOUSE)

    def fault(self) -> str:
        """What is wrong with the outcome: the rows must be those that a plain anti join gives."""
        held = " WHERE _penstock_valid_to IS NULL" if "scd2" in self.job.flags else ""
        found = ask(CHECK.format(rows=f"(FROM db.events{held})"), self.folder / WAREHOUSE)
        want = ask(
            CHECK.format(
                rows=f"(SELECT {', '.join(NAMES)} FROM '{self.changes}' UNION ALL SELECT {', '.join(NAMES)} "
                f"FROM db.events ANTI JOIN '{self.changes}' USING (id))"
            ),
            self.table,
        )
        return "" if found == want else f"found {found} instead of {want}"


def command(job: Job, work: Path, rows: int) -> MergeCommand:
    """What to run for a job whose flags are a strategy and by how much its table has more than `rows`.

    Changes of the strategy `none` are none: what is left is the fixed cost of a load.
    """
    strategy, times = job.flags
    folder = work / "data" / "merge" / f"{rows}"
    changes = folder / f"{'none' if strategy == 'none' else 'changes'}_{times}.parquet"
    table = folder / f"{'scd2' if strategy == 'scd2' else 'upsert'}_{times}.duckdb"
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent)}
    if not table.exists():
        print(f"making data: {table.name}", file=sys.stderr)
        folder.mkdir(parents=True, exist_ok=True)
        new = table.with_suffix(".new")
        new.unlink(missing_ok=True)
        made = ("make", table.stem.partition("_")[0], str(new), str(folder), str(rows), times)
        subprocess.run([sys.executable, "-m", "benchmarks.merge", *made], check=True, env=env)
        new.rename(table)
    target = work / "runs" / job.name
    argv = (
        sys.executable,
        "-m",
        "benchmarks.merge",
        job.tool,
        strategy,
        str(target / WAREHOUSE),
        str(changes),
    )
    return MergeCommand(job, argv, target, env, table=table, changes=changes)


# --------------------------------------------------------------------------- in a process of its own


def _make(strategy: str, warehouse: Path, folder: Path, rows: int, times: int) -> None:
    """The table, by a load, and the changes: ids in one band of the table, and new ones; and no changes."""
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar = false")
    ids = f"SELECT range FROM range({rows * times})"
    rows_made = connection.sql(ROWS.format(salt="", since="2024-02-01", ids=ids))
    reader = rows_made.to_arrow_reader(BATCH_ROWS)
    _load(warehouse, "L0", strategy, reader.schema, reader)
    band = f"SELECT range * 10 + {rows * times - rows} FROM range({rows // 10 * 9 // 10})"
    new = f"SELECT range + {rows * times} FROM range({rows // 100})"
    sql = ROWS.format(salt="new", since="2025-02-01", ids=f"{band} UNION ALL {new}")
    changes, none = folder / f"changes_{times}.parquet", folder / f"none_{times}.parquet"
    connection.execute(f"COPY ({sql} ORDER BY hash(id)) TO '{changes}' (COMPRESSION zstd)")
    connection.execute(f"COPY (FROM '{changes}' LIMIT 0) TO '{none}'")


def _load(warehouse: Path, load_id: str, strategy: str, schema: Any, batches: Iterable[Any]) -> None:
    """One load of Arrow batches by the destination."""
    from penstock.destinations.duckdb import DuckDBDestination
    from penstock.ledger import Commit, LedgerLoad
    from penstock.ports import Batches
    from penstock.project.spec import DuckDBSpec
    from penstock.schema.arrow import from_arrow
    from penstock.schema.disposition import Disposition, Strategy, WriteMode
    from penstock.schema.table import Column, Table

    of = Table("events", tuple(Column(f.name, from_arrow(f.type)) for f in schema), ("id",))
    at = AT + timedelta(days=int(load_id[1:]))
    disposition = Disposition(WriteMode.MERGE, ("id",))
    if strategy == "scd2":
        disposition = Disposition(WriteMode.MERGE, strategy=Strategy.SCD2, merge_key=("id",), at=at)
    destination = DuckDBDestination(DuckDBSpec(path=warehouse.name), warehouse.parent)
    with destination.lock("bench", "benchmark"):
        transaction = destination.begin("bench", load_id)
        transaction.shape(of, disposition)
        rows = transaction.write(of, disposition, Batches(schema, batches))
        load = LedgerLoad(load_id, "bench", at, at, "done", 0, rows, rows, 0, 0, "0")
        transaction.commit(Commit(load, (), (of,)))
    destination.close()


def _penstock(strategy: str, warehouse: Path, changes: Path) -> None:
    import pyarrow.parquet as pq

    with pq.ParquetFile(changes) as file:
        _load(warehouse, "L1", strategy, file.schema_arrow, file.iter_batches(BATCH_ROWS))


def _duckdb(strategy: str, warehouse: Path, changes: Path) -> None:
    import duckdb

    connection = duckdb.connect(str(warehouse))
    connection.execute("SET enable_progress_bar = false")
    connection.execute("BEGIN")
    for sql in _merge(changes) if strategy == "upsert" else _versions(changes):
        connection.execute(sql)
    connection.execute("COMMIT")
    connection.close()


def _merge(changes: Path) -> list[str]:
    updates = ", ".join(f"{n} = s.{n}" for n in NAMES if n != "id")
    values = ", ".join(f"s.{n}" for n in NAMES)
    return [
        f"MERGE INTO events AS t USING '{changes}' AS s ON t.id = s.id "
        f"WHEN MATCHED THEN UPDATE SET {updates}, _penstock_load_id = 'L1' "
        f"WHEN NOT MATCHED THEN INSERT ({', '.join(NAMES)}, _penstock_load_id) VALUES ({values}, 'L1')"
    ]


def _versions(changes: Path) -> list[str]:
    """The rows that differ from the version that holds; its end; the new versions."""
    at = f"TIMESTAMPTZ '{AT + timedelta(days=1)}'"
    names = ", ".join(NAMES)
    differs = " OR ".join(f"t.{n} IS DISTINCT FROM s.{n}" for n in NAMES if n != "id")
    held = "SELECT * FROM events WHERE _penstock_valid_to IS NULL"
    return [
        f"CREATE TEMP TABLE changed AS SELECT s.* FROM '{changes}' AS s "
        f"LEFT JOIN ({held}) AS t ON t.id = s.id WHERE t.id IS NULL OR {differs}",
        f"UPDATE events AS t SET _penstock_valid_to = {at} FROM changed AS s "
        "WHERE t.id = s.id AND t._penstock_valid_to IS NULL",
        f"INSERT INTO events ({names}, _penstock_valid_from, _penstock_load_id) "
        f"SELECT {names}, {at}, 'L1' FROM changed",
    ]


def main() -> None:
    """One merge, or the data for all."""
    tool, strategy, warehouse, changes, *size = sys.argv[1:]
    if tool == "make":
        _make(strategy, Path(warehouse), Path(changes), *map(int, size))
    else:
        run = {"penstock": _penstock, "duckdb": _duckdb}[tool]
        run(strategy, Path(warehouse), Path(changes))


if __name__ == "__main__":
    main()
