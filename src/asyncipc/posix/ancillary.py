"""Messages with more than data: several buffers, control messages, many at once.

Shaped as ``socket.sendmsg``, ``socket.recvmsg``, ``socket.send_fds`` and
``socket.recv_fds``; sendmmsg(2) and recvmmsg(2) as their C calls.
"""

from __future__ import annotations

import errno
import operator
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, TypeAlias

from asyncipc.errors import fail
from asyncipc.faces.addresses import ProgramAddress, SocketName, to_kernel, to_program
from asyncipc.faces.ancillary import Sending, descriptors_in, rights
from asyncipc.faces.socket_calls import family_of, socket_of
from asyncipc.kernel.buffers import Buffer
from asyncipc.kernel.descriptors import Descriptor
from asyncipc.kernel.openfile import OpenFile
from asyncipc.kernel.sockets.ancillary import (
    MSG_CMSG_CLOEXEC,
    ControlItem,
    ControlRoom,
    cmsg_len,
    cmsg_space,
)
from asyncipc.kernel.sockets.several import UIO_MAXIOV, ReceiveMany, SendMany, WaitAllMessage
from asyncipc.kernel.sockets.socket import MSG_DONTWAIT, MSG_PEEK, MSG_WAITALL, Message
from asyncipc.kernel.transfer import LongWrite
from asyncipc.kernel.waitqueue import WouldBlock
from asyncipc.posix.arguments import entry_of, flags_of, not_open, octets, size_of
from asyncipc.posix.constants import O_NONBLOCK
from asyncipc.posix.files import write_long
from asyncipc.runtime.process import current
from asyncipc.runtime.syscall import syscall

__all__ = [
    "CMSG_LEN",
    "CMSG_SPACE",
    "recv_fds",
    "recvmmsg",
    "recvmsg",
    "recvmsg_into",
    "send_fds",
    "sendmmsg",
    "sendmsg",
]

AncillaryData: TypeAlias = "Iterable[tuple[int, int, Buffer]]"
OutgoingMessage: TypeAlias = (
    "tuple[Iterable[Buffer]] | tuple[Iterable[Buffer], AncillaryData] "
    "| tuple[Iterable[Buffer], AncillaryData, ProgramAddress | None]"
)
Received: TypeAlias = "tuple[bytes, list[ControlItem], int, SocketName | None]"

SECOND: Final = 1_000_000_000


def CMSG_LEN(length: int) -> int:  # noqa: N802 (the C macro's name)
    """CMSG_LEN(3): bytes that a control message with ``length`` bytes of data has."""
    return cmsg_len(size_of(length))


def CMSG_SPACE(length: int) -> int:  # noqa: N802
    """CMSG_SPACE(3): room that a control message with ``length`` bytes takes."""
    return cmsg_space(size_of(length))


class _Outgoing:
    """One message on its way: what is sent, as it is shown, and the verb that does it."""

    __slots__ = ("_buffers", "args", "long", "over", "sending")

    def __init__(
        self,
        file: OpenFile,
        flags: int,
        buffers: Iterable[Buffer],
        ancdata: AncillaryData = (),
        address: ProgramAddress | None = None,
    ) -> None:
        parts = [octets(buffer) for buffer in buffers]
        self._buffers = len(parts)
        data: Buffer = parts[0] if len(parts) == 1 else b"".join(parts)
        items = tuple(
            (operator.index(level), operator.index(kind), bytes(octets(data)))
            for level, kind, data in ancdata
        )
        name = None if address is None else to_kernel(address, family_of(file))
        self.sending = Sending(file, current().process, items, name)
        patient = not (flags & MSG_DONTWAIT or file.flags & O_NONBLOCK)
        self.over = self.sending.over
        self.args = data, items, flags, address
        self.long: LongWrite | None = None
        if patient and len(data) > file.whole_max:  # it may wait more than once
            self.long = LongWrite(self, *self.args)

    def __call__(
        self, data: Buffer, items: object, flags: int, address: object, done: int = 0
    ) -> int | WouldBlock:
        if self._buffers > UIO_MAXIOV:
            fail(errno.EMSGSIZE)
        return self.sending(data, flags, done)

    def verb(self) -> Callable[[], int | WouldBlock]:
        return self.long or partial(self, *self.args)


