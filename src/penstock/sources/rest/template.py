"""What a table asks for, with the places that rows of its parent and its cursor fill in.

{resources.<table>.<field>}   a field of the parent's row
{incremental.start_value}     also last_value and end_value
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from penstock.errors import ProjectError, RefusedError, suggest
from penstock.project.rest import RestApiSpec, RestTableSpec
from penstock.sources.rest.question import Question, texts
from penstock.sources.rest.secrecy import is_secret_name

# Any throughout: parameters and bodies are what users write

PLACE = re.compile(r"\{([A-Za-z_]\w*)((?:\.[^{}.\s]+)+)\}")
CURSOR = ("start_value", "last_value", "end_value")
ROOTS = ("resources", "incremental")
_PATH_SAFE = "/:@!$&'()*+,;=~"


class Template:
    """The question of a table before its places are filled in. Raises: ProjectError."""

    def __init__(self, name: str, source: RestApiSpec, table: RestTableSpec) -> None:
        self.where = f"table `{name}` of the REST source"
        self._method, self._path, self._body = table.method, table.path, table.body
        self._params = {**source.params, **table.params}
        self._headers = {**source.headers, **table.headers}
        self.base = source.base_url
        self._cursor = table.incremental is not None
        self.places = frozenset(_places([self._path, self._params, self._headers, self._body]))
        for place in self.places:
            self._check(place)

    def _check(self, place: str) -> None:
        root, _, rest = place.partition(".")
        if root not in ROOTS:
            raise ProjectError(
                f"`{{{place}}}` cannot be filled in",
                where=self.where,
                expected="`{resources.<table>.<field>}` or `{incremental.start_value}`",
                hint=suggest(root, ROOTS),
            )
        if root == "incremental" and rest not in CURSOR:
            raise ProjectError(
                f"a cursor has no `{rest}`",
                where=self.where,
                expected=", ".join(CURSOR),
                hint=suggest(rest, CURSOR),
            )
        if root == "incremental" and not self._cursor:
            raise ProjectError(
                f"`{{{place}}}` needs a cursor",
                where=self.where,
                hint="say `incremental: {cursor_path: ...}` of the table",
            )
        if root == "resources" and "." not in rest:
            raise ProjectError(
                f"`{{{place}}}` names no field", where=self.where, expected="`{resources.<table>.<field>}`"
            )

    @property
    def parents(self) -> dict[str, set[str]]:
        """The fields that are needed of other tables' rows, by table."""
        found: dict[str, set[str]] = {}
        for place in self.places:
            root, _, rest = place.partition(".")
            if root == "resources":
                table, _, field = rest.partition(".")
                found.setdefault(table, set()).add(field)
        return found

    def fill(self, values: Mapping[str, bytes | None], private: frozenset[str]) -> Question:
        """The question. `values` are JSON texts by place; None: there is no value.

        Raises: RefusedError if a value is missing in the middle of a text.
        """
        path = self._text(self._path, values, quoted=True)
        params: list[tuple[str, str]] = []
        for name, value in self._params.items():
            filled = self._value(value, values)
            if filled is not None:
                params += [(name, text) for text in texts(_plain(filled))]
        headers = [(name, self._text(value, values)) for name, value in self._headers.items()]
        hidden = frozenset(n for n in self._params if is_secret_name(n)) | private
        return Question(
            self._method,
            self._url(path),
            tuple(params),
            tuple(headers),
            self._value(self._body, values) if self._body is not None else None,
            hidden,
        )

    def _url(self, path: str) -> str:
        """A path below the API's address; an address of its own stays what it is."""
        if path.startswith(("http://", "https://")) or not path:
            return path or self.base
        return f"{self.base.rstrip('/')}/{path.lstrip('/')}"

    def _value(self, value: Any, values: Mapping[str, bytes | None]) -> Any:
        """A value with its places filled in; a place alone keeps the type that its value has."""
        if isinstance(value, str):
            alone = PLACE.fullmatch(value)
            if alone is None:
                return self._text(value, values)
            found = values[alone[0][1:-1]]
            return None if found is None else msgspec.Raw(found)
        if isinstance(value, dict):
            return {key: self._value(inner, values) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self._value(inner, values) for inner in value]
        return value

    def _text(self, text: str, values: Mapping[str, bytes | None], quoted: bool = False) -> str:
        def fill(match: re.Match[str]) -> str:
            found = values[match[0][1:-1]]
            if found is None:
                raise RefusedError(
                    f"`{match[0]}` has no value yet",
                    where=self.where,
                    hint="give `incremental` an `initial_value`",
                )
            filled = plain_text(found)
            return quote(filled, safe=_PATH_SAFE) if quoted else filled

        return PLACE.sub(fill, text)


def plain_text(raw: bytes) -> str:
    """A JSON value as it stands in a URL: text without quotes, numbers exactly as they were."""
    if raw.startswith(b'"'):
        return msgspec.json.decode(raw, type=str)
    return raw.decode()


def _plain(value: Any) -> Any:
    return plain_text(bytes(value)) if isinstance(value, msgspec.Raw) else value


def _places(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        for match in PLACE.finditer(value):
            yield match[0][1:-1]
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _places(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _places(inner)
