"""Memory: KiB per idle connection and per idle process, 10,000 of them at once."""

from __future__ import annotations

import gc
import signal
import tracemalloc
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias

import trio
import trio.testing

import asyncipc
from asyncipc import posix
from benchmarks import pairs
from benchmarks.case import Case, Comparison, Contender, Limit, scaled
from benchmarks.pairs import Maker

COUNT = 10_000
Program: TypeAlias = Callable[[], Awaitable[object]]


class Gauge:
    """What Python allocates from here on."""

    def __init__(self) -> None:
        gc.collect()
        tracemalloc.start()
        self._before = tracemalloc.get_traced_memory()[0]

    def kib_each(self, count: int) -> float:
        gc.collect()
        after = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        return (after - self._before) / count / 1024


async def _idle_connections(maker: Maker, count: int, used: bool) -> float:
    """Connections that nobody waits on; if ``used``, a byte has gone each way."""
    async with maker(1):  # what is made once is not what is measured
        pass
    gauge = Gauge()
    async with maker(count) as ends:
        if used:
            for near, far in ends:
                await near.send(b"x")
                await far.receive()
                await far.send(b"x")
                await near.receive()
        del ends[:]  # the bound methods are ours, not the connections'
        return gauge.kib_each(count)


async def _parked_connections(maker: Maker, count: int) -> float:
    """Connections with a task asleep in ``receive`` on each."""
    gauge = Gauge()
    async with maker(count) as ends, trio.open_nursery() as nursery:
        for _, far in ends:
            nursery.start_soon(far.receive, name="reader")
        del ends[:]
        await trio.testing.wait_all_tasks_blocked()
        kib = gauge.kib_each(count)
        nursery.cancel_scope.cancel()
    return kib


async def _processes(program: Program, count: int) -> float:
    async with asyncipc.Simulation():
        gauge = Gauge()
        pids = [posix.fork(program) for _ in range(count)]
        await trio.testing.wait_all_tasks_blocked()
        kib = gauge.kib_each(count)
        for pid in pids:
            posix.kill(pid, signal.SIGKILL)
    return kib


async def asleep_in_read() -> None:
    """In a pipe of its own, whose both ends it holds."""
    read_end, _ = posix.pipe()
    await posix.read(read_end, 1)


async def asleep_elsewhere() -> None:
    """In an await that is none of ours."""
    await trio.sleep_forever()


async def _tasks(count: int) -> float:
    gauge = Gauge()
    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(trio.sleep_forever, name="idle")
        await trio.testing.wait_all_tasks_blocked()
        kib = gauge.kib_each(count)
        nursery.cancel_scope.cancel()
    return kib


def connections(scale: float = 1.0) -> Case:
    """The bound methods that the harness makes are counted for nobody."""
    count = scaled(COUNT, scale)

    def idle(name: str, maker: Maker, used: bool) -> Contender:
        return Contender(name, lambda: trio.run(_idle_connections, maker, count, used))

    def parked(name: str, maker: Maker) -> Contender:
        return Contender(name, lambda: trio.run(_parked_connections, maker, count))

    ours: Maker = partial(pairs.simulated_socketpairs, quantum=32)
    return Case(
        "memory-connection",
        f"memory per idle connection, {count} of them",
        "KiB",
        (
            idle("channels", ours, used=False),
            idle("memory_stream_pair", pairs.memory_streams, used=False),
            idle("channels, used", ours, used=True),
            idle("memory_stream_pair, used", pairs.memory_streams, used=True),
            parked("channels, parked task", ours),
            parked("memory_stream_pair, parked task", pairs.memory_streams),
        ),
        (
            Comparison("channels", "memory_stream_pair"),
            Comparison("channels, used", "memory_stream_pair, used"),
            Comparison("channels, parked task", "memory_stream_pair, parked task"),
        ),
        (Limit("channels", 1.0),),
        rounds_max=3,
    )


def processes(scale: float = 1.0) -> Case:
    """A process with its task; the bar is for one without objects of its own."""
    count = scaled(COUNT, scale)
    elsewhere, in_read, bare = "process asleep elsewhere", "process in its pipe", "trio task"
    return Case(
        "memory-process",
        f"memory per idle process, {count} of them",
        "KiB",
        (
            Contender(elsewhere, lambda: trio.run(_processes, asleep_elsewhere, count)),
            Contender(bare, lambda: trio.run(_tasks, count)),
            Contender(in_read, lambda: trio.run(_processes, asleep_in_read, count)),
        ),
        (Comparison(elsewhere, bare), Comparison(in_read, bare)),
        (Limit(elsewhere, 6.0),),
        rounds_max=3,
    )
