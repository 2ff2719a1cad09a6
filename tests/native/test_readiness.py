"""poll, select, epoll and its kin over real descriptors."""

from __future__ import annotations

import os
import resource
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from signal import SIGKILL, SIGUSR1
from typing import Any

import anyio
import pytest

from asyncipc import Native, Unsupported, posix
from asyncipc.kernel.readiness import HUP, IN, NVAL, OUT, PRI
from tests.native.readiness_programs import LARGE, report_and_end, sleep_long
from tests.pace import run_fast

Run = Callable[..., Any]
REAL_SECONDS = 8.0


@pytest.fixture
def native(backend: str, leftovers: Any, tmp_path: Path) -> Iterator[Run]:
    """A run of tasks over real objects, which leaves no descriptor open."""
    before = os.listdir("/proc/self/fd")

    def run(main: Callable[..., Any], machine: Native | None = None, **options: Any) -> Any:
        machine = machine or Native(root=str(tmp_path / "root"))
        return run_fast(machine, backend, main, (), REAL_SECONDS, **options)

    yield run
    leftovers.check()
    assert os.listdir("/proc/self/fd") == before


@pytest.fixture
def isolated(native: Run) -> Run:
    return lambda main: native(main, Native(isolation="process"))


# -- poll and select


def test_the_models_console_is_asked_with_the_real_ones(native: Run) -> None:
    async def main() -> None:
        r, w = posix.pipe()
        posix.close(w)
        asked = [(r, IN), (1, OUT), (77, IN), (-1, IN)]
        assert await posix.poll(asked) == [(r, HUP), (1, OUT), (77, NVAL)]
        assert await posix.select([r], [1], []) == ([r], [1], [])

    native(main)


def test_who_polls_bars_nobody_and_is_woken_with_all_others(native: Run) -> None:
    async def main() -> None:
        r, w = posix.pipe()
        told: list[object] = []

        async def watch() -> None:
            told.append(await posix.poll([(r, IN)]))

        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(watch)
            await anyio.sleep(1)
            posix.set_blocking(r, False)
            with pytest.raises(BlockingIOError):
                await posix.read(r, 1)
            await posix.write(w, b"x")
        assert told == [[(r, IN)]] * 3
        assert await posix.read(r, 1) == b"x"

    native(main)


def test_one_open_file_may_be_asked_for_different_things_by_two_names(native: Run) -> None:
    async def main() -> None:
        a, b = posix.socketpair(1, 1)
        again = posix.dup(a)
        assert await posix.poll([(a, IN), (again, OUT)]) == [(again, OUT)]
        await posix.send(b, b"x")
        assert await posix.poll([(a, IN), (again, OUT), (a, OUT)]) == [
            (a, IN),
            (again, OUT),
            (a, OUT),
        ]
        assert await posix.select([again, a], [a], []) == ([again, a], [a], [])

    native(main)


def test_a_regular_file_is_ready_and_never_urgent(native: Run) -> None:
    async def main() -> None:
        fd = await posix.open("file", posix.O_CREAT | posix.O_RDWR)
        assert await posix.poll([(fd, IN | OUT)]) == [(fd, IN | OUT)]
        assert await posix.poll([(fd, PRI)], 1) == []

    native(main)


def test_a_killed_poller_leaves_nothing_and_disturbs_nobody(native: Run) -> None:
    async def main() -> None:
        r, w = posix.pipe()
        pid = posix.fork(posix.poll, [(r, IN)])
        told: list[object] = []

        async def watch() -> None:
            told.append(await posix.poll([(r, IN)]))

        async with anyio.create_task_group() as group:
            group.start_soon(watch)
            await anyio.sleep(1)
            posix.kill(pid, SIGKILL)
            assert await posix.waitpid(pid) == (pid, SIGKILL)
            await posix.write(w, b"x")
        assert told == [[(r, IN)]]

    native(main)


def test_a_number_that_a_dead_sleeper_waited_for_is_the_next_ones(native: Run) -> None:
    """It is closed in the instant of the kill, before the dead one's task has run."""

    async def main() -> None:
        r, w = posix.pipe()
        pid = posix.fork(posix.read, r, 1)
        await anyio.sleep(1)
        posix.close(r)

        async def write_later(fd: int) -> None:
            await anyio.sleep(1)
            await posix.write(fd, b"y")

        async with anyio.create_task_group() as group:
            posix.kill(pid, SIGKILL)
            again, other = posix.pipe()
            group.start_soon(write_later, other)
            assert await posix.read(again, 1) == b"y"
        posix.close(w)
        assert await posix.waitpid(pid) == (pid, SIGKILL)

    native(main, observers=[lambda event: None])  # who is watched sleeps without a second try


