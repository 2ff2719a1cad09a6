"""The epoll of the operating system, epoll(7), over the numbers of native files.

An entry there is a number of the operating system and what it stands for; to a
program it is a number of its table.  Where two of these stand for one open
file, that is one number outside, so the second entry gets a duplicate of it.
"""

from __future__ import annotations

import errno
import os
from ctypes import create_string_buffer
from typing import TYPE_CHECKING, Final, final

from asyncipc.errors import fail
from asyncipc.kernel.anonymous.epoll import EPOLL_CTL_ADD, EPOLL_CTL_DEL
from asyncipc.kernel.openfile import Home, OpenFile
from asyncipc.kernel.readiness import READABLE
from asyncipc.kernel.waitqueue import Waiter, WouldBlock
from asyncipc.native import libc
from asyncipc.native.anonymous.file import NativeAnonymous
from asyncipc.native.descriptor import RealDescriptor
from asyncipc.native.line import DescriptorLine
from asyncipc.native.refusal import refuse

if TYPE_CHECKING:
    from asyncipc.kernel.epoll_wait import Report

EVENTS_AT_ONCE: Final = 4096
"""One call fetches so many reports at most, whatever the caller has room for."""
DATA: Final = range(-(2**63), 2**63)


@final
class EpollLine(DescriptorLine):
    """Who sleeps in epoll_wait: the last to have come is woken first, as outside."""

    __slots__ = ()

    def first(self) -> Waiter | None:
        return next(reversed(self._sleepers), None)

    def join(self, waiter: Waiter) -> None:
        """Who held the registration gives it up."""
        former = self.first()
        super().join(waiter)
        self.vain = 0
        if former is not None:
            former.wake()


@final
class NativeEpoll(NativeAnonymous):
    """``_entries``: of each file that was added here, its numbers, the program's and the
    operating system's.
    """

    __slots__ = ("_entries", "_line")

    def __init__(self, kernel: Home, number: int, flags: int) -> None:
        super().__init__(kernel, number, flags)
        self._entries: dict[OpenFile, dict[int, int]] = {}
        self._line = EpollLine(number, self, READABLE)

    # -- the list of interests

    def control(self, operation: int, fd: int, file: OpenFile, events: int, data: int = 0) -> None:
        """epoll_ctl(2).  OverflowError: ``data`` has 64 bits."""
        if data not in DATA:
            raise OverflowError("int too big to convert")
        number = self._number_of(operation, fd, file)
        event = libc.EPOLL_EVENT.pack(events, data)
        try:
            libc.epoll_ctl(self.number, operation, number, event)
        except OSError:
            if operation == EPOLL_CTL_ADD and fd not in self._entries.get(file, {}):
                _close_double(file, number)
            raise
        if operation == EPOLL_CTL_ADD:
            self._add(fd, file, number)
        elif operation == EPOLL_CTL_DEL:
            self._forget(fd, file)

    def _number_of(self, operation: int, fd: int, file: OpenFile) -> int:
        """What the entry is called outside, or is to be.

        One that another interpreter has made goes by the file's own number.
        """
        if not isinstance(file, RealDescriptor):
            file.demand_events()
            refuse("a signalfd in an epoll")
        numbers = self._entries.get(file, {})
        if fd in numbers:
            return numbers[fd]
        if file.number not in numbers.values():
            return file.number
        if operation != EPOLL_CTL_ADD:
            fail(errno.ENOENT)
        return os.dup(file.number)

    def _add(self, fd: int, file: OpenFile, number: int) -> None:
        if file not in self._entries:
            self._entries[file] = {}
            file.attached += (self,)
        self._entries[file][fd] = number

    def _forget(self, fd: int, file: OpenFile) -> None:
        numbers = self._entries.get(file, {})
        if fd in numbers:
            _close_double(file, numbers.pop(fd))
        if file in self._entries and not numbers:
            del self._entries[file]
            file.attached = tuple(each for each in file.attached if each is not self)

    def released(self, file: OpenFile) -> None:
        """Its last holder here is gone.  Outside its entries go when all others have closed it."""
        for number in self._entries.pop(file).values():
            _close_double(file, number)

    def state_changed(self) -> None:
        """The operating system tells it."""

    def release(self) -> None:
        for file, numbers in tuple(self._entries.items()):
            for fd in tuple(numbers):
                self._forget(fd, file)
        super().release()

    # -- its reports

    def wait_events(self, most: int) -> list[Report] | WouldBlock:
        """epoll_wait(2).  Nobody bars what he was woken for: whoever comes looks."""
        room = min(most, EVENTS_AT_ONCE)
        found = create_string_buffer(room * libc.EPOLL_EVENT.size)
        count = libc.epoll_wait(self.number, found, room, 0)
        if not count:
            return self._line.refusal
        told = memoryview(found)[: count * libc.EPOLL_EVENT.size]
        return [(data, events) for events, data in libc.EPOLL_EVENT.iter_unpack(told)]


def new_epoll(kernel: Home, flags: int) -> NativeEpoll:
    """epoll_create1(2)"""
    return NativeEpoll(kernel, libc.epoll_create1(flags), 0)


def _close_double(file: OpenFile, number: int) -> None:
    """A number that an entry alone has, not its file."""
    assert isinstance(file, RealDescriptor)
    if number != file.number:
        os.close(number)
