"""One server, many processes: each connects over TCP, says something, and waits.

When all are connected the server answers each, and they end.  So all live, each
with an open connection, at the same time.  Time is per process, from fork to
wait; memory is what Python holds for a process and both ends of its connection
while all are connected.

The clients are forked by a process that holds no connection: a fork copies its
parent's table, here as on Linux.
"""

from __future__ import annotations

from statistics import mean
from time import process_time

import trio

import asyncipc
from asyncipc import posix
from benchmarks.case import Case, Comparison, Contender, scaled
from benchmarks.memory import Gauge
from benchmarks.pairs import raise_limit

ADDRESS = ("127.0.0.1", 7)
BACKLOG = 4096


async def client() -> None:
    fd = posix.socket()
    await posix.connect(fd, ADDRESS)
    await posix.send(fd, b"hello")
    assert await posix.recv(fd, 100) == b"bye"


async def server(count: int, ready: trio.Event, everybody: trio.Event, answer: trio.Event) -> None:
    raise_limit(count)
    listener = posix.socket()
    posix.bind(listener, ADDRESS)
    posix.listen(listener, BACKLOG)
    ready.set()
    connections = []
    for _ in range(count):
        fd, _address = await posix.accept(listener)
        assert await posix.recv(fd, 100) == b"hello"
        connections.append(fd)
    everybody.set()
    await answer.wait()
    for fd in connections:
        await posix.send(fd, b"bye")
        posix.close(fd)


async def _from_fork_to_wait(count: int, in_kib: bool) -> float:
    """Microseconds for each process, or KiB."""
    ready, everybody, answer = trio.Event(), trio.Event(), trio.Event()
    posix.fork(server, count, ready, everybody, answer)
    await ready.wait()
    gauge = Gauge() if in_kib else None
    start = process_time()
    for _ in range(count):
        posix.fork(client)
    await everybody.wait()
    kib = gauge.kib_each(count) if gauge else 0.0
    answer.set()
    for _ in range(count + 1):
        assert (await posix.wait())[1] == 0
    cost_us = (process_time() - start) / count * 1e6
    return kib if in_kib else cost_us


def _measure(count: int, repeat: int = 1, in_kib: bool = False) -> float:
    """On virtual time: a client that finds the backlog full tries again in a second."""
    return mean(asyncipc.run(_from_fork_to_wait, count, in_kib) for _ in range(repeat))


def case(scale: float = 1.0) -> Case:
    """100, 1,000 and 10,000 at once; the few are repeated, for a measurable time."""
    few, some, many = scaled(100, scale), scaled(1000, scale), scaled(10_000, scale)

    def ours(name: str, count: int, repeat: int) -> Contender:
        return Contender(name, lambda: _measure(count, repeat))

    return Case(
        "server",
        "fork, connect, send, recv, exit, wait: per process",
        "us",
        (ours("100", few, 10), ours("1,000", some, 2), ours("10,000", many, 1)),
        (Comparison("1,000", "100"), Comparison("10,000", "100")),
        rounds_max=5,
    )


def memory_case(scale: float = 1.0) -> Case:
    """No bar; a process alone and a connection alone have theirs."""
    few, many = scaled(100, scale), scaled(10_000, scale)

    def ours(name: str, count: int) -> Contender:
        return Contender(name, lambda: _measure(count, in_kib=True))

    return Case(
        "memory-server",
        "memory per connected process, both ends of its connection included",
        "KiB",
        (ours("100", few), ours("10,000", many)),
        (Comparison("10,000", "100"),),
        rounds_max=3,
    )