def test_who_finds_no_number_free_for_its_epoll_looks_again_and_again(native: Run) -> None:
    async def main() -> None:
        r, w = posix.pipe()
        told: list[object] = []

        async def watch() -> None:
            told.append(await posix.poll([(r, IN)]))

        former = resource.getrlimit(resource.RLIMIT_NOFILE)
        lowest = os.dup(0)
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, former[1]))
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(watch)
                await anyio.sleep(1)
                await posix.write(w, b"x")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, former)
        assert told == [[(r, IN)]]

    native(main)


# -- epoll


def test_an_epoll_tells_64_bits_of_data_with_a_sign(native: Run) -> None:
    async def main() -> None:
        epoll = posix.epoll_create1()
        for data in (LARGE, -1, 0):
            event = posix.eventfd(1)
            posix.epoll_ctl(epoll, posix.EPOLL_CTL_ADD, event, IN, data)
        assert await posix.epoll_wait(epoll, 8) == [(LARGE, IN), (-1, IN), (0, IN)]
        with pytest.raises(OverflowError):
            posix.epoll_ctl(epoll, posix.EPOLL_CTL_MOD, event, IN, 2**63)

    native(main)


def test_two_numbers_of_one_open_file_are_two_entries(native: Run) -> None:
    async def main() -> None:
        r, w = posix.pipe()
        again = posix.dup(r)
        epoll = posix.epoll_create1()

        def ctl(operation: int, fd: int) -> None:
            posix.epoll_ctl(epoll, operation, fd, IN)

        ctl(posix.EPOLL_CTL_ADD, r)
        with pytest.raises(FileNotFoundError):
            ctl(posix.EPOLL_CTL_MOD, again)
        ctl(posix.EPOLL_CTL_ADD, again)
        for fd in (r, again):
            with pytest.raises(FileExistsError):
                ctl(posix.EPOLL_CTL_ADD, fd)
        await posix.write(w, b"x")
        assert sorted(await posix.epoll_wait(epoll, 8)) == [(r, IN), (again, IN)]
        ctl(posix.EPOLL_CTL_DEL, r)
        assert await posix.epoll_wait(epoll, 8) == [(again, IN)]
        ctl(posix.EPOLL_CTL_ADD, r)
        posix.close(r)
        assert len(await posix.epoll_wait(epoll, 8)) == 2, "the file is open by its other name"
        posix.close(again)
        assert await posix.epoll_wait(epoll, 8, 0) == []

    native(main)


def test_entries_go_with_the_epoll_and_their_files_stay(native: Run) -> None:
    async def main() -> None:
        r, w = posix.pipe()
        again = posix.dup(r)
        epoll = posix.epoll_create1()
        for fd in (r, again):
            posix.epoll_ctl(epoll, posix.EPOLL_CTL_ADD, fd, IN)
        posix.close(epoll)
        epoll = posix.epoll_create1()
        posix.epoll_ctl(epoll, posix.EPOLL_CTL_ADD, again, IN)
        await posix.write(w, b"x")
        assert await posix.epoll_wait(epoll, 8) == [(again, IN)]

    native(main)


def test_what_is_no_file_of_the_system_is_in_no_epoll(native: Run) -> None:
    async def main() -> None:
        epoll = posix.epoll_create1()
        with pytest.raises(PermissionError):
            posix.epoll_ctl(epoll, posix.EPOLL_CTL_ADD, 1, OUT)
        with pytest.raises(OSError, match="Invalid argument"):
            posix.epoll_ctl(epoll, posix.EPOLL_CTL_ADD, epoll, IN)
        with pytest.raises(OSError, match="Invalid argument"):
            posix.epoll_create1(1)

    native(main)


def test_many_may_sleep_in_one_epoll_and_one_event_is_one_ones(native: Run) -> None:
    async def main() -> None:
        event = posix.eventfd(0, posix.EFD_SEMAPHORE)
        epoll = posix.epoll_create1()
        posix.epoll_ctl(epoll, posix.EPOLL_CTL_ADD, event, IN | posix.EPOLLET)
        served: list[int] = []

        async def sleep(place: int) -> None:
            await posix.epoll_wait(epoll, 8)
            served.append(place)

        async with anyio.create_task_group() as group:
            for place in range(6):
                group.start_soon(sleep, place)
                await anyio.sleep(0.5)
            for rest in (5, 4, 3, 2, 1, 0):
                await posix.eventfd_write(event, 1)
                await anyio.sleep(0.5)
                assert len(served) == 6 - rest
        assert served == [5, 4, 3, 2, 1, 0]

    native(main)


