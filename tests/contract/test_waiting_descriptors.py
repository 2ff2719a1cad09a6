"""epoll, eventfd, timerfd, signalfd and pidfd as programs use them: who sleeps in them is
woken, cancelled, killed and interrupted, on both event loops, and nothing is lost.
"""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from signal import SIGCHLD, SIGKILL, SIGSTOP, SIGUSR1, SIGUSR2
from typing import Any

import anyio
import pytest

from asyncipc import posix
from asyncipc.kernel.anonymous.eventfd import COUNTER_MAX
from asyncipc.kernel.readiness import HUP, IN, OUT, RDNORM

Run = Callable[..., Any]
Call = Callable[[], Awaitable[object]]


signalfd = pytest.mark.simulated("signalfd is refused between tasks of one interpreter")
pidfd = pytest.mark.simulated("pidfd is refused between tasks of one interpreter")


class Case:
    """A call that sleeps; ``end`` is what ends its sleep, ``result`` what it answers then."""

    def __init__(self, call: Call, end: Call, result: object) -> None:
        self.call = call
        self.end = end
        self.result = result


async def waiting_in_epoll() -> Case:
    r, w = posix.pipe()
    epoll = posix.epoll_create1()
    posix.epoll_ctl(epoll, posix.EPOLL_CTL_ADD, r, posix.EPOLLIN | posix.EPOLLET)
    return Case(lambda: posix.epoll_wait(epoll, 8), lambda: posix.write(w, b"x"), [(r, IN)])


async def reading_an_eventfd() -> Case:
    event = posix.eventfd(0)
    return Case(lambda: posix.eventfd_read(event), lambda: posix.eventfd_write(event, 7), 7)


async def writing_an_eventfd() -> Case:
    event = posix.eventfd(0)
    await posix.eventfd_write(event, COUNTER_MAX)
    return Case(lambda: posix.eventfd_write(event, 7), lambda: posix.eventfd_read(event), None)


async def reading_a_timerfd() -> Case:
    timer = posix.timerfd_create(posix.CLOCK_MONOTONIC)

    async def end() -> None:
        posix.timerfd_settime_ns(timer, initial=1)

    return Case(lambda: posix.read(timer, 8), end, (1).to_bytes(8, "little"))


async def polling_a_pidfd() -> Case:
    pid = posix.fork(posix.nanosleep, 10_000)
    pidfd = posix.pidfd_open(pid)

    async def end() -> None:
        posix.pidfd_send_signal(pidfd, SIGKILL)

    return Case(lambda: posix.poll([(pidfd, IN)]), end, [(pidfd, IN)])


async def waiting_for_a_pidfd() -> Case:
    pid = posix.fork(posix.nanosleep, 10_000)
    pidfd = posix.pidfd_open(pid)

    async def call() -> object:
        info = await posix.waitid(posix.P_PIDFD, pidfd, posix.WEXITED)
        return None if info is None else info.si_status

    async def end() -> None:
        posix.kill(pid, SIGKILL)

    return Case(call, end, SIGKILL)


MAKERS = [
    waiting_in_epoll,
    reading_an_eventfd,
    writing_an_eventfd,
    reading_a_timerfd,
    pytest.param(polling_a_pidfd, marks=pidfd),
    pytest.param(waiting_for_a_pidfd, marks=pidfd),
]
each = pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)


@each
def test_a_sleeper_is_woken_by_what_it_waits_for(
    run: Run, make: Callable[[], Awaitable[Case]]
) -> None:
    async def main() -> None:
        case = await make()
        results: list[object] = []

        async def sleep() -> None:
            results.append(await case.call())

        async with anyio.create_task_group() as group:
            group.start_soon(sleep)
            await anyio.sleep(1)
            await case.end()
        assert results == [case.result]

    run(main)


@each
def test_a_cancelled_sleeper_has_taken_nothing(
    run: Run, make: Callable[[], Awaitable[Case]]
) -> None:
    async def main() -> None:
        case = await make()
        for early in (True, False):
            with anyio.move_on_after(1) as scope:
                if early:
                    scope.cancel()
                await case.call()
            assert scope.cancelled_caught
        await case.end()
        assert await case.call() == case.result

    run(main)


@each
def test_a_sleeper_that_is_woken_and_cancelled_at_once_leaves_it_to_the_next(
    run: Run, make: Callable[[], Awaitable[Case]]
) -> None:
    async def main() -> None:
        case = await make()
        taken: list[object] = []

        async with anyio.create_task_group() as group:

            async def sleep() -> None:
                taken.append(await case.call())

            group.start_soon(sleep)
            await anyio.sleep(1)
            await case.end()
            group.cancel_scope.cancel()
        if not taken:
            assert await case.call() == case.result
        else:
            assert taken == [case.result]

    run(main)


