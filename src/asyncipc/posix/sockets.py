"""Calls on sockets, named and shaped as in ``socket``."""

from __future__ import annotations

import operator

from asyncipc.kernel import socket as sockets
from asyncipc.kernel.buffers import Buffer
from asyncipc.kernel.transfer import LongWrite, WaitAll
from asyncipc.posix.arguments import not_open, octets, own_table, size_of
from asyncipc.posix.constants import O_NONBLOCK
from asyncipc.posix.files import write_long
from asyncipc.runtime.process import current
from asyncipc.runtime.syscall import call, syscall


def socketpair(
    family: int = sockets.AF_UNIX, type: int = sockets.SOCK_STREAM, proto: int = 0
) -> tuple[int, int]:
    """socketpair(2): two connected UNIX sockets, the two lowest free numbers.

    Close-on-exec, as Python makes them.  ``type`` is SOCK_STREAM or SOCK_DGRAM,
    with SOCK_NONBLOCK if wished.  Errors: EOPNOTSUPP (INET), EAFNOSUPPORT,
    ESOCKTNOSUPPORT, EPROTONOSUPPORT, EINVAL, EMFILE.  Not modelled:
    SOCK_SEQPACKET.
    """
    body = current()

    def make(family: int, kind: int, protocol: int) -> tuple[int, int]:
        files = body.machine.socketpair(family, kind, protocol)
        one, other = body.process.table.open(*files, cloexec=True)
        return one.fd, other.fd

    return call(
        "socketpair", make, operator.index(family), operator.index(type), operator.index(proto)
    )


async def send(fd: int, data: Buffer, flags: int = 0) -> int:
    """send(2): how many bytes of ``data`` were taken; a datagram goes whole.

    Blocks while SO_SNDBUF is full, a stream until all bytes are in; EAGAIN
    with O_NONBLOCK or MSG_DONTWAIT.  Errors: EBADF, ENOTSOCK, EPIPE (with
    SIGPIPE on a stream, unless MSG_NOSIGNAL), ECONNREFUSED, ENOTCONN and
    EMSGSIZE (datagram).  Under cancellation, and when the peer goes, a stream
    that has moved something returns its count.  Not modelled: MSG_OOB.
    """
    entry = own_table().get(operator.index(fd)) or await not_open("send", fd, data, flags)
    data, flags = octets(data), operator.index(flags)
    dontwait = bool(flags & sockets.MSG_DONTWAIT)
    if dontwait or len(data) <= entry.file.whole_max or entry.file.flags & O_NONBLOCK:
        return await syscall("send", entry, entry.file.send, data, flags, dontwait=dontwait)
    return await write_long("send", entry, LongWrite(entry.file.send, data, flags))


async def recv(fd: int, n: int, flags: int = 0) -> bytes:
    """recv(2): up to ``n`` bytes of a stream, or one datagram cut to ``n``.

    b"" is the end of a stream.  Blocks while nothing is there; EAGAIN with
    O_NONBLOCK or MSG_DONTWAIT.  MSG_PEEK takes nothing; MSG_WAITALL waits for
    all ``n`` bytes of a stream, and under cancellation returns what it has.
    Errors: EBADF, ENOTSOCK, EINVAL (``n < 0``, MSG_OOB without such data),
    ECONNRESET once if the peer closed with unread data.
    """
    entry = own_table().get(operator.index(fd)) or await not_open("recv", fd, n, flags)
    size, flags = size_of(n), operator.index(flags)
    dontwait = bool(flags & sockets.MSG_DONTWAIT)
    impatient = dontwait or entry.file.flags & O_NONBLOCK or flags & sockets.MSG_PEEK
    if flags & sockets.MSG_WAITALL and not impatient and entry.file.is_stream:
        return await syscall("recv", entry, WaitAll(entry.file.recv, size, flags))
    return await syscall("recv", entry, entry.file.recv, size, flags, dontwait=dontwait)


def shutdown(fd: int, how: int) -> None:
    """shutdown(2): shut receiving (SHUT_RD), sending (SHUT_WR) or both, for all
    who share the socket.  Wakes who sleeps on either side.

    Errors: EBADF, ENOTSOCK, EINVAL (``how``).
    """
    file = own_table()[operator.index(fd)].file
    call("shutdown", lambda fd, how: file.shutdown(how), fd, operator.index(how))
