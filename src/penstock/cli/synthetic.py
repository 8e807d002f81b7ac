"""SQL that yields synthetic rows: the same rows for the same recipe, whatever the machine.

Every value of row `id` is cut out of two MD5 digests of `<seed>:<id>`, which no version of any
engine will ever compute differently. Which rows are bad follows from a permutation of the row
numbers, so that their counts are exact.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from hashlib import sha256

from penstock.cli.recipe import Bad, Format, Recipe

_FIRST = "Ana Ben Chloe David Eva Finn Grace Hugo Ida Jan Kaya Liam Mia Noah Olga Paul Quinn Rosa Sam Tara"
_LAST = "Smith Jones Brown Garcia Muller Rossi Novak Silva Kim Chen Patel Khan Lopez Dubois Jansen Berg"
_COUNTRIES = "US DE FR GB ES IT NL SE PL BR IN CN JP CA AU MX"
_CITIES = (
    "Berlin Paris London Madrid Rome Utrecht Lund Krakow Recife Pune Xian Osaka Toronto Perth Puebla Austin"
)
_TAGS = "new vip promo gift return eu us mobile web churn"
_START_US = 1_704_067_200_000_000  # 2024-01-01T00:00:00Z
_SECONDS_APART = 7

COLUMNS = (
    "id", "uuid", "name", "email", "created_at", "updated_at", "amount", "quantity", "is_active",
    "country", "address", "tags",
)  # fmt: skip


def copy_sql(recipe: Recipe, index: int, first_id: int, path: str) -> str:
    """The statement that writes file number `index`, whose first row has the id `first_id`."""
    options = {
        Format.PARQUET: "FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880",
        Format.JSONL: _lines(header=False, gzip=False),
        Format.JSONL_GZ: _lines(header=False, gzip=True),
        Format.CSV: _lines(header=True, gzip=False),
        Format.CSV_GZ: _lines(header=True, gzip=True),
    }[recipe.format]
    return f"COPY ({rows_sql(recipe, index, first_id)}) TO {_text(path)} ({options})"


def _lines(*, header: bool, gzip: bool) -> str:
    # One text column, a delimiter that no row holds and no quotes: the lines come out as they are.
    plain = "FORMAT csv, QUOTE '', ESCAPE '', DELIMITER '\x01'"
    return f"{plain}, HEADER {str(header).lower()}" + (", COMPRESSION gzip" if gzip else "")


def rows_sql(recipe: Recipe, index: int, first_id: int) -> str:
    """The query for the rows of one file, in the order of their ids.

    Shape: typed columns for parquet, otherwise one text column of whole lines.
    """
    bad = _Bad(recipe, index)
    fields = _fields(_draws(recipe, first_id, bad), bad, first_id)
    if recipe.format is Format.PARQUET:
        return _typed(fields, bad)
    if recipe.format in (Format.CSV, Format.CSV_GZ):
        return _csv(fields, bad)
    return _json(fields, bad)


def last_id_sql(path: str, file_format: Format) -> str:
    """The query for the highest id in a file that was generated earlier; bad lines are passed over."""
    if file_format is Format.PARQUET:
        return f"SELECT max(id) FROM read_parquet({_text(path)})"
    pattern = "^(\\d+)," if file_format in (Format.CSV, Format.CSV_GZ) else '^\\{"id":(\\d+),'
    source = (
        f"read_csv({_text(path)}, columns = {{'line': 'VARCHAR'}}, header = false, "
        "delim = '\x01', quote = '', escape = '', auto_detect = false)"
    )
    return f"SELECT max(TRY_CAST(regexp_extract(line, {_text(pattern)}, 1) AS BIGINT)) FROM {source}"


class _Bad:
    """Which rows of a file are bad.

    Row number `j` has the rank `(step * j + offset) % rows`; the ranks from 0 up are handed out to
    the kinds in turn, and the ranks after them are the good rows whose ids are duplicated.
    """

    def __init__(self, recipe: Recipe, index: int) -> None:
        self.rows = recipe.rows
        self.counts = recipe.counts()
        self.total = sum(self.counts.values())
        self.step = _coprime(round(recipe.rows * 0.6180339887), recipe.rows)
        seed = sha256(f"{recipe.seed}:{index}".encode()).digest()
        self.offset = int.from_bytes(seed[:8], "big") % max(recipe.rows, 1)

    def rank(self) -> str:
        """The rank of row `j`, or nothing when all rows are good."""
        return f", ({self.step} * j + {self.offset}) % {self.rows} AS rank" if self.total else ""

    def when(self, kind: Bad, value: str, otherwise: str) -> str:
        """`value` for the rows of a kind, `otherwise` for all others."""
        if kind not in self.counts:
            return otherwise
        start = self._start(kind)
        return (
            f"CASE WHEN rank BETWEEN {start} AND {start + self.counts[kind] - 1} "
            f"THEN {value} ELSE {otherwise} END"
        )

    def id(self, first_id: int) -> str:
        """The id of row `j`: of two rows that share one, both have that of the earlier."""
        if Bad.DUPLICATE not in self.counts:
            return "i"
        count, start = self.counts[Bad.DUPLICATE], self._start(Bad.DUPLICATE)
        back = pow(self.step, -1, self.rows) if self.rows > 1 else 0
        ahead, behind = self.rows - self.offset + count, self.rows - self.offset - count

        def twin(shift: int) -> str:
            return f"{first_id} + ({back} * ((rank + {shift}) % {self.rows})) % {self.rows}"

        return (
            f"CASE WHEN rank BETWEEN {start} AND {start + count - 1} THEN least(i, {twin(ahead)}) "
            f"WHEN rank BETWEEN {start + count} AND {start + 2 * count - 1} "
            f"THEN least(i, {twin(behind)}) ELSE i END"
        )

    def _start(self, kind: Bad) -> int:
        kinds = list(self.counts)
        return sum(self.counts[k] for k in kinds[: kinds.index(kind)])


def _coprime(near: int, rows: int) -> int:
    step = max(near, 1)
    while math.gcd(step, rows) != 1:
        step += 1
    return step


def _draws(recipe: Recipe, first_id: int, bad: _Bad) -> str:
    key = f"'{recipe.seed}:' || i"
    return (
        f"SELECT j, i, md5_number_lower({key}) AS a, md5_number_upper({key}) AS b, "
        f"md5('{recipe.seed}:uuid:' || i) AS u{bad.rank()} "
        f"FROM (SELECT j, {first_id} + j AS i FROM range({recipe.rows}) AS numbers(j))"
    )


def _fields(draws: str, bad: _Bad, first_id: int) -> str:
    a, b = _Digits("a"), _Digits("b")
    columns = {
        "id": bad.id(first_id),
        "uuid": "u[1:8] || '-' || u[9:12] || '-4' || u[14:16] || '-' || "
        f"'89ab'[1 + {a.draw(4)}] || u[18:20] || '-' || u[21:32]",
        "first": _pick(_FIRST, a.draw(20)),
        "last": _pick(_LAST, a.draw(16)),
        "i": "i",
        "created": f"{_START_US} + i * {_SECONDS_APART * 1_000_000} + {a.draw(1_000_000)}",
        "later": f"1000000::BIGINT * {a.draw(1_000_000)}",
        "amount": f"100 + {b.draw(499_901)}",
        "quantity": bad.when(Bad.RANGE, "-1", f"1 + {b.draw(99)}"),
        "active": f"{b.draw(10)} < 7",
        "place": f"1 + {b.draw(16)}",
        "street": f"1 + {b.draw(998)}",
        "postcode": f"10000 + {b.draw(89_999)}",
        "tags": a.draw(4),
        "tag": a.draw(10),
        "skip": f"1 + {a.draw(9)}",
        "hop": f"1 + {a.draw(8)}",
    }
    rank = ", rank" if bad.total else ""
    named = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
    return f"SELECT {named}{rank} FROM ({draws})"


class _Digits:
    """Successive draws from one 64-bit number, each from 0 to one less than its bound."""

    def __init__(self, number: str) -> None:
        self.number = number
        self.used = 1

    def draw(self, bound: int) -> str:
        rest = f"{self.number} // {self.used}" if self.used > 1 else self.number
        self.used *= bound
        assert self.used < 2**64, "more draws than the digest has digits"
        return f"({rest} % {bound})::INTEGER"


def _pick(words: str, index: str) -> str:
    return f"{_list(words.split())}[1 + {index}]"


def _list(values: Sequence[str]) -> str:
    return "[" + ", ".join(_text(value) for value in values) + "]"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


_MOMENT = "strftime(make_timestamp({}), '%Y-%m-%dT%H:%M:%S.%fZ')"
_NAME = "first || ' ' || last"
_MAILBOX = "lower(first) || '.' || lower(last) || i"
_MONEY = "(amount // 100) || '.' || lpad((amount % 100)::VARCHAR, 2, '0')"
# The second and third tag are found by stepping on from the first, so that no two are alike.
_TAG = tuple(
    f"{_list(_TAGS.split())}[1 + {at}]"
    for at in ("tag", "(tag + skip) % 10", "(tag + 1 + (skip - 1 + hop) % 9) % 10")
)


def _texts(bad: _Bad, quote: str, null: str) -> Mapping[str, str]:
    """Every column as text; `quote` stands around text inside JSON, `null` for no value."""
    q = quote
    tags = " ".join(
        f"WHEN {count} THEN '[{q}' || " + f" || '{q},{q}' || ".join(_TAG[:count]) + f" || '{q}]'"
        for count in (1, 2, 3)
    )
    mail = bad.when(Bad.PATTERN, f"{_MAILBOX} || ' at example.com'", f"{_MAILBOX} || '@example.com'")
    return {
        "id": "id",
        "uuid": "uuid",
        "name": bad.when(Bad.NULL, null, _NAME),
        "email": mail,
        "created_at": _MOMENT.format("created"),
        "updated_at": _MOMENT.format("created + later"),
        "amount": _MONEY,
        "quantity": "quantity",
        "is_active": "active",
        "country": bad.when(Bad.ENUM, "'ZZ'", f"{_list(_COUNTRIES.split())}[place]"),
        "address": f"'{{{q}street{q}:{q}' || street || ' ' || last || ' St{q},{q}city{q}:{q}' || "
        f"{_list(_CITIES.split())}[place] || '{q},{q}postcode{q}:{q}' || postcode || '{q}}}'",
        "tags": f"CASE tags {tags} ELSE '[]' END",
    }


def _json(fields: str, bad: _Bad) -> str:
    texts = dict(_texts(bad, '"', "NULL"))
    for name in ("uuid", "email", "created_at", "updated_at", "country"):
        texts[name] = f"'\"' || {texts[name]} || '\"'"
    texts["name"] = bad.when(Bad.NULL, "'null'", f"'\"' || {_NAME} || '\"'")
    texts["amount"] = bad.when(Bad.TYPE, "'\"12,50\"'", _MONEY)
    pairs = " || ',".join(f'"{name}":\' || {texts[name]}' for name in COLUMNS)
    line = f"SELECT '{{{pairs} || '}}' AS line{', rank' if bad.total else ''} FROM ({fields})"
    return f"SELECT {bad.when(Bad.MALFORMED, 'line[1:length(line) // 2]', 'line')} AS line FROM ({line})"


def _csv(fields: str, bad: _Bad) -> str:
    texts = dict(_texts(bad, '""', "''"))
    texts["amount"] = bad.when(Bad.TYPE, "'\"12,50\"'", _MONEY)
    for name in ("address", "tags"):
        texts[name] = f"'\"' || {texts[name]} || '\"'"
    whole, cut = (" || ',' || ".join(texts[name] for name in names) for names in (COLUMNS, COLUMNS[:4]))
    return f'SELECT {bad.when(Bad.MALFORMED, cut, whole)} AS "{",".join(COLUMNS)}" FROM ({fields})'


def _typed(fields: str, bad: _Bad) -> str:
    texts = _texts(bad, '"', "NULL")
    columns = {
        **texts,
        "id": "id::BIGINT",
        "created_at": "make_timestamp(created) AT TIME ZONE 'UTC'",
        "updated_at": "make_timestamp(created + later) AT TIME ZONE 'UTC'",
        "amount": "amount / 100",
        "quantity": "quantity::BIGINT",
        "address": "{'street': street || ' ' || last || ' St', "
        f"'city': {_list(_CITIES.split())}[place], 'postcode': postcode::VARCHAR}}",
        "tags": f"[{', '.join(_TAG)}][:tags]",
    }
    return "SELECT " + ", ".join(f"{columns[name]} AS {name}" for name in COLUMNS) + f" FROM ({fields})"
