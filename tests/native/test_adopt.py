"""Numbers of the operating system that were made elsewhere become open files of their kind."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asyncipc import posix
from asyncipc.kernel.openfile import O_ACCMODE, O_APPEND, O_NONBLOCK, O_RDWR, O_WRONLY, OpenFile
from asyncipc.kernel.sockets.ancillary import MSG_CTRUNC
from asyncipc.kernel.sockets.options import SO_RCVTIMEO, SOL_SOCKET
from asyncipc.kernel.sockets.socket import AF_INET6, SOCK_DGRAM
from asyncipc.native.adopt import adopt
from asyncipc.native.files.pipe import NativePipe
from asyncipc.native.files.regular import NativeRegular
from asyncipc.native.sockets.socket import NativeSocket
from asyncipc.runtime.process import current

Run = Callable[..., Any]


def adopted(number: int) -> OpenFile:
    """The open file of a number, which the process has as its lowest free descriptor."""
    body = current()
    file = adopt(body.simulation.localhost.kernel, number)
    body.process.table.open(file, cloexec=True)
    return file


def test_a_pipe_keeps_its_access_mode_and_waits_though_it_never_blocks(run: Run) -> None:
    async def main() -> None:
        r, w = map(adopted, os.pipe())
        assert isinstance(r, NativePipe)
        assert w.flags & O_ACCMODE == O_WRONLY
        assert not r.flags & O_NONBLOCK
        assert await posix.write(4, b"x") == 1
        assert await posix.read(3, 9) == b"x"

    run(main)


def test_what_cannot_be_adopted_is_closed(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        number = os.open(tmp_path, os.O_PATH)
        with pytest.raises(OSError, match="Bad file"):
            adopt(current().simulation.localhost.kernel, number)
        with pytest.raises(OSError, match="Bad file"):
            os.fstat(number)

    run(main)


@pytest.mark.parametrize("bad", range(3))
def test_of_several_numbers_those_before_one_that_cannot_be_adopted_arrive(
    bad: int, run: Run, tmp_path: Path
) -> None:
    async def main() -> None:
        ours, others = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        adopted(ours.detach())
        numbers = [os.open(tmp_path, os.O_PATH if place == bad else 0) for place in range(3)]
        socket.send_fds(others, [b"message"], numbers)
        for number in numbers:
            os.close(number)
        others.close()
        data, fds, flags, _ = await posix.recv_fds(3, 9, 3)
        assert (data, fds, flags) == (b"message", list(range(4, 4 + bad)), MSG_CTRUNC)

    run(main)  # which looks whether a number is left


def test_a_socket_keeps_its_family_its_type_and_its_time_limits(run: Run) -> None:
    async def main() -> None:
        made = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        made.setsockopt(SOL_SOCKET, SO_RCVTIMEO, struct.pack("qq", 0, 10_000))
        file = adopted(made.detach())
        assert isinstance(file, NativeSocket)
        assert (file.family, file.kind, file.flags) == (AF_INET6, SOCK_DGRAM, O_RDWR)
        posix.bind(3, ("::1", 0))
        with pytest.raises(BlockingIOError):
            await posix.recv(3, 1)

    run(main)


def test_a_file_keeps_its_status_flags(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        number = os.open(tmp_path / "log", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        file = adopted(number)
        assert isinstance(file, NativeRegular)
        assert file.flags == O_WRONLY | O_APPEND
        await posix.write(3, b"line")

    run(main)
    assert (tmp_path / "log").read_bytes() == b"line"


def test_a_device_can_be_read_and_written(run: Run) -> None:
    async def main() -> None:
        adopted(os.open("/dev/null", os.O_RDWR))
        assert await posix.write(3, b"gone") == 4
        assert await posix.read(3, 9) == b""

    run(main)
