"""Corners of the calls: what a handler does to their descriptors, buffers that nobody may fill."""

from __future__ import annotations

import array
import errno
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from asyncipc import posix
from asyncipc.kernel.sockets.options import SO_SNDBUF, SO_TYPE, SOL_SOCKET
from asyncipc.kernel.sockets.socket import AF_INET, AF_INET6, AF_UNIX, SOCK_DGRAM, SOCK_STREAM
from tests.faces.test_posix_arguments import outcome

Run = Callable[..., Any]
NAME = b"\0name"
SIGUSR1 = 10

# Each fails on a UNIX socket in another way, or succeeds.
PLAIN_CALLS: dict[str, Callable[[int], object]] = {
    "bind": lambda fd: posix.bind(fd, NAME),
    "listen": lambda fd: posix.listen(fd),
    "getsockname": lambda fd: posix.getsockname(fd),
    "getpeername": lambda fd: posix.getpeername(fd),
    "shutdown": lambda fd: posix.shutdown(fd, 2),
    "getsockopt": lambda fd: posix.getsockopt(fd, SOL_SOCKET, SO_TYPE),
    "setsockopt": lambda fd: posix.setsockopt(fd, SOL_SOCKET, SO_SNDBUF, 5000),
    "ioctl of a count": lambda fd: posix.ioctl(fd, posix.SIOCOUTQ),
    "ioctl of a flag": lambda fd: posix.ioctl(fd, posix.FIONBIO, 1),
    "ioctl of nothing": lambda fd: posix.ioctl(fd, 1),
    "fcntl": lambda fd: posix.fcntl(fd, posix.F_GETFL),
    "fstat": lambda fd: posix.fstat(fd),
    "lseek": lambda fd: posix.lseek(fd, 0),
    "pread": lambda fd: posix.pread(fd, 1, 0),
    "pwrite": lambda fd: posix.pwrite(fd, b"x", 0),
    "ftruncate": lambda fd: posix.ftruncate(fd, 0),
    "dup": lambda fd: posix.dup(fd),
    "dup2": lambda fd: posix.dup2(fd, 50),
    "close": lambda fd: posix.close(fd),
}


async def make_due(handle: Callable[[], object]) -> None:
    """``handle`` is what this process's next call does first."""

    async def sender(pid: int) -> None:
        posix.kill(pid, SIGUSR1)

    posix.signal(SIGUSR1, lambda sig, info: handle() and None)
    posix.fork(sender, posix.getpid())
    await anyio.sleep(1)


# -- handlers


@pytest.mark.parametrize("name", PLAIN_CALLS)
def test_a_call_whose_descriptor_a_due_handler_closes_is_ebadf(run: Run, name: str) -> None:
    async def main() -> None:
        fd = posix.socket(AF_UNIX, SOCK_STREAM)
        await make_due(lambda: posix.close(fd))
        assert await outcome(lambda: PLAIN_CALLS[name](fd)) == "EBADF"

    run(main)


def test_a_name_is_not_given_to_a_socket_that_a_due_handler_closed(run: Run) -> None:
    """Nobody could ever have taken it away again."""

    async def main() -> None:
        fd = posix.socket(AF_UNIX, SOCK_DGRAM)
        await make_due(lambda: posix.close(fd))
        with pytest.raises(OSError, match="Bad file descriptor"):
            posix.bind(fd, NAME)
        posix.bind(posix.socket(AF_UNIX, SOCK_DGRAM), NAME)

    run(main)


def test_a_call_acts_on_what_a_due_handler_put_in_the_place_of_its_descriptor(run: Run) -> None:
    async def main() -> None:
        fd, other = posix.socket(AF_UNIX, SOCK_STREAM), posix.socket(AF_UNIX, SOCK_DGRAM)
        await make_due(lambda: posix.dup2(other, fd))
        assert posix.getsockopt(fd, SOL_SOCKET, SO_TYPE) == SOCK_DGRAM
        await make_due(lambda: posix.dup2(0, fd))
        assert await outcome(lambda: posix.bind(fd, NAME)) == "ENOTSOCK"

    run(main)


