"""Calls that read and set socket options, shaped as in ``socket``."""

from __future__ import annotations

import errno
import operator

from asyncipc.errors import fail
from asyncipc.faces.socket_calls import socket_of
from asyncipc.kernel.sockets.options import OPTION_MAX, SOL_SOCKET
from asyncipc.posix.arguments import file_of
from asyncipc.posix.constants import SO_PEERPIDFD
from asyncipc.posix.pidfds import open_peer
from asyncipc.runtime.syscall import call

__all__ = [
    "getsockopt",
    "setsockopt",
]


def getsockopt(fd: int, level: int, option: int, buflen: int = 0) -> int | bytes:
    """getsockopt(2): an option's value as an integer, or as ``buflen`` bytes at most.

    SOL_SOCKET: SO_ACCEPTCONN, SO_BROADCAST, SO_DOMAIN, SO_ERROR (clears it),
    SO_KEEPALIVE, SO_LINGER, SO_PEERCRED, SO_PEERPIDFD (a new descriptor),
    SO_PROTOCOL, SO_RCVBUF and SO_SNDBUF (bytes, twice what was asked),
    SO_RCVLOWAT, SO_RCVTIMEO and SO_SNDTIMEO (struct timeval), SO_REUSEADDR,
    SO_REUSEPORT, SO_TYPE and others.  Errors: EBADF, ENOTSOCK, ENOPROTOOPT
    (unknown), EOPNOTSUPP (of another protocol), EINVAL (``buflen`` below 0 or beyond 1024).
    """
    if not 0 <= operator.index(buflen) <= OPTION_MAX:
        fail(errno.EINVAL, "getsockopt buflen out of range")

    def ask(fd: int, level: int, option: int) -> int | bytes:
        if level == SOL_SOCKET and option == SO_PEERPIDFD:
            return open_peer(fd)
        return socket_of(file_of(fd)).getsockopt(level, option)

    numbers = operator.index(fd), operator.index(level), operator.index(option)
    value = call("getsockopt", ask, *numbers)
    if not buflen:
        return value if isinstance(value, int) else int.from_bytes(value[:4], "little", signed=True)
    if isinstance(value, int):
        value = (value & 0xFFFFFFFF).to_bytes(4, "little")
    return value[:buflen]


def setsockopt(fd: int, level: int, option: int, value: int | bytes) -> None:
    """setsockopt(2): set an option to an integer, or to the bytes of a struct.

    SO_SNDBUF and SO_RCVBUF: bytes, stored doubled within bounds.  SO_RCVTIMEO
    and SO_SNDTIMEO: struct timeval.  SO_LINGER: struct linger.  Errors: EBADF,
    ENOTSOCK, EINVAL, EDOM (microseconds), ENOPROTOOPT, EOPNOTSUPP.
    """

    def change(fd: int, level: int, option: int, value: int | bytes) -> None:
        socket_of(file_of(fd)).setsockopt(level, option, value)

    numbers = operator.index(fd), operator.index(level), operator.index(option)
    plain = value if isinstance(value, bytes) else operator.index(value)
    call("setsockopt", change, *numbers, plain)
