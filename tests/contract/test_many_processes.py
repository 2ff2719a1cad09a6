"""Ten thousand processes, a pipe each, in one simulation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from asyncipc import posix
from asyncipc.runtime.process import current

Run = Callable[..., Any]
MANAGERS = 100
CHILDREN = 100  # of each; fork copies the table, so one parent of all would cost quadratically


async def child(w: int) -> None:
    await posix.poll([], 1)  # until everybody is there
    assert len(current().simulation.localhost.kernel.processes) > MANAGERS * CHILDREN
    await posix.poll([], 1)
    await posix.write(w, b"%d" % posix.getpid())


async def manager() -> None:
    ends: dict[int, int] = {}
    for _ in range(CHILDREN):
        r, w = posix.pipe()
        ends[posix.fork(child, w)] = r
        posix.close(w)
    for pid, r in ends.items():
        assert await posix.read(r, 100) == b"%d" % pid
        assert await posix.read(r, 100) == b""
        posix.close(r)
    assert [await posix.wait() for _ in ends] == [(pid, 0) for pid in ends]


@pytest.mark.simulated("10,000 pipes are more than a real kernel gives a process")
def test_ten_thousand_processes_with_a_pipe_each_end_correctly(run: Run) -> None:
    async def main() -> None:
        for _ in range(MANAGERS):
            posix.fork(manager)
        assert [(await posix.wait())[1] for _ in range(MANAGERS)] == [0] * MANAGERS

    run(main)
