"""Names and values that would break a program that pastes them together, wherever names may stand."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from warehouse import quoted

import penstock
from bed import Bed
from penstock.errors import PenstockError

Site = Any

COLUMNS = [
    "a b", ' "quoted" ', "it's", "d.o.t", "semi;colon", "x;--", "'; DROP TABLE t; --", '"; DROP TABLE t; --',
    "select", "SELECT", "order", "null", "true", "1", "*", "count(*)", "#", "?", "$1", "%s", "{0}", "{}",
    "\\", "/", "../x", "`b`", "[x]", "a=b", "@", "", "unnamed", "unnamed__2", " ", "\t", "\n", "\r\n", "\0",
    "a\0b", "Id", "ID", "id", "iD", "ID__2", "name", "file", "row", "filename", "excluded", "error",
    "list_value", "rowid", "c0", "C0", "c1", "penstock_c0", "penstock_c1", "penstock row", "k0",
    "_penstock_load_id", "_PENSTOCK_LOAD_ID", "_penstock_ordinal", "_penstock_part", "_penstock_path",
    "_penstock_file", "_penstock_0", "_penstock_incoming", "unparsable", "v.type", "data", "\u0131", "\u0130",
    "stra\u00dfe", "strasse", "\ufb01", "fi", unicodedata.normalize("NFC", "é"),
    unicodedata.normalize("NFD", "é"), "😀", "\u200b", "\u202ertl", "\ufeff", "x" * 3000,
]  # fmt: skip
VALUES = [
    "'; DROP TABLE t; --",
    '"; DROP TABLE t; --',
    "\\",
    "\\'",
    "%s",
    "$1",
    "{0}",
    "NULL",
    "",
    "--",
    "/*",
]


def records(values: list[Any]) -> list[dict[str, Any]]:
    return [dict.fromkeys(COLUMNS, value) for value in values]


@pytest.mark.parametrize("place", ["columns", "fields of an object", "fields in a list"])
def test_every_name_keeps_its_own_values(site: Site, place: str) -> None:
    wrapped = {
        "columns": lambda r: r,
        "fields of an object": lambda r: {"v": r},
        "fields in a list": lambda r: {"v": [r, {}]},
    }[place]
    given = []
    for run, base in enumerate([0, 0.5, "text"]):  # the same names through two widenings
        row = {name: i + base if base != "text" else f"{base} {i}" for i, name in enumerate(COLUMNS)}
        given.append(wrapped(row))
        site.drop(f"{run}.jsonl", given[-1])
        site.takes(1)
    found = site.holds(*given)
    taken = [stored.lower() for stored in found.stored_as.values()]
    assert len(set(taken)) == len(taken)
    assert "_penstock_load_id" not in taken
    if place == "columns":
        assert found.stored_as["Id"] == "Id"
        assert found.stored_as["d.o.t"] == "d.o.t"
    else:
        site.drop("json.jsonl", {"v": 1})
        site.takes(1)
        site.holds(*given, {"v": 1})


def test_values_that_look_like_sql(site: Site) -> None:
    given = records([*VALUES, 'a"b', "é\u2028😀"])
    site.drop("a.jsonl", *given)
    site.takes(len(given))
    site.holds(*given)
    site.drop("b.jsonl", {"it's": {"k'": "'; --"}, "a b": ["'"]})
    site.takes(1)
    site.holds(*given, {"it's": {"k'": "'; --"}, "a b": ["'"]})


# ---------------------------------------------------------------------------------------- rules

RULED = {
    "sel'ect\"": {"type": "text", "enum": ["a'b", '"; DROP TABLE t; --', "x\\"]},
    "a b": {"type": "text", "pattern": '[a-z\']+|"x"|\\\\;--'},
    "c0": {"type": "int64", "minimum": 0},
    "penstock_c0": {"type": "int64", "unique": True},
    "rowid": {"type": "int64", "maximum": 5},
    "penstock row": {"type": "text", "nullable": False},
    "C0": {"type": "text", "minLength": 1, "maxLength": 2},
    "when": {"type": "text", "foreign_key": {"table": "par'ent", "columns": 'k"ey'}},
}
GOOD = {
    "sel'ect\"": "a'b", "a b": "abc'", "c0": 1, "penstock_c0": 1, "rowid": 1, "penstock row": "r", "C0": "x",
    "when": "'; --",
}  # fmt: skip
FINE = [{"sel'ect\"": '"; DROP TABLE t; --'}, {"sel'ect\"": "x\\"}, {"a b": '"x"'}, {"a b": "\\;--"}]
BROKEN = [
    ({"sel'ect\"": "nope'"}, "sel'ect\".enum"),
    ({"a b": "ABC"}, "a b.pattern"),
    ({"c0": -1}, "c0.minimum"),
    ({"rowid": 6}, "rowid.maximum"),
    ({"penstock row": None}, "penstock row.nullable"),
    ({"C0": "xyz"}, "C0.max_length"),
    ({"C0": "zz"}, 'twin\'s "rule"; --'),
    ({"penstock_c0": 1}, "penstock_c0.unique"),
    ({"when": "'; DROP"}, "when.foreign_key"),
]


def ruled(site: Site) -> list[dict[str, Any]]:
    site.pipeline["source"]["tables"] = {"t": "t*", "par'ent": "p*"}
    site.pipeline["tables"]["par'ent"] = {}
    site.table["columns"] = [{"name": name, **rules} for name, rules in RULED.items()]
    condition = '"C0__2" <> \'zz\' AND "sel\'ect""" IS NOT NULL AND "a b" NOT LIKE \'it\'\'s;%\''
    site.table["gate"] = {"expectations": [{"name": 'twin\'s "rule"; --', "constraint": condition}]}
    site.drop("p.jsonl", {'k"ey': "'; --"}, {'k"ey': None})
    changed = [*FINE, *(change for change, _ in BROKEN)]
    return [GOOD, *({**GOOD, "penstock_c0": 10 + i, **change} for i, change in enumerate(changed))]


