"""Operations on connected sockets, as Python's ``socket`` objects do them.

Each makes a socket object of the descriptor first, which refuses negative
numbers and what is no socket.
"""
# ruff: noqa: A002 (the op language names the keywords)

from __future__ import annotations

from collections.abc import Mapping
from select import POLLIN, POLLOUT
from socket import MSG_DONTWAIT, SO_TYPE, SOL_SOCKET
from typing import Final

import anyio

from asyncipc import posix
from tests.linux.descriptor_ops import FILL_MAX, Operation, number_of, retried, until_failure
from tests.linux.oplang import Fd, Value


def a_socket(fd: int) -> int:
    """EBADF, ENOTSOCK or ``fd``: making a socket object asks for the type."""
    posix.getsockopt(number_of(fd), SOL_SOCKET, SO_TYPE)
    return fd


def socketpair(family: int, kind: int, protocol: int = 0) -> Value:
    return [Fd(fd) for fd in posix.socketpair(family, kind, protocol)]


async def send(fd: int, data: bytes, flags: int = 0) -> int:
    return await retried(posix.send, a_socket(fd), data, flags)


async def recv(fd: int, n: int, flags: int = 0) -> bytes:
    """``socket.recv``, which makes no call for 0 bytes."""
    a_socket(fd)
    if n < 0:
        raise ValueError("negative buffersize in recv")
    return await retried(posix.recv, fd, n, flags) if n else b""


async def recvn(fd: int, n: int, flags: int = 0) -> int:
    """``recv_into`` a buffer of n bytes: MSG_TRUNC tells the whole length."""
    a_socket(fd)
    return await retried(posix.recv_into, fd, bytearray(n), n, flags) if n else 0


def shutdown(fd: int, how: int) -> None:
    posix.shutdown(number_of(fd), how)


async def fillmsg(fd: int, data: bytes, max: int = FILL_MAX) -> Value:
    """Send without blocking until it fails: [sends, bytes, how it ended]."""
    a_socket(fd)
    return await until_failure(lambda: posix.send(fd, data, MSG_DONTWAIT), max)


# -- socket objects with a timeout


async def py_recv(fd: int, n: int, timeout_s: float | None) -> bytes:
    set_timeout(fd, timeout_s)
    await await_readiness(fd, POLLIN, timeout_s)
    return await recv(fd, n)


async def py_sendall(fd: int, data: bytes, timeout_s: float | None) -> None:
    set_timeout(fd, timeout_s)
    until = anyio.current_time() + (timeout_s or 0)
    while True:
        await await_readiness(fd, POLLOUT, timeout_s and until - anyio.current_time())
        data = data[await send(fd, data) :]
        if not data:
            return


def set_timeout(fd: int, timeout_s: float | None) -> None:
    posix.set_blocking(a_socket(fd), timeout_s is None)


async def await_readiness(fd: int, events: int, timeout_s: float | None) -> None:
    if timeout_s and not await retried(posix.poll, [(fd, events)], timeout_s):
        raise TimeoutError("timed out")


def py_pipe_flags() -> Value:
    """How Python makes pipes and socketpairs: [blocking, inheritable] of each."""
    made = posix.pipe() + posix.socketpair()
    answers: list[Value] = []
    for fd in made[::2]:
        answers += [int(posix.get_blocking(fd)), int(posix.get_inheritable(fd))]
    for fd in made:
        posix.close(fd)
    return answers


OPERATIONS: Final[Mapping[str, Operation]] = {
    "fillmsg": fillmsg,
    "py_pipe_flags": py_pipe_flags,
    "py_recv": py_recv,
    "py_sendall": py_sendall,
    "recv": recv,
    "recvn": recvn,
    "send": send,
    "shutdown": shutdown,
    "socketpair": socketpair,
    "sys_recv": posix.recv,
    "sys_send": posix.send,
}
