"""A session whose answers a test chooses, and what a command leaves behind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

SECRET = "hunter2"


@dataclass(frozen=True)
class Outcome:
    """What a command left: exit code, stdout, stderr."""

    code: int
    out: str
    err: str


@dataclass
class ScriptedSession:
    """A session that answers what it was told to, or raises it, and remembers the questions."""

    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    closed: bool = False

    def __getattr__(self, name: str) -> Any:
        if name not in self.answers:
            raise AttributeError(name)

        def answer(*args: Any, **kwargs: Any) -> Any:
            self.asked.append((name, *(arg for arg in args if not callable(arg)), kwargs))
            found = self.answers[name]
            if isinstance(found, BaseException):
                raise found
            return found(*args, **kwargs) if callable(found) else found

        return answer

    def redact(self, text: str) -> str:
        return text.replace(SECRET, "***")

    def check(self) -> None:
        pass

    def model_status(self) -> tuple[Any, ...]:
        return ()

    def close(self) -> None:
        self.closed = True
