"""clock_gettime(2): what o'clock it is on this host."""

from __future__ import annotations

from asyncipc.posix.constants import CLOCK_REALTIME
from asyncipc.runtime.process import current
from asyncipc.runtime.syscall import call

__all__ = ["clock_gettime", "clock_gettime_ns", "time"]

SECOND = 1_000_000_000


def clock_gettime_ns(clock: int) -> int:
    """clock_gettime(2): ``clock`` in nanoseconds.

    CLOCK_REALTIME, which is 0 (1970) when a simulation begins, CLOCK_MONOTONIC or
    CLOCK_BOOTTIME, 0 when the host started; _RAW and _COARSE are as those.  A host's
    clock may be wrong (``host.clock``); what lasts by a time-out does not follow it.
    EINVAL for others.  Not modelled: the clocks of CPU time.
    """
    return call("clock_gettime", current().machine.clock_ns, clock)


def clock_gettime(clock: int) -> float:
    """clock_gettime(2): ``clock_gettime_ns`` in seconds."""
    return clock_gettime_ns(clock) / SECOND


def time() -> float:
    """time(2), to the nanosecond: seconds since 1970 by this host's clock."""
    return clock_gettime(CLOCK_REALTIME)