# -- timerfd


def test_a_timerfd_is_on_the_systems_clock(native: Run) -> None:
    async def main() -> None:
        timer = posix.timerfd_create(posix.CLOCK_MONOTONIC)
        assert posix.timerfd_settime(timer, initial=1000, interval=0.25) == (0, 0)
        left, interval = posix.timerfd_gettime(timer)
        assert 999 < left <= 1000
        assert interval == 0.25
        assert await posix.poll([(timer, IN)], 0) == []
        former = posix.timerfd_settime_ns(timer, initial=20_000_000, interval=1_000_000)
        assert former[1] == 250_000_000
        assert await posix.poll([(timer, IN)]) == [(timer, IN)]
        await anyio.sleep(0.5)
        assert int.from_bytes(await posix.read(timer, 8), "little") > 1
        posix.timerfd_settime(timer, flags=posix.TFD_TIMER_ABSTIME, initial=1e-9)
        assert await posix.read(timer, 8) == (1).to_bytes(8, "little"), "a time that is past"

    native(main)


# -- signalfd and pidfd: of real processes


def test_a_signalfd_and_a_pidfd_are_refused_between_tasks(native: Run) -> None:
    async def main() -> None:
        with pytest.raises(Unsupported, match=r"signalfd.*isolation='process'"):
            posix.signalfd(-1, [SIGUSR1])
        with pytest.raises(Unsupported, match=r"pidfd.*isolation='process'"):
            posix.pidfd_open(posix.getpid())

    native(main)


def test_a_child_waits_in_the_epoll_of_its_parent(isolated: Run) -> None:
    async def main() -> None:
        r, w = posix.pipe()
        heard, report = posix.pipe()
        event, epoll = posix.eventfd(0), posix.epoll_create1()
        posix.epoll_ctl(epoll, posix.EPOLL_CTL_ADD, r, IN, LARGE)
        posix.fork(report_and_end, epoll, event, report)
        await posix.write(w, b"x")
        assert await posix.eventfd_read(event) == 5
        assert await posix.read(heard, 99) == repr([(LARGE, IN)]).encode()
        assert (await posix.wait())[1] == 3 << 8

    isolated(main)


def test_a_pidfd_is_a_real_process(isolated: Run) -> None:
    async def main() -> None:
        pid = posix.fork(sleep_long)
        pidfd = posix.pidfd_open(pid)
        assert await posix.poll([(pidfd, IN)], 0) == []
        posix.pidfd_send_signal(pidfd, SIGKILL)
        ((fd, mask),) = await posix.poll([(pidfd, IN)])
        assert (fd, mask & IN) == (pidfd, IN)
        info = await posix.waitid(posix.P_PIDFD, pidfd, posix.WEXITED)
        assert info is not None
        assert (info.si_pid, info.si_status) == (pid, SIGKILL)
        with pytest.raises(ChildProcessError):
            await posix.waitid(posix.P_PIDFD, pidfd, posix.WEXITED)
        with pytest.raises(ProcessLookupError):
            posix.pidfd_send_signal(pidfd, 0)

    isolated(main)


def test_a_signalfd_reads_real_signals(isolated: Run) -> None:
    async def main() -> None:
        posix.pthread_sigmask(posix.SIG_BLOCK, [SIGUSR1])
        fd = posix.signalfd(-1, [SIGUSR1])
        r, _ = posix.pipe()

        async def send() -> None:
            await anyio.sleep(1)
            os.kill(os.getpid(), SIGUSR1)

        async with anyio.create_task_group() as group:
            group.start_soon(send)
            assert await posix.poll([(r, IN), (fd, IN)]) == [(fd, IN)]
        (number,) = struct.unpack_from("<I", await posix.read(fd, 128))
        assert number == SIGUSR1
        with pytest.raises(Unsupported, match="epoll"):
            posix.epoll_ctl(posix.epoll_create1(), posix.EPOLL_CTL_ADD, fd, IN)
        with pytest.raises(Unsupported, match="signalfd"):
            posix.fork(sleep_long)

    isolated(main)
