"""Semaphores, mutexes, conditions and futexes at every await point, on both event loops.

Each call is cancelled before it begins and while it sleeps, cancelled and killed in the
instant in which it is given what it waits for, killed asleep, and interrupted by
handlers: nothing that was given is lost, and nothing stays locked by who did not lock it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
from collections.abc import Awaitable, Callable
from signal import SIGCONT, SIGSTOP, SIGUSR1
from typing import Any

import anyio
import pytest

import asyncipc
from asyncipc import posix
from asyncipc.faces.mutex import own_task
from asyncipc.kernel.signals.disposition import SIGKILL
from asyncipc.kernel.sync.ownership import Owner
from asyncipc.runtime.process import current
from tests.contract.queues import nothing_stays
from tests.pace import have_passed

__all__ = ["nothing_stays"]
pytestmark = pytest.mark.usefixtures("nothing_stays")

Run = Callable[..., Any]
Act = Callable[[], None]

LONG = 1000.0
"""A time limit that does not come."""


class Case:
    """A call that sleeps; ``give``: what ends its sleep; ``spare``: is what was given
    there for others?  A wake of a futex leaves nothing, so there it is always true.
    """

    def __init__(
        self, call: Callable[[], Awaitable[object]], give: Act, spare: Callable[[], bool]
    ) -> None:
        self.call = call
        self.give = give
        self.spare = spare


def of_semaphore(call: Callable[[posix.Semaphore], Awaitable[None]]) -> Case:
    sem = posix.sem_init(posix.mmap(-1, 4096))

    def spare() -> bool:
        found = posix.sem_getvalue(sem) > 0
        if found:
            posix.sem_trywait(sem)
        return found

    return Case(lambda: call(sem), lambda: posix.sem_post(sem), spare)


def sem_wait() -> Case:
    return of_semaphore(posix.sem_wait)


def sem_timedwait(limit_s: float = LONG) -> Case:
    return of_semaphore(lambda sem: posix.sem_timedwait(sem, limit_s))


def of_set(*operations: tuple[int, int, int], limit_s: float | None = None) -> Case:
    semid = posix.semget(posix.IPC_PRIVATE, 2, 0o600)
    posix.semctl(semid, 1, posix.SETVAL, 1)

    async def call() -> None:
        if limit_s is None:
            await posix.semop(semid, operations)
        else:
            await posix.semtimedop(semid, operations, limit_s)

    def give() -> None:
        posix.semctl(semid, 0, posix.SETALL, [1, 0])

    def spare() -> bool:
        found = posix.semctl(semid, 0, posix.GETALL) == [1, 0]
        posix.semctl(semid, 0, posix.SETALL, [0, 1])
        return found

    return Case(call, give, spare)


def semop() -> Case:
    return of_set((0, -1, 0), (1, 0, 0))


def semop_for_zero() -> Case:
    return of_set((1, 0, 0), (0, -1, 0))


def semop_with_undo() -> Case:
    return of_set((0, -1, posix.SEM_UNDO))


def semtimedop(limit_s: float = LONG) -> Case:
    return of_set((0, -1, 0), limit_s=limit_s)


def of_mutex(call: Callable[[posix.Mutex], Awaitable[None]], robust: bool = False) -> Case:
    mutex = posix.pthread_mutex_init(posix.mmap(-1, 4096), 0, robust=robust)
    somebody = Owner(current().process, "somebody")
    mutex.kernel.try_lock(somebody)

    def spare() -> bool:
        return not mutex.kernel.is_locked()

    return Case(lambda: call(mutex), lambda: mutex.kernel.unlock(somebody), spare)


def mutex_lock() -> Case:
    return of_mutex(posix.pthread_mutex_lock)


def robust_mutex_lock() -> Case:
    return of_mutex(posix.pthread_mutex_lock, robust=True)


def mutex_timedlock(limit_s: float = LONG) -> Case:
    return of_mutex(lambda mutex: posix.pthread_mutex_timedlock(mutex, limit_s))


def of_futex(timeout_s: float | None) -> Case:
    memory = posix.mmap(-1, 4096)

    def give() -> None:
        posix.futex_wake(memory, 8, 1)

    return Case(lambda: posix.futex_wait(memory, 8, 0, timeout_s), give, lambda: True)


def futex_wait() -> Case:
    return of_futex(None)


def futex_wait_for_a_while(limit_s: float = LONG) -> Case:
    return of_futex(limit_s)


UNTIMED = [sem_wait, semop, semop_for_zero, mutex_lock, robust_mutex_lock, futex_wait]
TIMED = [sem_timedwait, semtimedop, mutex_timedlock, futex_wait_for_a_while]
OWNED_BY_NOBODY = [sem_wait, sem_timedwait, semop, semop_for_zero, semtimedop, futex_wait]
UNDOING = pytest.param(
    semop_with_undo, marks=pytest.mark.simulated("SEM_UNDO, which is of the real process")
)
each_call = pytest.mark.parametrize(
    "make", [*UNTIMED, *TIMED, UNDOING], ids=lambda make: make.__name__
)


def nobody_sleeps() -> None:
    kernel = current().simulation.localhost.kernel
    assert not current().sleepers
    assert len(kernel.futexes) == 0
    for found in kernel.semaphore_sets.known:
        assert not found.pending.all()


# -- cancelled


@each_call
def test_a_cancelled_sleeper_has_taken_nothing(run: Run, make: Callable[[], Case]) -> None:
    async def main() -> None:
        case = make()
        with anyio.move_on_after(1) as scope:
            await case.call()
        assert scope.cancelled_caught
        nobody_sleeps()
        case.give()
        assert case.spare()

    run(main)


@each_call
def test_a_call_in_a_cancelled_scope_takes_nothing(run: Run, make: Callable[[], Case]) -> None:
    async def main() -> None:
        case = make()
        case.give()
        with anyio.CancelScope() as scope:
            scope.cancel()
            await case.call()
        assert scope.cancelled_caught
        nobody_sleeps()
        assert case.spare()

    run(main)


@each_call
def test_who_is_cancelled_in_the_instant_of_a_gift_has_it_or_it_is_there(
    run: Run, make: Callable[[], Case]
) -> None:
    async def main() -> None:
        case = make()
        got = []

        async def sleep() -> None:
            await case.call()
            got.append(True)

        async with anyio.create_task_group() as group:
            group.start_soon(sleep)
            await anyio.sleep(1)
            case.give()
            group.cancel_scope.cancel()
        nobody_sleeps()
        assert case.spare() is not bool(got) or "futex" in make.__name__

    run(main)


@each_call
def test_of_two_sleepers_the_other_gets_what_the_cancelled_one_leaves(
    run: Run, make: Callable[[], Case]
) -> None:
    async def main() -> None:
        case = make()
        got = []

        async def sleep(name: str, scope: anyio.CancelScope) -> None:
            with scope:
                await case.call()
                got.append(name)

        first, second = anyio.CancelScope(), anyio.CancelScope()
        async with anyio.create_task_group() as group:
            group.start_soon(sleep, "first", first)
            await anyio.sleep(1)
            group.start_soon(sleep, "second", second)
            await anyio.sleep(1)
            case.give()
            first.cancel()
            await anyio.sleep(1)
            assert len(got) == 1
            group.cancel_scope.cancel()
        nobody_sleeps()

    run(main)


@each_call
def test_asyncio_cancels_a_sleeper_without_effect(
    leftovers: object, make: Callable[[], Case]
) -> None:
    async def main() -> None:
        case = make()
        for instant in (False, True):
            task = asyncio.ensure_future(case.call())
            await asyncio.sleep(1)
            if instant:
                case.give()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            nobody_sleeps()
        assert case.spare()

    asyncipc.run(main, backend="asyncio")


# -- killed


@each_call
def test_a_killed_sleeper_takes_nothing_with_it(run: Run, make: Callable[[], Case]) -> None:
    async def main() -> None:
        case = make()
        pid = posix.fork(case.call)
        await anyio.sleep(1)
        posix.kill(pid, SIGKILL)
        nobody_sleeps()
        case.give()
        assert case.spare()
        await posix.waitpid(pid)

    run(main)


@pytest.mark.parametrize("make", OWNED_BY_NOBODY, ids=lambda make: make.__name__)
def test_of_two_processes_the_other_gets_what_the_killed_one_leaves(
    run: Run, make: Callable[[], Case]
) -> None:
    async def main() -> None:
        case = make()
        first = posix.fork(case.call)
        await anyio.sleep(1)
        second = posix.fork(case.call)
        await anyio.sleep(1)
        posix.kill(first, SIGKILL)
        case.give()
        assert await posix.waitpid(second) == (second, 0)
        await posix.waitpid(first)
        nobody_sleeps()

    run(main)


# -- time


@pytest.mark.parametrize("make", TIMED, ids=lambda make: make.__name__)
def test_a_time_limit_ends_the_sleep(run: Run, make: Callable[[float], Case]) -> None:
    async def main() -> None:
        case = make(10)
        start = anyio.current_time()
        with pytest.raises(OSError) as caught:
            await case.call()
        ended_by = errno.EAGAIN if make is semtimedop else errno.ETIMEDOUT
        assert caught.value.errno == ended_by
        assert have_passed(start, 10)
        nobody_sleeps()
        case.give()
        assert case.spare()

    run(main)


def test_no_time_at_all_is_enough_for_what_is_there(run: Run) -> None:
    async def main() -> None:
        memory = posix.mmap(-1, 4096)
        sem = posix.sem_init(memory, 0, 1)
        await posix.sem_timedwait(sem, -1)
        with pytest.raises(TimeoutError):
            await posix.sem_timedwait(sem, -1)
        mutex = posix.pthread_mutex_init(memory, 64)
        await posix.pthread_mutex_timedlock(mutex, 0)
        with pytest.raises(TimeoutError):
            await posix.pthread_mutex_timedlock(mutex, 0)
        with pytest.raises(TimeoutError):
            await posix.futex_wait(memory, 128, 0, 0)
        for timeout_s, expected, number in ((-1, 0, errno.EINVAL), (0, 1, errno.EAGAIN)):
            with pytest.raises(OSError) as caught:
                await posix.futex_wait(memory, 128, expected, timeout_s)
            assert caught.value.errno == number
        semid = posix.semget(posix.IPC_PRIVATE, 1, 0o600)
        await posix.semtimedop(semid, [(0, 1)], 0)
        with pytest.raises(BlockingIOError):
            await posix.semtimedop(semid, [(0, -2)], 0)
        with pytest.raises(BlockingIOError):
            await posix.semtimedop(semid, [(0, -2)], 5)
        with pytest.raises(OSError) as caught:
            await posix.semtimedop(semid, [(0, -2)], -1)
        assert caught.value.errno == errno.EINVAL

    run(main)


# -- handlers and stops


def interrupted(run: Run, make: Callable[[], Case], flags: int, stop: bool = False) -> list[str]:
    """A handler runs (or the process is stopped a while) in a call; later its sleep ends."""
    seen: list[str] = []

    async def main() -> None:
        case = make()

        async def child() -> None:
            posix.signal(SIGUSR1, lambda *_: seen.append("handled"), flags)
            try:
                await case.call()
                seen.append("done")
            except InterruptedError:
                seen.append("EINTR")

        pid = posix.fork(child)
        await anyio.sleep(1)
        for signal in (SIGSTOP, SIGCONT) if stop else (SIGUSR1,):
            posix.kill(pid, signal)
            await anyio.sleep(1)
        seen.append("given")
        case.give()
        assert await posix.waitpid(pid) == (pid, 0)

    run(main)
    return seen


ENDED = ["handled", "EINTR", "given"]
WENT_ON = ["handled", "given", "done"]


@pytest.mark.parametrize(
    ("make", "plain", "restarting"),
    [
        (sem_wait, ENDED, WENT_ON),
        (sem_timedwait, ENDED, ENDED),
        (futex_wait, ENDED, WENT_ON),
        (futex_wait_for_a_while, ENDED, ENDED),
        (semop, ENDED, ENDED),
        (semtimedop, ENDED, ENDED),
        (mutex_lock, WENT_ON, WENT_ON),
        (mutex_timedlock, WENT_ON, WENT_ON),
    ],
)
def test_what_a_handler_does_to_a_sleeper(
    run: Run, make: Callable[[], Case], plain: list[str], restarting: list[str]
) -> None:
    assert interrupted(run, make, 0) == plain
    assert interrupted(run, make, posix.SA_RESTART) == restarting


@pytest.mark.parametrize(
    ("make", "seen"),
    [
        (sem_wait, ["given", "done"]),
        (sem_timedwait, ["given", "done"]),
        (futex_wait, ["given", "done"]),
        (mutex_lock, ["given", "done"]),
        (semop, ["EINTR", "given"]),
        (semtimedop, ["EINTR", "given"]),
    ],
)
def test_what_a_stop_does_to_a_sleeper(run: Run, make: Callable[[], Case], seen: list[str]) -> None:
    assert interrupted(run, make, 0, stop=True) == seen


def got_or_left(case: Case) -> Callable[[], Awaitable[None]]:
    """A program that makes the call: its exit status is 1 if a stop has ended that."""

    async def program() -> None:
        try:
            await case.call()
        except InterruptedError:
            posix._exit(1)

    return program


@each_call
@pytest.mark.parametrize("stopped_first", [True, False])
def test_what_is_given_in_the_instant_of_a_stop_is_had_or_is_there(
    run: Run, make: Callable[[], Case], stopped_first: bool
) -> None:
    async def main() -> None:
        case = make()
        pid = posix.fork(got_or_left(case))
        await anyio.sleep(1)
        if not stopped_first:
            case.give()
        posix.kill(pid, SIGSTOP)
        if stopped_first:
            case.give()
        await anyio.sleep(1)
        posix.kill(pid, SIGCONT)
        _, status = await posix.waitpid(pid)
        got = status == 0
        assert got or make in (semop, semop_for_zero, semop_with_undo, semtimedop)
        nobody_sleeps()
        given_back = make in (semop_with_undo, robust_mutex_lock)  # by its end
        assert case.spare() is not (got and not given_back) or "futex" in make.__name__

    run(main)


@pytest.mark.parametrize("make", OWNED_BY_NOBODY, ids=lambda make: make.__name__)
def test_of_two_processes_one_gets_what_is_given_in_the_instant_of_a_stop(
    run: Run, make: Callable[[], Case]
) -> None:
    async def main() -> None:
        case = make()
        first = posix.fork(got_or_left(case))
        await anyio.sleep(1)
        second = posix.fork(got_or_left(case))
        await anyio.sleep(1)
        posix.kill(first, SIGSTOP)
        case.give()
        await anyio.sleep(1)
        posix.kill(first, SIGCONT)
        await anyio.sleep(1)
        case.give()  # were the other lost, somebody would sleep for ever
        await posix.waitpid(first)
        await posix.waitpid(second)
        nobody_sleeps()

    run(main)


# -- owners that die


def test_a_robust_mutex_tells_of_its_dead_owner_once(run: Run) -> None:
    async def main() -> None:
        mutex = posix.pthread_mutex_init(posix.mmap(-1, 4096), robust=True)

        async def lock_and_die() -> None:
            await posix.pthread_mutex_lock(mutex)
            await anyio.sleep(2)
            posix.kill(posix.getpid(), SIGKILL)

        posix.fork(lock_and_die)
        await anyio.sleep(1)
        with pytest.raises(OSError) as caught:
            await posix.pthread_mutex_lock(mutex)
        assert caught.value.errno == errno.EOWNERDEAD
        posix.pthread_mutex_consistent(mutex)
        posix.pthread_mutex_unlock(mutex)
        await posix.pthread_mutex_lock(mutex)
        posix.pthread_mutex_unlock(mutex)
        await posix.wait()

    run(main)


def test_who_is_killed_as_it_gets_a_robust_mutex_does_not_keep_it(run: Run) -> None:
    async def main() -> None:
        mutex = posix.pthread_mutex_init(posix.mmap(-1, 4096), robust=True)
        await posix.pthread_mutex_lock(mutex)

        async def lock() -> None:
            await posix.pthread_mutex_lock(mutex)
            raise AssertionError

        pid = posix.fork(lock)
        await anyio.sleep(1)
        posix.pthread_mutex_unlock(mutex)
        posix.kill(pid, SIGKILL)
        with pytest.raises(OSError) as caught:
            posix.pthread_mutex_trylock(mutex)
        assert caught.value.errno == errno.EOWNERDEAD
        await posix.waitpid(pid)

    run(main)


@pytest.mark.simulated("a deadlock is known on virtual time alone")
def test_a_dead_owner_of_a_plain_mutex_is_named_by_the_deadlock(run: Run) -> None:
    async def main() -> None:
        mutex = posix.pthread_mutex_init(posix.mmap(-1, 4096))

        async def lock() -> None:
            await posix.pthread_mutex_lock(mutex)

        pid = posix.fork(lock)
        await posix.waitpid(pid)
        await posix.pthread_mutex_lock(mutex)

    with pytest.raises(asyncipc.Deadlock) as caught:
        run(main)
    assert "mutex at 0x0 of pid 3, which is over" in str(caught.value)


@pytest.mark.simulated("a deadlock is known on virtual time alone")
def test_two_mutexes_locked_crosswise_are_a_cycle_in_the_report(run: Run) -> None:
    async def main() -> None:
        memory = posix.mmap(-1, 4096)
        one, two = (posix.pthread_mutex_init(memory, offset) for offset in (0, 64))

        async def lock(first: posix.Mutex, second: posix.Mutex) -> None:
            await posix.pthread_mutex_lock(first)
            await anyio.sleep(1)
            await posix.pthread_mutex_lock(second)

        posix.fork(lock, one, two)
        posix.fork(lock, two, one)
        await posix.wait()

    with pytest.raises(asyncipc.Deadlock) as caught:
        run(main)
    assert "cycle: pid 3 -> pid 4 -> pid 3" in str(caught.value)


# -- conditions


class Shared:
    """A condition and its mutex."""

    def __init__(self) -> None:
        memory = posix.mmap(-1, 4096)
        self.mutex = posix.pthread_mutex_init(memory, 0, posix.PTHREAD_MUTEX_ERRORCHECK)
        self.condition = posix.pthread_cond_init(memory, 64)

    async def wait(self, timeout_s: float | None = None) -> None:
        """Lock, wait, and see that the mutex is locked whatever came; then unlock."""
        await posix.pthread_mutex_lock(self.mutex)
        try:
            if timeout_s is None:
                await posix.pthread_cond_wait(self.condition, self.mutex)
            else:
                await posix.pthread_cond_timedwait(self.condition, self.mutex, timeout_s)
        finally:
            if current().process.alive:
                assert self.mutex.kernel.is_held_by(own_task())
                posix.pthread_mutex_unlock(self.mutex)

    def signal(self) -> None:
        posix.pthread_cond_signal(self.condition)


def test_a_signal_between_processes_wakes_the_first(run: Run) -> None:
    async def main() -> None:
        shared = Shared()
        first = posix.fork(shared.wait)
        await anyio.sleep(1)
        second = posix.fork(shared.wait)
        await anyio.sleep(1)
        shared.signal()
        assert await posix.wait() == (first, 0)
        posix.pthread_cond_broadcast(shared.condition)
        assert await posix.wait() == (second, 0)
        nobody_sleeps()

    run(main)


def test_a_cancelled_wait_has_the_mutex_again_before_it_raises(run: Run) -> None:
    async def main() -> None:
        shared = Shared()
        start = anyio.current_time()

        async def hold() -> None:
            await anyio.sleep(1)
            await posix.pthread_mutex_lock(shared.mutex)
            await anyio.sleep(9)
            posix.pthread_mutex_unlock(shared.mutex)

        pid = posix.fork(hold)
        with anyio.move_on_after(5) as scope:
            await shared.wait()
        assert have_passed(start, 10)
        assert scope.cancelled_caught
        assert await posix.waitpid(pid) == (pid, 0)
        nobody_sleeps()
        assert not shared.mutex.kernel.is_locked()

    run(main)


async def hold(shared: Shared, signals: bool) -> None:
    """Have the mutex from second 1 to second 9, and signal or not."""
    await anyio.sleep(1)
    await posix.pthread_mutex_lock(shared.mutex)
    if signals:
        shared.signal()
    await anyio.sleep(8)
    posix.pthread_mutex_unlock(shared.mutex)


@pytest.mark.parametrize("signals", [False, True])
def test_nothing_cancels_who_locks_again_after_its_time(run: Run, signals: bool) -> None:
    async def main() -> None:
        shared = Shared()
        start = anyio.current_time()
        woken = []

        async def wait(timeout_s: float | None) -> None:
            await shared.wait(timeout_s)
            woken.append(timeout_s)

        async with anyio.create_task_group() as group:
            group.start_soon(hold, shared, signals)
            group.start_soon(wait, None)
            group.start_soon(anyio.sleep, 6)
            with anyio.move_on_after(5), contextlib.suppress(TimeoutError):
                await anyio.sleep(0.5)
                await wait(3)
            assert have_passed(start, 9)
            shared.signal()
        assert woken == [None] or signals
        nobody_sleeps()

    run(main)


@pytest.mark.parametrize("signals", [False, True])
def test_asyncio_cancels_who_locks_again_and_the_signal_wakes_another(
    leftovers: object, signals: bool
) -> None:
    async def main() -> None:
        shared = Shared()
        first = asyncio.ensure_future(shared.wait(3))
        await asyncio.sleep(0.5)
        second = asyncio.ensure_future(shared.wait())
        holder = asyncio.ensure_future(hold(shared, signals))
        await asyncio.sleep(5)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert anyio.current_time() == 9.5
        await holder
        await asyncio.sleep(1)
        assert second.done() is signals
        shared.signal()
        await second
        nobody_sleeps()
        assert not shared.mutex.kernel.is_locked()

    asyncipc.run(main, backend="asyncio")


@pytest.mark.parametrize("timeout_s", [None, 2])
def test_a_waiter_that_succeeds_a_dead_owner_is_one_user(run: Run, timeout_s: float | None) -> None:
    """Measured with glibc."""

    async def main() -> None:
        memory = posix.mmap(-1, 4096)
        mutex = posix.pthread_mutex_init(memory, robust=True)
        condition = posix.pthread_cond_init(memory, 64)

        async def die() -> None:
            await anyio.sleep(1)
            await posix.pthread_mutex_lock(mutex)
            await anyio.sleep(3)
            posix.pthread_cond_signal(condition)

        pid = posix.fork(die)
        await posix.pthread_mutex_lock(mutex)
        with pytest.raises(OSError) as caught:
            if timeout_s is None:
                await posix.pthread_cond_wait(condition, mutex)
            else:
                await posix.pthread_cond_timedwait(condition, mutex, timeout_s)
        assert caught.value.errno == errno.EOWNERDEAD
        assert mutex.kernel.fields().users == 1
        posix.pthread_mutex_consistent(mutex)
        posix.pthread_mutex_unlock(mutex)
        assert mutex.kernel.fields().users == 0
        await posix.waitpid(pid)

    run(main)


def test_a_wait_in_a_cancelled_scope_keeps_the_mutex(run: Run) -> None:
    async def main() -> None:
        shared = Shared()
        await posix.pthread_mutex_lock(shared.mutex)
        with anyio.CancelScope() as scope:
            scope.cancel()
            await posix.pthread_cond_wait(shared.condition, shared.mutex)
        assert shared.mutex.kernel.is_held_by(own_task())
        nobody_sleeps()

    run(main)


def test_a_signal_in_the_instant_of_a_cancellation_wakes_another(run: Run) -> None:
    async def main() -> None:
        shared = Shared()
        scope = anyio.CancelScope()
        woken = []

        async def wait(name: str) -> None:
            with scope if name == "first" else anyio.CancelScope():
                await shared.wait()
                woken.append(name)

        async with anyio.create_task_group() as group:
            group.start_soon(wait, "first")
            await anyio.sleep(1)
            group.start_soon(wait, "second")
            await anyio.sleep(1)
            shared.signal()
            scope.cancel()
            await anyio.sleep(1)
            assert len(woken) == 1
            group.cancel_scope.cancel()
        nobody_sleeps()

    run(main)


def test_asyncio_cancels_a_wait_and_it_has_the_mutex_again(leftovers: object) -> None:
    async def main() -> None:
        shared = Shared()
        for signalled in (False, True):
            task = asyncio.ensure_future(shared.wait())
            await asyncio.sleep(1)
            if signalled:
                shared.signal()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            nobody_sleeps()
            assert not shared.mutex.kernel.is_locked()

    asyncipc.run(main, backend="asyncio")


@pytest.mark.parametrize("stopped_first", [True, False])
def test_a_signal_in_the_instant_of_a_stop_is_not_lost(run: Run, stopped_first: bool) -> None:
    async def main() -> None:
        shared = Shared()
        first = posix.fork(shared.wait)
        await anyio.sleep(1)
        second = posix.fork(shared.wait)
        await anyio.sleep(1)
        acts = [lambda: posix.kill(first, SIGSTOP), shared.signal]
        for act in acts if stopped_first else acts[::-1]:
            act()
        await anyio.sleep(1)
        posix.kill(first, SIGCONT)
        await anyio.sleep(1)
        shared.signal()
        for pid in (first, second):
            assert await posix.waitpid(pid) == (pid, 0)
        nobody_sleeps()

    run(main)


def test_a_time_limit_ends_the_wait_with_the_mutex_locked(run: Run) -> None:
    async def main() -> None:
        shared = Shared()
        start = anyio.current_time()
        for timeout_s in (5, 0):
            with pytest.raises(TimeoutError):
                await shared.wait(timeout_s)
        assert have_passed(start, 5)

    run(main)


def test_a_signal_that_came_in_time_is_no_timeout_though_the_mutex_comes_later(
    run: Run,
) -> None:
    async def main() -> None:
        shared = Shared()
        pid = posix.fork(shared.wait, 5)
        await anyio.sleep(1)
        await posix.pthread_mutex_lock(shared.mutex)
        shared.signal()
        await anyio.sleep(9)
        posix.pthread_mutex_unlock(shared.mutex)
        assert await posix.waitpid(pid) == (pid, 0)

    run(main)


@pytest.mark.parametrize("stop", [False, True])
def test_handlers_and_stops_do_not_end_a_wait(run: Run, stop: bool) -> None:
    def make() -> Case:
        shared = Shared()
        return Case(shared.wait, shared.signal, lambda: True)

    assert interrupted(run, make, 0, stop)[-2:] == ["given", "done"]


def test_a_signal_to_a_stopped_waiter_is_not_lost(run: Run) -> None:
    async def main() -> None:
        shared = Shared()
        pid = posix.fork(shared.wait)
        await anyio.sleep(1)
        posix.kill(pid, SIGSTOP)
        await anyio.sleep(1)
        shared.signal()
        await anyio.sleep(1)
        posix.kill(pid, SIGCONT)
        assert await posix.waitpid(pid) == (pid, 0)

    run(main)


def test_a_killed_waiter_leaves_the_mutex_and_the_signals_to_others(run: Run) -> None:
    async def main() -> None:
        shared = Shared()
        first = posix.fork(shared.wait)
        await anyio.sleep(1)
        second = posix.fork(shared.wait)
        await anyio.sleep(1)
        posix.kill(first, SIGKILL)
        shared.signal()
        assert await posix.waitpid(second) == (second, 0)
        await posix.waitpid(first)
        nobody_sleeps()

    run(main)


def test_the_signal_that_a_killed_waiter_had_wakes_nobody_else(run: Run) -> None:
    """Measured with glibc: that of a cancelled one does."""

    async def main() -> None:
        shared = Shared()
        first = posix.fork(shared.wait)
        await anyio.sleep(1)
        second = posix.fork(shared.wait)
        await anyio.sleep(1)
        await posix.pthread_mutex_lock(shared.mutex)
        shared.signal()
        posix.kill(first, SIGKILL)
        await posix.waitpid(first)
        posix.pthread_mutex_unlock(shared.mutex)
        await anyio.sleep(1)
        assert await posix.waitpid(second, posix.WNOHANG) == (0, 0)
        shared.signal()
        assert await posix.waitpid(second) == (second, 0)
        nobody_sleeps()

    run(main)
