"""Rows that a program makes: dicts of twelve fields, one of them an object and one a list.

`python_rows.py COUNT` prints what that many rows hold. Nothing beyond the standard library is imported, so
that every tool's Python can use it. The values come from a pool, so that making a row costs next to nothing.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

POOL = 10_000
FIRST = ("Ana", "Ben", "Chloe", "David", "Eva", "Finn")
LAST = ("Smith", "Jones", "Brown", "Garcia")
TAGS = ("new", "vip", "promo", "gift", "return", "eu", "us", "mobile")
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)


def _pool() -> list[dict[str, Any]]:  # Any: values of every type that JSON has
    chance = random.Random(42)
    made = []
    for number in range(POOL):
        last = chance.choice(LAST)
        created_at = BEGIN + timedelta(seconds=number * 7)
        made.append(
            {
                "id": number,
                "uuid": f"{chance.getrandbits(128):032x}",
                "name": f"{chance.choice(FIRST)} {last}",
                "email": "",
                "created_at": created_at.isoformat(),
                "updated_at": (created_at + timedelta(hours=chance.randrange(99))).isoformat(),
                "amount": round(chance.uniform(1, 5000), 2),
                "quantity": chance.randrange(1, 100),
                "is_active": chance.random() < 0.7,
                "country": chance.choice(("US", "DE", "FR", "GB")),
                "address": {
                    "street": f"{chance.randrange(999)} {last} St",
                    "city": "Berlin",
                    "postcode": str(chance.randrange(10_000, 99_999)),
                },
                "tags": chance.sample(TAGS, chance.randrange(4)),
            }
        )
    return made


def rows(count: int) -> Iterator[dict[str, Any]]:
    """So many rows, one by one; each has an id and an email of its own."""
    pool = _pool()
    for number in range(count):
        row = pool[number % POOL].copy()
        row["id"] = number
        row["email"] = f"user{number}@example.com"
        yield row


def main() -> None:
    """Print the count, the sum of ids and the sum of quantities as JSON."""
    ids = quantities = 0
    count = int(sys.argv[1])
    for row in rows(count):
        ids += row["id"]
        quantities += row["quantity"]
    print(json.dumps([count, ids, quantities]))


if __name__ == "__main__":
    main()
