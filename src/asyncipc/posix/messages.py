"""Calls that send and receive on sockets, shaped as in ``socket``; data alone."""

from __future__ import annotations

import operator

from asyncipc.faces.addresses import ProgramAddress, SocketName, to_kernel, to_program
from asyncipc.faces.socket_calls import family_of, socket_of
from asyncipc.kernel.buffers import Buffer
from asyncipc.kernel.sockets.socket import AF_UNIX, MSG_DONTWAIT, MSG_TRUNC, Message
from asyncipc.kernel.transfer import LongWrite, WaitAll
from asyncipc.kernel.waitqueue import WouldBlock
from asyncipc.posix.ancillary import wait_for_all, waits_for_all
from asyncipc.posix.arguments import entry_of, flags_of, not_open, octets, size_of
from asyncipc.posix.constants import O_NONBLOCK
from asyncipc.posix.files import write_long
from asyncipc.runtime.process import current
from asyncipc.runtime.syscall import syscall

__all__ = [
    "recv",
    "recv_into",
    "recvfrom",
    "send",
    "sendto",
]


async def send(fd: int, data: Buffer, flags: int = 0) -> int:
    """send(2): how many bytes of ``data`` were taken; a datagram goes whole.

    Blocks while SO_SNDBUF is full, a stream until all bytes are in; EAGAIN
    with O_NONBLOCK or MSG_DONTWAIT.  Errors: EBADF, ENOTSOCK, EPIPE (with
    SIGPIPE on a stream, unless MSG_NOSIGNAL), ECONNREFUSED, ENOTCONN and
    EMSGSIZE (datagram).  Under cancellation, and when the peer goes, a stream
    that has moved something returns its count.  MSG_OOB: the last byte of a
    stream's send is urgent; EOPNOTSUPP elsewhere.
    """
    entry = entry_of(fd) or await not_open("send", fd, data, flags)
    data, flags, file = octets(data), flags_of(flags), entry.file
    if flags & MSG_DONTWAIT:
        return await syscall("send", entry, file.send, data, flags, dontwait=True)
    if len(data) <= file.whole_max or file.flags & O_NONBLOCK:
        return await syscall("send", entry, file.send, data, flags)
    return await write_long("send", entry, LongWrite(file.send, data, flags))


async def recv(fd: int, n: int, flags: int = 0) -> bytes:
    """recv(2): up to ``n`` bytes of a stream, or one datagram cut to ``n``.

    b"" is the end of a stream.  Blocks while nothing is there; EAGAIN with
    O_NONBLOCK or MSG_DONTWAIT.  MSG_PEEK takes nothing; MSG_WAITALL waits for
    all ``n`` bytes of a stream, and under cancellation returns what it has.
    Errors: EBADF, ENOTSOCK, EINVAL (``n < 0``, MSG_OOB without such data),
    ECONNRESET once if the peer closed with unread data.
    """
    entry = entry_of(fd) or await not_open("recv", fd, n, flags)
    size, flags, file = size_of(n), flags_of(flags), entry.file
    if not flags:
        return await syscall("recv", entry, file.recv, size, 0)
    if waits_for_all(file, flags):
        if family_of(file) == AF_UNIX:  # descriptors end it, and other senders
            return (await wait_for_all("recv", entry, size, flags)).data
        return await syscall("recv", entry, WaitAll(file, size, flags))
    dontwait = bool(flags & MSG_DONTWAIT)
    return await syscall("recv", entry, file.recv, size, flags, dontwait=dontwait)


async def sendto(fd: int, data: Buffer, address: ProgramAddress, flags: int = 0) -> int:
    """sendto(2): one datagram to ``address``, whole; its size in bytes.

    A UNIX datagram blocks while the receiver's queue or SO_SNDBUF is full and
    is never lost; UDP does not block, and a full receiver drops it.  TCP and
    SEQPACKET take no notice of the address.  Errors: as send, and ENOENT,
    EACCES, EPROTOTYPE, EPERM (the receiver is connected elsewhere), EISCONN
    and EOPNOTSUPP (UNIX stream), EINVAL, EAFNOSUPPORT, ENETUNREACH.
    """
    entry = entry_of(fd) or await not_open("sendto", fd, data, address)
    file, process = entry.file, current().process
    name = to_kernel(address, family_of(file))
    data, flags = octets(data), flags_of(flags)

    def verb(data: Buffer, flags: int, _: object, done: int = 0) -> int | WouldBlock:
        return socket_of(file).sendto(data, flags, name, process, done)

    dontwait = bool(flags & MSG_DONTWAIT)
    if dontwait or len(data) <= file.whole_max or file.flags & O_NONBLOCK:
        return await syscall("sendto", entry, verb, data, flags, address, dontwait=dontwait)
    return await write_long("sendto", entry, LongWrite(verb, data, flags, address))


async def recvfrom(fd: int, n: int, flags: int = 0) -> tuple[bytes, SocketName | None]:
    """recvfrom(2): ``recv``, and the sender's address: None if it has none.

    A datagram is cut to ``n`` bytes and its rest is gone; ``recvmsg`` tells.
    """
    message = await _receive("recvfrom", fd, n, flags)
    return message.data, _name(message)


async def recv_into(
    fd: int, buffer: bytearray | memoryview, nbytes: int = 0, flags: int = 0
) -> int:
    """recv(2) into a buffer: how many bytes of it were filled, from its start.

    ``nbytes`` 0: as many as it has room for.  With MSG_TRUNC the answer is a
    datagram's real length, although only what fits is there.  Blocks and fails
    as ``recv`` does.
    """
    room = memoryview(buffer).cast("B")
    if room.readonly:  # told now, as long as nothing has been taken
        raise TypeError(
            "recv_into() argument 1 must be read-write bytes-like object, "
            f"not {type(buffer).__name__}"
        )
    if nbytes < 0:
        raise ValueError("negative buffersize in recv_into")
    if nbytes > len(room):
        raise ValueError("buffer too small for requested bytes")
    message = await _receive("recv", fd, nbytes or len(room), flags)
    room[: len(message.data)] = message.data
    return message.length if operator.index(flags) & MSG_TRUNC else len(message.data)


async def _receive(name: str, fd: int, n: int, flags: int) -> Message:
    entry = entry_of(fd) or await not_open(name, fd, n, flags)
    file, size, flags = entry.file, size_of(n), flags_of(flags)
    if waits_for_all(file, flags):
        return await wait_for_all(name, entry, size, flags)
    dontwait = bool(flags & MSG_DONTWAIT)

    def verb(size: int, flags: int) -> Message | WouldBlock:
        return socket_of(file).recvmsg(size, flags)

    return await syscall(name, entry, verb, size, flags, dontwait=dontwait)


def _name(message: Message) -> SocketName | None:
    return None if message.address is None else to_program(message.address)
