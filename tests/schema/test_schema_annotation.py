"""What annotations tell of the values that they are for."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple

import pytest
from pydantic import AwareDatetime, BaseModel, Field

from penstock.errors import RefusedError
from penstock.schema import types as t
from penstock.schema.annotation import Reading, bounds, fields_of, is_known, told
from penstock.schema.types import INT64, JSON, NULL, TEXT, List, Struct, parse_type


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Pair(NamedTuple):
    one: int
    other: int


@dataclass
class Place:
    lat: float
    name: str | None = None


class Tree(BaseModel):
    id: int
    parts: list[Tree] = []


Short = Annotated[str, Field(max_length=3)]
Price = Annotated[Decimal, Field(max_digits=8, decimal_places=2)]


@pytest.mark.parametrize(
    ("kind", "type_", "nullable"),
    [
        (int, "int64", False),
        (int | None, "int64", True),
        (int | float, "float64", False),
        (int | Any, "null", True),
        (None, "null", True),
        (datetime, "null", False),
        (AwareDatetime, "timestamp_tz", False),
        (Decimal, "null", False),
        (Price, "decimal(8,2)", False),
        (list[int | None], "list<int64>", False),
        (Sequence[Price], "list<decimal(8,2)>", False),
        (tuple[int, ...], "list<int64>", False),
        (tuple[int, str], "json", False),
        (Mapping[str, int], "json", False),
        (Pair, "null", False),
        (Place, "struct<lat: float64, name: text>", False),
        (Literal["a", None], "text", True),
        (Colour, "text", False),
        (object, "null", False),
    ],
)
def test_types(kind: Any, type_: str, nullable: bool) -> None:
    said = told(kind)
    assert (said.type, said.nullable) == (parse_type(type_), nullable)


def test_values_and_marks_are_found_inside_of_an_optional() -> None:
    assert told(Colour | None).values == ("red", "blue")
    assert told(Literal[Colour.RED, None]).values == ("red",)
    assert bounds(told(Short | None).marks, TEXT) == {"max_length": 3}


def test_bounds_are_plain_and_whole_numbers_have_no_open_ones() -> None:
    marks = [Field(gt=1, lt=9).metadata, Field(ge=Decimal("0.5")).metadata]
    flat = [mark for some in marks for mark in some]
    assert bounds(flat[:2], INT64) == {"ge": 2, "le": 8}
    assert bounds(flat[:2], t.FLOAT64) == {"gt": 1, "lt": 9}
    assert bounds(flat[2:], t.FLOAT64) == {"ge": "0.5"}
    instant = datetime(2024, 1, 1, tzinfo=UTC)
    assert bounds(Field(le=instant.date()).metadata, t.DATE) == {"le": "2024-01-01"}


def test_a_class_that_holds_itself_has_no_type_inside() -> None:
    once = Struct((("id", INT64), ("parts", List(NULL))))
    assert told(Tree).type == once
    assert not is_known(once)
    assert told(list[Any], reading=Reading(anything=JSON)).type == List(JSON)


def test_fields_of_classes() -> None:
    assert [(f.name, f.required) for f in fields_of(Place)] == [("lat", True), ("name", False)]
    upper = Reading(lambda name, _: name.upper())
    assert [(f.name, f.required) for f in fields_of(Tree, upper)] == [("ID", True), ("PARTS", False)]


def test_a_name_that_is_nowhere_is_told() -> None:
    @dataclass
    class Broken:
        what: Nowhere  # type: ignore[name-defined]  # noqa: F821 - the test

    with pytest.raises(RefusedError, match="cannot be read"):
        list(fields_of(Broken))
