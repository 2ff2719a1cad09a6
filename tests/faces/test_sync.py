"""Semaphore, Mutex and Condition as programs hold them, and the calls' arguments."""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from signal import SIGUSR1, SIGUSR2
from typing import Any

import anyio
import pytest

from asyncipc import posix
from asyncipc.faces.condition import Condition
from asyncipc.faces.file_lock import lock_file
from asyncipc.faces.mutex import Mutex
from asyncipc.faces.semaphore import Semaphore, open_semaphore, unlink_semaphore
from asyncipc.faces.shared_memory import SharedMemory
from asyncipc.kernel.signals.disposition import SIGKILL

Run = Callable[..., Any]


def test_a_named_semaphore_lets_one_in_at_a_time(run: Run) -> None:
    turnstile = f"turnstile-{os.getpid()}"  # on the real kernel it is everybody's

    async def main() -> list[str]:
        seen: list[str] = []
        open_semaphore(turnstile, 1, exclusive=True)

        async def enter(name: str) -> None:
            async with open_semaphore(turnstile) as semaphore:
                assert semaphore.value == 0
                seen.append(f"{name} in")
                await anyio.sleep(1)
                seen.append(f"{name} out")

        for name in ("one", "two"):
            posix.fork(enter, name)
        for _ in range(2):
            await posix.wait()
        unlink_semaphore(turnstile)
        with pytest.raises(FileNotFoundError):
            open_semaphore(turnstile)
        return seen

    seen = run(main)
    assert [line.split()[1] for line in seen] == ["in", "out", "in", "out"]


def test_a_semaphore_in_memory_counts_for_all_who_map_it(run: Run) -> None:
    async def main() -> None:
        memory = posix.mmap(-1, 4096)
        semaphore = Semaphore.create(memory, 64, 0)

        async def child() -> None:
            await Semaphore(memory, 64).acquire()
            memory[0] = 7

        posix.fork(child)
        await anyio.sleep(1)
        assert memory[0] == 0
        semaphore.release()
        await posix.wait()
        assert memory[0] == 7
        with pytest.raises(anyio.WouldBlock):
            semaphore.acquire_nowait()
        semaphore.release()
        semaphore.acquire_nowait()
        with pytest.raises(OSError, match="Invalid"):
            Semaphore.create(memory, 64, -1)
        for offset, number in ((4080, errno.EFAULT), (2, errno.EINVAL)):
            with pytest.raises(OSError) as caught:
                Semaphore(memory, offset)
            assert caught.value.errno == number

    run(main)


def test_they_stand_in_shared_memory_of_any_kind(run: Run) -> None:
    async def main() -> None:
        block = SharedMemory("block", create=True, size=4096)
        segment = posix.shmget(posix.IPC_PRIVATE, 4096, 0o600)
        attached = posix.shmat(segment)
        posix.shmctl(segment, posix.IPC_RMID)
        for memory in (block, attached, posix.mmap(-1, 4096)):
            semaphore = Semaphore.create(memory, 0, 2)
            async with semaphore, Mutex.create(memory, 64) as mutex:
                assert mutex.locked()
                assert semaphore.value == 1
        again = SharedMemory("block")
        Semaphore(again).acquire_nowait()
        assert Semaphore(block).value == 1
        for each in (again, block):
            each.close()
        again.unlink()
        posix.shmdt(attached)

    run(main)


def test_a_handler_does_not_end_an_acquire(run: Run) -> None:
    async def main() -> None:
        semaphore = Semaphore.create(posix.mmap(-1, 4096), 0, 0)
        seen = []

        async def child() -> None:
            posix.signal(SIGUSR1, lambda *_: seen.append("handled"))
            await semaphore.acquire()
            seen.append("acquired")

        pid = posix.fork(child)
        await anyio.sleep(1)
        posix.kill(pid, SIGUSR1)
        await anyio.sleep(1)
        semaphore.release()
        assert await posix.wait() == (pid, 0)
        assert seen == ["handled", "acquired"]

    run(main)


def test_a_mutex_keeps_an_increment_whole(run: Run) -> None:
    async def main() -> int:
        memory = posix.mmap(-1, 4096)
        mutex = Mutex.create(memory, 64)

        async def count() -> None:
            for _ in range(5):
                async with mutex:
                    value = memory[0]
                    await anyio.sleep(0.1)
                    memory[0] = value + 1

        for _ in range(3):
            posix.fork(count)
        for _ in range(3):
            await posix.wait()
        assert not mutex.locked()
        return int(memory[0])

    assert run(main) == 15


