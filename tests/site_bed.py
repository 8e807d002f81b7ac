"""Facts of a small shop, as the site shows them, and of a warehouse with many tables."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from penstock.catalogue import Catalogue, Check, Freshness, Key, Layer, Node
from penstock.gate.verdict import Broken
from penstock.ledger import Built, RunFinding, RunRecord, RunStep
from penstock.report.facts import Kept, QuarantinedRow, QuarantineEntry
from penstock.report.site import facts as site
from penstock.report.site.document import document
from penstock.report.site.page import dress, page
from penstock.schema.table import Column, Table
from penstock.schema.types import DATE, FLOAT64, INT64, TEXT, Decimal

FACE = Path(site.__file__).parent / "face"
BEGAN = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)
HOSTILE = "</script><img src=x onerror=\"document.title='taken'\">"

CUSTOMERS = Table(
    "customers",
    (
        Column("id", INT64, nullable=False, unique=True, description="Given by the shop"),
        Column("email", TEXT, sensitive=True, description="Where receipts go", pattern=".+@.+"),
        Column("country", TEXT, enum=("FR", "GB", "NO")),
        Column("joined_on", DATE),
    ),
    primary_key=("id",),
    description="Everybody who ever bought something",
)
ORDERS = Table(
    "orders",
    (
        Column("id", INT64, nullable=False),
        Column("customer_id", INT64),
        Column("amount", Decimal(12, 2), minimum=0),
        Column("note", TEXT),
    ),
    primary_key=("id",),
    description="One row for each order",
)
BY_COUNTRY = Table(
    "orders_by_country", (Column("country", TEXT), Column("amount", FLOAT64)), description="Sales"
)
RECEIPTS = Table("receipts", (Column("order_id", INT64), Column("address", TEXT)))
GUESSES = Table("guesses", (Column("likely_address", TEXT),))
SQL = """SELECT c.country, sum(o.amount) AS amount -- of all time
FROM orders o JOIN customers c ON c.id = o.customer_id
WHERE o.note <> '</script>' GROUP BY c.country"""


def way(table: Table, pipeline: str, **words: object) -> list[Node]:
    """A table in every layer."""
    found: list[Node] = []
    for layer in (Layer.SOURCE, Layer.LAND, Layer.RAW_HIST, Layer.WAREHOUSE):
        last = layer is Layer.WAREHOUSE
        found.append(
            Node(
                key=(layer.value, pipeline, table.name),
                layer=layer,
                table=table,
                tool="duckdb" if last else "filesystem",
                pipeline=pipeline,
                relation=table.name if last else None,
                reads=(found[-1].key,) if found else (),
                place=f"data/{layer}/{pipeline}/{table.name}",
                **(words if last else {}),  # type: ignore[arg-type]
            )
        )
    return found


def model(table: Table, *reads: Key, tool: str = "sql", sql: str | None = SQL) -> Node:
    """A model of that table."""
    return Node(
        ("model", table.name),
        Layer.MODEL,
        table,
        tool,
        relation=table.name,
        reads=reads,
        materialized="table",
        sql=sql,
        checks=(Check("positive", "fail", "amount"),),
    )


def catalogue() -> Catalogue:
    """Two tables, and three models that read them."""
    orders, customers = ("warehouse", "shop", "orders"), ("warehouse", "shop", "customers")
    return Catalogue(
        "shop",
        (
            *way(CUSTOMERS, "shop", checks=(Check("country.enum", "quarantine", "country"),)),
            *way(ORDERS, "shop", freshness=Freshness(86_400.0), owners=("sales",), checks=(
                Check("amount.minimum", "drop", "amount"), Check("min_rows", "fail", None, "not empty"),
            )),
            Node(("source", "rates"), Layer.SOURCE, Table("rates"), "external", relation="rates"),
            model(BY_COUNTRY, orders, customers, ("source", "rates")),
            model(RECEIPTS, orders, customers),
            model(GUESSES, customers, tool="python", sql=None),
        ),
        {"shop": "0 3 * * *"},
    )  # fmt: skip


LINEAGE = {
    "orders_by_country": {
        "country": (("customers", "country"),),
        "amount": (("orders", "amount"),),
    },
    "receipts": {"order_id": (("orders", "id"),), "address": (("customers", "email"),)},
}


def points(number: int = 8) -> tuple[site.Point, ...]:
    """Loads on consecutive days."""
    return tuple(
        site.Point(BEGAN + timedelta(days=i), 1000 + 37 * i, i % 3, 2 * (i % 2), 2, 40_000 + 999 * i)
        for i in range(number)
    )


def run(number: int, status: str = "loaded", error: str | None = None) -> RunRecord:
    """A run of the shop, on one of consecutive days."""
    at = BEGAN + timedelta(days=number)
    return RunRecord(
        f"run-{number}", "shop", "run", 1, status, at, at + timedelta(seconds=4.5), "0.1.0",
        load_ids=(f"load-{number}",),
        steps=(
            RunStep("land", seconds=0.5, files=2, size_bytes=40_000),
            RunStep("judge", seconds=3.0, files=2, rows=1003),
            RunStep("load", seconds=1.0, rows=1000),
            RunStep("load", "orders", files=2, rows=1003, loaded=1000, dropped=1, quarantined=2,
                    broken={"amount.minimum": 1, "amount: type": 2},
                    changes=("orders.note: new column, text",)),
        ),
        findings=(RunFinding("orders", "shop/orders/o.csv", "volume", "allow", "more than usual"),),
        notices=("a notice",),
        error=error,
    )  # fmt: skip


def profile() -> site.TableProfile:
    """What the rows of orders are like."""
    return site.TableProfile(
        1000,
        {
            "id": site.ColumnProfile(
                1000, 0, 1000, "1", "1000", 500.5, ("50", "250", "500", "750", "950"), (63,) * 16
            ),
            "amount": site.ColumnProfile(
                1000, 0, 700, "0.50", "99.00", 41.25, ("1", "20", "40", "60", "90"),
                (5, 9, 20, 44, 60, 70, 31, 12),
            ),
            "note": site.ColumnProfile(
                1000, 400, 3, "a", HOSTILE, top=((HOSTILE, 300), ("gift", 200), ("", 100))
            ),
        },
    )  # fmt: skip


def people() -> site.TableProfile:
    """What the rows of customers are like; values of the sensitive column as nobody should hand them over."""
    return site.TableProfile(
        40,
        {
            "email": site.ColumnProfile(
                40, 1, 39, "ada@example.org", "zoe@example.org", top=(("ada@example.org", 2),)
            ),
            "country": site.ColumnProfile(40, 0, 3, "FR", "NO", top=(("GB", 20), ("FR", 15), ("NO", 5))),
        },
    )  # fmt: skip


def built(name: str, table: Table) -> Built:
    """A build of a model."""
    at = BEGAN + timedelta(days=7)
    return Built(
        name, "b1", "v" * 20, "table", "sql", at, at + timedelta(seconds=1.5), rows=4, kept=3, quarantined=1,
        broken={"positive": 1}, table=table,
    )  # fmt: skip


def aside(entry: QuarantineEntry, rule: str, column: str, value: str) -> QuarantinedRow:
    """A row that is set aside."""
    return QuarantinedRow(entry.table, entry.key, 17, (Broken(rule, column, value),), f"17,{value}")


def facts(**changes: object) -> site.SiteFacts:
    """Everything that the shop's site shows."""
    entry = QuarantineEntry(
        "shop", "orders", "shop/orders/o.csv", Kept.ROWS, 512, 1767582000, 2, {"amount: type": 2}
    )
    secret = QuarantineEntry("shop", "customers", "shop/customers/c.csv", Kept.ROWS, 512, 1767582001, 1)
    whole = QuarantineEntry(
        "shop", "orders", "shop/orders/e.csv", Kept.FILE, 0, 1767582002, reason="zero bytes"
    )
    tables: Mapping[Key, site.TableFacts] = {
        ("warehouse", "shop", "orders"): site.TableFacts(ORDERS, 8036, points(), 3, profile()),
        ("warehouse", "shop", "customers"): site.TableFacts(CUSTOMERS, 40, points(2), 0, people()),
        ("model", "orders_by_country"): site.TableFacts(
            BY_COUNTRY, 3, points(2), built=built("orders_by_country", BY_COUNTRY)
        ),
        ("model", "receipts"): site.TableFacts(
            RECEIPTS,
            40,
            profile=site.TableProfile(40, {"address": site.ColumnProfile(40, 0, 39, "ada@example.org", "z")}),
        ),
        ("model", "guesses"): site.TableFacts(
            GUESSES,
            40,
            profile=site.TableProfile(
                40, {"likely_address": site.ColumnProfile(40, 0, 39, "ada@example.org", "z")}
            ),
        ),
    }  # fmt: skip
    said: dict[str, object] = {
        "tables": tables,
        "lineage": LINEAGE,
        "runs": (
            run(8, "refused", "`orders` was refused\n  hint: mend it"), *(run(i) for i in range(7, -1, -1)),
        ),
        "quarantine": (
            site.Aside(entry, (aside(entry, "amount: type", "amount", "12,50"),)),
            site.Aside(secret, (aside(secret, "email.pattern", "email", "ada-at-example"),)),
            site.Aside(whole),
        ),
        "destinations": {"shop": "duckdb:///warehouse.duckdb"},
        "version": "0.1.0",
    }  # fmt: skip
    return site.SiteFacts(catalogue(), **{**said, **changes})  # type: ignore[arg-type]


