"""Calls on epoll: which of many descriptors are ready, at a cost that is not theirs."""

from __future__ import annotations

import math
import operator

from asyncipc.kernel.epoll_wait import EpollWait
from asyncipc.posix.arguments import file_of, until_ns
from asyncipc.posix.constants import EPOLL_CLOEXEC
from asyncipc.runtime.process import current
from asyncipc.runtime.syscall import call, syscall

__all__ = [
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
]


def epoll_create1(flags: int = EPOLL_CLOEXEC) -> int:
    """epoll_create1(2): a descriptor that watches others.  EINVAL for other flags, EMFILE."""
    body = current()

    def make(flags: int) -> int:
        file = body.machine.epoll_create1(flags)
        return body.process.table.open(file, cloexec=bool(flags & EPOLL_CLOEXEC))[0].fd

    return call("epoll_create1", make, operator.index(flags))


def epoll_ctl(epfd: int, operation: int, fd: int, events: int = 0, data: int | None = None) -> None:
    """epoll_ctl(2): EPOLL_CTL_ADD, _MOD or _DEL the entry of ``fd``.

    ``events``: EPOLLIN and its like, with EPOLLET (report new events only),
    EPOLLONESHOT (one report, then silence until _MOD), EPOLLEXCLUSIVE (of
    several epolls an event wakes one; EPOLLWAKEUP means nothing here).
    ``data``: what the reports say, by default ``fd``.  An entry belongs to the
    number and its open file, and goes with the latter.  Errors: EBADF, EEXIST,
    ENOENT, EINVAL, EPERM (what is always ready: a regular file), ELOOP (epolls
    in a cycle, or more than five deep).
    """
    table = current().process.table

    def change(epfd: int, operation: int, fd: int, events: int) -> None:
        epoll, file = table[epfd].file, table[fd].file
        told = fd if data is None else data
        epoll.control(operation, fd, file, events & 0xFFFFFFFF, told)

    numbers = operator.index(epfd), operator.index(operation), operator.index(fd)
    call("epoll_ctl", change, *numbers, operator.index(events))


async def epoll_wait(
    epfd: int, maxevents: int, timeout_s: float | None = None
) -> list[tuple[int, int]]:
    """epoll_wait(2): the ready ones as ``(data, events)``, in the order in which they became so.

    At most ``maxevents``: the next call goes on with the others.  Blocks until
    there is one, or for ``timeout_s`` seconds (0: not at all; None or negative:
    for ever), then [].  Of several sleepers an event wakes the last.  EINTR
    after any handler, and after a stop.  Cancelled it has taken no report.
    Errors: EBADF, EINVAL (no epoll; ``maxevents`` below 1).
    """
    fd, most = operator.index(epfd), operator.index(maxevents)
    if timeout_s is not None and math.isnan(timeout_s):
        raise ValueError("timeout_s is a time in seconds, not NaN")
    wait = EpollWait(file_of, fd, most)
    if timeout_s == 0:
        return await syscall("epoll_wait", None, lambda *_: wait.at_once(), fd, most)
    if timeout_s is not None and timeout_s < 0:
        timeout_s = None
    return await syscall("epoll_wait", None, wait, until_ns=until_ns(timeout_s))
