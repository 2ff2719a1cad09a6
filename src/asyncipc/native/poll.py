"""poll(2) and select(2) over the operating system's files, the model's among them.

Asking is one poll(2).  Who sleeps in it takes nothing, so it stands in no line
of the files themselves, where it would bar who does, or hold the one
registration of a direction: it sleeps on an epoll of its own.
"""

from __future__ import annotations

import select
from collections.abc import Mapping
from typing import Final, final

from asyncipc.kernel.poll import Poll
from asyncipc.kernel.readiness import NVAL
from asyncipc.kernel.select import Select
from asyncipc.kernel.waitqueue import Line, Waitable, Waiter, WaitQueue
from asyncipc.native.descriptor import RealDescriptor
from asyncipc.native.line import VAIN_MAX, DescriptorLine

EVENTS: Final = 0xFFFF
"""struct pollfd has 16 bits for them."""


@final
class PollLine(DescriptorLine):
    """Where one call sleeps: on an epoll over ``numbers``, and at ``queues`` of the model.

    It is edge-triggered, and emptied before each look, so it tells of what is
    new: an event that is not meant, such as the hang-up of what select(2) wants
    to write to, wakes once and not for ever.  Where none can be made (no number
    is free, or the system has no epoll), the sleeper looks again by time.
    """

    __slots__ = ("_epoll", "_numbers", "_queues")

    def __init__(
        self, source: Waitable, numbers: Mapping[int, int], queues: tuple[WaitQueue, ...]
    ) -> None:
        super().__init__(-1, source, 0)
        self._numbers = numbers
        self._queues = queues
        self._epoll: select.epoll | None = None

    def _open(self) -> None:
        """Watch from now on; what is ready already is told at once."""
        self._epoll = epoll = select.epoll()
        self.number = epoll.fileno()
        for number, events in self._numbers.items():
            try:
                epoll.register(number, events | select.EPOLLET)
            except PermissionError:
                pass  # a regular file: it is ready, or never will be

    def _close(self) -> None:
        if self._epoll is not None:
            self._epoll.close()
            self._epoll, self.number = None, -1

    def empty(self) -> None:
        """Forget what it has told so far."""
        if self._epoll is not None:
            self._epoll.poll(0, len(self._numbers) + 1)

    def join(self, waiter: Waiter) -> None:
        """It can't fail: the sleeper is on its way."""
        try:
            self._open()
        except (AttributeError, OSError):
            self._close()
            self.vain = VAIN_MAX + 1
        super().join(waiter)
        for queue in self._queues:
            queue.watch(waiter)

    def leave(self, waiter: Waiter) -> None:
        super().leave(waiter)
        for queue in self._queues:
            queue.unwatch(waiter)
        self._close()

    def refused(self, waiter: Waiter) -> None:
        """What an epoll tells is new each time, so nobody need look by time."""
        self.vain = self.vain + 1 if self._epoll is None else 0


class NativePoll(Poll):
    """One call of poll(2)."""

    __slots__ = ()

    def line(self, asked: int) -> Line:
        numbers: dict[int, int] = {}
        queues: list[WaitQueue] = []
        for file, events in self._files:
            if isinstance(file, RealDescriptor):
                _ask(numbers, file.number, events)
            queues += [queue for queue in file.queues(events) if queue not in queues]
        return PollLine(self, numbers, tuple(queues))

    def masks(self) -> dict[int, int]:
        line = self.refusal.line
        assert isinstance(line, PollLine)
        line.empty()
        masks: dict[int, int] = {}
        numbers: dict[int, int] = {}
        asked: dict[int, int] = {}
        for fd, events in self._requests:
            entry = self._table.get(fd)
            if entry is None:
                masks[fd] = NVAL
            elif isinstance(entry.file, RealDescriptor):
                numbers[fd] = entry.file.number
                _ask(asked, entry.file.number, events)
            else:
                masks[fd] = entry.file.poll()
        told = _poll_now(asked)
        masks.update((fd, told.get(number, 0)) for fd, number in numbers.items())
        return masks


@final
class NativeSelect(NativePoll, Select):
    """One call of select(2)."""

    __slots__ = ()


def _ask(numbers: dict[int, int], number: int, events: int) -> None:
    """A number may be asked of twice: by two requests, or by two names of one open file."""
    numbers[number] = numbers.get(number, 0) | events & EVENTS


def _poll_now(asked: Mapping[int, int]) -> dict[int, int]:
    """poll(2) without waiting: those that are ready."""
    if not asked:
        return {}
    question = select.poll()
    for number, events in asked.items():
        question.register(number, events)
    return dict(question.poll(0))
