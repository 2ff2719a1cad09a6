"""epoll as servers use it: who sleeps in it, for how long, and who is woken."""

from __future__ import annotations

import errno
from collections.abc import Callable
from signal import SIGUSR1
from typing import Any

import anyio
import pytest

from asyncipc import posix
from asyncipc.events import Event, Failure, SystemCall
from asyncipc.kernel.readiness import HUP, IN, OUT
from asyncipc.kernel.signals.disposition import SIGKILL
from asyncipc.kernel.sockets.socket import AF_UNIX, SHUT_RD, SHUT_WR, SOCK_DGRAM, SOCK_NONBLOCK
from tests.pace import have_passed

Run = Callable[..., Any]


def watching(*fds: int, events: int = posix.EPOLLIN) -> int:
    epoll = posix.epoll_create1()
    for fd in fds:
        posix.epoll_ctl(epoll, posix.EPOLL_CTL_ADD, fd, events)
    return epoll


def test_a_wait_ends_when_its_time_is_over(run: Run) -> None:
    async def main() -> None:
        r, _ = posix.pipe()
        epoll = watching(r)
        start = anyio.current_time()
        assert await posix.epoll_wait(epoll, 8, 2.5) == []
        assert have_passed(start, 2.5)
        assert await posix.epoll_wait(epoll, 8, 0) == []
        assert have_passed(start, 2.5)

    run(main)


def test_an_event_within_the_time_ends_the_wait(run: Run) -> None:
    async def main() -> None:
        r, w = posix.pipe()
        epoll = watching(r)

        async def child() -> None:
            await anyio.sleep(1)
            await posix.write(w, b"x")

        posix.fork(child)
        start = anyio.current_time()
        assert await posix.epoll_wait(epoll, 8, 60) == [(r, IN)]
        assert have_passed(start, 1)
        await posix.wait()

    run(main)


def test_the_last_to_sleep_is_woken_first_and_passes_what_is_left(run: Run) -> None:
    async def main() -> None:
        events = [posix.eventfd(0) for _ in range(3)]
        epoll = watching(*events, events=posix.EPOLLIN | posix.EPOLLET)
        served: list[tuple[str, int]] = []

        async def sleep(name: str) -> None:
            ((fd, _),) = await posix.epoll_wait(epoll, 1)
            served.append((name, events.index(fd)))

        async with anyio.create_task_group() as group:
            for name in "abc":
                group.start_soon(sleep, name)
                await anyio.sleep(1)
            for event in events:
                await posix.eventfd_write(event, 1)
        assert served == [("c", 0), ("b", 1), ("a", 2)]

    run(main)


def test_one_edge_is_told_to_one_sleeper(run: Run) -> None:
    async def main() -> None:
        event = posix.eventfd(0)
        epoll = watching(event, events=posix.EPOLLIN | posix.EPOLLET)
        served: list[str] = []

        async def sleep(name: str) -> None:
            if await posix.epoll_wait(epoll, 8, 10):
                served.append(name)

        async with anyio.create_task_group() as group:
            for name in "abc":
                group.start_soon(sleep, name)
                await anyio.sleep(1)
            await posix.eventfd_write(event, 1)
        assert served == ["c"]

    run(main)


def test_what_stays_ready_wakes_one_sleeper_after_the_other(run: Run) -> None:
    async def main() -> None:
        event = posix.eventfd(0)
        epoll = watching(event)
        served: list[str] = []

        async def sleep(name: str) -> None:
            assert await posix.epoll_wait(epoll, 8) == [(event, IN)]
            served.append(name)

        async with anyio.create_task_group() as group:
            for name in "abc":
                group.start_soon(sleep, name)
                await anyio.sleep(1)
            await posix.eventfd_write(event, 1)
        assert served == ["c", "b", "a"]

    run(main)


