"""What is not to be seen: credentials in URLs, bodies and messages."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit, urlunsplit

MASK = "***"
SHORTEST = 4
_NAMES = re.compile(r"key|token|secret|pass|pwd|sig|auth|cred|session|jwt|assertion", re.IGNORECASE)


def is_secret_name(name: str) -> bool:
    """Whether a parameter of this name is likely to hold a credential."""
    return _NAMES.search(name) is not None


class Secrets:
    """Texts that must never be shown, however they are written."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._texts: list[str] = []
        self.add(*texts)

    def add(self, *texts: str) -> None:
        """Further texts; those that are too short to tell anything are left out."""
        lines = {line.strip() for text in texts for line in text.splitlines()} | set(texts)
        long = [text for text in lines if len(text) >= SHORTEST]
        spelled = {s for text in long for s in (text, quote(text, safe=""), quote_plus(text))}
        self._texts = sorted({*self._texts, *spelled}, key=len, reverse=True)

    def hide(self, text: str) -> str:
        """A text without them."""
        for secret in self._texts:
            text = text.replace(secret, MASK)
        return text

    def url(self, url: str) -> str:
        """A URL as people may see it: without a user, and without the values of secret parameters."""
        parts = urlsplit(url)
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        query = "&".join(
            f"{quote_plus(name)}={MASK if is_secret_name(name) else quote_plus(value)}"
            for name, value in pairs
        )
        place = parts.netloc.rpartition("@")[2]
        return self.hide(urlunsplit((parts.scheme, place, parts.path, query, "")))
