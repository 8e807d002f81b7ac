"""Singapore's resale flat prices: made-up rows with the columns of the real table, the same each time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from decimal import Decimal

import psycopg

TABLE = "resale_flat_prices_from_jan_2017"
COLUMNS = {
    "id": "bigint PRIMARY KEY",
    "month": "text NOT NULL",
    "town": "text NOT NULL",
    "flat_type": "text NOT NULL",
    "block": "text NOT NULL",
    "street_name": "text NOT NULL",
    "storey_range": "text NOT NULL",
    "floor_area_sqm": "numeric(6,1) NOT NULL",
    "flat_model": "text NOT NULL",
    "lease_commence_date": "integer NOT NULL",
    "remaining_lease": "text",
    "resale_price": "numeric(12,2) NOT NULL",
}
TOWNS = (
    "ANG MO KIO", "BEDOK", "BISHAN", "BUKIT BATOK", "BUKIT MERAH", "BUKIT PANJANG", "BUKIT TIMAH",
    "CENTRAL AREA", "CHOA CHU KANG", "CLEMENTI", "GEYLANG", "HOUGANG", "JURONG EAST", "JURONG WEST",
    "KALLANG/WHAMPOA", "MARINE PARADE", "PASIR RIS", "PUNGGOL", "QUEENSTOWN", "SEMBAWANG", "SENGKANG",
    "SERANGOON", "TAMPINES", "TOA PAYOH", "WOODLANDS", "YISHUN",
)  # fmt: skip
FLATS = {
    "1 ROOM": 31, "2 ROOM": 45, "3 ROOM": 67, "4 ROOM": 93, "5 ROOM": 118, "EXECUTIVE": 144,
    "MULTI-GENERATION": 160,
}  # fmt: skip
MODELS = (
    "Improved", "New Generation", "Model A", "Standard", "Simplified", "Premium Apartment", "Maisonette",
    "Apartment", "DBSS", "Model A2", "Type S1", "Adjoined flat", "Terrace", "Multi Generation",
)  # fmt: skip
STREETS = ("AVE 1", "AVE 3", "AVE 10", "ST 11", "ST 21", "DR", "CRES", "RD", "CTRL 2", "LOR 4", "WAY")
Row = tuple[int, str, str, str, str, str, str, Decimal, str, int, str | None, Decimal]


def rows(count: int, first: int = 1, seed: int = 2017) -> Iterator[Row]:
    """`count` rows from id `first` on; a row depends on its id and the seed alone. Months go up slowly."""
    for number in range(first, first + count):
        yield row(number, seed)


def row(number: int, seed: int = 2017) -> Row:
    """The row with that id."""
    bits = random.Random(number * 1_000_003 + seed).getrandbits(96)
    month, town = number // 2_500, TOWNS[bits % 26]
    flat, typical = list(FLATS.items())[(bits >> 8) % 7]
    area = Decimal(typical * 10 + (bits >> 12) % 150 - 70) / 10
    began = 1966 + (bits >> 20) % 53
    left = (99 - (2017 + month // 12 % 80 - began)) * 12 + (bits >> 28) % 12
    storey = 1 + (bits >> 32) % 17 * 3
    price = Decimal(12_000_000 + (bits >> 40) % 90_000_000) / 100 + area * 1000
    return (
        number,
        f"{2017 + month // 12:04d}-{month % 12 + 1:02d}",
        town,
        flat,
        f"{1 + (bits >> 64) % 980}{'ABC'[(bits >> 76) % 3] if (bits >> 74) % 4 == 0 else ''}",
        f"{town} {STREETS[(bits >> 80) % 11]}",
        f"{storey:02d} TO {storey + 2:02d}",
        area,
        MODELS[(bits >> 86) % 14],
        began,
        f"{left // 12} years {left % 12:02d} months" if left % 12 else None,
        price,
    )


def fill(url: str, count: int, first: int = 1, table: str = TABLE, seed: int = 2017) -> None:
    """Add rows to the table of a PostgreSQL database, which is made if it is not there."""
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    with psycopg.connect(url) as connection:
        connection.execute(f'CREATE TABLE IF NOT EXISTS "{table}" ({columns})')
        with connection.cursor().copy(f'COPY "{table}" FROM STDIN') as copy:
            for made in rows(count, first, seed):
                copy.write_row(made)