@each
def test_a_sleeper_that_is_killed_holds_nothing(
    run: Run, make: Callable[[], Awaitable[Case]]
) -> None:
    async def main() -> None:
        async def child() -> None:
            case = await make()
            await case.call()

        pid = posix.fork(child)
        await anyio.sleep(1)
        posix.kill(pid, SIGKILL)
        assert await posix.waitpid(pid) == (pid, SIGKILL)
        with suppress(ProcessLookupError):
            posix.kill(-1, SIGKILL)  # what the child had started

    run(main)


@each
@pytest.mark.parametrize("restarts", [False, True], ids=["handler", "SA_RESTART"])
def test_a_handler_interrupts_a_sleeper(
    run: Run, make: Callable[[], Awaitable[Case]], *, restarts: bool
) -> None:
    never_restarts = make in (waiting_in_epoll, polling_a_pidfd)

    async def child() -> None:
        posix.signal(SIGUSR1, lambda *_: None, posix.SA_RESTART if restarts else 0)
        case = await make()
        results: list[object] = []

        async def sleep() -> None:
            try:
                results.append(await case.call())
            except InterruptedError:
                results.append("EINTR")

        async with anyio.create_task_group() as group:
            group.start_soon(sleep)
            await anyio.sleep(2)
            await case.end()
        goes_on = restarts and not never_restarts
        assert results == [case.result if goes_on else "EINTR"]

    async def main() -> None:
        pid = posix.fork(child)
        await anyio.sleep(1)
        posix.kill(pid, SIGUSR1)
        assert await posix.waitpid(pid) == (pid, 0)

    run(main)


# -- signalfd: what is read is the reader's


SIGNAL = struct.Struct("<I124x")


@signalfd
def test_a_signalfd_is_read_instead_of_a_handler(run: Run) -> None:
    async def main() -> None:
        posix.pthread_sigmask(posix.SIG_BLOCK, [SIGUSR1])
        fd = posix.signalfd(-1, [SIGUSR1])
        parent = posix.getpid()

        async def child() -> None:
            await anyio.sleep(1)
            posix.kill(parent, SIGUSR1)

        posix.fork(child)
        assert SIGNAL.unpack(await posix.read(fd, 128)) == (SIGUSR1,)
        await posix.wait()

    run(main)


@signalfd
def test_a_child_reads_its_own_signals_from_a_signalfd_that_it_inherits(run: Run) -> None:
    async def main() -> None:
        posix.pthread_sigmask(posix.SIG_BLOCK, [SIGUSR1, SIGUSR2])
        fd = posix.signalfd(-1, [SIGUSR1, SIGUSR2])
        epoll = posix.epoll_create1()

        async def child() -> None:
            posix.epoll_ctl(epoll, posix.EPOLL_CTL_ADD, fd, posix.EPOLLIN)
            assert await posix.epoll_wait(epoll, 8) == [(fd, IN)]
            assert await posix.poll([(fd, IN)]) == [(fd, IN)]
            assert SIGNAL.unpack(await posix.read(fd, 128)) == (SIGUSR2,)

        pid = posix.fork(child)
        posix.kill(posix.getpid(), SIGUSR1)
        await anyio.sleep(1)
        posix.kill(pid, SIGUSR2)
        assert await posix.waitpid(pid) == (pid, 0)
        assert SIGNAL.unpack(await posix.read(fd, 128)) == (SIGUSR1,)

    run(main)


@signalfd
def test_a_signalfd_in_an_epoll_tells_whoever_added_it_though_a_child_modifies_it(run: Run) -> None:
    """Measured: EPOLL_CTL_MOD watches nobody anew."""

    async def main() -> None:
        posix.pthread_sigmask(posix.SIG_BLOCK, [SIGUSR1])
        signals = posix.signalfd(-1, [SIGUSR1])
        epoll = posix.epoll_create1()
        posix.epoll_ctl(epoll, posix.EPOLL_CTL_ADD, signals, IN)

        async def modify() -> None:
            posix.epoll_ctl(epoll, posix.EPOLL_CTL_MOD, signals, IN)
            await anyio.sleep(5)

        async def send() -> None:
            await anyio.sleep(1)
            posix.kill(posix.getppid(), SIGUSR1)

        start = anyio.current_time()
        posix.fork(modify)
        posix.fork(send)
        await anyio.sleep(0.5)
        assert await posix.epoll_wait(epoll, 1, 60) == [(signals, IN)]
        assert anyio.current_time() - start == pytest.approx(1)
        for _ in range(2):
            await posix.wait()

    run(main)


