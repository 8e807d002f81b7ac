"""The errors and the exit codes, from the error tree."""

from __future__ import annotations

import inspect

from penstock import errors
from penstock.cli.failure import STOPPED
from reference.markdown import code, fence, join, table

INTRO = """
# Errors and exit codes

Every error is one of three kinds, because there are three answers to "may I run it again?".
**Refused**: no, mend the input, the project or the contract first. **Outside**: yes, later. **Uncertain**:
the write may have happened, and the next run finds out. An error says what is wrong and, as far as it is
known, where, what was found, what was expected, and how to mend it.
"""
AFTER = """
A run of several pipelines returns the code of the worst. With `--json` an error is a document on standard
output too: `{"error": {"kind": ..., "what": ..., "where": ..., "found": ..., "expected": ..., "hint": ...,
"exit_code": ...}}`.
"""
_MEANING = {
    errors.ExitCode.DONE: "done; rows that were dropped or quarantined as the rules say are no error",
    errors.ExitCode.REFUSED: "refused: mend the input, the project or the contract",
    errors.ExitCode.USAGE: "the command line is wrong",
    errors.ExitCode.OUTSIDE: "disk, network, quota or a lock: run it again later",
    errors.ExitCode.UNCERTAIN: "the write may have happened: run again, and the ledger tells",
    errors.ExitCode.BUG: "a bug in Penstock",
}


def page() -> str:
    """The exit codes, the tree as the code draws it, and a line for every error."""
    doc = inspect.getdoc(errors) or ""
    tree = "\n".join(line for line in doc.split("\n") if line.startswith("    "))
    codes = [(code(str(int(c))), _MEANING[c]) for c in errors.ExitCode]
    codes.append((code(str(STOPPED)), "stopped with Ctrl-C; nothing is lost"))
    kinds = [
        (code(name), code(str(int(kind.exit_code))), inspect.getdoc(kind) or "")
        for name, kind in vars(errors).items()
        if isinstance(kind, type)
        and issubclass(kind, errors.PenstockError)
        and kind is not errors.PenstockError
    ]
    return join(
        INTRO,
        "## Exit codes",
        table(("code", "meaning"), codes),
        AFTER,
        "## The tree",
        fence(inspect.cleandoc(tree)),
        table(("error", "exit code", "meaning"), kinds),
    )
