"""The recorder: all events of a run, in memory, to be asked and compared."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import final

from asyncipc.events import Event, Failure, ProcessLife, SystemCall


@final
class Recorder:
    """An observer that keeps every event, in order.

    ``asyncipc.run(main, observers=[recorder])``; two runs that did the same
    have the same ``digest()``, on every machine and in every process.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def __iter__(self) -> Iterator[Event]:
        return iter(self.events)

    def __len__(self) -> int:
        return len(self.events)

    def select(self, *, pid: int | None = None, call: str | None = None) -> list[Event]:
        """The events of one process, or of one kind, or both.

        ``call`` is a system call's name, or a change in a process's life
        (``born``, ``exited``, ...), or ``wire``.
        """
        return [
            event
            for event in self.events
            if pid in (None, event.pid) and call in (None, name_of(event))
        ]

    def text(self) -> str:
        """The record as text: one line per event, equal exactly if the records are."""
        return "".join(f"{canonical(event)}\n" for event in self.events)

    def digest(self) -> str:
        """SHA-256 of ``text()``, in hexadecimal digits."""
        return hashlib.sha256(self.text().encode()).hexdigest()


def name_of(event: Event) -> str:
    """What happened, in one word."""
    if isinstance(event, SystemCall):
        return event.call
    return event.change if isinstance(event, ProcessLife) else "wire"


def canonical(event: Event) -> str:
    """One event as text: its kind, then its fields in their order."""
    values = (getattr(event, name) for name in type(event).__slots__)
    return " ".join([type(event).__name__, *map(_canonical_value, values)])


def _canonical_value(value: object) -> str:
    # Enumerations of int print differently from one Python to the next.
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, tuple):
        return f"({','.join(map(_canonical_value, value))})"
    return value.name if isinstance(value, Failure) else repr(value)
