"""The UNIX seqpacket endpoint: unix(7), SOCK_SEQPACKET.

Connections as for a stream, messages as datagrams: boundaries are kept, a
short read drops the rest, a message goes in whole (EMSGSIZE beyond SO_SNDBUF
- 32), and only the memory in flight holds a sender back.  An empty message
looks like the end.  Unlike on a stream, EPIPE comes without SIGPIPE, and a
reset is told before what was received.
"""

from __future__ import annotations

import errno
from collections import deque
from typing import TYPE_CHECKING, Final, final

from asyncipc.errors import Unsupported, fail
from asyncipc.kernel.buffers import Buffer
from asyncipc.kernel.openfile import Home
from asyncipc.kernel.sockets.address import Address
from asyncipc.kernel.sockets.ancillary import (
    Cargo,
    ControlItem,
    Loading,
    drop_cargo,
    message_cargo,
    unpack,
)
from asyncipc.kernel.sockets.options import SNDBUF_DEFAULT, SO_PASSCRED, UNCHANGED
from asyncipc.kernel.sockets.socket import (
    MSG_OOB,
    MSG_PEEK,
    MSG_TRUNC,
    RCV_SHUTDOWN,
    SEND_SHUTDOWN,
    SOCK_SEQPACKET,
    Message,
)
from asyncipc.kernel.unix import naming as names
from asyncipc.kernel.unix.connection import ConnectedSocket
from asyncipc.kernel.unix.memory import MESSAGE_OVERHEAD, message_memory
from asyncipc.kernel.waitqueue import WouldBlock

if TYPE_CHECKING:
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.sockets.ancillary import ControlRoom, Outgoing

NO_MESSAGES: Final[deque[tuple[bytes, int, Cargo | None]]] = deque()
"""Stands for every inbox that nothing has come into: an idle socket stays small."""


