"""Memory of the operating system: what is real of it, and what of it is checked before."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

import asyncipc
from asyncipc import Unsupported, posix
from asyncipc.kernel.sysv.identifiers import IPC_RMID
from asyncipc.native import libc
from asyncipc.runtime.process import current

Run = Callable[..., Any]

PAGE = 4096
CREATE = os.O_CREAT | os.O_RDWR


@pytest.fixture
def shm(tmp_path: Path) -> Path:
    """Where the objects of a run are, for the operating system."""
    return tmp_path / "root" / "dev" / "shm"


@pytest.fixture
def segment() -> Iterator[list[int]]:
    """The identifiers that a test has made, which go with it."""
    made: list[int] = []
    yield made
    for shmid in made:
        libc.shmctl(shmid, IPC_RMID, None)


def sized(name: str, size: int = 2 * PAGE) -> int:
    fd = posix.shm_open(name, CREATE)
    posix.ftruncate(fd, size)
    return fd


async def status_of(pid: int) -> int:
    return (await posix.waitpid(pid))[1]


def error_of(call: Callable[..., object], *args: object) -> int | None:
    with pytest.raises(OSError) as caught:
        call(*args)
    return caught.value.errno


# -- it is the operating system's


def test_what_is_written_to_a_map_is_in_the_real_file_and_back(run: Run, shm: Path) -> None:
    async def main() -> None:
        memory = posix.mmap(sized("m"), 0)
        memory[5:8] = b"abc"
        with (shm / "m").open("r+b", buffering=0) as file:
            assert file.read(8) == bytes(5) + b"abc"
            file.seek(6)
            file.write(b"X")
        assert memory[5:8] == b"aXc"
        memory.flush()

    run(main)


def test_a_private_map_shows_the_file_until_it_is_written_to(run: Run) -> None:
    async def child(private: posix.MemoryMap, fd: int) -> None:
        assert private[:2] == b"mf"
        assert private[PAGE] == ord("a")
        private[1] = ord("c")
        posix.pwrite(fd, b"b", PAGE)
        assert (private[0], private[PAGE]) == (ord("m"), ord("b"))

    async def main() -> None:
        fd = sized("m")
        private = posix.mmap(fd, 0, posix.MAP_PRIVATE)
        posix.pwrite(fd, b"ff", 0)
        posix.pwrite(fd, b"a", PAGE)
        private[0] = ord("m")
        posix.pwrite(fd, b"gg", 0)
        assert await status_of(posix.fork(child, private, fd)) == 0
        assert private[:2] == b"mf"
        assert posix.pread(fd, 2, 0) == b"gg"

    run(main)


def test_a_raw_view_of_a_private_map_is_copied_by_a_fork(run: Run) -> None:
    async def child(private: posix.MemoryMap) -> None:
        await anyio.sleep(1)
        assert private[3 * PAGE] == 7
        assert private[0] == 0

    async def main() -> None:
        for fd in (-1, sized("m", 3 * PAGE + 10)):
            private = posix.mmap(fd, 3 * PAGE + 10, posix.MAP_PRIVATE)
            view = private.buf
            view[3 * PAGE] = 7
            pid = posix.fork(child, private)
            view[0] = 1
            assert await status_of(pid) == 0
            view.release()

    run(main)


def test_errors_are_those_of_the_operating_system(run: Run) -> None:
    async def main() -> None:
        r, w = posix.pipe()
        assert error_of(posix.mmap, r, 10, posix.MAP_SHARED, posix.PROT_READ) == errno.ENODEV
        assert error_of(posix.mmap, w, 10) == errno.EACCES
        assert error_of(posix.mmap, 0, 10) == errno.ENODEV
        fd = sized("m")
        readable = posix.shm_open("m", os.O_RDONLY)
        assert error_of(posix.mmap, readable, 10) == errno.EACCES
        assert error_of(posix.mmap, fd, 10, 0) == errno.EINVAL
        assert error_of(posix.fcntl, r, posix.F_GET_SEALS) == errno.EINVAL
        plain = posix.memfd_create("x")
        assert error_of(posix.fcntl, plain, posix.F_ADD_SEALS, posix.F_SEAL_WRITE) == errno.EPERM
        assert error_of(posix.memfd_create, "y" * 250) == errno.EINVAL
        with pytest.raises(Unsupported, match="MFD_HUGETLB"):
            posix.memfd_create("x", 4)
        with pytest.raises(Unsupported, match="flags"):
            posix.mmap(-1, 10, posix.MAP_SHARED | 0x40000)

    run(main)


# -- it is checked


def test_a_raw_view_of_what_is_to_be_read_only_shows_changes_and_holds_the_map(run: Run) -> None:
    async def main() -> None:
        fd = sized("m", 10)
        memory = posix.mmap(posix.shm_open("m", os.O_RDONLY), 0, prot=posix.PROT_READ)
        view = memory.buf
        assert view.readonly
        posix.pwrite(fd, b"new", 0)
        assert bytes(view[:3]) == b"new"
        part = view[1:2]
        view.release()
        with pytest.raises(BufferError):
            memory.close()
        part.release()
        posix.ftruncate(fd, 0)
        assert error_of(lambda: memory.buf) == errno.ENOMEM
        memory.close()

    run(main)


def test_a_view_outlives_the_end_of_its_process(run: Run) -> None:
    kept = []

    async def child(memory: posix.MemoryMap) -> None:
        kept.append(memory.buf)
        kept[0][0] = 5

    async def main() -> None:
        pid = posix.fork(child, posix.mmap(sized("m"), 0))
        assert await status_of(pid) == 0

    run(main)
    assert kept.pop()[0] == 5


def test_a_word_behind_the_end_of_its_file_is_a_bad_address(run: Run) -> None:
    async def main() -> None:
        fd = sized("m")
        semaphore = posix.sem_init(posix.mmap(fd, 0), PAGE)
        posix.ftruncate(fd, PAGE)
        assert error_of(posix.sem_post, semaphore) == errno.EFAULT
        assert error_of(posix.sem_getvalue, semaphore) == errno.EFAULT
        posix.ftruncate(fd, 2 * PAGE)
        posix.sem_post(semaphore)

    run(main)


def test_a_word_that_is_unmapped_or_to_be_read_only_is_a_bad_address(run: Run) -> None:
    async def main() -> None:
        fd = sized("m")
        read_only = posix.mmap(fd, 0, prot=posix.PROT_READ)
        assert error_of(posix.sem_init, read_only) == errno.EFAULT
        memory = posix.mmap(fd, 0)
        semaphore = posix.sem_init(memory)
        memory.close()
        assert error_of(posix.sem_post, semaphore) == errno.EFAULT
        assert error_of(posix.sem_getvalue, semaphore) == errno.EFAULT

    run(main)


def test_a_process_ends_though_the_memory_of_what_it_has_locked_is_gone(run: Run) -> None:
    async def child() -> None:
        memory = posix.mmap(-1, PAGE)
        mutex = posix.pthread_mutex_init(memory, robust=True)
        await posix.pthread_mutex_lock(mutex)
        memory.close()

    async def main() -> None:
        assert await status_of(posix.fork(child)) == 0

    run(main)


# -- one word, many mappings


@pytest.mark.parametrize("offset", [0, PAGE])
def test_two_mappings_of_one_file_show_one_word(run: Run, offset: int) -> None:
    async def main() -> None:
        first = posix.mmap(sized("m"), 0)
        second = posix.mmap(posix.shm_open("m", os.O_RDWR), 0, offset=offset)
        assert first.place(offset + 8) == second.place(8)
        assert hash(first.place(offset + 8)) == hash(second.place(8))
        assert first.place(8) != first.place(12)
        woken = []

        async def sleep() -> None:
            await posix.futex_wait(first, offset + 8, 0)
            woken.append(True)

        async with anyio.create_task_group() as group:
            group.start_soon(sleep)
            await anyio.sleep(1)
            assert posix.futex_wake(second, 8) == 1
        assert woken

    run(main)


def test_other_files_and_memory_without_one_show_other_words(run: Run) -> None:
    async def main() -> None:
        maps = [posix.mmap(sized(name), 0) for name in ("a", "b")]
        maps += [posix.mmap(-1, PAGE), posix.mmap(-1, PAGE)]
        maps += [posix.mmap(sized("a"), 0, posix.MAP_PRIVATE) for _ in range(2)]
        assert len({each.place(0) for each in maps}) == len(maps)

    run(main)


def test_two_attachments_of_one_segment_show_one_word(run: Run, segment: list[int]) -> None:
    async def main() -> None:
        segment.append(posix.shmget(posix.IPC_PRIVATE, 100, 0o600))
        first, second = posix.shmat(segment[0]), posix.shmat(segment[0])
        semaphore = posix.sem_init(first, 8, 1)
        assert first.place(8) == second.place(8)
        posix.sem_trywait(posix.sem_at(second, 8))
        assert posix.sem_getvalue(semaphore) == 0

    run(main)


# -- segments


def test_a_raw_view_keeps_the_octets_of_a_segment_but_not_the_segment(run: Run) -> None:
    async def main() -> None:
        shmid = posix.shmget(posix.IPC_PRIVATE, 100, 0o600)
        memory = posix.shmat(shmid)
        memory[7] = 9
        view, other = memory.buf, memory.buf
        part = view[7:8]
        posix.shmctl(shmid, posix.IPC_RMID)
        posix.shmdt(memory)
        assert error_of(posix.shmctl, shmid, posix.IPC_STAT) == errno.EINVAL
        assert (part[0], other[7], view[8]) == (9, 9, 0)
        part[0] = 1
        assert other[7] == 1

    run(main)


def test_a_removed_segment_is_attached_by_a_fork_and_goes_with_its_last(run: Run) -> None:
    def attachments(shmid: int) -> int:
        status = posix.shmctl(shmid, posix.IPC_STAT)
        assert status is not None
        return status.shm_nattch

    async def child(memory: posix.AttachedMemory) -> None:
        memory[3] = 4
        await anyio.sleep(1)

    async def main() -> None:
        shmid = posix.shmget(posix.IPC_PRIVATE, 100, 0o600)
        memory = posix.shmat(shmid)
        posix.shmctl(shmid, posix.IPC_RMID)
        pids = [posix.fork(child, memory) for _ in range(2)]
        assert attachments(shmid) == 3
        for pid in pids:
            assert await status_of(pid) == 0
        assert attachments(shmid) == 1
        assert memory[3] == 4
        posix.shmdt(memory)
        assert error_of(posix.shmctl, shmid, posix.IPC_STAT) == errno.EINVAL

    run(main)


def test_a_segment_that_is_attached_to_be_read_takes_no_word(run: Run, segment: list[int]) -> None:
    async def main() -> None:
        segment.append(posix.shmget(posix.IPC_PRIVATE, 100, 0o600))
        memory = posix.shmat(segment[0], posix.SHM_RDONLY)
        assert error_of(posix.sem_init, memory) == errno.EFAULT
        assert memory.buf.readonly
        assert error_of(posix.shmget, posix.IPC_PRIVATE, -1, 0o600) == errno.EINVAL
        assert error_of(posix.shmdt, posix.mmap(-1, 10)) == errno.EINVAL

    run(main)


def test_a_shared_map_of_tasks_is_one_piece_of_memory(run: Run) -> None:
    async def child(memory: posix.MemoryMap) -> None:
        semaphore = posix.sem_at(memory)
        memory.close()  # its own; the parent's and so the word stays
        posix.sem_post(semaphore)

    async def main() -> None:
        memory = posix.mmap(-1, PAGE)
        semaphore = posix.sem_init(memory)
        pid = posix.fork(child, memory)
        await posix.sem_wait(semaphore)
        assert await status_of(pid) == 0
        assert not current().sleepers

    run(main)


def test_no_other_interpreter_gets_anonymous_memory_or_what_stands_on_it() -> None:
    async def main() -> None:
        memory = posix.mmap(-1, 4096)
        lock = posix.pthread_mutex_init(memory)
        for argument in (memory, lock, posix.sem_init(memory, 64, 1)):
            with pytest.raises(Unsupported, match="memory that is handed to another"):
                posix.fork(anyio.sleep, argument)

    asyncipc.run(main, machine=asyncipc.Native(isolation="process"))
