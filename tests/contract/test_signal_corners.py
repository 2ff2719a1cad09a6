"""Signals where they meet what else there is: ended tasks, exec, exit, stops, forks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from signal import SIGUSR1, SIGUSR2
from typing import Any

import anyio
import pytest
import trio

import asyncipc
from asyncipc import posix
from asyncipc.errors import Unsupported
from asyncipc.faces.signal_receiver import open_signal_receiver
from asyncipc.kernel.signals.disposition import SIGCONT, SIGSTOP
from asyncipc.kernel.sockets.options import SO_RCVTIMEO, SO_SNDTIMEO, SOL_SOCKET
from tests.contract import test_interruption as made

Run = Callable[..., Any]

LIMIT = (10).to_bytes(8, "little") + bytes(8)


def mask() -> set[int]:
    return posix.pthread_sigmask(posix.SIG_BLOCK, ())


def current_task(backend: str) -> object:
    return trio.lowlevel.current_task() if backend == "trio" else asyncio.current_task()


# -- tasks that have ended


def test_a_task_that_has_ended_takes_no_signal_although_somebody_remembers_it(
    run: Run, backend: str
) -> None:
    remembered: list[object] = []

    async def worker() -> None:
        remembered.append(current_task(backend))
        posix.sigpending()

    async def child() -> None:
        posix.pthread_sigmask(posix.SIG_BLOCK, [SIGUSR2])  # masks may differ from here on
        async with anyio.create_task_group() as group:
            group.start_soon(worker)
        posix.pthread_sigmask(posix.SIG_BLOCK, [SIGUSR1])
        posix.kill(posix.getpid(), SIGUSR1)
        assert posix.sigpending() == {SIGUSR1}
        assert await posix.sigwait([SIGUSR1]) == SIGUSR1

    async def main() -> None:
        pid = posix.fork(child)
        assert await posix.waitpid(pid) == (pid, 0)

    run(main)
    assert len(remembered) == 1


def test_a_task_that_lives_takes_the_signal_that_the_others_block(run: Run) -> None:
    async def worker() -> None:
        posix.sigpending()
        await anyio.sleep(10)

    async def child() -> None:
        posix.pthread_sigmask(posix.SIG_BLOCK, [SIGUSR2])
        async with anyio.create_task_group() as group:
            group.start_soon(worker)
            await anyio.sleep(1)
            posix.pthread_sigmask(posix.SIG_BLOCK, [SIGUSR1])
            posix.kill(posix.getpid(), SIGUSR1)

    async def main() -> None:
        pid = posix.fork(child)
        assert await posix.waitpid(pid) == (pid, SIGUSR1)

    run(main)


# -- exec and exit


async def become_another() -> None:
    async def program() -> None: ...

    posix.execv(program)


async def leave() -> None:
    posix._exit(0)


@pytest.mark.parametrize("end", [become_another, leave])
def test_a_handler_that_is_due_runs_before_the_program_is_over(run: Run, end: Any) -> None:
    seen: list[object] = []

    async def child() -> None:
        posix.signal(SIGUSR1, lambda *_: seen.append(posix.getpid()))
        await anyio.sleep(2)
        await end()

    async def main() -> None:
        pid = posix.fork(child)
        await anyio.sleep(1)
        posix.kill(pid, SIGUSR1)
        assert seen == []
        assert await posix.waitpid(pid) == (pid, 0)
        assert seen == [pid]

    run(main)


def test_what_a_due_handler_raises_leaves_the_exit_undone(run: Run) -> None:
    def refuse(*_: object) -> None:
        raise KeyError("not yet")

    async def child() -> None:
        posix.signal(SIGUSR1, refuse)
        await anyio.sleep(2)
        with pytest.raises(KeyError):
            posix._exit(1)
        posix._exit(2)

    async def main() -> None:
        pid = posix.fork(child)
        await anyio.sleep(1)
        posix.kill(pid, SIGUSR1)
        assert await posix.waitpid(pid) == (pid, 2 << 8)

    run(main)


def test_exec_in_a_handler_keeps_its_mask_and_what_is_pending(run: Run) -> None:
    told: list[object] = []

    async def program() -> None:
        told.append((mask(), posix.sigpending()))

    def handler(number: int, _: object) -> None:
        posix.kill(posix.getpid(), number)
        posix.execv(program)

    async def child() -> None:
        posix.signal(SIGUSR1, handler)
        posix.kill(posix.getpid(), SIGUSR1)

    async def main() -> None:
        pid = posix.fork(child)
        assert await posix.waitpid(pid) == (pid, 0)

    run(main)
    assert told == [({SIGUSR1}, {SIGUSR1})]


@pytest.mark.parametrize("asleep", [False, True])
def test_exec_in_a_handler_drops_the_handlers_below_it(run: Run, asleep: bool) -> None:
    told: list[object] = []

    async def program() -> None:
        told.append((mask(), posix.sigpending()))

    async def child() -> None:
        posix.signal(SIGUSR1, lambda *_: told.append("handled"))
        posix.signal(SIGUSR2, lambda *_: posix.execv(program))
        posix.pthread_sigmask(posix.SIG_BLOCK, [SIGUSR1, SIGUSR2])
        posix.kill(posix.getpid(), SIGUSR1)
        posix.kill(posix.getpid(), SIGUSR2)
        if asleep:
            await posix.sigsuspend(())
        posix.pthread_sigmask(posix.SIG_UNBLOCK, [SIGUSR1, SIGUSR2])

    async def main() -> None:
        pid = posix.fork(child)
        assert await posix.waitpid(pid) == (pid, 0)

    run(main)
    assert told == [({SIGUSR1, SIGUSR2}, set())]


# -- masks in handlers


@pytest.mark.parametrize("apart", [False, True])
def test_a_mask_that_a_handler_sets_is_gone_with_it(run: Run, apart: bool) -> None:
    masks: list[set[int]] = []

    async def thread() -> None:
        masks.append(mask())

    async def main() -> None:
        posix.signal(SIGUSR1, lambda *_: posix.pthread_sigmask(posix.SIG_BLOCK, [SIGUSR2]))
        if apart:
            posix.pthread_sigmask(posix.SIG_BLOCK, ())
        posix.kill(posix.getpid(), SIGUSR1)
        async with anyio.create_task_group() as group:
            group.start_soon(thread)
        assert [*masks, mask()] == [set(), set()]

    run(main)


def test_a_mask_that_a_handler_sets_is_gone_although_the_handler_raises(run: Run) -> None:
    masks: list[set[int]] = []

    def handler(*_: object) -> None:
        posix.pthread_sigmask(posix.SIG_BLOCK, [SIGUSR2])
        raise KeyError

    async def thread() -> None:
        masks.append(mask())

    async def main() -> None:
        posix.signal(SIGUSR1, handler)
        with pytest.raises(KeyError):
            posix.kill(posix.getpid(), SIGUSR1)
        async with anyio.create_task_group() as group:
            group.start_soon(thread)
        assert [*masks, mask()] == [set(), set()]

    run(main)


@pytest.mark.parametrize("in_main", [False, True])
def test_a_handler_that_sets_the_first_mask_of_all_leaves_nobody_a_mask(
    run: Run, in_main: bool
) -> None:
    masks: list[set[int]] = []

    async def sleeper(r: int) -> None:
        await posix.read(r, 1)
        masks.append(mask())

    async def signaller(w: int) -> None:
        await anyio.sleep(1)
        posix.kill(posix.getpid(), SIGUSR1)
        masks.append(mask())
        await posix.write(w, b"xx")

    async def main() -> None:
        r, w = posix.pipe()
        posix.signal(SIGUSR1, lambda *_: posix.pthread_sigmask(posix.SIG_BLOCK, [SIGUSR2]))
        async with anyio.create_task_group() as group:
            group.start_soon(sleeper, r)
            if in_main:
                await signaller(w)
            else:
                group.start_soon(signaller, w)
                await sleeper(r)
        assert masks == [set()] * len(masks)
        assert mask() == set()

    run(main)
    assert len(masks) == 3 - in_main


def test_a_task_that_a_handler_starts_blocks_what_the_handler_does(run: Run) -> None:
    masks: list[set[int]] = []
    groups: list[Any] = []

    async def thread() -> None:
        masks.append(mask())

    async def main() -> None:
        posix.pthread_sigmask(posix.SIG_BLOCK, [SIGUSR2])
        posix.signal(SIGUSR1, lambda *_: groups[0].start_soon(thread))
        async with anyio.create_task_group() as group:
            groups.append(group)
            posix.kill(posix.getpid(), SIGUSR1)
        assert mask() == {SIGUSR2}

    run(main)
    assert masks == [{SIGUSR1, SIGUSR2}]


def test_a_mask_of_one_simulation_is_not_that_of_the_next(backend: str) -> None:
    masks: list[set[int]] = []

    async def thread(r: int, awake: anyio.Event) -> None:
        awake.set()
        await posix.read(r, 1)
        masks.append(mask())

    async def main() -> None:
        async with asyncipc.Simulation():
            posix.pthread_sigmask(posix.SIG_BLOCK, [SIGUSR1])
        async with asyncipc.Simulation():
            r, w = posix.pipe()
            awake = anyio.Event()
            async with anyio.create_task_group() as group:
                group.start_soon(thread, r, awake)
                await awake.wait()
                posix.pthread_sigmask(posix.SIG_BLOCK, [SIGUSR2])
                await posix.write(w, b"x")

    anyio.run(main, backend=backend)
    assert masks == [set()]


# -- stops


async def accepting_with_a_limit() -> made.Made:
    fd = posix.socket(1, 1)  # AF_UNIX, SOCK_STREAM
    posix.bind(fd, "\0name")
    posix.listen(fd)
    posix.setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, LIMIT)
    return lambda: posix.accept(fd), lambda: posix.connect(posix.socket(1, 1), "\0name")


async def connecting_with_a_limit() -> made.Made:
    listener, fd, other = (posix.socket(1, 1) for _ in range(3))
    posix.bind(listener, "\0name")
    posix.listen(listener, 0)
    await posix.connect(other, "\0name")
    posix.setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, LIMIT)
    return lambda: posix.connect(fd, "\0name"), lambda: posix.accept(listener)


async def receiving_datagrams_with_a_limit() -> made.Made:
    a, b = posix.socketpair(1, 2)  # AF_UNIX, SOCK_DGRAM
    posix.setsockopt(a, SOL_SOCKET, SO_RCVTIMEO, LIMIT)
    return lambda: posix.recv(a, 9), lambda: posix.send(b, b"x")


def stopped(run: Run, make: Any, pause_s: float) -> list[str]:
    """Stop a call in its sleep and let it go on, and later end its sleep."""
    seen: list[str] = []

    async def child() -> None:
        call, end = await make()
        async with anyio.create_task_group() as group:
            group.start_soon(end_it, end)
            try:
                await call()
                seen.append("done")
            except InterruptedError:
                seen.append("EINTR")
            group.cancel_scope.cancel()

    async def end_it(end: made.Call) -> None:
        await anyio.sleep(9)
        seen.append("ends")
        await end()

    async def main() -> None:
        pid = posix.fork(child)
        await anyio.sleep(1)
        posix.kill(pid, SIGSTOP)
        if pause_s:
            await anyio.sleep(pause_s)
        assert seen == []
        posix.kill(pid, SIGCONT)
        assert await posix.waitpid(pid) == (pid, 0)

    run(main)
    return seen


@pytest.mark.parametrize("pause_s", [0, 1])
@pytest.mark.parametrize(
    "make",
    [
        made.receiving_with_a_limit,
        receiving_datagrams_with_a_limit,
        accepting_with_a_limit,
        made.sending_with_a_limit,
        connecting_with_a_limit,
        made.waiting_for_a_signal,
        made.waiting_for_a_signal_for_a_while,
    ],
)
def test_a_stop_ends_a_wait_on_a_socket_with_a_limit_and_sigtimedwait(
    run: Run, make: Any, pause_s: float
) -> None:
    assert stopped(run, make, pause_s) == ["EINTR"]


@pytest.mark.parametrize("pause_s", [0, 1])
@pytest.mark.parametrize(
    "make",
    [
        made.reading,
        made.writing,
        made.receiving,
        made.sending,
        made.waiting,
        made.polling,
        made.polling_for_a_while,
        made.sigwaiting,
    ],
)
def test_all_others_sleep_on_after_a_stop(run: Run, make: Any, pause_s: float) -> None:
    assert stopped(run, make, pause_s) == ["ends", "done"]


def test_what_came_before_the_stop_is_received_after_it(run: Run) -> None:
    async def child(fd: int) -> None:
        assert await posix.recv(fd, 9) == b"x"

    async def main() -> None:
        a, b = posix.socketpair()
        posix.setsockopt(a, SOL_SOCKET, SO_RCVTIMEO, LIMIT)
        pid = posix.fork(child, a)
        await anyio.sleep(1)
        await posix.send(b, b"x")
        posix.kill(pid, SIGSTOP)
        await anyio.sleep(1)
        posix.kill(pid, SIGCONT)
        assert await posix.waitpid(pid) == (pid, 0)

    run(main, quantum=32)


def test_a_limit_that_is_over_in_the_stop_is_an_interruption_too(run: Run) -> None:
    async def child(fd: int) -> None:
        with pytest.raises(InterruptedError):
            await posix.recv(fd, 9)

    async def main() -> None:
        a, _ = posix.socketpair()
        posix.setsockopt(a, SOL_SOCKET, SO_RCVTIMEO, LIMIT)
        pid = posix.fork(child, a)
        await anyio.sleep(1)
        posix.kill(pid, SIGSTOP)
        await anyio.sleep(20)
        posix.kill(pid, SIGCONT)
        assert await posix.waitpid(pid) == (pid, 0)

    run(main)


# -- the receiver, and forks


def test_a_childs_signal_is_not_its_parents_to_receive(run: Run) -> None:
    seen: list[int] = []

    async def child() -> None:
        await posix.nanosleep(5)

    async def patient_child() -> None:
        try:
            await child()
        except InterruptedError:
            seen.append(-1)

    async def main() -> None:
        with open_signal_receiver(SIGUSR1, SIGUSR2) as signals:
            pid = posix.fork(patient_child)
            await anyio.sleep(1)
            posix.kill(pid, SIGUSR1)
            assert await posix.waitpid(pid) == (pid, 0)  # handled: it does not kill
            posix.kill(posix.getpid(), SIGUSR2)
            async for number in signals:
                seen.append(number)
                break

    run(main)
    assert seen == [-1, SIGUSR2]


def test_a_child_that_iterates_over_its_parents_receiver_is_refused(run: Run) -> None:
    async def child(signals: Any) -> None:
        with pytest.raises(Unsupported, match="the process that opened it"):
            await anext(signals)

    async def main() -> None:
        with open_signal_receiver(SIGUSR1) as signals:
            pid = posix.fork(child, signals)
            assert await posix.waitpid(pid) == (pid, 0)

    run(main)


def test_a_child_may_open_a_receiver_of_its_own(run: Run) -> None:
    async def child() -> None:
        with open_signal_receiver(SIGUSR1) as signals:
            assert await anext(signals) == SIGUSR1

    async def main() -> None:
        with open_signal_receiver(SIGUSR1):
            pid = posix.fork(child)
            await anyio.sleep(1)
            posix.kill(pid, SIGUSR1)
            assert await posix.waitpid(pid) == (pid, 0)

    run(main)