@final
class SeqpacketEndpoint(ConnectedSocket):
    """``messages``: received and not yet read, each with its memory and its cargo."""

    __slots__ = ("messages",)

    kind = SOCK_SEQPACKET

    def __init__(self, kernel: Home, flags: int = 0, send_limit: int = SNDBUF_DEFAULT) -> None:
        super().__init__(kernel, flags, send_limit)
        self.messages = NO_MESSAGES

    def turn(self, switch: int, on: bool) -> None:
        super().turn(switch, on)
        if switch == SO_PASSCRED and on:
            self.kernel.ask_callers()

    # -- sending

    def write(
        self, data: Buffer, done: int = 0, loading: Loading | None = None
    ) -> int | WouldBlock:
        """write(2): the message whole, an empty one too.

        Refuses while the messages in flight fill SO_SNDBUF.  ECONNRESET once,
        ENOTCONN, EMSGSIZE; EPIPE (without SIGPIPE) when this half or the
        peer's receiving half is shut or closed.
        """
        peer, size = self.peer, len(data)
        if self.error:
            fail(self.take_error())
        if peer is None:
            fail(errno.ENOTCONN)
        if self.options is not UNCHANGED:
            names.autobind_for_credentials(self)
        if size > self.send_limit - MESSAGE_OVERHEAD:
            fail(errno.EMSGSIZE)
        if self.shut & SEND_SHUTDOWN:
            fail(errno.EPIPE)
        queue = self._write_queue
        if queue is not None and queue.barred:
            return queue.refusal
        if self.in_flight >= self.send_limit:
            return self.write_queue().refusal
        if peer.shut & RCV_SHUTDOWN:  # shut before it connected, so this side was not told
            fail(errno.EPIPE)
        if loading is not None or self.options is not UNCHANGED or peer.options is not UNCHANGED:
            cargo = message_cargo(self, peer, loading)
        else:
            cargo = None
        memory = message_memory(size)
        if peer.messages is NO_MESSAGES:
            peer.messages = deque()
        peer.messages.append((data if type(data) is bytes else bytes(data), memory, cargo))
        self.in_flight += memory
        if self.kernel.wire is not None:
            self.kernel.wire(self, peer, size)
        if peer._read_queue is not None:
            peer._read_queue.notify()
        return size

    def send(self, data: Buffer, flags: int, done: int = 0) -> int | WouldBlock:
        """send(2): write(2) with flags.  MSG_OOB: EOPNOTSUPP; MSG_EOR makes no difference."""
        if flags & MSG_OOB and self.peer is not None and not self.error:
            fail(errno.EOPNOTSUPP)
        return self.write(data)

    def sendmsg(
        self,
        data: Buffer,
        flags: int,
        address: Address | None,
        control: Outgoing | None,
        process: Process,
        done: int = 0,
    ) -> int | WouldBlock:
        """sendmsg(2): nobody looks at the address.  EPERM, ETOOMANYREFS."""
        if control is None or flags & MSG_OOB:
            return self.send(data, flags)
        return self.write(data, 0, (control, process))

    def sendto(
        self, data: Buffer, flags: int, address: Address, process: Process, done: int = 0
    ) -> int | WouldBlock:
        """sendto(2): nobody looks at the address."""
        return self.send(data, flags)

    # -- receiving

    def recv(self, size: int, flags: int) -> bytes | WouldBlock:
        """recv(2): the first message, cut to ``size`` bytes; b"" at the end.

        Refuses while there is none and the peer can still send.
        """
        if flags & MSG_TRUNC:
            raise Unsupported("asyncipc's recv cannot tell a real length: use recv_into")
        if flags or self.error or not self.messages or self.options is not UNCHANGED:
            slowly = self.recvmsg(size, flags)
            return slowly.data if isinstance(slowly, Message) else slowly
        queue = self._read_queue
        if queue is not None and queue.barred:
            return queue.refusal
        message, memory, cargo = self.messages.popleft()
        self._done_with(memory, cargo)
        return message if len(message) <= size else message[:size]

    def read(self, size: int) -> bytes | WouldBlock:
        """read(2): recv(2), but of no bytes at once."""
        return self.recv(size, 0) if size else b""

    def recvmsg(
        self, size: int, flags: int, room: ControlRoom | None = None
    ) -> Message | WouldBlock:
        """recvmsg(2): with the peer's name, and MSG_TRUNC if the message was cut."""
        if self.peer is None:
            fail(errno.ENOTCONN)
        if flags & MSG_OOB:
            fail(errno.EOPNOTSUPP)
        if self.error:
            fail(self.take_error())
        queue = self._read_queue
        if not self.messages:
            return Message(b"", 0) if self.shut & RCV_SHUTDOWN else self.read_queue().refusal
        if queue is not None and queue.barred:
            return queue.refusal
        message, memory, cargo = self.messages[0]
        cut = MSG_TRUNC if len(message) > size else 0
        items: tuple[ControlItem, ...] = ()
        if not flags & MSG_PEEK:
            self.messages.popleft()
        if cargo is not None or self.options is not UNCHANGED:
            told, items = unpack(room, self, cargo)
            cut |= told
        name = names.name_of(self.peer) or None
        if not flags & MSG_PEEK:
            self._done_with(memory, cargo)
        return Message(message[:size], len(message), cut, name, items)

    def _done_with(self, memory: int, cargo: Cargo | None) -> None:
        """A message was taken."""
        rights = None if cargo is None else cargo.unload()
        if self.peer is not None:
            self.peer.give_back(memory)
        if rights is not None:
            rights.drop()

    # -- close, readiness

    def release(self) -> None:
        unread = self.messages
        reset = len(unread) > 1 or (len(unread) == 1 and bool(unread[0][0]))  # not for an empty one
        self.disconnect(reset=reset)

    def free_inbox(self) -> list[Cargo | None]:
        messages, self.messages = self.messages, NO_MESSAGES
        return [message[2] for message in messages]

    def drop_rights(self) -> None:
        drop_cargo([message[2] for message in self.messages])

    def poll(self) -> int:
        return self.readiness(unread=bool(self.messages))

    def unread(self) -> int:
        """FIONREAD: the bytes of all messages; EINVAL for a listener."""
        if self.is_listening():
            fail(errno.EINVAL)
        return sum(len(message[0]) for message in self.messages)

    def at_mark(self) -> bool:
        """SIOCATMARK: for streams only."""
        fail(errno.EOPNOTSUPP)


def seqpacket_pair(kernel: Home, flags: int = 0) -> tuple[SeqpacketEndpoint, SeqpacketEndpoint]:
    """socketpair(AF_UNIX, SOCK_SEQPACKET): two endpoints, crossed."""
    a, b = SeqpacketEndpoint(kernel, flags), SeqpacketEndpoint(kernel, flags)
    a.peer, b.peer = b, a
    return a, b
