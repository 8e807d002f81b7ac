"""Regular expressions that mean the same everywhere: the part of RE2 that every engine shares.

Source: the syntax page of the RE2 library, which pyarrow, DuckDB and most warehouses match with.
"""

from __future__ import annotations

import re
import warnings

_TOKEN = re.compile(
    r"""
      (?P<stand_in>\\[pP](?:\{\^?\w+\}|\w)|\\x\{[0-9A-Fa-f]+\}|\\z|\[:\^?\w+:\])  # RE2 has these, Python not
    | (?P<escape>\\.)
    | (?P<group>\(\?(?:P?<(?![=!])|P=|<?[=!]|[>(\#]|[A-Za-z-]+[:)]|.)?)
    | (?P<repeat>\{(?P<counts>\d+(?:,\d*)?|,\d+)\}|[*+?])(?P<greed>[+?]?)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
MAX_REPEAT = 1000


def check_pattern(pattern: str) -> str | None:
    """Why `pattern` cannot be used, or None if it can."""
    stand_in: list[str] = []
    opened: int | None = None  # where the character class begins that we are in
    for token in _TOKEN.finditer(pattern):
        text, reason = token[0], None
        if token["stand_in"]:
            stand_in.append("a" if not text.startswith("[") or opened is not None else text)
            continue
        stand_in.append(text)
        if token["escape"]:
            reason = _escape(text, opened is not None)
        elif opened is not None:
            first = opened + (2 if pattern[opened + 1 : opened + 2] == "^" else 1)
            opened = None if text == "]" and token.start() > first else opened
        elif text == "[":
            opened = token.start()
        else:
            reason = _group(text) if token["group"] else _repeat(token)
        if reason:
            return reason
    return _compiles("".join(stand_in))


def _compiles(pattern: str) -> str | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(pattern)
    except (re.error, OverflowError) as error:
        return f"it is no regular expression: {error}"
    except RecursionError:
        return "it is nested too deeply"
    return None


def _escape(text: str, inside: bool) -> str | None:
    if text[1] in "123456789":
        return f"`{text}` refers back to a group, which not every engine can"
    if text[1] in "uUN" or not text[1].isascii() or (inside and text[1] == "b"):
        return f"`{text}` is not known to every engine: write `\\x{{...}}` or the character itself"
    if text == "\\Z":
        return "`\\Z` is not known to every engine: leave it out, because the whole value must match"
    return None


def _group(text: str) -> str | None:
    if text in ("(?=", "(?!", "(?<=", "(?<!"):
        return f"`{text}` looks around, which not every engine can"
    if text == "(?P=":
        return "`(?P=` refers back to a group, which not every engine can"
    if text == "(?>":
        return "`(?>` does not give back, which not every engine knows"
    if text in ("(?(", "(?#"):
        return f"`{text}` is not known to every engine"
    if re.fullmatch(r"\(\?[A-Za-z-]+[:)]", text) and not re.fullmatch(r"\(\?[ims-]+[:)]", text):
        return f"`{text}` sets a flag that not every engine knows: use i, m or s"
    return None


def _repeat(token: re.Match[str]) -> str | None:
    if (token["counts"] or "").startswith(","):
        return f"`{token[0]}` is taken as text by some engines: write `{{0{token['counts']}}}`"
    if token["greed"] == "+":
        return f"`{token[0]}` does not give back, which not every engine knows"
    counts = [int(n) for n in (token["counts"] or "").split(",") if n]
    if any(n > MAX_REPEAT for n in counts):
        return f"`{token['repeat']}` repeats more than {MAX_REPEAT} times, which not every engine can"
    return None
