"""Tables and views of a SQL database: PostgreSQL, MySQL, SQLite, DuckDB, and what SQLAlchemy reads."""

from penstock.sources.sql.source import SqlSource

__all__ = ["SqlSource"]