def test_a_mutex_says_who_may_do_what(run: Run) -> None:
    async def main() -> None:
        mutex = Mutex.create(posix.mmap(-1, 4096))
        with pytest.raises(PermissionError):
            mutex.release()
        mutex.acquire_nowait()
        assert mutex.locked()

        async def child() -> None:
            with pytest.raises(anyio.WouldBlock):
                mutex.acquire_nowait()

        pid = posix.fork(child)
        assert await posix.waitpid(pid) == (pid, 0)
        with pytest.raises(OSError) as caught:
            await mutex.acquire()
        assert caught.value.errno == errno.EDEADLK
        with pytest.raises(OSError) as caught:
            mutex.make_consistent()
        assert caught.value.errno == errno.EINVAL
        mutex.release()

    run(main)


def test_after_a_dead_owner_the_data_can_be_mended(run: Run) -> None:
    async def main() -> None:
        memory = posix.mmap(-1, 4096)
        mutex = Mutex.create(memory, 64)

        async def die() -> None:
            async with mutex:
                memory[0] = 1
                posix.kill(posix.getpid(), SIGKILL)
                await anyio.sleep(1)
                memory[1] = 1

        posix.fork(die)
        await posix.wait()
        with pytest.raises(OSError) as caught:
            await mutex.acquire()
        assert caught.value.errno == errno.EOWNERDEAD
        memory[1] = memory[0]
        mutex.make_consistent()
        mutex.release()
        async with mutex:
            assert memory[:2] == b"\1\1"

    run(main)


def test_a_dead_owner_s_mutex_is_nobody_s_unless_it_is_mended(run: Run) -> None:
    async def main() -> None:
        memory = posix.mmap(-1, 4096)
        mutex = Mutex.create(memory, 64)

        async def die() -> None:
            await mutex.acquire()
            memory[0] = 1

        def fail() -> None:
            assert mutex.locked()
            raise ValueError

        def mend() -> None:
            memory[1] = memory[0]

        await posix.waitpid(posix.fork(die))
        for _ in range(2):
            with pytest.raises(OSError) as caught:
                async with mutex:
                    pytest.fail("the data are not consistent")
            assert caught.value.errno == errno.EOWNERDEAD
            assert not mutex.locked()
        with pytest.raises(ValueError):
            async with mutex.recovering(fail):
                pytest.fail("the data are not mended")
        assert not mutex.locked()
        for repair in (mend, fail):
            async with mutex.recovering(repair) as locked:
                assert locked is mutex
                assert mutex.locked()
                assert memory[:2] == b"\1\1"
            assert not mutex.locked()
        async with mutex:
            with pytest.raises(OSError) as caught:
                async with mutex:
                    pytest.fail("it is one's own")
            assert caught.value.errno == errno.EDEADLK
            assert mutex.locked()

    run(main)


class Boom(TimeoutError):
    """What a handler raises; an OSError, as those of alarm clocks often are."""


def boom(*_: object) -> None:
    raise Boom


Lock = tuple[Callable[[], Any], Callable[[], Any]]
"""A context in which something is held, and whether it is free."""


async def semaphore() -> Lock:
    made = Semaphore.create(posix.mmap(-1, 4096))

    async def is_free() -> bool:
        return made.value == 1

    return lambda: made, is_free


async def mutex() -> Lock:
    made = Mutex.create(posix.mmap(-1, 4096))

    async def is_free() -> bool:
        return not made.locked()

    return lambda: made, is_free


