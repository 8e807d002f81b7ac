"""Where words go and how they are painted."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping

import pytest

from penstock.cli.terminal import Terminal, paint
from penstock.report.text import bad, faint, line, strong


class Screen(io.StringIO):
    """Text that goes to a person."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environ", "stream", "coloured"),
    [
        ({}, Screen(), True),
        ({}, io.StringIO(), False),
        ({"NO_COLOR": "1"}, Screen(), False),
        ({"NO_COLOR": ""}, Screen(), True),
        ({"TERM": "dumb"}, Screen(), False),
        ({"FORCE_COLOR": "1"}, io.StringIO(), True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, Screen(), False),
    ],
)
def test_colour(environ: Mapping[str, str], stream: io.StringIO, coloured: bool) -> None:
    terminal = Terminal(stream, stream, io.StringIO(), environ)
    assert terminal.colour(stream) is coloured
    terminal.answer(dict, lambda: [line(bad("no"))])
    assert ("\x1b" in stream.getvalue()) is coloured


def test_paint() -> None:
    text = line(strong("a"), " ", faint("  "), "b  ")
    assert paint(text, colour=True) == "\x1b[1ma\x1b[0m   b"
    assert paint(text, colour=False) == "a   b"


def test_answers_go_out_and_the_rest_to_stderr() -> None:
    out, err = io.StringIO(), io.StringIO()
    terminal = Terminal(out, err, io.StringIO(), {})
    terminal.answer(lambda: {"a": 1}, lambda: [line("answer")])
    terminal.say([line("aside")])
    assert (out.getvalue(), err.getvalue()) == ("answer\n", "aside\n")


def test_json_is_redacted_word_by_word_and_data_is_not() -> None:
    out = io.StringIO()
    terminal = Terminal(out, io.StringIO(), io.StringIO(), {}, json=True)
    terminal.redact = lambda text: text.replace('p"w', "***")
    document = {"rows": [{"url": 'user:p"w@host', "n": 1}]}
    terminal.answer(lambda: document, list)
    assert json.loads(out.getvalue()) == {"rows": [{"url": "user:***@host", "n": 1}]}
    out.truncate(out.seek(0))
    terminal.answer(lambda: document, list, data=True)
    assert json.loads(out.getvalue()) == document


def test_what_the_encoding_lacks_is_escaped() -> None:
    raw = io.BytesIO()
    terminal = Terminal(io.TextIOWrapper(raw, "latin-1"), io.StringIO(), io.StringIO(), {})
    terminal.answer(dict, lambda: [line("é → \ud800")])
    assert raw.getvalue() == b"\xe9 \\u2192 \\ud800\n"


def test_a_log_is_not_a_person() -> None:
    assert not Terminal(Screen(), Screen(), io.StringIO(), {}).interactive
    assert Terminal(io.StringIO(), Screen(), Screen(), {}).interactive
    assert Terminal(io.StringIO(), Screen(), Screen(), {}).width() is None
    assert (Terminal(Screen(), Screen(), Screen(), {}).width() or 0) > 0
