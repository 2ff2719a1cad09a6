"""Pairs: two ends that talk, ours and the peers', under one shape.

Each maker opens ``count`` pairs for the length of a block, inside the loop that
is to run them.  ``receive`` takes at most as many bytes as it is told; object
channels and those who are told nothing take what is there.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, NamedTuple, NoReturn, Protocol, TypeAlias

import anyio
import trio
import trio.testing

import asyncipc
from asyncipc import posix

RECEIVE_MAX = 65536
DESCRIPTORS_MAX = 200_000


class _Closable(Protocol):
    def close(self) -> None: ...


class End(NamedTuple):
    """Bound methods, so that no wrapper is measured."""

    send: Callable[[bytes], Awaitable[object]]
    receive: Callable[..., Awaitable[bytes | bytearray]]


Pairs: TypeAlias = list[tuple[End, End]]
Maker: TypeAlias = Callable[[int], AbstractAsyncContextManager[Pairs]]


def no_way(*_: object) -> NoReturn:
    raise TypeError("this pair goes one way only")


def raise_limit(count: int) -> None:
    """Room for ``count`` descriptors more than the usual few."""
    if count > 500:
        posix.setrlimit(posix.RLIMIT_NOFILE, (DESCRIPTORS_MAX, DESCRIPTORS_MAX))


# -- ours


@asynccontextmanager
async def simulated_socketpairs(count: int, *, quantum: int) -> AsyncIterator[Pairs]:
    async with asyncipc.Simulation(quantum=quantum), open_socketpairs(count) as pairs:
        yield pairs


@asynccontextmanager
async def open_socketpairs(count: int) -> AsyncIterator[Pairs]:
    """In the current process."""
    raise_limit(2 * count)
    channels = [asyncipc.create_socketpair() for _ in range(count)]
    yield [(End(a.send, a.receive), End(b.send, b.receive)) for a, b in channels]
    for a, b in channels:
        a.close()
        b.close()


@asynccontextmanager
async def simulated_pipes(count: int, *, quantum: int) -> AsyncIterator[Pairs]:
    async with asyncipc.Simulation(quantum=quantum):
        raise_limit(2 * count)
        channels = [asyncipc.create_pipe() for _ in range(count)]
        yield [(End(w.send, no_way), End(no_way, r.receive)) for r, w in channels]
        for r, w in channels:
            r.close()
            w.close()


@asynccontextmanager
async def simulated_descriptors(count: int, *, quantum: int) -> AsyncIterator[Pairs]:
    """The posix face: send and recv on socketpair descriptors."""

    def end(fd: int) -> End:
        return End(partial(posix.send, fd), partial(posix.recv, fd, RECEIVE_MAX))

    async with asyncipc.Simulation(quantum=quantum):
        raise_limit(2 * count)
        descriptors = [posix.socketpair() for _ in range(count)]
        yield [(end(a), end(b)) for a, b in descriptors]
        for pair in descriptors:
            for fd in pair:
                posix.close(fd)


# -- ours, over the real kernel


@asynccontextmanager
async def native_socketpairs(count: int, *, quantum: int) -> AsyncIterator[Pairs]:
    machine = asyncipc.Native()
    async with (
        asyncipc.Simulation(quantum=quantum, machine=machine),
        open_socketpairs(count) as pairs,
    ):
        yield pairs


@asynccontextmanager
async def native_pipes(count: int, *, quantum: int) -> AsyncIterator[Pairs]:
    """Two pipes for each pair, one each way."""
    async with asyncipc.Simulation(quantum=quantum, machine=asyncipc.Native()):
        raise_limit(4 * count)
        channels = [(*asyncipc.create_pipe(), *asyncipc.create_pipe()) for _ in range(count)]
        yield [(End(w1.send, r2.receive), End(w2.send, r1.receive)) for r1, w1, r2, w2 in channels]
        for pair in channels:
            for channel in pair:
                channel.close()


# -- trio


@asynccontextmanager
async def trio_pipe_pairs(count: int) -> AsyncIterator[Pairs]:
    """``trio.lowlevel.FdStream`` on two real pipes for each pair, one each way."""
    streams = [
        [trio.lowlevel.FdStream(fd) for fd in (*os.pipe(), *os.pipe())] for _ in range(count)
    ]
    yield [
        (End(w1.send_all, r2.receive_some), End(w2.send_all, r1.receive_some))
        for r1, w1, r2, w2 in streams
    ]
    for pair in streams:
        for stream in pair:
            await stream.aclose()


@asynccontextmanager
async def trio_socketpairs(count: int) -> AsyncIterator[Pairs]:
    """``trio.SocketStream`` on real socket pairs."""
    streams = [[trio.SocketStream(end) for end in trio.socket.socketpair()] for _ in range(count)]
    yield [_trio_ends(a, b) for a, b in streams]
    for pair in streams:
        for stream in pair:
            await stream.aclose()


@asynccontextmanager
async def trio_pipes(count: int) -> AsyncIterator[Pairs]:
    """``trio.lowlevel.FdStream`` on real pipes."""
    streams = [[trio.lowlevel.FdStream(fd) for fd in os.pipe()] for _ in range(count)]
    yield [(End(w.send_all, no_way), End(no_way, r.receive_some)) for r, w in streams]
    for pair in streams:
        for stream in pair:
            await stream.aclose()


@asynccontextmanager
async def memory_streams(count: int) -> AsyncIterator[Pairs]:
    """``trio.testing.memory_stream_pair``."""
    streams = [trio.testing.memory_stream_pair() for _ in range(count)]
    yield [_trio_ends(a, b) for a, b in streams]
    del streams  # held until here, whoever lets go of the ends


def _trio_ends(a: trio.abc.Stream, b: trio.abc.Stream) -> tuple[End, End]:
    return End(a.send_all, a.receive_some), End(b.send_all, b.receive_some)


@asynccontextmanager
async def memory_channels(count: int) -> AsyncIterator[Pairs]:
    """trio memory channels of one object, one each way."""
    yield [_object_ends(trio.open_memory_channel[bytes]) for _ in range(count)]


@asynccontextmanager
async def anyio_channels(count: int) -> AsyncIterator[Pairs]:
    """anyio memory object streams of one object, one each way."""
    pairs: Pairs = []
    closing: list[_Closable] = []
    for _ in range(count):
        there = anyio.create_memory_object_stream[bytes](1)
        back = anyio.create_memory_object_stream[bytes](1)
        closing += [*there, *back]
        pairs.append((End(there[0].send, back[1].receive), End(back[0].send, there[1].receive)))
    yield pairs
    for stream in closing:
        stream.close()


def _object_ends(make: Callable[[int], tuple[Any, Any]]) -> tuple[End, End]:
    there, back = make(1), make(1)
    return End(there[0].send, back[1].receive), End(back[0].send, there[1].receive)


# -- asyncio


@asynccontextmanager
async def asyncio_streams(count: int) -> AsyncIterator[Pairs]:
    """asyncio streams on real socket pairs."""
    writers: list[asyncio.StreamWriter] = []

    async def end(sock: socket.socket) -> End:
        reader, writer = await asyncio.open_connection(sock=sock)
        writers.append(writer)

        async def send(data: bytes) -> None:
            writer.write(data)
            await writer.drain()

        return End(send, partial(reader.read, RECEIVE_MAX))

    sockets = [socket.socketpair() for _ in range(count)]
    yield [(await end(a), await end(b)) for a, b in sockets]
    for writer in writers:
        writer.close()
        await writer.wait_closed()