def as_csv(rows: list[dict[str, Any]]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(rows[0])
    writer.writerows(row.values() for row in rows)
    return out.getvalue().encode()


def as_parquet(rows: list[dict[str, Any]]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), out)
    return out.getvalue()


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_rules_on_columns_with_such_names(site: Site, form: str) -> None:
    rows = ruled(site)
    lines = [json.dumps(row).encode() for row in rows]
    data = {"jsonl": b"\n".join(lines), "csv": as_csv(rows), "parquet": as_parquet(rows)}[form]
    site.drop(f"t.{form}", data)
    site.takes(len(rows) + 2)
    kept = 1 + len(FINE)
    site.holds(*rows[:kept])
    aside = site.quarantined()
    assert [(row, rules) for row, rules, _ in aside] == [
        (row, [rule]) for row, (_, rule) in enumerate(BROKEN, kept + 1)
    ]
    raw = as_csv(rows).splitlines()[1:] if form == "csv" else lines
    assert [text for _, _, text in aside] == raw[kept:]


# --------------------------------------------------------------------------------- tables, files

TABLES = [
    "we'ird", 'quo"te', "semi;colon", "sp ace", "trailing ", " leading", "per%cent", "per%2Fcent", "../up",
    "..", "a/b", "back\\slash", "new\nline", "üñî😀", "select", "t.dot", "$x", "-dash", "*", "[x]", "{y}",
    "'; DROP TABLE _penstock_files; --", "file", "main", "information_schema", "c0", "#a=b", "_under",
]  # fmt: skip


def test_tables_of_any_name(site: Site) -> None:
    site.pipeline["source"]["tables"] = {name: f"{i}/*" for i, name in enumerate(TABLES)}
    site.pipeline["tables"] = {name: {} for name in TABLES}
    for i, _ in enumerate(TABLES):
        site.drop(f"{i}/a.jsonl", {"v": i}, b"oops %d\n" % i)
    site.takes(2 * len(TABLES))
    rows = " UNION ALL ".join(f"SELECT {i}, v FROM {quoted(name)}" for i, name in enumerate(TABLES))
    assert sorted(site.sql(rows)) == [(i, i) for i, _ in enumerate(TABLES)]
    assert site.open.show(TABLES[0]).num_rows == 1
    assert [row.raw for row in site.open.quarantine_show(TABLES[0], 9)] == ["oops 0"]
    assert {entry.table for entry in site.open.quarantine_list([])} == set(TABLES)
    inside = {path.relative_to(site.root).parts[0] for path in site.root.rglob("*")}
    assert inside <= {".penstock", "data", "in", "penstock.yml", "w.duckdb", "w.duckdb.lock", "warehouse"}


