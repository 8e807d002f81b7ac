"""The names of all rules, and the SQL that the rules of a column become."""

from __future__ import annotations

from penstock.gate.rules import Expectation, RowRules, compile_rules
from penstock.project.tables import RULES
from penstock.records.chunk import UNKNOWN_COLUMN, UNPARSABLE, WRONG_TYPE
from penstock.schema.table import Column, ForeignKey, Table
from penstock.schema.types import TEXT, parse_type
from reference.markdown import code, join, table

INTRO = """
# Rules

A rule's name is what `quarantine list`, `--json` and `gate.actions` call it. The rule of one column is
`column.rule`, such as `country.enum`; an expectation has the name that the project file gives it.

## Rules of rows

A column's metadata makes these. They run as SQL on whole batches, in DuckDB's dialect. A rule that is
null for a row is broken. Other than `nullable`, a column's own rules do not concern null values.
"""
UNIQUE = """
`unique` (of a column, or of the primary key unless rows are merged by it) compares the rows of a load with
each other and, unless they replace it, with the table: the first row of a key goes on, later ones break the
rule.
"""
READING = """
## Rules of reading

What a reader cannot make a row of, it says in the same way.
"""
_READERS = {
    UNPARSABLE: "the record cannot be read: broken JSON, a ragged CSV record, bytes that are not UTF-8; "
    "`gate.on_unparsable` says what becomes of it",
    WRONG_TYPE: "a value that its column's type cannot hold exactly; `contract.data_type` decides",
    UNKNOWN_COLUMN: "a column that the table does not have; `contract.columns` decides",
}


def page() -> str:
    """The rules of rows with their SQL, and those of the readers."""
    rows = [(code(rule.name), code(rule.sql)) for rule in compile_rules(_example(), _expectation())]
    found = {name.strip("`") for name, _ in rows}
    missing = set(RULES) - found - {"unique"}
    if missing:
        raise LookupError(f"the reference shows no example of {sorted(missing)}")
    readers = [(code(name), words) for name, words in _READERS.items()]
    return join(
        INTRO,
        table(("rule", "true for rows that satisfy it"), rows),
        "`penstock_c0` is the column that the rule belongs to. `pattern` must match the whole value.",
        UNIQUE,
        READING,
        table(("rule", "broken by"), readers),
    )


def _example() -> Table:
    kinds = {"a": TEXT, "b": parse_type("decimal(12,2)"), "c": TEXT}
    return Table(
        "example",
        (
            Column(
                "a",
                kinds["a"],
                nullable=False,
                enum=("DE", "FR"),
                pattern="[A-Z]{2}",
                min_length=2,
                max_length=2,
                foreign_key=ForeignKey("countries", ("code",)),
            ),
            Column("b", kinds["b"], minimum=0, maximum=10000),
        ),
    )


def _expectation() -> RowRules:
    return RowRules(expectations=(Expectation("an expectation", "b < 100 OR a = 'DE'"),))
