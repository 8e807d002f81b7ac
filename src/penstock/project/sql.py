"""A SQL database as a source: which tables, and how far they were read."""

from __future__ import annotations

from typing import Literal

from penstock.project.maker import MakerSpec


class SqlDatabaseSpec(MakerSpec):
    """Tables and views of a SQL database."""

    type: Literal["sql_database"] = "sql_database"
    url: str
    """The database, such as `postgresql://user:${PASSWORD}@host/db` or `sqlite:///file.db`."""
