"""Table metadata as tables, and back, in every format that people keep it in.

Our own form is a mapping with `columns` (a list, or a mapping of name to type or attributes),
`primary_key`, `partitions` and `description`. A key that it does not know is an error. The other
formats (etl_manager, mojap-metadata, ODCS, JSON Schema, dlt) are read as they are: what has no
meaning here is kept in `extra`, so that it can be written back. Which format a file has, its keys
and its words for types tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from penstock.errors import ProjectError, suggest
from penstock.schema.faults import either
from penstock.schema.formats.columnar import columnar_form, etl_manager_parts, mojap_parts, own_parts
from penstock.schema.formats.columnar_read import ColumnarReader, bad_type
from penstock.schema.formats.dlt import read_dlt, write_dlt
from penstock.schema.formats.form import DATETIME_FORMAT, Form, Notes, Raw, Written, remember, write_table
from penstock.schema.formats.json_schema import json_schema_form, read_json_schema
from penstock.schema.formats.odcs import read_odcs, write_odcs
from penstock.schema.formats.pydantic_read import read_pydantic
from penstock.schema.formats.pydantic_write import write_pydantic
from penstock.schema.formats.reading import Locate, Page
from penstock.schema.table import Table
from penstock.schema.vocabulary import ETL_MANAGER, MOJAP, OWN, Format, tell_kind

# Any throughout: metadata files hold values of every type.
__all__ = (
    "FORMATS", "Reading", "bad_type", "read_metadata", "read_model", "read_tables", "write_metadata",
)  # fmt: skip


def read_metadata(
    mapping: Mapping[str, Any],
    *,
    name: str,
    where: str,
    locate: Locate | None = None,
    part: str | None = None,
) -> Table:
    """The table that a metadata file describes. `name` is the table's, whatever the file calls it.

    `part` is the name that the file has for the table, for a file that describes several. `where`
    names the file in errors; `locate`, if given, tells the file and line of a path of keys.
    Raises: ProjectError telling everything that is wrong with the file, by column and key.
    """
    tables = read_tables(mapping, name=name, where=where, locate=locate).tables
    found = [t for t in tables if t.name == part] if part is not None else list(tables)
    if len(found) == 1:
        return replace(found[0], name=name)
    names = [t.name for t in tables]
    if part is not None:
        what, hint = f"the file describes no table `{part}`", suggest(part, names)
        raise ProjectError(what, where=where, expected=either(names), hint=hint)
    raise ProjectError(
        f"the file describes {len(names)} tables",
        where=where,
        found=", ".join(names) or None,
        hint=f"name one behind the file: `{where}#{names[0]}`" if names else None,
    )


@dataclass(frozen=True, slots=True)
class Reading:
    """What a metadata file describes: its format, its tables, and what is kept but not enforced."""

    format: str
    tables: tuple[Table, ...]
    notes: tuple[str, ...] = ()


def read_tables(
    mapping: Mapping[str, Any], *, name: str, where: str, locate: Locate | None = None
) -> Reading:
    """Every table that a metadata file describes; `name` is for a file that holds one without a name.

    Raises: ProjectError telling everything that is wrong with the file.
    """
    page = Page(where, locate)
    kind = tell_kind(mapping)
    tables: list[Table]
    if kind == "odcs":
        tables = read_odcs(mapping, page)
    elif kind == "dlt":
        tables = read_dlt(mapping, page)
    elif kind == "json_schema":
        tables = [remember(read_json_schema(mapping, name, page), mapping, JSON_SCHEMA)]
    else:
        reader = ColumnarReader(page)
        tables = [reader.table(mapping, name)]
        kind = reader.format.name
        form = _FORMS.get(kind)
        if form and not page.faults and isinstance(mapping.get("columns"), list | tuple):
            tables = [remember(tables[0], mapping, form)]
    page.end()
    return Reading(kind, tuple(tables), page.notes.told())


def _rereader(format_: Format) -> Any:
    """A reader of one table of a known format, for `Form.read`."""

    def read(raw: Raw, name: str) -> Table:
        page = Page(name)
        table = ColumnarReader(page, format_).table(raw, name)
        page.end()
        return table

    return read


def _reread_json_schema(raw: Raw, name: str) -> Table:
    page = Page(name)
    table = read_json_schema(raw, name, page)
    page.end()
    return table


JSON_SCHEMA = json_schema_form(_reread_json_schema)
_FORMS: Mapping[str, Form] = {
    ETL_MANAGER.name: columnar_form(
        ETL_MANAGER.name, etl_manager_parts, _rereader(ETL_MANAGER), "data_format", "location"
    ),
    MOJAP.name: columnar_form(MOJAP.name, mojap_parts, _rereader(MOJAP), "type_category", DATETIME_FORMAT),
    OWN.name: columnar_form(OWN.name, own_parts, _rereader(OWN), DATETIME_FORMAT),
    JSON_SCHEMA.name: JSON_SCHEMA,
}


def read_model(model: type, *, name: str, where: str) -> Reading:
    """The table whose rows a pydantic model describes. Raises: ProjectError telling all that is wrong."""
    page = Page(where)
    table = read_pydantic(model, name, page)
    page.end()
    return Reading("pydantic", (table,), page.notes.told())


FORMATS = (
    "own", "etl_manager", "mojap", "odcs", "odcs-3.0", "odcs-3.1", "odcs-3.2", "json_schema",
    "pydantic", "dlt",
)  # fmt: skip
"""The words for the formats that can be written."""
ODCS_VERSIONS = {"odcs": None, "odcs-3.0": "v3.0.2", "odcs-3.1": "v3.1.0", "odcs-3.2": "v3.2.0"}
"""The words for contracts, and the version that each writes; None: as it was read, or 3.1."""


_NAMES = {"own": OWN.name, "mojap": MOJAP.name}


def write_metadata(tables: Sequence[Table], format_: str) -> Written:
    """Tables as a metadata file of a format: plain values, and what the format cannot say.

    `format_` is one of `FORMATS`. A table that was read from the same format comes back with every
    key that its file had. Several tables become one contract, dlt schema or Python module, or, in
    the formats that hold one table a file, a list.
    """
    notes = Notes()
    if format_ == "pydantic":
        return Written(write_pydantic(list(tables), notes), notes.told())
    if format_ == "dlt":
        return Written(write_dlt(list(tables), notes), notes.told())
    if format_.startswith("odcs"):
        return Written(write_odcs(tables, ODCS_VERSIONS[format_], notes), notes.told())
    form = _FORMS[_NAMES.get(format_, format_)]
    documents = [write_table(table, form, notes) for table in tables]
    return Written(documents[0] if len(documents) == 1 else documents, notes.told())
