"""FIFOs as channels."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

import anyio
import pytest

import asyncipc
from asyncipc import posix
from asyncipc.faces.fifo import open_fifo
from asyncipc.runtime.fault_plan import Fault

Run = Callable[..., Any]


def test_two_processes_talk_through_a_name(run: Run) -> None:
    async def child() -> None:
        async with await open_fifo(b"/tmp/f", "w") as sender:
            await sender.send(b"x" * 100_000)

    async def main() -> None:
        posix.mkfifo("/tmp/f")
        posix.fork(child)
        total = 0
        async with await open_fifo(PurePosixPath("/tmp/f"), "r") as receiver:
            async for data in receiver:
                total += len(data)
        assert total == 100_000
        await posix.wait()

    run(main)


def test_a_channel_is_close_on_exec_and_waits_whatever_its_flags_say(run: Run) -> None:
    async def main() -> None:
        posix.mkfifo("f")
        both = await posix.open("f", os.O_RDWR)
        receiver = await open_fifo("f", "r")
        assert not posix.get_inheritable(receiver.fd)
        posix.set_blocking(receiver.fd, False)

        async def later() -> None:
            await anyio.sleep(1)
            await posix.write(both, b"late")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(later)
            assert await receiver.receive() == b"late"
        receiver.close()

    run(main)


def test_a_sender_whose_readers_are_gone_is_broken(run: Run) -> None:
    async def main() -> None:
        posix.mkfifo("f")
        r = await posix.open("f", os.O_RDONLY | os.O_NONBLOCK)
        async with await open_fifo("f", "w") as sender:
            posix.close(r)
            with pytest.raises(anyio.BrokenResourceError):
                await sender.send(b"x")

    run(main)


def test_the_ends_of_a_fifo_make_channels_by_their_descriptors(run: Run) -> None:
    async def main() -> None:
        posix.mkfifo("f")
        r = await posix.open("f", os.O_RDONLY | os.O_NONBLOCK)
        w = await posix.open("f", os.O_WRONLY)
        receiver, sender = asyncipc.open_channel(r), asyncipc.open_channel(w)
        assert isinstance(receiver, asyncipc.PipeReceiveChannel)
        assert isinstance(sender, asyncipc.PipeSendChannel)
        await sender.send(b"x")
        assert await receiver.receive() == b"x"
        receiver.close()
        sender.close()
        both = await posix.open("f", os.O_RDWR)
        with pytest.raises(TypeError, match="/tmp/f"):
            asyncipc.open_channel(both)

    run(main)


def test_an_interrupted_open_is_made_again(run: Run) -> None:
    async def main() -> None:
        posix.mkfifo("f")
        await posix.open("f", os.O_RDWR)
        (await open_fifo("f", "r")).close()

    run(main, faults=[Fault(2, "openat", error=errno.EINTR)])


def test_what_cannot_be_opened_says_why(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(FileNotFoundError):
            await open_fifo("f", "r")
        with pytest.raises(ValueError, match="'rw'"):
            await open_fifo("f", "rw")  # type: ignore[call-overload]

    run(main)
