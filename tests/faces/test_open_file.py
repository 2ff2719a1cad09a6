"""Regular files as channels."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from anyio import ClosedResourceError

from asyncipc import Fault, posix
from asyncipc.faces.open_channel import open_channel
from asyncipc.faces.open_file import FileChannel, open_file
from asyncipc.runtime.process import current

Run = Callable[..., Any]


def test_a_file_is_read_written_and_searched(run: Run) -> None:
    async def main() -> None:
        async with await open_file("f", "w+b") as file:
            assert await file.write(b"abcdef") == 6
            assert file.seek(2) == 2
            assert await file.read(2) == b"cd"
            assert await file.read() == b"ef"
            assert await file.read() == b""
            assert await file.write_at(b"XY", 1) == 2
            assert await file.read_at(9, 0) == b"aXYdef"
            assert (file.tell(), file.truncate(3), file.tell()) == (6, 3, 6)
            assert await file.read() == b""
        with pytest.raises(ClosedResourceError):
            await file.read()
        with pytest.raises(ClosedResourceError):
            file.truncate()

    run(main)


@pytest.mark.parametrize(
    ("mode", "there", "missing"),
    [
        ("rb", b"old", "ENOENT"),
        ("wb", b"new", b"new"),
        ("ab", b"oldnew", b"new"),
        ("xb", "EEXIST", b"new"),
        ("r+b", b"new", "ENOENT"),
        ("a+b", b"oldnew", b"new"),
    ],
)
def test_modes_are_pythons(run: Run, mode: str, there: bytes | str, missing: bytes | str) -> None:
    async def outcome(path: str) -> bytes | str:
        try:
            async with await open_file(path, mode) as file:
                if mode != "rb":
                    await file.write(b"new")
        except FileExistsError:
            return "EEXIST"
        except FileNotFoundError:
            return "ENOENT"
        async with await open_file(path) as file:
            return await file.read()

    async def main() -> None:
        async with await open_file("there", "xb") as file:
            await file.write(b"old")
        assert await outcome("there") == there
        assert await outcome("missing") == missing

    run(main)


def test_what_is_no_regular_file_and_no_mode_is_refused(run: Run) -> None:
    async def main() -> None:
        posix.mkfifo("fifo")
        with pytest.raises(ValueError, match="no regular file"):
            await open_file("fifo", "r+b")
        with pytest.raises(IsADirectoryError):
            await open_file("/tmp", "wb")
        for mode in ("r", "rwb", "", "rbb"):
            with pytest.raises(ValueError, match="mode is one of"):
                await open_file("f", mode)
        assert [entry.fd for entry in current().process.table] == [0, 1, 2]

    run(main)


def test_a_cancelled_call_has_had_no_effect(run: Run) -> None:
    async def main() -> None:
        async with await open_file("f", "w+b") as file:
            with anyio.CancelScope() as scope:
                scope.cancel()
                await file.write(b"lost")
            assert scope.cancelled_caught
            assert file.tell() == 0
            with anyio.CancelScope() as scope:
                scope.cancel()
                await open_file("g", "xb")
            assert posix.listdir() == ["f"]

    run(main)


def test_a_handled_signal_ends_no_call(run: Run) -> None:
    async def main() -> None:
        async with await open_file("f", "w+b") as file:
            assert await file.write(b"abc") == 3
            assert await file.read_at(9, 0) == b"abc"

    calls = ("openat", "write", "pread64")
    run(main, faults=[Fault(nth=1, call=name, error=errno.EINTR) for name in calls])


def test_an_inherited_file_has_a_channel_with_the_same_offset(run: Run) -> None:
    async def child(fd: int) -> None:
        async with open_channel(fd) as file:
            assert isinstance(file, FileChannel)
            assert await file.read() == b"cd"

    async def main() -> None:
        async with await open_file("f", "w+b") as file:
            await file.write(b"abcd")
            file.seek(2)
            pid = posix.fork(child, file.fd)
            assert await posix.waitpid(pid) == (pid, 0)
            assert file.tell() == 4

    run(main)
