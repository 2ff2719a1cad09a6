"""What becomes of a sleeping call when a handler runs: EINTR, a new beginning, a short count.

And what a cancellation or SIGKILL does to the calls that wait for signals.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from signal import SIGALRM, SIGTERM, SIGUSR1, SIGUSR2
from typing import Any

import anyio
import pytest

from asyncipc import posix
from asyncipc.faces.signal_receiver import open_signal_receiver
from asyncipc.kernel.readiness import IN
from asyncipc.kernel.signals.disposition import SIGCONT, SIGKILL, SIGSTOP
from asyncipc.kernel.sockets.options import SO_RCVTIMEO, SO_SNDTIMEO, SOL_SOCKET
from asyncipc.kernel.sockets.socket import MSG_WAITALL
from tests.contract.test_cancel_parked import fill
from tests.pace import have_passed, until_asleep

Run = Callable[..., Any]
Call = Callable[[], Awaitable[object]]
Made = tuple[Call, Callable[[], Awaitable[object]]]
"""A call that sleeps, and what ends its sleep."""


async def reading() -> Made:
    r, w = posix.pipe()
    return lambda: posix.read(r, 9), lambda: posix.write(w, b"x")


async def writing() -> Made:
    r, w = posix.pipe()
    await fill(w)
    return lambda: posix.write(w, b"x"), lambda: posix.read(r, 65536)


async def receiving() -> Made:
    a, b = posix.socketpair()
    return lambda: posix.recv(a, 9), lambda: posix.send(b, b"x")


async def sending() -> Made:
    a, b = posix.socketpair()
    await fill(a)

    async def drain() -> None:
        for _ in range(40):
            await posix.recv(b, 65536, 0x40)

    return lambda: posix.send(a, b"x"), lambda: _until_dry(drain)


async def _until_dry(drain: Call) -> None:
    with pytest.raises(BlockingIOError):
        await drain()


async def waiting() -> Made:
    pid = posix.fork(posix.nanosleep, 20)

    async def end() -> None:
        posix.kill(pid, SIGKILL)

    return posix.wait, end


async def polling() -> Made:
    r, w = posix.pipe()
    return lambda: posix.poll([(r, IN)]), lambda: posix.write(w, b"x")


async def selecting() -> Made:
    r, w = posix.pipe()
    return lambda: posix.select([r], [], []), lambda: posix.write(w, b"x")


async def polling_for_a_while() -> Made:
    r, w = posix.pipe()
    return lambda: posix.poll([(r, IN)], 1000), lambda: posix.write(w, b"x")


async def napping() -> Made:
    return lambda: posix.nanosleep(1000), _never


async def pausing() -> Made:
    return posix.pause, _never


async def suspended() -> Made:
    return lambda: posix.sigsuspend([SIGTERM]), _never


async def waiting_for_a_signal() -> Made:
    posix.pthread_sigmask(posix.SIG_BLOCK, [SIGUSR2])
    return lambda: posix.sigwaitinfo([SIGUSR2]), _raise_usr2


async def waiting_for_a_signal_for_a_while() -> Made:
    posix.pthread_sigmask(posix.SIG_BLOCK, [SIGUSR2])
    return lambda: posix.sigtimedwait([SIGUSR2], 1000), _raise_usr2


async def sigwaiting() -> Made:
    posix.pthread_sigmask(posix.SIG_BLOCK, [SIGUSR2])
    return lambda: posix.sigwait([SIGUSR2]), _raise_usr2


async def receiving_with_a_limit() -> Made:
    a, b = posix.socketpair()
    posix.setsockopt(a, SOL_SOCKET, SO_RCVTIMEO, (1000).to_bytes(8, "little") + bytes(8))
    return lambda: posix.recv(a, 9), lambda: posix.send(b, b"x")


async def sending_with_a_limit() -> Made:
    call, end = await sending()
    posix.setsockopt(3, SOL_SOCKET, SO_SNDTIMEO, (1000).to_bytes(8, "little") + bytes(8))
    return call, end


async def _never() -> None:
    raise AssertionError


async def _raise_usr2() -> None:
    posix.kill(posix.getpid(), SIGUSR2)


RESTART = [reading, writing, receiving, sending, waiting]
NEVER_RESTART = [
    polling, selecting, polling_for_a_while, napping, pausing, suspended, waiting_for_a_signal,
    waiting_for_a_signal_for_a_while, receiving_with_a_limit, sending_with_a_limit,
]  # fmt: skip
ALWAYS_GO_ON = [sigwaiting]
OF_SIGNALS = [napping, pausing, suspended, waiting_for_a_signal, sigwaiting]


def interrupted(run: Run, make: Callable[[], Awaitable[Made]], flags: int) -> list[object]:
    """Handle a signal in the middle of a call, and later end its sleep."""
    seen: list[object] = []

    async def child() -> None:
        call, end = await make()
        posix.signal(SIGUSR1, lambda *_: seen.append("handled"), flags)
        async with anyio.create_task_group() as group:
            group.start_soon(end_it, end)
            try:
                await call()
                seen.append("done")
            except InterruptedError:
                seen.append("EINTR")
            assert posix.pthread_sigmask(posix.SIG_BLOCK, ()) <= {SIGUSR2}
            group.cancel_scope.cancel()

    async def end_it(end: Call) -> None:
        await anyio.sleep(5)
        seen.append("ends")
        await end()

    async def main() -> None:
        pid = posix.fork(child)
        await until_asleep(pid)
        posix.kill(pid, SIGUSR1)
        assert await posix.waitpid(pid) == (pid, 0)

    run(main)
    return seen


@pytest.mark.parametrize("make", RESTART + NEVER_RESTART)
def test_without_sa_restart_a_handler_ends_the_call(run: Run, make: Any) -> None:
    assert interrupted(run, make, 0) == ["handled", "EINTR"]


@pytest.mark.parametrize("make", RESTART + ALWAYS_GO_ON)
def test_with_sa_restart_the_call_begins_anew(run: Run, make: Any) -> None:
    assert interrupted(run, make, posix.SA_RESTART) == ["handled", "ends", "done"]


@pytest.mark.parametrize("make", ALWAYS_GO_ON)
def test_sigwait_goes_on_in_any_case(run: Run, make: Any) -> None:
    assert interrupted(run, make, 0) == ["handled", "ends", "done"]


@pytest.mark.parametrize("make", NEVER_RESTART)
def test_some_calls_never_begin_anew(run: Run, make: Any) -> None:
    assert interrupted(run, make, posix.SA_RESTART) == ["handled", "EINTR"]


@pytest.mark.parametrize("flags", [0, posix.SA_RESTART])
def test_who_has_moved_something_returns_the_short_count(run: Run, flags: int) -> None:
    seen: list[object] = []

    async def child(w: int, a: int) -> None:
        posix.signal(SIGUSR1, lambda *_: seen.append("handled"), flags)
        seen.append(await posix.write(w, b"x" * 70_000))
        seen.append(await posix.recv(a, 9, MSG_WAITALL))

    async def main() -> None:
        r, w = posix.pipe()
        a, b = posix.socketpair()
        pid = posix.fork(child, w, a)
        await anyio.sleep(1)
        posix.kill(pid, SIGUSR1)
        await anyio.sleep(1)
        await posix.send(b, b"abc")
        await anyio.sleep(1)
        posix.kill(pid, SIGUSR1)
        assert await posix.waitpid(pid) == (pid, 0)
        posix.close(r)

    run(main)
    assert seen == ["handled", 65536, "handled", b"abc"]


def test_what_is_ready_counts_more_than_the_signal(run: Run) -> None:
    seen: list[object] = []

    async def child(r: int) -> None:
        posix.signal(SIGUSR1, lambda *_: seen.append("handled"))
        seen.append(await posix.read(r, 9))

    async def main() -> None:
        r, w = posix.pipe()
        pid = posix.fork(child, r)
        await anyio.sleep(1)
        posix.set_blocking(w, False)
        posix.kill(pid, SIGUSR1)
        await posix.write(w, b"x")
        assert await posix.waitpid(pid) == (pid, 0)

    run(main, quantum=32)
    assert seen == ["handled", b"x"]


def test_a_descriptor_that_the_handler_closes_is_closed_for_the_new_beginning(run: Run) -> None:
    async def child(r: int) -> None:
        posix.signal(SIGUSR1, lambda *_: posix.close(r), posix.SA_RESTART)
        with pytest.raises(OSError, match="Bad file descriptor"):
            await posix.read(r, 9)

    async def main() -> None:
        r, _ = posix.pipe()
        pid = posix.fork(child, r)
        await anyio.sleep(1)
        posix.kill(pid, SIGUSR1)
        assert await posix.waitpid(pid) == (pid, 0)

    run(main)


def test_ignored_and_blocked_signals_interrupt_nothing(run: Run) -> None:
    async def child() -> None:
        posix.signal(SIGUSR1, lambda *_: None)
        posix.pthread_sigmask(posix.SIG_BLOCK, [SIGUSR1])
        posix.signal(SIGUSR2, posix.SIG_IGN)
        await posix.nanosleep(10)

    async def main() -> None:
        pid = posix.fork(child)
        await anyio.sleep(1)
        for number in (SIGUSR1, SIGUSR2, 17, 28):  # SIGCHLD, SIGWINCH
            posix.kill(pid, number)
        assert await posix.waitpid(pid) == (pid, 0)

    run(main)


def test_a_stop_interrupts_no_nap_and_the_clock_goes_on(run: Run) -> None:
    async def child() -> None:
        await posix.nanosleep(10)

    async def main() -> None:
        start = anyio.current_time()
        pid = posix.fork(child)
        await anyio.sleep(1)
        posix.kill(pid, SIGSTOP)
        await anyio.sleep(1)
        posix.kill(pid, SIGCONT)
        assert await posix.waitpid(pid) == (pid, 0)
        assert have_passed(start, 10)

    run(main)


@pytest.mark.parametrize("signal", [SIGUSR1, SIGCONT])
@pytest.mark.parametrize("make", [reading, writing, receiving, sending, polling, selecting])
def test_who_was_stopped_handles_before_it_looks(run: Run, make: Any, signal: int) -> None:
    """Measured: it left its sleep to stop, so a handler interrupts it, whatever came meanwhile."""

    async def child(call: Call) -> None:
        posix.signal(signal, lambda *_: None)
        with pytest.raises(InterruptedError):
            await call()
        await call()

    async def main() -> None:
        call, end = await make()
        pid = posix.fork(child, call)
        await anyio.sleep(1)
        posix.kill(pid, SIGSTOP)
        await anyio.sleep(1)
        await end()
        posix.kill(pid, signal)
        posix.kill(pid, SIGCONT)
        assert await posix.waitpid(pid) == (pid, 0)

    run(main)


@pytest.mark.parametrize("made_anew", [False, True])
def test_who_restarts_after_a_stop_finds_what_came(run: Run, made_anew: bool) -> None:
    seen: list[object] = []

    async def child(call: Call) -> None:
        posix.signal(SIGUSR1, lambda *_: seen.append("handled"), posix.SA_RESTART)
        seen.append(await call())

    async def main() -> None:
        call, end = await reading()
        pid = posix.fork(child, call)
        await anyio.sleep(1)
        posix.kill(pid, SIGSTOP)
        await anyio.sleep(1)
        if not made_anew:
            await end()
        posix.kill(pid, SIGUSR1)
        posix.kill(pid, SIGCONT)
        await anyio.sleep(1)
        if made_anew:
            await end()
        assert await posix.waitpid(pid) == (pid, 0)

    run(main)
    assert seen == ["handled", b"x"]


def test_a_time_limit_ends_a_wait_for_signals_in_none(run: Run) -> None:
    async def main() -> None:
        assert await posix.sigtimedwait([SIGUSR1], 3) is None
        assert await posix.sigtimedwait([SIGUSR1], 0) is None
        posix.pthread_sigmask(posix.SIG_BLOCK, [SIGUSR1])
        posix.sigqueue(posix.getpid(), SIGUSR1, 42)
        info = await posix.sigtimedwait([SIGUSR1], 0)
        assert info is not None
        assert (info.si_code, info.si_value, info.si_pid) == (-1, 42, posix.getpid())

    run(main)


@pytest.mark.parametrize("make", OF_SIGNALS)
@pytest.mark.parametrize("parked", [False, True])
def test_a_cancelled_wait_leaves_mask_and_signals_as_they_were(
    run: Run, make: Any, parked: bool
) -> None:
    async def main() -> None:
        call, _ = await make()
        posix.pthread_sigmask(posix.SIG_BLOCK, [SIGUSR2])
        with anyio.move_on_after(5 if parked else 0) as scope:
            await call()
        assert scope.cancelled_caught
        await _raise_usr2()
        assert posix.sigpending() == {SIGUSR2}
        assert await posix.sigwait([SIGUSR2]) == SIGUSR2

    run(main)


@pytest.mark.parametrize("make", OF_SIGNALS)
def test_a_killed_wait_ends(run: Run, make: Any) -> None:
    async def child() -> None:
        call, _ = await make()
        await call()

    async def main() -> None:
        pid = posix.fork(child)
        await anyio.sleep(1)
        posix.kill(pid, SIGKILL)
        assert await posix.waitpid(pid) == (pid, SIGKILL)

    run(main)


def test_an_alarm_rings_once_on_the_machines_clock(run: Run) -> None:
    async def child() -> None:
        assert posix.alarm(0) == 0

    async def main() -> None:
        log: list[int] = []
        posix.signal(SIGALRM, lambda number, _: log.append(number))
        assert posix.alarm(10) == 0
        await posix.waitpid(posix.fork(child))
        await posix.nanosleep(7)
        assert posix.alarm(2) == 3
        with pytest.raises(InterruptedError):
            await posix.nanosleep(100)
        assert log == [SIGALRM]
        await posix.nanosleep(10)

    run(main)


def test_a_receiver_iterates_over_its_signals_and_restores_what_was(run: Run) -> None:
    seen: list[int] = []

    async def child() -> None:
        posix.signal(SIGUSR2, posix.SIG_IGN)
        with open_signal_receiver(SIGUSR1, SIGUSR2) as signals:
            async for number in signals:
                seen.append(number)
                if len(seen) == 3:
                    break
        assert posix.getsignal(SIGUSR1) is posix.SIG_DFL
        assert posix.getsignal(SIGUSR2) is posix.SIG_IGN

    async def main() -> None:
        pid = posix.fork(child)
        for number in (SIGUSR1, SIGUSR2, SIGUSR1):
            await anyio.sleep(1)
            posix.kill(pid, number)
        assert await posix.waitpid(pid) == (pid, 0)

    run(main)
    assert seen == [SIGUSR1, SIGUSR2, SIGUSR1]


def test_a_receiver_for_nothing_or_the_unhandleable_is_refused(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(TypeError):
            open_signal_receiver()
        with pytest.raises(OSError, match="Invalid"), open_signal_receiver(SIGUSR1, SIGKILL):
            raise AssertionError
        assert posix.getsignal(SIGUSR1) is posix.SIG_DFL

    run(main)
