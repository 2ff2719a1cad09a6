"""The UNIX datagram endpoint: unix(7), SOCK_DGRAM, one end of a pair.

Datagrams keep their boundaries; a short read drops the rest.  It is reliable:
a full receiver holds the sender back and drops nothing.  In a pair only the
memory of datagrams in flight is bounded (SO_SNDBUF), as for a stream, but a
datagram goes in whole: EMSGSIZE beyond SO_SNDBUF - 32.

There is no end of file: a closed peer is ECONNREFUSED for the next send,
after which the association is gone (ENOTCONN).

Not modelled: names, and with them bind, connect and sendto.
"""

from __future__ import annotations

import errno
from collections import deque
from typing import Final, final

from asyncipc.errors import Unsupported, fail
from asyncipc.kernel.buffers import Buffer, as_bytes
from asyncipc.kernel.openfile import O_NONBLOCK, Home
from asyncipc.kernel.options import SNDBUF_DEFAULT
from asyncipc.kernel.readiness import HUP, RDHUP, READABLE, WRBAND, WRITABLE
from asyncipc.kernel.socket import (
    BOTH_SHUTDOWN,
    MSG_DONTWAIT,
    MSG_OOB,
    MSG_PEEK,
    MSG_TRUNC,
    RCV_SHUTDOWN,
    SEND_SHUTDOWN,
    SOCK_DGRAM,
    Socket,
    halves,
)
from asyncipc.kernel.stream import packet_memory
from asyncipc.kernel.waitqueue import WouldBlock

LINEAR_MAX: Final = 16064
PAGED_MAX: Final = 69632
OVERHEAD: Final = 32


@final
class DatagramEndpoint(Socket):
    """One end.  ``datagrams``: received and not yet read, each with its memory."""

    __slots__ = (
        "datagrams",
        "in_flight",
        "peer",
    )

    kind = SOCK_DGRAM

    def __init__(self, kernel: Home, flags: int = 0, send_limit: int = SNDBUF_DEFAULT) -> None:
        super().__init__(kernel, flags, send_limit)
        self.peer: DatagramEndpoint | None = None
        self.in_flight = 0
        self.datagrams: deque[tuple[bytes, int]] = deque()

    def send(self, data: Buffer, flags: int, done: int = 0) -> int | WouldBlock:
        """send(2): the datagram whole, an empty one too.

        Refuses while the datagrams in flight fill SO_SNDBUF.  EPIPE (without
        SIGPIPE) when this half or the peer's receiving half is shut,
        ECONNREFUSED once when the peer is closed, then ENOTCONN.
        """
        if flags & MSG_OOB:
            fail(errno.EOPNOTSUPP)
        peer = self.peer
        if peer is None:
            fail(errno.ENOTCONN)
        if len(data) > self.send_limit - OVERHEAD:
            fail(errno.EMSGSIZE)
        if self.shut & SEND_SHUTDOWN:
            fail(errno.EPIPE)
        if not peer.holders:
            self.peer = None
            fail(errno.ECONNREFUSED)
        queue = self._write_queue
        if queue is not None and queue.barred:
            return queue.refusal
        if self.in_flight >= self.send_limit:
            return self.write_queue().refusal
        if peer.shut & RCV_SHUTDOWN:  # memory comes first in unix_dgram_sendmsg
            fail(errno.EPIPE)
        memory = packet_memory(len(data), LINEAR_MAX, PAGED_MAX)
        peer.datagrams.append((as_bytes(data), memory))
        self.in_flight += memory
        if self.kernel.wire is not None:
            self.kernel.wire(self, peer, len(data))
        if peer._read_queue is not None:
            peer._read_queue.notify()
        return len(data)

    def write(self, data: Buffer, done: int = 0) -> int | WouldBlock:
        """write(2) is send(2) without flags."""
        return self.send(data, 0, done)

    def recv(self, size: int, flags: int) -> bytes | WouldBlock:
        """recv(2): the first datagram, cut to ``size`` bytes.

        Refuses while there is none.  With the receiving half shut a blocking
        call returns b"", a non-blocking one still fails with EAGAIN.
        """
        if flags & MSG_OOB:
            fail(errno.EOPNOTSUPP)
        if flags & MSG_TRUNC:
            raise Unsupported("asyncipc's recv cannot tell a datagram's real length (MSG_TRUNC)")
        queue = self._read_queue
        if not self.datagrams:
            patient = not (self.flags & O_NONBLOCK or flags & MSG_DONTWAIT)
            if self.shut & RCV_SHUTDOWN and patient:
                return b""
            return self.read_queue().refusal
        if queue is not None and queue.barred:
            return queue.refusal
        if flags & MSG_PEEK:
            return self.datagrams[0][0][:size]
        data, memory = self.datagrams.popleft()
        self._give_back(memory)
        return data if len(data) <= size else data[:size]

    def read(self, size: int) -> bytes | WouldBlock:
        """read(2): recv(2), but of no bytes at once."""
        return self.recv(size, 0) if size else b""

    def _give_back(self, memory: int) -> None:
        sender = self.peer
        if sender is None:
            return
        sender.in_flight -= memory
        if sender._write_queue is not None and sender.in_flight * 4 <= sender.send_limit:
            sender._write_queue.notify()

    def shutdown(self, how: int) -> None:
        """shutdown(2): this side's halves only; senders learn when they send."""
        self.shut |= halves(how)
        self.notify_all()

    def release(self) -> None:
        """The datagrams nobody will read are freed; a sleeping sender learns."""
        self.datagrams.clear()
        sender = self.peer
        if sender is not None:
            sender.in_flight = 0
            if sender._write_queue is not None:
                sender._write_queue.notify()

    def poll(self) -> int:
        mask = 0
        if self.shut == BOTH_SHUTDOWN:
            mask |= HUP
        if self.shut & RCV_SHUTDOWN:
            mask |= RDHUP | READABLE
        if self.datagrams:
            mask |= READABLE
        if self.in_flight * 4 <= self.send_limit:
            mask |= WRITABLE | WRBAND
        return mask

    def wakers(self, mask: int) -> tuple[object, ...]:
        return () if self.peer is None else (self.peer,)

    def unread(self) -> int:
        """The length of the first datagram only."""
        return len(self.datagrams[0][0]) if self.datagrams else 0


def datagram_pair(kernel: Home, flags: int = 0) -> tuple[DatagramEndpoint, DatagramEndpoint]:
    """socketpair(AF_UNIX, SOCK_DGRAM): two endpoints, crossed."""
    a, b = DatagramEndpoint(kernel, flags), DatagramEndpoint(kernel, flags)
    a.peer, b.peer = b, a
    return a, b
