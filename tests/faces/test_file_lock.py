"""``lock_file``: a block that nobody else is in, on both loops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest

import asyncipc
from asyncipc import posix
from asyncipc.faces.file_lock import lock_file
from tests.pace import have_passed

Run = Callable[..., Any]
PATH = "/tmp/f"


def test_two_processes_are_never_in_the_block_at_once(run: Run) -> None:
    inside: list[int] = []

    async def child() -> None:
        async with lock_file(PATH):
            inside.append(posix.getpid())
            assert len(inside) == 1
            await anyio.sleep(1)
            inside.clear()

    async def main() -> None:
        start = anyio.current_time()
        for _ in range(3):
            posix.fork(child)
        for _ in range(3):
            await posix.waitpid(-1)
        assert have_passed(start, 3)

    run(main)


def test_those_who_share_are_in_it_together(run: Run) -> None:
    async def child() -> None:
        async with lock_file(PATH, shared=True):
            await anyio.sleep(1)

    async def main() -> None:
        start = anyio.current_time()
        for _ in range(3):
            posix.fork(child)
        await anyio.sleep(0.5)
        async with lock_file(PATH):
            assert have_passed(start, 1)
        for _ in range(3):
            await posix.waitpid(-1)

    run(main)


def test_two_tasks_exclude_each_other_by_path_and_not_by_descriptor(run: Run) -> None:
    async def main() -> None:
        fd = await posix.open(PATH, posix.O_RDONLY | posix.O_CREAT)
        async with lock_file(fd), lock_file(fd):
            with pytest.raises(BlockingIOError):
                async with lock_file(PATH, wait=False):
                    pytest.fail("somebody has it")
        async with lock_file(PATH), lock_file("/tmp/g"):
            pass

    run(main)


def test_a_channel_can_be_locked(run: Run) -> None:
    async def main() -> None:
        receiver, sender = asyncipc.create_pipe()
        async with lock_file(receiver, wait=False):
            with pytest.raises(BlockingIOError):
                async with lock_file(sender, wait=False):
                    pytest.fail("both ends are one object")
        await receiver.aclose()
        with pytest.raises(anyio.ClosedResourceError):
            async with lock_file(receiver):
                pytest.fail("it is closed")
        await sender.aclose()

    run(main)


def test_it_is_released_whatever_ends_the_block(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(ValueError):
            async with lock_file(PATH):
                raise ValueError
        with anyio.move_on_after(1):
            async with lock_file(PATH):
                await anyio.sleep(5)
        fd = await posix.open(PATH, posix.O_RDONLY)
        async with lock_file(fd):
            posix.close(fd)
        with anyio.move_on_after(1):
            async with lock_file(PATH), lock_file(PATH):
                pytest.fail("a file has one lock")
        async with lock_file(PATH, wait=False):
            assert await posix.open(PATH, posix.O_RDONLY) == 4, "nothing else is open"

    run(main)


def test_a_child_that_has_inherited_it_has_not_after_the_block(run: Run) -> None:
    async def child(fd: int) -> None:
        await anyio.sleep(5)

    async def main() -> None:
        fd = await posix.open(PATH, posix.O_RDONLY | posix.O_CREAT)
        async with lock_file(fd):
            posix.fork(child, fd)
        async with lock_file(PATH, wait=False):
            pass
        await posix.waitpid(-1)

    run(main)


def test_what_is_not_open_is_refused(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(OSError, match="Bad file descriptor"):
            async with lock_file(77):
                pytest.fail("no such descriptor")

    run(main)
