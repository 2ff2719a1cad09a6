"""Locks of the operating system, with others that are none of ours."""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

import asyncipc
from asyncipc import Native, Unsupported, posix
from asyncipc.posix import (
    F_GETLK,
    F_OFD_GETLK,
    F_OFD_SETLK,
    F_OFD_SETLKW,
    F_RDLCK,
    F_SETLK,
    F_SETLKW,
    F_UNLCK,
    F_WRLCK,
    LOCK_EX,
    LOCK_NB,
    LOCK_UN,
    FileLock,
)

Run = Callable[..., Any]


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[int]:
    """Another open file of the same file, which asyncipc knows nothing of."""
    path = tmp_path / "root" / "tmp" / "f"
    path.parent.mkdir(parents=True)
    number = os.open(path, os.O_RDWR | os.O_CREAT)
    yield number
    os.close(number)


def lock_as_stranger(number: int, kind: int, start: int, length: int) -> None:
    fcntl.fcntl(number, fcntl.F_OFD_SETLK, struct.pack("@hhqqi0q", kind, 0, start, length, 0))


def test_flock_waits_for_who_is_none_of_ours(stranger: int, run: Run) -> None:
    async def main() -> None:
        f = await posix.open("f", os.O_RDONLY)
        fcntl.flock(stranger, LOCK_EX)
        with pytest.raises(BlockingIOError):
            await posix.flock(f, LOCK_EX | LOCK_NB)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(posix.flock, f, LOCK_EX)
            await anyio.sleep(2)
            fcntl.flock(stranger, LOCK_UN)
        with pytest.raises(BlockingIOError):
            fcntl.flock(stranger, LOCK_EX | LOCK_NB)
        posix.close(f)
        fcntl.flock(stranger, LOCK_EX | LOCK_NB)

    run(main)


def test_a_record_lock_in_the_way_is_told_and_waited_for(stranger: int, run: Run) -> None:
    async def main() -> None:
        f = await posix.open("f", os.O_RDWR)
        lock_as_stranger(stranger, F_WRLCK, 10, 5)
        told = await posix.fcntl_lock(f, F_OFD_GETLK, FileLock(F_RDLCK))
        assert told == FileLock(F_WRLCK, os.SEEK_SET, 10, 5, -1)
        free = FileLock(F_WRLCK, 0, 15, 1)
        assert await posix.fcntl_lock(f, F_OFD_GETLK, free) == free._replace(l_type=F_UNLCK)
        with pytest.raises(BlockingIOError):
            await posix.fcntl_lock(f, F_OFD_SETLK, FileLock(F_WRLCK))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(posix.fcntl_lock, f, F_OFD_SETLKW, FileLock(F_WRLCK))
            await anyio.sleep(2)
            lock_as_stranger(stranger, F_UNLCK, 0, 0)
        with pytest.raises(BlockingIOError):
            lock_as_stranger(stranger, F_RDLCK, 0, 1)

    run(main)


@pytest.mark.parametrize(("whence", "start"), [(os.SEEK_CUR, 2), (os.SEEK_END, -8)])
def test_a_range_counts_from_where_the_call_began(
    stranger: int, run: Run, whence: int, start: int
) -> None:
    async def main() -> None:
        f = await posix.open("f", os.O_RDWR)
        posix.ftruncate(f, 10)
        lock_as_stranger(stranger, F_WRLCK, 0, 0)
        async with anyio.create_task_group() as tasks:
            lock = FileLock(F_WRLCK, whence, start, 1)
            tasks.start_soon(posix.fcntl_lock, f, F_OFD_SETLKW, lock)
            await anyio.sleep(1)
            posix.lseek(f, 50)
            posix.ftruncate(f, 100)
            lock_as_stranger(stranger, F_UNLCK, 0, 0)
        another = await posix.open("f", os.O_RDWR)
        told = await posix.fcntl_lock(another, F_OFD_GETLK, FileLock(F_WRLCK))
        assert told[2:4] == (2, 1)

    run(main)


@pytest.mark.parametrize("command", [F_GETLK, F_SETLK, F_SETLKW])
def test_tasks_have_no_locks_of_processes(run: Run, command: int) -> None:
    async def main() -> None:
        f = await posix.open("f", os.O_RDWR | os.O_CREAT)
        with pytest.raises(Unsupported, match="isolation='process'"):
            await posix.fcntl_lock(f, command, FileLock(F_WRLCK))

    run(main)


def test_what_is_too_large_for_the_structure_is_no_lock(run: Run) -> None:
    async def main() -> None:
        f = await posix.open("f", os.O_RDWR | os.O_CREAT)
        for lock in (FileLock(1 << 20), FileLock(F_WRLCK, 1 << 20), FileLock(F_WRLCK, 7)):
            with pytest.raises(OSError, match="Invalid"):
                await posix.fcntl_lock(f, F_OFD_SETLK, lock)

    run(main)


def test_the_console_is_locked_in_the_model(run: Run) -> None:
    async def main() -> None:
        await posix.flock(0, LOCK_EX)
        await posix.flock(1, LOCK_EX)  # the same open file

    run(main)


def test_a_process_loses_its_locks_with_any_descriptor_of_the_file(
    stranger: int, tmp_path: Path, backend: Any
) -> None:
    async def main() -> None:
        f = await posix.open("f", os.O_RDWR)
        await posix.lockf(f, LOCK_EX)
        with pytest.raises(BlockingIOError):
            lock_as_stranger(stranger, F_RDLCK, 0, 1)
        told = await posix.fcntl_lock(f, F_OFD_GETLK, FileLock(F_WRLCK))
        assert told == FileLock(F_WRLCK, 0, 0, 0, posix.getpid())
        posix.close(posix.dup(f))
        lock_as_stranger(stranger, F_WRLCK, 0, 0)

    machine = Native(isolation="process", root=str(tmp_path / "root"))
    asyncipc.run(main, machine=machine, backend=backend)
