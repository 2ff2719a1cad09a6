"""Calls on timerfd: a timer that is read and polled, shaped as in ``os``."""

from __future__ import annotations

import math
import operator
from typing import Final

from asyncipc.posix.arguments import file_of
from asyncipc.posix.constants import TFD_CLOEXEC
from asyncipc.runtime.clock import nanoseconds
from asyncipc.runtime.process import current
from asyncipc.runtime.syscall import call

__all__ = [
    "timerfd_create",
    "timerfd_gettime",
    "timerfd_gettime_ns",
    "timerfd_settime",
    "timerfd_settime_ns",
]

SECOND: Final = 1_000_000_000
TIME_T: Final = range(-(2**63), 2**63)
"""PyTime_t and ktime_t: nanoseconds."""


def timerfd_create(clockid: int, *, flags: int = TFD_CLOEXEC) -> int:
    """timerfd_create(2): a descriptor of a timer that is not armed.

    ``clockid``: CLOCK_MONOTONIC, CLOCK_BOOTTIME or CLOCK_REALTIME, which are
    one clock, the machine's.  TFD_NONBLOCK, TFD_CLOEXEC.  ``read`` of 8 bytes
    takes the number of expirations, and blocks while there are none.  EINVAL,
    EMFILE.  Not modelled: the CLOCK_*_ALARM clocks.
    """
    body = current()

    def make(clockid: int, flags: int) -> int:
        file = body.machine.timerfd_create(clockid, flags)
        return body.process.table.open(file, cloexec=bool(flags & TFD_CLOEXEC))[0].fd

    return call("timerfd_create", make, operator.index(clockid), operator.index(flags))


def timerfd_settime(
    fd: int, *, flags: int = 0, initial: float = 0.0, interval: float = 0.0
) -> tuple[float, float]:
    """timerfd_settime(2): expire in ``initial`` seconds, then every ``interval`` (0: once).

    ``initial`` 0 disarms.  TFD_TIMER_ABSTIME: it is a time of the simulation, whatever the
    host's clock shows.  Unread expirations are gone.  Returns what was left, and the former
    interval.  TFD_TIMER_CANCEL_ON_SET changes nothing, as that time is never set.  EBADF,
    EINVAL.  OverflowError: more nanoseconds than 64 bits hold.
    """
    value, period = timerfd_settime_ns(
        fd, flags=flags, initial=_in_ns(initial), interval=_in_ns(interval)
    )
    return value / SECOND, period / SECOND


def timerfd_settime_ns(
    fd: int, *, flags: int = 0, initial: int = 0, interval: int = 0
) -> tuple[int, int]:
    """timerfd_settime(2): ``timerfd_settime`` with times in nanoseconds."""

    def change(fd: int, flags: int, initial: int, interval: int) -> tuple[int, int]:
        return file_of(fd).settime(flags, initial, interval)

    initial, interval = operator.index(initial), operator.index(interval)
    if initial not in TIME_T or interval not in TIME_T:
        raise OverflowError("int too big to convert")
    return call(
        "timerfd_settime", change, operator.index(fd), operator.index(flags), initial, interval
    )


def timerfd_gettime(fd: int) -> tuple[float, float]:
    """timerfd_gettime(2): the seconds that are left (0: not armed), and the interval.

    EBADF; EINVAL for what is no timerfd.
    """
    left, interval = timerfd_gettime_ns(fd)
    return left / SECOND, interval / SECOND


def timerfd_gettime_ns(fd: int) -> tuple[int, int]:
    """timerfd_gettime(2): ``timerfd_gettime`` with times in nanoseconds."""
    return call("timerfd_gettime", lambda fd: file_of(fd).gettime(), operator.index(fd))


def _in_ns(seconds: float) -> int:
    """What is neither less nor more is no number at all."""
    if not TIME_T.start / SECOND < seconds < TIME_T.stop / SECOND:
        raise OverflowError("timestamp out of range for platform time_t")
    return nanoseconds(seconds) if seconds >= 0 else math.floor(seconds * SECOND)
