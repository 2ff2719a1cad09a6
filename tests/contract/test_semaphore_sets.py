"""System V semaphores between processes: removal, SEM_UNDO at every end, who holds what."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import anyio
import pytest

import asyncipc
from asyncipc import posix
from asyncipc.events import Failure, SystemCall
from asyncipc.kernel.signals.disposition import SIGKILL
from tests.contract.queues import KEY, is_now, nothing_stays, sleepers

__all__ = ["nothing_stays"]
pytestmark = pytest.mark.usefixtures("nothing_stays")

Run = Callable[..., Any]


def new_set(*values: int) -> int:
    semid = posix.semget(posix.IPC_PRIVATE, len(values), 0o600)
    posix.semctl(semid, 0, posix.SETALL, values)
    return semid


def test_removal_wakes_every_sleeper_with_eidrm(run: Run) -> None:
    async def main() -> None:
        semid = new_set(0)
        seen = []

        async def sleep() -> None:
            with pytest.raises(OSError) as caught:
                await posix.semop(semid, [(0, -1)])
            seen.append(caught.value.errno)

        for _ in range(3):
            posix.fork(sleep)
        await anyio.sleep(1)
        assert sleepers("semop") == 3
        posix.semctl(semid, 0, posix.IPC_RMID)
        for _ in range(3):
            await posix.wait()
        assert seen == [errno.EIDRM] * 3
        with pytest.raises(OSError) as caught:
            await posix.semop(semid, [(0, 1)])
        assert caught.value.errno == errno.EINVAL

    run(main)


async def returns(semid: int) -> None:
    await posix.semop(semid, [(0, -1, posix.SEM_UNDO)])


async def exits(semid: int) -> None:
    await posix.semop(semid, [(0, -1, posix.SEM_UNDO)])
    posix._exit(3)


async def is_killed(semid: int) -> None:
    await posix.semop(semid, [(0, -1, posix.SEM_UNDO)])
    posix.kill(posix.getpid(), SIGKILL)


async def becomes_another(semid: int) -> None:
    await posix.semop(semid, [(0, -1, posix.SEM_UNDO)])
    posix.execv(anyio.sleep, 1)


async def is_killed_asleep(semid: int) -> None:
    await posix.semop(semid, [(0, -1, posix.SEM_UNDO)])
    posix.alarm(1)
    await posix.semop(semid, [(0, -1, posix.SEM_UNDO)])


@pytest.mark.simulated("SEM_UNDO needs isolation='process'")
@pytest.mark.parametrize("program", [returns, exits, is_killed, becomes_another, is_killed_asleep])
def test_whatever_ends_a_process_its_unit_comes_back(run: Run, program: Any) -> None:
    async def main() -> None:
        semid = new_set(1)
        pid = posix.fork(program, semid)
        await posix.waitpid(pid)
        assert posix.semctl(semid, 0, posix.GETVAL) == 1
        assert posix.semctl(semid, 0, posix.GETPID) == pid

    run(main)


@pytest.mark.simulated("SEM_UNDO needs isolation='process'")
def test_a_waiter_gets_what_an_end_gives_back(run: Run) -> None:
    async def main() -> float:
        semid = new_set(1)

        async def hold() -> None:
            await posix.semop(semid, [(0, -1, posix.SEM_UNDO)])
            await anyio.sleep(5)

        posix.fork(hold)
        await anyio.sleep(1)
        await posix.semop(semid, [(0, -1)])
        await posix.wait()
        return anyio.current_time()

    assert run(main) == 5


@pytest.mark.simulated("a sleeper is served within the call of another")
def test_who_sets_a_value_sees_what_the_sleeper_makes_of_it(run: Run) -> None:
    async def main() -> None:
        semid = new_set(0, 5)
        pid = posix.fork(posix.semop, semid, [(0, -1)])
        await anyio.sleep(1)
        posix.semctl(semid, 0, posix.SETVAL, 1)
        assert posix.semctl(semid, 0, posix.GETVAL) == 0
        assert posix.semctl(semid, 0, posix.GETPID) == pid
        await posix.semtimedop(semid, [(1, -1)], 0)
        with pytest.raises(BlockingIOError):
            await posix.semop(semid, [(0, -1, posix.IPC_NOWAIT)])
        assert await posix.waitpid(pid) == (pid, 0)

    run(main)


@pytest.mark.simulated("a sleeper is served within the call of another")
@pytest.mark.parametrize(("flags", "left"), [(0, 0), (posix.SEM_UNDO, 1)])
def test_a_sleeper_killed_just_after_has_acted(run: Run, flags: int, left: int) -> None:
    """As on Linux, measured: only SEM_UNDO takes it back."""

    async def main() -> None:
        semid = new_set(0)
        pid = posix.fork(posix.semop, semid, [(0, -1, flags)])
        await anyio.sleep(1)
        posix.semctl(semid, 0, posix.SETVAL, 1)
        posix.kill(pid, SIGKILL)
        assert posix.semctl(semid, 0, posix.GETVAL) == left
        await posix.waitpid(pid)
        assert posix.semctl(semid, 0, posix.GETVAL) == left

    run(main)


def test_what_is_wrong_from_the_start_is_a_call_that_failed(run: Run) -> None:
    seen: list[object] = []

    async def main() -> None:
        memory = posix.mmap(-1, 4096)
        semid = new_set(0)
        for wrong in (
            posix.semop(semid, []),
            posix.semop(semid, [(0, 1)] * 501),
            posix.semtimedop(semid, [(0, 1)], -1),
            posix.semtimedop(semid, [(0, 1)] * 501, -1),
            posix.futex_wait(memory, 0, 0, -1),
            posix.futex_wait(memory, 2, 0),
            posix.futex_wait(memory, 4096, 0),
        ):
            with pytest.raises(OSError):
                await wrong

    def note(event: object) -> None:
        if isinstance(event, SystemCall) and event.call in ("semop", "semtimedop", "futex"):
            seen.append((event.call, event.result))

    run(main, observers=[note])
    assert seen == [
        ("semop", Failure("EINVAL")),
        ("semop", Failure("E2BIG")),
        ("semtimedop", Failure("EINVAL")),
        ("semtimedop", Failure("E2BIG")),
        ("futex", Failure("EINVAL")),
        ("futex", Failure("EINVAL")),
        ("futex", Failure("EFAULT")),
    ]


@pytest.mark.simulated("a report of the deadlock")
def test_a_process_that_holds_what_another_wants_is_named_by_the_deadlock(run: Run) -> None:
    async def main() -> None:
        semid = new_set(1, 1)

        async def lock(first: int, second: int) -> None:
            await posix.semop(semid, [(first, -1, posix.SEM_UNDO)])
            await anyio.sleep(1)
            await posix.semop(semid, [(second, -1, posix.SEM_UNDO)])

        posix.fork(lock, 0, 1)
        posix.fork(lock, 1, 0)
        await posix.wait()

    with pytest.raises(asyncipc.Deadlock) as caught:
        run(main)
    assert "1 of semaphore 1 of set" in str(caught.value)
    assert "cycle: pid 3 -> pid 4 -> pid 3" in str(caught.value)


def test_both_at_once_cannot_deadlock(run: Run) -> None:
    async def main() -> None:
        semid = new_set(1, 1)

        async def lock(first: int, second: int) -> None:
            await posix.semop(semid, [(first, -1), (second, -1)])
            await anyio.sleep(1)
            await posix.semop(semid, [(first, 1), (second, 1)])

        for pair in ((0, 1), (1, 0), (0, 1)):
            posix.fork(lock, *pair)
        for _ in range(3):
            assert (await posix.wait())[1] == 0
        assert posix.semctl(semid, 0, posix.GETALL) == [1, 1]

    run(main)


@pytest.mark.simulated("a sleeper is served within the call of another")
def test_the_time_of_the_last_operation_is_that_of_a_sleeper_too(run: Run) -> None:
    async def main() -> list[int]:
        semid = new_set(1, 0)
        times = []

        def note() -> None:
            status = posix.semctl(semid, 0, posix.IPC_STAT)
            assert isinstance(status, tuple)
            times.append(status.sem_otime)

        await anyio.sleep(1)
        posix.semctl(semid, 1, posix.SETVAL, 1)  # which lets nobody go on
        note()
        pid = posix.fork(posix.semop, semid, [(0, -2)])
        await anyio.sleep(1)
        note()
        posix.semctl(semid, 0, posix.SETVAL, 2)
        note()
        await posix.waitpid(pid)
        await posix.semop(semid, [(0, 0)])
        note()
        return times

    assert run(main) == [0, 0, 2, 2]


def test_what_semctl_tells_and_changes(run: Run) -> None:
    async def main() -> None:
        semid = posix.semget(KEY, 2, posix.IPC_CREAT | 0o640)
        await anyio.sleep(1)
        status = posix.semctl(semid, 0, posix.IPC_STAT)
        assert not isinstance(status, int | list)
        assert (status.key, status.sem_nsems, status.mode, status.sem_otime) == (KEY, 2, 0o640, 0)
        await posix.semop(semid, [(0, 2)])
        assert posix.semctl(semid, 0, posix.IPC_SET, status._replace(mode=0o600, gid=5)) == 0
        changed = posix.semctl(semid, 0, posix.IPC_STAT)
        assert not isinstance(changed, int | list)
        assert (changed.mode, changed.gid, changed.cgid) == (0o600, 5, 0)
        assert is_now(changed.sem_otime)
        assert is_now(changed.sem_ctime)
        assert posix.semctl(semid, 1, posix.SETVAL, 7) == 0
        assert posix.semctl(semid, 0, posix.GETALL) == [2, 7]
        for command, wrong in ((posix.SETVAL, None), (posix.SETALL, 5), (posix.IPC_SET, 1)):
            with pytest.raises(TypeError):
                posix.semctl(semid, 0, command, wrong)
        with pytest.raises(ValueError, match="2 semaphores"):
            posix.semctl(semid, 0, posix.SETALL, [1])
        with pytest.raises(OverflowError):
            await posix.semop(semid, [(-1, 1)])
        with pytest.raises(OverflowError):
            await posix.semop(semid, [(0, 1 << 15)])
        with pytest.raises(asyncipc.Unsupported, match="semctl"):
            posix.semctl(semid, 0, 19)

    run(main)