async def sendmsg(
    fd: int,
    buffers: Iterable[Buffer],
    ancdata: AncillaryData = (),
    flags: int = 0,
    address: ProgramAddress | None = None,
) -> int:
    """sendmsg(2): the ``buffers`` in a row, as one datagram or one write; how many bytes.

    ``ancdata``: (level, type, data) of control messages.  On a UNIX socket
    SCM_RIGHTS sends descriptors, which the message holds until they are
    received or it is dropped (a stream without bytes: at once), and
    SCM_CREDENTIALS says who sends.  Blocks and fails as ``send`` and ``sendto``,
    and EBADF, EINVAL (more than 253 descriptors, another item), EPERM (someone
    else's credentials; the receiver has SO_PASSRIGHTS off), ESRCH,
    ETOOMANYREFS, EMSGSIZE (more than 1024 buffers).  Under cancellation the
    descriptors are sent with the first bytes, or not.
    """
    entry = entry_of(fd) or await not_open("sendmsg", fd, buffers)
    flags = flags_of(flags)
    message = _Outgoing(entry.file, flags, buffers, ancdata, address)
    dontwait = bool(flags & MSG_DONTWAIT)
    try:
        if message.long is not None:
            return await write_long("sendmsg", entry, message.long)
        return await syscall("sendmsg", entry, message, *message.args, dontwait=dontwait)
    finally:
        message.over()


async def sendmmsg(fd: int, messages: Iterable[OutgoingMessage], flags: int = 0) -> int:
    """sendmmsg(2): several messages, at most 1024, in one call; how many went.

    Each is (buffers[, ancdata[, address]]), as of ``sendmsg``.  Blocks until all
    are sent; what fails after some are is not told.  Under cancellation it
    returns how many went, if any did.
    """
    entry = entry_of(fd) or await not_open("sendmmsg", fd, messages)
    flags, file = flags_of(flags), entry.file
    several = [_Outgoing(file, flags, *message) for message in messages]
    verbs = [message.verb() for message in several]
    patient = not (flags & MSG_DONTWAIT or file.flags & O_NONBLOCK)
    many = SendMany(verbs, patient=patient)
    try:
        return await syscall("sendmmsg", entry, many, dontwait=bool(flags & MSG_DONTWAIT))
    finally:
        for message in several:
            message.over()


async def send_fds(
    fd: int,
    buffers: Iterable[Buffer],
    fds: Iterable[int],
    flags: int = 0,
    address: ProgramAddress | None = None,
) -> int:
    """sendmsg(2) with descriptors, as ``socket.send_fds``."""
    item = rights([operator.index(each) for each in fds])
    return await sendmsg(fd, buffers, [item], flags, address)


async def recvmsg(fd: int, n: int, ancbufsize: int = 0, flags: int = 0) -> Received:
    """recvmsg(2): (data, ancillary data, flags, address) as ``socket.recvmsg``.

    ``ancbufsize``: room for control messages (CMSG_SPACE); the flags have
    MSG_CTRUNC if something did not fit, and descriptors that don't are closed.
    Those that do are new numbers of this process, close-on-exec with
    MSG_CMSG_CLOEXEC.  MSG_TRUNC says that a datagram was longer than ``n``.
    Blocks and fails as ``recv`` does.  Under cancellation nothing is taken.
    """
    message = await _receive("recvmsg", fd, n, ancbufsize, flags)
    return _shown(message, flags)


async def recvmsg_into(
    fd: int, buffers: Iterable[bytearray | memoryview], ancbufsize: int = 0, flags: int = 0
) -> tuple[int, list[ControlItem], int, SocketName | None]:
    """recvmsg(2) into buffers, one after the other: how many bytes, and the rest as ``recvmsg``."""
    rooms = [memoryview(buffer).cast("B") for buffer in buffers]
    if any(room.readonly for room in rooms):  # told now, as long as nothing has been taken
        raise TypeError("recvmsg_into() argument 2 must be an iterable of read-write buffers")
    message = await _receive("recvmsg", fd, sum(map(len, rooms)), ancbufsize, flags)
    done = 0
    for room in rooms:
        part = message.data[done : done + len(room)]
        room[: len(part)] = part
        done += len(part)
    return (done, *_shown(message, flags)[1:])


