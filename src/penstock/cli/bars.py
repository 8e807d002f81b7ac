"""Progress bars, drawn by rich; imported when there is something to draw."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, SpinnerColumn, Task, TaskID, TextColumn
from rich.progress import Progress as Display
from rich.text import Text

from penstock.cli.terminal import Terminal
from penstock.report.facts import Event, FileDone, Notice, Phase, PhaseDone, PhaseStarted, Progress
from penstock.report.text import clean, counted, duration, size


class Bars:
    """One line a phase: a bar of its bytes, then files, rows and their rate. Not thread-safe."""

    def __init__(self, terminal: Terminal) -> None:
        console = Console(file=terminal.err, no_color=not terminal.colour(terminal.err), highlight=False)
        self.redact = terminal.redact
        self.display = Display(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            _Facts(),
            console=console,
            refresh_per_second=5,
        )
        self.tasks: dict[tuple[str, Phase], TaskID] = {}
        self.rows: dict[TaskID, int] = {}
        self.files: dict[TaskID, int] = {}
        self.display.start()

    def take(self, event: Event) -> None:
        """Draw what an event says."""
        match event:
            case PhaseStarted() if event.files:
                self._begin(event)
            case Progress() | FileDone() | PhaseDone():
                task = self.tasks.get((event.pipeline, event.phase))
                if task is not None:
                    self._advance(task, event)
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
            rows=0,
            files=0,
            of_files=event.files,
            seconds=None,
        )
        self.rows[task] = self.files[task] = 0

    def _advance(self, task: TaskID, event: Progress | FileDone | PhaseDone) -> None:
        match event:
            case Progress():
                self.rows[task] += event.rows
                self.display.update(task, advance=event.size_bytes, rows=self.rows[task])
            case FileDone():
                self.files[task] += 1
                self.display.update(task, files=self.files[task])
            case PhaseDone():
                total = next(t.total or t.completed or 1 for t in self.display.tasks if t.id == task)
                self.display.update(task, total=total, completed=total, seconds=event.seconds)


class _Facts(ProgressColumn):
    """Bytes, rows, time and rows a second of a phase."""

    def render(self, task: Task) -> Text:
        seconds = task.fields["seconds"]
        done = seconds is not None
        passed = seconds if done else task.elapsed or 0.0
        total = size(int(task.total or 0))
        facts = [
            total if done else f"{size(int(task.completed))} of {total}",
            counted(task.fields["of_files"], "file") if done else "",
            counted(task.fields["rows"], "row") if task.fields["rows"] else "",
            duration(passed),
        ]
        if task.fields["rows"] and passed > 0:
            facts.append(f"{round(task.fields['rows'] / passed):,} rows/s")
        return Text(", ".join(fact for fact in facts if fact), style="dim" if done else "")
