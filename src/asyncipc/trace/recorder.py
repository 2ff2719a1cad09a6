"""The recorder: all events of a run, in memory, to be asked and compared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

from asyncipc.events import Event, ProcessLife, SystemCall, Transit
from asyncipc.trace.digest import Digest, canonical


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
        (``born``, ``exited``, ...), ``wire`` or ``packet``.
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
        """What a :class:`~asyncipc.trace.digest.Digest` would say: SHA-256 of ``text()``."""
        digest = Digest()
        for event in self.events:
            digest(event)
        return digest.hexdigest()


def name_of(event: Event) -> str:
    """What happened, in one word."""
    if isinstance(event, SystemCall):
        return event.call
    if isinstance(event, ProcessLife):
        return event.change
    return "packet" if isinstance(event, Transit) else "wire"
