"""Busy connections: 1,000 echo connections at once, all of them talking."""

from __future__ import annotations

import asyncio
from functools import partial
from time import process_time

import trio

from benchmarks import pairs
from benchmarks.case import Case, Comparison, Contender, scaled
from benchmarks.pairs import Maker
from benchmarks.pingpong import ping, pong

CONNECTIONS = 1000
ROUND_TRIPS = 5


async def _on_trio(maker: Maker, count: int) -> float:
    """Microseconds per round trip."""
    async with maker(count) as ends:
        start = process_time()
        async with trio.open_nursery() as nursery:
            for near, far in ends:
                nursery.start_soon(pong, far, ROUND_TRIPS)
                nursery.start_soon(ping, near, ROUND_TRIPS)
        return (process_time() - start) / (count * ROUND_TRIPS) * 1e6


async def _on_asyncio(maker: Maker, count: int) -> float:
    async with maker(count) as ends:
        start = process_time()
        async with asyncio.TaskGroup() as group:
            for near, far in ends:
                group.create_task(pong(far, ROUND_TRIPS))
                group.create_task(ping(near, ROUND_TRIPS))
        return (process_time() - start) / (count * ROUND_TRIPS) * 1e6


def case(scale: float = 1.0) -> Case:
    """No bar; real sockets need twice as many descriptors as there are connections."""
    count = scaled(CONNECTIONS, scale)
    strict, q32, real, streams = "channels strict", "channels q32", "trio socketpairs", "asyncio"
    memory = "memory_stream_pair"

    def on_trio(name: str, maker: Maker) -> Contender:
        return Contender(name, lambda: trio.run(_on_trio, maker, count))

    return Case(
        "busy",
        f"{CONNECTIONS:,} busy connections, per round trip",
        "us",
        (
            on_trio(strict, partial(pairs.simulated_socketpairs, quantum=1)),
            on_trio(real, pairs.trio_socketpairs),
            on_trio(q32, partial(pairs.simulated_socketpairs, quantum=32)),
            on_trio(memory, pairs.memory_streams),
            Contender(streams, lambda: asyncio.run(_on_asyncio(pairs.asyncio_streams, count))),
        ),
        (Comparison(strict, real), Comparison(q32, real), Comparison(q32, streams)),
        rounds_max=5,
    )
