"""The UNIX stream endpoint: unix(7), SOCK_STREAM, one end of a pair.

Crossed endpoints: what one end sends is put into the other's receive buffer
in the same turn.  A send is cut into packets, and the *memory* of packets in
flight is what SO_SNDBUF bounds; the receiver's SO_RCVBUF plays no part
(net/unix/af_unix.c, sock_alloc_send_pskb):

* A packet is let in while the memory in flight is below SO_SNDBUF, whatever
  the packet's size; its memory comes back when its last byte has been read.
* Writable, for poll and for who sleeps in send, means at most a quarter in
  flight; a new send passes earlier than that, and may overtake.

Each side keeps which halves are shut.  Closing shuts both halves of the peer;
closing with unread data also leaves it ECONNRESET, which is told once.

Not modelled: out-of-band data, ancillary data, names (see docs/limits.md).
"""

from __future__ import annotations

import errno
from collections import deque
from functools import lru_cache
from typing import Final, NoReturn, final

from asyncipc.errors import BrokenPipeSignal, Unsupported, fail
from asyncipc.kernel.buffers import Buffer, ByteQueue, part_of
from asyncipc.kernel.openfile import Home
from asyncipc.kernel.options import SNDBUF_DEFAULT
from asyncipc.kernel.readiness import ERR, HUP, RDHUP, READABLE, WRBAND, WRITABLE
from asyncipc.kernel.socket import (
    BOTH_SHUTDOWN,
    MSG_NOSIGNAL,
    MSG_OOB,
    MSG_PEEK,
    RCV_SHUTDOWN,
    SEND_SHUTDOWN,
    Socket,
    halves,
    mirrored,
)
from asyncipc.kernel.waitqueue import WouldBlock

PACKET_MAX: Final = 36544
"""The most bytes in one packet, whatever SO_SNDBUF is (measured, 6.18)."""
LINEAR_MAX: Final = 3776
"""Bytes that fit beside the packet's head; what is longer lies in pages."""
PAGE: Final = 4096
PACKET_HEAD: Final = 256
SHARED_INFO: Final = 320
NO_PACKETS: Final[deque[tuple[int, int]]] = deque()
"""Stands for every inbox that nothing has come into: an idle socket stays small."""


