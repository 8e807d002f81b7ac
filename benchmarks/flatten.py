"""`python -m benchmarks.flatten`: how many nested rows a CPU second turns into flat tables."""

from __future__ import annotations

import argparse
import sys
import time
from itertools import cycle, islice

import pyarrow as pa

from penstock.records.flatten import flatten
from penstock.records.flatten_join import unflatten
from penstock.records.flatten_plan import FlatPlan, plan_flatten
from penstock.schema.arrow import arrow_schema
from penstock.schema.nesting import Nesting, NestingMode
from penstock.schema.table import Column, Table
from penstock.schema.types import parse_type

BAR = 100_000
"""Units: rows per CPU second."""
BATCH_ROWS = 50_000
COLUMNS = {
    "id": "int64", "uuid": "uuid", "name": "text", "email": "text", "created_at": "timestamp_tz",
    "updated_at": "timestamp_tz", "amount": "float64", "quantity": "int64", "is_active": "bool",
    "country": "text", "address": "struct<street: text, city: text, postcode: text>", "tags": "list<text>",
    "lines": "list<struct<sku: text, quantity: int64, price: decimal(12,2), notes: list<text>>>",
}  # fmt: skip
TABLE = Table("orders", tuple(Column(name, parse_type(kind)) for name, kind in COLUMNS.items()))
CASES = {
    "flatten": Nesting(NestingMode.FLATTEN),
    "flatten, depth 1": Nesting(NestingMode.FLATTEN, 1),
    "flatten, depth 0": Nesting(NestingMode.FLATTEN, 0),
}


def nested_rows(count: int) -> pa.RecordBatch:
    """Rows of one nested object, a list of texts and a list of objects with a list of their own."""
    numbers = range(count)
    columns = {
        "id": numbers,
        "uuid": [f"{n:08x}-0000-4000-8000-{n:012x}" for n in numbers],
        "name": [f"Ana Smith {n % 977}" for n in numbers],
        "email": [f"ana.smith{n}@example.com" for n in numbers],
        "created_at": [1_704_067_200_000_000 + n * 7_000_001 for n in numbers],
        "updated_at": [1_704_067_300_000_000 + n * 7_000_003 for n in numbers],
        "amount": [n % 5000 + 0.25 for n in numbers],
        "quantity": [n % 100 for n in numbers],
        "is_active": [n % 10 < 7 for n in numbers],
        "country": list(islice(cycle(["US", "DE", "FR", "GB"]), count)),
        "address": [
            {"street": f"{n % 999} High St", "city": "Lund", "postcode": f"{n % 89999}"} for n in numbers
        ],
        "tags": [["new", "vip", "promo"][: n % 4] for n in numbers],
        "lines": [
            [{"sku": f"s{n % 50}", "quantity": k, "price": 100 * n + k, "notes": ["fragile"][: k % 2]}
             for k in range(n % 4)]
            for n in numbers
        ],
    }  # fmt: skip
    schema = arrow_schema(TABLE)
    return pa.RecordBatch.from_arrays(
        [pa.array(columns[field.name], field.type) for field in schema], schema=schema
    )


def measure(plan: FlatPlan, batch: pa.RecordBatch, rows: int) -> tuple[float, float]:
    """CPU seconds to flatten `rows` rows, batch by batch, and to join them back once."""
    flat: dict[str, pa.RecordBatch] = {}
    spent, done = 0.0, 0
    while done < rows:
        ids = pa.array([f"load-1.{n}" for n in range(done, done + batch.num_rows)])
        start = time.process_time()
        flat = flatten(batch, plan, ids)
        spent += time.process_time() - start
        done += batch.num_rows
    start = time.process_time()
    back = unflatten(flat, plan)
    joining = (time.process_time() - start) * rows / batch.num_rows
    assert back.num_rows == batch.num_rows
    return spent, joining


def main() -> int:
    """Print a line for each case; the exit code is 1 if the first misses the bar."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.flatten", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows in all (%(default)s)")
    rows = parser.parse_args().rows
    batch = nested_rows(min(rows, BATCH_ROWS))
    missed = False
    for name, nesting in CASES.items():
        spent, joining = measure(plan_flatten(TABLE, nesting), batch, rows)
        print(f"{name}: {rows / spent:,.0f} rows per CPU second; joined back: {rows / joining:,.0f}")
        missed |= rows / spent < BAR
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