def html(known: site.SiteFacts) -> str:
    """The page of some facts."""
    return page(document(known), dress(lambda name: (FACE / name).read_text("utf-8")))


def many(number: int, columns: int = 20) -> site.SiteFacts:
    """A warehouse of so many tables, a third of them models, each with a history and a profile."""
    nodes: list[Node] = []
    tables: dict[Key, site.TableFacts] = {}
    lineage: dict[str, Mapping[str, tuple[tuple[str, str], ...]]] = {}
    looked = site.ColumnProfile(
        100_000, 12, 9_000, "2019-01-01", "2026-01-05", 1.5, ("1.25",) * 5, tuple(range(1000, 2600, 100))
    )
    for i in range(number):
        name = f"table_{i:03}"
        table = Table(
            name, tuple(Column(f"column_{j:02}", INT64, description="What it holds") for j in range(columns))
        )
        if i < number * 2 // 3:
            nodes += way(table, f"pipeline_{i // 20}", checks=(Check("min_rows", "fail"),))
        else:
            above = [nodes[-1].key, nodes[-(i % 40) * 4 - 1].key]
            nodes.append(model(table, *above))
            lineage[name] = {c.name: ((above[0][-1], c.name),) for c in table.columns}
        tables[nodes[-1].key] = site.TableFacts(
            table,
            1_000_000,
            points(60),
            profile=site.TableProfile(100_000, dict.fromkeys(table.names, looked)),
        )
    return site.SiteFacts(Catalogue("many", tuple(nodes)), tables, lineage, tuple(run(i) for i in range(100)))
