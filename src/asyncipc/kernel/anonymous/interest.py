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
from asyncipc.kernel.readiness import IN, OUT, UNASKED
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
ANY: Final = ~PRIVATE


@final
class Interest:
    """``fd``: the number that the file was added as, which need not be its own any more.

    ``events``: EPOLLIN and its like, and how to watch; ``data``: what is reported.
    """

    __slots__ = ("_sides", "data", "epoll", "events", "fd", "file")

    def __init__(self, epoll: EpollFile, fd: int, file: OpenFile, events: int, data: int) -> None:
        self.epoll = epoll
        self.fd = fd
        self.file = file
        self.events = events | UNASKED
        self.data = data
        self._sides: list[tuple[WaitQueue | Crowd, Side]] = []

    @property
    def is_exclusive(self) -> bool:
        return bool(self.events & EPOLLEXCLUSIVE)

    def begin(self) -> None:
        """Watch the file, and be told of its end."""
        self.file.attached += (self,)
        for side in sides_of(self):
            line = crowd_of(side.queue) if self.is_exclusive else side.queue
            line.watch(side)
            self._sides.append((line, side))

    def end(self) -> None:
        self._unwatch()
        self.file.attached = tuple(each for each in self.file.attached if each is not self)

    def modify(self, events: int, data: int) -> None:
        """EPOLL_CTL_MOD.  EINVAL for an exclusive one.

        It watches where it did, and of a signalfd that is whoever added it:
        ep_modify() polls without a queue to join.
        """
        if self.is_exclusive:
            fail(errno.EINVAL)
        self.events, self.data = events | UNASKED, data

    def _unwatch(self) -> None:
        for line, side in self._sides:
            line.unwatch(side)

    def disarm(self) -> None:
        """EPOLLONESHOT has reported: silent until EPOLL_CTL_MOD."""
        self.events &= PRIVATE

    def wake(self) -> None:
        """An event of the file."""
        if self.events & ~PRIVATE:
            self.epoll.make_ready(self)

    def state_changed(self) -> None:
        """All hear that, whatever they ask for (sock_def_wakeup has no key); the exclusive
        ones, which are last, by their queue.
        """
        if not self.is_exclusive:
            self.wake()

    def readiness(self) -> int:
        """Which of its events there are now."""
        return self.file.poll() & self.events

    def released(self, file: OpenFile) -> None:
        """The last holder of the file is gone, and with it the entry (eventpoll_release)."""
        self._unwatch()
        self.epoll.forget(self)


@final
class Side:
    """An entry in one queue of its file, deaf to events that it does not ask for now.

    So it keeps its place whatever EPOLL_CTL_MOD changes.  ``about``: the events of
    which the queue tells.  ``tells_end``: it is the first to tell of what all ask for.
    """

    __slots__ = ("_about", "_tells_end", "entry", "queue")

    def __init__(self, entry: Interest, queue: WaitQueue, about: int, *, tells_end: bool) -> None:
        self.entry = entry
        self.queue = queue
        self._about = about
        self._tells_end = tells_end

    def hears(self) -> bool:
        """Is a notify of the queue an event for the entry (the key of ep_poll_callback)?"""
        entry = self.entry
        return bool(entry.events & self._about) or (self._tells_end and entry.file.has_ended())

    def wake(self) -> None:
        if self.hears():
            self.entry.wake()


def sides_of(entry: Interest) -> list[Side]:
    """One for each queue of the file.  A hang-up notifies all, and all hear the first."""
    file = entry.file
    first, *others = file.queues(IN | OUT)
    about = ANY
    if first is file._read_queue:
        about = file.read_key
    elif first is file._write_queue:
        about = file.write_key
    rest = [Side(entry, queue, file.write_key, tells_end=False) for queue in others]
    return [Side(entry, first, about, tells_end=True), *rest]


@final
class Crowd:
    """The exclusive entries of one queue: an event stops at the first whose epoll somebody
    sleeps in, and what does not end, a hang-up, reaches all (EPOLLEXCLUSIVE in epoll_ctl(2)).
    """

    __slots__ = ("_queue", "_sides")

    def __init__(self, queue: WaitQueue) -> None:
        self._queue = queue
        self._sides: tuple[Side, ...] = ()

    def watch(self, side: Side) -> None:
        if not self._sides:
            self._queue.watch(self, last=True)
        self._sides += (side,)

    def unwatch(self, side: Side) -> None:
        self._sides = tuple(each for each in self._sides if each is not side)
        if not self._sides:
            self._queue.unwatch(self)

    def wake(self) -> None:
        for side in self._sides:
            if side.hears():
                somebody = side.entry.epoll.is_awaited
                side.entry.wake()
                if somebody and not side.entry.file.has_ended():
                    return


def crowd_of(queue: WaitQueue) -> Crowd:
    """The one that watches the queue, or a new one."""
    return next((each for each in queue if isinstance(each, Crowd)), None) or Crowd(queue)
