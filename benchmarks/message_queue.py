"""Message queue: 64 octets at a time from one to another, through a queue of ten."""

from __future__ import annotations

import asyncio
import ctypes
import os
from collections.abc import Iterator
from functools import partial
from time import perf_counter

import trio

import asyncipc
from asyncipc import posix
from benchmarks.case import Case, Comparison, Contender, scaled

MESSAGES = 5000
PAYLOAD = bytes(64)
ROOM = 10
NAME = "/asyncipc-benchmark"


async def _send_all(fd: int, count: int) -> None:
    for _ in range(count):
        await posix.mq_send(fd, PAYLOAD)


async def _simulated(count: int) -> float:
    """Microseconds per message."""
    attributes = posix.QueueAttributes(mq_maxmsg=ROOM, mq_msgsize=len(PAYLOAD))
    fd = posix.mq_open(NAME, posix.O_CREAT | posix.O_RDWR, 0o600, attributes)
    child = posix.fork(_send_all, fd, count)
    start = perf_counter()
    for _ in range(count):
        await posix.mq_receive(fd, len(PAYLOAD))
    cost_us = (perf_counter() - start) / count * 1e6
    await posix.waitpid(child)
    return cost_us


async def _channel(count: int) -> float:
    sender, receiver = trio.open_memory_channel[bytes](ROOM)

    async def send_all() -> None:
        for _ in range(count):
            await sender.send(PAYLOAD)

    start = perf_counter()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(send_all)
        for _ in range(count):
            await receiver.receive()
    return (perf_counter() - start) / count * 1e6


async def _queue(count: int) -> float:
    queue: asyncio.Queue[bytes] = asyncio.Queue(ROOM)

    async def send_all() -> None:
        for _ in range(count):
            await queue.put(PAYLOAD)

    start = perf_counter()
    async with asyncio.TaskGroup() as group:
        group.create_task(send_all())
        for _ in range(count):
            await queue.get()
    return (perf_counter() - start) / count * 1e6


class _Attributes(ctypes.Structure):
    """struct mq_attr."""

    _fields_ = (("numbers", ctypes.c_long * 8),)


def _library() -> ctypes.CDLL | None:
    """The C library, where it has POSIX message queues."""
    library = ctypes.CDLL(None, use_errno=True)
    return library if hasattr(library, "mq_open") else None


def _real(library: ctypes.CDLL, count: int) -> float:
    name = f"{NAME}-{os.getpid()}".encode()
    attributes = _Attributes((ctypes.c_long * 8)(0, ROOM, len(PAYLOAD)))
    queue = library.mq_open(name, os.O_CREAT | os.O_RDWR, 0o600, ctypes.byref(attributes))
    if queue < 0:
        raise OSError(ctypes.get_errno(), "mq_open")
    library.mq_unlink(name)
    child = os.fork()
    if child == 0:
        for _ in range(count):
            library.mq_send(queue, PAYLOAD, len(PAYLOAD), 0)
        os._exit(0)
    buffer = ctypes.create_string_buffer(len(PAYLOAD))
    start = perf_counter()
    for _ in range(count):
        library.mq_receive(queue, buffer, len(PAYLOAD), None)
    cost_us = (perf_counter() - start) / count * 1e6
    os.waitpid(child, 0)
    library.mq_close(queue)
    return cost_us


def _contenders(count: int) -> Iterator[Contender]:
    yield Contender("simulated strict", lambda: asyncipc.run(_simulated, count, quantum=1))
    yield Contender("trio memory channel", lambda: trio.run(_channel, count))
    yield Contender("asyncio.Queue", lambda: asyncio.run(_queue(count)))
    yield Contender("simulated q32", lambda: asyncipc.run(_simulated, count, quantum=32))
    library = _library()
    if library is not None:
        yield Contender("POSIX queue, real", partial(_real, library, count))


def case(scale: float = 1.0) -> Case:
    """The real queue is between two processes of the operating system, where it has any."""
    contenders = tuple(_contenders(scaled(MESSAGES, scale)))
    peers = [each.name for each in contenders if not each.name.startswith("simulated")]
    return Case(
        "message-queue",
        "a message of 64 B through a queue of ten",
        "us",
        contenders,
        tuple(
            Comparison(ours, peer)
            for ours in ("simulated strict", "simulated q32")
            for peer in peers
        ),
    )
