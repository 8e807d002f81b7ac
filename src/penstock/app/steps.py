"""A run of blocks among which are commands: pipelines and programs one after the other, until one fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from penstock.app.blocks import Command, parts
from penstock.app.plugin_invoking import invoked
from penstock.app.plugins import Plugins
from penstock.project.loaded import LoadedProject
from penstock.report.facts import PipelineResult, RunResult, Status
from penstock.singer.definition import PluginKind


def has_commands(loaded: LoadedProject, words: Sequence[str]) -> bool:
    """Whether a utility of the project is among the blocks. Raises: as `blocks.with_pairs`."""
    return any(isinstance(part, Command) for part in parts(loaded, words))


def run_steps(
    loaded: LoadedProject, words: Sequence[str], run: Callable[[Sequence[str]], RunResult]
) -> RunResult:
    """Run blocks in order; `run` is given the words of pipelines that come together.

    A command that succeeds has no result of its own: it speaks for itself.
    """
    results: list[PipelineResult] = []
    for part in parts(loaded, words):
        if isinstance(part, Command):
            results += _run_command(Plugins(loaded), part)
        else:
            results += run(part).pipelines
        if any(result.exit_code for result in results):
            break
    return RunResult(tuple(results))


def _run_command(plugins: Plugins, command: Command) -> list[PipelineResult]:
    entry = plugins.entry(command.plugin, PluginKind.UTILITIES)
    code = invoked(plugins, entry, command.command, (), aside=True)
    what = f"`{command.name}` ended with exit code {code}"
    return [PipelineResult(command.name, Status.FAILED, error=what, exit_code=1)] if code else []