# -- wrong types come before everything else


@pytest.mark.parametrize("wrong", ["3", None, 1.0])
def test_what_is_no_integer_is_a_type_error_whatever_the_descriptor(run: Run, wrong: Any) -> None:
    async def main() -> None:
        for call in (
            lambda: posix.lseek(99, wrong),
            lambda: posix.lseek(99, 0, wrong),
            lambda: posix.pread(99, wrong, 0),
            lambda: posix.pwrite(99, b"", wrong),
            lambda: posix.ftruncate(99, wrong),
            lambda: posix.ioctl(99, wrong),
            lambda: posix.listen(99, wrong),
            lambda: posix.shutdown(99, wrong),
            lambda: posix.getsockopt(99, wrong, SO_TYPE),
            lambda: posix.getsockopt(99, SOL_SOCKET, SO_TYPE, wrong),
            lambda: posix.setsockopt(99, SOL_SOCKET, SO_SNDBUF, wrong),
        ):
            assert await outcome(call) == "TypeError"

    run(main)


@pytest.mark.parametrize("wrong", [(), ("127.0.0.1",), (1, 2), ("::1", 0, 0, 0, 0)])
def test_a_tuple_that_is_no_address_is_a_type_error(run: Run, wrong: Any) -> None:
    async def main() -> None:
        for family in (AF_UNIX, AF_INET, AF_INET6):
            fd = posix.socket(family, SOCK_DGRAM)
            assert await outcome(lambda fd=fd: posix.bind(fd, wrong)) == "TypeError"  # type: ignore[misc]
            assert await outcome(lambda fd=fd: posix.connect(fd, wrong)) == "TypeError"  # type: ignore[misc]
            assert await outcome(lambda fd=fd: posix.sendto(fd, b"", wrong)) == "TypeError"  # type: ignore[misc]
        assert await outcome(lambda: posix.bind(99, wrong)) == "TypeError"

    run(main)


# -- buffers


@pytest.mark.parametrize("wrong", [b"room", memoryview(b"room"), memoryview(bytearray(8))[::2]])
def test_a_buffer_that_cannot_be_filled_takes_no_datagram(run: Run, wrong: Any) -> None:
    async def main() -> None:
        one, other = posix.socketpair(AF_UNIX, SOCK_DGRAM)
        await posix.send(one, b"data")
        with pytest.raises(TypeError):
            await posix.recv_into(other, wrong)
        with pytest.raises(TypeError):
            await posix.recv_into(99, wrong)
        room = bytearray(8)
        assert await posix.recv_into(other, room) == 4
        assert room == b"data\0\0\0\0"

    run(main)


def test_a_buffer_of_wider_items_is_filled_from_its_start(run: Run) -> None:
    async def main() -> None:
        one, other = posix.socketpair()
        await posix.send(one, b"\1\0\0\0\2\0")
        room = array.array("H", [9, 9, 9, 9])
        assert await posix.recv_into(other, room) == 6  # type: ignore[arg-type]
        assert room.tobytes() == b"\1\0\0\0\2\0" + array.array("H", [9]).tobytes()

    run(main)


@pytest.mark.parametrize("size", [-1, 1025])
def test_an_option_of_an_impossible_size_is_refused_and_not_asked_for(run: Run, size: int) -> None:
    """As ``socket.getsockopt`` does; SO_ERROR, which is cleared as it is told, stays."""

    async def main() -> None:
        fd = posix.socket(AF_INET, SOCK_DGRAM)
        await posix.connect(fd, ("127.0.0.1", 9))
        await posix.send(fd, b"x")
        so_error = 4
        with pytest.raises(OSError, match="buflen out of range") as caught:
            posix.getsockopt(fd, SOL_SOCKET, so_error, size)
        assert caught.value.errno == errno.EINVAL
        assert posix.getsockopt(fd, SOL_SOCKET, so_error, 1024) == b"\x6f\0\0\0"

    run(main)