@lru_cache(maxsize=4096)
def packet_memory(size: int, linear_max: int = LINEAR_MAX, paged_max: int = PACKET_MAX) -> int:
    """What a packet of ``size`` bytes counts in memory (its truesize)."""
    paged = min(size, whole_pages(max(0, size - linear_max)), paged_max)
    linear = -(-(size - paged) // 64) * 64 + SHARED_INFO
    return max(512, 1 << (linear - 1).bit_length()) + PACKET_HEAD + whole_pages(paged)


def whole_pages(size: int) -> int:
    return -(-size // PAGE) * PAGE


@final
class StreamEndpoint(Socket):
    """One end.  ``packets``: unread bytes and memory of each packet received;
    ``in_flight``: memory of own packets that the peer has not read yet.
    """

    __slots__ = (
        "buffer",
        "in_flight",
        "packets",
        "peer",
        "whole_max",
    )

    is_stream = True

    def __init__(self, kernel: Home, flags: int = 0, send_limit: int = SNDBUF_DEFAULT) -> None:
        super().__init__(kernel, flags, send_limit)
        self.peer: StreamEndpoint | None = None
        self.whole_max = min(PACKET_MAX, send_limit // 2 - 64)
        self.in_flight = 0
        self.buffer: ByteQueue | None = None
        self.packets = NO_PACKETS

    # -- sending

    def write(self, data: Buffer, done: int = 0) -> int | WouldBlock:
        """write(2): how many bytes went in.

        Refuses while the packets in flight fill SO_SNDBUF.  EPIPE and SIGPIPE
        when this half or the peer's receiving half is shut or closed.
        """
        peer, size = self.peer, len(data)
        if peer is None or self.shut & SEND_SHUTDOWN:
            self._cannot_send(quietly=done > 0)
        if size == done:
            return 0
        queue = self._write_queue
        if queue is not None and queue.barred:
            return queue.refusal
        if self.in_flight >= self.send_limit:
            return self.write_queue().refusal
        buffer = peer.buffer or peer.open_inbox()
        if size <= self.whole_max and not done:  # one packet, the hot path
            memory = packet_memory(size)
            peer.packets.append((size, memory))
            self.in_flight += memory
            moved = size
            buffer.put(data if type(data) is bytes else bytes(data))
        else:
            moved = self._packetize(peer.packets, size - done)
            buffer.put(part_of(data, done, done + moved))
        if self.kernel.wire is not None:
            self.kernel.wire(self, peer, moved)
        if peer._read_queue is not None:
            peer._read_queue.notify()
        return moved

    def send(self, data: Buffer, flags: int, done: int = 0) -> int | WouldBlock:
        """send(2): write(2) with flags.  MSG_NOSIGNAL: EPIPE without SIGPIPE."""
        if flags & MSG_OOB:
            raise Unsupported("asyncipc does not model out-of-band data (MSG_OOB)")
        try:
            return self.write(data, done)
        except BrokenPipeSignal:
            if flags & MSG_NOSIGNAL:
                fail(errno.EPIPE)
            raise

    def _cannot_send(self, *, quietly: bool) -> NoReturn:
        """EPIPE, with SIGPIPE unless the call has moved something.

        A call that slept ends without the signal, and is the one that is told
        of a reset (sock_alloc_send_pskb).
        """
        slept = self._write_queue is not None and self._write_queue.serving
        if slept:
            self._tell_error()
        if slept or quietly:
            fail(errno.EPIPE)
        raise BrokenPipeSignal

    def open_inbox(self) -> ByteQueue:
        """The receiving side's room, made when something first comes."""
        self.packets, self.buffer = deque(), ByteQueue()
        return self.buffer

    def _packetize(self, packets: deque[tuple[int, int]], size: int) -> int:
        """Let packets in while memory allows; how many bytes that made."""
        moved = 0
        while moved < size and self.in_flight < self.send_limit:
            length = min(size - moved, self.whole_max)
            memory = packet_memory(length)
            packets.append((length, memory))
            self.in_flight += memory
            moved += length
        return moved

    # -- receiving

    def recv(self, size: int, flags: int) -> bytes | WouldBlock:
        """recv(2): up to ``size`` bytes, b"" at the end of the stream.

        Refuses while nothing has come and the peer can still send.
        ECONNRESET once when the peer closed with unread data.
        """
        if flags & MSG_OOB:
            fail(errno.EINVAL)
        buffer, queue = self.buffer, self._read_queue
        if buffer is None or not buffer.size:
            return self._nothing_to_receive()
        if queue is not None and queue.barred:
            return queue.refusal
        return buffer.peek(size) if flags & MSG_PEEK else self.read(size)

    def read(self, size: int) -> bytes | WouldBlock:
        """read(2): recv(2), but of no bytes at once."""
        if not size:
            return b""
        buffer, queue = self.buffer, self._read_queue
        if buffer is None or not buffer.size:
            if queue is None or self.shut or self.error:
                return self._nothing_to_receive()
            return queue.refusal
        if queue is not None and queue.barred:
            return queue.refusal
        data = buffer.take(size)
        self._release_packets(len(data))
        return data

    def _nothing_to_receive(self) -> bytes | WouldBlock:
        self._tell_error()
        return b"" if self.shut & RCV_SHUTDOWN else self.read_queue().refusal

    def _release_packets(self, size: int) -> None:
        """``size`` bytes were read: give the sender back its memory."""
        packets, freed = self.packets, 0
        while size:
            length, memory = packets[0]
            if length > size:
                packets[0] = (length - size, memory)
                break
            packets.popleft()
            freed += memory
            size -= length
        sender = self.peer
        if freed and sender is not None:
            sender.in_flight -= freed
            if sender._write_queue is not None and sender.in_flight * 4 <= sender.send_limit:
                sender._write_queue.notify()

    def _tell_error(self) -> None:
        """A reset is told once."""
        if self.error:
            error, self.error = self.error, 0
            fail(error)

    # -- shutdown and close

    def shutdown(self, how: int) -> None:
        """shutdown(2): shut halves here, and their counterparts at the peer."""
        self._shut(halves(how))
        if self.peer is not None:
            self.peer._shut(mirrored(halves(how)))

    def release(self) -> None:
        peer, self.peer = self.peer, None
        if peer is None:
            return
        peer.peer = None
        peer.in_flight = 0  # what this side had not read is freed
        if self.buffer is not None and self.buffer.size:
            peer.error = errno.ECONNRESET
        peer._shut(BOTH_SHUTDOWN)

    def _shut(self, shut: int) -> None:
        """The state has changed: whoever sleeps here looks again."""
        self.shut |= shut
        self.notify_all()

    # -- readiness

    def poll(self) -> int:
        mask = ERR if self.error else 0
        if self.shut == BOTH_SHUTDOWN:
            mask |= HUP
        if self.shut & RCV_SHUTDOWN:
            mask |= RDHUP | READABLE
        if self.buffer is not None and self.buffer.size:
            mask |= READABLE
        if self.in_flight * 4 <= self.send_limit:
            mask |= WRITABLE | WRBAND
        return mask

    def wakers(self, mask: int) -> tuple[object, ...]:
        return () if self.peer is None else (self.peer,)

    def unread(self) -> int:
        return 0 if self.buffer is None else self.buffer.size


def stream_pair(kernel: Home, flags: int = 0) -> tuple[StreamEndpoint, StreamEndpoint]:
    """socketpair(AF_UNIX, SOCK_STREAM): two endpoints, crossed."""
    a, b = StreamEndpoint(kernel, flags), StreamEndpoint(kernel, flags)
    a.peer, b.peer = b, a
    return a, b
