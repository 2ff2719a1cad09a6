"""poll(2): which of several descriptors are ready.

It takes nothing, so whoever waits in it is a watcher of all the queues, and
every change wakes it to look again.  ERR, HUP and NVAL come unasked.
"""

from __future__ import annotations

from collections.abc import Sequence

from asyncipc.kernel.descriptors import DescriptorTable
from asyncipc.kernel.openfile import OpenFile
from asyncipc.kernel.readiness import NVAL, UNASKED
from asyncipc.kernel.waitqueue import Line, WaitQueue, Watch, WouldBlock


class Poll:
    """One call of poll(2): a verb that refuses until something is ready.

    ``requests``: pairs of descriptor and events.  Negative descriptors are
    skipped, closed ones answer NVAL.  The call sleeps on, and holds, the files
    that the numbers stood for when it began; what is ready it asks of those
    that they stand for now, as do_poll does (fs/select.c).
    """

    __slots__ = ("_files", "_requests", "_table", "refusal")

    restarts = False
    """A handled signal ends it with EINTR, SA_RESTART or not (signal(7))."""

    def __init__(self, table: DescriptorTable, requests: Sequence[tuple[int, int]]) -> None:
        self._table = table
        self._requests = [request for request in requests if request[0] >= 0]
        self._files: list[tuple[OpenFile, int]] = []
        asked = 0
        for fd, events in self._requests:
            entry = table.get(fd)
            asked |= events
            if entry is not None:
                self._files.append((entry.file, events))
        self.refusal = WouldBlock(self.line(asked), self, asked)

    def line(self, asked: int) -> Line:
        """What the call sleeps on, for any of the events ``asked``."""
        queues: list[WaitQueue] = []
        for file, events in self._files:
            queues += [queue for queue in file.queues(events) if queue not in queues]
        return Watch(tuple(queues))

    def __call__(self) -> list[tuple[int, int]] | WouldBlock:
        return self.ready() or self.refusal

    def timed_out(self) -> list[tuple[int, int]]:
        """What it answers when its time is over."""
        return []

    def ready(self) -> list[tuple[int, int]]:
        """The ready ones, in the order of the requests."""
        masks = self.masks()
        found = []
        for fd, events in self._requests:
            mask = masks[fd] & (events | UNASKED | NVAL)
            if mask:
                found.append((fd, mask))
        return found

    def masks(self) -> dict[int, int]:
        """The readiness of each, now."""
        return {fd: self.readiness(fd) for fd, _ in self._requests}

    def readiness(self, fd: int) -> int:
        """What the number stands for says now; NVAL for nothing."""
        entry = self._table.get(fd)
        return NVAL if entry is None else entry.file.poll()

    def arguments(self) -> tuple[object, ...]:
        return (tuple(self._requests),)

    def hold(self) -> None:
        """The files stay open while the call sleeps."""
        for file, _ in self._files:
            file.hold()

    def drop(self) -> None:
        for file, _ in self._files:
            file.drop()

    def describe(self) -> str:
        return ", ".join(file.describe() for file, _ in self._files) or "nothing"

    def wakers(self, mask: int) -> tuple[object, ...]:
        return tuple(waker for file, events in self._files for waker in file.wakers(events))
