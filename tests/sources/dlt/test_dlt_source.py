"""Real resources and sources of dlt, run to the point where dlt would write what they yield."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pydantic
import pytest

pytest.importorskip("dlt", reason="dlt is not installed: pip install 'penstock[dlt]'")

import dlt
from dlt.extract.exceptions import ResourceExtractionError
from dlt_pieces import take

from penstock.errors import MissingPartError, NotFoundError, OutsideError, RefusedError
from penstock.schema.disposition import Disposition, WriteMode
from penstock.sources.dlt import dlt_source, is_dlt


@dlt.resource(name="numbers")
def numbers(count: int = 3) -> Iterator[dict[str, int]]:
    yield from ({"n": n} for n in range(count))


@dlt.transformer(data_from=numbers)
def squares(row: dict[str, int]) -> Iterator[dict[str, int]]:
    yield {"square": row["n"] ** 2}


@dlt.source
def arithmetic(count: int = 3) -> Any:
    return numbers(count), numbers(count) | squares


def test_a_resource() -> None:
    assert take(numbers).rows == {"numbers": [{"n": 0}, {"n": 1}, {"n": 2}]}
    assert take(numbers, arguments={"count": 1}).rows == {"numbers": [{"n": 0}]}
    assert take(numbers(2)).rows == {"numbers": [{"n": 0}, {"n": 1}]}


def test_a_source_and_its_transformer() -> None:
    found = take(arithmetic, arguments={"count": 2})
    assert found.rows == {"numbers": [{"n": 0}, {"n": 1}], "squares": [{"square": 0}, {"square": 1}]}


def test_a_source_can_be_asked_again() -> None:
    source = dlt_source(arithmetic())
    assert len(list(source.produce(None))) == len(list(source.produce(None))) == 3


def test_only_the_resources_that_were_asked_for() -> None:
    assert list(take(arithmetic, resources=["squares"]).rows) == ["squares"]
    with pytest.raises(NotFoundError) as caught:
        take(arithmetic, resources=["square"])
    assert caught.value.hint == "did you mean 'squares'?"


def test_arguments_for_what_takes_none_are_refused() -> None:
    with pytest.raises(RefusedError, match="takes none"):
        take(arithmetic(), arguments={"count": 2})


def test_other_things_that_dlt_runs() -> None:
    def both() -> list[Any]:
        return [numbers(1), arithmetic(1).with_resources("squares")]

    assert take(both).rows == {"numbers": [{"n": 0}], "squares": [{"square": 0}]}
    rows = [{"a": 1}, {"a": 2}]
    assert take(iter(rows), table_name="said").rows == {"said": rows}


def test_steps_filters_and_limits() -> None:
    resource = numbers(10).add_map(lambda row: {**row, "odd": row["n"] % 2 == 1})
    resource = resource.add_filter(lambda row: row["odd"]).add_yield_map(lambda row: iter([row, row]))
    assert [row["n"] for row in take(resource).rows["numbers"]] == [1, 1, 3, 3, 5, 5, 7, 7, 9, 9]
    assert len(take(numbers(10).add_limit(4)).rows["numbers"]) == 4


def test_parallelized_and_deferred() -> None:
    names: set[str] = set()

    @dlt.resource(parallelized=True)
    def slow() -> Iterator[int]:
        for n in range(20):
            names.add(threading.current_thread().name)
            yield n

    @dlt.transformer(data_from=numbers)
    @dlt.defer
    def later(row: dict[str, int]) -> dict[str, int]:
        names.add(threading.current_thread().name)
        return {"later": row["n"]}

    found = take([slow, later])
    assert sorted(row["value"] for row in found.rows["slow"]) == list(range(20))
    assert sorted(row["later"] for row in found.rows["later"]) == [0, 1, 2]
    assert threading.current_thread().name not in names


def test_asynchronous_generators() -> None:
    @dlt.resource
    async def awaited() -> Any:
        for n in range(3):
            yield {"n": n}

    assert take(awaited).rows == {"awaited": [{"n": 0}, {"n": 1}, {"n": 2}]}


def test_many_rows_come_in_blocks() -> None:
    found = take(numbers(10_000))
    assert [len(block.data) for block in found.blocks["numbers"]] == [4096, 4096, 1808]  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------ state


@dlt.resource
def issues(
    rows: list[dict[str, Any]],
    updated: Any = dlt.sources.incremental("updated", initial_value=datetime(2024, 1, 1, tzinfo=UTC)),  # noqa: B008
) -> Iterator[Any]:
    yield [row for row in rows if row["updated"] >= updated.last_value]


def day(number: int) -> datetime:
    return datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=number)


def test_a_cursor_goes_on_and_leaves_out_what_the_boundary_had() -> None:
    before = [{"id": n, "updated": day(n)} for n in range(3)]
    first = take(issues(before))
    assert first.rows["issues"] == before
    after = [*before, {"id": 3, "updated": day(2)}, {"id": 4, "updated": day(4)}]
    second = take(issues(after), first.state)
    assert [row["id"] for row in second.rows["issues"]] == [3, 4]
    assert take(issues(after), second.state).rows == {}
    assert [row["id"] for row in take(issues(after), first.state).rows["issues"]] == [3, 4], (
        "again from first"
    )


def test_a_backfill_keeps_no_state() -> None:
    rows = [{"id": n, "updated": day(n)} for n in range(5)]
    window = dlt.sources.incremental("updated", initial_value=day(1), end_value=day(3))
    found = take(issues(rows, updated=window))
    assert [row["id"] for row in found.rows["issues"]] == [1, 2]
    assert "last_value" not in (found.state or "")


def test_a_cursor_follows_the_interval_that_a_scheduler_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"id": n, "updated": day(n)} for n in range(5)]
    asked = dlt.sources.incremental[datetime]("updated", allow_external_schedulers=True)
    monkeypatch.setenv("PENSTOCK_INTERVAL_START", day(1).isoformat())
    monkeypatch.setenv("PENSTOCK_INTERVAL_END", day(3).isoformat())
    assert [row["id"] for row in take(issues(rows, updated=asked)).rows["issues"]] == [1, 2]


def test_a_resource_reads_the_cursor_of_another() -> None:
    @dlt.resource
    def report() -> Iterator[dict[str, Any]]:
        yield {"until": dlt.sources.incremental.from_existing_state("issues", "updated").last_value}

    @dlt.source
    def both() -> Any:
        return issues([{"id": 1, "updated": day(2)}]), report

    first = take(both())
    assert take(both().with_resources("report"), first.state).rows == {"report": [{"until": day(2)}]}


@pytest.mark.parametrize(("mode", "expected"), [("fifo", "aabb"), ("round_robin", "abab")])
def test_the_order_in_which_resources_are_asked(
    mode: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def pages(name: str) -> Any:
        def function() -> Iterator[Any]:
            for number in range(2):
                asked.append(name)
                yield [{"n": number}]

        return dlt.resource(function, name=name)

    @dlt.source
    def both() -> Any:
        return pages("a"), pages("b")

    monkeypatch.setenv("EXTRACT__NEXT_ITEM_MODE", mode)
    take(both())
    assert "".join(asked) == expected


def test_state_of_the_source_and_of_the_resource() -> None:
    @dlt.resource
    def counted() -> Iterator[dict[str, Any]]:
        own, shared = dlt.current.resource_state(), dlt.current.source_state()
        own["runs"] = own.get("runs", 0) + 1
        own.setdefault("since", datetime(2024, 1, 1, tzinfo=UTC))
        shared["shared"] = shared.get("shared", 0) + 10
        yield {"runs": own["runs"], "shared": shared["shared"], "since": own["since"]}

    @dlt.source
    def counting() -> Any:
        assert dlt.current.source_state().get("shared", 0) % 10 == 0
        return counted

    first = take(counting)
    second = take(counting, first.state)
    since = datetime(2024, 1, 1, tzinfo=UTC)
    assert second.rows == {"counted": [{"runs": 2, "shared": 20, "since": since}]}


def test_two_sources_in_turn_do_not_see_each_others_state() -> None:
    @dlt.resource
    def own(label: str) -> Iterator[dict[str, str]]:
        for _ in range(2):
            dlt.current.resource_state()["label"] = label
            yield from [{"label": dlt.current.resource_state()["label"]}] * 5000

    both = dlt_source(own("a")).produce(None), dlt_source(own("b")).produce(None)
    seen = [[block.data[0]["label"] for block in (next(pieces), next(pieces))] for pieces in both]  # type: ignore[union-attr, index]
    interleaved = [next(pieces) for _ in range(2) for pieces in both]
    assert seen == [["a", "a"], ["b", "b"]]
    assert '"label":"a"' in str(interleaved[-2])
    assert '"label":"b"' in str(interleaved[-1])


def test_replacing_forgets_the_state_and_empties_what_it_filled() -> None:
    rows = [{"id": 1, "updated": day(1)}]
    first = take(issues(rows), write="replace")
    assert first.hints["issues"].disposition.mode is WriteMode.REPLACE  # type: ignore[union-attr]
    second = take(issues(rows), first.state, write="replace")
    assert second.rows["issues"] == rows, "a replaced table is read as if for the first time"
    third = take(issues([]), second.state, write="replace")
    assert [len(block.data) for block in third.blocks["issues"]] == [0]  # type: ignore[arg-type]
    assert take(issues([]), write="replace").blocks == {}, "it has filled nothing"


def test_beginning_anew_keeps_what_others_have() -> None:
    def fed(name: str) -> Any:
        head = dlt.resource([{"n": 1}], name=f"{name}_head")
        head.apply_hints(incremental=dlt.sources.incremental("n"))
        return head | dlt.transformer(name=name)(lambda row: row)

    @dlt.source
    def pair() -> Any:
        dlt.current.source_state()["shared"] = 1
        return fed("one"), fed("two")

    @dlt.resource
    def own() -> Iterator[Any]:
        dlt.current.source_state()["shared"] = 1
        yield {"n": 1}

    first = take(pair)
    assert take(pair, first.state).rows == {}
    assert take(pair, dlt_source(pair).restart(first.state)).rows == first.rows
    anew = dlt_source(pair, resources=["one"]).restart(first.state)
    assert take(pair, anew).rows == {"one": [{"n": 1}]}
    assert dlt_source(pair).restart(None) is None
    state = take(own).state
    assert dlt_source(own).restart(state) == state, "what the source keeps is not a resource's"


# ------------------------------------------------------------------------------------------ tables


def test_dynamic_table_names_and_hints() -> None:
    rows = [{"kind": "a", "id": 1}, {"kind": "b", "id": 2}, {"kind": "a", "id": 3}]

    @dlt.resource(
        table_name=lambda row: f"events_{row['kind']}",
        primary_key=lambda row: "id" if row["kind"] == "a" else "kind",
        write_disposition="merge",
    )
    def events() -> Iterator[Any]:
        yield rows

    found = take(events)
    assert found.rows == {"events_a": [rows[0], rows[2]], "events_b": [rows[1]]}
    assert found.hints["events_a"].declared.primary_key == ("id",)
    assert found.hints["events_b"].declared.primary_key == ("kind",)


def test_marked_items_go_to_their_tables() -> None:
    @dlt.resource
    def mixed() -> Iterator[Any]:
        yield dlt.mark.with_table_name({"a": 1}, "left")
        yield dlt.mark.with_hints(
            {"b": 2},
            dlt.mark.make_hints(table_name="right", write_disposition="merge", primary_key="b"),
            create_table_variant=True,
        )
        yield {"c": 3}

    found = take(mixed)
    assert found.rows == {"left": [{"a": 1}], "right": [{"b": 2}], "mixed": [{"c": 3}]}
    assert found.hints["right"].declared.primary_key == ("b",)
    assert found.hints["mixed"].declared.primary_key == ()


def test_hints_that_are_given_win() -> None:
    own = dlt.resource([{"id": 1, "b": 2}], name="own", primary_key="b", write_disposition="append")
    found = take(
        own, table_name="said", write={"disposition": "merge", "strategy": "upsert"}, primary_key="id"
    )
    assert found.rows == {"said": [{"id": 1, "b": 2}]}
    assert found.hints["said"].disposition == Disposition(WriteMode.MERGE, ("id",))
    with pytest.raises(RefusedError) as caught:
        take(own, primary_keys="id")
    assert caught.value.hint == "did you mean 'primary_key'?"


def test_rows_that_are_to_be_skipped() -> None:
    assert take(numbers, write="skip").rows == {}


def test_arrow_pandas_and_polars_stay_columns() -> None:
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    table = pa.table({"a": [1, 2]})

    @dlt.resource
    def frames() -> Iterator[Any]:
        yield table
        yield table.to_batches()[0]
        yield pandas.DataFrame({"a": [1, 2]})
        yield [polars.DataFrame({"a": [1, 2]}), polars.LazyFrame({"a": [1, 2]})]

    found = take(frames)
    assert found.rows["frames"] == [{"a": 1}, {"a": 2}] * 5
    assert [type(block.data) for block in found.blocks["frames"]] == [
        pa.Table,
        pa.RecordBatch,
        *[pa.Table] * 3,
    ]


def test_a_cursor_over_arrow() -> None:
    @dlt.resource
    def table(n: Any = dlt.sources.incremental("n")) -> Iterator[pa.Table]:  # noqa: B008 - dlt's way
        yield pa.table({"n": [1, 2, 3]})

    first = take(table)
    assert take(table, first.state).rows.get("table", []) == []


def test_a_file_that_is_imported(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"a": 1}\n')

    @dlt.resource(columns={"a": {"data_type": "bigint"}})
    def imported() -> Iterator[Any]:
        yield dlt.mark.with_file_import(str(file), "jsonl")

    found = take(imported)
    [block] = found.blocks["imported"]
    assert block.data == file
    assert found.hints["imported"].declared.names == ("a",)


def test_an_empty_table_that_is_to_be_there() -> None:
    @dlt.resource(columns={"a": {"data_type": "bigint"}})
    def nothing() -> Iterator[Any]:
        yield dlt.mark.materialize_table_schema()

    assert take(nothing).rows == {"nothing": []}
    assert take(nothing).hints["nothing"].declared.names == ("a",)


# ---------------------------------------------------------------------------------------- failures


def test_what_the_code_raises_is_told_with_its_resource_and_line() -> None:
    @dlt.resource
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("no luck")

    with pytest.raises(RefusedError) as caught:
        take(broken)
    assert caught.value.what == "the resource `broken` of dlt failed"
    assert caught.value.found == "ValueError: no luck"
    assert str(caught.value.where).startswith(__file__)
    assert str(caught.value.where).endswith("in broken")
    assert isinstance(caught.value.__cause__, ResourceExtractionError)


class Word(pydantic.BaseModel):
    word: str

    @pydantic.field_validator("word")
    @classmethod
    def _known(cls, value: str) -> str:
        if value == "bad":
            raise ValueError("no such word")
        return value.upper()


def test_a_model_runs_under_the_contract_as_in_dlt() -> None:
    rows = [{"word": "bad", "key": "hush"}, {"word": "good", "key": "hush"}]
    with pytest.raises(RefusedError) as caught:
        take(dlt.resource(rows, name="words", columns=Word))
    found = "ValidationError: 1 validation error for Word; word: Value error, no such word"
    assert caught.value.found == found
    kept = take(dlt.resource(rows, name="words", columns=Word, schema_contract={"data_type": "discard_row"}))
    assert [row["word"] for row in kept.rows["words"]] == ["GOOD"]


def test_steps_and_functions_that_fail() -> None:
    step = numbers(1).add_map(lambda row: row["none"])
    with pytest.raises(RefusedError, match="`numbers` of dlt failed") as caught:
        take(step)
    assert caught.value.found == "KeyError: 'none'"

    def made() -> Any:
        raise OSError(28, "No space left on device")

    with pytest.raises(OutsideError, match="a source of dlt failed"):
        take(made)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("GET https://host/path?page=2&key=secret failed", "GET https://host/path?*** failed"),
        ("cannot reach postgresql://me:secret@host/db", "cannot reach postgresql://***@host/db"),
        ("is this all? no=yes", "is this all? no=yes"),
    ],
)
def test_secrets_in_addresses_are_not_told(text: str, told: str) -> None:
    def made() -> Any:
        raise ValueError(text)

    with pytest.raises(RefusedError) as caught:
        take(made)
    assert caught.value.found == f"ValueError: {told}"


def test_an_error_of_ours_keeps_its_kind() -> None:
    @dlt.resource
    def refusing() -> Iterator[int]:
        raise RefusedError("not this one")
        yield 1

    with pytest.raises(RefusedError, match="not this one"):
        take(refusing)


def test_dlt_is_asked_for_when_it_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    for module in [m for m in sys.modules if m == "dlt" or m.startswith(("dlt.", "penstock.sources.dlt."))]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "dlt", None)
    with pytest.raises(MissingPartError) as caught:
        dlt_source([1])
    assert caught.value.hint == "pip install 'penstock[dlt]'"


def test_what_is_dlts_own_is_told_apart() -> None:
    for thing in (numbers, numbers(), arithmetic, arithmetic(), [numbers], squares):
        assert is_dlt(thing)
    for thing in ([1], {}, iter([]), take, pa.table({"a": [1]})):
        assert not is_dlt(thing)
