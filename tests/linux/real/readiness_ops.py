"""Operations that ask or wait for readiness: poll, select, epoll."""
# ruff: noqa: A002 (the op language names the keywords)

from __future__ import annotations

import ctypes
import select as select_module
from collections.abc import Mapping, Sequence
from select import EPOLL_CLOEXEC, POLLIN, POLLOUT, POLLPRI, POLLRDHUP
from typing import Final

from tests.linux.oplang import Fd, Holders, Mask, Value
from tests.linux.real.descriptor_ops import Operation
from tests.linux.real.libc import INT, LONG, POINTER, function

DEFAULT_EVENTS: Final = POLLIN | POLLPRI | POLLOUT | POLLRDHUP
ENTRIES_MAX: Final = 64
SYS_ENTRIES_MAX: Final = 8


class PollFd(ctypes.Structure):
    _fields_ = (("fd", INT), ("events", ctypes.c_short), ("revents", ctypes.c_short))


class EpollEvent(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("events", ctypes.c_uint32), ("data", ctypes.c_uint64))


_poll: Final = function("poll", POINTER, ctypes.c_ulong, INT)
_select: Final = function("select", INT, POINTER, POINTER, POINTER, POINTER)
_epoll_create1: Final = function("epoll_create1", INT)
_epoll_ctl: Final = function("epoll_ctl", INT, INT, INT, POINTER)
_epoll_wait: Final = function("epoll_wait", INT, POINTER, INT, INT)


def poll(fd: int, events: int = DEFAULT_EVENTS) -> Value:
    poller = select_module.poll()
    poller.register(fd, events)
    ready = poller.poll(0)
    return Mask(ready[0][1] if ready else 0)


def pollall(
    asked: Sequence[int | list[int]], timeout: int | None = 0, events: int = DEFAULT_EVENTS
) -> Value:
    """``select.poll``: a descriptor that is named twice is asked once, by the later."""
    poller = select_module.poll()
    for item in asked:
        fd, mask = item if isinstance(item, list) else (item, events)
        poller.register(fd, mask)
    return [[Holders([fd]), Mask(mask)] for fd, mask in poller.poll(timeout)]


def rawpoll_negative() -> Value:
    asked = PollFd(-1, POLLIN, 99)
    return [int(_poll(ctypes.byref(asked), 1, 0)), asked.revents]


def sys_poll(fd: int, timeout: int, events: int = DEFAULT_EVENTS) -> Value:
    asked = PollFd(fd, events, 0)
    count = _poll(ctypes.byref(asked), 1, timeout)
    return [int(count), Mask(asked.revents & 0xFFFF)]


def select(
    readers: list[int], writers: list[int], others: list[int], timeout: float | None = 0
) -> Value:
    return [Holders(fds) for fds in select_module.select(readers, writers, others, timeout)]


def sys_select(fd: int, timeout: int) -> Value:
    bits = (ctypes.c_ulong * 16)()
    bits[fd // 64] = 1 << fd % 64
    limit = (LONG * 2)(timeout // 1000, timeout % 1000 * 1000)
    return int(_select(fd + 1, bits, None, None, limit))


def epoll(flags: int = EPOLL_CLOEXEC) -> Value:
    return Fd(_epoll_create1(flags))


def epoll_ctl(epoll: int, operation: int, fd: int, events: int = 0) -> None:
    _epoll_ctl(epoll, operation, fd, ctypes.byref(EpollEvent(events, fd)))


def epoll_wait(epoll: int, timeout: int = 0, max: int = ENTRIES_MAX) -> Value:
    ready = (EpollEvent * (max if max > 0 else 1))()
    count = _epoll_wait(epoll, ready, max, timeout)
    return [[Holders([entry.data]), Mask(entry.events)] for entry in ready[:count]]


def sys_epoll_wait(epoll: int, ms: int) -> Value:
    return int(_epoll_wait(epoll, (EpollEvent * SYS_ENTRIES_MAX)(), SYS_ENTRIES_MAX, ms))


OPERATIONS: Final[Mapping[str, Operation]] = {
    "epoll": epoll,
    "epoll_ctl": epoll_ctl,
    "epoll_wait": epoll_wait,
    "poll": poll,
    "pollall": pollall,
    "rawpoll_negative": rawpoll_negative,
    "select": select,
    "sys_epoll_wait": sys_epoll_wait,
    "sys_poll": sys_poll,
    "sys_select": sys_select,
}
