"""Calls on sockets, named and shaped as in ``socket``."""

from __future__ import annotations

import errno
import operator

from asyncipc.errors import fail
from asyncipc.faces.addresses import ProgramAddress, SocketName, to_kernel, to_program
from asyncipc.faces.socket_calls import acceptor, connector, family_of, socket_of
from asyncipc.kernel.sockets import socket as sockets
from asyncipc.posix.arguments import entry_of, file_of, not_open
from asyncipc.runtime.process import current
from asyncipc.runtime.syscall import call, syscall

__all__ = [
    "accept",
    "accept4",
    "bind",
    "connect",
    "getpeername",
    "getsockname",
    "listen",
    "shutdown",
    "socket",
    "socketpair",
]


def socket(family: int = sockets.AF_INET, type: int = sockets.SOCK_STREAM, proto: int = 0) -> int:
    """socket(2): an endpoint without a name, as the lowest free descriptor.

    Close-on-exec, as Python makes it.  ``family``: AF_UNIX, AF_INET, AF_INET6;
    ``type``: SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET (UNIX), with SOCK_NONBLOCK
    if wished.  Errors: EAFNOSUPPORT, ESOCKTNOSUPPORT, EPROTONOSUPPORT, EINVAL,
    EMFILE.  Not modelled: SOCK_RAW of the internet.
    """
    body = current()

    def make(family: int, kind: int, protocol: int) -> int:
        body.process.table.check_room()
        made = body.machine.socket(family, kind, protocol)
        return body.process.table.open(made, cloexec=True)[0].fd

    return call("socket", make, operator.index(family), operator.index(type), operator.index(proto))


def bind(fd: int, address: ProgramAddress) -> None:
    """bind(2): give a socket a name; "" is a name of the kernel's choice (UNIX).

    A path makes a file there, which stays when the socket is closed.  Errors:
    EBADF, ENOTSOCK, EINVAL (has a name already, or of another family),
    EADDRINUSE, EADDRNOTAVAIL, EACCES, ENOENT, ENOTDIR (path).
    """
    entry, process = entry_of(fd), current().process
    name = to_kernel(address, 0 if entry is None else family_of(entry.file))

    def give(fd: int, _: ProgramAddress) -> None:
        socket_of(file_of(fd)).bind(process, name)

    call("bind", give, operator.index(fd), address)


def listen(fd: int, backlog: int = 128) -> None:
    """listen(2): let others connect; ``backlog`` + 1 connections may wait to be accepted.

    At most 4096 (SOMAXCONN).  Errors: EBADF, ENOTSOCK, EOPNOTSUPP (datagram),
    EINVAL (no name, or connected), EADDRINUSE.
    """
    process = current().process

    def begin(fd: int, backlog: int) -> None:
        socket_of(file_of(fd)).listen(process, backlog)

    call("listen", begin, operator.index(fd), operator.index(backlog))


async def accept(fd: int) -> tuple[int, SocketName]:
    """accept(2): the oldest connection as (descriptor, the peer's address).

    The descriptor is close-on-exec and blocking, as Python's is.  Blocks while
    no connection waits; EAGAIN with O_NONBLOCK or after SO_RCVTIMEO.  Under
    cancellation no connection is lost.  Errors: EBADF, ENOTSOCK, EINVAL (does
    not listen), EOPNOTSUPP (datagram), EMFILE (the connection goes on waiting).
    """
    return await _accept("accept", fd, sockets.SOCK_CLOEXEC)


async def accept4(fd: int, flags: int = 0) -> tuple[int, SocketName]:
    """accept4(2): ``accept`` with SOCK_NONBLOCK and SOCK_CLOEXEC as asked, else EINVAL."""
    if operator.index(flags) & ~(sockets.SOCK_NONBLOCK | sockets.SOCK_CLOEXEC):
        fail(errno.EINVAL)
    return await _accept("accept4", fd, flags)


async def _accept(name: str, fd: int, flags: int) -> tuple[int, SocketName]:
    entry = entry_of(fd) or await not_open(name, fd)
    body = current()
    accepted, address = await syscall(name, entry, acceptor(body, entry.file, flags))
    return accepted.fd, to_program(address)


async def connect(fd: int, address: ProgramAddress | None) -> None:
    """connect(2): to a stream's listener; for datagrams, fix the peer.

    None is AF_UNSPEC: dissolve the association.  A UNIX stream blocks while
    the backlog is full, TCP until the handshake is over; with O_NONBLOCK
    EAGAIN (UNIX) or EINPROGRESS (TCP: wait for POLLOUT, then ask SO_ERROR).
    A cancelled TCP connect goes on, as an interrupted one does: EALREADY or
    EISCONN next time.  Errors: ECONNREFUSED, ENOENT, EACCES, EPROTOTYPE,
    EISCONN, EALREADY, EINVAL, EAFNOSUPPORT, EADDRNOTAVAIL, ENETUNREACH.
    """
    entry = entry_of(fd) or await not_open("connect", fd, address)
    file, process = entry.file, current().process
    name = None if address is None else to_kernel(address, family_of(file))
    await syscall("connect", entry, connector(file, process, name), address)


def getsockname(fd: int) -> SocketName:
    """getsockname(2): the socket's own address; "" for a UNIX socket without one.  EBADF."""
    return to_program(
        call("getsockname", lambda fd: socket_of(file_of(fd)).getsockname(), operator.index(fd))
    )


def getpeername(fd: int) -> SocketName:
    """getpeername(2): the peer's address, ENOTCONN without a peer.  EBADF."""
    return to_program(
        call("getpeername", lambda fd: socket_of(file_of(fd)).getpeername(), operator.index(fd))
    )


def socketpair(
    family: int = sockets.AF_UNIX, type: int = sockets.SOCK_STREAM, proto: int = 0
) -> tuple[int, int]:
    """socketpair(2): two connected UNIX sockets, the two lowest free numbers.

    Close-on-exec, as Python makes them.  ``type`` is SOCK_STREAM, SOCK_DGRAM or
    SOCK_SEQPACKET, with SOCK_NONBLOCK if wished.  Errors: EOPNOTSUPP (INET),
    EAFNOSUPPORT, ESOCKTNOSUPPORT, EPROTONOSUPPORT, EINVAL, EMFILE.
    """
    body = current()

    def make(family: int, kind: int, protocol: int) -> tuple[int, int]:
        files = body.machine.socketpair(family, kind, protocol)
        one, other = body.process.table.open(*files, cloexec=True)
        return one.fd, other.fd

    return call(
        "socketpair", make, operator.index(family), operator.index(type), operator.index(proto)
    )


def shutdown(fd: int, how: int) -> None:
    """shutdown(2): shut receiving (SHUT_RD), sending (SHUT_WR) or both, for all
    who share the socket.  Wakes who sleeps on either side.

    Errors: EBADF, ENOTSOCK, EINVAL (``how``).
    """
    call(
        "shutdown",
        lambda fd, how: file_of(fd).shutdown(how),
        operator.index(fd),
        operator.index(how),
    )
