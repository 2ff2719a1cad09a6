"""Connections: connect, accept, a task for each, one echo, close; one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from time import process_time
from typing import TypeAlias

import trio
from trio.abc import Stream

import asyncipc
from benchmarks.case import Case, Comparison, Contender, scaled

COUNT = 200
PAYLOAD = bytes(64)
LOOPBACK = "127.0.0.1"

Visit: TypeAlias = Callable[[], Awaitable[None]]
Server: TypeAlias = Callable[[], AbstractAsyncContextManager[Visit]]


# -- ours


async def _echo(channel: asyncipc.SocketChannel) -> None:
    await channel.send(await channel.receive())
    channel.close()


async def _serve(listener: asyncipc.ListenerChannel, nursery: trio.Nursery) -> None:
    while True:
        nursery.start_soon(_echo, await listener.accept(), name="echo")


@asynccontextmanager
async def simulated(quantum: int) -> AsyncIterator[Visit]:
    async with asyncipc.Simulation(quantum=quantum):
        listener = await asyncipc.create_tcp_listener(local_host=LOOPBACK)
        port = listener.name()[1]

        async def visit() -> None:
            channel = await asyncipc.connect_tcp(LOOPBACK, port)
            await channel.send(PAYLOAD)
            await channel.receive()
            channel.close()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(_serve, listener, nursery)
            yield visit
            nursery.cancel_scope.cancel()
        listener.close()


# -- peers, on real loopback


async def _echo_trio(stream: Stream) -> None:
    async with stream:
        await stream.send_all(await stream.receive_some())


@asynccontextmanager
async def trio_tcp() -> AsyncIterator[Visit]:
    """``trio.serve_listeners`` and ``trio.open_tcp_stream``."""
    listeners = await trio.open_tcp_listeners(0, host=LOOPBACK)
    port = listeners[0].socket.getsockname()[1]

    async def visit() -> None:
        async with await trio.open_tcp_stream(LOOPBACK, port) as stream:
            await stream.send_all(PAYLOAD)
            await stream.receive_some()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, _echo_trio, listeners)
        yield visit
        nursery.cancel_scope.cancel()


async def _echo_asyncio(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(await reader.read(65536))
    await writer.drain()
    writer.close()
    await writer.wait_closed()


@asynccontextmanager
async def asyncio_tcp() -> AsyncIterator[Visit]:
    """``asyncio.start_server`` and ``asyncio.open_connection``."""
    server = await asyncio.start_server(_echo_asyncio, LOOPBACK, 0)
    port = server.sockets[0].getsockname()[1]

    async def visit() -> None:
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
        writer.write(PAYLOAD)
        await writer.drain()
        await reader.read(65536)
        writer.close()
        await writer.wait_closed()

    async with server:
        yield visit


async def _visits(server: Server, count: int) -> float:
    """Microseconds per connection."""
    async with server() as visit:
        await visit()
        start = process_time()
        for _ in range(count):
            await visit()
        return (process_time() - start) / count * 1e6


def case(scale: float = 1.0) -> Case:
    """TCP, with a task for each connection."""
    count = scaled(COUNT, scale)
    strict, q32, real, streams = "tcp strict", "tcp q32", "trio tcp", "asyncio tcp"

    def on_trio(name: str, server: Server) -> Contender:
        return Contender(name, lambda: trio.run(_visits, server, count))

    return Case(
        "connect",
        "connect, accept, task, echo, close",
        "us",
        (
            on_trio(strict, partial(simulated, 1)),
            on_trio(real, trio_tcp),
            on_trio(q32, partial(simulated, 32)),
            Contender(streams, lambda: asyncio.run(_visits(asyncio_tcp, count))),
        ),
        (Comparison(strict, real, 10), Comparison(q32, real, 13), Comparison(q32, streams)),
    )
