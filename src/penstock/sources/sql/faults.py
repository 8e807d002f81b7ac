"""What can go wrong at a database, told without its secrets."""

from __future__ import annotations

from penstock.errors import OutsideError, PenstockError, RefusedError
from penstock.sources.sql.address import Address

AS_TEXT = "read it as text: `types: {%s: text}` at the table of the source"


def refuse_value(table: str, column: str, what: str, found: str | None = None) -> RefusedError:
    """A value that its column's type cannot carry on from here."""
    return RefusedError(
        f"`{table}.{column}` holds {what}", where=f"column `{column}`", found=found, hint=AS_TEXT % column
    )


def refuse_login(address: Address, found: str) -> RefusedError:
    """A user or password that the server does not take."""
    return RefusedError(
        "the database does not let us in",
        where=address.shown,
        found=address.redact(found),
        hint="check the user and password of the source's `url`; a secret comes from the environment",
    )


def no_database(address: Address, found: str) -> RefusedError:
    """A server that has no such database."""
    return RefusedError(
        "the server has no such database or user", where=address.shown, found=address.redact(found).strip()
    )


def unreachable(address: Address, found: str) -> OutsideError:
    """A server that does not answer."""
    return OutsideError(
        "the database cannot be reached", where=address.shown, found=address.redact(found).strip()
    )


def failed(address: Address, table: str, found: str) -> OutsideError:
    """A connection that was lost, or a server in trouble."""
    return OutsideError(
        f"reading `{table}` failed on the way", where=address.shown, found=address.redact(found).strip()
    )


def denied(address: Address, table: str, found: str) -> RefusedError:
    """A table that the user may not read."""
    return RefusedError(
        f"`{table}` may not be read",
        where=address.shown,
        found=address.redact(found).strip(),
        hint="grant SELECT on it to the user of the `url`, or leave it out with `exclude`",
    )


def gone(address: Address, table: str, found: str, own_sql: bool) -> PenstockError:
    """A table or column that the query names and the database has not."""
    found = address.redact(found).strip()
    if own_sql:
        return RefusedError(
            f"the SQL of `{table}` names what is not there",
            where=address.shown,
            found=found,
            hint="see its `query` or `where` in the project file",
        )
    return OutsideError(
        f"`{table}` is not any more what it was a moment ago",
        where=address.shown,
        found=found,
        hint="it was changed or dropped while it was read: run again",
    )


def wrong_sql(address: Address, table: str, found: str) -> RefusedError:
    """SQL that the server does not understand, or a value that it cannot compute with."""
    return RefusedError(
        f"the database refuses to read `{table}`", where=address.shown, found=address.redact(found).strip()
    )
