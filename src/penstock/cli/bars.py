"""Progress bars, drawn by rich; imported when there is something to draw."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, SpinnerColumn, Task, TaskID, TextColumn
from rich.progress import Progress as Display
from rich.table import Column
from rich.text import Text

from penstock.cli.terminal import Terminal
from penstock.report.facts import (
    Event,
    ModelDone,
    ModelResult,
    ModelStarted,
    ModelStatus,
    Notice,
    Phase,
    PhaseDone,
    PhaseStarted,
    Progress,
)
from penstock.report.text import clean, counted, duration, size

MODELS = "models"


class Bars:
    """One line a phase: a bar of its bytes, then rows and their rate. Not thread-safe."""

    def __init__(self, terminal: Terminal) -> None:
        console = Console(file=terminal.err, no_color=not terminal.colour(terminal.err), highlight=False)
        self.redact = terminal.redact
        self.display = Display(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=16),
            _Facts(),
            console=console,
            refresh_per_second=5,
        )
        self.tasks: dict[tuple[str, Phase], TaskID] = {}
        self.rows: dict[TaskID, int] = {}
        self.display.start()

    def take(self, event: Event) -> None:
        """Draw what an event says."""
        match event:
            case PhaseStarted() if event.files:
                self._begin(event)
            case Progress() | PhaseDone():
                task = self.tasks.get((event.pipeline, event.phase))
                if task is not None:
                    self._advance(task, event)
            case ModelStarted():
                self._begin_model(event)
            case ModelDone():
                self._end_model(event.result)
            case Notice():
                text = f"{event.pipeline}: {clean(event.message)}"
                self.display.console.print(Text(self.redact(text), style="yellow"), soft_wrap=True)

    def stop(self) -> None:
        """Draw the last state and leave the cursor below it."""
        self.display.stop()

    def _begin(self, event: PhaseStarted) -> None:
        self.tasks[event.pipeline, event.phase] = task = self.display.add_task(
            f"{event.pipeline} {event.phase}",
            total=event.size_bytes or None,
            size_bytes=event.size_bytes,
            rows=0,
            seconds=None,
        )
        self.rows[task] = 0

    def _begin_model(self, event: ModelStarted) -> None:
        key = (MODELS, Phase.BUILD)
        if key not in self.tasks:
            self.tasks[key] = self.display.add_task(
                f"{MODELS} {Phase.BUILD}", total=event.of, models=event.of, name="", seconds=None
            )
        self.display.update(self.tasks[key], name=event.model)

    def _end_model(self, result: ModelResult) -> None:
        task = self.tasks.get((MODELS, Phase.BUILD))
        if task is not None:
            self.display.update(task, advance=1)
        if result.status in (ModelStatus.REFUSED, ModelStatus.FAILED):
            text = (
                f"{result.model}: {result.status.value}: {clean((result.error or '').partition(chr(10))[0])}"
            )
            self.display.console.print(Text(self.redact(text), style="red"), soft_wrap=True)

    def _advance(self, task: TaskID, event: Progress | PhaseDone) -> None:
        match event:
            case Progress():
                self.rows[task] += event.rows
                self.display.update(task, advance=event.size_bytes, rows=self.rows[task])
            case PhaseDone():
                total = next(t.total or t.completed or 1 for t in self.display.tasks if t.id == task)
                self.display.update(task, total=total, completed=total, seconds=event.seconds)


class _Facts(ProgressColumn):
    """Bytes, rows, rows a second and time of a phase."""

    def __init__(self) -> None:
        super().__init__(Column(no_wrap=True, overflow="ellipsis"))

    def render(self, task: Task) -> Text:
        """The facts as one line."""
        if "models" in task.fields:
            return self._models(task)
        seconds, rows = task.fields["seconds"], task.fields["rows"]
        passed = (task.elapsed or 0.0) if seconds is None else seconds
        facts = [size(int(task.completed if seconds is None else task.fields["size_bytes"]))]
        if rows:
            facts.append(counted(rows, "row"))
        if rows and passed > 0:
            facts.append(f"{round(rows / passed):,}/s")
        facts.append(duration(passed))
        return self._said(facts, seconds)

    def _models(self, task: Task) -> Text:
        over = task.completed >= task.fields["models"]
        facts = [f"{int(task.completed):,} of {counted(task.fields['models'], 'model')}"]
        facts += [] if over else [task.fields["name"]]
        facts.append(duration(task.elapsed or 0.0))
        return self._said(facts, 1.0 if over else None)

    @staticmethod
    def _said(facts: list[str], seconds: float | None) -> Text:
        return Text(", ".join(facts), style="" if seconds is None else "dim")