def test_a_table_of_any_name_is_rebuilt_and_replayed(site: Site) -> None:
    name = '\'; DROP TABLE "t"; -- ../%2F\n'
    site.pipeline["source"]["tables"] = {name: "*"}
    site.pipeline["tables"] = {name: {"columns": [{"name": "v", "type": "int64", "maximum": 5}]}}
    site.drop("a.jsonl", {"v": 1}, {"v": 7})
    site.takes(2)
    site.pipeline["tables"][name]["columns"][0]["maximum"] = 9
    session = site.session()
    for results in (
        session.quarantine_replay([name], penstock.ignore),
        session.rebuild([name], None, penstock.ignore),
    ):
        assert results.pipelines[0].error is None
        site.holds({"v": 1}, {"v": 7}, table=name)


FILES = [
    "it's.jsonl", "semi;colon.jsonl", "sp ace .jsonl", "per%cent%2F.jsonl", "%00.jsonl", "üñî😀.jsonl",
    "new\nline.jsonl", 'quo"te.jsonl', "'; DROP TABLE t; --.jsonl", "..jsonl", "...jsonl", "a..jsonl",
    "-dash.jsonl", "a*b?.jsonl", "[x].jsonl", "{y}.jsonl", "back\\slash.jsonl", "tab\t.jsonl",
    "#frag?query.jsonl", "a=b.jsonl", "$HOME.jsonl", "`x`.jsonl", unicodedata.normalize("NFC", "é.jsonl"),
    unicodedata.normalize("NFD", "é.jsonl"), "x" * 240 + ".jsonl", "UPPER.JSONL", "_under.jsonl",
    "a.tar.jsonl",    "\x7f\x01.jsonl", "sub dir/%2e%2e/x y.jsonl", "..x/y.jsonl", "~/z.jsonl",
]  # fmt: skip


def test_files_of_any_name(site: Site) -> None:
    site.pipeline["source"]["tables"] = {"t": "**"}
    for i, name in enumerate(FILES):
        site.drop(name, {"v": i}, b"oops\n")
    site.takes(2 * len(FILES))
    site.holds(*[{"v": i} for i in range(len(FILES))])
    origins = site.sql("SELECT origin FROM _penstock_files")
    assert {Path(o).name for (o,) in origins} == {Path(name).name for name in FILES}
    assert site.run().files_landed == 0


def test_extensions_of_any_kind_are_set_aside_whole(site: Site) -> None:
    names = [
        "a.js'on",
        "a.x\ny",
        "a.x;y",
        "a.%2F",
        "a.x y",
        "a. jsonl",
        "a.jsonl ",
        "a.gz",
        "a",
        ".gz",
        "a.*",
    ]
    site.pipeline["source"]["tables"] = {"t": "**"}
    for i, name in enumerate(names):
        (site.root / "in" / name).write_bytes(b'{"v": %d}\n' % i)
    site.drop("good.jsonl", {"v": -1})
    result = site.accounts(site.run())
    assert [f.finding.rule for f in result.findings] == ["extension"] * len(names)
    site.holds({"v": -1})


@pytest.mark.parametrize("name", ["a b.c-d", "ünï_cödé", "x" * 100, "2024", "a..b"])
def test_pipelines_of_any_name_that_is_allowed(tmp_path: Path, name: str) -> None:
    bed = Bed(tmp_path)
    bed.project["pipelines"] = {name: bed.pipeline}
    bed.drop("a.jsonl", {"v": 1})
    session = bed.session()
    assert session.run([name], penstock.ignore).pipelines[0].error is None
    assert session.status([name])[0].tables[0].loaded == 1
    assert session.show(f"{name}.t").num_rows == 1


@pytest.mark.parametrize("name", ["../x", "a/b", "a'b", 'a"b', "a;b", "a\nb", "%2F", ".x", "_x", "", " x"])
def test_pipelines_of_other_names_are_refused_with_a_line(tmp_path: Path, name: str) -> None:
    bed = Bed(tmp_path)
    bed.project["pipelines"] = {name: bed.pipeline}
    with pytest.raises(PenstockError, match="cannot be a name") as error:
        bed.session()
    assert "penstock.yml:" in str(error.value)
