"""Semaphores, mutexes and conditions between processes of the operating system."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import anyio
import pytest

from asyncipc import Unsupported, posix
from asyncipc.faces.condition import Condition
from asyncipc.faces.mutex import Mutex
from asyncipc.faces.semaphore import Semaphore, open_semaphore, unlink_semaphore
from asyncipc.faces.shared_memory import SharedMemory
from tests.native import sync_programs as programs

Run = Callable[..., Any]

NAME = f"asyncipc-{os.getpid()}"


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    yield
    for name in (NAME, f"sem.{NAME}"):
        with suppress(FileNotFoundError):
            os.unlink(f"/dev/shm/{name}")
            pytest.fail(f"/dev/shm/{name} stayed")


def new_block() -> SharedMemory:
    return SharedMemory(NAME, create=True, size=4096)


async def all_end_well(count: int) -> None:
    for _ in range(count):
        assert (await posix.wait())[1] == 0


# -- semaphores


def test_a_post_of_another_process_wakes_who_waits_in_memory_passed_by_descriptor(
    isolated: Run,
) -> None:
    async def main() -> None:
        fd = posix.memfd_create("shared", 0)
        posix.ftruncate(fd, 4096)
        memory = posix.mmap(fd, 0)
        semaphore = posix.sem_init(memory)
        with pytest.raises(TimeoutError):
            await posix.sem_timedwait(semaphore, 0.01)
        with pytest.raises(BlockingIOError):
            posix.sem_trywait(semaphore)
        pid = posix.fork(programs.posts_where_it_was_told, fd)
        await posix.sem_wait(semaphore)
        assert int.from_bytes(memory[200:208], "little") == pid
        assert posix.sem_getvalue(semaphore) == 0
        await all_end_well(1)

    isolated(main)


def test_each_post_lets_one_of_several_processes_in(isolated: Run) -> None:
    async def main() -> None:
        block = new_block()
        semaphore = Semaphore.create(block, 0, 0)
        for _ in range(2):
            posix.fork(programs.waits_there, NAME)
        semaphore.release()
        assert (await posix.wait())[1] == 0
        assert (block.buf[200], semaphore.value) == (1, 0)
        semaphore.release()
        await all_end_well(1)
        assert block.buf[200] == 2
        block.close()
        block.unlink()

    isolated(main)


def test_a_semaphore_says_what_the_c_library_says(isolated: Run) -> None:
    async def main() -> None:
        memory = posix.mmap(-1, 4096)
        for value in (-1, 2**31):
            with pytest.raises(OSError, match="Invalid"):
                posix.sem_init(memory, 0, value)
        semaphore = posix.sem_init(memory, 0, 2**31 - 1)
        with pytest.raises(OSError) as caught:
            posix.sem_post(semaphore)
        assert caught.value.errno == errno.EOVERFLOW
        with pytest.raises(OSError, match="Invalid"):
            posix.sem_at(memory, 2)
        memory.close()
        with pytest.raises(OSError) as caught:
            posix.sem_post(semaphore)
        assert caught.value.errno == errno.EFAULT

    isolated(main)


def test_a_named_semaphore_is_the_systems_own(isolated: Run) -> None:
    async def main() -> None:
        semaphore = open_semaphore(NAME, 0, exclusive=True)
        assert os.stat(f"/dev/shm/sem.{NAME}").st_size == 32
        with pytest.raises(FileExistsError):
            open_semaphore(NAME, 0, exclusive=True)
        posix.fork(programs.takes_a_named_one, NAME)
        semaphore.release()
        await all_end_well(1)
        assert semaphore.value == 0
        unlink_semaphore(NAME)
        with pytest.raises(FileNotFoundError):
            open_semaphore(NAME)

    isolated(main)


@pytest.mark.parametrize(
    ("name", "opening", "unlinking"),
    [
        ("", "EINVAL", "ENOENT"),
        ("/a/b", "EINVAL", "ENOENT"),
        ("/" + "y" * 252, "ENAMETOOLONG", "ENAMETOOLONG"),
        ("/none-of-that-name", "ENOENT", "ENOENT"),
    ],
)
def test_bad_names_of_semaphores_fail_as_in_c(
    run: Run, name: str, opening: str, unlinking: str
) -> None:
    async def main() -> None:
        for call, expected in ((posix.sem_open, opening), (posix.sem_unlink, unlinking)):
            with pytest.raises(OSError) as caught:
                call(name)
            assert errno.errorcode[caught.value.errno or 0] == expected

    run(main)


def test_a_named_semaphore_has_the_mode_that_the_umask_leaves(run: Run) -> None:
    async def main() -> None:
        posix.umask(0o027)
        semaphore = posix.sem_open(NAME, posix.O_CREAT, 0o666, 3)
        assert os.stat(f"/dev/shm/sem.{NAME}").st_mode & 0o777 == 0o640
        assert posix.sem_getvalue(semaphore) == 3
        with pytest.raises(OSError, match="Invalid"):
            posix.sem_open(f"{NAME}-2", posix.O_CREAT, 0o600, 2**31)
        posix.sem_unlink(NAME)

    run(main)


def test_who_has_a_named_semaphore_keeps_it_when_its_name_is_gone(run: Run) -> None:
    async def main() -> None:
        semaphore = posix.sem_open(NAME, posix.O_CREAT, 0o600, 1)
        again = posix.sem_open(NAME, posix.O_CREAT, 0o600, 2**31)  # it is there: no value is set
        posix.sem_unlink(NAME)
        await posix.sem_wait(again)
        with pytest.raises(TimeoutError):
            await posix.sem_timedwait(semaphore, 0.01)
        posix.sem_close(again)
        posix.sem_post(semaphore)
        assert posix.sem_getvalue(semaphore) == 1
        new = posix.sem_open(NAME, posix.O_CREAT | posix.O_EXCL, 0o600, 2**31 - 1)
        with pytest.raises(OSError) as caught:
            posix.sem_post(new)
        assert caught.value.errno == errno.EOVERFLOW
        posix.sem_unlink(NAME)

    run(main)


def test_a_nul_ends_no_name(run: Run) -> None:
    async def main() -> None:
        for call in (posix.sem_open, posix.mq_open):
            with pytest.raises(ValueError, match="null byte"):
                call("/name\0and-more", 0)

    run(main)


# -- mutexes


def test_no_increment_is_lost_between_processes_and_their_tasks(isolated: Run) -> None:
    async def main() -> None:
        block = new_block()
        Mutex.create(block, programs.LOCK)
        for _ in range(2):
            posix.fork(programs.counts, NAME, 10)
        async with anyio.create_task_group() as group:
            for _ in range(2):
                group.start_soon(programs.counts, NAME, 10)
        await all_end_well(2)
        assert block.buf[0] == 40
        block.close()
        block.unlink()

    isolated(main)


@pytest.mark.parametrize("dies", [programs.dies_with_it, programs.ends_with_it])
def test_the_operating_system_tells_of_a_dead_owner(isolated: Run, dies: Any) -> None:
    async def main() -> None:
        block = new_block()
        mutex = Mutex.create(block, programs.LOCK)
        await posix.waitpid(posix.fork(dies, NAME))
        mended = []
        async with mutex.recovering(lambda: mended.append(True)):
            assert mended
            pid = posix.fork(programs.is_told_and_tells, NAME)
            assert await posix.waitpid(pid) == (pid, 0)
        async with mutex:
            assert mutex.locked()
        block.close()
        block.unlink()

    isolated(main)


def test_who_does_not_mend_what_a_dead_owner_has_left_leaves_it_to_nobody(isolated: Run) -> None:
    async def main() -> None:
        block = new_block()
        mutex = Mutex.create(block, programs.LOCK)
        await posix.waitpid(posix.fork(programs.dies_with_it, NAME))
        with pytest.raises(OSError) as caught:
            async with mutex:
                pytest.fail("the data are not consistent")
        assert caught.value.errno == errno.EOWNERDEAD
        pid = posix.fork(programs.is_told_and_tells, NAME)
        assert await posix.waitpid(pid) == (pid, errno.ENOTRECOVERABLE << 8)
        block.close()
        block.unlink()

    isolated(main)


def test_a_mutex_is_a_tasks_not_the_interpreters(isolated: Run) -> None:
    async def main() -> None:
        memory = posix.mmap(-1, 4096)
        recursive = posix.pthread_mutex_init(memory, 0, posix.PTHREAD_MUTEX_RECURSIVE)
        checking = posix.pthread_mutex_init(memory, 64, posix.PTHREAD_MUTEX_ERRORCHECK)
        normal = posix.pthread_mutex_init(memory, 128)
        all_three = (recursive, checking, normal)
        for mutex in all_three:
            await posix.pthread_mutex_lock(mutex)
        await posix.pthread_mutex_lock(recursive)

        async def another() -> None:
            for mutex in all_three:
                with pytest.raises(TimeoutError):
                    await posix.pthread_mutex_timedlock(mutex, 0.01)
                with pytest.raises(OSError, match="busy"):
                    posix.pthread_mutex_trylock(mutex)
            for mutex in (recursive, checking):
                with pytest.raises(PermissionError):
                    posix.pthread_mutex_unlock(mutex)
            posix.pthread_mutex_unlock(normal)
            await posix.pthread_mutex_lock(normal)
            posix.pthread_mutex_unlock(normal)

        async with anyio.create_task_group() as group:
            group.start_soon(another)
        with pytest.raises(OSError) as caught:
            await posix.pthread_mutex_lock(checking)
        assert caught.value.errno == errno.EDEADLK
        for mutex in (recursive, recursive, checking):
            assert mutex.kernel.is_locked()
            posix.pthread_mutex_unlock(mutex)
        for mutex in all_three:
            assert not mutex.kernel.is_locked()
            posix.pthread_mutex_destroy(mutex)
        with pytest.raises(OSError, match="Invalid"):
            posix.pthread_mutex_init(memory, 0, 9)

    isolated(main)


# -- conditions


def test_a_condition_hands_items_to_another_process(isolated: Run) -> None:
    async def main() -> None:
        block = new_block()
        mutex = Mutex.create(block, programs.LOCK)
        filled = Condition.create(block, programs.FILLED, mutex=mutex)
        emptied = Condition.create(block, programs.EMPTIED, mutex=mutex)
        posix.fork(programs.consumes, NAME, 5)
        for item in range(1, 6):
            async with mutex:
                while block.buf[0]:
                    await emptied.wait()
                block.buf[0] = item
                filled.notify_all()
        await all_end_well(1)
        assert block.buf[1] == 15
        block.close()
        block.unlink()

    isolated(main)


def test_whatever_ends_a_wait_the_mutex_is_locked(isolated: Run) -> None:
    async def main() -> None:
        memory = posix.mmap(-1, 4096)
        mutex = posix.pthread_mutex_init(memory, 0, posix.PTHREAD_MUTEX_ERRORCHECK)
        condition = posix.pthread_cond_init(memory, 64)
        with pytest.raises(PermissionError):
            await posix.pthread_cond_wait(condition, mutex)
        await posix.pthread_mutex_lock(mutex)
        with pytest.raises(TimeoutError):
            await posix.pthread_cond_timedwait(condition, mutex, 0.01)
        with anyio.move_on_after(0.05) as scope:
            await posix.pthread_cond_wait(condition, mutex)
        assert scope.cancelled_caught
        posix.pthread_mutex_unlock(mutex)  # which it can, so it has it

    isolated(main)


def test_futexes_of_real_processes_are_refused_by_name(isolated: Run) -> None:
    async def main() -> None:
        with pytest.raises(Unsupported, match="futex"):
            await posix.futex_wait(posix.mmap(-1, 4096), 0, 0)

    isolated(main)
