"""The words for column types that dlt's users write, as types of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.errors import RefusedError, suggest
from penstock.schema import types as t
from penstock.schema.types import DataType, Decimal, Kind, Scalar, Timestamp, parse_type

_INTEGERS = {8: Kind.INT8, 16: Kind.INT16, 32: Kind.INT32, 64: Kind.INT64}
_PLAIN: dict[str, DataType] = {
    "text": t.TEXT, "double": t.FLOAT64, "bool": t.BOOL, "binary": t.BINARY, "json": t.JSON,
    "complex": t.JSON, "date": t.DATE, "time": t.TIME,
}  # fmt: skip
DATA_TYPES = (*sorted(_PLAIN), "bigint", "decimal", "timestamp", "wei")


def data_type(word: str, facts: Mapping[str, Any], where: str) -> DataType:  # Any: as users write them
    """The type that dlt's `word` and the `precision`, `scale` and `timezone` beside it mean.

    Units: `precision` counts bits of `bigint`, digits of `decimal` and of a timestamp's second. A
    word of ours, such as `int32` or `list<text>`, is taken as well.
    Raises: RefusedError for a word that names no type.
    """
    precision, scale = facts.get("precision"), facts.get("scale")
    if word in _PLAIN:
        return _PLAIN[word]
    if word == "bigint":
        return Scalar(_INTEGERS.get(precision or 64, Kind.INT64))
    if word == "timestamp":
        return Timestamp(facts.get("timezone") is not False, "ns" if (precision or 6) > 6 else "us")
    if word == "wei":
        return Decimal(t.MAX_PRECISION, scale or 0)
    if word == "decimal":
        return _decimal(precision, scale, where)
    try:
        return parse_type(word)
    except ValueError as error:
        raise RefusedError(
            f"`{word}` is no data type",
            where=where,
            found=str(error),
            expected=", ".join(DATA_TYPES),
            hint=suggest(word, DATA_TYPES),
        ) from error


def _decimal(precision: int | None, scale: int | None, where: str) -> DataType:
    digits = t.MAX_PRECISION if precision is None else precision
    after = (9 if precision is None else 0) if scale is None else scale
    if not 0 < digits <= t.MAX_PRECISION or not 0 <= after <= digits:
        raise RefusedError(
            f"decimal({digits},{after}) cannot be held",
            where=where,
            expected=f"up to {t.MAX_PRECISION} digits, no more of them after the point than in all",
        )
    return Decimal(digits, after)