def test_a_killed_sleeper_leaves_the_event_to_the_next(run: Run) -> None:
    async def main() -> None:
        event = posix.eventfd(0)
        epoll = watching(event, events=posix.EPOLLIN | posix.EPOLLET)

        async def child() -> None:
            assert await posix.epoll_wait(epoll, 8) == [(event, IN)]

        first = posix.fork(child)
        await anyio.sleep(1)
        last = posix.fork(child)
        await anyio.sleep(1)
        await posix.eventfd_write(event, 1)
        posix.kill(last, SIGKILL)
        statuses = [await posix.waitpid(last), await posix.waitpid(first, posix.WNOHANG)]
        if statuses[1] == (0, 0):
            statuses[1] = await posix.waitpid(first)
        assert statuses == [(last, SIGKILL), (first, 0)]

    run(main, quantum=32)  # killed before it has its turn


def test_an_epoll_is_shared_over_fork_with_its_entries(run: Run) -> None:
    async def main() -> None:
        r, w = posix.pipe()
        epoll = watching(r)

        async def child() -> None:
            posix.close(r)
            assert await posix.epoll_wait(epoll, 8) == [(r, IN)]
            posix.close(w)

        pid = posix.fork(child)
        await posix.write(w, b"x")
        assert await posix.waitpid(pid) == (pid, 0)
        posix.close(w)
        assert await posix.epoll_wait(epoll, 8) == [(r, IN | HUP)]

    run(main)


def test_adding_wakes_a_sleeper_and_closing_the_epoll_does_not(run: Run) -> None:
    async def main() -> None:
        event = posix.eventfd(1)
        epoll = posix.epoll_create1()
        told: list[object] = []

        async def sleep(timeout_s: float) -> None:
            told.append(await posix.epoll_wait(epoll, 8, timeout_s))

        async with anyio.create_task_group() as group:
            group.start_soon(sleep, 10)
            await anyio.sleep(1)
            posix.epoll_ctl(epoll, posix.EPOLL_CTL_ADD, event, posix.EPOLLIN, 77)
        assert told == [[(77, IN)]]
        posix.epoll_ctl(epoll, posix.EPOLL_CTL_DEL, event)
        async with anyio.create_task_group() as group:
            group.start_soon(sleep, 10)
            await anyio.sleep(1)
            posix.close(epoll)
        assert told == [[(77, IN)], []]

    run(main)


def test_a_wait_on_an_epoll_in_an_epoll_ends_with_the_innermost_event(run: Run) -> None:
    async def main() -> None:
        r, w = posix.pipe()
        inner = watching(r)
        outer = watching(inner)

        async def child() -> None:
            await anyio.sleep(1)
            await posix.write(w, b"x")

        posix.fork(child)
        assert await posix.epoll_wait(outer, 8) == [(inner, IN)]
        assert await posix.poll([(outer, IN)]) == [(outer, IN)]
        assert await posix.epoll_wait(inner, 8) == [(r, IN)]
        await posix.wait()

    run(main)


@pytest.mark.parametrize("timeout_s", [None, 0, 1])
def test_a_wait_that_fails_is_told_and_runs_the_handlers_that_are_due(
    run: Run, timeout_s: float | None
) -> None:
    told: list[object] = []

    def observer(event: Event) -> None:
        if isinstance(event, SystemCall) and event.call == "epoll_wait":
            told.append(event.result)

    async def main() -> None:
        event = posix.eventfd(0)
        epoll = posix.epoll_create1()
        handled: list[int] = []
        posix.signal(SIGUSR1, lambda number, _: handled.append(number))

        async def interrupt() -> None:
            posix.kill(posix.getppid(), SIGUSR1)

        for fd, most in (99, 1), (epoll, 0), (event, 1):
            posix.fork(interrupt)
            await anyio.sleep(1)
            assert not handled, "it handles in its calls"
            with pytest.raises(OSError, match=r"Bad file|Invalid"):
                await posix.epoll_wait(fd, most, timeout_s)
            assert handled.pop() == SIGUSR1
            await posix.wait()

    run(main, observers=[observer])
    assert told == [Failure("EBADF"), Failure("EINVAL"), Failure("EINVAL")]


