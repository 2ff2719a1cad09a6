"""Ping-pong: 64 bytes there and back between two tasks, again and again."""

from __future__ import annotations

import asyncio
from functools import partial
from time import process_time

import trio

import asyncipc
from benchmarks import pairs
from benchmarks.case import Case, Comparison, Contender, scaled
from benchmarks.pairs import End, Maker

PAYLOAD = bytes(64)
COUNT = 500


async def ping(end: End, count: int) -> float:
    """Microseconds per round trip."""
    send, receive, payload = end.send, end.receive, PAYLOAD
    start = process_time()
    for _ in range(count):
        await send(payload)
        await receive()
    return (process_time() - start) / count * 1e6


async def pong(end: End, count: int) -> None:
    send, receive, payload = end.send, end.receive, PAYLOAD
    for _ in range(count):
        await receive()
        await send(payload)


async def between_trio_tasks(maker: Maker, count: int) -> float:
    async with maker(1) as [(near, far)], trio.open_nursery() as nursery:
        nursery.start_soon(pong, far, count)
        return await ping(near, count)
    raise AssertionError("a nursery does not swallow")


async def _between_asyncio_tasks(maker: Maker, count: int) -> float:
    async with maker(1) as [(near, far)], asyncio.TaskGroup() as group:
        group.create_task(pong(far, count))
        return await ping(near, count)
    raise AssertionError("a task group does not swallow")


def _on_trio(name: str, maker: Maker, count: int) -> Contender:
    return Contender(name, lambda: trio.run(between_trio_tasks, maker, count))


def _on_asyncio(name: str, maker: Maker, count: int) -> Contender:
    return Contender(name, lambda: asyncio.run(_between_asyncio_tasks(maker, count)))


def _on_virtual_time(name: str, quantum: int, count: int) -> Contender:
    """Under ``asyncipc.run``, between two tasks of its first process."""
    main = partial(between_trio_tasks, pairs.open_socketpairs, count)
    return Contender(name, lambda: asyncipc.run(main, quantum=quantum))


def trio_case(scale: float = 1.0) -> Case:
    """Channels and descriptors on trio; the posix face may be 20 % below the bars."""
    count = scaled(COUNT, scale)
    strict, q32 = "channels strict", "channels q32"
    posix_strict, posix_q32 = "posix strict", "posix q32"
    real, memory_stream = "trio socketpair", "memory_stream_pair"
    channel, anyio_channel = "trio memory channel", "anyio object stream"
    return Case(
        "pingpong",
        "ping-pong 64 B, trio",
        "us",
        (
            _on_trio(strict, partial(pairs.simulated_socketpairs, quantum=1), count),
            _on_trio(real, pairs.trio_socketpairs, count),
            _on_trio(q32, partial(pairs.simulated_socketpairs, quantum=32), count),
            _on_trio(channel, pairs.memory_channels, count),
            _on_trio(posix_strict, partial(pairs.simulated_descriptors, quantum=1), count),
            _on_trio(memory_stream, pairs.memory_streams, count),
            _on_trio(posix_q32, partial(pairs.simulated_descriptors, quantum=32), count),
            _on_trio(anyio_channel, pairs.anyio_channels, count),
            _on_virtual_time("asyncipc.run strict", 1, count),
            _on_virtual_time("asyncipc.run q32", 32, count),
        ),
        (
            Comparison(strict, real, 3),
            Comparison(q32, real, 4),
            Comparison(strict, channel, 1.3),
            Comparison(q32, channel, 1.8),
            Comparison(posix_strict, real, 3 * 0.8),
            Comparison(posix_q32, real, 4 * 0.8),
            Comparison(posix_strict, strict),
            Comparison(posix_q32, q32),
            Comparison(strict, memory_stream),
            Comparison(q32, memory_stream),
            Comparison(strict, anyio_channel),
            Comparison(q32, anyio_channel),
            Comparison("asyncipc.run strict", strict),
            Comparison("asyncipc.run q32", q32),
        ),
    )


def asyncio_case(scale: float = 1.0) -> Case:
    """Channels on asyncio."""
    count = scaled(COUNT, scale)
    strict, q32, real = "channels strict", "channels q32", "asyncio streams"
    return Case(
        "pingpong-asyncio",
        "ping-pong 64 B, asyncio",
        "us",
        (
            _on_asyncio(strict, partial(pairs.simulated_socketpairs, quantum=1), count),
            _on_asyncio(real, pairs.asyncio_streams, count),
            _on_asyncio(q32, partial(pairs.simulated_socketpairs, quantum=32), count),
        ),
        (Comparison(strict, real, 1.8), Comparison(q32, real, 2.4)),
    )
