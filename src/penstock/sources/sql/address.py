"""The URL of a database: which server it names, and how it is told without its secrets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from penstock.errors import ProjectError, suggest

SERVERS = {
    "postgresql": "postgres", "postgres": "postgres", "mysql": "mysql", "mariadb": "mysql",
    "sqlite": "sqlite", "duckdb": "duckdb",
}  # fmt: skip
_SECRET = re.compile(r"pass|secret|token|key|credential", re.IGNORECASE)


@dataclass(frozen=True, slots=True, repr=False)
class Address:
    """A parsed URL. `kind` is the server's, or `sqlalchemy` for what is read through that."""

    url: str
    kind: str
    secrets: tuple[str, ...]
    shown: str

    def __repr__(self) -> str:
        return f"Address({self.shown!r})"

    def redact(self, text: str) -> str:
        """A text without the secrets of this URL."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text.replace(self.url, self.shown)

    def path(self, root: Path) -> Path:
        """The file of an embedded database: `///` begins a relative path, `////` an absolute one.

        Raises: ProjectError for a database in memory or on another host.
        """
        rest = self.url.partition("://")[2].partition("?")[0]
        path = unquote(rest.removeprefix("/"))
        if not rest.startswith("/") or path in ("", ":memory:"):
            raise ProjectError(
                f"`{self.shown}` names no file",
                expected=f"such as `{self.url.partition(':')[0]}:///file.db`, relative to the project",
            )
        return root / path


def parse(url: str) -> Address:
    """The address that a URL stands for. Raises: ProjectError; no secret is told."""
    scheme, separator, _ = url.partition("://")
    if not separator:
        raise ProjectError(
            "the `url` of a SQL database is none",
            expected="such as `postgresql://user:${PASSWORD}@host/db` or `sqlite:///file.db`",
            hint=suggest(url.partition(":")[0], SERVERS),
        )
    kind = SERVERS.get(scheme.lower(), "sqlalchemy")
    secrets, shown = [], url
    parts = urlsplit(url)
    if "@" in parts.netloc:
        user, _, host = parts.netloc.rpartition("@")
        name, colon, password = user.partition(":")
        if colon:
            secrets.append(password)
            shown = shown.replace(f"{user}@{host}", f"{name}:***@{host}", 1)
    for name, value in parse_qsl(parts.query):
        if _SECRET.search(name):
            secrets.append(value)
            shown = re.sub(rf"([?&]{re.escape(name)}=)[^&]*", r"\g<1>***", shown)
    known = {form for secret in secrets for form in (secret, unquote(secret)) if len(form) > 2}
    return Address(url, kind, tuple(sorted(known, key=len, reverse=True)), shown)
