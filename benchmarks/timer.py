"""Timer lateness: how late a 1 ms sleep ends while 100 pairs play ping-pong."""

from __future__ import annotations

from functools import partial
from statistics import median
from time import perf_counter

import trio

from benchmarks import pairs
from benchmarks.case import Case, Comparison, Contender, scaled
from benchmarks.pairs import Maker
from benchmarks.pingpong import ping, pong

PAIRS = 100
SLEEPS = 25
SLEEP_S = 0.001
FOREVER = 10**9


async def _lateness(maker: Maker, pair_count: int, sleeps: int) -> float:
    """Median microseconds past the due time."""
    late = []
    async with maker(pair_count) as ends, trio.open_nursery() as nursery:
        for near, far in ends:
            nursery.start_soon(pong, far, FOREVER)
            nursery.start_soon(ping, near, FOREVER)
        await trio.sleep(10 * SLEEP_S)
        for _ in range(sleeps):
            start = perf_counter()
            await trio.sleep(SLEEP_S)
            late.append(perf_counter() - start - SLEEP_S)
        nursery.cancel_scope.cancel()
    return median(late) * 1e6


def case(scale: float = 1.0) -> Case:
    """Real time, so embedded only."""
    pair_count, sleeps = scaled(PAIRS, scale), scaled(SLEEPS, scale)

    def contender(name: str, maker: Maker) -> Contender:
        return Contender(name, lambda: trio.run(_lateness, maker, pair_count, sleeps))

    strict, q32, real = "channels strict", "channels q32", "trio socketpairs"
    return Case(
        "timer",
        f"lateness of a 1 ms timer under {pair_count} busy pairs",
        "us",
        (
            contender(strict, partial(pairs.simulated_socketpairs, quantum=1)),
            contender(real, pairs.trio_socketpairs),
            contender(q32, partial(pairs.simulated_socketpairs, quantum=32)),
            contender("memory_stream_pair", pairs.memory_streams),
        ),
        (
            Comparison(strict, real, 4),
            Comparison(q32, real, 6),
            Comparison(strict, "memory_stream_pair"),
        ),
    )
