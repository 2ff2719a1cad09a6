"""The UNIX seqpacket endpoint: unix(7), SOCK_SEQPACKET.

Connections as for a stream, messages as datagrams: boundaries are kept, a
short read drops the rest, a message goes in whole (EMSGSIZE beyond SO_SNDBUF
- 32), and only the memory in flight holds a sender back.  An empty message
looks like the end.  Unlike on a stream, EPIPE comes without SIGPIPE, and a
reset is told before what was received.

Not modelled: ancillary data.
"""

from __future__ import annotations

import errno
from collections import deque
from typing import TYPE_CHECKING, Final, final

from asyncipc.errors import Unsupported, fail
from asyncipc.kernel.buffers import Buffer
from asyncipc.kernel.openfile import Home
from asyncipc.kernel.sockets.address import Address, UnixName
from asyncipc.kernel.sockets.options import SNDBUF_DEFAULT, SNDBUF_MIN, buffer_size
from asyncipc.kernel.sockets.socket import (
    MSG_OOB,
    MSG_PEEK,
    MSG_TRUNC,
    NOBODY,
    RCV_SHUTDOWN,
    SEND_SHUTDOWN,
    SOCK_SEQPACKET,
    Message,
    Socket,
)
from asyncipc.kernel.unix import connection
from asyncipc.kernel.unix import naming as names
from asyncipc.kernel.unix.memory import MESSAGE_OVERHEAD, message_memory
from asyncipc.kernel.waitqueue import WouldBlock

if TYPE_CHECKING:
    from asyncipc.kernel.processes.process import Process

NO_MESSAGES: Final[deque[tuple[bytes, int]]] = deque()
"""Stands for every inbox that nothing has come into: an idle socket stays small."""


@final
class SeqpacketEndpoint(Socket):
    """One socket, connected if it has a ``peer``, which stays when it has closed.

    ``messages``: received and not yet read, each with its memory.
    """

    __slots__ = ("binding", "in_flight", "messages", "peer", "peer_ucred")

    kind = SOCK_SEQPACKET

    def __init__(self, kernel: Home, flags: int = 0, send_limit: int = SNDBUF_DEFAULT) -> None:
        super().__init__(kernel, flags, send_limit)
        self.binding: names.Binding | None = None
        self.peer: SeqpacketEndpoint | None = None
        self.peer_ucred = NOBODY
        self.in_flight = 0
        self.messages = NO_MESSAGES

    # -- names and connections

    def bind(self, process: Process, address: Address) -> None:
        """bind(2)"""
        names.bind(self, process, address)

    def listen(self, process: Process, backlog: int) -> None:
        """listen(2)"""
        connection.listen(self, process, backlog)

    def connect(self, process: Process, address: Address | None) -> WouldBlock | None:
        """connect(2)"""
        return connection.connect(self, process, address)

    def accept(self) -> tuple[SeqpacketEndpoint, UnixName] | WouldBlock:
        """accept(2)"""
        return connection.accept(self)

    def getsockname(self) -> UnixName:
        """getsockname(2)"""
        return names.name_of(self)

    def getpeername(self) -> UnixName:
        """getpeername(2)"""
        return connection.getpeername(self)

    def peer_credentials(self) -> bytes:
        """SO_PEERCRED"""
        return self.peer_ucred

    def is_listening(self) -> bool:
        """SO_ACCEPTCONN"""
        return connection.backlog_of(self) is not None

    # -- sending

    def write(self, data: Buffer, done: int = 0) -> int | WouldBlock:
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
        memory = message_memory(size)
        if peer.messages is NO_MESSAGES:
            peer.messages = deque()
        peer.messages.append((data if type(data) is bytes else bytes(data), memory))
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

    def sendto(
        self, data: Buffer, flags: int, address: Address, process: Process, done: int = 0
    ) -> int | WouldBlock:
        """sendto(2): nobody looks at the address."""
        return self.send(data, flags)

    def set_send_limit(self, request: int) -> None:
        """SO_SNDBUF: whoever sleeps for room looks again, if there is enough of it now."""
        self.send_limit = buffer_size(request, SNDBUF_MIN)
        self._give_back(0)

    # -- receiving

    def recv(self, size: int, flags: int) -> bytes | WouldBlock:
        """recv(2): the first message, cut to ``size`` bytes; b"" at the end.

        Refuses while there is none and the peer can still send.
        """
        if flags & MSG_TRUNC:
            raise Unsupported("asyncipc's recv cannot tell a real length: use recv_into")
        message = self._receive(flags)
        return message[:size] if isinstance(message, bytes) else message

    def read(self, size: int) -> bytes | WouldBlock:
        """read(2): recv(2), but of no bytes at once."""
        return self.recv(size, 0) if size else b""

    def recvmsg(self, size: int, flags: int) -> Message | WouldBlock:
        """recvmsg(2): with the peer's name, and MSG_TRUNC if the message was cut."""
        is_message = bool(self.messages)
        message = self._receive(flags)
        if isinstance(message, WouldBlock):
            return message
        cut = MSG_TRUNC if len(message) > size else 0
        sender = names.name_of(self.peer) if is_message else b""
        return Message(message[:size], len(message), cut, sender or None)

    def _receive(self, flags: int) -> bytes | WouldBlock:
        if self.peer is None:
            fail(errno.ENOTCONN)
        if flags & MSG_OOB:
            fail(errno.EOPNOTSUPP)
        if self.error:
            fail(self.take_error())
        queue = self._read_queue
        if not self.messages:
            return b"" if self.shut & RCV_SHUTDOWN else self.read_queue().refusal
        if queue is not None and queue.barred:
            return queue.refusal
        if flags & MSG_PEEK:
            return self.messages[0][0]
        message, memory = self.messages.popleft()
        self.peer._give_back(memory)
        return message

    def _give_back(self, memory: int) -> None:
        self.in_flight -= memory
        if self._write_queue is not None and self.in_flight * 4 <= self.send_limit:
            self._write_queue.notify()

    # -- shutdown, close, readiness

    def shutdown(self, how: int) -> None:
        """shutdown(2)"""
        connection.shutdown(self, how)

    def release(self) -> None:
        unread = self.messages
        reset = len(unread) > 1 or (len(unread) == 1 and bool(unread[0][0]))  # not for an empty one
        self.free_inbox()
        connection.release(self, reset=reset)

    def free_inbox(self) -> None:
        self.messages = NO_MESSAGES

    def poll(self) -> int:
        return connection.poll(self, unread=bool(self.messages))

    def wakers(self, mask: int) -> tuple[object, ...]:
        return () if self.peer is None else (self.peer,)

    def unread(self) -> int:
        """FIONREAD: the bytes of all messages; EINVAL for a listener."""
        if self.is_listening():
            fail(errno.EINVAL)
        return sum(len(message) for message, _ in self.messages)

    def unsent(self) -> int:
        """SIOCOUTQ: memory, not bytes."""
        return self.in_flight

    def at_mark(self) -> bool:
        """SIOCATMARK: for streams only."""
        fail(errno.EOPNOTSUPP)


def seqpacket_pair(kernel: Home, flags: int = 0) -> tuple[SeqpacketEndpoint, SeqpacketEndpoint]:
    """socketpair(AF_UNIX, SOCK_SEQPACKET): two endpoints, crossed."""
    a, b = SeqpacketEndpoint(kernel, flags), SeqpacketEndpoint(kernel, flags)
    a.peer, b.peer = b, a
    return a, b
