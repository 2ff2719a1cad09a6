"""Calls that ask which descriptors are ready."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence

from asyncipc.kernel.select import FD_SETSIZE, Sets
from asyncipc.posix.arguments import until_ns
from asyncipc.runtime.process import current
from asyncipc.runtime.syscall import syscall

__all__ = [
    "poll",
    "select",
]


async def poll(
    requests: Sequence[tuple[int, int]], timeout_s: float | None = None
) -> list[tuple[int, int]]:
    """poll(2): which of ``(descriptor, events)`` are ready, as ``(descriptor, mask)``.

    In the order asked.  Blocks until one is, or for ``timeout_s`` seconds (0:
    not at all; None or negative: for ever), then [].  ERR, HUP and NVAL (not open) come
    unasked; negative descriptors are skipped.
    """
    pairs = [(operator.index(fd), operator.index(events)) for fd, events in requests]
    body = current()
    poll = body.machine.poll(body.process, pairs)
    _check_number(timeout_s)
    if timeout_s == 0:
        return await syscall("poll", None, lambda _: poll.ready(), pairs)
    if timeout_s is not None and timeout_s < 0:
        timeout_s = None
    return await syscall("poll", None, poll, until_ns=until_ns(timeout_s))


async def select(
    rlist: Sequence[int],
    wlist: Sequence[int],
    xlist: Sequence[int],
    timeout_s: float | None = None,
) -> Sets:
    """select(2): those of ``rlist`` that are readable (or hung up, or failed), of
    ``wlist`` that are writable (or failed), of ``xlist`` with urgent data.

    Each in its order.  Blocks until one is, or for ``timeout_s`` seconds (0:
    not at all; None: for ever), then three empty lists.  EBADF if any is not
    open; ValueError for numbers below 0 and from 1024 on, and for negative times.
    """
    sets = [[_in_a_set(fd) for fd in fds] for fds in (rlist, wlist, xlist)]
    body = current()
    select = body.machine.select(body.process, sets)
    _check_number(timeout_s)
    if timeout_s is not None and timeout_s < 0:
        raise ValueError("timeout_s must be non-negative")
    if timeout_s == 0:
        return await syscall("select", None, lambda *_: select.ready(), *sets)
    return await syscall("select", None, select, until_ns=until_ns(timeout_s))


def _in_a_set(fd: int) -> int:
    """What an fd_set has room for."""
    number = operator.index(fd)
    if number < 0:
        raise ValueError(f"file descriptor cannot be a negative integer ({number})")
    if number >= FD_SETSIZE:
        raise ValueError("filedescriptor out of range in select()")
    return number


def _check_number(timeout_s: float | None) -> None:
    if timeout_s is not None and math.isnan(timeout_s):
        raise ValueError("timeout_s is a time in seconds, not NaN")