def test_an_epoll_that_a_handler_closes_before_the_call_acts_is_none(run: Run) -> None:
    async def main() -> None:
        epoll = posix.epoll_create1()
        posix.signal(SIGUSR1, lambda *_: posix.close(epoll))

        async def interrupt() -> None:
            posix.kill(posix.getppid(), SIGUSR1)

        posix.fork(interrupt)
        await anyio.sleep(1)
        with pytest.raises(OSError, match="Bad file descriptor"):
            await posix.epoll_wait(epoll, 1, 5)
        await posix.wait()

    run(main)


@pytest.mark.parametrize(
    ("case", "number", "shown"),
    [
        ("its own half is shut", errno.EPIPE, False),
        ("it is too long", errno.EMSGSIZE, False),
        ("the peer's half is shut", errno.EPIPE, True),
        ("the peer is gone", errno.ECONNREFUSED, True),
        ("nobody has the name", errno.ENOENT, True),
        ("the named one hears another", errno.EPERM, True),
        ("the named one is full", errno.EAGAIN, True),
    ],
)
def test_a_datagram_that_goes_nowhere_is_an_edge_once_it_was_made(
    run: Run, case: str, number: int, shown: bool
) -> None:
    """Measured: freeing the packet makes room (sock_wfree), and that is an event for EPOLLET."""

    async def main() -> None:
        a, b = posix.socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK)
        named, other = (posix.socket(AF_UNIX, SOCK_DGRAM) for _ in range(2))
        posix.bind(named, "named")
        posix.bind(other, "other")
        name, size = "", 1
        if case == "its own half is shut":
            posix.shutdown(a, SHUT_WR)
        elif case == "it is too long":
            size = 10**7
        elif case == "the peer's half is shut":
            posix.shutdown(b, SHUT_RD)
        elif case == "the peer is gone":
            posix.close(b)
        elif case == "nobody has the name":
            name = "nobody"
        elif case == "the named one hears another":
            name = "named"
            await posix.connect(named, "other")
        else:
            name = "named"
            for _ in range(11):
                await posix.sendto(a, b"", name)
        epoll = watching(a, events=posix.EPOLLOUT | posix.EPOLLET)
        await posix.epoll_wait(epoll, 1, 0)
        with pytest.raises(OSError) as failure:
            await (posix.sendto(a, bytes(size), name) if name else posix.send(a, bytes(size)))
        assert failure.value.errno == number
        assert await posix.epoll_wait(epoll, 1, 0) == ([(a, OUT)] if shown else [])

    run(main)


def test_wrong_calls_fail_as_linux_says(run: Run) -> None:
    async def main() -> None:
        event = posix.eventfd(0)
        epoll = posix.epoll_create1()

        async def number(epfd: int, most: int) -> int | None:
            try:
                await posix.epoll_wait(epfd, most, 0)
            except OSError as error:
                return error.errno
            return None

        assert await number(99, 0) == errno.EBADF
        assert await number(epoll, 0) == errno.EINVAL
        assert await number(epoll, 2**31 // 12 + 1) == errno.EINVAL
        assert await number(event, 1) == errno.EINVAL
        with pytest.raises(OSError, match="Bad file descriptor"):
            posix.epoll_ctl(99, posix.EPOLL_CTL_ADD, event)
        with pytest.raises(OSError, match="Bad file descriptor"):
            posix.epoll_ctl(epoll, posix.EPOLL_CTL_ADD, 99)
        with pytest.raises(PermissionError):
            posix.epoll_ctl(epoll, posix.EPOLL_CTL_ADD, 0)
        with pytest.raises(ValueError, match="NaN"):
            await posix.epoll_wait(epoll, 1, float("nan"))
        posix.set_blocking(epoll, False)
        assert await posix.epoll_wait(epoll, 1, 1) == [], "O_NONBLOCK is not for epoll_wait"

    run(main)
