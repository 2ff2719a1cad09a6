"""Fan-in: many writers, one reader, 64 bytes at a time through one object."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from socket import SOCK_DGRAM
from time import process_time
from typing import TypeAlias

import trio

import asyncipc
from asyncipc import posix
from benchmarks.case import Case, Comparison, Contender, scaled
from benchmarks.datagram import open_pair_end

PAYLOAD = bytes(64)
EACH = 4

Call: TypeAlias = Callable[[], Awaitable[object]]
Object: TypeAlias = Callable[[], AbstractAsyncContextManager[tuple[Call, Call]]]


@asynccontextmanager
async def simulated(quantum: int) -> AsyncIterator[tuple[Call, Call]]:
    """A pair of UNIX datagram sockets: each 64 bytes arrive as they were sent."""
    async with asyncipc.Simulation(quantum=quantum):
        writer, reader = (open_pair_end(fd) for fd in posix.socketpair(type=SOCK_DGRAM))
        yield partial(writer.send, PAYLOAD), reader.receive
        writer.close()
        reader.close()


@asynccontextmanager
async def memory_channel() -> AsyncIterator[tuple[Call, Call]]:
    """trio's, with room for 64."""
    sender, receiver = trio.open_memory_channel[bytes](64)
    yield partial(sender.send, PAYLOAD), receiver.receive


async def _repeat(call: Call, count: int) -> None:
    for _ in range(count):
        await call()


async def _on_trio(make: Object, writers: int) -> float:
    """Microseconds per message, the writers' birth included."""
    async with make() as (send, receive):
        start = process_time()
        async with trio.open_nursery() as nursery:
            for _ in range(writers):
                nursery.start_soon(_repeat, send, EACH, name="writer")
            await _repeat(receive, writers * EACH)
        return (process_time() - start) / (writers * EACH) * 1e6


async def _queue(writers: int) -> float:
    queue: asyncio.Queue[bytes] = asyncio.Queue(64)
    start = process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(writers):
            group.create_task(_repeat(partial(queue.put, PAYLOAD), EACH))
        await _repeat(queue.get, writers * EACH)
    return (process_time() - start) / (writers * EACH) * 1e6


def case(writers: int, scale: float = 1.0) -> Case:
    """So many writers; the bars are for 1,000."""
    count = scaled(writers, scale)
    strict, q32, channel, queue = "datagram strict", "datagram q32", "trio memory channel", "queue"
    judged = writers == 1000

    def on_trio(name: str, make: Object) -> Contender:
        return Contender(name, lambda: trio.run(_on_trio, make, count))

    return Case(
        f"fan-in-{writers}",
        f"{writers:,} writers, one reader, 64 B",
        "us",
        (
            on_trio(strict, partial(simulated, 1)),
            on_trio(channel, memory_channel),
            on_trio(q32, partial(simulated, 32)),
            Contender(queue, lambda: asyncio.run(_queue(count))),
        ),
        (
            Comparison(strict, channel, 1.4 if judged else None),
            Comparison(q32, channel, 3.0 if judged else None),
            Comparison(q32, queue),
        ),
        rounds_max=99 if judged else 5,
    )
