"""Calls that ask which descriptors are ready."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence

from asyncipc.kernel.poll import Poll
from asyncipc.runtime.clock import nanoseconds
from asyncipc.runtime.process import current
from asyncipc.runtime.syscall import syscall


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
    poll = Poll(body.process.table, pairs)
    if timeout_s is not None and math.isnan(timeout_s):
        raise ValueError("timeout_s is a time in seconds, not NaN")
    if timeout_s == 0:
        return await syscall("poll", None, lambda _: poll.ready(), pairs)
    until_ns = None
    if timeout_s is not None and 0 < timeout_s != math.inf:
        until_ns = body.simulation.timers.now() + nanoseconds(timeout_s)
    return await syscall("poll", None, poll, until_ns=until_ns)
