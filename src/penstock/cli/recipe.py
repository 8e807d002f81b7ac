"""What `penstock generate` is asked for: how many rows, in what format, how many of them bad.

Pure values; `cli.synthetic` turns them into SQL and `cli.generate` into files.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from penstock.errors import UsageError, suggest

STEM = "synthetic_data"
MAX_ROWS = 1_000_000_000
_NAME = re.compile(rf"{STEM}_(\d+)\.(.+)")


class Format(StrEnum):
    """The formats that can be written; the value is the file's extension."""

    JSONL = "jsonl"
    JSONL_GZ = "jsonl.gz"
    CSV = "csv"
    CSV_GZ = "csv.gz"
    PARQUET = "parquet"


class Bad(StrEnum):
    """The ways in which a row can be bad, in the order in which they are handed out."""

    MALFORMED = "malformed"
    TYPE = "type"
    NULL = "null"
    ENUM = "enum"
    RANGE = "range"
    PATTERN = "pattern"
    DUPLICATE = "duplicate"


MEANING: Mapping[Bad, str] = {
    Bad.MALFORMED: "the line is cut off in the middle; not in parquet",
    Bad.TYPE: 'amount is the text "12,50"; not in parquet',
    Bad.NULL: "name is null",
    Bad.ENUM: "country is ZZ, which is none of the sixteen",
    Bad.RANGE: "quantity is -1; good ones are 1 to 99",
    Bad.PATTERN: "email has no @",
    Bad.DUPLICATE: "id is that of an earlier, good row of the file",
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """One kind of file. Units: `rows` of each file; `bad` as shares of them between 0 and 1."""

    rows: int
    seed: int
    format: Format = Format.JSONL
    bad: Mapping[Bad, Decimal] = field(default_factory=dict)

    def counts(self) -> dict[Bad, int]:
        """How many rows of each kind are bad in every file: the shares, rounded as a whole.

        Raises: UsageError when a file has too few rows for them.
        """
        quotas = {kind: self.bad.get(kind, Decimal(0)) * self.rows for kind in Bad}
        counts = {kind: int(quota) for kind, quota in quotas.items()}
        left = math.floor(sum(quotas.values(), Decimal("0.5"))) - sum(counts.values())
        by_remainder = sorted(quotas, key=lambda kind: counts[kind] - quotas[kind])
        for kind in by_remainder[:left]:
            counts[kind] += 1
        needed = sum(counts.values()) + counts[Bad.DUPLICATE]
        if needed > self.rows:
            raise UsageError(
                "more bad rows than a file has room for",
                found=f"{needed:,} rows, counting the good ones that are duplicated",
                expected=f"at most {self.rows:,} rows a file",
            )
        return {kind: count for kind, count in counts.items() if count}


def possible(file_format: Format) -> tuple[Bad, ...]:
    """The kinds of bad row that a format can hold."""
    if file_format is Format.PARQUET:
        return tuple(kind for kind in Bad if kind not in (Bad.MALFORMED, Bad.TYPE))
    return tuple(Bad)


def read_shares(texts: Iterable[str], file_format: Format) -> dict[Bad, Decimal]:
    """The shares that `KIND=SHARE` and `SHARE` ask for; the latter is spread over the kinds not named.

    Raises: UsageError for a word that is no kind, a share outside 0 to 1, a kind named twice or one
    that the format cannot hold.
    """
    named: dict[Bad, Decimal] = {}
    spread: Decimal | None = None
    for text in texts:
        word, equals, number = text.rpartition("=")
        if not equals:
            if spread is not None:
                raise UsageError("the share of all bad rows is given twice", found=f"--bad {text}")
            spread = _share(number, text)
            continue
        kind = _kind(word, text, file_format)
        if kind in named:
            raise UsageError(f"the share of `{kind}` rows is given twice", found=f"--bad {text}")
        named[kind] = _share(number, text)
    if spread:
        others = [kind for kind in possible(file_format) if kind not in named]
        named |= {kind: spread / len(others) for kind in others} if others else {}
    return named


def _kind(word: str, text: str, file_format: Format) -> Bad:
    kinds = possible(file_format)
    if word in kinds:
        return Bad(word)
    if word in list(Bad):
        raise UsageError(
            f"a {file_format} file cannot hold `{word}` rows",
            found=f"--bad {text}",
            expected=", ".join(kinds),
        )
    raise UsageError(
        f"`{word}` is no kind of bad row",
        found=f"--bad {text}",
        expected=", ".join(kinds),
        hint=suggest(word, kinds),
    )


def _share(number: str, text: str) -> Decimal:
    try:
        share = Decimal(number.removesuffix("%")) / (100 if number.endswith("%") else 1)
    except InvalidOperation:
        share = Decimal(-1)
    if not (share.is_finite() and 0 <= share <= 1):
        raise UsageError(
            "a share of bad rows is a number from 0 to 1, or a percentage", found=f"--bad {text}"
        )
    return share


def file_name(index: int, file_format: Format) -> str:
    """The name of a file, such as `synthetic_data_0.jsonl`."""
    return f"{STEM}_{index}.{file_format}"


def latest(names: Iterable[str]) -> tuple[int, Format] | None:
    """The number and format of the last file among `names`; None if none of them is ours."""
    found = [
        (int(match[1]), Format(match[2]))
        for match in map(_NAME.fullmatch, names)
        if match and match[2] in list(Format)
    ]
    return max(found, default=None)