@signalfd
def test_a_cancelled_or_killed_reader_of_a_signalfd_takes_no_signal(run: Run) -> None:
    async def main() -> None:
        posix.pthread_sigmask(posix.SIG_BLOCK, [SIGUSR1])
        fd = posix.signalfd(-1, [SIGUSR1])
        pid = posix.fork(posix.read, fd, 128)
        with anyio.move_on_after(1):
            await posix.read(fd, 128)
        posix.kill(pid, SIGKILL)
        assert await posix.waitpid(pid) == (pid, SIGKILL)
        posix.kill(posix.getpid(), SIGUSR1)
        assert SIGNAL.unpack(await posix.read(fd, 128)) == (SIGUSR1,)

    run(main)


@signalfd
def test_a_handler_interrupts_a_reader_of_a_signalfd(run: Run) -> None:
    async def child() -> None:
        posix.signal(SIGUSR2, lambda *_: None)
        posix.pthread_sigmask(posix.SIG_BLOCK, [SIGUSR1])
        fd = posix.signalfd(-1, [SIGUSR1])
        with pytest.raises(InterruptedError):
            await posix.read(fd, 128)

    async def main() -> None:
        pid = posix.fork(child)
        await anyio.sleep(1)
        posix.kill(pid, SIGUSR2)
        assert await posix.waitpid(pid) == (pid, 0)

    run(main)


@signalfd
def test_a_signalfd_tells_of_children(run: Run) -> None:
    async def main() -> None:
        posix.pthread_sigmask(posix.SIG_BLOCK, [SIGCHLD])
        fd = posix.signalfd(-1, [SIGCHLD], posix.SFD_NONBLOCK)
        with pytest.raises(BlockingIOError):
            await posix.read(fd, 128)
        pid = posix.fork(posix.nanosleep, 1)
        assert await posix.poll([(fd, IN)]) == [(fd, IN)]
        record = await posix.read(fd, 1024)
        assert struct.unpack_from("<IiiI", record) == (SIGCHLD, 0, 1, pid)
        await posix.wait()

    run(main)


# -- timerfd, pidfd


@pytest.mark.simulated("a timerfd on virtual time")
def test_a_timerfd_keeps_the_machines_time(run: Run) -> None:
    async def main() -> None:
        timer = posix.timerfd_create(posix.CLOCK_REALTIME)
        assert posix.timerfd_settime(timer, initial=2.5, interval=0.5) == (0.0, 0.0)
        assert await posix.poll([(timer, IN)], 2) == []
        assert posix.timerfd_gettime(timer) == (0.5, 0.5)
        start = anyio.current_time()
        assert int.from_bytes(await posix.read(timer, 8), "little") == 1
        assert anyio.current_time() - start == pytest.approx(0.5)
        await anyio.sleep(1.75)
        assert int.from_bytes(await posix.read(timer, 8), "little") == 3
        assert posix.timerfd_settime(timer) == (pytest.approx(0.25), 0.5)

    run(main)


@pytest.mark.parametrize("seconds", [1e30, -1e30, 2**63 / 1e9, float("inf"), float("nan")])
def test_a_time_of_more_than_64_bits_is_an_overflow(run: Run, seconds: float) -> None:
    """As os.timerfd_settime of Python 3.13 says, of what is no number too."""

    async def main() -> None:
        timer = posix.timerfd_create(posix.CLOCK_MONOTONIC)
        for times in ({"initial": seconds}, {"initial": 1.0, "interval": seconds}):
            with pytest.raises(OverflowError):
                posix.timerfd_settime(timer, **times)
        assert posix.timerfd_gettime(timer) == (0.0, 0.0)

    run(main)


def test_a_time_that_is_none_is_refused(run: Run) -> None:
    async def main() -> None:
        timer = posix.timerfd_create(posix.CLOCK_MONOTONIC)
        for ns in (2**63, -(2**63) - 1):
            with pytest.raises(OverflowError):
                posix.timerfd_settime_ns(timer, initial=ns)
            with pytest.raises(OverflowError):
                posix.timerfd_settime_ns(timer, initial=1, interval=ns)
        for seconds in (-1.0, -1e-10):
            with pytest.raises(OSError, match="Invalid argument"):
                posix.timerfd_settime(timer, initial=seconds)

    run(main)


@pytest.mark.simulated("a timerfd on virtual time")
def test_the_longest_time_is_the_last_nanosecond_of_the_clock(run: Run) -> None:
    async def main() -> None:
        await anyio.sleep(1)
        timer = posix.timerfd_create(posix.CLOCK_MONOTONIC)
        most = 2**63 - 1
        for flags in (0, posix.TFD_TIMER_ABSTIME):
            posix.timerfd_settime_ns(timer, flags=flags, initial=most, interval=most)
            assert posix.timerfd_gettime_ns(timer) == (most - 10**9, most)
        posix.timerfd_settime_ns(timer, initial=1, interval=most)
        assert await posix.read(timer, 8) == (1).to_bytes(8, "little")
        assert posix.timerfd_gettime_ns(timer) == (most - 10**9 - 1, most)

    run(main)


