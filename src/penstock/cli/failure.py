"""How an error looks and which exit code it has."""

from __future__ import annotations

from penstock.cli.stopping import StoppedError
from penstock.cli.terminal import DeclinedError, ReaderGoneError, Terminal, abandon
from penstock.errors import ExitCode, PenstockError

STOPPED = 130  # 128 + SIGINT


def explain(error: BaseException, terminal: Terminal) -> int:
    """Say on stderr what went wrong, and as JSON on stdout if asked for; returns the exit code."""
    try:
        return _explain(error, terminal)
    except ReaderGoneError:
        return ExitCode.DONE


def _explain(error: BaseException, terminal: Terminal) -> int:
    if isinstance(error, ReaderGoneError):
        return ExitCode.DONE
    if isinstance(error, StoppedError):
        complain(terminal, error.words, word="")
        return 128 + error.number
    if isinstance(error, KeyboardInterrupt):
        complain(terminal, "stopped; nothing is lost: run again", word="")
        return STOPPED
    if isinstance(error, DeclinedError):
        complain(terminal, "left at your word; nothing was done", word="")
        return ExitCode.REFUSED
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else ExitCode.DONE
    if isinstance(error, PenstockError):
        _document(terminal, error)
        complain(terminal, str(error))
        if error.exit_code is ExitCode.BUG:
            _report(error, terminal)
        elif terminal.debug:
            _traceback(error, terminal)
        return error.exit_code
    return _from_typer(error, terminal)


def _from_typer(error: BaseException, terminal: Terminal) -> int:
    import typer

    if isinstance(error, typer.Exit):
        return error.exit_code
    # typer brings its own copy of click, or asks for one, by version; BadParameter leads to either.
    if isinstance(error, typer.BadParameter.__mro__[2]):
        complain(terminal, _usage(error))
        return ExitCode.USAGE
    if isinstance(error, BrokenPipeError) and _printing(error):
        abandon(terminal.out)
        return ExitCode.DONE
    complain(terminal, f"{type(error).__name__}: {error}")
    _report(error, terminal)
    return ExitCode.BUG


def _usage(error: BaseException) -> str:
    message = str(getattr(error, "format_message", lambda: error)()).strip().rstrip(".")
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "penstock"
    return f"{message[:1].lower()}{message[1:]}\n  hint: {command} --help shows what it takes"


def _printing(error: BaseException) -> bool:
    # Help is printed by typer; a pipe that breaks anywhere else is an error like any other.
    last = error.__traceback__
    while last and last.tb_next:
        last = last.tb_next
    return last is not None and "click" in last.tb_frame.f_globals.get("__name__", "")


def _report(error: BaseException, terminal: Terminal) -> None:
    if terminal.debug:
        _traceback(error, terminal)
        return
    hint = "this is a bug in Penstock; PENSTOCK_DEBUG=1 or --debug shows where: please report it"
    complain(terminal, hint, word="")


def _traceback(error: BaseException, terminal: Terminal) -> None:
    import traceback

    complain(terminal, "".join(traceback.format_exception(error)).rstrip(), word="")


def complain(terminal: Terminal, message: str, word: str = "error: ") -> None:
    """Print an error: `error: what`, and below it where, found, expected and hint."""
    from penstock.report.text import bad, faint, line

    first, *rest = message.split("\n")
    lines = [line(bad(word), first)]
    for text in rest:
        label, colon, value = text.partition(":")
        known = colon and label.strip() in ("where", "found", "expected", "hint")
        lines.append(line(faint(label + colon), value) if known else line(text))
    terminal.say(lines)


def _facts(error: PenstockError) -> dict[str, str | None]:
    texts = {name: getattr(error, name) for name in ("what", "where", "found", "expected", "hint")}
    return {"kind": type(error).__name__, **texts}


def _document(terminal: Terminal, error: PenstockError) -> None:
    if not terminal.json:
        return
    faults = [_facts(fault) for fault in getattr(error, "faults", ())]
    document = {"error": {**_facts(error), "exit_code": int(error.exit_code), "faults": faults}}
    terminal.answer(lambda: document, lambda: ())
