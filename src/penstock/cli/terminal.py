"""Where a command's words go: its answer to stdout, all else to stderr."""

from __future__ import annotations

import json as json_format
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import UnsupportedOperation
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from penstock.report.text import Line, Tone

_COLOURS = {"strong": "1", "faint": "2", "good": "32", "warn": "33", "bad": "31;1"}


class ReaderGoneError(Exception):
    """Whoever read our output stopped reading; nothing is wrong."""


class DeclinedError(Exception):
    """A person who was asked said no, or left."""


@dataclass(slots=True)
class Terminal:
    """The streams of one command, and how it was asked to speak.

    `redact` takes the secrets out of a text; it is set once a project is open.
    """

    out: TextIO
    err: TextIO
    inp: TextIO | None
    environ: Mapping[str, str]
    json: bool = False
    quiet: bool = False
    debug: bool = False
    redact: Callable[[str], str] = str

    def answer(
        self, document: Callable[[], object], lines: Callable[[], Iterable[Line]], *, data: bool = False
    ) -> None:
        """Print what the command was asked for: one JSON document, or lines for people.

        `data` is a user's own and is printed as it is; secrets are taken out of all else.
        """
        redact = str if data else self.redact
        if self.json:
            found = _redacted(document(), redact)
            self.out_text(json_format.dumps(found, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
        else:
            colour = self.colour(self.out)
            self.out_text("".join(redact(paint(text, colour=colour)) + "\n" for text in lines()))

    def say(self, lines: Iterable[Line]) -> None:
        """Print lines that are not the answer."""
        colour = self.colour(self.err)
        _write(self.err, "".join(self.redact(paint(text, colour=colour)) + "\n" for text in lines))

    def ask(self, question: str, default: str) -> str:
        """What a person answers; `default` for an empty line. Raises: DeclinedError at the end of input."""
        assert self.inp is not None, "ask only when `interactive`"
        _write(self.err, f"{question} [{default}]: ")
        answer = self.inp.readline()
        if not answer:
            raise DeclinedError
        return answer.strip() or default

    def confirm(self, question: str) -> None:
        """Go on only if a person says yes. Raises: DeclinedError."""
        if self.ask(f"{question} yes or", "no").lower() not in ("y", "yes"):
            raise DeclinedError

    def out_text(self, text: str) -> None:
        """Print text to stdout as it is."""
        _write(self.out, text)

    def colour(self, stream: TextIO) -> bool:
        """Whether to paint what goes to a stream. Source: no-color.org."""
        if self.environ.get("NO_COLOR") or self.environ.get("TERM") == "dumb":
            return False
        return stream.isatty() or bool(self.environ.get("FORCE_COLOR"))

    def width(self) -> int | None:
        """How many columns stdout has; None when it is not a terminal."""
        return shutil.get_terminal_size().columns if self.out.isatty() else None

    @property
    def follows(self) -> bool:
        """Whether anyone wants to hear of progress."""
        return not (self.json or self.quiet)

    @property
    def interactive(self) -> bool:
        """Whether there is a person who can be asked."""
        return self.inp is not None and self.inp.isatty() and self.err.isatty()


def _redacted(value: object, redact: Callable[[str], str]) -> object:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: _redacted(item, redact) for key, item in value.items()}
    if isinstance(value, list):
        return [_redacted(item, redact) for item in value]
    return value


def paint(text: Line, *, colour: bool) -> str:
    """The line as it is printed."""
    if not colour:
        return "".join(span.text for span in text).rstrip()
    return "".join(_painted(span.text, span.tone) for span in text).rstrip()


def _painted(text: str, tone: Tone) -> str:
    code = _COLOURS.get(tone)
    return f"\x1b[{code}m{text}\x1b[0m" if code and text.strip() else text


def _write(stream: TextIO, text: str) -> None:
    try:
        try:
            stream.write(text)
        except UnicodeEncodeError:
            stream.write(text.encode(stream.encoding, "backslashreplace").decode(stream.encoding))
        stream.flush()
    except BrokenPipeError:
        abandon(stream)
        raise ReaderGoneError from None


def abandon(stream: TextIO) -> None:
    """Send what is still buffered nowhere, so that closing the stream at exit cannot fail."""
    with suppress(OSError, UnsupportedOperation):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