@pidfd
def test_a_pidfd_outlives_its_process(run: Run) -> None:
    async def main() -> None:
        pid = posix.fork(posix.nanosleep, 1)
        pidfd = posix.pidfd_open(pid, posix.PIDFD_NONBLOCK)
        with pytest.raises(BlockingIOError):
            await posix.waitid(posix.P_PIDFD, pidfd, posix.WEXITED)
        assert await posix.poll([(pidfd, IN)]) == [(pidfd, IN)]
        info = await posix.waitid(posix.P_PIDFD, pidfd, posix.WEXITED)
        assert info is not None
        assert info.si_pid == pid
        assert await posix.poll([(pidfd, IN | RDNORM)]) == [(pidfd, IN | RDNORM | HUP)]
        with pytest.raises(ProcessLookupError):
            posix.pidfd_send_signal(pidfd, 0)
        assert not posix.get_inheritable(pidfd)

    run(main)


@pidfd
def test_a_socket_gives_a_pidfd_of_its_peer_though_that_is_gone(run: Run) -> None:
    async def main() -> None:
        listener = posix.socket(1, 1)
        posix.bind(listener, "\0peer")
        posix.listen(listener, 1)

        async def child() -> None:
            await posix.connect(posix.socket(1, 1), "\0peer")

        pid = posix.fork(child)
        connection, _ = await posix.accept(listener)
        await posix.waitpid(pid)
        pidfd = posix.getsockopt(connection, 1, posix.SO_PEERPIDFD)
        assert isinstance(pidfd, int)
        assert await posix.poll([(pidfd, IN)]) == [(pidfd, IN | HUP)]
        with pytest.raises(OSError, match="No data available"):
            posix.getsockopt(posix.socket(2, 1), 1, posix.SO_PEERPIDFD)

    run(main)


def test_numbers_that_do_not_fit_are_refused(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(OverflowError):
            posix.eventfd(2**32)
        event = posix.eventfd(0, 0)
        assert posix.get_inheritable(event)
        with pytest.raises(OverflowError):
            await posix.eventfd_write(event, 2**64)
        with pytest.raises(OSError, match="Invalid argument"):
            await posix.eventfd_write(event, 2**64 - 1)
        with pytest.raises(OSError, match="Invalid argument"):
            posix.timerfd_gettime(event)
        with pytest.raises(OSError, match="Invalid argument"):
            posix.signalfd(event, [SIGUSR1])
        with pytest.raises(OSError, match="Bad file descriptor"):
            posix.pidfd_send_signal(event, 0)

    run(main)


def test_o_async_is_taken_and_not_kept(run: Run) -> None:
    """Measured: none of them has a fasync."""

    async def main() -> None:
        event = posix.eventfd(0)
        posix.fcntl(event, posix.F_SETFL, posix.O_ASYNC | posix.O_NONBLOCK)
        assert posix.fcntl(event, posix.F_GETFL) == posix.O_RDWR | posix.O_NONBLOCK

    run(main)


def test_a_full_eventfd_is_not_writable(run: Run) -> None:
    async def main() -> None:
        event = posix.eventfd(1, posix.EFD_NONBLOCK | posix.EFD_SEMAPHORE)
        assert await posix.poll([(event, IN | OUT)], 0) == [(event, IN | OUT)]
        await posix.eventfd_write(event, COUNTER_MAX - 1)
        assert await posix.poll([(event, IN | OUT)], 0) == [(event, IN)]
        with pytest.raises(BlockingIOError):
            await posix.eventfd_write(event, 1)
        assert await posix.eventfd_read(event) == 1

    run(main)


def test_a_stop_interrupts_epoll_and_lets_a_read_go_on(run: Run) -> None:
    async def main() -> None:
        event = posix.eventfd(0)

        async def read() -> None:
            assert await posix.eventfd_read(event) == 5

        async def wait() -> None:
            with pytest.raises(InterruptedError):
                await posix.epoll_wait(posix.epoll_create1(), 1)

        pids = [posix.fork(read), posix.fork(wait)]
        await anyio.sleep(1)
        for pid in pids:
            posix.kill(pid, SIGSTOP)
            await posix.waitpid(pid, posix.WUNTRACED)
            posix.kill(pid, 18)
        await posix.eventfd_write(event, 5)
        for pid in pids:
            assert await posix.waitpid(pid) == (pid, 0)

    run(main)
