"""Every session, file and script in the documentation, done for real; `page` has the convention."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

import pytest
from page import ROOT, Command, PageError, Written, agrees, buckets, pages, steps
from ruamel.yaml import YAML
from shell import environment, play, write


@pytest.mark.parametrize("page", pages(), ids=str)
def test_page_is_true(page: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    text = (ROOT / page).read_text("utf-8")
    for name in buckets(text):
        _make_bucket(request.getfixturevalue("s3_endpoint"), name)
    (tmp_path / "home").mkdir()
    (tmp_path / "work").mkdir()
    said = play(list(steps(text)), tmp_path / "work", environment(tmp_path / "home"))
    wrong = [_complaint(page, *heard) for heard in said if not _as_stated(*heard)]
    assert not wrong, "\n\n".join(wrong)


def _as_stated(command: Command, printed: str, code: int) -> bool:
    return code == (command.exit_code or 0) and (command.output is None or agrees(command.output, printed))


def _complaint(page: Path, command: Command, printed: str, code: int) -> str:
    stated = "\n".join(command.output or ("(nothing is said)",))
    told = f"-- stated\n{stated}\n-- printed, exit code {code}\n{printed}"
    return f"{page}:{command.line}: $ {command.text}\n{told}"


def _make_bucket(endpoint: str, name: str) -> None:
    body = b"<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint>"
    request = urllib.request.Request(
        f"{endpoint}/{name}",
        data=body + b"</CreateBucketConfiguration>",
        headers={"Content-Type": "application/xml"},
        method="PUT",
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        opener.open(request, timeout=30).close()
    except urllib.error.HTTPError as error:
        error.close()
        assert error.code == 409, f"the bucket {name} could not be made"  # it is there already


# --------------------------------------------------------------------------- the convention itself

PAGE = """
```console
$ echo one
one
$ printf 'a  1\\nb  22\\n'
a  1
b  22
$ printf 'id    x\\n1234  y\\n'
id x
... y

$ false
$ echo $?
1
```

```yaml title="a.yml"
top: {x: 1, y: 2}
```

<!-- not run: only to be read -->
```console
$ exit 3
```

```yaml title="a.yml: top"
y: 3
```

```console
$ cat a.yml
...
...y: 3...
```
"""


def test_true_page_passes(tmp_path: Path) -> None:
    said = play(list(steps(PAGE)), tmp_path, environment(tmp_path))
    assert [command.text for command, _, _ in said][:2] == ["echo one", "printf 'a  1\\nb  22\\n'"]
    assert all(_as_stated(*heard) for heard in said)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("\none\n", "\ntwo\n"),
        ("\nb  22\n", "\nb 22\n"),
        ("... y", "... z"),
        ("id x", "idx"),
        ("$?\n1", "$?\n2"),
        ("$ false", "$ true"),
    ],
)
def test_untrue_page_fails(before: str, after: str, tmp_path: Path) -> None:
    assert PAGE.count(before) == 1
    said = play(list(steps(PAGE.replace(before, after))), tmp_path, environment(tmp_path))
    assert not all(_as_stated(*heard) for heard in said)


def test_fence_without_meaning_is_refused() -> None:
    with pytest.raises(PageError, match="line 1"):
        list(steps("```yaml\na: 1\n```\n"))
    with pytest.raises(PageError, match="line 2"):
        list(steps("```console\nno command\n```\n"))


def test_part_of_a_file_is_laid_over(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("one: {two: {x: 1, y: [1]}}\n")
    write(tmp_path, Written(1, "a.yml", "y: [2]\nz: 3\n", "one.two"))
    write(tmp_path, Written(1, "a.yml", "four: 4\n", "new"))
    found = YAML(typ="safe").load((tmp_path / "a.yml").read_text())
    assert found == {"one": {"two": {"x": 1, "y": [2], "z": 3}}, "new": {"four": 4}}
