"""What the page is told: everything leads somewhere, and nothing sensitive is among it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import site_bed
from penstock.catalogue import Catalogue, Layer, Node
from penstock.report.facts import QuarantinedRow
from penstock.report.site.document import POINTS, document
from penstock.report.site.facts import Aside, ColumnProfile, SiteFacts, TableFacts, TableProfile
from penstock.report.site.privacy import ANY, DERIVED, SENSITIVE, UNKNOWN, hidden
from penstock.schema.table import Column, Table
from penstock.schema.types import INT64, TEXT, List

# Any: JSON


def shop(**changes: object) -> dict[str, Any]:
    return document(site_bed.facts(**changes))


def table(told: dict[str, Any], name: str) -> dict[str, Any]:
    return next(t for t in told["tables"] if t["id"] == name)


def column(told: dict[str, Any], name: str, of: str) -> dict[str, Any]:
    return next(c for c in table(told, of)["columns"] if c["name"] == name)


# ---------------------------------------------------------------------------------- what is where


def test_a_table_is_one_whatever_layers_it_passes() -> None:
    told = shop()
    names = ["shop.customers", "shop.orders", "rates", "orders_by_country", "receipts", "guesses"]
    assert [t["id"] for t in told["tables"]] == names
    assert [x["layer"] for x in table(told, "shop.orders")["layers"]] == [
        "source",
        "land",
        "raw_hist",
        "warehouse",
    ]
    assert table(told, "orders_by_country")["reads"] == ["shop.orders", "shop.customers", "rates"]
    assert table(told, "rates")["kind"] == "foreign"


def test_everything_leads_somewhere() -> None:
    told = shop()
    ids = {t["id"]: {c["name"] for c in t.get("columns", ())} for t in told["tables"]}
    runs = {r["id"] for r in told["runs"]}
    assert all(read in ids for t in told["tables"] for read in t.get("reads", ()))
    for model, columns in told["lineage"].items():
        for name, made in columns.items():
            assert name in ids[model]
            assert all(source in ids[place] for place, source in made)
    assert all(rule["table"] in ids for rule in told["rules"])
    assert all(rule["last"][0] in runs for rule in told["rules"] if "last" in rule)
    assert all(aside["id"] in ids for aside in told["aside"])
    assert all(step["id"] in ids for run in told["runs"] for step in run["tables"])
    for look in told["attention"]:
        assert look["to"][1] in (runs if look["to"][0] == "run" else ids)


def test_what_needs_a_look() -> None:
    told = shop(notes=("the rows of x cannot be seen",))
    assert [(look["level"], look["text"]) for look in told["attention"]] == [
        ("bad", "the last run of shop was refused"),
        ("warn", "2 rows of orders in quarantine"),
        ("warn", "1 row of customers in quarantine"),
        ("warn", "1 whole file of orders in quarantine"),
        ("warn", "the rows of x cannot be seen"),
    ]
    entries = [a.entry for a in site_bed.facts().quarantine]
    replayed = tuple(Aside(replace(e, replayed=True)) for e in entries)
    assert "attention" not in shop(runs=(site_bed.run(9),), quarantine=replayed)


def test_rules_count_what_broke_them() -> None:
    rules = {(r["table"], r["rule"]): r for r in shop()["rules"]}
    assert rules["shop.orders", "amount.minimum"] == {
        "table": "shop.orders", "rule": "amount.minimum", "action": "drop", "rows": 9, "runs": 9,
        "last": ["run-8", 1],
    }  # fmt: skip
    assert rules["shop.orders", "min_rows"] == {"table": "shop.orders", "rule": "min_rows", "action": "fail"}
    assert rules["orders_by_country", "positive"]["rows"] == 1


def test_a_project_that_never_ran_has_its_catalogue() -> None:
    told = document(SiteFacts(site_bed.catalogue()))
    assert [t["name"] for t in told["tables"]][:2] == ["customers", "orders"]
    assert "rows" not in table(told, "shop.orders")
    assert column(told, "amount", "shop.orders")["type"] == "decimal(12,2)"
    assert "as_of" not in told
    assert "attention" not in told


def test_many_loads_are_told_as_their_number() -> None:
    key = ("warehouse", "shop", "orders")
    known = {key: TableFacts(history=site_bed.points(POINTS + 7), earlier=2)}
    told = document(SiteFacts(site_bed.catalogue(), known))
    assert len(table(told, "shop.orders")["points"]) == POINTS
    assert table(told, "shop.orders")["earlier"] == 9


def test_columns_tell_what_is_promised() -> None:
    told = shop()
    assert column(told, "id", "shop.customers")["rules"] == ["never null", "unique"]
    assert column(told, "country", "shop.customers")["rules"] == ["one of FR, GB, NO"]
    assert column(told, "id", "shop.customers")["key"] is True
    key = ("warehouse", "shop", "orders")
    stored = Table("orders", (Column("ID", INT64), Column("extra", INT64)))
    facts = SiteFacts(site_bed.catalogue(), {key: TableFacts(stored)})
    names = {c["name"]: c.get("absent", False) for c in table(document(facts), "shop.orders")["columns"]}
    assert names == {
        "ID": False,
        "extra": False,
        "id": True,
        "customer_id": True,
        "amount": True,
        "note": True,
    }


def test_two_things_of_one_name_stay_two() -> None:
    first = site_bed.way(Table("b"), "a")
    odd = Node(("model", "a.b"), Layer.MODEL, Table("a.b"), "sql", reads=(first[-1].key,))
    told = document(SiteFacts(Catalogue("p", (*first, odd))))
    assert [t["id"] for t in told["tables"]] == ["a.b", "a.b~"]
    assert told["tables"][1]["reads"] == ["a.b"]


# ------------------------------------------------------------------------------- what is not told


def test_sensitive_values_are_in_no_text() -> None:
    text = json.dumps(shop())
    assert "ada" not in text
    assert "zoe" not in text
    assert "*** " not in text.replace('"***"', "")
    assert "gift" in text  # what is not sensitive is told
    assert '"GB"' in text


def test_samples_of_a_sensitive_table_are_masked() -> None:
    told = {a["table"]: a for a in shop()["aside"] if a["kept"] == "rows"}
    assert told["customers"]["samples"] == [
        {"row": 17, "broken": [["email.pattern", "email", "***"]], "raw": "***"}
    ]
    assert told["orders"]["samples"][0]["raw"] == "17,12,50"


def test_counts_of_a_sensitive_column_are_told() -> None:
    assert column(shop(), "email", "shop.customers")["profile"] == {"count": 40, "nulls": 1, "distinct": 39}


def test_what_is_made_of_a_sensitive_column_is_hidden() -> None:
    told = shop()
    assert column(told, "address", "receipts")["hidden"] == DERIVED
    assert column(told, "likely_address", "guesses")["hidden"] == UNKNOWN
    assert "hidden" not in column(told, "country", "orders_by_country")
    assert "low" not in column(told, "address", "receipts")["profile"]


def test_what_nobody_can_follow_is_hidden_only_below_something_sensitive() -> None:
    plain = replace(site_bed.CUSTOMERS, columns=site_bed.CUSTOMERS.columns[:1])
    nodes = (
        *site_bed.way(plain, "shop"),
        site_bed.model(site_bed.GUESSES, ("warehouse", "shop", "customers"), tool="python", sql=None),
    )
    assert hidden(SiteFacts(Catalogue("p", nodes)))["model", "guesses"] == {}


def test_hiding_goes_on_from_model_to_model() -> None:
    customers = ("warehouse", "shop", "customers")
    table_ = Table("second", (Column("a", TEXT), Column("n", INT64), Column("c", TEXT)))
    catalogue = Catalogue("p", (
        *site_bed.way(site_bed.CUSTOMERS, "shop"),
        site_bed.model(site_bed.RECEIPTS, customers),
        site_bed.model(table_, ("model", "receipts")),
    ))  # fmt: skip
    lineage = {
        "receipts": {"address": (("CUSTOMERS", "EMAIL"),), "order_id": (("customers", "id"),)},
        "second": {"a": (("receipts", "Address"),), "n": (), "c": (("elsewhere", "x"),)},
    }
    found = hidden(SiteFacts(catalogue, lineage=lineage))["model", "second"]
    assert found["a"] == DERIVED
    assert found["c"] == UNKNOWN
    assert found["n"] == ""  # a count, or a constant
    assert found[ANY] == UNKNOWN


def test_what_is_made_of_nothing_known_below_what_nobody_can_follow_is_hidden() -> None:
    catalogue = Catalogue("p", (
        *site_bed.way(site_bed.CUSTOMERS, "shop"),
        site_bed.model(site_bed.GUESSES, ("warehouse", "shop", "customers"), tool="python", sql=None),
        site_bed.model(Table("second", (Column("x", TEXT),)), ("model", "guesses")),
    ))  # fmt: skip
    assert hidden(SiteFacts(catalogue, lineage={"second": {"x": ()}}))["model", "second"]["x"] == UNKNOWN


def test_parts_of_a_sensitive_list_are_hidden() -> None:
    parent = Table("people", (Column("id", INT64), Column("phones", List(TEXT), sensitive=True)))
    child = Table("people__phones", (Column("value", TEXT),))
    other = Table("people__pets", (Column("value", TEXT),))
    catalogue = Catalogue("p", (
        *site_bed.way(parent, "shop"),
        *(
            Node(("warehouse", "shop", t.name), Layer.WAREHOUSE, t, "duckdb", "shop", t.name)
            for t in (child, other)
        ),
    ))  # fmt: skip
    seen = TableProfile(2, {"value": ColumnProfile(2, 0, 2, "07700", "07701")})
    facts = SiteFacts(catalogue, {
        ("warehouse", "shop", name): TableFacts(rows=2, profile=seen, part_of="people")
        for name in ("people__phones", "people__pets")
    })  # fmt: skip
    told = document(facts)
    assert column(told, "value", "shop.people__phones")["hidden"] == SENSITIVE
    assert "07700" in str(column(told, "value", "shop.people__pets"))


def test_constraints_of_a_sensitive_column_name_no_value() -> None:
    secret = Table("t", (Column("c", INT64, enum=(4711, 4712), minimum=4711, maximum=4712, sensitive=True),))
    told = document(SiteFacts(Catalogue("p", tuple(site_bed.way(secret, "shop")))))
    assert column(told, "c", "shop.t")["rules"] == ["one of 2 values"]


def test_a_long_row_is_cut() -> None:
    aside = site_bed.facts().quarantine[0]
    row = QuarantinedRow("orders", aside.entry.key, 1, (), "x" * 5000)
    told = shop(quarantine=(Aside(aside.entry, (row,)),))
    assert len(told["aside"][0]["samples"][0]["raw"]) == 300
