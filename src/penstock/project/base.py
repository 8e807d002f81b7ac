"""What all models of the project file share: strict, frozen, and an empty value means the default."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from penstock.project import short, words


class Spec(BaseModel):
    """The root of all project values: frozen, and strict about unknown keys."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        hide_input_in_errors=True,
        defer_build=True,  # only what is validated is built: a start takes half as long
    )

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, data: Any) -> Any:  # Any: what a project file holds, not yet checked
        """Leave out keys without a value, except where having none is a choice of its own."""
        if not isinstance(data, dict) or None not in data.values():
            return data
        optional = {name for name, f in cls.model_fields.items() if f.default is None}
        optional |= {f.alias for f in cls.model_fields.values() if f.alias and f.default is None}
        return {k: v for k, v in data.items() if v is not None or k in optional or not known(cls, k)}


def known(model: type[BaseModel], key: str) -> bool:
    """Whether `key` is a field of `model`, by its name or its alias."""
    return key in model.model_fields or any(f.alias == key for f in model.model_fields.values())


Names = Annotated[tuple[str, ...], BeforeValidator(short.names, json_schema_input_type=str | tuple[str, ...])]
Place = Annotated[str, AfterValidator(words.place)]
Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]