async def recvmmsg(
    fd: int,
    count: int,
    n: int,
    ancbufsize: int = 0,
    flags: int = 0,
    timeout_s: float | None = None,
) -> list[Received]:
    """recvmmsg(2): up to ``count`` messages (at most 1024), each as of ``recvmsg``.

    Blocks until all are there; with MSG_WAITFORONE only for the first.
    ``timeout_s`` is looked at after each message and ends no wait, as on Linux.
    An error that comes after some messages is the next call's.  Under
    cancellation it returns those it has, if any.
    """
    room_size = _room_size(ancbufsize)
    entry = entry_of(fd) or await not_open("recvmmsg", fd, count, n, flags)
    body, size, flags = current(), size_of(n), flags_of(flags)
    timers = body.simulation.timers
    until_ns = None if timeout_s is None else timers.now() + int(timeout_s * SECOND)

    def one(flags: int) -> Message | WouldBlock:
        room = ControlRoom(body.process, room_size, flags) if room_size else None
        return socket_of(entry.file).recvmsg(size, flags, room)

    def over() -> bool:
        return until_ns is not None and timers.now() >= until_ns

    many = ReceiveMany(socket_of(entry.file), size_of(count), flags, one, over)
    dontwait = bool(flags & MSG_DONTWAIT)
    messages = await syscall("recvmmsg", entry, many, dontwait=dontwait)
    return [_shown(message, flags) for message in messages]


async def recv_fds(
    fd: int, n: int, maxfds: int, flags: int = 0
) -> tuple[bytes, list[int], int, SocketName | None]:
    """recvmsg(2) with room for ``maxfds`` descriptors, as ``socket.recv_fds``."""
    data, items, told, address = await recvmsg(fd, n, CMSG_LEN(maxfds * 4), flags)
    return data, descriptors_in(items), told, address


async def _receive(name: str, fd: int, n: int, ancbufsize: int, flags: int) -> Message:
    room_size = _room_size(ancbufsize)
    entry = entry_of(fd) or await not_open(name, fd, n, flags)
    process, size, flags = current().process, size_of(n), flags_of(flags)
    if waits_for_all(entry.file, flags):
        return await wait_for_all(name, entry, size, flags, room_size)

    def verb(size: int, flags: int) -> Message | WouldBlock:
        room = ControlRoom(process, room_size, flags) if room_size else None
        return socket_of(entry.file).recvmsg(size, flags, room)

    return await syscall(name, entry, verb, size, flags, dontwait=bool(flags & MSG_DONTWAIT))


async def wait_for_all(
    name: str, entry: Descriptor, size: int, flags: int, room_size: int = 0
) -> Message:
    """recvmsg(2) with MSG_WAITALL, on a stream."""
    room = ControlRoom(current().process, room_size, flags)
    return await syscall(name, entry, WaitAllMessage(socket_of(entry.file), size, flags, room))


def waits_for_all(file: OpenFile, flags: int) -> bool:
    """Does MSG_WAITALL hold?  On streams only, and not for who does not wait or only peeks."""
    impatient = flags & (MSG_DONTWAIT | MSG_PEEK) or file.flags & O_NONBLOCK
    return bool(flags & MSG_WAITALL) and not impatient and file.is_stream


def _room_size(ancbufsize: int) -> int:
    size = operator.index(ancbufsize)
    if size < 0:
        raise ValueError("invalid ancillary data buffer length")
    return size


def _shown(message: Message, flags: int) -> Received:
    address = None if message.address is None else to_program(message.address)
    told = message.flags | (flags & MSG_CMSG_CLOEXEC)
    return message.data, list(message.ancillary), told, address
