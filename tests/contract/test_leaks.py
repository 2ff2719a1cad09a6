"""What leaks is told with the line that made it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from asyncipc import posix
from asyncipc.runtime.leaks import Leak, Leaks


def leaks_of(run: Callable[..., Any], program: Callable[..., Any]) -> tuple[Leak, ...]:
    leaks = Leaks()
    run(program, observers=[leaks])
    return leaks.found()


def test_a_descriptor_that_was_not_closed_is_told_with_its_line(run: Callable[..., Any]) -> None:
    async def main() -> None:
        read_end, _ = posix.pipe()
        posix.close(read_end)

    (leak,) = leaks_of(run, main)
    assert (leak.pid, leak.what, leak.call) == (2, "descriptor 4 (pipe:[2]) open", "pipe2")
    assert re.fullmatch(r".*test_leaks\.py:\d+ in main", leak.where)


def test_who_closes_everything_leaks_nothing(run: Callable[..., Any]) -> None:
    async def main() -> None:
        for fd in (*posix.pipe(), *posix.socketpair()):
            posix.close(fd)

    assert leaks_of(run, main) == ()


def test_what_was_inherited_is_the_parents(run: Callable[..., Any]) -> None:
    async def child() -> None:
        posix.socket()

    async def main() -> None:
        ends = posix.pipe()
        await posix.waitpid(posix.fork(child))
        for fd in ends:
            posix.close(fd)

    (leak,) = leaks_of(run, main)
    assert (leak.pid, leak.call) == (3, "socket")


def test_who_is_killed_could_not_close(run: Callable[..., Any]) -> None:
    async def child() -> None:
        posix.socket()
        await posix.pause()

    async def main() -> None:
        pid = posix.fork(child)
        await posix.nanosleep(1)
        posix.kill(pid, 9)
        await posix.waitpid(pid)

    assert leaks_of(run, main) == ()
