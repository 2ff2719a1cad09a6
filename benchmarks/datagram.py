"""Datagrams: 64 bytes one way, a sender and a receiver, as fast as they can.

A UNIX datagram is never lost, so its channels are what the bars judge; UDP's
are beside them.  UDP is not held back: at quantum 32 a burst is far below what
a receiver's buffer takes (256), so none is lost here either.
"""

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

PAYLOAD = bytes(64)
COUNT = 2000
LOOPBACK = "127.0.0.1"

OneWay: TypeAlias = tuple[Callable[[], Awaitable[object]], Callable[[], Awaitable[object]]]
Maker: TypeAlias = Callable[[], AbstractAsyncContextManager[OneWay]]


def open_pair_end(fd: int) -> asyncipc.ConnectedUNIXDatagramChannel:
    channel = asyncipc.open_channel(fd)
    assert isinstance(channel, asyncipc.ConnectedUNIXDatagramChannel)
    return channel


@asynccontextmanager
async def simulated_unix(quantum: int) -> AsyncIterator[OneWay]:
    """A socket pair: bounded by SO_SNDBUF, not by the 11 datagrams of a named receiver."""
    async with asyncipc.Simulation(quantum=quantum):
        pair = posix.socketpair(type=SOCK_DGRAM)
        sender, receiver = (open_pair_end(fd) for fd in pair)
        yield partial(sender.send, PAYLOAD), receiver.receive
        sender.close()
        receiver.close()


@asynccontextmanager
async def simulated_udp(quantum: int) -> AsyncIterator[OneWay]:
    async with asyncipc.Simulation(quantum=quantum):
        receiver = await asyncipc.create_udp_socket(local_host=LOOPBACK)
        sender = await asyncipc.create_connected_udp_socket(LOOPBACK, receiver.name()[1])
        yield partial(sender.send, PAYLOAD), receiver.receive
        sender.close()
        receiver.close()


@asynccontextmanager
async def trio_udp() -> AsyncIterator[OneWay]:
    """trio's sockets on real loopback."""
    receiver = trio.socket.socket(type=trio.socket.SOCK_DGRAM)
    await receiver.bind((LOOPBACK, 0))
    sender = trio.socket.socket(type=trio.socket.SOCK_DGRAM)
    await sender.connect(receiver.getsockname())
    yield partial(sender.send, PAYLOAD), partial(receiver.recv, 65536)
    sender.close()
    receiver.close()


@asynccontextmanager
async def trio_channel() -> AsyncIterator[OneWay]:
    """A memory channel with room for 64."""
    sender, receiver = trio.open_memory_channel[bytes](64)
    yield partial(sender.send, PAYLOAD), receiver.receive


@asynccontextmanager
async def asyncio_queue() -> AsyncIterator[OneWay]:
    """Its put and get do not yield when they need not."""
    queue: asyncio.Queue[bytes] = asyncio.Queue(64)
    yield partial(queue.put, PAYLOAD), queue.get


async def _repeat(call: Callable[[], Awaitable[object]], count: int) -> None:
    for _ in range(count):
        await call()


async def _under_trio(maker: Maker, count: int) -> float:
    """Microseconds per datagram."""
    async with maker() as (send, receive):
        start = process_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_repeat, send, count)
            await _repeat(receive, count)
        return (process_time() - start) / count * 1e6


async def _under_asyncio(maker: Maker, count: int) -> float:
    async with maker() as (send, receive):
        start = process_time()
        async with asyncio.TaskGroup() as group:
            group.create_task(_repeat(send, count))
            await _repeat(receive, count)
        return (process_time() - start) / count * 1e6


def case(scale: float = 1.0) -> Case:
    """UNIX and UDP, on both loops."""
    count = scaled(COUNT, scale)

    def on_trio(name: str, maker: Maker) -> Contender:
        return Contender(name, lambda: trio.run(_under_trio, maker, count))

    def on_asyncio(name: str, maker: Maker) -> Contender:
        return Contender(name, lambda: asyncio.run(_under_asyncio(maker, count)))

    strict, q32, udp_strict, udp_q32 = "unix strict", "unix q32", "udp strict", "udp q32"
    real, channel, on_loop, queue = (
        "trio udp",
        "trio memory channel",
        "asyncio q32",
        "asyncio.Queue",
    )
    return Case(
        "datagram",
        "datagrams of 64 B, one way",
        "us",
        (
            on_trio(strict, partial(simulated_unix, 1)),
            on_trio(real, trio_udp),
            on_trio(q32, partial(simulated_unix, 32)),
            on_trio(channel, trio_channel),
            on_trio(udp_strict, partial(simulated_udp, 1)),
            on_trio(udp_q32, partial(simulated_udp, 32)),
            on_asyncio(on_loop, partial(simulated_unix, 32)),
            on_asyncio(queue, asyncio_queue),
        ),
        (
            Comparison(strict, real, 2.5),
            Comparison(q32, real, 9),
            Comparison(strict, channel, 1.1),
            Comparison(q32, channel, 4),
            Comparison(udp_strict, real),
            Comparison(udp_q32, real),
            Comparison(on_loop, queue),
        ),
    )
