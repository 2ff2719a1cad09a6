"""The interest: one entry of an epoll's list, a watcher of one open file.

It is a watcher that stays.  Each notify of a queue that its events are about
puts it into the epoll's ready list (ep_poll_callback in fs/eventpoll.c), be it
there because of what is still ready or, edge-triggered, because of a new event
alone; what it really is ready for is looked at when somebody asks.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final, final

from asyncipc.errors import fail
from asyncipc.kernel.readiness import (
    ERR,
    HUP,
    IN,
    OUT,
    PRI,
    RDBAND,
    RDHUP,
    RDNORM,
    UNASKED,
    WRBAND,
    WRNORM,
)
from asyncipc.kernel.waitqueue import WaitQueue

if TYPE_CHECKING:
    from asyncipc.kernel.anonymous.epoll import EpollFile
    from asyncipc.kernel.openfile import OpenFile

EPOLLEXCLUSIVE: Final = 1 << 28
EPOLLWAKEUP: Final = 1 << 29
EPOLLONESHOT: Final = 1 << 30
EPOLLET: Final = 1 << 31
PRIVATE: Final = EPOLLEXCLUSIVE | EPOLLWAKEUP | EPOLLONESHOT | EPOLLET
"""Bits that say how to watch, not what (EP_PRIVATE_BITS)."""
EXCLUSIVE_MAY: Final = IN | OUT | UNASKED | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE
TO_READ: Final = IN | PRI | RDNORM | RDBAND | RDHUP
TO_WRITE: Final = OUT | WRNORM | WRBAND


def lines_of(file: OpenFile, events: int) -> tuple[WaitQueue, ...]:
    """The queues whose notify is an event that ``events`` asks for; hang-ups notify all."""
    lines = file.queues(IN | OUT)
    if len(lines) < 2 or (events & TO_READ and events & TO_WRITE):
        return lines
    return lines[1:] if events & TO_WRITE else lines[:1]


@final
class Interest:
    """``fd``: the number that the file was added as, which need not be its own any more.

    ``events``: EPOLLIN and its like, and how to watch; ``data``: what is reported.
    """

    __slots__ = ("_lines", "data", "epoll", "events", "fd", "file")

    def __init__(self, epoll: EpollFile, fd: int, file: OpenFile, events: int, data: int) -> None:
        self.epoll = epoll
        self.fd = fd
        self.file = file
        self.events = events | UNASKED
        self.data = data
        self._lines: tuple[WaitQueue, ...] = ()  # of a signalfd: those of who added it

    @property
    def is_exclusive(self) -> bool:
        return bool(self.events & EPOLLEXCLUSIVE)

    def begin(self) -> None:
        """Watch the file, and be told of its end."""
        self.file.attached += (self,)
        self._watch()

    def end(self) -> None:
        self._unwatch()
        self.file.attached = tuple(each for each in self.file.attached if each is not self)

    def modify(self, events: int, data: int) -> None:
        """EPOLL_CTL_MOD.  EINVAL for an exclusive one."""
        if self.is_exclusive:
            fail(errno.EINVAL)
        self.events, self.data = events | UNASKED, data
        if lines_of(self.file, events) != self._lines:
            self._unwatch()
            self._watch()

    def _watch(self) -> None:
        self._lines = lines_of(self.file, self.events)
        for queue in self._lines:
            if self.is_exclusive:
                crowd_of(queue).add(self)
            else:
                queue.watch(self)

    def _unwatch(self) -> None:
        for queue in self._lines:
            if self.is_exclusive:
                crowd_of(queue).remove(self)
            else:
                queue.unwatch(self)

    def disarm(self) -> None:
        """EPOLLONESHOT has reported: silent until EPOLL_CTL_MOD."""
        self.events &= PRIVATE

    def wake(self) -> None:
        """An event of the file."""
        if self.events & ~PRIVATE:
            self.epoll.make_ready(self)

    def readiness(self) -> int:
        """Which of its events there are now."""
        return self.file.poll() & self.events

    def released(self, file: OpenFile) -> None:
        """The last holder of the file is gone, and with it the entry (eventpoll_release)."""
        self._unwatch()
        self.epoll.forget(self)


@final
class Crowd:
    """The exclusive entries of one queue: an event stops at the first whose epoll somebody
    sleeps in, and what does not end, a hang-up, reaches all (EPOLLEXCLUSIVE in epoll_ctl(2)).
    """

    __slots__ = ("_entries", "_queue")

    def __init__(self, queue: WaitQueue) -> None:
        self._queue = queue
        self._entries: tuple[Interest, ...] = ()

    def add(self, entry: Interest) -> None:
        if not self._entries:
            self._queue.watch(self, last=True)
        self._entries += (entry,)

    def remove(self, entry: Interest) -> None:
        self._entries = tuple(each for each in self._entries if each is not entry)
        if not self._entries:
            self._queue.unwatch(self)

    def wake(self) -> None:
        for entry in self._entries:
            somebody = entry.epoll.is_awaited
            entry.wake()
            if somebody and not entry.file.poll() & (ERR | HUP | RDHUP):
                return


def crowd_of(queue: WaitQueue) -> Crowd:
    """The one that watches the queue, or a new one."""
    return next((each for each in queue if isinstance(each, Crowd)), None) or Crowd(queue)
