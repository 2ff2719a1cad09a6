"""What leaks is told with the line that made it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any

import pytest

from asyncipc import posix
from asyncipc.runtime.leaks import Leak, Leaks

pytestmark = pytest.mark.simulated("Leaks looks into the simulated kernel")


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


@pytest.mark.parametrize(
    ("make", "remove", "what"),
    [
        (
            lambda: posix.shmget(5, 100, posix.IPC_CREAT | 0o600),
            lambda made: posix.shmctl(made, posix.IPC_RMID),
            "shared memory segment 0",
        ),
        (
            lambda: posix.semget(5, 1, posix.IPC_CREAT | 0o600),
            lambda made: posix.semctl(made, 0, posix.IPC_RMID),
            "semaphore set 0",
        ),
        (
            lambda: posix.msgget(5, posix.IPC_CREAT | 0o600),
            lambda made: posix.msgctl(made, posix.IPC_RMID),
            "message queue 0",
        ),
        (
            lambda: posix.close(posix.shm_open("/pages", posix.O_CREAT | posix.O_RDWR)),
            lambda _: posix.shm_unlink("/pages"),
            "shared memory object /pages",
        ),
        (
            lambda: posix.sem_open("/gate", posix.O_CREAT),
            lambda _: posix.sem_unlink("/gate"),
            "semaphore /gate",
        ),
        (
            lambda: posix.close(posix.mq_open("/orders", posix.O_CREAT | posix.O_RDWR)),
            lambda _: posix.mq_unlink("/orders"),
            "message queue /orders",
        ),
    ],
    ids=["shmget", "semget", "msgget", "shm_open", "sem_open", "mq_open"],
)
def test_what_outlives_all_processes_is_told_unless_somebody_removes_it(
    run: Callable[..., Any],
    make: Callable[[], object],
    remove: Callable[[Any], object],
    what: str,
) -> None:
    async def child() -> None:
        make()

    async def careless() -> None:
        await posix.waitpid(posix.fork(child))

    async def careful() -> None:
        remove(make())

    (leak,) = leaks_of(run, careless)
    assert (leak.pid, leak.what) == (0, what)
    assert re.fullmatch(r".*test_leaks\.py:\d+ in <lambda>", leak.where)
    assert leaks_of(run, careful) == ()


def test_a_name_that_is_made_anew_is_told_with_its_new_line(run: Callable[..., Any]) -> None:
    lines: list[int] = []

    async def main() -> None:
        for _ in range(2):
            posix.close(posix.mq_open("/orders", posix.O_CREAT | posix.O_RDWR))
            posix.mq_unlink("/orders")
        frame = sys._getframe()
        posix.close(posix.mq_open("/orders", posix.O_CREAT | posix.O_RDWR))
        lines.append(frame.f_lineno - 1)

    (leak,) = leaks_of(run, main)
    assert leak.where.endswith(f"test_leaks.py:{lines[0]} in main")


def test_what_was_closed_is_forgotten(run: Callable[..., Any]) -> None:
    async def main() -> None:
        for _ in range(500):
            for fd in posix.pipe():
                posix.close(fd)

    leaks = Leaks()
    run(main, observers=[leaks])
    assert len(leaks._made) < 100
    assert leaks.found() == ()


def test_what_an_exec_leaves_open_is_meant(run: Callable[..., Any]) -> None:
    async def other() -> None:
        pass

    async def main() -> None:
        posix.set_inheritable(posix.socket(), True)
        posix.execv(other)

    assert leaks_of(run, main) == ()


def test_a_second_run_begins_anew(run: Callable[..., Any]) -> None:
    async def careless() -> None:
        posix.socket()

    async def careful() -> None:
        posix.close(posix.socket())

    leaks = Leaks()
    run(careless, observers=[leaks])
    assert len(leaks.found()) == 1
    run(careful, observers=[leaks])
    assert leaks.found() == ()


def test_a_descriptor_that_was_received_is_the_receivers(run: Callable[..., Any]) -> None:
    async def main() -> None:
        here, there = posix.socketpair()
        eventfd = posix.eventfd(0)
        await posix.send_fds(here, [b"x"], [eventfd])
        for fd in (eventfd, here):
            posix.close(fd)
        await posix.recv_fds(there, 1, 1)
        posix.close(there)

    (leak,) = leaks_of(run, main)
    assert leak.call == "recvmsg"
