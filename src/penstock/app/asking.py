"""Producers that ask in another way, or stand in for one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from penstock.ports import Block, Checkpoint, Producer


@dataclass(frozen=True, slots=True)
class Anew:
    """A producer that is asked for everything, whatever it gave before."""

    producer: Producer

    def produce(self, state: str | None) -> Iterator[Block | Checkpoint]:
        """Everything that there is."""
        return self.producer.produce(self.producer.restart(state))

    def restart(self, state: str | None) -> str | None:
        """As the producer."""
        return self.producer.restart(state)


@dataclass(frozen=True, slots=True)
class Stating:
    """Makes no rows, and leaves a state (JSON text) behind."""

    state: str

    def produce(self, state: str | None) -> Iterator[Block | Checkpoint]:  # noqa: ARG002 - the port's
        """The state alone."""
        yield Checkpoint(self.state)

    def restart(self, state: str | None) -> str | None:
        """The state as it is."""
        return state