async def descriptor() -> Lock:
    async def opened() -> int:
        return await posix.open("/tmp/lock", posix.O_RDWR | posix.O_CREAT)

    @asynccontextmanager
    async def held() -> AsyncIterator[None]:
        async with lock_file(await opened()):  # which stays open
            yield

    async def is_free() -> bool:
        fd = await opened()
        try:
            await posix.flock(fd, posix.LOCK_EX | posix.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            posix.close(fd)
        return True

    return held, is_free


each_lock = pytest.mark.parametrize("make", [semaphore, mutex, descriptor])


@each_lock
def test_handlers_that_raise_prevent_no_release(run: Run, make: Callable[[], Any]) -> None:
    async def main() -> None:
        held, is_free = await make()
        for signal in (SIGUSR1, SIGUSR2):
            posix.signal(signal, boom)
        pid = posix.getpid()

        async def interrupt() -> None:
            for signal in (SIGUSR1, SIGUSR2):
                posix.kill(pid, signal)

        with pytest.raises(Boom):
            async with held():
                posix.fork(interrupt)
                await anyio.sleep(1)  # the next call handles it
        assert await is_free()
        await posix.wait()

    run(main)


@each_lock
def test_what_a_handler_raises_as_it_is_acquired_leaves_it_free(
    run: Run, make: Callable[[], Any]
) -> None:
    async def main() -> None:
        held, is_free = await make()

        async def child() -> None:
            posix.signal(SIGUSR1, boom)
            with pytest.raises(Boom):
                async with held():
                    posix._exit(1)
            posix._exit(0 if await is_free() else 2)

        holding = held()
        await holding.__aenter__()
        pid = posix.fork(child)
        await anyio.sleep(1)
        await holding.__aexit__(None, None, None)
        posix.kill(pid, SIGUSR1)
        assert await posix.waitpid(pid) == (pid, 0)

    run(main)


def test_a_condition_hands_items_from_one_process_to_another(run: Run) -> None:
    async def main() -> list[int]:
        memory = posix.mmap(-1, 4096)
        mutex = Mutex.create(memory, 64)
        filled = Condition.create(memory, 128, mutex=mutex)
        emptied = Condition.create(memory, 192, mutex=mutex)
        taken: list[int] = []

        async def consume() -> None:
            for _ in range(5):
                async with mutex:
                    while not memory[0]:
                        await filled.wait()
                    taken.append(memory[0])
                    memory[0] = 0
                    emptied.notify()

        posix.fork(consume)
        for item in range(1, 6):
            async with mutex:
                while memory[0]:
                    await emptied.wait()
                memory[0] = item
                filled.notify_all()
        await posix.wait()
        return taken

    assert run(main) == [1, 2, 3, 4, 5]


def test_posix_handles_say_what_they_are_and_end(run: Run) -> None:
    async def main() -> None:
        memory = posix.mmap(-1, 4096)
        sem = posix.sem_init(memory, 0, 1)
        assert repr(sem) == "<posix.Semaphore semaphore at 0x0>"
        again = posix.sem_at(memory, 0)
        posix.sem_trywait(again)
        assert posix.sem_getvalue(sem) == 0
        posix.sem_destroy(sem)
        with pytest.raises(OSError, match="Invalid"):
            posix.sem_post(sem)
        name = f"/x-{os.getpid()}"
        named = posix.sem_open(name, posix.O_CREAT, 0o600, 2)
        posix.sem_unlink(name)
        assert posix.sem_getvalue(named) == 2
        posix.sem_close(named)
        assert repr(named) == "<posix.Semaphore closed>"
        mutex = posix.pthread_mutex_init(memory, 64)
        posix.pthread_mutex_trylock(posix.pthread_mutex_at(memory, 64))
        assert repr(mutex) == "<posix.Mutex mutex at 0x40>"
        posix.pthread_mutex_unlock(mutex)
        posix.pthread_mutex_destroy(mutex)
        condition = posix.pthread_cond_init(memory, 128)
        assert repr(posix.pthread_cond_at(memory, 128)) == "<posix.Condition condition at 0x80>"
        posix.pthread_cond_destroy(condition)
        with pytest.raises(ValueError, match="NaN"):
            await posix.sem_timedwait(again, float("nan"))

    run(main)


def test_futex_is_a_lock_of_ones_own_making(run: Run) -> None:
    """The classic: 0 free, 1 locked, 2 locked and somebody may sleep."""

    async def main() -> int:
        memory = posix.mmap(-1, 4096)

        async def count() -> None:
            for _ in range(4):
                while memory[8]:
                    memory[8] = 2
                    try:
                        await posix.futex_wait(memory, 8, 2)
                    except BlockingIOError:
                        continue
                memory[8] = 2
                value = memory[0]
                await anyio.sleep(1)
                memory[0] = value + 1
                memory[8] = 0
                posix.futex_wake(memory, 8, 1)

        for _ in range(3):
            posix.fork(count)
        for _ in range(3):
            await posix.wait()
        assert posix.futex_wake(memory, 8, 9) == 0
        return int(memory[0])

    assert run(main) == 12
