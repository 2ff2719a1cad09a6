"""Processes: what one costs from fork to wait, with few and with many alive.

Each child makes a pipe of its own and sleeps in a read on it; when all do, the
parent kills and waits for each.  So all are alive, and in a pipe, at once.

"Flat" has no number in ``performance.md``, so none is judged here.  The
yardstick is what bare trio tasks lose to cache misses from 100 to 10,000.
"""

from __future__ import annotations

import signal
from functools import partial
from time import process_time

import trio
import trio.testing

import asyncipc
from benchmarks.case import Case, Comparison, Contender, scaled
from benchmarks.memory import asleep_in_read

posix = asyncipc.posix


async def _from_fork_to_wait(count: int) -> float:
    """Microseconds per process."""
    start = process_time()
    pids = [posix.fork(asleep_in_read) for _ in range(count)]
    await trio.testing.wait_all_tasks_blocked()
    for pid in pids:
        posix.kill(pid, signal.SIGKILL)
    for _ in pids:
        await posix.wait()
    return (process_time() - start) / count * 1e6


async def _embedded(count: int, repeat: int) -> float:
    costs = []
    for _ in range(repeat):
        async with asyncipc.Simulation():
            costs.append(await _from_fork_to_wait(count))
    return sum(costs) / repeat


async def _tasks(count: int) -> float:
    start = process_time()
    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(trio.sleep_forever, name="idle")
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    return (process_time() - start) / count * 1e6


def case(scale: float = 1.0) -> Case:
    """100, 1,000 and 10,000 at once; the few are repeated, for a measurable time."""
    few, some, many = scaled(100, scale), scaled(1000, scale), scaled(10_000, scale)

    def ours(name: str, count: int, repeat: int) -> Contender:
        return Contender(name, lambda: trio.run(_embedded, count, repeat))

    virtual = partial(asyncipc.run, partial(_from_fork_to_wait, many))
    return Case(
        "processes",
        "fork, pipe, read, kill, wait: per process",
        "us",
        (
            ours("among 100", few, 10),
            ours("among 1,000", some, 2),
            ours("among 10,000", many, 1),
            Contender("among 10,000, asyncipc.run", virtual),
            Contender("trio task, 100", lambda: trio.run(_tasks, few)),
            Contender("trio task, 10,000", lambda: trio.run(_tasks, many)),
        ),
        (
            Comparison("among 1,000", "among 100"),
            Comparison("among 10,000", "among 100"),
            Comparison("among 10,000, asyncipc.run", "among 100"),
            Comparison("trio task, 10,000", "trio task, 100"),
            Comparison("among 10,000", "trio task, 10,000"),
        ),
        rounds_max=5,
    )
