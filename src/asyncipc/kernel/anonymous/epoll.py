"""The epoll: epoll(7), a list of interests and those of them that may be ready.

Laws (fs/eventpoll.c):

* An entry is a number *and* the open file that it stood for.  It goes when the
  last holder of that file does, not with the number.
* The ready list is in the order in which the entries became ready.  What is
  reported leaves it; if it is level-triggered it goes to its end again, so
  those that found no place come first the next time.
* An event wakes one sleeper, the *last* to have come; a report that leaves
  something in the list wakes the next.  A sleeper looks by itself, in its own
  time: nobody bars what he was woken for.
* An epoll is readable while something in its list is ready, so it may be
  watched itself.

Asking costs what is in the ready list, not what is watched.
"""

from __future__ import annotations

import errno
from collections import OrderedDict
from collections.abc import Iterator
from typing import Final, final

from asyncipc.errors import fail
from asyncipc.kernel.anonymous import nesting
from asyncipc.kernel.anonymous.file import AnonymousFile
from asyncipc.kernel.anonymous.interest import (
    EPOLLET,
    EPOLLEXCLUSIVE,
    EPOLLONESHOT,
    EXCLUSIVE_MAY,
    Interest,
)
from asyncipc.kernel.epoll_wait import Report
from asyncipc.kernel.openfile import O_CLOEXEC, Home, OpenFile
from asyncipc.kernel.readiness import READABLE
from asyncipc.kernel.waitqueue import Waiter, WaitQueue, WouldBlock

EPOLL_CLOEXEC: Final = O_CLOEXEC
EPOLL_CTL_ADD: Final = 1
EPOLL_CTL_DEL: Final = 2
EPOLL_CTL_MOD: Final = 3


@final
class EpollFile(AnonymousFile):
    __slots__ = ("_entries", "_ready", "refusal", "sleepers")

    name = "eventpoll"

    def __init__(self, kernel: Home, flags: int) -> None:
        if flags & ~EPOLL_CLOEXEC:
            fail(errno.EINVAL)
        super().__init__(kernel, 0)
        self._entries: dict[tuple[int, OpenFile], Interest] = {}
        self._ready: OrderedDict[Interest, None] = OrderedDict()
        self.sleepers = Sleepers(self)
        self.refusal = WouldBlock(self.sleepers, self, READABLE)

    # -- the list of interests

    def control(self, operation: int, fd: int, file: OpenFile, events: int, data: int = 0) -> None:
        """epoll_ctl(2).  EPERM, EINVAL, EEXIST, ENOENT, ELOOP."""
        self._check(operation, file, events)
        entry = self._entries.get((fd, file))
        if operation == EPOLL_CTL_ADD:
            if entry is not None:
                fail(errno.EEXIST)
            entry = self._entries[fd, file] = Interest(self, fd, file, events, data)
            entry.begin()
        elif entry is None:
            fail(errno.ENOENT)
        elif operation == EPOLL_CTL_MOD:
            entry.modify(events, data)
        else:
            entry.end()
            self.forget(entry)
            return
        if entry.readiness():
            self.make_ready(entry)

    def _check(self, operation: int, file: OpenFile, events: int) -> None:
        file.demand_events()
        if file is self or operation not in (EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD):
            fail(errno.EINVAL)
        is_epoll = isinstance(file, EpollFile)
        if events & EPOLLEXCLUSIVE and operation != EPOLL_CTL_DEL:
            adds = operation == EPOLL_CTL_ADD
            if not adds or is_epoll or events & ~EXCLUSIVE_MAY:
                fail(errno.EINVAL)
        if isinstance(file, EpollFile) and operation == EPOLL_CTL_ADD:
            nesting.check(self, file)

    def forget(self, entry: Interest) -> None:
        """The entry watches no more."""
        self._entries.pop((entry.fd, entry.file), None)
        self._ready.pop(entry, None)

    def inner(self) -> list[EpollFile]:
        """The epolls that it watches."""
        return [file for _, file in self._entries if isinstance(file, EpollFile)]

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Interest]:
        """Its entries, in the order in which they were added."""
        return iter(tuple(self._entries.values()))

    def release(self) -> None:
        for entry in self:
            entry.end()
        self._entries.clear()
        self._ready.clear()

    # -- the ready list

    def make_ready(self, entry: Interest) -> None:
        """It may be ready: one sleeper looks, and so does whoever polls this epoll."""
        self._ready[entry] = None
        self.sleepers.wake_one()
        if self._read_queue is not None:
            self._read_queue.notify()

    @property
    def has_candidates(self) -> bool:
        return bool(self._ready)

    @property
    def is_awaited(self) -> bool:
        return self.sleepers.is_awaited

    def wait_events(self, most: int) -> list[Report] | WouldBlock:
        return self.take(most) or self.refusal

    def take(self, most: int) -> list[Report]:
        """What is ready, ``most`` entries at most, in the order in which they became so."""
        reports: list[Report] = []
        left = len(self._ready)
        while left and len(reports) < most:
            left -= 1
            entry, _ = self._ready.popitem(last=False)
            events = entry.readiness()
            if not events:
                continue
            reports.append((entry.data, events))
            if entry.events & EPOLLONESHOT:
                entry.disarm()
            elif not entry.events & EPOLLET:
                self._ready[entry] = None
        if self._ready:
            self.sleepers.wake_one()
        return reports

    def poll(self) -> int:
        """Readable while an entry is ready; those that are not leave the list."""
        while self._ready:
            entry = next(iter(self._ready))
            if entry.readiness():
                return READABLE
            del self._ready[entry]
        return 0

    def queues(self, mask: int) -> tuple[WaitQueue, ...]:
        """Who does not ask whether it is readable is told of nothing, and does not look."""
        return (self.read_queue(),) if mask & READABLE else ()

    def has_ended(self) -> bool:
        """It never has; to look at it, as ``poll`` does, would change the list."""
        return False

    def unread(self) -> int:
        """ep_eventpoll_ioctl(): EINVAL where others say ENOTTY."""
        fail(errno.EINVAL)

    def wakers(self, mask: int) -> tuple[object, ...]:
        return tuple(waker for entry in self for waker in entry.file.wakers(entry.events))


@final
class Sleepers:
    """The line in epoll_wait: the last to have come is woken first (__add_wait_queue_exclusive)."""

    __slots__ = ("_epoll", "_sleepers", "_turn", "barred")

    def __init__(self, epoll: EpollFile) -> None:
        self._epoll = epoll
        self._sleepers: dict[Waiter, None] = {}
        self._turn: Waiter | None = None
        self.barred = False

    @property
    def is_awaited(self) -> bool:
        """Does somebody sleep whom nobody has woken?"""
        return len(self._sleepers) > (self._turn is not None)

    def wake_one(self) -> None:
        """An event: unless one who was woken has yet to look, the last wakes."""
        if self._turn is None and self._sleepers:
            self._turn = next(reversed(self._sleepers))
            self._turn.wake()

    def join(self, waiter: Waiter) -> None:
        self._sleepers[waiter] = None

    def leave(self, waiter: Waiter) -> None:
        """Who was woken and leaves, served or cancelled, wakes the next if any are left."""
        self._sleepers.pop(waiter, None)
        if self._turn is waiter:
            self._turn = None
            if self._epoll.has_candidates:
                self.wake_one()

    def try_again(self, waiter: Waiter) -> None:
        if self._turn is None:
            self._turn = waiter

    def refused(self, waiter: Waiter) -> None:
        if self._turn is waiter:
            self._turn = None

    def __iter__(self) -> Iterator[Waiter]:
        return iter(tuple(self._sleepers))
