"""poll(2): which of several descriptors are ready.

It takes nothing, so whoever waits in it is a watcher of all the queues, and
every change wakes it to look again.  ERR, HUP and NVAL come unasked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from asyncipc.kernel.descriptors import DescriptorTable
from asyncipc.kernel.openfile import OpenFile
from asyncipc.kernel.readiness import NVAL, UNASKED
from asyncipc.kernel.waitqueue import WaitQueue, Watch, WouldBlock


@final
class Poll:
    """One call of poll(2): a verb that refuses until something is ready.

    ``requests``: pairs of descriptor and events.  Negative descriptors are
    skipped, closed ones answer NVAL.  The files are looked up once: a number
    that is closed during the call goes on standing for the file it stood for.
    """

    __slots__ = ("_files", "refusal")

    def __init__(self, table: DescriptorTable, requests: Sequence[tuple[int, int]]) -> None:
        self._files: list[tuple[int, OpenFile | None, int]] = []
        queues: list[WaitQueue] = []
        for fd, events in requests:
            entry = table.get(fd)
            file = None if entry is None else entry.file
            if fd >= 0:
                self._files.append((fd, file, events))
            if file is not None:
                queues += [queue for queue in file.queues(events) if queue not in queues]
        self.refusal = WouldBlock(Watch(tuple(queues)), self, 0)

    def __call__(self) -> list[tuple[int, int]] | WouldBlock:
        ready = self.ready()
        return ready or self.refusal

    def timed_out(self) -> list[tuple[int, int]]:
        """What it answers when its time is over."""
        return []

    def ready(self) -> list[tuple[int, int]]:
        """The ready ones, in the order of the requests."""
        found = []
        for fd, file, events in self._files:
            mask = NVAL if file is None else file.poll() & (events | UNASKED)
            if mask:
                found.append((fd, mask))
        return found

    def arguments(self) -> tuple[object, ...]:
        return (tuple((fd, events) for fd, _, events in self._files),)

    def hold(self) -> None:
        """The files stay open while the call lasts."""
        for file in self._open_files():
            file.hold()

    def drop(self) -> None:
        for file in self._open_files():
            file.drop()

    def _open_files(self) -> tuple[OpenFile, ...]:
        return tuple(file for _, file, _ in self._files if file is not None)

    def describe(self) -> str:
        return ", ".join(file.describe() for file in self._open_files()) or "nothing"

    def wakers(self, mask: int) -> tuple[object, ...]:
        return tuple(
            waker for _, file, events in self._files if file for waker in file.wakers(events)
        )
