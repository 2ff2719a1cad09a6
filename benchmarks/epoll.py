"""epoll: one of many watched descriptors becomes ready, and is waited for.

The cost of a wake-up must not depend on how many are watched.  The same few are
woken in turn however many there are, spread over all, so that it is epoll that is
measured and not the processor's cache.
"""

from __future__ import annotations

from functools import partial
from time import process_time

import asyncipc
from asyncipc import posix
from benchmarks.case import Case, Comparison, Contender, scaled
from benchmarks.pairs import raise_limit

WAKES = 2000
WOKEN = 50


async def _simulated(watched: int, wakes: int) -> float:
    """Microseconds per wake-up: a write to one, epoll_wait, and the read."""
    raise_limit(watched)
    epoll = posix.epoll_create1()
    counters = [posix.eventfd(0) for _ in range(watched)]
    for fd in counters:
        posix.epoll_ctl(epoll, posix.EPOLL_CTL_ADD, fd, posix.EPOLLIN)
    awake = counters[:: max(1, watched // WOKEN)]
    start = process_time()
    for wake in range(wakes):
        chosen = awake[wake % len(awake)]
        await posix.eventfd_write(chosen, 1)
        ((ready, _events),) = await posix.epoll_wait(epoll, 10)
        assert ready == chosen
        await posix.eventfd_read(ready)
    return (process_time() - start) / wakes * 1e6


def case(scale: float = 1.0) -> Case:
    """Among 100, 1,000 and 10,000."""
    wakes = scaled(WAKES, scale)
    few, some, many = (scaled(count, scale) for count in (100, 1000, 10_000))

    def among(count: int) -> Contender:
        measure = partial(asyncipc.run, _simulated, count, wakes)
        return Contender(f"among {count:,}", measure)

    names = [f"among {count:,}" for count in (few, some, many)]
    return Case(
        "epoll",
        "a wake-up of one among many watched descriptors",
        "us",
        (among(few), among(some), among(many)),
        (Comparison(names[2], names[0], 0.8), Comparison(names[1], names[0], 0.8)),
    )
